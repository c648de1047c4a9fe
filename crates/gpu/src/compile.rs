//! A plan turned into kernels, host steps and registers.

use crate::adapters::{GROUPS_PER_DIMENSION, STORAGE_BUFFERS};
use crate::gemm::{self, Tile};
use crate::host::{HostStep, copy, touched};
use crate::memory::{Life, assign};
use crate::split;
use crate::transfer::{WORD, is_native};
use crate::wgsl::Dispatch;
use fovea_core::device::Runtime;
use fovea_core::plan::{Home, KernelStep, LoopNest, Operand, Plan, Slot, SlotId, Step, View};
use fovea_core::shape::Layout;
use fovea_core::{DType, Result};
use std::sync::Arc;

/// One step of a plan as it runs here.
pub(crate) enum Unit {
    Kernels {
        plain: Vec<Dispatch>,
        /// With the slots of donated externals in place of the outputs that take them over.
        in_place: Option<Vec<Dispatch>>,
    },
    Host(HostStep),
}

/// Where a slot's memory comes from in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    External(usize),
    Output(usize),
    Register(usize),
    /// No device memory: values that only host steps touch.
    Host,
}

pub(crate) struct Compiled {
    pub plan: Arc<Plan>,
    pub units: Vec<Unit>,
    /// Slots of the plan, then temporaries.
    pub slots: Vec<(Slot, Place)>,
    /// Bytes of each register.
    pub registers: Vec<u64>,
    pub donations: Vec<Donation>,
}

/// An output that the kernels of a unit may write over an external.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Donation {
    pub output: usize,
    pub external: usize,
    pub unit: usize,
}

/// Bytes of a slot on the device.
pub(crate) fn device_bytes(slot: &Slot) -> u64 {
    (slot.elements as u64 * WORD).max(WORD)
}

struct Compiler<'a> {
    plan: &'a Plan,
    /// The tile of every contraction, where the choice isn't left to the shape.
    tile: Option<Tile>,
    /// Temporaries with the unit they live in.
    temporaries: Vec<(Slot, usize)>,
}

pub(crate) fn compile(plan: &Arc<Plan>, fallback: Option<&Arc<dyn Runtime>>, tile: Option<Tile>) -> Result<Compiled> {
    let mut compiler = Compiler { plan, tile, temporaries: Vec::new() };
    let mut written = vec![false; plan.slots.len()];
    let mut units = Vec::new();
    let candidates = donation_candidates(plan);
    let mut donations = Vec::new();
    for (index, step) in plan.steps.iter().enumerate() {
        let unit = match compiler.native(index, step) {
            Some(plain) => {
                let here: Vec<_> = candidates.iter().filter(|d| d.unit == index).copied().collect();
                let in_place = (!here.is_empty()).then(|| compiler.in_place(index, step, &here)).flatten();
                if in_place.is_some() {
                    donations.extend(here);
                }
                Unit::Kernels { plain, in_place }
            }
            None => {
                let label = plan.labels.get(index).map_or("", String::as_str);
                let step = HostStep::new(plan, index, &|s| written[s], fallback);
                Unit::Host(step.map_err(|e| if label.is_empty() { e } else { e.in_op(label) })?)
            }
        };
        for slot in touched(step).1 {
            written[slot] = true;
        }
        units.push(unit);
    }
    let (registers, slots) = compiler.place();
    Ok(Compiled { plan: plan.clone(), units, slots, registers, donations })
}

/// Donations that the plan's steps allow.
fn donation_candidates(plan: &Plan) -> Vec<Donation> {
    let slot_at = |home: Home| plan.slots.iter().position(|s| s.home == home);
    let valid = |&(output, external): &(usize, usize)| {
        let (out, from) = (slot_at(Home::Output(output))?, slot_at(Home::External(external))?);
        let (a, b) = (&plan.slots[out], &plan.slots[from]);
        if a.dtype != b.dtype || a.elements != b.elements || !is_native(a.dtype) {
            return None;
        }
        let uses = |slot: SlotId| {
            plan.steps.iter().enumerate().filter(move |(_, s)| {
                let (reads, writes) = touched(s);
                reads.contains(&slot) || writes.contains(&slot)
            })
        };
        let (index, step) = uses(out).next()?;
        let last_read = uses(from).next_back().map_or(0, |(i, _)| i);
        let Step::Loop(nest) = step else { return None };
        let stores: Vec<_> = nest.stores.iter().filter(|s| s.slot == out).collect();
        let reduced = nest.reductions.items.iter().any(|r| r.slot == out);
        let same = nest.operands.iter().all(|o| match o {
            Operand::Tensor { slot, strides, offset } if *slot == from => {
                stores.iter().all(|s| s.strides == *strides && s.offset == *offset)
            }
            _ => true,
        });
        (last_read <= index && stores.len() == 1 && !reduced && same).then_some(Donation {
            output,
            external,
            unit: index,
        })
    };
    plan.donations.iter().filter_map(valid).collect()
}

