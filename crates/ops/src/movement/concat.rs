//! Tensors one behind the other.

use super::dims::dimension;
use super::slice::Slice;
use crate::scalar::Cast;
use fovea_core::attributes::{AttrReader, AttrSchema, Attributes};
use fovea_core::graph::{Backward, Build, Val};
use fovea_core::op::{Assemble, InputSchema, Op, OutTypes, TensorType, Work};
use fovea_core::sample::{Domain, Sample, SampleInput};
use fovea_core::{DType, Error, Result, Shape, attributes};
use smallvec::smallvec;

const TENSORS: &[InputSchema] = &[InputSchema::variadic("tensors", "Tensors that differ along `dim` only.")];

attributes! {
    /// See [`Op::DOC`].
    pub struct Concat {
        /// The dimension along which they follow one another.
        dim: i64 = 0,
    }
}

impl Op for Concat {
    const NAME: &'static str = "concat";
    const DOC: &'static str = "Tensors one behind the other along a dimension that exists; other dimensions must \
        agree. Dtypes are promoted. The gradient is cut apart again.";
    const INPUTS: &'static [InputSchema] = TENSORS;
    const COMPOSITE: bool = true;

    fn infer(&self, inputs: &[TensorType]) -> Result<OutTypes> {
        let Some(first) = inputs.first() else {
            return Err(Error::argument("concat needs at least one tensor")
                .at("tensors")
                .expected("one or more tensors"));
        };
        let dim = dimension(self.dim, first.shape.rank(), "dim")?;
        let (mut dtype, mut total) = (first.dtype, 0);
        for (i, input) in inputs.iter().enumerate() {
            let shape = input.shape;
            if shape.rank() != first.shape.rank() || shape.with(dim, 0) != first.shape.with(dim, 0) {
                return Err(Error::shape(format!(
                    "tensors[{i}] of shape {shape} doesn't fit behind tensors[0] of shape {}: they may differ along \
                     dimension {dim} only",
                    first.shape
                ))
                .at(format!("tensors[{i}]"))
                .expected(format!("the shape {} but for dimension {dim}", first.shape))
                .received(shape.to_string()));
            }
            dtype = dtype.promote(input.dtype);
            total += shape[dim];
        }
        Ok(smallvec![TensorType { dtype, shape: Shape::checked(&first.shape.with(dim, total))? }])
    }

    fn work(&self, _: &[TensorType]) -> Work {
        Work::Composite
    }

    fn vjp(&self, _: &mut Backward<'_>) -> Result<()> {
        Err(Error::internal("concat is recorded as its pieces"))
    }

    fn decompose(&self, cx: &mut Build<'_>, inputs: &[Val]) -> Result<Option<Vec<Val>>> {
        let dim = dimension(self.dim, cx.shape(inputs[0]).rank(), "dim")?;
        let dtype = inputs.iter().map(|&v| cx.dtype(v)).fold(DType::Bool, DType::promote);
        let mut pieces = Vec::with_capacity(inputs.len());
        for &input in inputs {
            pieces.push(if cx.dtype(input) == dtype { input } else { cx.apply(Cast { dtype }, &[input])? });
        }
        Ok(Some(vec![cx.apply(Pieces { dim }, &pieces)?]))
    }

    fn samples() -> Vec<Sample<Concat>> {
        let along = |dim: i64| Concat { dim };
        let x = |shape: &[usize]| SampleInput::float(shape);
        let integers = |shape: &[usize]| SampleInput::of(DType::I32, shape, Domain::Integers(-9, 9));
        vec![
            Sample::new("plain", along(0), vec![x(&[2, 3]), x(&[4, 3])]),
            Sample::new("three", along(-1), vec![x(&[3, 2]), x(&[3, 5]), x(&[3, 1])]),
            Sample::new("ragged", along(1), vec![x(&[17, 3]), x(&[17, 10])]),
            Sample::new("zero-sized", along(0), vec![x(&[0, 3]), x(&[2, 3])]),
            Sample::new("reversed", along(1), vec![x(&[2, 3, 4]).reversed(), x(&[2, 1, 4]).reversed()]),
            Sample::new("strided", along(0), vec![x(&[3, 8]).strided(), x(&[1, 8])]),
            Sample::new("one", along(0), vec![x(&[4])]),
            Sample::new("float and i32", along(0), vec![x(&[2, 2]), integers(&[3, 2])]),
            Sample::new("i32", along(0), vec![integers(&[4]), integers(&[3])]),
        ]
    }
}

/// [`Concat`] of tensors of one dtype.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Pieces {
    dim: usize,
}

impl Attributes for Pieces {
    fn schema() -> Vec<AttrSchema> {
        Vec::new()
    }
    fn parse(_: &mut AttrReader<'_>) -> Result<Pieces> {
        Err(Error::internal("pieces are recorded by concat only"))
    }
    fn encode(&self) -> Vec<f64> {
        Vec::new()
    }
}

impl Op for Pieces {
    const NAME: &'static str = "concat";
    const DOC: &'static str = "Tensors of one dtype one behind the other.";
    const INPUTS: &'static [InputSchema] = TENSORS;

    fn infer(&self, inputs: &[TensorType]) -> Result<OutTypes> {
        Concat { dim: self.dim as i64 }.infer(inputs)
    }

    fn work(&self, inputs: &[TensorType]) -> Work {
        let mut start = 0;
        let starts = inputs
            .iter()
            .map(|input| {
                let mut at = Shape::new(&[0; fovea_core::shape::MAX_RANK][..input.shape.rank()]);
                at = at.with(self.dim, start);
                start += input.shape[self.dim];
                at
            })
            .collect();
        Work::Assemble(Assemble { fill: None, starts })
    }

    fn vjp(&self, cx: &mut Backward<'_>) -> Result<()> {
        let Some(g) = cx.gradient(0) else { return Ok(()) };
        let whole = cx.shape(g);
        let mut start = 0;
        for i in 0..cx.inputs() {
            let end = start + cx.input_type(i).shape[self.dim];
            if cx.wants(i) {
                let grad = cx.apply(Slice::along(whole, self.dim, start, end), &[g])?;
                cx.set(i, grad);
            }
            start = end;
        }
        Ok(())
    }

    fn samples() -> Vec<Sample<Pieces>> {
        Vec::new()
    }
}
