//! Runs plans on the CPU: memory for slots, steps in order, failures as typed errors.

use crate::gemm::CompiledContraction;
use crate::loops::{CompiledBand, CompiledLoop, streamed};
use crate::memory::{self, Buffer, MemoryStats};
use crate::pool::pool;
use check::{check_views, fits, may_take_over, writes};
use fovea_core::device::{
    Alone, BufferRef, CpuArgs, CpuInput, CpuOutput, Datum, Device, Executable, RunFailure, Runtime, Threads,
};
use fovea_core::plan::{Home, KernelStep, Plan, SlotId, Step};
use fovea_core::profile::is_quick;
use fovea_core::{DType, Error, Layout, Result};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicIsize, AtomicU64, Ordering};
use std::time::Instant;

mod check;
mod copy;

/// The CPU as a device.
#[derive(Clone, Copy, Debug, Default)]
pub struct CpuRuntime;

impl CpuRuntime {
    pub fn memory_stats(&self) -> MemoryStats {
        memory::stats()
    }
}

impl Runtime for CpuRuntime {
    fn device(&self) -> Device {
        Device::Cpu
    }

    fn channels_last(&self) -> bool {
        true
    }

    fn runs_bands(&self) -> bool {
        true
    }

    fn compile(&self, plan: &Arc<Plan>) -> Result<Arc<dyn Executable>> {
        let reuse = std::env::var("FOVEA_PLAN_REUSE").as_deref() != Ok("0");
        Ok(Arc::new(CpuExecutable::compile(plan, reuse)?))
    }

    fn upload(&self, bytes: &[u8], _dtype: DType) -> Result<BufferRef> {
        Ok(Arc::new(Buffer::from_bytes(bytes)?))
    }

    fn read(&self, buffer: &BufferRef, dtype: DType, layout: &Layout, target: &mut [u8]) -> Result<()> {
        let buffer = cpu_buffer(buffer)?;
        if target.len() != layout.shape.size() * dtype.size() || !fits(layout, buffer.bytes() / dtype.size()) {
            return Err(Error::internal(format!(
                "a read of {} {dtype} into {} bytes from {} bytes",
                layout.shape,
                target.len(),
                buffer.bytes()
            )));
        }
        // SAFETY: the buffer is live and not being written (its invariant); the slice ends with this call.
        let source = unsafe { std::slice::from_raw_parts(buffer.as_ptr(), buffer.bytes()) };
        copy::gather(source, dtype.size(), layout, target);
        Ok(())
    }
}

/// Makes the step after the next `steps` ones fail, once; `None` takes that back. For tests of failures.
pub fn fail_after(steps: Option<usize>) {
    STEPS_LEFT.store(steps.map_or(NEVER, |n| n as isize), Ordering::SeqCst);
}

const NEVER: isize = isize::MIN;
static STEPS_LEFT: AtomicIsize = AtomicIsize::new(NEVER);

fn injected_failure() -> Result<()> {
    if STEPS_LEFT.load(Ordering::Relaxed) == NEVER {
        return Ok(());
    }
    let step = |left: isize| (left != NEVER).then(|| if left == 0 { NEVER } else { left - 1 });
    match STEPS_LEFT.fetch_update(Ordering::SeqCst, Ordering::SeqCst, step) {
        Ok(0) => Err(Error::internal("injected failure")),
        _ => Ok(()),
    }
}

fn cpu_buffer(buffer: &BufferRef) -> Result<&Buffer> {
    buffer.as_any().downcast_ref::<Buffer>().ok_or_else(|| Error::device("a buffer of another device on the CPU"))
}

enum Compiled {
    Loop(Box<CompiledLoop>),
    Contract(CompiledContraction),
    Kernel,
    /// The first loop of a band, which stands for all of them.
    Band(Box<CompiledBand>),
    /// Any other loop of a band.
    InBand,
}

/// A plan ready to run on the CPU.
struct CpuExecutable {
    plan: Arc<Plan>,
    steps: Vec<Compiled>,
    /// For each step, the outputs that it is the first to write.
    first_writes: Vec<Vec<usize>>,
    /// For each output, the external whose buffer it may take over.
    donors: Vec<Option<usize>>,
    output_bytes: Vec<usize>,
    /// Done before another thread could help.
    quick: bool,
}

