//! Runtimes with a planted bug each: what random programs must catch.

use fovea_core::device::{BufferRef, Device, Executable, Runtime};
use fovea_core::plan::{Home, Operand, Plan, SlotId, Step};
use fovea_core::{DType, Layout, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What is done to plans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// An operand of a loop is taken for another one of the same type that is read in the same way.
    MergedOperands,
    /// Two numbers of a loop are taken for one.
    MergedNumbers,
    /// A slot of the arena gets the place of one that is still to be read.
    EarlyReuse,
}

/// A runtime that spoils plans before it passes them on.
pub struct Planted {
    inner: Arc<dyn Runtime>,
    bug: Bug,
    spoiled: AtomicUsize,
}

impl Planted {
    pub fn new(inner: Arc<dyn Runtime>, bug: Bug) -> Arc<Planted> {
        Arc::new(Planted { inner, bug, spoiled: AtomicUsize::new(0) })
    }

    /// Plans that were changed.
    pub fn spoiled(&self) -> usize {
        self.spoiled.load(Ordering::Relaxed)
    }
}

impl Runtime for Planted {
    fn device(&self) -> Device {
        self.inner.device()
    }

    fn max_slots(&self) -> Option<usize> {
        self.inner.max_slots()
    }

    fn channels_last(&self) -> bool {
        self.inner.channels_last()
    }

    fn runs_bands(&self) -> bool {
        self.inner.runs_bands()
    }

    fn compile(&self, plan: &Arc<Plan>) -> Result<Arc<dyn Executable>> {
        let mut spoiled = Plan::clone(plan);
        let changed = match self.bug {
            Bug::MergedOperands => merge_operands(&mut spoiled),
            Bug::MergedNumbers => merge_numbers(&mut spoiled),
            Bug::EarlyReuse => reuse_early(&mut spoiled),
        };
        if !changed {
            return self.inner.compile(plan);
        }
        self.spoiled.fetch_add(1, Ordering::Relaxed);
        self.inner.compile(&Arc::new(spoiled))
    }

    fn upload(&self, bytes: &[u8], dtype: DType) -> Result<BufferRef> {
        self.inner.upload(bytes, dtype)
    }

    fn read(&self, buffer: &BufferRef, dtype: DType, layout: &Layout, target: &mut [u8]) -> Result<()> {
        self.inner.read(buffer, dtype, layout, target)
    }
}

fn merge_operands(plan: &mut Plan) -> bool {
    let slots = &plan.slots;
    for step in &mut plan.steps {
        let Step::Loop(nest) = step else { continue };
        for i in 1..nest.operands.len() {
            for j in 0..i {
                let (
                    Operand::Tensor { slot: a, strides: s, offset: o },
                    Operand::Tensor { slot: b, strides: t, offset: p },
                ) = (nest.operands[i], nest.operands[j])
                else {
                    continue;
                };
                let alike = slots[a].dtype == slots[b].dtype && slots[a].elements == slots[b].elements;
                if a != b && alike && s == t && o == p {
                    nest.operands[i] = nest.operands[j];
                    return true;
                }
            }
        }
    }
    false
}

fn merge_numbers(plan: &mut Plan) -> bool {
    for step in &mut plan.steps {
        let Step::Loop(nest) = step else { continue };
        let mut first = None;
        for operand in &mut nest.operands {
            match (&operand, first) {
                (Operand::Scalar(i), Some(j)) if *i != j => {
                    *operand = Operand::Scalar(j);
                    return true;
                }
                (Operand::Scalar(i), None) => first = Some(*i),
                _ => {}
            }
        }
    }
    false
}

fn reuse_early(plan: &mut Plan) -> bool {
    let reads: Vec<Vec<SlotId>> = plan.steps.iter().map(reads).collect();
    let writes: Vec<Vec<SlotId>> = plan.steps.iter().map(writes).collect();
    let bytes = |slot: SlotId| plan.slots[slot].elements * plan.slots[slot].dtype.size();
    for (step, written) in writes.iter().enumerate() {
        for &late in written {
            let Home::Arena(from) = plan.slots[late].home else { continue };
            for early in writes[..step].iter().flatten().copied() {
                let Home::Arena(at) = plan.slots[early].home else { continue };
                let alive = reads[step + 1..].iter().flatten().any(|&r| r == early);
                let here = reads[step].contains(&early) || written.contains(&early);
                if early != late
                    && at != from
                    && alive
                    && !here
                    && bytes(late) > 0
                    && at + bytes(late) <= plan.arena_bytes
                {
                    plan.slots[late].home = Home::Arena(at);
                    return true;
                }
            }
        }
    }
    false
}

fn reads(step: &Step) -> Vec<SlotId> {
    match step {
        Step::Loop(nest) => {
            let slot = |o: &Operand| if let Operand::Tensor { slot, .. } = o { Some(*slot) } else { None };
            nest.operands.iter().filter_map(slot).collect()
        }
        Step::Contract { a, b, .. } => vec![a.slot, b.slot],
        Step::Kernel(kernel) => kernel.inputs.iter().map(|v| v.slot).collect(),
    }
}

fn writes(step: &Step) -> Vec<SlotId> {
    match step {
        Step::Loop(nest) => {
            nest.stores.iter().map(|s| s.slot).chain(nest.reductions.items.iter().map(|r| r.slot)).collect()
        }
        Step::Contract { out, .. } => vec![*out],
        Step::Kernel(kernel) => kernel.outputs.iter().flatten().copied().collect(),
    }
}
