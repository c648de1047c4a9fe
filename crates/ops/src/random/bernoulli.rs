//! Coin throws.

use super::{KEY, check_key};
use fovea_core::graph::Backward;
use fovea_core::op::{InputSchema, OutTypes, Work};
use fovea_core::sample::{Sample, SampleInput};
use fovea_core::scalar::{Prim, build};
use fovea_core::{DType, Error, Op, Result, Shape, TensorType, attributes};
use smallvec::smallvec;
use std::sync::Arc;

attributes! {
    /// `out[i] = 1` with probability `p[i]`, else 0: a uniform f32 draw below p.
    ///
    /// Shapes: `shape`, to which p broadcasts. Gradient: none. Work: elementwise, from key, position and p.
    pub struct Bernoulli {
        /// The result's shape.
        shape: Vec<usize>,
        /// The result's dtype.
        dtype: DType = DType::F32,
    }
}

impl Op for Bernoulli {
    const NAME: &'static str = "bernoulli";
    const DOC: &'static str = "1 with probability p, else 0: a uniform draw below p. p broadcasts to the shape.";
    const INPUTS: &'static [InputSchema] = &[InputSchema::required("p", "Probability of 1."), KEY];

    fn infer(&self, inputs: &[TensorType]) -> Result<OutTypes> {
        check_key(&inputs[1])?;
        let shape = Shape::checked(&self.shape)?;
        let p = &inputs[0];
        if p.shape.broadcast(&shape) != Some(shape) {
            return Err(Error::shape(format!("p of shape {} does not broadcast to {shape}", p.shape))
                .at("p")
                .expected(format!("a shape that broadcasts to {shape}"))
                .received(p.shape.to_string()));
        }
        Ok(smallvec![TensorType { dtype: self.dtype, shape }])
    }

    fn work(&self, inputs: &[TensorType]) -> Work {
        let program = build(&[inputs[0].dtype, DType::I64], |x| {
            let draw = x[1].positional(Prim::Uniform, DType::F32);
            vec![draw.lt(&x[0].cast(DType::F32)).cast(self.dtype)]
        });
        Work::Elementwise(Arc::new(program))
    }

    fn vjp(&self, _: &mut Backward<'_>) -> Result<()> {
        Ok(())
    }

    fn samples() -> Vec<Sample<Bernoulli>> {
        let of = |name, shape: &[usize], p: SampleInput, dtype| {
            let op = Bernoulli { shape: shape.to_vec(), dtype };
            Sample::new(name, op, vec![p.within(0.0, 1.0), super::key_sample()]).without_gradient()
        };
        let p = |shape: &[usize]| SampleInput::float(shape);
        vec![
            of("number", &[4, 6], p(&[]), DType::F32),
            of("ragged", &[3, 7, 37], p(&[]), DType::Bool),
            of("broadcast", &[5, 9], p(&[9]), DType::F32),
            of("each its own", &[5, 9], p(&[5, 9]).reversed(), DType::U8),
            of("strided", &[5, 9], p(&[5, 9]).strided(), DType::F64),
            of("zero-sized", &[0, 3], p(&[]), DType::F32),
        ]
    }
}
