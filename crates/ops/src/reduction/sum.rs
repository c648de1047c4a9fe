//! Sums.

use super::reduce::{cast, left, reduce};
use super::samples::samples;
use fovea_core::graph::{Backward, Build, Val};
use fovea_core::op::{InputSchema, Monoid, Op, OutTypes, TensorType, Work};
use fovea_core::sample::Sample;
use fovea_core::{DType, Error, Result, attributes};
use smallvec::smallvec;

attributes! {
    /// See [`Op::DOC`].
    pub struct Sum {
        /// Dimensions to reduce; all when left out.
        dim: Option<Vec<i64>>,
        /// Whether reduced dimensions stay as 1.
        keep_dim: bool = false,
    }
}

/// Integers and bool add and multiply as i64.
pub(super) fn wide(dtype: DType) -> DType {
    if dtype.is_float() { dtype } else { DType::I64 }
}

impl Op for Sum {
    const NAME: &'static str = "sum";
    const DOC: &'static str = "Sum over dimensions; integers and bool give i64. 0 for no elements. The gradient is \
        repeated.";
    const INPUTS: &'static [InputSchema] = &[InputSchema::required("x", "")];
    const COMPOSITE: bool = true;

    fn infer(&self, inputs: &[TensorType]) -> Result<OutTypes> {
        let (shape, _) = left(inputs[0].shape, self.dim.as_deref(), self.keep_dim)?;
        Ok(smallvec![TensorType { dtype: wide(inputs[0].dtype), shape }])
    }

    fn work(&self, _: &[TensorType]) -> Work {
        Work::Composite
    }

    fn vjp(&self, _: &mut Backward<'_>) -> Result<()> {
        Err(Error::internal("sum is recorded as its decomposition"))
    }

    fn decompose(&self, cx: &mut Build<'_>, inputs: &[Val]) -> Result<Option<Vec<Val>>> {
        let dtype = wide(cx.dtype(inputs[0]));
        let x = cast(cx, inputs[0], dtype)?;
        Ok(Some(vec![reduce(cx, x, self.dim.as_deref(), self.keep_dim, Monoid::Sum)?]))
    }

    fn samples() -> Vec<Sample<Sum>> {
        samples(|dim, keep_dim| Sum { dim, keep_dim }, -1.0, 1.0, true)
    }
}
