//! Ops that make values from numbers alone.

mod arange;
mod full;

pub use arange::Arange;
pub use full::Full;

use fovea_core::op::OpDef;

pub fn ops() -> Vec<OpDef> {
    vec![OpDef::of::<Full>(), OpDef::of::<Arange>()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::{check, typed};
    use fovea_core::DType::{Bool, F32};
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
}
