//! Whether elements are not 0.

use super::reduce::{cast, left, reduce};
use super::samples::samples;
use crate::scalar::record;
use fovea_core::graph::{Backward, Build, Val};
use fovea_core::op::{InputSchema, Monoid, Op, OutTypes, TensorType, Work};
use fovea_core::sample::{Sample, SampleInput};
use fovea_core::{DType, Error, Result, attributes};
use smallvec::smallvec;

attributes! {
    /// See [`Op::DOC`].
    pub struct Any {
        /// Dimensions to reduce; all when left out.
        dim: Option<Vec<i64>>,
        /// Whether reduced dimensions stay as 1.
        keep_dim: bool = false,
    }
}

attributes! {
    /// See [`Op::DOC`].
    pub struct All {
        /// Dimensions to reduce; all when left out.
        dim: Option<Vec<i64>>,
        /// Whether reduced dimensions stay as 1.
        keep_dim: bool = false,
    }
}

/// Whether every one of `x` (bool) holds: the product of zeros and ones.
fn every(cx: &mut Build<'_>, x: Val, dim: Option<&[i64]>, keep_dim: bool) -> Result<Val> {
    let ones = cast(cx, x, DType::I32)?;
    let product = reduce(cx, ones, dim, keep_dim, Monoid::Prod)?;
    cast(cx, product, DType::Bool)
}

macro_rules! quantifier {
    ($op:ident, $name:literal, $doc:literal, $decompose:expr) => {
        impl Op for $op {
            const NAME: &'static str = $name;
            const DOC: &'static str = $doc;
            const INPUTS: &'static [InputSchema] = &[InputSchema::required("x", "")];
            const COMPOSITE: bool = true;

            fn infer(&self, inputs: &[TensorType]) -> Result<OutTypes> {
                let (shape, _) = left(inputs[0].shape, self.dim.as_deref(), self.keep_dim)?;
                Ok(smallvec![TensorType { dtype: DType::Bool, shape }])
            }

            fn work(&self, _: &[TensorType]) -> Work {
                Work::Composite
            }

            fn vjp(&self, _: &mut Backward<'_>) -> Result<()> {
                Err(Error::internal(concat!($name, " is recorded as its decomposition")))
            }

            fn decompose(&self, cx: &mut Build<'_>, inputs: &[Val]) -> Result<Option<Vec<Val>>> {
                let decompose: fn(&$op, &mut Build<'_>, Val) -> Result<Val> = $decompose;
                Ok(Some(vec![decompose(self, cx, inputs[0])?]))
            }

            fn samples() -> Vec<Sample<$op>> {
                let mut list = samples(|dim, keep_dim| $op { dim, keep_dim }, -1.0, 1.0, true);
                let rows = SampleInput::float([3, 3]).values(&[0.0, 0.0, 0.0, 1.0, 0.0, -0.0, 2.0, -1.0, 0.5]);
                list.push(Sample::new("zeros", $op { dim: Some(vec![1]), keep_dim: false }, vec![rows]));
                list.into_iter().map(Sample::without_gradient).collect()
            }
        }
    };
}

quantifier!(Any, "any", "Whether any element over dimensions is not 0; bool. False for no elements.", |op, cx, x| {
    let zero = record::logical_not(cx, x)?;
    let none = every(cx, zero, op.dim.as_deref(), op.keep_dim)?;
    record::logical_not(cx, none)
});
quantifier!(All, "all", "Whether no element over dimensions is 0; bool. True for no elements.", |op, cx, x| {
    let nonzero = cast(cx, x, DType::Bool)?;
    every(cx, nonzero, op.dim.as_deref(), op.keep_dim)
});
