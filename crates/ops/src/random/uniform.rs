//! Uniform draws.

use super::{KEY, check_float, check_key};
use fovea_core::graph::Backward;
use fovea_core::op::{InputSchema, OutTypes, Work};
use fovea_core::sample::Sample;
use fovea_core::scalar::{Prim, build};
use fovea_core::{DType, Op, Result, Shape, TensorType, attributes};
use smallvec::smallvec;
use std::sync::Arc;

attributes! {
    /// `out[i] ~ U[0, 1)`: 24 bits of each 32-bit word of Philox in f32, 53 of each pair in f64. Salmon et al.,
    /// "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011, https://doi.org/10.1145/2063384.2063405.
    ///
    /// Shapes: `shape`. Gradient: none. Work: elementwise, from key and position.
    pub struct Uniform {
        /// The result's shape.
        shape: Vec<usize>,
        /// f32 or f64.
        dtype: DType = DType::F32,
    }
}

impl Op for Uniform {
    const NAME: &'static str = "uniform";
    const DOC: &'static str =
        "Uniform draws in `[0, 1)`, Philox 4×32-10 (Salmon et al., SC 2011). The same on every device.";
    const INPUTS: &'static [InputSchema] = &[KEY];

    fn infer(&self, inputs: &[TensorType]) -> Result<OutTypes> {
        check_key(&inputs[0])?;
        check_float(self.dtype)?;
        Ok(smallvec![TensorType { dtype: self.dtype, shape: Shape::checked(&self.shape)? }])
    }

    fn work(&self, _: &[TensorType]) -> Work {
        let draw = build(&[DType::I64], |key| vec![key[0].positional(Prim::Uniform, self.dtype)]);
        Work::Elementwise(Arc::new(draw))
    }

    fn vjp(&self, _: &mut Backward<'_>) -> Result<()> {
        Ok(())
    }

    fn samples() -> Vec<Sample<Uniform>> {
        samples(|shape, dtype| Uniform { shape, dtype })
    }
}

/// Samples of ops that draw a shape.
pub(super) fn samples<O: Op>(of: impl Fn(Vec<usize>, DType) -> O) -> Vec<Sample<O>> {
    let sample = |name, shape: &[usize], dtype| {
        Sample::new(name, of(shape.to_vec(), dtype), vec![super::key_sample()]).without_gradient()
    };
    vec![
        sample("plain", &[4, 6], DType::F32),
        sample("ragged", &[3, 7, 37], DType::F32),
        sample("f64", &[5, 9], DType::F64),
        sample("scalar", &[], DType::F32),
        sample("zero-sized", &[0, 3], DType::F32),
        sample("several blocks", &[70_001], DType::F32),
        sample("several blocks in f64", &[20_003], DType::F64),
    ]
}
