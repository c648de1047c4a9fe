//! Equally spaced values.

use super::full::scalar;
use fovea_core::graph::Backward;
use fovea_core::op::{InputSchema, Op, OutTypes, TensorType, Work};
use fovea_core::sample::{Domain, Sample, SampleInput};
use fovea_core::scalar::{Prim, build};
use fovea_core::{DType, Error, Result, Shape, attributes};
use smallvec::smallvec;
use std::sync::Arc;

attributes! {
    /// See [`Op::DOC`].
    pub struct Arange {
        /// How many values.
        length: usize,
        /// The result's dtype.
        dtype: DType = DType::F32,
    }
}

impl Op for Arange {
    const NAME: &'static str = "arange";
    const DOC: &'static str = "`start + i · step` for i in 0..length, computed in the result's dtype. Start and step \
        are data: others keep the plan. No gradient.";
    const INPUTS: &'static [InputSchema] =
        &[InputSchema::required("start", "The first value."), InputSchema::required("step", "From one to the next.")];

    fn infer(&self, inputs: &[TensorType]) -> Result<OutTypes> {
        scalar(inputs, &["start", "step"])?;
        if self.dtype == DType::Bool {
            return Err(Error::dtype("arange gives numbers, not bool").at("dtype").expected("a number type"));
        }
        Ok(smallvec![TensorType { dtype: self.dtype, shape: Shape::checked(&[self.length])? }])
    }

    fn work(&self, inputs: &[TensorType]) -> Work {
        Work::Elementwise(Arc::new(build(&[inputs[0].dtype, inputs[1].dtype], |x| {
            let (start, step) = (x[0].cast(self.dtype), x[1].cast(self.dtype));
            vec![&start + start.positional(Prim::Index, self.dtype) * step]
        })))
    }

    fn number_dtype(&self) -> Option<DType> {
        Some(self.dtype)
    }

    fn vjp(&self, _: &mut Backward<'_>) -> Result<()> {
        Ok(())
    }

    fn samples() -> Vec<Sample<Arange>> {
        let of = |length: usize, dtype: DType| Arange { length, dtype };
        let float = |start: f64, step: f64| {
            vec![SampleInput::float([]).values(&[start]), SampleInput::float([]).values(&[step])]
        };
        let integers = |start: f64, step: f64| {
            let number = |v: f64| SampleInput::of(DType::I64, [], Domain::List(vec![v]));
            vec![number(start), number(step)]
        };
        [
            Sample::new("plain", of(10, DType::F32), float(0.0, 1.0)),
            Sample::new("fractions", of(9, DType::F32), float(-1.0, 0.25)),
            Sample::new("f64", of(7, DType::F64), float(0.5, -0.125)),
            Sample::new("ragged", of(1013, DType::F32), float(2.0, 3.0)),
            Sample::new("zero-sized", of(0, DType::F32), float(0.0, 1.0)),
            Sample::new("i32", of(17, DType::I32), integers(-4.0, 2.0)),
            Sample::new("i64", of(5, DType::I64), integers(9.0, -3.0)),
        ]
        .into_iter()
        .map(Sample::without_gradient)
        .collect()
    }
}
