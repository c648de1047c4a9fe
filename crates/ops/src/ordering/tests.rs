use super::*;
use crate::computing::{Value, compute, first};
use crate::recording::{check, typed};
use fovea_core::DType::{Bool, F32, I32, I64};
use fovea_core::ErrorKind;

#[test]
fn every_sample_records_with_both_derivatives() {
    check(ops());
}

#[test]
fn types_and_wrong_dimensions() {
    assert_eq!(typed(Cumsum { dim: 0 }, &[(Bool, &[3])]).unwrap().dtype, I64);
    assert_eq!(typed(Sort { dim: 1, descending: false }, &[(I32, &[3, 2])]).unwrap().dtype, I32);
    assert_eq!(typed(Cummax { dim: 1 }, &[(I32, &[3, 2])]).unwrap().dtype, I32);
    for error in [
        typed(Cummin { dim: 2 }, &[(F32, &[3, 2])]).unwrap_err(),
        typed(Cumsum { dim: 1 }, &[(F32, &[3])]).unwrap_err(),
        typed(Sort { dim: 0, descending: false }, &[(F32, &[])]).unwrap_err(),
    ] {
        assert_eq!((error.kind(), error.fields().argument.as_deref()), (ErrorKind::Argument, Some("dim")));
    }
}

#[test]
fn long_sums_of_f32_keep_their_digits() {
    let x = Value::new(&[1 << 20], &vec![0.1f32; 1 << 20]);
    let sums: Vec<f32> = first(&Cumsum { dim: 0 }, &[x]).unwrap();
    let exact = f64::from(0.1f32) * f64::from(1 << 20);
    assert_eq!(f64::from(sums[(1 << 20) - 1]), f64::from(exact as f32));
}

#[test]
fn the_last_of_equals_is_named_and_nan_stays() {
    let x = || Value::new(&[6], &[1.0f32, 3.0, 3.0, f32::NAN, 5.0, f32::NAN]);
    let both = |op: &dyn Fn() -> Vec<Option<Value>>| {
        let results = op();
        let values = results[0].as_ref().unwrap().get::<f32>();
        (values[..3].to_vec(), values[3..].iter().all(|v| v.is_nan()), results[1].as_ref().unwrap().get::<i32>())
    };
    let largest = both(&|| compute(&Cummax { dim: 0 }, &[x()], &[]).unwrap());
    assert_eq!(largest, (vec![1.0, 3.0, 3.0], true, vec![0, 1, 2, 3, 3, 5]));
    let smallest = both(&|| compute(&Cummin { dim: 0 }, &[x()], &[]).unwrap());
    assert_eq!(smallest, (vec![1.0, 1.0, 1.0], true, vec![0, 0, 0, 3, 3, 5]));
}

#[test]
fn sorting_is_stable_either_way() {
    let x = || Value::new(&[6], &[1.0f32, 0.0, 1.0, f32::NAN, -0.0, 1.0]);
    let places = |descending| {
        compute(&Sort { dim: 0, descending }, &[x()], &[false, true]).unwrap()[1].as_ref().unwrap().get::<i32>()
    };
    assert_eq!(places(false), [1, 4, 0, 2, 5, 3]);
    assert_eq!(places(true), [3, 0, 2, 5, 1, 4]);
}