impl CpuExecutable {
    /// `reuse` lets outputs take over donated externals.
    fn compile(plan: &Arc<Plan>, reuse: bool) -> Result<CpuExecutable> {
        let mut output_bytes = vec![0; plan.outputs];
        for slot in &plan.slots {
            if let Home::Output(o) = slot.home {
                output_bytes[o] = slot.elements * slot.dtype.size();
            }
        }
        let mut first_writes = Vec::with_capacity(plan.steps.len());
        let mut written = vec![false; plan.outputs];
        let mut steps = Vec::with_capacity(plan.steps.len());
        let streamed = streamed(plan);
        for (index, step) in plan.steps.iter().enumerate() {
            let label = |e: Error| labelled(plan, index, e);
            let mut first = Vec::new();
            for slot in writes(step) {
                if let Home::Output(o) = plan.slots[slot].home
                    && !std::mem::replace(&mut written[o], true)
                {
                    first.push(o);
                }
            }
            first_writes.push(first);
            check_views(plan, step).map_err(label)?;
            let band = plan.bands.iter().find(|band| band.steps().contains(&index));
            steps.push(match step {
                Step::Loop(_) if band.is_some_and(|band| band.first != index) => Compiled::InBand,
                Step::Loop(_) if let Some(band) = band => {
                    Compiled::Band(Box::new(CompiledBand::compile(plan, band, &streamed).map_err(label)?))
                }
                Step::Loop(nest) => {
                    let compiled = CompiledLoop::compile(nest, &plan.slots, &streamed);
                    Compiled::Loop(Box::new(compiled.map_err(label)?))
                }
                Step::Contract { contraction, a, b, out } => {
                    let dtype = plan.slots[*out].dtype;
                    let compiled = CompiledContraction::compile(contraction, dtype, &a.layout, &b.layout);
                    Compiled::Contract(compiled.map_err(label)?)
                }
                Step::Kernel(_) => Compiled::Kernel,
            });
        }
        let mut donors = vec![None; plan.outputs];
        if reuse {
            for &(output, external) in &plan.donations {
                let first = first_writes.iter().position(|w| w.contains(&output));
                let free = donors[output].is_none() && !donors.contains(&Some(external));
                if free && first.is_some_and(|first| may_take_over(plan, output, external, first)) {
                    donors[output] = Some(external);
                }
            }
        }
        Ok(CpuExecutable { plan: plan.clone(), steps, first_writes, donors, output_bytes, quick: is_quick(plan) })
    }
}

