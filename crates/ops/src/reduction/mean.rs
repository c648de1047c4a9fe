//! Means.

use super::reduce::{cast, left, reduce};
use super::samples::samples;
use crate::scalar::record;
use fovea_core::graph::{Backward, Build, Val};
use fovea_core::op::{InputSchema, Monoid, Op, OutTypes, TensorType, Work};
use fovea_core::sample::Sample;
use fovea_core::{Error, Result, attributes};
use smallvec::smallvec;

attributes! {
    /// See [`Op::DOC`].
    pub struct Mean {
        /// Dimensions to reduce; all when left out.
        dim: Option<Vec<i64>>,
        /// Whether reduced dimensions stay as 1.
        keep_dim: bool = false,
    }
}

impl Op for Mean {
    const NAME: &'static str = "mean";
    const DOC: &'static str = "Mean over dimensions: the sum divided by the number of elements; integers and bool \
        give f32. NaN for no elements.";
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
        Err(Error::internal("mean is recorded as its decomposition"))
    }

    fn decompose(&self, cx: &mut Build<'_>, inputs: &[Val]) -> Result<Option<Vec<Val>>> {
        let dtype = cx.dtype(inputs[0]).to_float();
        let (_, count) = left(cx.shape(inputs[0]), self.dim.as_deref(), self.keep_dim)?;
        let x = cast(cx, inputs[0], dtype)?;
        let sum = reduce(cx, x, self.dim.as_deref(), self.keep_dim, Monoid::Sum)?;
        let count = cx.scalar(count as f64, dtype);
        Ok(Some(vec![record::div(cx, sum, count)?]))
    }

    fn samples() -> Vec<Sample<Mean>> {
        samples(|dim, keep_dim| Mean { dim, keep_dim }, -1.0, 1.0, true)
    }
}
