//! Running a compiled plan: one compute pass for all kernels between host steps.

use crate::buffers::{Buffer, Purpose, TensorBuffer, tensor};
use crate::compile::{Compiled, Donation, Place, Unit, device_bytes};
use crate::context::{Gpu, lock};
use crate::host::{HostStep, HostValue};
use crate::numbers::{NUMBER, Numbers};
use crate::pipelines::{Bindings, Pipeline};
use crate::transfer::{self, is_native};
use crate::wgsl::Dispatch;
use fovea_core::device::{BufferRef, Datum, Executable, RunFailure, Runtime};
use fovea_core::plan::SlotId;
use fovea_core::shape::Layout;
use fovea_core::{Error, Result, Shape};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// A kernel with its pipeline and the place of its numbers.
struct Prepared {
    dispatch: Dispatch,
    pipeline: Pipeline,
    /// Byte offset of its numbers in the run's uniform buffer.
    numbers: u64,
}

enum Ready {
    Kernels { plain: Vec<Prepared>, in_place: Option<Vec<Prepared>> },
    Host(HostStep),
}

pub(crate) struct GpuPlan {
    gpu: Arc<Gpu>,
    fallback: Option<Arc<dyn Runtime>>,
    compiled: Compiled,
    ready: Vec<Ready>,
    numbers: Numbers,
}

/// What a slot holds during a run.
#[derive(Clone)]
enum Cell {
    Empty,
    Device(Arc<Buffer>),
    Host(BufferRef),
}

/// Commands being recorded. The pass comes first: it must end before the encoder.
struct Recording {
    pass: wgpu::ComputePass<'static>,
    encoder: wgpu::CommandEncoder,
}

/// The state of one run.
struct Run<'a> {
    plan: &'a GpuPlan,
    cells: Vec<Cell>,
    numbers: Option<Buffer>,
    recording: Option<Recording>,
    data: &'a [Datum],
    /// Externals overwritten by kernels that are recorded, and by kernels that were submitted.
    recorded: Vec<usize>,
    consumed: Vec<usize>,
}

impl GpuPlan {
    pub fn new(gpu: &Arc<Gpu>, fallback: Option<Arc<dyn Runtime>>, mut compiled: Compiled) -> Result<GpuPlan> {
        let mut numbers = Numbers::new(gpu.limits.min_uniform_buffer_offset_alignment);
        let mut prepare = |dispatch: Dispatch| -> Result<Prepared> {
            let bindings = Bindings { storage: dispatch.slots.len() as u32, uniform: !dispatch.numbers.is_empty() };
            let pipeline = gpu.pipelines.get(gpu, &dispatch.source, bindings)?;
            let numbers = numbers.place(&dispatch.numbers);
            Ok(Prepared { dispatch, pipeline, numbers })
        };
        let mut ready = Vec::new();
        for unit in std::mem::take(&mut compiled.units) {
            ready.push(match unit {
                Unit::Host(step) => Ready::Host(step),
                Unit::Kernels { plain, in_place } => Ready::Kernels {
                    plain: plain.into_iter().map(&mut prepare).collect::<Result<_>>()?,
                    in_place: in_place
                        .map(|kernels| kernels.into_iter().map(&mut prepare).collect::<Result<_>>())
                        .transpose()?,
                },
            });
        }
        Ok(GpuPlan { gpu: gpu.clone(), fallback, compiled, ready, numbers })
    }

    /// Which donations this run takes. Those of one step are taken together or not at all.
    fn donations(&self, externals: &[BufferRef]) -> Vec<Donation> {
        let sole = |external: usize| Arc::strong_count(&externals[external]) == 1;
        let all = &self.compiled.donations;
        all.iter().filter(|d| all.iter().filter(|o| o.unit == d.unit).all(|o| sole(o.external))).copied().collect()
    }

