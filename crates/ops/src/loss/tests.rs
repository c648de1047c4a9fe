use super::*;
use crate::computing::{Value, first};
use crate::recording::{check, typed};
use fovea_core::DType::{F32, F64, I32, I64};
use fovea_core::attributes::{Float, Given};
use fovea_core::{DType, Result, TensorType};

type Input = (DType, &'static [usize]);

#[test]
fn every_sample_records_with_both_derivatives() {
    check(ops());
}

fn loss(smoothing: f64, reduction: i64, inputs: &[Input]) -> Result<TensorType> {
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
    let cases: [(f64, i64, &[Input], &str); 8] = [
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

#[test]
fn a_target_that_is_no_class_is_named() {
    let check = |ignore_index, target: &[i64]| {
        let op = target::CheckTarget { classes: 5, ignore_index };
        first::<i64>(&op, &[Value::new(&[target.len()], target)])
    };
    assert_eq!(check(Some(-100), &[4, -100, 0]).unwrap(), [4, -100, 0]);
    for (target, ignore) in [(5, None), (-1, Some(-100)), (-100, None)] {
        let error = check(ignore, &[0, target]).unwrap_err();
        assert_eq!(error.fields().argument.as_deref(), Some("target"));
        assert!(error.to_string().contains(&format!("target {target} at position [1]")), "{error}");
    }
}