impl Compiler<'_> {
    fn temporary(&mut self, unit: usize, elements: usize, dtype: DType) -> SlotId {
        self.temporaries.push((Slot { dtype, elements, home: Home::Arena(0) }, unit));
        self.plan.slots.len() + self.temporaries.len() - 1
    }

    /// Kernels for a step, or `None` where it must run on the host.
    fn native(&mut self, unit: usize, step: &Step) -> Option<Vec<Dispatch>> {
        let (reads, writes) = touched(step);
        if reads.iter().chain(&writes).any(|&s| !is_native(self.plan.slots[s].dtype)) {
            return None;
        }
        match step {
            Step::Loop(nest) => self.nest(unit, nest),
            Step::Contract { contraction, a, b, out } => {
                if contraction.out.iter().any(|&l| contraction.loops[l].size == 0) {
                    return Some(Vec::new());
                }
                let tile = self.tile;
                let temporary = &mut |elements, dtype| self.temporary(unit, elements, dtype);
                Some(gemm::contract(contraction, a, b, *out, tile, temporary))
            }
            Step::Kernel(kernel) => self.kernel(unit, kernel),
        }
    }

    fn nest(&mut self, unit: usize, nest: &LoopNest) -> Option<Vec<Dispatch>> {
        split::nest(nest, &mut |elements, dtype| self.temporary(unit, elements, dtype))
    }

    /// The step with the outputs of donations written over their externals, where one kernel does all stores.
    fn in_place(&mut self, unit: usize, step: &Step, donations: &[Donation]) -> Option<Vec<Dispatch>> {
        let Step::Loop(nest) = step else { return None };
        let slot_at = |home: Home| self.plan.slots.iter().position(|s| s.home == home);
        let mut nest = nest.clone();
        for &Donation { output, external, .. } in donations {
            let (out, from) = (slot_at(Home::Output(output))?, slot_at(Home::External(external))?);
            nest.stores.iter_mut().filter(|s| s.slot == out).for_each(|s| s.slot = from);
        }
        self.nest(unit, &nest)
    }

    /// An op's own kernel, with strided inputs copied and unwanted outputs put aside.
    fn kernel(&mut self, unit: usize, kernel: &KernelStep) -> Option<Vec<Dispatch>> {
        let wgsl = kernel.op.gpu(&kernel.input_types, &kernel.output_types)?;
        let bindings = kernel.inputs.len() + kernel.outputs.len();
        if bindings > STORAGE_BUFFERS as usize || wgsl.workgroups.iter().any(|&g| g > GROUPS_PER_DIMENSION) {
            return None;
        }
        let mut dispatches = Vec::new();
        let mut slots = Vec::new();
        for (view, kind) in kernel.inputs.iter().zip(&kernel.input_types) {
            if view.layout.is_contiguous() && view.layout.offset == 0 {
                slots.push(view.slot);
                continue;
            }
            let elements = view.layout.shape.size();
            let slot = self.temporary(unit, elements, kind.dtype);
            dispatches.extend(self.nest(unit, &gather(view, kind.dtype, slot))?);
            slots.push(slot);
        }
        for (slot, kind) in kernel.outputs.iter().zip(&kernel.output_types) {
            slots.push(slot.unwrap_or_else(|| self.temporary(unit, kind.shape.size(), kind.dtype)));
        }
        if wgsl.workgroups.iter().all(|&g| g > 0) {
            dispatches.push(Dispatch { source: wgsl.source, slots, numbers: Vec::new(), workgroups: wgsl.workgroups });
        }
        Some(dispatches)
    }

    /// Gives every slot its place.
    fn place(self) -> (Vec<u64>, Vec<(Slot, Place)>) {
        let plan = self.plan;
        let mut lives: Vec<Life> = Vec::new();
        for (index, step) in plan.steps.iter().enumerate() {
            let (reads, writes) = touched(step);
            for slot in reads.into_iter().chain(writes) {
                if !matches!(plan.slots[slot].home, Home::Arena(_)) || !is_native(plan.slots[slot].dtype) {
                    continue;
                }
                match lives.iter_mut().find(|l| l.slot == slot) {
                    Some(life) => life.last = index,
                    None => {
                        let bytes = device_bytes(&plan.slots[slot]);
                        lives.push(Life { slot, bytes, first: index, last: index });
                    }
                }
            }
        }
        for (i, (slot, unit)) in self.temporaries.iter().enumerate() {
            let bytes = device_bytes(slot);
            lives.push(Life { slot: plan.slots.len() + i, bytes, first: *unit, last: *unit });
        }
        let (registers, of) = assign(&lives);
        let mut slots: Vec<(Slot, Place)> = plan
            .slots
            .iter()
            .map(|slot| {
                let place = match slot.home {
                    Home::External(i) => Place::External(i),
                    Home::Output(i) => Place::Output(i),
                    Home::Arena(_) => Place::Host,
                };
                (*slot, place)
            })
            .chain(self.temporaries.iter().map(|(slot, _)| (*slot, Place::Host)))
            .collect();
        for (life, register) in lives.iter().zip(of) {
            slots[life.slot].1 = Place::Register(register);
        }
        (registers, slots)
    }
}

/// A nest that copies a view to a row-major slot.
fn gather(view: &View, dtype: DType, to: SlotId) -> LoopNest {
    let Layout { shape, strides, offset } = view.layout;
    let mut nest = copy(Slot { dtype, elements: shape.size(), home: Home::Arena(0) }, view.slot, to);
    nest.shape = shape;
    nest.operands = vec![Operand::Tensor { slot: view.slot, strides, offset }];
    nest.stores[0].strides = shape.strides();
    nest
}
