//! Kernels written by hand, and draws; throughput in bytes that must be moved.

use crate::case::{Leaf, case, op};
use criterion::{Criterion, Throughput};
use fovea_core::op::{OpDef, TensorType, Work};
use fovea_core::{DType, Shape};
use fovea_ops::indexing::{Embedding, EmbeddingBackward, Gather, IndexAdd, IndexSelect, Scatter, ScatterAdd};
use fovea_ops::ordering::{Cummax, Cummin, Cumsum, Sort};
use fovea_ops::pooling::{AvgPool2d, AvgPool2dBackward, MaxPool2d, MaxPool2dBackward};
use fovea_ops::random::{Normal, Uniform};

const IMAGES: [usize; 4] = [16, 64, 56, 56];
const HALVED: [usize; 4] = [16, 64, 28, 28];
const ROWS: [usize; 2] = [1024, 1024];

/// The ops that are measured here: all that have kernels of their own.
const MEASURED: [&str; 15] = [
    "max_pool2d",
    "max_pool2d_backward",
    "avg_pool2d",
    "avg_pool2d_backward",
    "gather",
    "scatter",
    "scatter_add",
    "index_select",
    "index_add",
    "embedding",
    "embedding_backward",
    "cumsum",
    "sort",
    "cummax",
    "cummin",
];

fn has_kernel(def: &OpDef) -> bool {
    let sample = (def.samples)().into_iter().next();
    sample.is_some_and(|sample| {
        let of = |i: &fovea_core::sample::SampleInput| TensorType::new(i.dtype.unwrap_or(DType::F32), i.shape);
        let inputs: Vec<TensorType> = sample.inputs.iter().map(of).collect();
        sample.op.infer(&inputs).is_ok() && matches!(sample.op.work(&inputs), Work::Kernel)
    })
}

pub fn pooling(c: &mut Criterion) {
    let missing: Vec<&str> = fovea_ops::all().iter().filter(|def| has_kernel(def)).map(|def| def.name).collect();
    let missing: Vec<&str> = missing.into_iter().filter(|name| !MEASURED.contains(name)).collect();
    assert!(missing.is_empty(), "kernels that nothing measures: {missing:?}");

    let bytes = 4 * (IMAGES.iter().product::<usize>() + HALVED.iter().product::<usize>());
    let (size, stride, padding) = ([3, 3], [2, 2], [1, 1]);
    for (name, image) in [("planes", Leaf::Planes as fn([usize; 4]) -> Leaf<'static>), ("channels-last", Leaf::Images)]
    {
        let (x, g) = (image(IMAGES), image(HALVED));
        let kernel_size = size;
        op(c, &format!("pooling/max, {name}"), bytes, &[x], MaxPool2d { kernel_size, stride, padding });
        let average = AvgPool2d { kernel_size, stride, padding, count_include_pad: true };
        op(c, &format!("pooling/average, {name}"), bytes, &[x], average);
        let input_size = [IMAGES[2], IMAGES[3]];
        let places = Leaf::Places(&HALVED, input_size[0] * input_size[1]);
        op(c, &format!("pooling/max gradient, {name}"), bytes, &[g, places], MaxPool2dBackward { input_size });
        let average = AvgPool2dBackward { input_size, kernel_size, stride, padding, count_include_pad: true };
        op(c, &format!("pooling/average gradient, {name}"), bytes, &[g], average);
    }
}

pub fn places(c: &mut Criterion) {
    let (rows, all) = (Leaf::Floats(&ROWS), Leaf::Places(&ROWS, ROWS[0]));
    let bytes = 12 * ROWS[0] * ROWS[1];
    op(c, "places/gather", bytes, &[rows, all], Gather { dim: 1 });
    op(c, "places/scatter", bytes, &[rows, all, rows], Scatter { dim: 1 });
    op(c, "places/scatter add", bytes, &[rows, all, rows], ScatterAdd { dim: 1 });
    let some = Leaf::Places(&ROWS[..1], ROWS[0]);
    op(c, "places/index select", bytes, &[rows, some], IndexSelect { dim: 0 });
    op(c, "places/index add", bytes, &[rows, some, rows], IndexAdd { dim: 0 });
    let (words, table) = ([64, 128], [10_000, 64]);
    let width = table[1];
    let g = [words[0], words[1], width];
    let (indices, bytes) = (Leaf::Places(&words, table[0]), 8 * words[0] * words[1] * width);
    op(c, "places/embedding", bytes, &[Leaf::Floats(&table), indices], Embedding { padding_idx: None });
    let backward = EmbeddingBackward { rows: table[0], padding_idx: None };
    op(c, "places/embedding gradient", bytes, &[Leaf::Floats(&g), indices], backward);
}

pub fn orders(c: &mut Criterion) {
    let (rows, bytes) = (Leaf::Floats(&ROWS), 8 * ROWS[0] * ROWS[1]);
    for (name, dim) in [("rows", 1), ("columns", 0)] {
        op(c, &format!("orders/cumsum of {name}"), bytes, &[rows], Cumsum { dim });
        op(c, &format!("orders/cummax of {name}"), bytes, &[rows], Cummax { dim });
        op(c, &format!("orders/cummin of {name}"), bytes, &[rows], Cummin { dim });
        op(c, &format!("orders/sort of {name}"), bytes, &[rows], Sort { dim, descending: false });
    }
}

pub fn random(c: &mut Criterion) {
    let shape = Shape::from([1 << 20]);
    let work = || Throughput::Bytes(4 * shape.size() as u64);
    case(c, "random/uniform", work(), &[], |s, _| {
        let key = s.random_key(shape.size() / 4);
        Ok(vec![s.apply(Uniform { shape: shape.to_vec(), dtype: DType::F32 }, &[key])?])
    });
    case(c, "random/normal", work(), &[], |s, _| {
        let key = s.random_key(shape.size());
        Ok(vec![s.apply(Normal { shape: shape.to_vec(), dtype: DType::F32 }, &[key])?])
    });
}
