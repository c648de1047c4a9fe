//! Plans: a segment of the graph turned into steps over slots, ready to run again with other data.
//!
//! [`make_plan`] goes through five passes: [`merge`] (aliases resolved, equal nodes merged, dead ones dropped),
//! [`group`] (which elementwise nodes and reductions share a loop), [`emit`] (steps over slots, loops with [`fuse`]),
//! [`band`] (which loops run row by row together) and [`memory`] (where each slot lives).

mod band;
mod emit;
mod fuse;
mod group;
mod ir;
mod layout;
mod memory;
mod merge;
mod pair;
mod segment;

pub use band::BandLimits;
pub use ir::{Band, Home, KernelStep, LoopNest, Operand, Plan, Reduce, Reductions, Slot, SlotId, Step, Store, View};
pub(crate) use segment::internal;
pub use segment::{Action, Bind, CachedPlan, DatumInfo, ExternalInfo, PlanCache, Segment, SegmentNode, Source};

use crate::error::Result;

/// What planning may do.
#[derive(Clone, Copy, Debug)]
pub struct PlanOptions {
    /// Fuse elementwise nodes and reductions into shared loops.
    pub fusion: bool,
    /// Share and take over buffers.
    pub reuse: bool,
    /// Merge equal nodes.
    pub merge: bool,
    /// The most slots that one loop may touch, where the device has such a limit.
    pub max_slots: Option<usize>,
    /// Let convolutions write channels-last.
    pub channels_last: bool,
    /// Find loops that may run part by part.
    pub bands: Option<BandLimits>,
}

impl Default for PlanOptions {
    fn default() -> PlanOptions {
        PlanOptions { fusion: true, reuse: true, merge: true, max_slots: None, channels_last: false, bands: None }
    }
}

/// Plans a segment.
pub fn make_plan(segment: Segment, options: PlanOptions) -> Result<CachedPlan> {
    let merged = merge::merge(&segment, options);
    let groups = group::group(&segment, &merged, options)?;
    let (mut plan, binds) = emit::emit(&segment, &merged, &groups, options)?;
    if let Some(limits) = options.bands {
        band::find(&mut plan, limits);
    }
    memory::assign(&mut plan, &segment, options.reuse);
    Ok(CachedPlan::new(segment, plan, binds))
}
