//! Steps that run on the host: as a plan of one step on another runtime, or by an op's own CPU kernel.

use fovea_core::device::{Alone, BufferRef, CpuArgs, CpuInput, CpuOutput, Datum, Executable, Runtime};
use fovea_core::plan::{Home, KernelStep, LoopNest, Operand, Plan, Reductions, Slot, SlotId, Step, Store, View};
use fovea_core::scalar::Program;
use fovea_core::shape::Layout;
use fovea_core::{DType, Error, Result, Shape};
use std::sync::Arc;

/// A step of a plan that runs on the host.
pub(crate) struct HostStep {
    work: Work,
    /// Slots whose contents the step needs.
    pub reads: Vec<SlotId>,
    /// Slots that it writes, each whole.
    pub writes: Vec<SlotId>,
}

enum Work {
    Plan(Arc<dyn Executable>),
    Kernel(KernelStep),
}

/// A value on its way to or from the host.
pub(crate) enum HostValue {
    /// Elements in the slot's dtype, row-major.
    Bytes(Vec<u8>),
    /// A buffer of the fallback runtime.
    Held(BufferRef),
}

/// Slots that a step reads and writes, each once. A slot that is written only in part and had contents before counts
/// as read too.
pub(crate) fn touched(step: &Step) -> (Vec<SlotId>, Vec<SlotId>) {
    let (mut reads, mut writes) = (Vec::new(), Vec::new());
    match step {
        Step::Loop(nest) => {
            reads.extend(nest.operands.iter().filter_map(|o| match o {
                Operand::Tensor { slot, .. } => Some(*slot),
                _ => None,
            }));
            writes.extend(nest.stores.iter().map(|s| s.slot));
            writes.extend(nest.reductions.items.iter().map(|r| r.slot));
        }
        Step::Contract { a, b, out, .. } => {
            reads.extend([a.slot, b.slot]);
            writes.push(*out);
        }
        Step::Kernel(kernel) => {
            reads.extend(kernel.inputs.iter().map(|v| v.slot));
            writes.extend(kernel.outputs.iter().flatten());
        }
    }
    for list in [&mut reads, &mut writes] {
        let mut seen = Vec::new();
        list.retain(|s| {
            !seen.contains(s) && {
                seen.push(*s);
                true
            }
        });
    }
    (reads, writes)
}

impl HostStep {
    /// `had_contents` are the slots that earlier steps have written.
    pub fn new(
        plan: &Plan,
        index: usize,
        had_contents: &dyn Fn(SlotId) -> bool,
        fallback: Option<&Arc<dyn Runtime>>,
    ) -> Result<HostStep> {
        let step = &plan.steps[index];
        let label = plan.labels.get(index).map_or("", String::as_str);
        let (reads, writes) = touched(step);
        match (fallback, step) {
            (Some(runtime), _) => {
                let (one, reads) = one_step(plan, step, reads, &writes, had_contents);
                Ok(HostStep { work: Work::Plan(runtime.compile(&Arc::new(one))?), reads, writes })
            }
            (None, Step::Kernel(kernel)) if reads.iter().chain(&writes).all(|&s| plan.slots[s].dtype != DType::F64) => {
                Ok(HostStep { work: Work::Kernel(kernel.clone()), reads, writes })
            }
            (None, _) => Err(Error::device(format!(
                "{} cannot run on the GPU and there is no CPU runtime to run it on",
                if label.is_empty() { "a step" } else { label }
            ))),
        }
    }

    /// Runs the step on values given in the order of `reads`; returns those of `writes`.
    pub fn run(
        &self,
        plan: &Plan,
        values: Vec<HostValue>,
        data: &[Datum],
        fallback: Option<&Arc<dyn Runtime>>,
    ) -> Result<Vec<HostValue>> {
        match (&self.work, fallback) {
            (Work::Plan(executable), Some(runtime)) => {
                let externals: Result<Vec<BufferRef>> = values
                    .into_iter()
                    .zip(&self.reads)
                    .map(|(value, &slot)| match value {
                        HostValue::Bytes(bytes) => runtime.upload(&bytes, plan.slots[slot].dtype),
                        HostValue::Held(buffer) => Ok(buffer),
                    })
                    .collect();
                let outputs = executable.run(externals?, data).map_err(|failure| failure.error)?;
                Ok(outputs.into_iter().map(HostValue::Held).collect())
            }
            (Work::Kernel(kernel), _) => run_kernel(kernel, plan, &self.reads, &self.writes, &values),
            (Work::Plan(_), None) => Err(Error::internal("a host plan without its runtime")),
        }
    }
}

