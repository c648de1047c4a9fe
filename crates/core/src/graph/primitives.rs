//! The few ops that autodiff itself needs: scalar programs, sums to a shape, expansion, filling.

use super::{Backward, Val};
use crate::attributes::{AttrReader, AttrSchema, Attributes};
use crate::dtype::DType;
use crate::error::{Error, Result};
use crate::op::{DynOp, InputSchema, Monoid, Op, OutTypes, Saved, TensorType, Work};
use crate::sample::Sample;
use crate::scalar::{Program, build, derivative};
use crate::shape::{Layout, Shape};
use rustc_hash::FxHasher;
use smallvec::{SmallVec, smallvec};
use std::any::Any;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock};

/// An elementwise op given by its program alone; gradients are derived symbolically.
#[derive(Debug)]
pub struct Map {
    name: &'static str,
    program: Arc<Program>,
    /// Shape of the result where there are no inputs to tell it.
    shape: Option<Shape>,
    key: u64,
    derivatives: Vec<OnceLock<Option<Derivative>>>,
}

/// A gradient as a map of the values that it reads.
#[derive(Clone, Debug)]
struct Derivative {
    map: Arc<Map>,
    /// Its inputs: those of the forward map by number, one past them for the cotangent.
    reads: SmallVec<[usize; 4]>,
}

impl Map {
    pub fn new(name: &'static str, program: Program) -> Arc<Map> {
        Map::with_shape(name, Arc::new(program), None)
    }

    /// With `shape` given, inputs broadcast to it.
    pub fn with_shape(name: &'static str, program: Arc<Program>, shape: Option<Shape>) -> Arc<Map> {
        let mut hasher = FxHasher::default();
        program.hash(&mut hasher);
        shape.hash(&mut hasher);
        let derivatives = program.inputs.iter().map(|_| OnceLock::new()).collect();
        Arc::new(Map { name, key: hasher.finish(), program, shape, derivatives })
    }

    pub fn program(&self) -> &Arc<Program> {
        &self.program
    }

    /// The gradient of input `index`, or `None` where it is zero.
    fn derivative(&self, index: usize) -> Option<&Derivative> {
        self.derivatives[index]
            .get_or_init(|| {
                let mut program = derivative(&self.program, index)?;
                let reads: SmallVec<[usize; 4]> = (0..program.inputs.len()).filter(|&i| program.reads(i)).collect();
                program.keep_inputs(&reads);
                Some(Derivative { map: Map::new("gradient", program), reads })
            })
            .as_ref()
    }
}

impl DynOp for Map {
    fn name(&self) -> &'static str {
        self.name
    }
    fn key(&self) -> u64 {
        self.key
    }
    fn same(&self, other: &dyn DynOp) -> bool {
        other.as_any().downcast_ref::<Map>().is_some_and(|o| {
            (Arc::ptr_eq(&o.program, &self.program) || o.program == self.program) && o.shape == self.shape
        })
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn is_view(&self) -> bool {
        false
    }
    fn is_composite(&self) -> bool {
        false
    }
    fn infer(&self, inputs: &[TensorType]) -> Result<OutTypes> {
        let mut shape = self.shape.unwrap_or(Shape::SCALAR);
        for input in inputs {
            shape = shape.broadcast(&input.shape).ok_or_else(|| {
                Error::shape(format!("shapes {shape} and {} can't be broadcast together", input.shape))
            })?;
        }
        debug_assert!(inputs.iter().zip(&self.program.inputs).all(|(t, d)| t.dtype == *d), "{}", self.name);
        Ok(smallvec![TensorType { dtype: self.program.output_dtype(0), shape }])
    }
    fn work(&self, _: &[TensorType]) -> Work {
        Work::Elementwise(self.program.clone())
    }
    fn view(&self, _: &Layout) -> Option<Layout> {
        None
    }
    fn saved(&self) -> Saved {
        let read = (0..self.program.inputs.len()).filter_map(|i| self.derivative(i)).flat_map(|d| &d.reads);
        Saved::inputs(read.filter(|&&k| k < self.program.inputs.len()).fold(0, |mask, &k| mask | 1 << k.min(31)))
    }
    fn vjp(&self, cx: &mut Backward<'_>) -> Result<()> {
        let Some(g) = cx.gradient(0) else { return Ok(()) };
        for i in 0..self.program.inputs.len() {
            if !cx.wants(i) {
                continue;
            }
            if let Some(Derivative { map, reads }) = self.derivative(i) {
                let inputs: SmallVec<[Val; 4]> =
                    reads.iter().map(|&k| if k == self.program.inputs.len() { g } else { cx.input(k) }).collect();
                let grad = cx.apply_dyn(map.clone(), &inputs)?;
                cx.set_reduced(i, grad)?;
            }
        }
        Ok(())
    }
    fn decompose(&self, _: &mut super::Build<'_>, _: &[Val]) -> Result<Option<Vec<Val>>> {
        Ok(None)
    }
    fn cpu(&self, _: &mut crate::device::CpuArgs<'_>) -> Result<()> {
        Err(Error::internal("an elementwise op has no kernel of its own"))
    }
    fn gpu(&self, _: &[TensorType], _: &[TensorType]) -> Option<crate::op::WgslKernel> {
        None
    }
}

