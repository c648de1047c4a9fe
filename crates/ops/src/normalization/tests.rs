use super::*;
use crate::recording::{check, typed};
use fovea_core::DType::{F32, F64, I32};
use fovea_core::attributes::{Float, Given};
use fovea_core::{DType, Error, ErrorKind};

type Input = (DType, &'static [usize]);

#[test]
fn every_sample_records_with_both_derivatives() {
    check(ops());
}

fn batch_norm(training: bool, inputs: &[Input]) -> Result<(), Error> {
    let op = BatchNorm { training, eps: Float(1e-5), given: Given::first(inputs.len() as u32) };
    typed(op, inputs).map(|_| ())
}

#[test]
fn batch_norm_says_what_is_missing() {
    let x: Input = (F32, &[4, 3, 2]);
    let c: Input = (F32, &[3]);
    assert!(batch_norm(true, &[x]).is_ok());
    assert!(batch_norm(false, &[x, c, c, c, c]).is_ok());
    let fails: [(bool, &[Input], ErrorKind, &str); 5] = [
        (false, &[x, c, c], ErrorKind::Argument, "running_mean"),
        (true, &[x, (F32, &[4])], ErrorKind::Shape, "weight"),
        (true, &[x, c, (F64, &[3])], ErrorKind::DType, "bias"),
        (true, &[(F32, &[1, 3])], ErrorKind::Shape, "x"),
        (true, &[(F32, &[3])], ErrorKind::Shape, "x"),
    ];
    for (training, inputs, kind, argument) in fails {
        let error = batch_norm(training, inputs).unwrap_err();
        assert_eq!((error.kind(), error.fields().argument.as_deref()), (kind, Some(argument)), "{error}");
    }
}

#[test]
fn layer_norm_checks_its_shape() {
    let op = |shape: &[usize]| LayerNorm { normalized_shape: shape.to_vec(), eps: Float(1e-5), given: Given::first(1) };
    assert!(typed(op(&[3, 2]), &[(F32, &[4, 3, 2])]).is_ok());
    for shape in [&[3][..], &[4, 3], &[1, 4, 3, 2], &[]] {
        let error = typed(op(shape), &[(F32, &[4, 3, 2])]).unwrap_err();
        assert_eq!(error.fields().argument.as_deref(), Some("normalized_shape"), "{error}");
    }
}

#[test]
fn softmax_takes_floats_and_dimensions_that_exist() {
    assert_eq!(typed(Softmax { dim: 0 }, &[(I32, &[4])]).unwrap_err().kind(), ErrorKind::DType);
    let error = typed(LogSoftmax { dim: 2 }, &[(F32, &[4, 3])]).unwrap_err();
    assert_eq!(error.fields().argument.as_deref(), Some("dim"));
    assert!(typed(Softmax { dim: 0 }, &[(F32, &[])]).is_err());
}