/// The error with the step's label as its op, unless it knows better.
fn labelled(plan: &Plan, step: usize, error: Error) -> Error {
    match plan.labels.get(step).filter(|label| !label.is_empty()) {
        Some(label) => error.in_op(label),
        None => error,
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("unknown cause")
}

impl Executable for CpuExecutable {
    fn run(&self, externals: Vec<BufferRef>, data: &[Datum]) -> Result<Vec<BufferRef>, RunFailure> {
        self.run_all(externals, data, None)
    }

    fn run_timed(
        &self,
        externals: Vec<BufferRef>,
        data: &[Datum],
        told: &dyn Fn(usize, Instant, Instant),
    ) -> Result<Vec<BufferRef>, RunFailure> {
        self.run_all(externals, data, Some(told))
    }
}

/// Is told when each step began and ended.
type Told<'a> = Option<&'a dyn Fn(usize, Instant, Instant)>;

/// Tells of steps that ran from `start` until now: of several ones as if one had followed another, with shares of the
/// time as in `times`.
fn tell(told: &dyn Fn(usize, Instant, Instant), steps: Range<usize>, start: Instant, times: &[AtomicU64]) {
    let times: Vec<u64> = times.iter().map(|t| t.load(Ordering::Relaxed).max(1)).collect();
    let (all, whole) = (times.iter().sum::<u64>() as f64, start.elapsed());
    let mut before = 0;
    for (step, time) in steps.zip(times) {
        let at = |ns: u64| start + whole.mul_f64(ns as f64 / all);
        told(step, at(before), at(before + time));
        before += time;
    }
}

impl CpuExecutable {
    fn run_all(&self, externals: Vec<BufferRef>, data: &[Datum], told: Told<'_>) -> Result<Vec<BufferRef>, RunFailure> {
        let mut consumed = vec![false; externals.len()];
        self.execute(&externals, data, &mut consumed, told).map_err(|error| {
            let survivors = externals.into_iter().zip(consumed).map(|(buffer, lost)| (!lost).then_some(buffer));
            RunFailure { error, survivors: survivors.collect() }
        })
    }

    /// Runs all steps; sets `consumed` for each external that one of them begins to overwrite.
    fn execute(
        &self,
        externals: &[BufferRef],
        data: &[Datum],
        consumed: &mut [bool],
        told: Told<'_>,
    ) -> Result<Vec<BufferRef>> {
        let mut run = Running::start(self, externals)?;
        let threads: &dyn Threads = if self.quick { &Alone } else { pool() };
        for index in 0..self.steps.len() {
            let steps = match &self.steps[index] {
                Compiled::InBand => continue,
                Compiled::Band(band) => index..index + band.steps(),
                _ => index..index + 1,
            };
            // Of a band, what each of its loops took.
            let times: Option<Vec<AtomicU64>> = told.map(|_| steps.clone().map(|_| AtomicU64::new(0)).collect());
            let start = told.map(|_| Instant::now());
            let result = steps.clone().try_for_each(|step| run.prepare(step)).and_then(|()| {
                for external in self.first_writes[steps.clone()].iter().flatten().filter_map(|&o| run.donors[o]) {
                    consumed[external] = true;
                }
                catch_unwind(AssertUnwindSafe(|| run.step(index, data, threads, times.as_deref())))
                    .unwrap_or_else(|panic| Err(Error::internal(format!("a kernel panicked: {}", panic_text(&*panic)))))
            });
            result.map_err(|error| labelled(&self.plan, index, error))?;
            if let (Some(told), Some(start), Some(times)) = (told, start, times) {
                tell(told, steps, start, &times);
            }
        }
        run.finish()
    }
}

/// The memory of one run.
struct Running<'a> {
    executable: &'a CpuExecutable,
    externals: &'a [BufferRef],
    /// Keeps the memory of arena slots.
    _arena: Buffer,
    /// Base of each slot; null for an output that no step has written yet.
    slots: Vec<*mut u8>,
    outputs: Vec<Option<BufferRef>>,
    /// For each output, the external whose buffer it takes over in this run.
    donors: Vec<Option<usize>>,
}

