//! Sums, means, variances and maxima of groups, with the reduced dimensions kept as 1.

use crate::maps::Maps;
use crate::reduction::Reduce;
use fovea_core::graph::{Build, Val};
use fovea_core::op::Monoid;
use fovea_core::{Error, Result, Shape, TensorType};
use smallvec::SmallVec;

/// Axes of the groups.
pub(crate) type Axes = SmallVec<[usize; 4]>;

/// `x · factor`.
static SCALED: Maps = Maps::new("scaled", 2, |v| &v[0] * &v[1]);
/// `(x − mean)²`.
static SQUARED_DISTANCE: Maps = Maps::new("squared distance", 2, |v| {
    let distance = &v[0] - &v[1];
    &distance * &distance
});
/// `exp(x − m)`.
static EXPONENTIAL: Maps = Maps::new("exponential", 2, |v| (&v[0] - &v[1]).exp());
/// `1 / √(variance + ε)`.
static RECIPROCAL_DEVIATION: Maps = Maps::new("reciprocal deviation", 2, |v| 1.0 / (&v[0] + &v[1]).sqrt());

/// x must be a float.
pub(super) fn check_float(op: &str, ty: &TensorType, name: &str) -> Result<()> {
    if ty.dtype.is_float() {
        return Ok(());
    }
    Err(Error::dtype(format!("{op} takes f32 or f64, {name} is {}; cast it with to('f32')", ty.dtype))
        .at(name)
        .expected("f32 or f64")
        .received(ty.dtype.name()))
}

/// Elements of a group.
pub(super) fn count(shape: Shape, axes: &[usize]) -> usize {
    axes.iter().map(|&a| shape[a]).product()
}

pub(super) fn sum(cx: &mut Build<'_>, x: Val, axes: &Axes) -> Result<Val> {
    cx.apply(Reduce { axes: axes.clone(), keep_dim: true, monoid: Monoid::Sum }, &[x])
}

/// The largest element.
fn max(cx: &mut Build<'_>, x: Val, axes: &Axes) -> Result<Val> {
    cx.apply(Reduce { axes: axes.clone(), keep_dim: true, monoid: Monoid::Max }, &[x])
}

/// The largest element m, `exp(x − m)` and `Σ exp(x − m)`, without gradient, so that nothing is saved for one.
pub(super) fn exponential_sum(cx: &mut Build<'_>, x: Val, axes: &Axes) -> Result<[Val; 3]> {
    let dtype = cx.dtype(x);
    let was = std::mem::replace(&mut cx.grad_enabled, false);
    let result = max(cx, x, axes).and_then(|max| {
        let exponentials = cx.apply_dyn(EXPONENTIAL.of(dtype), &[x, max])?;
        Ok([max, exponentials, sum(cx, exponentials, axes)?])
    });
    cx.grad_enabled = was;
    result
}

fn mean(cx: &mut Build<'_>, x: Val, axes: &Axes) -> Result<Val> {
    let n = count(cx.shape(x), axes);
    let dtype = cx.dtype(x);
    let sum = sum(cx, x, axes)?;
    let share = cx.scalar(1.0 / n as f64, dtype);
    cx.apply_dyn(SCALED.of(dtype), &[sum, share])
}

/// Mean and biased variance, in two passes.
pub(super) fn moments(cx: &mut Build<'_>, x: Val, axes: &Axes) -> Result<[Val; 2]> {
    let dtype = cx.dtype(x);
    let centre = mean(cx, x, axes)?;
    let squares = cx.apply_dyn(SQUARED_DISTANCE.of(dtype), &[x, centre])?;
    Ok([centre, mean(cx, squares, axes)?])
}

/// `1 / √(variance + eps)`.
pub(super) fn reciprocal_deviation(cx: &mut Build<'_>, variance: Val, eps: f64) -> Result<Val> {
    let dtype = cx.dtype(variance);
    let eps = cx.scalar(eps, dtype);
    cx.apply_dyn(RECIPROCAL_DEVIATION.of(dtype), &[variance, eps])
}