/// Addition of two values of one float dtype.
pub fn add_map(dtype: DType) -> Arc<Map> {
    static MAPS: [OnceLock<Arc<Map>>; DType::ALL.len()] = [const { OnceLock::new() }; DType::ALL.len()];
    MAPS[dtype as usize].get_or_init(|| Map::new("add", build(&[dtype, dtype], |x| vec![&x[0] + &x[1]]))).clone()
}

/// A value of `shape` filled with the number that is its only input.
pub fn fill_map(dtype: DType, shape: Shape) -> Arc<Map> {
    let program = Program { inputs: vec![dtype], instrs: vec![], outputs: vec![0] };
    Map::with_shape("fill", Arc::new(program), Some(shape))
}

/// Broadcasts undone: the sum over what `Expand` repeats.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SumTo {
    pub shape: Shape,
}

impl Attributes for SumTo {
    fn schema() -> Vec<AttrSchema> {
        Vec::new()
    }
    fn parse(_: &mut AttrReader<'_>) -> Result<SumTo> {
        Err(Error::internal("sum_to is recorded by autodiff only"))
    }
    fn encode(&self) -> Vec<f64> {
        Vec::new()
    }
}

impl Op for SumTo {
    const NAME: &'static str = "sum_to";
    const DOC: &'static str = "The sum over broadcast dimensions.";
    const INPUTS: &'static [InputSchema] = &[InputSchema::required("x", "The broadcast value.")];

    fn infer(&self, inputs: &[TensorType]) -> Result<OutTypes> {
        Ok(smallvec![TensorType { dtype: inputs[0].dtype, shape: self.shape }])
    }

    fn work(&self, inputs: &[TensorType]) -> Work {
        let from = inputs[0].shape;
        let grown = from.rank() - self.shape.rank();
        let axes = (0..from.rank()).filter(|&i| i < grown || (self.shape[i - grown] == 1 && from[i] != 1)).collect();
        Work::Reduction { axes, monoid: Monoid::Sum }
    }

    fn vjp(&self, cx: &mut Backward<'_>) -> Result<()> {
        let Some(g) = cx.gradient(0) else { return Ok(()) };
        let shape = cx.input_type(0).shape;
        let grad = cx.apply(Expand { shape }, &[g])?;
        cx.set(0, grad);
        Ok(())
    }

    fn samples() -> Vec<Sample<SumTo>> {
        Vec::new()
    }
}

/// A value repeated along new or unit dimensions, as a view.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Expand {
    pub shape: Shape,
}

impl Attributes for Expand {
    fn schema() -> Vec<AttrSchema> {
        Vec::new()
    }
    fn parse(_: &mut AttrReader<'_>) -> Result<Expand> {
        Err(Error::internal("expand_to is recorded by autodiff only"))
    }
    fn encode(&self) -> Vec<f64> {
        Vec::new()
    }
}

impl Op for Expand {
    const NAME: &'static str = "expand_to";
    const DOC: &'static str = "The value repeated along unit dimensions.";
    const INPUTS: &'static [InputSchema] = &[InputSchema::required("x", "The value.")];
    const VIEW: bool = true;

    fn infer(&self, inputs: &[TensorType]) -> Result<OutTypes> {
        match inputs[0].shape.broadcast(&self.shape) {
            Some(shape) if shape == self.shape => Ok(smallvec![TensorType { dtype: inputs[0].dtype, shape }]),
            _ => Err(Error::shape(format!("shape {} can't be expanded to {}", inputs[0].shape, self.shape))
                .in_op("expand")
                .at("shape")
                .expected(format!("a shape that {} broadcasts to", inputs[0].shape))
                .received(self.shape.to_string())),
        }
    }

    fn work(&self, _: &[TensorType]) -> Work {
        Work::View
    }

    fn view(&self, input: &Layout) -> Option<Layout> {
        input.broadcast_to(self.shape)
    }

    fn vjp(&self, cx: &mut Backward<'_>) -> Result<()> {
        let Some(g) = cx.gradient(0) else { return Ok(()) };
        cx.set_reduced(0, g)
    }

    fn samples() -> Vec<Sample<Expand>> {
        Vec::new()
    }
}
