use super::*;
use crate::recording::{check, typed};
use fovea_core::DType::{Bool, F32, F64, I32};
use fovea_core::attributes::Float;
use fovea_core::{ErrorKind, Layout, Op, Shape, TensorType};

/// The buffer positions of a view of `from`, in row-major order of the result.
fn positions<O: Op>(op: &O, from: &[usize]) -> Vec<usize> {
    let layout = op.view(&Layout::contiguous(Shape::new(from))).expect("a view");
    let shape = layout.shape;
    assert_eq!(op.infer(&[TensorType::new(F32, from)]).unwrap()[0].shape, shape);
    (0..shape.size())
        .map(|i| {
            let mut rest = i;
            let mut at = layout.offset as isize;
            for d in (0..shape.rank()).rev() {
                at += (rest % shape[d]) as isize * layout.strides[d];
                rest /= shape[d];
            }
            at as usize
        })
        .collect()
}

#[test]
fn every_sample_records_with_both_derivatives() {
    check(ops());
}

#[test]
fn views_read_the_right_elements() {
    assert_eq!(positions(&Permute { dims: vec![-1, 0] }, &[2, 3]), [0, 3, 1, 4, 2, 5]);
    assert_eq!(positions(&Flip { dims: vec![1] }, &[2, 3]), [2, 1, 0, 5, 4, 3]);
    assert_eq!(positions(&Flip { dims: vec![0, 1] }, &[2, 3]), [5, 4, 3, 2, 1, 0]);
    assert_eq!(positions(&Expand { shape: vec![2, -1, 2] }, &[3, 1]), [0, 0, 1, 1, 2, 2, 0, 0, 1, 1, 2, 2]);
    let slice = Slice { starts: vec![-1, 0], lengths: vec![2, 2], steps: vec![-1, 2] };
    assert_eq!(positions(&slice, &[3, 4]), [8, 10, 4, 6]);
    assert_eq!(positions(&Slice::along(Shape::from([2, 4]), 1, 1, 3), &[2, 4]), [1, 2, 5, 6]);
    assert_eq!(positions(&Reshape { shape: vec![3, -1] }, &[2, 3]), [0, 1, 2, 3, 4, 5]);
    assert!(positions(&Flip { dims: vec![0] }, &[0, 2]).is_empty());
}

#[test]
fn reshape_says_what_does_not_fit() {
    for (shape, from, part) in [
        (vec![4, 2], &[2, 3][..], "6 elements"),
        (vec![-1, 4], &[2, 3], "-1"),
        (vec![-1, -1], &[2, 3], "only one"),
        (vec![-2, 3], &[2, 3], "can't be -2"),
        (vec![-1, 0], &[0, 3], "-1"),
    ] {
        let error = typed(Reshape { shape: shape.clone() }, &[(F32, from)]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Shape, "{shape:?}");
        assert_eq!(error.fields().argument.as_deref(), Some("shape"));
        assert!(error.to_string().contains(part), "{error}");
    }
}

#[test]
fn wrong_dimensions_are_argument_errors() {
    let over = |error: fovea_core::Error| {
        assert_eq!(error.kind(), ErrorKind::Argument);
        error.fields().argument.clone().unwrap()
    };
    assert_eq!(over(typed(Permute { dims: vec![0] }, &[(F32, &[2, 3])]).unwrap_err()), "dims");
    assert_eq!(over(typed(Permute { dims: vec![0, 0] }, &[(F32, &[2, 3])]).unwrap_err()), "dims");
    assert_eq!(over(typed(Flip { dims: vec![2] }, &[(F32, &[2, 3])]).unwrap_err()), "dims");
    assert_eq!(over(typed(Concat { dim: 1 }, &[(F32, &[2])]).unwrap_err()), "dim");
    assert_eq!(over(typed(Concat { dim: 0 }, &[]).unwrap_err()), "tensors");
    assert_eq!(over(typed(Pad::zeros(vec![1, 1]), &[(F32, &[2, 3])]).unwrap_err()), "padding");
    let half = Pad { padding: vec![1, 0], value: Float(0.5) };
    assert_eq!(over(typed(half, &[(I32, &[2])]).unwrap_err()), "value");
    let outside = Slice { starts: vec![1], lengths: vec![3], steps: vec![1] };
    assert_eq!(over(typed(outside, &[(F32, &[3])]).unwrap_err()), "starts");
}

#[test]
fn expand_takes_only_what_broadcasts() {
    let error = typed(Expand { shape: vec![4, 3] }, &[(F32, &[2, 3])]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Shape);
    assert!(typed(Expand { shape: vec![-1, 3] }, &[(F32, &[3])]).is_err());
}

#[test]
fn concat_promotes_and_checks_shapes() {
    let ty = typed(Concat { dim: -1 }, &[(I32, &[2, 3]), (F64, &[2, 1]), (Bool, &[2, 0])]).unwrap();
    assert_eq!((ty.dtype, &*ty.shape), (F64, &[2usize, 4][..]));
    let error = typed(Concat { dim: 0 }, &[(F32, &[2, 3]), (F32, &[2, 4])]).unwrap_err();
    assert_eq!(error.fields().argument.as_deref(), Some("tensors[1]"));
    assert!(error.to_string().contains("[2, 3]") && error.to_string().contains("[2, 4]"), "{error}");
}
