//! Ops that walk along one dimension in its order: running sums and extremes, and sorting.

mod cummax_cummin;
mod cumsum;
mod sort;
#[cfg(test)]
mod tests;

pub use cummax_cummin::{Cummax, Cummin};
pub use cumsum::Cumsum;
pub use sort::Sort;

use crate::indexing::ScatterAdd;
use crate::movement::dims::dimension;
use fovea_core::graph::Backward;
use fovea_core::op::{OpDef, OutTypes};
use fovea_core::{DType, Error, Op, Result, TensorType};
use smallvec::smallvec;

pub fn ops() -> Vec<OpDef> {
    vec![OpDef::of::<Cumsum>(), OpDef::of::<Sort>(), OpDef::of::<Cummax>(), OpDef::of::<Cummin>()]
}

/// The types of elements taken from x along `dim` and, as i32, of the places where they stood there.
fn with_places<O: Op>(x: TensorType, dim: i64) -> Result<OutTypes> {
    let shape = x.shape;
    if shape[dimension(dim, shape.rank(), "dim")?] > i32::MAX as usize {
        let most = format!("{} finds places in dimensions of at most 2^31 − 1 elements", O::NAME);
        return Err(Error::shape(most).at("x"));
    }
    Ok(smallvec![x, TensorType { dtype: DType::I32, shape }])
}

/// The gradient of elements taken along `dim`: added where they stood, which the second result says.
fn back_to_places(cx: &mut Backward<'_>, dim: i64) -> Result<()> {
    let Some(g) = cx.gradient(0) else { return Ok(()) };
    if cx.wants(0) {
        let TensorType { dtype, shape } = cx.input_type(0);
        let places = cx.output(1);
        let zeros = cx.full(0.0, shape, dtype)?;
        let grad = cx.apply(ScatterAdd { dim }, &[zeros, places, g])?;
        cx.set(0, grad);
    }
    Ok(())
}
