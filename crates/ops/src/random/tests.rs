use super::*;
use crate::recording::{check, typed};
use fovea_core::DType::{Bool, F32, I32, I64, U8};
use fovea_core::ErrorKind;

#[test]
fn every_sample_records_with_both_derivatives() {
    check(ops());
}

#[test]
fn dtypes_of_results() {
    let key: (fovea_core::DType, &[usize]) = (I64, &[]);
    let uniform = |dtype| typed(Uniform { shape: vec![2, 3], dtype }, &[key]);
    assert_eq!(uniform(F32).unwrap(), TensorType::new(F32, [2, 3]));
    assert_eq!(uniform(I32).unwrap_err().kind(), ErrorKind::DType);
    let randint = |dtype| typed(Randint { shape: vec![4], dtype }, &[(F32, &[]), (F32, &[]), key]);
    assert_eq!(randint(U8).unwrap(), TensorType::new(U8, [4]));
    assert_eq!(randint(Bool).unwrap_err().kind(), ErrorKind::DType);
    let bernoulli = |p: &[usize]| typed(Bernoulli { shape: vec![2, 3], dtype: Bool }, &[(F32, p), key]);
    assert_eq!(bernoulli(&[3]).unwrap(), TensorType::new(Bool, [2, 3]));
    assert_eq!(bernoulli(&[2]).unwrap_err().kind(), ErrorKind::Shape);
    assert_eq!(typed(Dropout {}, &[(I32, &[3]), (F32, &[]), key]).unwrap_err().kind(), ErrorKind::DType);
    assert!(typed(Dropout {}, &[(F32, &[3]), (F32, &[3]), key]).is_err());
    assert!(typed(Uniform { shape: vec![2], dtype: F32 }, &[(F32, &[])]).is_err());
}
