//! A value everywhere.

use crate::scalar::Cast;
use fovea_core::graph::Backward;
use fovea_core::op::{InputSchema, Op, OutTypes, TensorType, Work};
use fovea_core::sample::{Domain, Sample, SampleInput};
use fovea_core::scalar::build;
use fovea_core::{DType, Error, Result, Shape, attributes};
use smallvec::smallvec;
use std::sync::Arc;

attributes! {
    /// See [`Op::DOC`].
    pub struct Full {
        /// The result's shape.
        shape: Vec<usize>,
        /// The result's dtype.
        dtype: DType = DType::F32,
    }
}

impl Op for Full {
    const NAME: &'static str = "full";
    const DOC: &'static str = "A tensor of `shape` that holds one value everywhere. The value is data: another one \
        keeps the plan. Its gradient is the sum.";
    const INPUTS: &'static [InputSchema] = &[InputSchema::required("value", "A number or a scalar tensor.")];

    fn infer(&self, inputs: &[TensorType]) -> Result<OutTypes> {
        scalar(inputs, &["value"])?;
        Ok(smallvec![TensorType { dtype: self.dtype, shape: Shape::checked(&self.shape)? }])
    }

    fn work(&self, inputs: &[TensorType]) -> Work {
        Work::Elementwise(Arc::new(build(&[inputs[0].dtype], |x| vec![x[0].cast(self.dtype)])))
    }

    fn number_dtype(&self) -> Option<DType> {
        Some(self.dtype)
    }

    fn vjp(&self, cx: &mut Backward<'_>) -> Result<()> {
        let dtype = cx.input_type(0).dtype;
        let Some(g) = cx.gradient(0).filter(|_| dtype.is_float()) else { return Ok(()) };
        let sum = cx.sum_to(g, Shape::SCALAR)?;
        let grad = if dtype == self.dtype { sum } else { cx.apply(Cast { dtype }, &[sum])? };
        cx.set(0, grad);
        Ok(())
    }

    fn samples() -> Vec<Sample<Full>> {
        let of = |shape: &[usize], dtype: DType| Full { shape: shape.to_vec(), dtype };
        let value = |v: f64| vec![SampleInput::float([]).values(&[v])];
        vec![
            // Rounding to f32 has no slope that differences in f64 could see.
            Sample::new("f32", of(&[3, 4], DType::F32), value(1.5)).without_gradient(),
            Sample::new("f64", of(&[3, 4], DType::F64), value(-0.25)),
            Sample::new("ragged", of(&[17, 13], DType::F64), value(0.0)),
            Sample::new("zero-sized", of(&[0, 3], DType::F64), value(2.0)),
            Sample::new("scalar", of(&[], DType::F64), value(7.0)),
            Sample::new("i32", of(&[5], DType::I32), value(3.0)),
            Sample::new("bool", of(&[5], DType::Bool), value(1.0)),
            Sample::new(
                "from an integer",
                of(&[2, 2], DType::F32),
                vec![SampleInput::of(DType::I32, [], Domain::Integers(-9, 9))],
            ),
        ]
    }
}

/// Refuses inputs that aren't scalars.
pub(super) fn scalar(inputs: &[TensorType], names: &[&str]) -> Result<()> {
    match inputs.iter().zip(names).find(|(input, _)| input.shape.rank() != 0) {
        None => Ok(()),
        Some((input, name)) => Err(Error::shape(format!("{name} must be a number, got shape {}", input.shape))
            .at(*name)
            .expected("a number or a scalar tensor")
            .received(input.shape.to_string())),
    }
}
