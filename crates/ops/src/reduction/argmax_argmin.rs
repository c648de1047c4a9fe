//! Where the largest and smallest elements are.

use super::reduce::{cast, left, reduce, refuse_empty};
use super::samples::samples;
use fovea_core::graph::{Backward, Build, Val};
use fovea_core::op::{InputSchema, Monoid, Op, OutTypes, TensorType, Work};
use fovea_core::sample::{Sample, SampleInput};
use fovea_core::{DType, Result, attributes};
use smallvec::smallvec;

attributes! {
    /// See [`Op::DOC`].
    pub struct ArgMax {
        /// Dimensions to reduce; all when left out. Of several, the index counts through them in row-major order.
        dim: Option<Vec<i64>>,
        /// Whether reduced dimensions stay as 1.
        keep_dim: bool = false,
    }
}

attributes! {
    /// See [`Op::DOC`].
    pub struct ArgMin {
        /// Dimensions to reduce; all when left out. Of several, the index counts through them in row-major order.
        dim: Option<Vec<i64>>,
        /// Whether reduced dimensions stay as 1.
        keep_dim: bool = false,
    }
}

macro_rules! position {
    ($op:ident, $name:literal, $word:literal) => {
        impl Op for $op {
            const NAME: &'static str = $name;
            const DOC: &'static str = concat!(
                "Index (i32) of the ",
                $word,
                " element over dimensions, the first of several; NaN wins. No gradient. Throws a ShapeError for no \
                 elements."
            );
            const INPUTS: &'static [InputSchema] = &[InputSchema::required("x", "")];
            const COMPOSITE: bool = true;

            fn infer(&self, inputs: &[TensorType]) -> Result<OutTypes> {
                refuse_empty($name, inputs[0].shape, self.dim.as_deref())?;
                let (shape, _) = left(inputs[0].shape, self.dim.as_deref(), self.keep_dim)?;
                Ok(smallvec![TensorType { dtype: DType::I32, shape }])
            }

            fn work(&self, _: &[TensorType]) -> Work {
                Work::Composite
            }

            fn vjp(&self, _: &mut Backward<'_>) -> Result<()> {
                Ok(())
            }

            fn decompose(&self, cx: &mut Build<'_>, inputs: &[Val]) -> Result<Option<Vec<Val>>> {
                let dtype = cx.dtype(inputs[0]);
                let x = cast(cx, inputs[0], if dtype == DType::Bool { DType::U8 } else { dtype })?;
                Ok(Some(vec![reduce(cx, x, self.dim.as_deref(), self.keep_dim, Monoid::$op)?]))
            }

            fn samples() -> Vec<Sample<$op>> {
                let mut list = samples(|dim, keep_dim| $op { dim, keep_dim }, -1.0, 1.0, false);
                let ties = SampleInput::float([2, 6]).values(&[1.0, 3.0, -2.0, 3.0, -2.0, 0.0]);
                list.push(Sample::new("ties", $op { dim: Some(vec![1]), keep_dim: false }, vec![ties]));
                list.into_iter().map(Sample::without_gradient).collect()
            }
        }
    };
}

position!(ArgMax, "argmax", "largest");
position!(ArgMin, "argmin", "smallest");