    fn cells(&self, externals: &[BufferRef], donations: &[Donation]) -> Result<Vec<Cell>> {
        let registers: Vec<Arc<Buffer>> = self
            .compiled
            .registers
            .iter()
            .map(|&bytes| Buffer::take(&self.gpu, Purpose::Storage, bytes).map(Arc::new))
            .collect::<Result<_>>()?;
        let given = |external: usize, bytes: u64| -> Result<Cell> {
            match tensor(&externals[external])? {
                TensorBuffer::Device(buffer) if buffer.size() >= bytes => Ok(Cell::Device(buffer.clone())),
                TensorBuffer::Device(buffer) => Err(Error::internal(format!(
                    "external {external} holds {} bytes, the plan needs {bytes}",
                    buffer.size()
                ))),
                TensorBuffer::Host(buffer) => Ok(Cell::Host(buffer.clone())),
            }
        };
        let place = |(slot, place): &(fovea_core::plan::Slot, Place)| match *place {
            Place::External(i) => given(i, device_bytes(slot)),
            Place::Output(o) => match donations.iter().find(|d| d.output == o) {
                Some(donation) => given(donation.external, device_bytes(slot)),
                None if is_native(slot.dtype) => {
                    Ok(Cell::Device(Arc::new(Buffer::take(&self.gpu, Purpose::Storage, device_bytes(slot))?)))
                }
                None => Ok(Cell::Empty),
            },
            Place::Register(r) => Ok(Cell::Device(registers[r].clone())),
            Place::Host => Ok(Cell::Empty),
        };
        self.compiled.slots.iter().map(place).collect()
    }

    fn start<'a>(&'a self, externals: &[BufferRef], donations: &[Donation], data: &'a [Datum]) -> Result<Run<'a>> {
        if externals.len() != self.compiled.plan.externals {
            return Err(Error::internal(format!(
                "the plan takes {} externals, got {}",
                self.compiled.plan.externals,
                externals.len()
            )));
        }
        let cells = self.cells(externals, donations)?;
        let bytes = self.numbers.encode(data)?;
        let numbers = if bytes.is_empty() {
            None
        } else {
            let buffer = Buffer::take(&self.gpu, Purpose::Uniform, bytes.len() as u64)?;
            transfer::write(&self.gpu, &buffer, &bytes)?;
            Some(buffer)
        };
        Ok(Run { plan: self, cells, numbers, recording: None, data, recorded: Vec::new(), consumed: Vec::new() })
    }
}

impl Run<'_> {
    fn gpu(&self) -> &Arc<Gpu> {
        &self.plan.gpu
    }

    fn all(&mut self, donations: &[Donation]) -> Result<()> {
        for (index, ready) in self.plan.ready.iter().enumerate() {
            let done = match ready {
                Ready::Kernels { plain, in_place } => {
                    let mut donated = donations.iter().filter(|d| d.unit == index).map(|d| d.external).peekable();
                    let kernels = in_place.as_ref().filter(|_| donated.peek().is_some()).unwrap_or(plain);
                    self.recorded.extend(donated);
                    self.record(kernels)
                }
                Ready::Host(step) => self.host(index, step),
            };
            let label = self.plan.compiled.plan.labels.get(index).filter(|l| !l.is_empty());
            done.map_err(|e| match label {
                Some(label) => e.in_op(label),
                None => e,
            })?;
        }
        self.flush()
    }

    fn record(&mut self, kernels: &[Prepared]) -> Result<()> {
        if kernels.is_empty() {
            return Ok(());
        }
        let gpu = self.plan.gpu.clone();
        let Run { plan, cells, numbers, recording, .. } = self;
        gpu.guarded("recording a kernel", || {
            let recording = recording.get_or_insert_with(|| {
                let mut encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
                let pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default()).forget_lifetime();
                Recording { pass, encoder }
            });
            for kernel in kernels {
                let group = plan.bind(kernel, cells, numbers.as_ref());
                recording.pass.set_pipeline(&kernel.pipeline.pipeline);
                recording.pass.set_bind_group(0, &group, &[]);
                let [x, y, z] = kernel.dispatch.workgroups;
                recording.pass.dispatch_workgroups(x, y, z);
            }
        })?;
        gpu.tally.dispatches.fetch_add(kernels.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    /// Submits what is recorded.
    fn flush(&mut self) -> Result<()> {
        let Some(Recording { pass, encoder }) = self.recording.take() else { return self.gpu().alive() };
        let gpu = self.plan.gpu.clone();
        let commands = gpu.guarded("ending a pass", || {
            drop(pass);
            encoder.finish()
        })?;
        self.consumed.append(&mut self.recorded);
        gpu.submit(Some(commands))?;
        Ok(())
    }

    fn host(&mut self, index: usize, step: &HostStep) -> Result<()> {
        self.flush()?;
        let plan = &self.plan.compiled.plan;
        let label = plan.labels.get(index).cloned().unwrap_or_default();
        *lock(&self.gpu().tally.fallbacks).entry(label).or_default() += 1;
        let whole = |slot: SlotId| Layout::contiguous(Shape::from([plan.slots[slot].elements]));
        let mut values = Vec::new();
        for &slot in &step.reads {
            values.push(match &self.cells[slot] {
                Cell::Device(buffer) => {
                    let dtype = plan.slots[slot].dtype;
                    let mut bytes = vec![0u8; plan.slots[slot].elements * dtype.size()];
                    transfer::read(self.gpu(), buffer, dtype, &whole(slot), &mut bytes)?;
                    HostValue::Bytes(bytes)
                }
                Cell::Host(buffer) => HostValue::Held(buffer.clone()),
                Cell::Empty => return Err(Error::internal(format!("slot {slot} is read before it is written"))),
            });
        }
        let fallback = self.plan.fallback.as_ref();
        let results = step.run(plan, values, self.data, fallback)?;
        for (&slot, value) in step.writes.iter().zip(results) {
            let dtype = plan.slots[slot].dtype;
            let bytes = match (value, fallback) {
                (HostValue::Held(buffer), _) if !is_native(dtype) => {
                    self.cells[slot] = Cell::Host(buffer);
                    continue;
                }
                (HostValue::Held(buffer), Some(runtime)) => {
                    let mut bytes = vec![0u8; plan.slots[slot].elements * dtype.size()];
                    runtime.read(&buffer, dtype, &whole(slot), &mut bytes)?;
                    bytes
                }
                (HostValue::Held(_), None) => return Err(Error::internal("a host buffer without its runtime")),
                (HostValue::Bytes(bytes), _) => bytes,
            };
            let Cell::Device(buffer) = &self.cells[slot] else {
                return Err(Error::internal(format!("slot {slot} has no device memory")));
            };
            transfer::write(self.gpu(), buffer, &transfer::to_words(&bytes, dtype)?)?;
        }
        Ok(())
    }

    fn outputs(&self) -> Result<Vec<BufferRef>> {
        let compiled = &self.plan.compiled;
        (0..compiled.plan.outputs)
            .map(|o| {
                let slot = compiled.slots.iter().position(|s| s.1 == Place::Output(o));
                let tensor = match slot.map(|s| &self.cells[s]) {
                    Some(Cell::Device(buffer)) => TensorBuffer::Device(buffer.clone()),
                    Some(Cell::Host(buffer)) => TensorBuffer::Host(buffer.clone()),
                    Some(Cell::Empty) | None => {
                        return Err(Error::internal(format!("no step of the plan writes output {o}")));
                    }
                };
                Ok(Arc::new(tensor) as BufferRef)
            })
            .collect()
    }
}

