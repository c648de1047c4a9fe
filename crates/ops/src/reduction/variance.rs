//! Variances.

use super::mean::Mean;
use super::reduce::{cast, left, reduce};
use super::samples::samples;
use crate::scalar::record;
use fovea_core::attributes::Float;
use fovea_core::graph::{Backward, Build, Val};
use fovea_core::op::{InputSchema, Monoid, Op, OutTypes, TensorType, Work};
use fovea_core::sample::{Sample, SampleInput};
use fovea_core::{Error, Result, attributes};
use smallvec::smallvec;

attributes! {
    /// See [`Op::DOC`].
    pub struct Variance {
        /// Dimensions to reduce; all when left out.
        dim: Option<Vec<i64>>,
        /// Whether reduced dimensions stay as 1.
        keep_dim: bool = false,
        /// What is taken off the number of elements; 1 for the unbiased estimate of a sample's variance.
        correction: Float = Float(1.0),
    }
}

impl Op for Variance {
    const NAME: &'static str = "variance";
    const DOC: &'static str = "Variance over dimensions, `Σ (x - mean)² / max(0, n - correction)`, in two passes; \
        integers and bool give f32. NaN where n ≤ correction.";
    const INPUTS: &'static [InputSchema] = &[InputSchema::required("x", "")];
    const COMPOSITE: bool = true;

    fn infer(&self, inputs: &[TensorType]) -> Result<OutTypes> {
        let (shape, _) = left(inputs[0].shape, self.dim.as_deref(), self.keep_dim)?;
        Ok(smallvec![TensorType { dtype: inputs[0].dtype.to_float(), shape }])
    }

    fn work(&self, _: &[TensorType]) -> Work {
        Work::Composite
    }

    fn vjp(&self, _: &mut Backward<'_>) -> Result<()> {
        Err(Error::internal("variance is recorded as its decomposition"))
    }

    fn decompose(&self, cx: &mut Build<'_>, inputs: &[Val]) -> Result<Option<Vec<Val>>> {
        let dtype = cx.dtype(inputs[0]).to_float();
        let (_, count) = left(cx.shape(inputs[0]), self.dim.as_deref(), self.keep_dim)?;
        let x = cast(cx, inputs[0], dtype)?;
        let mean = cx.apply(Mean { dim: self.dim.clone(), keep_dim: true }, &[x])?;
        let centred = record::sub(cx, x, mean)?;
        let squares = record::square(cx, centred)?;
        let sum = reduce(cx, squares, self.dim.as_deref(), self.keep_dim, Monoid::Sum)?;
        let freedom = cx.scalar((count as f64 - self.correction.0).max(0.0), dtype);
        Ok(Some(vec![record::div(cx, sum, freedom)?]))
    }

    fn samples() -> Vec<Sample<Variance>> {
        let make = |dim, keep_dim| Variance { dim, keep_dim, correction: Float(1.0) };
        let mut list = samples(make, -1.0, 1.0, true);
        // A single element has no variance (NaN), and no gradient to compare.
        for sample in &mut list {
            sample.differentiable &= !["scalar", "one element each"].contains(&sample.name);
        }
        let biased = Variance { dim: Some(vec![1]), keep_dim: false, correction: Float(0.0) };
        list.push(Sample::new("biased", biased, vec![SampleInput::float([5, 8]).within(2.0, 5.0)]));
        list
    }
}
