use super::*;
use crate::computing::{Value, first};
use crate::recording::{check, typed};
use fovea_core::DType::{Bool, F32, I32, I64};
use fovea_core::{ErrorKind, Shape};

#[test]
fn every_sample_records_with_both_derivatives() {
    check(ops());
}

#[test]
fn shapes_of_results() {
    assert_eq!(*typed(Gather { dim: -1 }, &[(F32, &[3, 4]), (I32, &[2, 9])]).unwrap().shape, [2, 9]);
    assert_eq!(*typed(IndexSelect { dim: 1 }, &[(F32, &[3, 4, 5]), (I64, &[7])]).unwrap().shape, [3, 7, 5]);
    let embedding = Embedding { padding_idx: None };
    assert_eq!(*typed(embedding.clone(), &[(F32, &[10, 4]), (I64, &[2, 3])]).unwrap().shape, [2, 3, 4]);
    assert_eq!(*typed(embedding, &[(F32, &[10, 4]), (I64, &[])]).unwrap().shape, [4]);
}

#[test]
fn wrong_calls_name_the_argument() {
    let argument = |result: fovea_core::Result<_>| result.err().and_then(|e| e.fields().argument.clone());
    let gather = |x: &[usize], dtype, index: &[usize]| argument(typed(Gather { dim: 1 }, &[(F32, x), (dtype, index)]));
    assert_eq!(gather(&[3, 4], F32, &[3, 4]).as_deref(), Some("index"));
    assert_eq!(gather(&[3, 4], I32, &[4, 4]).as_deref(), Some("index"));
    assert_eq!(gather(&[3, 4], I32, &[4]).as_deref(), Some("index"));
    assert_eq!(gather(&[3], I32, &[3]).as_deref(), Some("dim"));
    let scatter =
        |x, source: &[usize]| argument(typed(ScatterAdd { dim: 0 }, &[(x, &[3, 4]), (I32, &[2, 4]), (x, source)]));
    assert_eq!(scatter(F32, &[3, 4]).as_deref(), Some("source"));
    assert_eq!(scatter(Bool, &[2, 4]).as_deref(), Some("x"));
    assert_eq!(scatter(F32, &[2, 4]), None);
    let set = |x, source: &[usize]| argument(typed(Scatter { dim: 0 }, &[(x, &[3, 4]), (I32, &[2, 4]), (F32, source)]));
    assert_eq!(set(F32, &[3, 4]).as_deref(), Some("source"));
    assert_eq!(set(I64, &[2, 4]).as_deref(), Some("source"));
    assert_eq!(set(F32, &[2, 4]), None);
    let row = Embedding { padding_idx: Some(10) };
    assert_eq!(argument(typed(row, &[(F32, &[10, 4]), (I64, &[2])])).as_deref(), Some("padding_idx"));
    assert!(typed(IndexAdd { dim: 0 }, &[(F32, &[3, 4]), (I32, &[2]), (F32, &[3, 4])]).is_err());
}

#[test]
fn an_index_out_of_range_is_named_with_its_place() {
    let error = checked_index("index", -7, 5, Shape::from([2, 3]), 4).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Argument);
    assert_eq!(error.to_string(), "index -7 at position [1, 1] is out of range for a dimension of size 5");
    assert_eq!(error.fields().expected.as_deref(), Some("0 to 4"));
    assert_eq!(checked_index("index", 4, 5, Shape::from([1]), 0).unwrap(), 4);
    assert!(checked_index("index", 5, 5, Shape::from([1]), 0).is_err());
}

#[test]
fn kernels_refuse_indices_out_of_range() {
    let x = Value::new(&[2, 3], &[1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let at = |shape: &[usize], index: &[i64]| Value::new(shape, index);
    let told = |result: fovea_core::Result<Vec<f32>>, what: &str| {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Argument);
        assert!(error.to_string().starts_with(what), "{error}");
    };
    told(first(&Gather { dim: 1 }, &[x.clone(), at(&[1, 2], &[0, 3])]), "index 3 at position [0, 1]");
    told(first(&IndexSelect { dim: 0 }, &[x.clone(), at(&[1], &[-1])]), "index -1 at position [0]");
    told(first(&Embedding { padding_idx: None }, &[x.clone(), at(&[1, 1], &[2])]), "indices 2 at position [0, 0]");
    let source = Value::new(&[1, 3], &[1.0f32; 3]);
    told(first(&IndexAdd { dim: 0 }, &[x.clone(), at(&[1], &[2]), source.clone()]), "index 2 at position [0]");
    told(
        first(&Scatter { dim: 0 }, &[x.clone(), at(&[1, 3], &[-1, 0, 1]), source.clone()]),
        "index -1 at position [0, 0]",
    );
    told(first(&ScatterAdd { dim: 0 }, &[x, at(&[1, 3], &[1, 0, 9]), source]), "index 9 at position [0, 2]");
}

#[test]
fn rows_are_shared_out_without_changing_the_order_of_additions() {
    let (rows, width, count) = (301, 67, 5000);
    let g: Vec<f32> = (0..count * width).map(|i| ((i * 7919) % 1009) as f32 * 1e-3).collect();
    let indices: Vec<i32> = (0..count as i32).map(|i| (i * 37) % rows as i32).collect();
    let mut expected = vec![0.0f32; rows * width];
    for (k, &r) in indices.iter().enumerate() {
        for d in 0..width {
            expected[r as usize * width + d] += g[k * width + d];
        }
    }
    let inputs = [Value::new(&[count, width], &g), Value::new(&[count], &indices)];
    assert_eq!(first::<f32>(&EmbeddingBackward { rows, padding_idx: None }, &inputs).unwrap(), expected);
    expected[width..2 * width].fill(0.0);
    assert_eq!(first::<f32>(&EmbeddingBackward { rows, padding_idx: Some(1) }, &inputs).unwrap(), expected);
}

#[test]
fn integers_move_and_add_too() {
    let x = Value::new(&[3], &[1i64, 2, 3]);
    let index = Value::new(&[4], &[2i32, 0, 2, 2]);
    assert_eq!(first::<i64>(&Gather { dim: 0 }, &[x.clone(), index.clone()]).unwrap(), [3, 1, 3, 3]);
    let source = Value::new(&[4], &[10i64, 20, 30, 40]);
    assert_eq!(first::<i64>(&Scatter { dim: 0 }, &[x.clone(), index.clone(), source.clone()]).unwrap(), [20, 2, 40]);
    assert_eq!(first::<i64>(&ScatterAdd { dim: 0 }, &[x.clone(), index.clone(), source.clone()]).unwrap(), [21, 2, 83]);
    assert_eq!(first::<i64>(&IndexAdd { dim: 0 }, &[x, index, source]).unwrap(), [21, 2, 83]);
}
