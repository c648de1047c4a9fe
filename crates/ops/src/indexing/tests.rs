use super::*;
use crate::recording::{check, typed};
use fovea_core::DType::{Bool, F32, I32, I64};
use fovea_core::{ErrorKind, Shape};

#[test]
fn every_sample_records_with_both_derivatives() {
    check(ops());
}

#[test]
fn shapes_of_results() {
    assert_eq!(*typed(Gather { dim: -1 }, &[(F32, &[3, 4]), (I32, &[2, 9])]).unwrap().shape, [2, 9]);
    assert_eq!(*typed(IndexSelect { dim: 1 }, &[(F32, &[3, 4, 5]), (I64, &[7])]).unwrap().shape, [3, 7, 5]);
    let embedding = Embedding { padding_idx: None };
    assert_eq!(*typed(embedding.clone(), &[(F32, &[10, 4]), (I64, &[2, 3])]).unwrap().shape, [2, 3, 4]);
    assert_eq!(*typed(embedding, &[(F32, &[10, 4]), (I64, &[])]).unwrap().shape, [4]);
}

#[test]
fn wrong_calls_name_the_argument() {
    let argument = |result: fovea_core::Result<_>| result.err().and_then(|e| e.fields().argument.clone());
    let gather = |x: &[usize], dtype, index: &[usize]| argument(typed(Gather { dim: 1 }, &[(F32, x), (dtype, index)]));
    assert_eq!(gather(&[3, 4], F32, &[3, 4]).as_deref(), Some("index"));
    assert_eq!(gather(&[3, 4], I32, &[4, 4]).as_deref(), Some("index"));
    assert_eq!(gather(&[3, 4], I32, &[4]).as_deref(), Some("index"));
    assert_eq!(gather(&[3], I32, &[3]).as_deref(), Some("dim"));
    let scatter =
        |x, source: &[usize]| argument(typed(ScatterAdd { dim: 0 }, &[(x, &[3, 4]), (I32, &[2, 4]), (x, source)]));
    assert_eq!(scatter(F32, &[3, 4]).as_deref(), Some("source"));
    assert_eq!(scatter(Bool, &[2, 4]).as_deref(), Some("x"));
    assert_eq!(scatter(F32, &[2, 4]), None);
    let row = Embedding { padding_idx: Some(10) };
    assert_eq!(argument(typed(row, &[(F32, &[10, 4]), (I64, &[2])])).as_deref(), Some("padding_idx"));
    assert!(typed(IndexAdd { dim: 0 }, &[(F32, &[3, 4]), (I32, &[2]), (F32, &[3, 4])]).is_err());
}

#[test]
fn an_index_out_of_range_is_named_with_its_place() {
    let error = checked_index("index", -7, 5, Shape::from([2, 3]), 4).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Argument);
    assert_eq!(error.to_string(), "index -7 at position [1, 1] is out of range for a dimension of size 5");
    assert_eq!(error.fields().expected.as_deref(), Some("0 to 4"));
    assert_eq!(checked_index("index", 4, 5, Shape::from([1]), 0).unwrap(), 4);
    assert!(checked_index("index", 5, 5, Shape::from([1]), 0).is_err());
}
