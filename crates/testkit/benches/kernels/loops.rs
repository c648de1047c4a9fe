//! Fused loops: elementwise chains, softmax and norms, reductions, copies between layouts, optimizer steps; throughput
//! in bytes that must be moved.

use crate::case::{Leaf, case, op};
use criterion::{Criterion, Throughput};
use fovea_core::Result;
use fovea_core::attributes::{Float, Given};
use fovea_core::graph::Val;
use fovea_core::scalar::Expr;
use fovea_ops::loss::CrossEntropy;
use fovea_ops::movement::{Concat, Pad, Permute, Reshape};
use fovea_ops::normalization::{BatchNorm, LayerNorm, LogSoftmax, Softmax};
use fovea_ops::reduction::{ArgMax, Max, Mean, Sum, Variance};
use fovea_testkit::Session;

const LINE: [usize; 1] = [1 << 20];
const ROWS: [usize; 2] = [1024, 1024];
const IMAGES: [usize; 4] = [16, 64, 28, 28];

fn bytes(values: usize, elements: usize) -> Throughput {
    Throughput::Bytes((4 * values * elements) as u64)
}

fn map(c: &mut Criterion, name: &str, leaves: &[Leaf<'_>], elements: usize, body: fn(&[Expr]) -> Expr) {
    case(c, name, bytes(leaves.len() + 1, elements), leaves, |s, x| Ok(vec![s.map(x, body)?]));
}

pub fn elementwise(c: &mut Criterion) {
    let (line, n) = (Leaf::Floats(&LINE), LINE[0]);
    map(c, "elementwise/add", &[line, line], n, |x| &x[0] + &x[1]);
    map(c, "elementwise/relu", &[line], n, |x| x[0].max(&x[0].constant(0.0)));
    map(c, "elementwise/gelu chain", &[line], n, |x| {
        let y = &x[0] * 1.5 + 0.25;
        &y * 0.5 * ((&y * std::f64::consts::FRAC_1_SQRT_2).erf() + 1.0) + &x[0]
    });
    map(c, "elementwise/residual of three", &[line, line, line], n, |x| (&x[0] * 0.9 + &x[1] * &x[2]).max(&x[0]));
    map(c, "elementwise/bias and relu", &[Leaf::Floats(&ROWS), Leaf::Floats(&ROWS[1..])], n, |x| {
        (&x[0] + &x[1]).max(&x[0].constant(0.0))
    });
}

/// The gradient of `op`'s first result towards its first operand, with the forward pass.
fn backward(
    c: &mut Criterion,
    name: &str,
    leaves: &[Leaf<'_>],
    elements: usize,
    op: fn(&mut Session, &[Val]) -> Result<Val>,
) {
    case(c, name, bytes(4, elements), leaves, |s, x| {
        let y = op(s, x)?;
        Ok(s.grad(&[y], &[Some(x[0])], &x[..1], false)?.into_iter().flatten().collect())
    });
}

pub fn normalization(c: &mut Criterion) {
    let (rows, n) = (Leaf::Floats(&ROWS), ROWS[0] * ROWS[1]);
    op(c, "normalization/softmax", 8 * n, &[rows], Softmax { dim: 1 });
    op(c, "normalization/log softmax", 8 * n, &[rows], LogSoftmax { dim: 1 });
    backward(c, "normalization/softmax and gradient", &[Leaf::Parameter(&ROWS)], n, |s, x| {
        s.apply(Softmax { dim: 1 }, x)
    });
    let norm = LayerNorm { normalized_shape: vec![ROWS[1]], eps: Float(1e-5), given: Given::first(3) };
    let scales = Leaf::Floats(&ROWS[1..]);
    op(c, "normalization/layer norm", 8 * n, &[rows, scales, scales], norm);
    backward(c, "normalization/layer norm and gradient", &[Leaf::Parameter(&ROWS), scales, scales], n, |s, x| {
        s.apply(LayerNorm { normalized_shape: vec![ROWS[1]], eps: Float(1e-5), given: Given::first(3) }, x)
    });
    let channels = Leaf::Floats(&IMAGES[1..2]);
    let batch = BatchNorm { training: true, eps: Float(1e-5), given: Given::first(3) };
    op(
        c,
        "normalization/batch norm",
        8 * IMAGES.iter().product::<usize>(),
        &[Leaf::Images(IMAGES), channels, channels],
        batch,
    );
    let loss =
        CrossEntropy { label_smoothing: Float(0.0), ignore_index: Some(-100), reduction: 1, given: Given::first(2) };
    op(c, "normalization/cross-entropy", 4 * n, &[rows, Leaf::Places(&ROWS[..1], ROWS[1])], loss);
}

pub fn reductions(c: &mut Criterion) {
    let (rows, size) = (Leaf::Floats(&ROWS), 4 * ROWS[0] * ROWS[1]);
    for (name, dim) in [("all", None), ("rows", Some(vec![1])), ("columns", Some(vec![0]))] {
        op(c, &format!("reductions/sum of {name}"), size, &[rows], Sum { dim: dim.clone(), keep_dim: false });
        op(c, &format!("reductions/max of {name}"), size, &[rows], Max { dim: dim.clone(), keep_dim: false });
        op(c, &format!("reductions/argmax of {name}"), size, &[rows], ArgMax { dim, keep_dim: false });
    }
    let dim = Some(vec![1]);
    op(c, "reductions/variance of rows", size, &[rows], Variance { dim, keep_dim: false, correction: Float(1.0) });
    let dim = Some(vec![0, 2, 3]);
    let images = 4 * IMAGES.iter().product::<usize>();
    op(c, "reductions/mean of channels", images, &[Leaf::Images(IMAGES)], Mean { dim, keep_dim: false });
}

/// Copies that change where elements lie.
pub fn layouts(c: &mut Criterion) {
    let n = ROWS[0] * ROWS[1];
    let flat = |s: &mut Session, x: Val| s.apply(Reshape { shape: vec![-1] }, &[x]);
    case(c, "layouts/transpose", bytes(2, n), &[Leaf::Turned(ROWS)], |s, x| Ok(vec![flat(s, x[0])?]));
    let images: usize = IMAGES.iter().product();
    case(c, "layouts/channels-last to planes", bytes(2, images), &[Leaf::Images(IMAGES)], |s, x| {
        Ok(vec![flat(s, x[0])?])
    });
    case(c, "layouts/planes to channels-last", bytes(2, images), &[Leaf::Planes(IMAGES)], |s, x| {
        let turned = s.apply(Permute { dims: vec![0, 2, 3, 1] }, x)?;
        Ok(vec![flat(s, turned)?])
    });
    let padding = vec![0, 0, 0, 0, 1, 1, 1, 1];
    op(c, "layouts/pad", 8 * images, &[Leaf::Planes(IMAGES)], Pad { padding, value: Float(0.0) });
    op(c, "layouts/concat", 16 * images, &[Leaf::Planes(IMAGES), Leaf::Planes(IMAGES)], Concat { dim: 1 });
}

/// Steps of optimizers over one parameter: each is one loop.
pub fn optimizers(c: &mut Criterion) {
    let (line, n) = (Leaf::Floats(&LINE), LINE[0]);
    case(c, "optimizers/SGD with momentum", bytes(5, n), &[line; 3], |s, x| {
        let momentum = s.map(&x[1..], |x| &x[0] * 0.9 + &x[1])?;
        Ok(vec![s.map(&[x[0], momentum], |x| &x[0] - &x[1] * 0.01)?, momentum])
    });
    case(c, "optimizers/Adam", bytes(7, n), &[line, line, Leaf::Positive(&LINE), line], |s, x| {
        let first = s.map(&[x[1], x[3]], |x| &x[0] * 0.9 + &x[1] * 0.1)?;
        let second = s.map(&[x[2], x[3]], |x| &x[0] * 0.999 + &x[1] * &x[1] * 0.001)?;
        let next = s.map(&[x[0], first, second], |x| &x[0] - 1e-3 * &x[1] / (x[2].sqrt() + 1e-8))?;
        Ok(vec![next, first, second])
    });
}
