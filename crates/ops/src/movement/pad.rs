//! A frame of one value.

use super::slice::Slice;
use fovea_core::attributes::Float;
use fovea_core::graph::Backward;
use fovea_core::op::{Assemble, InputSchema, Op, OutTypes, TensorType, Work};
use fovea_core::sample::{Domain, Sample, SampleInput};
use fovea_core::{DType, Error, Result, Shape, attributes};
use smallvec::smallvec;

attributes! {
    /// See [`Op::DOC`].
    pub struct Pad {
        /// How many elements come before and after: two numbers for each dimension, from the first dimension on.
        padding: Vec<usize>,
        /// What they are.
        value: Float = Float(0.0),
    }
}

impl Pad {
    /// Zeros around; `padding` as the attribute.
    pub fn zeros(padding: Vec<usize>) -> Pad {
        Pad { padding, value: Float(0.0) }
    }

    fn starts(&self) -> Shape {
        self.padding.iter().step_by(2).copied().collect()
    }
}

impl Op for Pad {
    const NAME: &'static str = "pad";
    const DOC: &'static str = "x with `value` before and after it along each dimension. The gradient is the part that \
        x fills.";
    const INPUTS: &'static [InputSchema] = &[InputSchema::required("x", "")];

    fn infer(&self, inputs: &[TensorType]) -> Result<OutTypes> {
        let TensorType { dtype, shape } = inputs[0];
        if self.padding.len() != 2 * shape.rank() {
            return Err(Error::argument(format!(
                "padding has {} numbers; a tensor of shape {shape} takes {}: before and after for each dimension",
                self.padding.len(),
                2 * shape.rank()
            ))
            .at("padding")
            .expected(format!("{} numbers", 2 * shape.rank()))
            .received(format!("{:?}", self.padding)));
        }
        if !dtype.is_float() && self.value.0.fract() != 0.0 {
            return Err(Error::argument(format!("{} can't be padded with {}", dtype.name(), self.value.0))
                .at("value")
                .expected("an integer")
                .received(self.value.0.to_string()));
        }
        let mut padded = Vec::with_capacity(shape.rank());
        for (&size, around) in shape.iter().zip(self.padding.chunks_exact(2)) {
            let total = around[0].checked_add(around[1]).and_then(|p| p.checked_add(size));
            padded.push(total.ok_or_else(|| Error::argument("padding is too large").at("padding"))?);
        }
        Ok(smallvec![TensorType { dtype, shape: Shape::checked(&padded)? }])
    }

    fn work(&self, _: &[TensorType]) -> Work {
        let fill = self.padding.iter().any(|p| *p != 0).then(|| self.value.0.to_bits());
        Work::Assemble(Assemble { fill, starts: vec![self.starts()] })
    }

    fn vjp(&self, cx: &mut Backward<'_>) -> Result<()> {
        let Some(g) = cx.gradient(0) else { return Ok(()) };
        let shape = cx.input_type(0).shape;
        let grad = cx.apply(Slice::block(&self.starts(), shape), &[g])?;
        cx.set(0, grad);
        Ok(())
    }

    fn samples() -> Vec<Sample<Pad>> {
        let by = |padding: &[usize]| Pad::zeros(padding.to_vec());
        let x = |shape: &[usize]| SampleInput::float(shape);
        vec![
            Sample::new("plain", by(&[1, 2, 0, 3]), vec![x(&[3, 4])]),
            Sample::new("value", Pad { padding: vec![0, 1, 2, 0], value: Float(-1.5) }, vec![x(&[2, 5])]),
            Sample::new("ragged", by(&[3, 0, 1, 1]), vec![x(&[17, 13])]),
            Sample::new("image", by(&[0, 0, 0, 0, 1, 1, 2, 2]), vec![x(&[2, 3, 5, 4])]),
            Sample::new("zero-sized", by(&[2, 0, 0, 1]), vec![x(&[0, 3])]),
            Sample::new("nothing", by(&[0, 0, 0, 0]), vec![x(&[3, 2])]),
            Sample::new("reversed", by(&[1, 0, 0, 1]), vec![x(&[4, 5]).reversed()]),
            Sample::new("strided", by(&[1, 1, 1, 1]), vec![x(&[3, 8]).strided()]),
            Sample::new("i32", by(&[2, 1]), vec![SampleInput::of(DType::I32, [5], Domain::Integers(-9, 9))]),
        ]
    }
}
