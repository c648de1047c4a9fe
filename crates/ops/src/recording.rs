//! A graph that records and never computes, for tests of shapes, dtypes and rules.

use fovea_core::attributes::AttrReader;
use fovea_core::device::{BufferRef, Device, Executable, Runtime};
use fovea_core::graph::{Cell, Graph, Progress, Request, Val};
use fovea_core::op::{DynOp, OpDef};
use fovea_core::plan::Plan;
use fovea_core::sample::DynSample;
use fovea_core::{DType, Error, Layout, Op, Result, Shape, TensorType};
use std::sync::Arc;

struct NoRuntime;

impl Runtime for NoRuntime {
    fn device(&self) -> Device {
        Device::Cpu
    }
    fn compile(&self, _: &Arc<Plan>) -> Result<Arc<dyn Executable>> {
        Err(Error::internal("nothing is computed here"))
    }
    fn upload(&self, _: &[u8], _: DType) -> Result<BufferRef> {
        Err(Error::internal("nothing is computed here"))
    }
    fn read(&self, _: &BufferRef, _: DType, _: &Layout, _: &mut [u8]) -> Result<()> {
        Err(Error::internal("nothing is computed here"))
    }
}

pub fn graph() -> Graph {
    Graph::new(Arc::new(NoRuntime))
}

/// A leaf without a value that requires a gradient where it can.
pub fn leaf(graph: &mut Graph, dtype: DType, shape: impl Into<Shape>) -> Val {
    let cell = Cell::new(0, graph.account());
    let leaf = graph.leaf(TensorType::new(dtype, shape), cell, Device::Cpu, dtype.is_float()).unwrap();
    graph.retain(leaf);
    leaf
}

/// Records `op` on leaves of these types and returns the type of its first output.
pub fn typed(op: impl Op, inputs: &[(DType, &[usize])]) -> Result<TensorType> {
    typed_dyn(Arc::new(op), inputs)
}

pub fn typed_dyn(op: Arc<dyn DynOp>, inputs: &[(DType, &[usize])]) -> Result<TensorType> {
    let mut graph = graph();
    let leaves: Vec<Val> = inputs.iter().map(|&(dtype, shape)| leaf(&mut graph, dtype, shape)).collect();
    let outputs = graph.record(&op, &leaves)?;
    Ok(graph.ty(outputs[0]))
}

/// Gradients of the float values among `outputs`, with ones for cotangents, towards the floats among `inputs`.
fn gradients(graph: &mut Graph, outputs: &[Val], inputs: &[Val]) -> Result<Vec<Val>> {
    let roots: Vec<Val> = outputs.iter().copied().filter(|&v| graph.requires_grad(v)).collect();
    if roots.is_empty() {
        return Ok(Vec::new());
    }
    let mut cotangents = Vec::with_capacity(roots.len());
    for &root in &roots {
        let ty = graph.ty(root);
        cotangents.push(Some(leaf(graph, ty.dtype, ty.shape)));
    }
    let inputs = inputs.iter().copied().filter(|&v| graph.ty(v).dtype.is_float()).collect();
    match graph.differentiate(&roots, &cotangents, Request::Inputs(inputs), true)? {
        Progress::Done(grads) => Ok(grads.into_iter().flatten().collect()),
        Progress::Custom { .. } => Err(Error::internal("no custom function was recorded")),
    }
}

fn check_sample(sample: &DynSample, float: DType) -> Result<()> {
    let mut graph = graph();
    let mut inputs = Vec::new();
    for input in &sample.inputs {
        inputs.push(leaf(&mut graph, input.dtype.unwrap_or(float), input.shape));
    }
    let types: Vec<TensorType> = inputs.iter().map(|&v| graph.ty(v)).collect();
    let inferred = sample.op.infer(&types)?;
    let outputs = graph.record(&sample.op, &inputs)?;
    for (output, want) in outputs.iter().zip(&inferred) {
        assert_eq!(graph.ty(*output), *want, "what is recorded has the type that was inferred");
    }
    if sample.differentiable {
        let first = gradients(&mut graph, &outputs, &inputs)?;
        let floats = |list: &[Val], graph: &Graph| list.iter().any(|&v| graph.ty(v).dtype.is_float());
        assert!(!first.is_empty() || !floats(&outputs, &graph) || !floats(&inputs, &graph), "nothing has a gradient");
        gradients(&mut graph, &first, &inputs)?;
    }
    Ok(())
}

/// Whether the sample's attributes are read as its op, for some choice of the inputs that are given.
fn reads_back(def: &OpDef, sample: &DynSample) -> bool {
    (0..1u32 << def.inputs.len())
        .filter(|mask| mask.count_ones() as usize == sample.inputs.len() || def.inputs.iter().any(|i| i.variadic))
        .any(|given| {
            let mut reader = AttrReader::new(&sample.attributes, given);
            (def.parse)(&mut reader).is_ok_and(|op| op.same(&*sample.op)) && reader.finish().is_ok()
        })
}

/// Every sample of `ops` records, and so do its gradient and second derivative; each attribute list reads back.
pub fn check(ops: Vec<OpDef>) {
    for def in ops {
        let samples = (def.samples)();
        assert!(samples.len() >= 6, "{} has {} samples", def.name, samples.len());
        for sample in samples {
            assert!(reads_back(&def, &sample), "{}: {}", def.name, sample.name);
            for float in [DType::F32, DType::F64] {
                check_sample(&sample, float).unwrap_or_else(|e| panic!("{}, {}: {e}", def.name, sample.name));
            }
        }
    }
}
