use super::*;
use crate::recording::{check, typed};
use fovea_core::DType::{F32, F64, I32};
use fovea_core::contraction::Role;
use fovea_core::op::Work;
use fovea_core::{DType, ErrorKind, Op, Shape, TensorType};

#[test]
fn every_sample_records_with_both_derivatives() {
    check(ops());
}

#[test]
fn matmul_takes_shapes_as_pytorch_does() {
    let cases: [(&[usize], &[usize], &[usize]); 9] = [
        (&[3, 4], &[4, 5], &[3, 5]),
        (&[4], &[4], &[]),
        (&[4], &[4, 5], &[5]),
        (&[3, 4], &[4], &[3]),
        (&[2, 3, 4], &[4], &[2, 3]),
        (&[4], &[7, 4, 5], &[7, 5]),
        (&[6, 1, 3, 4], &[7, 4, 5], &[6, 7, 3, 5]),
        (&[0, 3, 4], &[4, 5], &[0, 3, 5]),
        (&[0, 3, 4], &[1, 4, 5], &[0, 3, 5]),
    ];
    for (a, b, out) in cases {
        assert_eq!(*typed(Matmul {}, &[(F32, a), (F32, b)]).unwrap().shape, *out, "{a:?} by {b:?}");
    }
    assert_eq!(typed(Matmul {}, &[(F32, &[2, 3]), (F64, &[3, 2])]).unwrap().dtype, F64);
}

#[test]
fn matmul_says_what_does_not_meet() {
    let fails: [(&[usize], &[usize], &str); 4] = [
        (&[3, 4], &[5, 6], "a's last dimension is 4 but b's second to last dimension is 5"),
        (&[3, 4], &[5], "b's size is 5"),
        (&[2, 3, 4], &[3, 4, 5], "do not broadcast"),
        (&[], &[4], "a is a scalar"),
    ];
    for (a, b, part) in fails {
        let error = typed(Matmul {}, &[(F32, a), (F32, b)]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Shape);
        assert!(error.to_string().contains(part), "{error}");
        assert_eq!(error.fields().op.as_deref(), Some("matmul"));
    }
    let error = typed(Matmul {}, &[(I32, &[3, 4]), (F32, &[4, 5])]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DType);
    assert!(error.to_string().contains("to('f32')"), "{error}");
}

/// Sizes of the loops that have each role.
fn extents(op: &impl Op, inputs: &[TensorType]) -> [usize; 4] {
    let Work::Contraction(contraction) = op.work(inputs) else { panic!("no contraction") };
    [Role::Batch, Role::Row, Role::Col, Role::Sum].map(|role| contraction.extent(role))
}

#[test]
fn a_batch_of_one_operand_counts_to_its_rows() {
    let labels = |l: &[Option<u8>]| Labels::from_slice(l);
    let [batch, row, sum, col] = [0, 1, 2, 3].map(Some);
    let op = Contract { a: labels(&[batch, row, sum]), b: labels(&[sum, col]), out: labels(&[batch, row, col]) };
    let types = [TensorType::new(F32, [2, 3, 4]), TensorType::new(F32, [4, 5])];
    assert_eq!(extents(&op, &types), [1, 6, 5, 4]);
    let op = Contract { a: labels(&[batch, row, sum]), b: labels(&[batch, sum, col]), out: labels(&[batch, row, col]) };
    let types = [TensorType::new(F32, [2, 3, 4]), TensorType::new(F32, [2, 4, 5])];
    assert_eq!(extents(&op, &types), [2, 3, 5, 4]);
}

fn conv() -> Conv2d {
    Conv2d { stride: [1, 1], padding: [0, 0], dilation: [1, 1], groups: 1 }
}

fn image(shape: [usize; 4]) -> (DType, Vec<usize>) {
    (F32, shape.to_vec())
}

fn convolved(op: Conv2d, x: [usize; 4], weight: [usize; 4]) -> fovea_core::Result<Shape> {
    let (x, weight) = (image(x), image(weight));
    typed(op, &[(x.0, &x.1), (weight.0, &weight.1)]).map(|ty| ty.shape)
}

#[test]
fn convolutions_have_the_sizes_of_pytorch() {
    assert_eq!(*convolved(conv(), [2, 3, 8, 9], [5, 3, 3, 4]).unwrap(), [2, 5, 6, 6]);
    let op = Conv2d { stride: [2, 3], padding: [1, 2], dilation: [2, 1], groups: 3 };
    assert_eq!(*convolved(op.clone(), [2, 6, 11, 10], [9, 2, 3, 4]).unwrap(), [2, 9, 5, 4]);
    let types = [TensorType::new(F32, [2, 6, 11, 10]), TensorType::new(F32, [9, 2, 3, 4])];
    assert_eq!(extents(&op, &types), [3, 2 * 5 * 4, 3, 2 * 3 * 4]);
}

#[test]
fn convolutions_say_what_does_not_fit() {
    let cases = [
        (conv(), [2, 1, 8, 8], [4, 3, 3, 3], "weight expects 3 channels, x has 1", "x"),
        (conv(), [2, 3, 8, 8], [4, 3, 9, 9], "does not fit into an input of 8×8", "weight"),
        (Conv2d { dilation: [4, 4], ..conv() }, [2, 3, 8, 8], [4, 3, 3, 3], "does not fit", "weight"),
        (Conv2d { stride: [0, 1], ..conv() }, [2, 3, 8, 8], [4, 3, 3, 3], "stride must be at least 1", "stride"),
        (Conv2d { dilation: [1, 0], ..conv() }, [2, 3, 8, 8], [4, 3, 3, 3], "dilation must be at least 1", "dilation"),
        (Conv2d { groups: 0, ..conv() }, [2, 3, 8, 8], [4, 3, 3, 3], "groups must be at least 1", "groups"),
        (Conv2d { groups: 2, ..conv() }, [2, 4, 8, 8], [3, 2, 3, 3], "which 2 groups do not divide", "weight"),
    ];
    for (op, x, weight, part, argument) in cases {
        let error = convolved(op, x, weight).unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
        assert_eq!(error.fields().argument.as_deref(), Some(argument), "{error}");
        assert_eq!(error.fields().op.as_deref(), Some("conv2d"));
    }
    let error = typed(conv(), &[(F32, &[3, 8, 8]), (F32, &[4, 3, 3, 3])]).unwrap_err();
    assert!(error.to_string().contains("[N, C, H, W]"), "{error}");
    let error = typed(conv(), &[(F32, &[1, 3, 8, 8]), (F64, &[4, 3, 3, 3])]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DType);
}
