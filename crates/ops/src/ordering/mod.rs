//! Ops that walk along one dimension in its order: running sums and extremes, and sorting.

mod cummax_cummin;
mod cumsum;
mod sort;
#[cfg(test)]
mod tests;

pub use cummax_cummin::{Cummax, Cummin};
pub use cumsum::Cumsum;
pub use sort::Sort;

use fovea_core::op::OpDef;

pub fn ops() -> Vec<OpDef> {
    vec![OpDef::of::<Cumsum>(), OpDef::of::<Sort>(), OpDef::of::<Cummax>(), OpDef::of::<Cummin>()]
}
