use super::*;
use crate::computing::{Value, compute, first};
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

const NAN: f32 = f32::NAN;

#[test]
fn the_first_maximum_and_the_first_nan_win() {
    let x = [1.0, 1.0, 0.0, NAN, 1.0, 0.0, NAN, 5.0f32];
    // Two by two takes the fast path, the same windows with a step of 1 do not.
    for stride in [[2, 2], [1, 2]] {
        let x = Value::new(&[1, 2, 4], &x);
        let both = compute(&max([2, 2], stride, [0, 0]), &[x], &[]).unwrap();
        let [Some(values), Some(places)] = &both[..] else { panic!("two results") };
        assert_eq!(values.get::<f32>()[0], 1.0);
        assert!(values.get::<f32>()[1].is_nan());
        assert_eq!(places.get::<i32>(), [0, 3]);
    }
}

#[test]
fn padding_never_wins() {
    let x = Value::new(&[1, 2, 2], &[-1.0, -2.0, f32::NEG_INFINITY, -4.0f32]);
    let both = compute(&max([2, 2], [1, 1], [1, 1]), &[x], &[]).unwrap();
    let [Some(values), Some(places)] = &both[..] else { panic!("two results") };
    let low = f32::NEG_INFINITY;
    assert_eq!(values.get::<f32>(), [-1.0, -1.0, -2.0, -1.0, -1.0, -2.0, low, -4.0, -4.0]);
    assert_eq!(places.get::<i32>(), [0, 0, 1, 0, 0, 1, 2, 3, 3]);
}

#[test]
fn either_result_alone_is_the_same() {
    let values: Vec<f32> = (0..2 * 70 * 90).map(|i| ((i * 7919) % 1009) as f32).collect();
    let x = [Value::new(&[2, 70, 90], &values)];
    for op in [max([2, 2], [0, 0], [0, 0]), max([3, 3], [2, 2], [1, 1])] {
        let both = compute(&op, &x, &[]).unwrap();
        let values = compute(&op, &x, &[true, false]).unwrap();
        let places = compute(&op, &x, &[false, true]).unwrap();
        let [Some(a), Some(b)] = &both[..] else { panic!("two results") };
        assert_eq!(values[0].as_ref().map(Value::get::<f32>), Some(a.get()));
        assert_eq!(places[1].as_ref().map(Value::get::<i32>), Some(b.get()));
        assert!(values[1].is_none() && places[0].is_none());
    }
}

#[test]
fn a_place_outside_the_plane_is_an_error() {
    let g = Value::new(&[1, 1, 2], &[1.0f32, 2.0]);
    for place in [-1, 4] {
        let indices = Value::new(&[1, 1, 2], &[0, place]);
        let error = first::<f32>(&MaxPool2dBackward { input_size: [2, 2] }, &[g.clone(), indices]).unwrap_err();
        assert_eq!(error.fields().argument.as_deref(), Some("indices"));
        assert!(error.to_string().contains(&format!("index {place}")), "{error}");
    }
}
