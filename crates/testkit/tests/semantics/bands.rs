//! S13 for bands: loops that run part by part give the same bits as each by itself, on any number of threads.

use super::layouts::watched;
use fovea_core::attributes::{Float, Given};
use fovea_core::graph::Val;
use fovea_core::op::DynOp;
use fovea_core::plan::BandLimits;
use fovea_core::{DType, Result};
use fovea_ops::loss::CrossEntropy;
use fovea_ops::normalization::{BatchNorm, LayerNorm, LogSoftmax, Softmax};
use fovea_testkit::Session;
use std::sync::Arc;

/// No band at all.
const NEVER: BandLimits = BandLimits { rows: usize::MAX, ..BandLimits::NONE };

/// Numbers whose sums round.
fn numbers(n: usize) -> Vec<f64> {
    (0..n).map(|i| (i * 7919 % 1013) as f64 / 97.0 - 5.0).collect()
}

/// The value and the gradients towards `inputs` of `f`, and how many loops were in bands.
fn run(
    limits: BandLimits,
    fusion: bool,
    shapes: &[&[usize]],
    f: impl Fn(&mut Session, &[Val]) -> Result<Val>,
) -> (Vec<Vec<f64>>, usize) {
    let (runtime, mut s) = watched();
    (s.bands, s.fusion, s.module_depth) = (limits, fusion, 1);
    let of = |s: &mut Session, shape: &&[usize]| s.parameter(*shape, &numbers(shape.iter().product()));
    let inputs: Vec<Val> = shapes.iter().map(|shape| of(&mut s, shape).unwrap()).collect();
    let y = f(&mut s, &inputs).unwrap();
    let shape = s.ty(y).shape;
    let cotangent = s.leaf(DType::F32, shape, &numbers(shape.size())).unwrap();
    let gradients = s.grad(&[y], &[Some(cotangent)], &inputs, false).unwrap();
    let all: Vec<Val> = [y].into_iter().chain(gradients.into_iter().flatten()).collect();
    s.run(&all).unwrap();
    let values = all.into_iter().map(|v| s.read(v).unwrap()).collect();
    let plans = runtime.plans.lock().unwrap();
    (values, plans.iter().flat_map(|plan| &plan.bands).map(|band| band.axes.len()).sum())
}

fn check(name: &str, least: usize, shapes: &[&[usize]], f: impl Fn(&mut Session, &[Val]) -> Result<Val>) {
    let (plain, none) = run(NEVER, false, shapes, &f);
    assert_eq!(none, 0, "{name}");
    assert_eq!(run(NEVER, true, shapes, &f), (plain.clone(), 0), "{name}");
    let (banded, loops) = run(BandLimits::NONE, true, shapes, &f);
    assert_eq!(banded, plain, "{name}");
    assert!(loops >= least, "{name}: {loops} loops in bands");
}

#[test]
fn s13_rows_that_run_together_keep_their_bits() {
    let rows: &[&[usize]] = &[&[37, 300]];
    check("softmax", 5, rows, |s, x| s.apply(Softmax { dim: 1 }, x));
    check("log softmax", 4, rows, |s, x| s.apply(LogSoftmax { dim: 1 }, x));
    check("attention", 5, &[&[3, 4, 19, 23]], |s, x| s.apply(Softmax { dim: -1 }, x));
    check("long rows", 5, &[&[20, 5000]], |s, x| s.apply(Softmax { dim: 1 }, x));
    let norm = LayerNorm { normalized_shape: vec![200], eps: Float(1e-5), given: Given::first(3) };
    check("layer norm", 6, &[&[50, 200], &[200], &[200]], |s, x| s.apply(norm.clone(), x));
    let plain = LayerNorm { normalized_shape: vec![6, 50], eps: Float(1e-5), given: Given::first(1) };
    check("layer norm without weight", 6, &[&[5, 9, 6, 50]], |s, x| s.apply(plain.clone(), x));
    check("cross-entropy", 5, &[&[45, 70]], |s, x| {
        let targets: Vec<f64> = (0..45).map(|i| f64::from(i * 7 % 70)).collect();
        let target = s.leaf(DType::I64, [45], &targets)?;
        let (label_smoothing, ignore_index) = (Float(0.1), Some(3));
        s.apply(CrossEntropy { label_smoothing, ignore_index, reduction: 1, given: Given::first(2) }, &[x[0], target])
    });
}

#[test]
fn s13_channels_that_run_together_keep_their_bits() {
    let norm = BatchNorm { training: true, eps: Float(1e-5), given: Given::first(3) };
    let op: Arc<dyn DynOp> = Arc::new(norm);
    let first = |s: &mut Session, x: &[Val]| Ok(s.record_dyn(&op, x)?[0]);
    check("batch norm", 6, &[&[8, 21, 9, 9], &[21], &[21]], first);
    check("batch norm of large maps", 6, &[&[7, 16, 40, 31], &[16], &[16]], first);
}

#[test]
fn a_band_has_the_loops_of_softmax_in_order() {
    let (runtime, mut s) = watched();
    s.bands = BandLimits::NONE;
    let x = s.leaf(DType::F32, [64, 100], &numbers(6400)).unwrap();
    let y = s.apply(Softmax { dim: 1 }, &[x]).unwrap();
    assert_eq!(s.read(y).unwrap().len(), 6400);
    let plans = runtime.plans.lock().unwrap();
    let [plan] = &plans[..] else { panic!("one plan") };
    assert_eq!(plan.labels, ["reduce", "exponential+reduce", "reciprocal", "softmax_normalize"]);
    let [band] = &plan.bands[..] else { panic!("one band") };
    assert_eq!((band.steps(), band.extent), (0..4, 64));
    assert!(band.axes.iter().all(|axes| *axes == (0..1)));
}
