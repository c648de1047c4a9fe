//! Values less their group's mean, over its deviation.

use super::statistics::{Axes, count, sum};
use crate::maps::Maps;
use fovea_core::attributes::{AttrReader, AttrSchema, Attributes};
use fovea_core::graph::Backward;
use fovea_core::op::{InputSchema, OutTypes, Saved, Work};
use fovea_core::sample::Sample;
use fovea_core::{Error, Op, Result, TensorType};
use smallvec::smallvec;

/// `y = (x − mean) · r · weight + bias`, where mean and `r = 1 / √(variance + ε)` are those of x over `axes`.
///
/// Recorded by batch and layer normalisation. Gradient, with `x̂ = (x − mean) · r`, n elements in a group and
/// `h = weight · g`: `dx = r · (h − (Σ h + x̂ · Σ h · x̂) / n)`, which holds what flows through mean and r, so that these
/// get none of their own; `dweight = Σ g · x̂`, `dbias = Σ g`, each over what shares a weight. Where groups have one
/// weight each, it stands before the sums.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Standardize {
    pub axes: Axes,
    /// Whether weight and bias are constant along `axes`.
    pub one_weight: bool,
}

/// (x, mean, r, weight, bias).
pub(super) static AFFINE: Maps = Maps::new("affine", 5, |v| (&v[0] - &v[1]) * &v[2] * &v[3] + &v[4]);
/// (g, x, mean, r): g · x̂.
static ALONG: Maps = Maps::new("along", 4, |v| &v[0] * ((&v[1] - &v[2]) * &v[3]));
/// (g, x, mean, r, weight, Σ g, Σ g · x̂, 1/n).
static INPUT_GRADIENT: Maps = Maps::new("standardize gradient", 8, |v| {
    let [g, x, mean, r, weight, sum, along, share] = v else { unreachable!("eight operands") };
    let through = (sum + (x - mean) * r * along) * share;
    weight * r * (g - through)
});

/// (g, weight).
static WEIGHTED: Maps = Maps::new("weighted", 2, |v| &v[0] * &v[1]);
/// (g, weight, x, mean, r): g · weight · x̂.
static WEIGHTED_ALONG: Maps = Maps::new("weighted along", 5, |v| &v[0] * &v[1] * ((&v[2] - &v[3]) * &v[4]));
/// (g, x, mean, r, weight, Σ h, Σ h · x̂, 1/n).
static WEIGHTED_GRADIENT: Maps = Maps::new("standardize gradient", 8, |v| {
    let [g, x, mean, r, weight, sum, along, share] = v else { unreachable!("eight operands") };
    let through = (sum + (x - mean) * r * along) * share;
    r * (g * weight - through)
});

impl Attributes for Standardize {
    fn schema() -> Vec<AttrSchema> {
        Vec::new()
    }
    fn parse(_: &mut AttrReader<'_>) -> Result<Standardize> {
        Err(Error::internal("standardize is recorded by other ops only"))
    }
    fn encode(&self) -> Vec<f64> {
        Vec::new()
    }
}

impl Op for Standardize {
    const NAME: &'static str = "standardize";
    const DOC: &'static str = "Values less their group's mean, over its deviation, scaled and shifted.";
    const INPUTS: &'static [InputSchema] = &[
        InputSchema::required("x", ""),
        InputSchema::required("mean", ""),
        InputSchema::required("reciprocal_deviation", ""),
        InputSchema::required("weight", ""),
        InputSchema::required("bias", ""),
    ];

    fn infer(&self, inputs: &[TensorType]) -> Result<OutTypes> {
        Ok(smallvec![inputs[0]])
    }

    fn work(&self, inputs: &[TensorType]) -> Work {
        Work::Elementwise(AFFINE.of(inputs[0].dtype).program().clone())
    }

    fn saved(&self) -> Saved {
        Saved::inputs(0b1111)
    }

    fn vjp(&self, cx: &mut Backward<'_>) -> Result<()> {
        let Some(g) = cx.gradient(0) else { return Ok(()) };
        let TensorType { dtype, shape } = cx.input_type(0);
        let [x, mean, r, weight] = [0, 1, 2, 3].map(|i| cx.input(i));
        let along = |cx: &mut Backward<'_>| cx.apply_dyn(ALONG.of(dtype), &[g, x, mean, r]);
        if self.one_weight {
            // Sums over the groups serve all three gradients; weight and bias need at most one more, over what is left.
            let total = sum(cx, g, &self.axes)?;
            let along = along(cx)?;
            let along = sum(cx, along, &self.axes)?;
            if cx.wants(0) {
                let share = cx.scalar(1.0 / count(shape, &self.axes) as f64, dtype);
                let grad = cx.apply_dyn(INPUT_GRADIENT.of(dtype), &[g, x, mean, r, weight, total, along, share])?;
                cx.set(0, grad);
            }
            if cx.wants(3) {
                cx.set_reduced(3, along)?;
            }
            if cx.wants(4) {
                cx.set_reduced(4, total)?;
            }
            return Ok(());
        }
        if cx.wants(0) {
            let weighted = cx.apply_dyn(WEIGHTED.of(dtype), &[g, weight])?;
            let total = sum(cx, weighted, &self.axes)?;
            let along = cx.apply_dyn(WEIGHTED_ALONG.of(dtype), &[g, weight, x, mean, r])?;
            let along = sum(cx, along, &self.axes)?;
            let share = cx.scalar(1.0 / count(shape, &self.axes) as f64, dtype);
            let grad = cx.apply_dyn(WEIGHTED_GRADIENT.of(dtype), &[g, x, mean, r, weight, total, along, share])?;
            cx.set(0, grad);
        }
        if cx.wants(3) {
            let along = along(cx)?;
            cx.set_reduced(3, along)?;
        }
        if cx.wants(4) {
            cx.set_reduced(4, g)?;
        }
        Ok(())
    }

    fn samples() -> Vec<Sample<Standardize>> {
        Vec::new()
    }
}