impl<'a> Running<'a> {
    fn start(executable: &'a CpuExecutable, externals: &'a [BufferRef]) -> Result<Running<'a>> {
        let plan = &*executable.plan;
        if externals.len() != plan.externals {
            let (given, wanted) = (externals.len(), plan.externals);
            return Err(Error::internal(format!("a plan of {wanted} externals was given {given}")));
        }
        let arena = Buffer::new(plan.arena_bytes)?;
        let mut slots = Vec::with_capacity(plan.slots.len());
        for slot in &plan.slots {
            let bytes = slot.elements * slot.dtype.size();
            slots.push(match slot.home {
                Home::External(i) => {
                    let buffer = cpu_buffer(&externals[i])?;
                    if buffer.bytes() < bytes {
                        let held = buffer.bytes();
                        return Err(Error::internal(format!("external {i} has {held} bytes where {bytes} are read")));
                    }
                    buffer.as_mut_ptr()
                }
                Home::Arena(start) if start + bytes <= plan.arena_bytes => arena.as_mut_ptr().wrapping_add(start),
                Home::Arena(_) => return Err(Error::internal("an arena slot reaches outside the arena")),
                Home::Output(_) => std::ptr::null_mut(),
            });
        }
        let mut donors = vec![None; plan.outputs];
        for (output, donor) in executable.donors.iter().enumerate() {
            // Equal sizes, so that a buffer's length always tells what it holds.
            donors[output] = donor.filter(|&e| {
                Arc::strong_count(&externals[e]) == 1 && externals[e].bytes() == executable.output_bytes[output]
            });
        }
        let outputs = vec![None; plan.outputs];
        Ok(Running { executable, externals, _arena: arena, slots, outputs, donors })
    }

    /// Makes the outputs that step `index` is the first to write.
    fn prepare(&mut self, index: usize) -> Result<()> {
        for &output in &self.executable.first_writes[index] {
            self.provide(output)?;
        }
        Ok(())
    }

    fn provide(&mut self, output: usize) -> Result<()> {
        let buffer: BufferRef = match self.donors[output] {
            Some(external) => self.externals[external].clone(),
            None => Arc::new(Buffer::new(self.executable.output_bytes[output])?),
        };
        let base = cpu_buffer(&buffer)?.as_mut_ptr();
        for (pointer, slot) in self.slots.iter_mut().zip(&self.executable.plan.slots) {
            if slot.home == Home::Output(output) {
                *pointer = base;
            }
        }
        self.outputs[output] = Some(buffer);
        Ok(())
    }

    /// Runs step `index`, or the band that begins there; adds what each of its loops took to `times`.
    fn step(&self, index: usize, data: &[Datum], threads: &dyn Threads, times: Option<&[AtomicU64]>) -> Result<()> {
        injected_failure()?;
        let slots = &self.slots;
        match (&self.executable.plan.steps[index], &self.executable.steps[index]) {
            (Step::Loop(_), Compiled::Loop(compiled)) => {
                // SAFETY: every slot used is live for its elements and aligned; externals are not written by anyone
                // meanwhile, outputs and arena belong to this run, and `may_take_over` allows sharing only in place.
                unsafe { compiled.run(slots, data, threads) };
                Ok(())
            }
            (Step::Contract { a, b, out, .. }, Compiled::Contract(compiled)) => {
                // SAFETY: as above; `check_views` found the views inside their slots and the result apart from them.
                unsafe { compiled.run(slots[a.slot], slots[b.slot], slots[*out], threads) }
            }
            (Step::Loop(_), Compiled::Band(band)) => {
                (1..band.steps()).try_for_each(|_| injected_failure())?;
                // SAFETY: as above for each loop; slots of one band share no memory, donated externals excepted, which
                // no other loop of the band reads.
                unsafe { band.run(slots, data, threads, times) };
                Ok(())
            }
            (Step::Kernel(kernel), _) => self.kernel(kernel, threads),
            _ => Err(Error::internal("a step compiled as another kind")),
        }
    }

    fn kernel(&self, kernel: &KernelStep, threads: &dyn Threads) -> Result<()> {
        let plan = &*self.executable.plan;
        let slot_bytes = |slot: SlotId| plan.slots[slot].elements * plan.slots[slot].dtype.size();
        let inputs: Vec<CpuInput<'_>> = kernel
            .inputs
            .iter()
            .map(|view| CpuInput {
                dtype: plan.slots[view.slot].dtype,
                layout: view.layout,
                // SAFETY: the slot is live for its bytes, and this step writes no slot that it reads (`check_views`).
                bytes: unsafe { std::slice::from_raw_parts(self.slots[view.slot], slot_bytes(view.slot)) },
            })
            .collect();
        let mut outputs: Vec<Option<CpuOutput<'_>>> = Vec::with_capacity(kernel.outputs.len());
        for ((slot, ty), &layout) in kernel.outputs.iter().zip(&kernel.output_types).zip(&kernel.output_layouts) {
            outputs.push(slot.map(|slot| CpuOutput {
                dtype: ty.dtype,
                layout,
                // SAFETY: the slot is live for its elements, belongs to this run, and shares memory with no other
                // slot of the step (`check_views`).
                bytes: unsafe { std::slice::from_raw_parts_mut(self.slots[slot], ty.bytes()) },
            }));
        }
        kernel.op.cpu(&mut CpuArgs { inputs: &inputs, outputs: &mut outputs, threads })
    }

    fn finish(mut self) -> Result<Vec<BufferRef>> {
        for output in 0..self.outputs.len() {
            if self.outputs[output].is_none() {
                self.provide(output)?;
            }
        }
        Ok(self.outputs.into_iter().flatten().collect())
    }
}

#[cfg(test)]
mod tests;