/// A plan of one step: what it reads comes as externals, what it writes goes as outputs. Where the step overwrites
/// only a part of a slot, the slot's contents are copied first.
fn one_step(
    plan: &Plan,
    step: &Step,
    mut reads: Vec<SlotId>,
    writes: &[SlotId],
    had_contents: &dyn Fn(SlotId) -> bool,
) -> (Plan, Vec<SlotId>) {
    let kept: Vec<SlotId> = writes.iter().copied().filter(|&s| had_contents(s)).collect();
    for &slot in &kept {
        if !reads.contains(&slot) {
            reads.push(slot);
        }
    }
    let slot_of = |s: SlotId, home: Home| Slot { home, ..plan.slots[s] };
    let mut slots: Vec<Slot> = reads.iter().enumerate().map(|(i, &s)| slot_of(s, Home::External(i))).collect();
    slots.extend(writes.iter().enumerate().map(|(i, &s)| slot_of(s, Home::Output(i))));
    let read = |s: SlotId| reads.iter().position(|&r| r == s).expect("a slot that is read");
    let written = |s: SlotId| reads.len() + writes.iter().position(|&w| w == s).expect("a slot that is written");
    let mut steps: Vec<Step> = kept.iter().map(|&s| Step::Loop(copy(plan.slots[s], read(s), written(s)))).collect();
    let view = |v: &View| View { slot: read(v.slot), layout: v.layout };
    steps.push(match step {
        Step::Loop(nest) => {
            let mut nest = nest.clone();
            for operand in &mut nest.operands {
                if let Operand::Tensor { slot, .. } = operand {
                    *slot = read(*slot);
                }
            }
            nest.stores.iter_mut().for_each(|s| s.slot = written(s.slot));
            nest.reductions.items.iter_mut().for_each(|r| r.slot = written(r.slot));
            Step::Loop(nest)
        }
        Step::Contract { contraction, a, b, out } => {
            Step::Contract { contraction: contraction.clone(), a: view(a), b: view(b), out: written(*out) }
        }
        Step::Kernel(kernel) => Step::Kernel(KernelStep {
            inputs: kernel.inputs.iter().map(view).collect(),
            outputs: kernel.outputs.iter().map(|o| o.map(written)).collect(),
            ..kernel.clone()
        }),
    });
    let labels = vec!["fallback".to_owned(); steps.len()];
    let origins = vec![0; steps.len()];
    let one = Plan {
        steps,
        labels,
        origins,
        slots,
        bands: Vec::new(),
        arena_bytes: 0,
        donations: Vec::new(),
        externals: reads.len(),
        outputs: writes.len(),
    };
    (one, reads)
}

/// A nest that copies a slot whole.
pub(crate) fn copy(slot: Slot, from: SlotId, to: SlotId) -> LoopNest {
    let shape = Shape::from([slot.elements]);
    let strides = shape.strides();
    LoopNest {
        shape,
        operands: vec![Operand::Tensor { slot: from, strides, offset: 0 }],
        program: Program { inputs: vec![slot.dtype], instrs: Vec::new(), outputs: vec![0] },
        stores: vec![Store { output: 0, slot: to, strides, offset: 0 }],
        reductions: Reductions::default(),
    }
}

/// Host memory aligned for every element type.
struct Aligned(Vec<u64>);

impl Aligned {
    fn zeroed(bytes: usize) -> Aligned {
        Aligned(vec![0; bytes.div_ceil(8)])
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: a u64 is eight initialised bytes, and u8 has no alignment.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr().cast(), self.0.len() * 8) }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`; any bytes make a u64, and the borrow is unique.
        unsafe { std::slice::from_raw_parts_mut(self.0.as_mut_ptr().cast(), self.0.len() * 8) }
    }
}

fn run_kernel(
    kernel: &KernelStep,
    plan: &Plan,
    reads: &[SlotId],
    writes: &[SlotId],
    values: &[HostValue],
) -> Result<Vec<HostValue>> {
    let size = |s: SlotId| plan.slots[s].elements * plan.slots[s].dtype.size();
    let mut memory = Vec::new();
    for (&slot, value) in reads.iter().zip(values) {
        let HostValue::Bytes(bytes) = value else {
            return Err(Error::internal("a value of another runtime reached an op's CPU kernel"));
        };
        let mut aligned = Aligned::zeroed(bytes.len());
        aligned.bytes_mut()[..bytes.len()].copy_from_slice(bytes);
        memory.push((slot, aligned));
    }
    let inputs: Vec<CpuInput<'_>> = kernel
        .inputs
        .iter()
        .map(|view| {
            let at = memory.iter().position(|m| m.0 == view.slot).expect("every input was read");
            let bytes = &memory[at].1.bytes()[..size(view.slot)];
            CpuInput { dtype: plan.slots[view.slot].dtype, layout: view.layout, bytes }
        })
        .collect();
    let mut results: Vec<Aligned> = kernel.outputs.iter().map(|o| Aligned::zeroed(o.map_or(0, size))).collect();
    let mut outputs: Vec<Option<CpuOutput<'_>>> = kernel
        .outputs
        .iter()
        .zip(&mut results)
        .zip(&kernel.output_types)
        .map(|((slot, memory), kind)| {
            slot.map(|s| CpuOutput {
                dtype: kind.dtype,
                layout: Layout::contiguous(kind.shape),
                bytes: &mut memory.bytes_mut()[..size(s)],
            })
        })
        .collect();
    kernel.op.cpu(&mut CpuArgs { inputs: &inputs, outputs: &mut outputs, threads: &Alone })?;
    Ok(writes
        .iter()
        .map(|w| {
            let at = kernel.outputs.iter().position(|o| o == &Some(*w)).expect("every written slot is an output");
            HostValue::Bytes(results[at].bytes()[..size(*w)].to_vec())
        })
        .collect())
}
