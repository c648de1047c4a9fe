//! Scalar programs that compositions record, made once for each float dtype.

use fovea_core::DType;
use fovea_core::graph::primitives::Map;
use fovea_core::scalar::{Expr, build};
use std::sync::{Arc, OnceLock};

/// One map for each dtype of its operands.
pub struct Maps {
    name: &'static str,
    arity: usize,
    value: fn(&[Expr]) -> Expr,
    of: [OnceLock<Arc<Map>>; DType::ALL.len()],
}

impl Maps {
    /// A map of `arity` operands of one dtype.
    pub const fn new(name: &'static str, arity: usize, value: fn(&[Expr]) -> Expr) -> Maps {
        Maps { name, arity, value, of: [const { OnceLock::new() }; DType::ALL.len()] }
    }

    pub fn of(&self, dtype: DType) -> Arc<Map> {
        let make = || Map::new(self.name, build(&vec![dtype; self.arity], |x| vec![(self.value)(x)]));
        self.of[dtype as usize].get_or_init(make).clone()
    }
}
