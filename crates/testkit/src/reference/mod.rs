//! A naive runtime: it interprets plans element by element, checks each plan against its contract first, and shares no
//! code with the real runtimes. Slow, and small enough to be believed.

mod buffer;
mod scalar;
mod steps;
mod verified;
mod verify;

pub use scalar::philox;
pub use steps::walk;
pub use verified::Verified;
pub use verify::verify;

use buffer::Bytes;
use fovea_core::device::{BufferRef, Datum, Device, Executable, RunFailure, Runtime};
use fovea_core::plan::{Home, Plan};
use fovea_core::{DType, Error, Layout, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicIsize, AtomicUsize, Ordering};

/// The naive runtime, with switches for tests.
#[derive(Debug)]
pub struct Reference {
    device: Device,
    /// Rounds a multiplication and the addition that reads it together: a planted bug (S13).
    contract: bool,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// Steps until an injected failure; negative for none.
    fuse: AtomicIsize,
    runs: AtomicUsize,
    steps: AtomicUsize,
    donated: AtomicUsize,
}

/// What a [`Reference`] has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work {
    pub runs: usize,
    pub steps: usize,
    /// Outputs that took over an external's buffer.
    pub donated: usize,
}

impl Reference {
    pub fn new() -> Arc<Reference> {
        Reference::on(Device::Cpu)
    }

    /// One that passes for another device.
    pub fn on(device: Device) -> Arc<Reference> {
        Arc::new(Reference { device, contract: false, shared: Shared::new() })
    }

    /// One that contracts multiplications with additions.
    pub fn contracting() -> Arc<Reference> {
        Arc::new(Reference { device: Device::Cpu, contract: true, shared: Shared::new() })
    }

    /// Makes the step after the next `steps` ones fail, once.
    pub fn fail_after(&self, steps: usize) {
        self.shared.fuse.store(steps as isize, Ordering::Relaxed);
    }

    pub fn work(&self) -> Work {
        let read = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
        Work { runs: read(&self.shared.runs), steps: read(&self.shared.steps), donated: read(&self.shared.donated) }
    }
}

impl Shared {
    fn new() -> Arc<Shared> {
        Arc::new(Shared {
            fuse: AtomicIsize::new(-1),
            runs: AtomicUsize::new(0),
            steps: AtomicUsize::new(0),
            donated: AtomicUsize::new(0),
        })
    }

    fn burn(&self) -> Result<()> {
        match self.fuse.load(Ordering::Relaxed) {
            left if left < 0 => Ok(()),
            left => {
                self.fuse.store(left - 1, Ordering::Relaxed);
                if left == 0 { Err(Error::internal("injected failure")) } else { Ok(()) }
            }
        }
    }
}

impl Runtime for Reference {
    fn device(&self) -> Device {
        self.device
    }

    fn compile(&self, plan: &Arc<Plan>) -> Result<Arc<dyn Executable>> {
        verify(plan)?;
        Ok(Arc::new(Interpreter { plan: plan.clone(), contract: self.contract, shared: self.shared.clone() }))
    }

    fn upload(&self, bytes: &[u8], _: DType) -> Result<BufferRef> {
        Ok(Bytes::copy_of(bytes))
    }

    fn read(&self, buffer: &BufferRef, dtype: DType, layout: &Layout, target: &mut [u8]) -> Result<()> {
        let source = buffer::of(buffer)?;
        let size = dtype.size();
        source.with(|bytes| {
            for (at, out) in steps::walk(layout).zip(target.chunks_exact_mut(size)) {
                out.copy_from_slice(&bytes[at * size..(at + 1) * size]);
            }
        });
        Ok(())
    }
}

/// A plan to be interpreted.
struct Interpreter {
    plan: Arc<Plan>,
    contract: bool,
    shared: Arc<Shared>,
}

impl Executable for Interpreter {
    fn run(&self, externals: Vec<BufferRef>, data: &[Datum]) -> Result<Vec<BufferRef>, RunFailure> {
        self.shared.runs.fetch_add(1, Ordering::Relaxed);
        let plan = &*self.plan;
        let mut survivors: Vec<Option<BufferRef>> = externals.iter().cloned().map(Some).collect();
        let mut outputs: Vec<Option<BufferRef>> = vec![None; plan.outputs];
        let result = self.steps(&externals, data, &mut survivors, &mut outputs);
        match result {
            Ok(()) => Ok(outputs.into_iter().flatten().collect()),
            Err(error) => Err(RunFailure { error, survivors }),
        }
    }
}

impl Interpreter {
    fn steps(
        &self,
        externals: &[BufferRef],
        data: &[Datum],
        survivors: &mut [Option<BufferRef>],
        outputs: &mut [Option<BufferRef>],
    ) -> Result<()> {
        let plan = &*self.plan;
        if externals.len() != plan.externals {
            return Err(Error::internal("a plan was given another number of externals"));
        }
        let arena: BufferRef = Bytes::poisoned(plan.arena_bytes);
        // One handle is the caller's own and one is in `survivors`.
        let alone: Vec<bool> = externals.iter().map(|e| Arc::strong_count(e) == 2).collect();
        for (index, step) in plan.steps.iter().enumerate() {
            for slot in verify::written(step) {
                let Home::Output(output) = plan.slots[slot].home else { continue };
                if outputs[output].is_some() {
                    continue;
                }
                let bytes = plan.slots[slot].elements * plan.slots[slot].dtype.size();
                let donor = plan.donations.iter().find(|d| d.0 == output).map(|d| d.1);
                outputs[output] = Some(match donor {
                    Some(e) if alone[e] && externals[e].bytes() == bytes => {
                        self.shared.donated.fetch_add(1, Ordering::Relaxed);
                        survivors[e] = None;
                        externals[e].clone()
                    }
                    _ => Bytes::poisoned(bytes),
                });
            }
            self.shared.steps.fetch_add(1, Ordering::Relaxed);
            let place = |slot: usize| -> Result<(&Bytes, usize)> {
                Ok(match plan.slots[slot].home {
                    Home::External(e) => (buffer::of(&externals[e])?, 0),
                    Home::Arena(start) => (buffer::of(&arena)?, start),
                    Home::Output(o) => match &outputs[o] {
                        Some(buffer) => (buffer::of(buffer)?, 0),
                        None => return Err(Error::internal("an output is read before it is written")),
                    },
                })
            };
            let memory = steps::Memory { plan, place: &place, data, contract: self.contract };
            self.shared.burn().and_then(|()| memory.run(step)).map_err(|e| {
                let fields = e.fields();
                Error::new(fields.kind, format!("{}: {}", plan.labels[index], fields.message))
            })?;
        }
        for slot in &plan.slots {
            if let Home::Output(output) = slot.home
                && outputs[output].is_none()
            {
                outputs[output] = Some(Bytes::poisoned(slot.elements * slot.dtype.size()));
            }
        }
        Ok(())
    }
}
