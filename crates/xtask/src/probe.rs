//! What an op can do, found by recording and planning its samples without computing any.

use fovea_core::device::{BufferRef, Device, DeviceBuffer, Executable, Runtime};
use fovea_core::graph::{Cell, Graph, Progress, Request, Val};
use fovea_core::op::OpDef;
use fovea_core::plan::{Plan, Step};
use fovea_core::sample::DynSample;
use fovea_core::{DType, Error, Layout, Result, TensorType};
use std::any::Any;
use std::sync::{Arc, Mutex, PoisonError};

/// Where an op's kernels run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gpu {
    Native,
    /// The op itself is native, its gradient copies to the CPU.
    NativeForward,
    Fallback,
}

/// What was found.
#[derive(Debug)]
pub struct Support {
    /// The highest derivative that is recorded, up to the second.
    pub gradient: usize,
    pub dtypes: Vec<DType>,
    pub gpu: Gpu,
}

/// A device that takes plans and computes nothing.
#[derive(Default)]
struct Planner {
    plans: Mutex<Vec<Arc<Plan>>>,
}

struct NoBytes;

impl DeviceBuffer for NoBytes {
    fn bytes(&self) -> usize {
        0
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}

impl Runtime for Planner {
    fn device(&self) -> Device {
        Device::Cpu
    }
    fn compile(&self, plan: &Arc<Plan>) -> Result<Arc<dyn Executable>> {
        self.plans.lock().unwrap_or_else(PoisonError::into_inner).push(plan.clone());
        Err(Error::internal("plans are looked at, not run"))
    }
    fn upload(&self, _: &[u8], _: DType) -> Result<BufferRef> {
        Ok(Arc::new(NoBytes))
    }
    fn read(&self, _: &BufferRef, _: DType, _: &Layout, _: &mut [u8]) -> Result<()> {
        Err(Error::internal("nothing is computed"))
    }
}

impl Planner {
    /// Whether the plans so far hold only what the GPU has kernels for.
    fn native(&self) -> bool {
        let plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        plans.iter().flat_map(|plan| plan.steps.iter().map(move |step| (plan, step))).all(|(plan, step)| match step {
            Step::Kernel(kernel) => kernel.op.gpu(&kernel.input_types, &kernel.output_types).is_some(),
            Step::Loop(_) | Step::Contract { .. } => !plan.slots.is_empty(),
        })
    }
}

pub fn support(def: &OpDef) -> Result<Support> {
    let samples = (def.samples)();
    let mut support = Support { gradient: 0, dtypes: dtypes(&samples), gpu: Gpu::Native };
    for sample in &samples {
        let (gradient, gpu) = probe(sample)?;
        support.gradient = support.gradient.max(gradient);
        support.gpu = match (support.gpu, gpu) {
            (Gpu::Fallback, _) | (_, Gpu::Fallback) => Gpu::Fallback,
            (Gpu::NativeForward, _) | (_, Gpu::NativeForward) => Gpu::NativeForward,
            _ => Gpu::Native,
        };
    }
    Ok(support)
}

/// The dtypes that may stand where the first sample has the float type under test.
fn dtypes(samples: &[DynSample]) -> Vec<DType> {
    let Some(sample) = samples.iter().find(|s| s.inputs.iter().any(|i| i.dtype.is_none())) else {
        return Vec::new();
    };
    let types = |dtype: DType| -> Vec<TensorType> {
        sample.inputs.iter().map(|i| TensorType { dtype: i.dtype.unwrap_or(dtype), shape: i.shape }).collect()
    };
    DType::ALL.into_iter().filter(|&dtype| sample.op.infer(&types(dtype)).is_ok()).collect()
}

fn probe(sample: &DynSample) -> Result<(usize, Gpu)> {
    let planner = Arc::new(Planner::default());
    let mut graph = Graph::new(planner.clone());
    let mut inputs = Vec::with_capacity(sample.inputs.len());
    for input in &sample.inputs {
        let dtype = input.dtype.unwrap_or(DType::F32);
        inputs.push(leaf(&mut graph, TensorType { dtype, shape: input.shape })?);
    }
    let outputs = graph.record(&sample.op, &inputs)?;
    // Held, so that planning doesn't free them.
    outputs.iter().for_each(|&v| graph.retain(v));
    plan(&mut graph, &outputs)?;
    if !planner.native() {
        return Ok((order(&mut graph, sample, &outputs, &inputs)?, Gpu::Fallback));
    }
    let order = order(&mut graph, sample, &outputs, &inputs)?;
    Ok((order, if planner.native() { Gpu::Native } else { Gpu::NativeForward }))
}

/// How many times the sample can be differentiated; gradients are planned too.
fn order(graph: &mut Graph, sample: &DynSample, outputs: &[Val], inputs: &[Val]) -> Result<usize> {
    if !sample.differentiable {
        return Ok(0);
    }
    let first = gradients(graph, outputs, inputs)?;
    if first.is_empty() {
        return Ok(0);
    }
    plan(graph, &first)?;
    // Of a linear op the second derivative is zero, and nothing is recorded for it.
    Ok(if gradients(graph, &first, inputs).is_ok() { 2 } else { 1 })
}

fn leaf(graph: &mut Graph, ty: TensorType) -> Result<Val> {
    let buffer: BufferRef = Arc::new(NoBytes);
    let cell = Cell::ready(buffer, 0, graph.account());
    let leaf = graph.leaf(ty, cell, Device::Cpu, ty.dtype.is_float())?;
    graph.retain(leaf);
    Ok(leaf)
}

/// Plans `values`, which the planner then holds.
fn plan(graph: &mut Graph, values: &[Val]) -> Result<()> {
    for job in graph.evaluate(values)? {
        // Fails on purpose once the plan has been seen.
        let _ = job.run();
    }
    Ok(())
}

fn gradients(graph: &mut Graph, outputs: &[Val], inputs: &[Val]) -> Result<Vec<Val>> {
    let roots: Vec<Val> = outputs.iter().copied().filter(|&v| graph.requires_grad(v)).collect();
    if roots.is_empty() {
        return Ok(Vec::new());
    }
    let mut cotangents = Vec::with_capacity(roots.len());
    for &root in &roots {
        let ty = graph.ty(root);
        cotangents.push(Some(leaf(graph, ty)?));
    }
    let inputs = inputs.iter().copied().filter(|&v| graph.requires_grad(v)).collect();
    match graph.differentiate(&roots, &cotangents, Request::Inputs(inputs), true)? {
        Progress::Done(grads) => Ok(grads.into_iter().flatten().collect()),
        Progress::Custom { .. } => Err(Error::internal("no custom function was recorded")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ops_can_do() {
        let ops = fovea_ops::all();
        let found = |name: &str| support(ops.iter().find(|op| op.name == name).unwrap()).unwrap();
        let sigmoid = found("sigmoid");
        assert_eq!((sigmoid.gradient, sigmoid.gpu, sigmoid.dtypes.len()), (2, Gpu::Native, DType::ALL.len()));
        assert_eq!(found("lt").gradient, 0);
        assert_eq!(found("argmax").gradient, 0);
    }
}
