//! Softmax.

use super::statistics::{Axes, check_float, exponential_sum, sum};
use crate::maps::Maps;
use crate::movement::dims::dimension;
use fovea_core::attributes::{AttrReader, AttrSchema, Attributes};
use fovea_core::graph::{Backward, Build, Val};
use fovea_core::op::{InputSchema, OutTypes, Saved, Work};
use fovea_core::sample::{Sample, SampleInput};
use fovea_core::{Error, Op, Result, TensorType, attributes};
use smallvec::smallvec;

attributes! {
    /// `y = exp(x − m) / Σ exp(x − m)` along `dim`, with m the largest element.
    ///
    /// Shapes: any; result x's.
    ///
    /// Gradient: `dx = y · (g − Σ g · y)`. Work: a composition of the maximum, the sum of exponentials and their product
    /// with its reciprocal; the gradient reads y alone.
    pub struct Softmax {
        /// The dimension that sums to 1; negative ones count from the end.
        dim: i64,
    }
}

static RECIPROCAL: Maps = Maps::new("reciprocal", 1, |v| 1.0 / &v[0]);
/// (x, exp(x − m), 1/s): `exp(x − m) / s`; x is there for its gradient.
static SHARE: Maps = Maps::new("softmax", 3, |v| &v[1] * &v[2]);
static PRODUCT: Maps = Maps::new("product", 2, |v| &v[0] * &v[1]);
/// (g, y, Σ g · y).
static GRADIENT: Maps = Maps::new("softmax gradient", 3, |v| &v[1] * (&v[0] - &v[2]));

/// The last step, with the gradient of the whole.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Normalize {
    axes: Axes,
}

impl Attributes for Normalize {
    fn schema() -> Vec<AttrSchema> {
        Vec::new()
    }
    fn parse(_: &mut AttrReader<'_>) -> Result<Normalize> {
        Err(Error::internal("softmax_normalize is recorded by softmax only"))
    }
    fn encode(&self) -> Vec<f64> {
        Vec::new()
    }
}

impl Op for Normalize {
    const NAME: &'static str = "softmax_normalize";
    const DOC: &'static str = "exp(x − max) / sum, of exponentials and the reciprocal of their sum.";
    const INPUTS: &'static [InputSchema] = &[
        InputSchema::required("x", ""),
        InputSchema::required("exponentials", ""),
        InputSchema::required("reciprocal", ""),
    ];

    fn infer(&self, inputs: &[TensorType]) -> Result<OutTypes> {
        Ok(smallvec![inputs[0]])
    }

    fn work(&self, inputs: &[TensorType]) -> Work {
        Work::Elementwise(SHARE.of(inputs[0].dtype).program().clone())
    }

    fn saved(&self) -> Saved {
        Saved::OUTPUTS
    }

    fn vjp(&self, cx: &mut Backward<'_>) -> Result<()> {
        let Some(g) = cx.gradient(0) else { return Ok(()) };
        let (dtype, y) = (cx.input_type(0).dtype, cx.output(0));
        let product = cx.apply_dyn(PRODUCT.of(dtype), &[g, y])?;
        let total = sum(cx, product, &self.axes)?;
        let grad = cx.apply_dyn(GRADIENT.of(dtype), &[g, y, total])?;
        cx.set(0, grad);
        Ok(())
    }

    fn samples() -> Vec<Sample<Normalize>> {
        Vec::new()
    }
}

/// Samples of ops with a `dim` that must be given.
pub(super) fn samples<O: Op>(of: impl Fn(i64) -> O) -> Vec<Sample<O>> {
    let sample = |name, dim: i64, x: SampleInput| Sample::new(name, of(dim), vec![x]);
    let x = |shape: &[usize]| SampleInput::float(shape).within(-4.0, 4.0);
    vec![
        sample("rows", 1, x(&[4, 10])),
        sample("ragged", -1, x(&[7, 3, 37])),
        sample("first dimension", 0, x(&[5, 6])),
        sample("middle", 1, x(&[3, 11, 5])),
        sample("one element", 1, x(&[4, 1])),
        sample("vector", 0, x(&[9])),
        sample("large values", 1, x(&[3, 8]).within(900.0, 1000.0)),
        sample("zero-sized", 1, x(&[0, 5])),
        sample("reversed", 1, x(&[4, 5, 6]).reversed()),
        sample("strided", -1, x(&[4, 9]).strided()),
    ]
}

impl Op for Softmax {
    const NAME: &'static str = "softmax";
    const DOC: &'static str = "`exp(x − m) / Σ exp(x − m)` along a dimension, with m its largest element.";
    const INPUTS: &'static [InputSchema] = &[InputSchema::required("x", "Logits.")];
    const COMPOSITE: bool = true;

    fn infer(&self, inputs: &[TensorType]) -> Result<OutTypes> {
        check_float("softmax", &inputs[0], "x")?;
        dimension(self.dim, inputs[0].shape.rank(), "dim")?;
        Ok(smallvec![inputs[0]])
    }

    fn work(&self, _: &[TensorType]) -> Work {
        Work::Composite
    }

    fn vjp(&self, _: &mut Backward<'_>) -> Result<()> {
        Err(Error::internal("softmax is recorded as its composition"))
    }

    fn decompose(&self, cx: &mut Build<'_>, inputs: &[Val]) -> Result<Option<Vec<Val>>> {
        let x = inputs[0];
        let axes: Axes = smallvec![dimension(self.dim, cx.shape(x).rank(), "dim")?];
        let [_, exponentials, total] = exponential_sum(cx, x, &axes)?;
        let reciprocal = cx.apply_dyn(RECIPROCAL.of(cx.dtype(x)), &[total])?;
        Ok(Some(vec![cx.apply(Normalize { axes }, &[x, exponentials, reciprocal])?]))
    }

    fn samples() -> Vec<Sample<Softmax>> {
        samples(|dim| Softmax { dim })
    }
}
