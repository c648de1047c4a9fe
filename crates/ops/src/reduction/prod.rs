//! Products.

use super::reduce::{cast, left, reduce};
use super::samples::samples;
use super::sum::wide;
use fovea_core::graph::{Backward, Build, Val};
use fovea_core::op::{InputSchema, Monoid, Op, OutTypes, TensorType, Work};
use fovea_core::sample::{Sample, SampleInput};
use fovea_core::{Error, Result, attributes};
use smallvec::smallvec;

attributes! {
    /// See [`Op::DOC`].
    pub struct Prod {
        /// Dimensions to reduce; all when left out.
        dim: Option<Vec<i64>>,
        /// Whether reduced dimensions stay as 1.
        keep_dim: bool = false,
    }
}

impl Op for Prod {
    const NAME: &'static str = "prod";
    const DOC: &'static str = "Product over dimensions; integers and bool give i64. 1 for no elements. The gradient \
        is the product of the others, also where elements are 0; second derivatives hold only where no element is 0.";
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
        Err(Error::internal("prod is recorded as its decomposition"))
    }

    fn decompose(&self, cx: &mut Build<'_>, inputs: &[Val]) -> Result<Option<Vec<Val>>> {
        let dtype = wide(cx.dtype(inputs[0]));
        let x = cast(cx, inputs[0], dtype)?;
        Ok(Some(vec![reduce(cx, x, self.dim.as_deref(), self.keep_dim, Monoid::Prod)?]))
    }

    fn samples() -> Vec<Sample<Prod>> {
        // Near 1, so that products of a thousand neither vanish nor overflow.
        let mut list = samples(|dim, keep_dim| Prod { dim, keep_dim }, 0.9, 1.1, true);
        let zeros = SampleInput::float([3, 3]).values(&[2.0, 0.0, 3.0, 0.0, 0.0, 5.0, 1.0, -2.0, 4.0]);
        // Values only, since the second derivative doesn't hold there; a test of the gradient stands in tests.rs.
        list.push(Sample::new("zeros", Prod { dim: Some(vec![1]), keep_dim: false }, vec![zeros]).without_gradient());
        list
    }
}
