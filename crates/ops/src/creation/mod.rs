//! Ops that make values from numbers alone.

mod arange;
mod full;

pub use arange::Arange;
pub use full::Full;

use fovea_core::DType;
use fovea_core::op::{DynOp, OpDef};

pub fn ops() -> Vec<OpDef> {
    vec![OpDef::of::<Full>(), OpDef::of::<Arange>()]
}

/// The dtype that numbers among the inputs of a creation op should have, so that none is rounded on its way.
pub fn number_dtype(op: &dyn DynOp) -> Option<DType> {
    let any = op.as_any();
    let full = any.downcast_ref::<Full>().map(|op| op.dtype);
    full.or_else(|| any.downcast_ref::<Arange>().map(|op| op.dtype))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::{check, typed};
    use fovea_core::DType::{Bool, F32, F64, I64};
    use fovea_core::ErrorKind;

    #[test]
    fn every_sample_records_with_both_derivatives() {
        check(ops());
    }

    #[test]
    fn numbers_only() {
        let error = typed(Full { shape: vec![2], dtype: F32 }, &[(F32, &[3])]).unwrap_err();
        assert_eq!((error.kind(), error.fields().argument.as_deref()), (ErrorKind::Shape, Some("value")));
        let error = typed(Arange { length: 3, dtype: Bool }, &[(F32, &[]), (F32, &[])]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::DType);
    }

    #[test]
    fn numbers_arrive_in_the_dtype_of_the_result() {
        assert_eq!(number_dtype(&Full { shape: vec![2], dtype: F64 }), Some(F64));
        assert_eq!(number_dtype(&Arange { length: 2, dtype: I64 }), Some(I64));
        assert_eq!(number_dtype(&crate::scalar::Cast { dtype: F32 }), None);
    }
}
