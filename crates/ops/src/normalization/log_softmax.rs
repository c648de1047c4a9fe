//! The logarithm of softmax.

use super::softmax::samples;
use super::statistics::{Axes, check_float, exponential_sum, sum};
use crate::maps::Maps;
use crate::movement::dims::dimension;
use fovea_core::attributes::{AttrReader, AttrSchema, Attributes};
use fovea_core::graph::{Backward, Build, Val};
use fovea_core::op::{InputSchema, OutTypes, Saved, Work};
use fovea_core::sample::Sample;
use fovea_core::{Error, Op, Result, TensorType, attributes};
use smallvec::smallvec;

attributes! {
    /// `y = x − m − ln Σ exp(x − m)` along `dim`, with m the largest element.
    ///
    /// Shapes: any; result x's.
    ///
    /// Gradient: `dx = g − exp(y) · Σ g`. Work: a composition of the maximum, the sum of exponentials and the
    /// difference; the gradient reads y alone.
    pub struct LogSoftmax {
        /// The dimension whose exponentials sum to 1; negative ones count from the end.
        dim: i64,
    }
}

static LOGARITHM: Maps = Maps::new("logarithm", 1, |v| v[0].log());
/// (x, m, ln s).
static DIFFERENCE: Maps = Maps::new("log softmax", 3, |v| &v[0] - &v[1] - &v[2]);
/// (g, y, Σ g).
static GRADIENT: Maps = Maps::new("log softmax gradient", 3, |v| &v[0] - v[1].exp() * &v[2]);

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
        Err(Error::internal("log_softmax_normalize is recorded by log_softmax only"))
    }
    fn encode(&self) -> Vec<f64> {
        Vec::new()
    }
}

impl Op for Normalize {
    const NAME: &'static str = "log_softmax_normalize";
    const DOC: &'static str = "x − max − log of the sum.";
    const INPUTS: &'static [InputSchema] =
        &[InputSchema::required("x", ""), InputSchema::required("max", ""), InputSchema::required("log_sum", "")];

    fn infer(&self, inputs: &[TensorType]) -> Result<OutTypes> {
        Ok(smallvec![inputs[0]])
    }

    fn work(&self, inputs: &[TensorType]) -> Work {
        Work::Elementwise(DIFFERENCE.of(inputs[0].dtype).program().clone())
    }

    fn saved(&self) -> Saved {
        Saved::OUTPUTS
    }

    fn vjp(&self, cx: &mut Backward<'_>) -> Result<()> {
        let Some(g) = cx.gradient(0) else { return Ok(()) };
        let (dtype, y) = (cx.input_type(0).dtype, cx.output(0));
        let total = sum(cx, g, &self.axes)?;
        let grad = cx.apply_dyn(GRADIENT.of(dtype), &[g, y, total])?;
        cx.set(0, grad);
        Ok(())
    }

    fn samples() -> Vec<Sample<Normalize>> {
        Vec::new()
    }
}

/// `log_softmax` of `x` along `dim`, for other ops' compositions.
pub(crate) fn log_softmax(cx: &mut Build<'_>, x: Val, dim: usize) -> Result<Val> {
    let dtype = cx.dtype(x);
    let axes: Axes = smallvec![dim];
    let [largest, _, total] = exponential_sum(cx, x, &axes)?;
    let log_total = cx.apply_dyn(LOGARITHM.of(dtype), &[total])?;
    cx.apply(Normalize { axes }, &[x, largest, log_total])
}

impl Op for LogSoftmax {
    const NAME: &'static str = "log_softmax";
    const DOC: &'static str =
        "Logarithm of softmax, `x − m − ln Σ exp(x − m)` along a dimension, with m its largest element.";
    const INPUTS: &'static [InputSchema] = &[InputSchema::required("x", "Logits.")];
    const COMPOSITE: bool = true;

    fn infer(&self, inputs: &[TensorType]) -> Result<OutTypes> {
        check_float("log_softmax", &inputs[0], "x")?;
        dimension(self.dim, inputs[0].shape.rank(), "dim")?;
        Ok(smallvec![inputs[0]])
    }

    fn work(&self, _: &[TensorType]) -> Work {
        Work::Composite
    }

    fn vjp(&self, _: &mut Backward<'_>) -> Result<()> {
        Err(Error::internal("log_softmax is recorded as its composition"))
    }

    fn decompose(&self, cx: &mut Build<'_>, inputs: &[Val]) -> Result<Option<Vec<Val>>> {
        let dim = dimension(self.dim, cx.shape(inputs[0]).rank(), "dim")?;
        Ok(Some(vec![log_softmax(cx, inputs[0], dim)?]))
    }

    fn samples() -> Vec<Sample<LogSoftmax>> {
        samples(|dim| LogSoftmax { dim })
    }
}
