//! Results that are written past the caches: what is larger than they are, and what nothing of the plan reads again,
//! need not be fetched before it is overwritten, nor drive out what is still wanted.

use fovea_core::plan::{Home, Operand, Plan, SlotId, Step};

/// Smaller results may still be in a cache when the next plan reads them.
const LEAST_BYTES: usize = 8 << 20;

/// Alignment of what is written in this way, in bytes: a cache line.
pub const LINE: usize = 64;

/// The slots of `plan` that are written so. Those that may go over an external value are not: their lines are there.
pub fn streamed(plan: &Plan) -> Vec<SlotId> {
    let mut streamed: Vec<SlotId> = (0..plan.slots.len())
        .filter(|&slot| {
            let slot = &plan.slots[slot];
            let fresh = matches!(slot.home, Home::Output(o) if plan.donations.iter().all(|d| d.0 != o));
            fresh && slot.elements * slot.dtype.size() >= LEAST_BYTES
        })
        .collect();
    for step in &plan.steps {
        match step {
            Step::Loop(nest) => {
                let read =
                    |s: SlotId| nest.operands.iter().any(|o| matches!(o, Operand::Tensor { slot, .. } if *slot == s));
                streamed.retain(|&s| !read(s));
            }
            Step::Contract { a, b, .. } => streamed.retain(|&s| s != a.slot && s != b.slot),
            Step::Kernel(kernel) => streamed.retain(|&s| kernel.inputs.iter().all(|view| view.slot != s)),
        }
    }
    streamed
}
