use super::*;
use crate::recording::{check, typed};
use fovea_core::DType::{Bool, F32, F64, I32, I64, U8};
use fovea_core::{DType, ErrorKind, Op, Shape};

#[test]
fn every_sample_records_with_both_derivatives() {
    check(ops());
}

#[test]
fn shapes_of_results() {
    let shape = |dim: Option<Vec<i64>>, keep_dim: bool| -> Shape {
        typed(Sum { dim, keep_dim }, &[(F32, &[2, 3, 4])]).unwrap().shape
    };
    assert_eq!(*shape(None, false), []);
    assert_eq!(*shape(None, true), [1, 1, 1]);
    assert_eq!(*shape(Some(vec![1]), false), [2, 4]);
    assert_eq!(*shape(Some(vec![-1, 0]), true), [1, 3, 1]);
    assert_eq!(*shape(Some(vec![]), false), [2, 3, 4]);
}

#[test]
fn dtypes_of_results() {
    fn of<O: Op>(op: O, dtype: DType) -> DType {
        typed(op, &[(dtype, &[2, 3])]).unwrap().dtype
    }
    for (from, sum, mean) in [(F32, F32, F32), (F64, F64, F64), (I32, I64, F32), (U8, I64, F32), (Bool, I64, F32)] {
        assert_eq!(of(Sum { dim: None, keep_dim: false }, from), sum);
        assert_eq!(of(Prod { dim: None, keep_dim: false }, from), sum);
        assert_eq!(of(Mean { dim: None, keep_dim: false }, from), mean);
        assert_eq!(of(Max { dim: None, keep_dim: false }, from), from);
        assert_eq!(of(ArgMin { dim: None, keep_dim: false }, from), I32);
        assert_eq!(of(Any { dim: None, keep_dim: false }, from), Bool);
    }
}

#[test]
fn extremes_of_nothing_are_errors() {
    let nothing = [(F32, &[0usize, 3][..])];
    let error = typed(Max { dim: Some(vec![0]), keep_dim: false }, &nothing).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Shape);
    assert_eq!(error.fields().op.as_deref(), Some("max"));
    assert!(typed(ArgMax { dim: None, keep_dim: false }, &nothing).is_err());
    assert_eq!(*typed(Max { dim: Some(vec![1]), keep_dim: false }, &nothing).unwrap().shape, [0]);
    assert_eq!(*typed(Sum { dim: Some(vec![0]), keep_dim: false }, &nothing).unwrap().shape, [3]);
}

#[test]
fn dimensions_are_checked() {
    for dim in [vec![2], vec![-3], vec![0, -2]] {
        let error = typed(Sum { dim: Some(dim), keep_dim: false }, &[(F32, &[2, 3])]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Argument);
        assert_eq!(error.fields().argument.as_deref(), Some("dim"));
    }
}

#[test]
fn products_have_a_gradient_where_elements_are_zero() {
    let others = super::reduce::OTHERS.of(F64);
    for (row, want) in [
        ([2.0, 4.0, -5.0], [-20.0, -10.0, 8.0]),
        ([2.0, 0.0, 3.0], [0.0, 6.0, 0.0]),
        ([0.0, 0.0, 5.0], [0.0, 0.0, 0.0]),
    ] {
        let filled = row.map(|x: f64| if x == 0.0 { 1.0 } else { x });
        let (product, zeros) = (filled.iter().product(), row.iter().filter(|x| **x == 0.0).count() as f64);
        for i in 0..3 {
            let gradient = crate::scalar::tests::eval(others.program(), &[1.0, row[i], filled[i], product, zeros]);
            assert_eq!(gradient, want[i], "{row:?} towards {i}");
        }
    }
}
