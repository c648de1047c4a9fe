//! Normal draws.

use super::uniform::samples;
use super::{KEY, check_float, check_key};
use fovea_core::graph::Backward;
use fovea_core::op::{InputSchema, OutTypes, Work};
use fovea_core::sample::Sample;
use fovea_core::scalar::{Prim, build};
use fovea_core::{DType, Op, Result, Shape, TensorType, attributes};
use smallvec::smallvec;
use std::sync::Arc;

attributes! {
    /// `out[i] ~ N(0, 1)` by Box and Muller's transform of two uniform draws: `√(−2 ln u) · cos 2πv`. "A Note on the
    /// Generation of Random Normal Deviates", Ann. Math. Statist. 29(2), 1958.
    ///
    /// Shapes: `shape`. Gradient: none. Work: elementwise, from key and position.
    pub struct Normal {
        /// The result's shape.
        shape: Vec<usize>,
        /// f32 or f64.
        dtype: DType = DType::F32,
    }
}

impl Op for Normal {
    const NAME: &'static str = "normal";
    const DOC: &'static str = "Draws from the standard normal distribution by the Box–Muller transform.";
    const INPUTS: &'static [InputSchema] = &[KEY];

    fn infer(&self, inputs: &[TensorType]) -> Result<OutTypes> {
        check_key(&inputs[0])?;
        check_float(self.dtype)?;
        Ok(smallvec![TensorType { dtype: self.dtype, shape: Shape::checked(&self.shape)? }])
    }

    fn work(&self, _: &[TensorType]) -> Work {
        let draw = build(&[DType::I64], |key| vec![key[0].positional(Prim::Normal, self.dtype)]);
        Work::Elementwise(Arc::new(draw))
    }

    fn vjp(&self, _: &mut Backward<'_>) -> Result<()> {
        Ok(())
    }

    fn samples() -> Vec<Sample<Normal>> {
        // f32 in either pass of the tests; logarithm and cosine of two libraries differ by a few roundings.
        let tolerance = |s: Sample<Normal>| if s.op.dtype == DType::F32 { s.tolerance(2e-6) } else { s };
        samples(|shape, dtype| Normal { shape, dtype }).into_iter().map(tolerance).collect()
    }
}
