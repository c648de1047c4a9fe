use super::*;
use crate::recording::{check, typed};
use fovea_core::DType::{F32, F64, I32, I64};
use fovea_core::attributes::{Float, Given};
use fovea_core::{DType, Result, TensorType};

#[test]
fn every_sample_records_with_both_derivatives() {
    check(ops());
}

fn loss(smoothing: f64, reduction: i64, inputs: &[(DType, &[usize])]) -> Result<TensorType> {
    let given = Given::first(inputs.len() as u32);
    typed(CrossEntropy { label_smoothing: Float(smoothing), ignore_index: Some(-100), reduction, given }, inputs)
}

#[test]
fn shapes_of_results() {
    assert_eq!(*loss(0.0, 1, &[(F32, &[4, 5]), (I64, &[4])]).unwrap().shape, []);
    assert_eq!(*loss(0.0, 0, &[(F32, &[4, 5, 2, 3]), (I32, &[4, 2, 3])]).unwrap().shape, [4, 2, 3]);
    assert_eq!(*loss(0.0, 0, &[(F64, &[5]), (I32, &[])]).unwrap().shape, []);
}

#[test]
fn wrong_calls_name_the_argument() {
    let cases: [(f64, i64, &[(DType, &[usize])], &str); 8] = [
        (0.0, 1, &[(I32, &[4, 5]), (I64, &[4])], "logits"),
        (0.0, 1, &[(F32, &[]), (I64, &[])], "logits"),
        (0.0, 1, &[(F32, &[4, 5]), (F32, &[4])], "target"),
        (0.0, 1, &[(F32, &[4, 5]), (I64, &[5])], "target"),
        (0.0, 1, &[(F32, &[4, 5]), (I64, &[4]), (F32, &[4])], "weight"),
        (0.0, 1, &[(F32, &[4, 5]), (I64, &[4]), (F64, &[5])], "weight"),
        (1.5, 1, &[(F32, &[4, 5]), (I64, &[4])], "label_smoothing"),
        (0.0, 3, &[(F32, &[4, 5]), (I64, &[4])], "reduction"),
    ];
    for (smoothing, reduction, inputs, argument) in cases {
        let error = loss(smoothing, reduction, inputs).unwrap_err();
        assert_eq!(error.fields().argument.as_deref(), Some(argument), "{error}");
        assert_eq!(error.fields().op.as_deref(), Some("cross_entropy"));
    }
}