impl GpuPlan {
    /// A kernel's bind group: its slots, then its numbers.
    fn bind(&self, kernel: &Prepared, cells: &[Cell], numbers: Option<&Buffer>) -> wgpu::BindGroup {
        let mut entries = Vec::with_capacity(kernel.dispatch.slots.len() + 1);
        for (binding, &slot) in kernel.dispatch.slots.iter().enumerate() {
            if let Cell::Device(buffer) = &cells[slot] {
                entries.push(entry(binding, buffer.raw(), 0, device_bytes(&self.compiled.slots[slot].0)));
            }
        }
        if let (Some(buffer), false) = (numbers, kernel.dispatch.numbers.is_empty()) {
            let bytes = kernel.dispatch.numbers.len() as u64 * NUMBER;
            entries.push(entry(kernel.dispatch.slots.len(), buffer.raw(), kernel.numbers, bytes));
        }
        self.gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &kernel.pipeline.layout,
            entries: &entries,
        })
    }
}

fn entry(binding: usize, buffer: &wgpu::Buffer, offset: u64, bytes: u64) -> wgpu::BindGroupEntry<'_> {
    wgpu::BindGroupEntry {
        binding: binding as u32,
        resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
            buffer,
            offset,
            size: std::num::NonZeroU64::new(bytes),
        }),
    }
}

impl Executable for GpuPlan {
    fn run(&self, externals: Vec<BufferRef>, data: &[Datum]) -> Result<Vec<BufferRef>, RunFailure> {
        let mut consumed = Vec::new();
        let result = self.attempt(&externals, data, &mut consumed);
        result.map_err(|error| RunFailure {
            error,
            survivors: externals.into_iter().enumerate().map(|(i, b)| (!consumed.contains(&i)).then_some(b)).collect(),
        })
    }
}

impl GpuPlan {
    fn attempt(&self, externals: &[BufferRef], data: &[Datum], consumed: &mut Vec<usize>) -> Result<Vec<BufferRef>> {
        self.gpu.alive()?;
        let donations = self.donations(externals);
        let mut run = self.start(externals, &donations, data)?;
        let done = run.all(&donations).and_then(|()| run.outputs());
        *consumed = std::mem::take(&mut run.consumed);
        done
    }
}
