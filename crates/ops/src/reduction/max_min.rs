//! Largest and smallest elements.

use super::reduce::{cast, left, reduce, refuse_empty};
use super::samples::samples;
use fovea_core::graph::{Backward, Build, Val};
use fovea_core::op::{InputSchema, Monoid, Op, OutTypes, TensorType, Work};
use fovea_core::sample::Sample;
use fovea_core::{DType, Error, Result, attributes};
use smallvec::smallvec;

attributes! {
    /// See [`Op::DOC`].
    pub struct Max {
        /// Dimensions to reduce; all when left out.
        dim: Option<Vec<i64>>,
        /// Whether reduced dimensions stay as 1.
        keep_dim: bool = false,
    }
}

attributes! {
    /// See [`Op::DOC`].
    pub struct Min {
        /// Dimensions to reduce; all when left out.
        dim: Option<Vec<i64>>,
        /// Whether reduced dimensions stay as 1.
        keep_dim: bool = false,
    }
}

macro_rules! extreme {
    ($op:ident, $name:literal, $word:literal) => {
        impl Op for $op {
            const NAME: &'static str = $name;
            const DOC: &'static str = concat!(
                $word,
                " element over dimensions; NaN where there is one. The gradient is shared equally among ties. Throws a \
                 ShapeError for no elements."
            );
            const INPUTS: &'static [InputSchema] = &[InputSchema::required("x", "")];
            const COMPOSITE: bool = true;

            fn infer(&self, inputs: &[TensorType]) -> Result<OutTypes> {
                refuse_empty($name, inputs[0].shape, self.dim.as_deref())?;
                let (shape, _) = left(inputs[0].shape, self.dim.as_deref(), self.keep_dim)?;
                Ok(smallvec![TensorType { dtype: inputs[0].dtype, shape }])
            }

            fn work(&self, _: &[TensorType]) -> Work {
                Work::Composite
            }

            fn vjp(&self, _: &mut Backward<'_>) -> Result<()> {
                Err(Error::internal(concat!($name, " is recorded as its decomposition")))
            }

            fn decompose(&self, cx: &mut Build<'_>, inputs: &[Val]) -> Result<Option<Vec<Val>>> {
                let dtype = cx.dtype(inputs[0]);
                let x = cast(cx, inputs[0], if dtype == DType::Bool { DType::U8 } else { dtype })?;
                let y = reduce(cx, x, self.dim.as_deref(), self.keep_dim, Monoid::$op)?;
                Ok(Some(vec![cast(cx, y, dtype)?]))
            }

            fn samples() -> Vec<Sample<$op>> {
                samples(|dim, keep_dim| $op { dim, keep_dim }, -1.0, 1.0, false)
            }
        }
    };
}

extreme!(Max, "max", "Largest");
extreme!(Min, "min", "Smallest");
