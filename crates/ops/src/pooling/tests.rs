use super::*;
use crate::recording::{check, typed};
use fovea_core::DType::{F32, I32, I64};
use fovea_core::ErrorKind;

#[test]
fn every_sample_records_with_both_derivatives() {
    check(ops());
}

fn max(kernel_size: [usize; 2], stride: [usize; 2], padding: [usize; 2]) -> MaxPool2d {
    MaxPool2d { kernel_size, stride, padding }
}

#[test]
fn windows_have_the_sizes_of_pytorch() {
    let shape = |op: MaxPool2d, x: &[usize]| typed(op, &[(F32, x)]).unwrap().shape;
    assert_eq!(*shape(max([2, 2], [0, 0], [0, 0]), &[1, 3, 7, 8]), [1, 3, 3, 4]);
    assert_eq!(*shape(max([3, 3], [2, 2], [1, 1]), &[1, 3, 7, 8]), [1, 3, 4, 4]);
    assert_eq!(*shape(max([3, 2], [1, 3], [0, 1]), &[3, 7, 8]), [3, 5, 3]);
}

#[test]
fn pooling_says_what_does_not_fit() {
    let cases: [(MaxPool2d, &[usize], ErrorKind, &str); 5] = [
        (max([0, 2], [0, 0], [0, 0]), &[1, 1, 4, 4], ErrorKind::Argument, "kernel_size must be at least 1"),
        (max([2, 2], [0, 0], [2, 0]), &[1, 1, 4, 4], ErrorKind::Argument, "at most half of kernel_size"),
        (max([5, 5], [0, 0], [0, 0]), &[1, 1, 4, 4], ErrorKind::Shape, "does not fit"),
        (max([2, 2], [0, 0], [1, 1]), &[1, 1, 0, 4], ErrorKind::Shape, "does not fit"),
        (max([2, 2], [0, 0], [0, 0]), &[4, 4], ErrorKind::Shape, "[N, C, H, W]"),
    ];
    for (op, x, kind, part) in cases {
        let error = typed(op, &[(F32, x)]).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(part), "{error}");
    }
    assert_eq!(typed(max([2, 2], [0, 0], [0, 0]), &[(I32, &[1, 1, 4, 4])]).unwrap_err().kind(), ErrorKind::DType);
    let backward = MaxPool2dBackward { input_size: [4, 4] };
    assert!(typed(backward, &[(F32, &[1, 1, 2, 2]), (I64, &[1, 1, 2, 2])]).is_err());
}
