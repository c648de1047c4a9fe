//! Work whose instructions are counted (`npm run bench:gate`): `gate CASE ROUNDS` runs a kernel, or the training step of
//! a small ConvNet, that often; without arguments it lists the cases.
//!
//! Instructions say nothing of caches and threads, but a count is the same each time, on a busy machine too.

use fovea_core::attributes::{Float, Given};
use fovea_core::graph::{Val, VariableId};
use fovea_core::{DType, Error, Result};
use fovea_cpu::runtime::CpuRuntime;
use fovea_ops::contraction::{Conv2d, Conv2dWeightGradient, ConvTranspose2d, Matmul};
use fovea_ops::loss::CrossEntropy;
use fovea_ops::movement::Reshape;
use fovea_ops::normalization::{LayerNorm, Softmax};
use fovea_ops::pooling::MaxPool2d;
use fovea_ops::reduction::Sum;
use fovea_testkit::Session;
use std::process::ExitCode;
use std::sync::Arc;

/// Records one round and computes it.
type Round = Box<dyn FnMut(&mut Session) -> Result<()>>;
type Make = fn(&mut Session) -> Result<Round>;

const CASES: &[(&str, Make)] = &[
    ("matmul-192", |s| kernel(s, &[&[192, 192], &[192, 192]], |s, x| s.apply(Matmul {}, x))),
    ("matmul-1x512x512", |s| kernel(s, &[&[1, 512], &[512, 512]], |s, x| s.apply(Matmul {}, x))),
    ("conv2d", |s| kernel(s, &[IMAGES, FILTERS], |s, x| s.apply(CONV, x))),
    ("conv2d-input-gradient", |s| {
        let Conv2d { stride, padding, dilation, groups } = CONV;
        let op = ConvTranspose2d { output_size: [28, 28], stride, padding, dilation, groups };
        kernel(s, &[IMAGES, FILTERS], move |s, x| s.apply(op.clone(), x))
    }),
    ("conv2d-weight-gradient", |s| {
        let Conv2d { stride, padding, dilation, groups } = CONV;
        let op = Conv2dWeightGradient { kernel_size: [3, 3], stride, padding, dilation, groups };
        kernel(s, &[IMAGES, IMAGES], move |s, x| s.apply(op.clone(), x))
    }),
    ("gelu-chain", |s| {
        kernel(s, &[&[1 << 17]], |s, x| {
            s.map(x, |x| {
                let y = &x[0] * 1.5 + 0.25;
                &y * 0.5 * ((&y * std::f64::consts::FRAC_1_SQRT_2).erf() + 1.0) + &x[0]
            })
        })
    }),
    ("sum-rows", |s| kernel(s, &[&[256, 512]], |s, x| s.apply(Sum { dim: Some(vec![1]), keep_dim: false }, x))),
    ("sum-columns", |s| kernel(s, &[&[256, 512]], |s, x| s.apply(Sum { dim: Some(vec![0]), keep_dim: false }, x))),
    ("softmax", |s| kernel(s, &[&[256, 512]], |s, x| s.apply(Softmax { dim: 1 }, x))),
    ("layer-norm", |s| {
        kernel(s, &[&[256, 512], &[512], &[512]], |s, x| {
            s.apply(LayerNorm { normalized_shape: vec![512], eps: Float(1e-5), given: Given::first(3) }, x)
        })
    }),
    ("training-step", training_step),
];

const IMAGES: &[usize] = &[4, 16, 28, 28];
const FILTERS: &[usize] = &[16, 16, 3, 3];
const CONV: Conv2d = Conv2d { stride: [1, 1], padding: [1, 1], dilation: [1, 1], groups: 1 };

fn numbers(count: usize) -> Vec<f64> {
    (0..count).map(|i| (i * 37 % 101) as f64 / 50.0 - 1.0).collect()
}

/// One op over leaves of these shapes.
fn kernel(
    s: &mut Session,
    shapes: &[&[usize]],
    op: impl Fn(&mut Session, &[Val]) -> Result<Val> + 'static,
) -> Result<Round> {
    let inputs: Vec<Val> = shapes
        .iter()
        .map(|&shape| s.leaf(DType::F32, shape, &numbers(shape.iter().product())))
        .collect::<Result<_>>()?;
    Ok(Box::new(move |s| {
        s.scope(|s| {
            let y = op(s, &inputs)?;
            s.run(&[y])?;
            Ok(vec![])
        })
        .map(|_| ())
    }))
}

/// A convolution, ReLU, pooling and a linear layer on eight images, cross-entropy, and gradient descent.
fn training_step(s: &mut Session) -> Result<Round> {
    let x = s.leaf(DType::F32, [8, 1, 28, 28], &numbers(8 * 28 * 28))?;
    let target = s.leaf(DType::I32, [8], &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0])?;
    let filters = s.variable_of("filters", [8, 1, 3, 3], &numbers(72))?;
    let weight = s.variable_of("weight", [8 * 14 * 14, 10], &numbers(8 * 14 * 14 * 10))?;
    Ok(Box::new(move |s| {
        s.scope(|s| {
            let w = s.current(filters)?;
            let y = s.apply(CONV, &[x, w])?;
            let y = s.map(&[y], |y| y[0].max(&y[0].constant(0.0)))?;
            let pool: Arc<dyn fovea_core::op::DynOp> =
                Arc::new(MaxPool2d { kernel_size: [2, 2], stride: [0, 0], padding: [0, 0] });
            let y = s.record_dyn(&pool, &[y])?[0];
            let y = s.apply(Reshape { shape: vec![8, -1] }, &[y])?;
            let w = s.current(weight)?;
            let logits = s.apply(Matmul {}, &[y, w])?;
            let op = CrossEntropy {
                label_smoothing: Float(0.0),
                ignore_index: Some(-100),
                reduction: 1,
                given: Given::first(2),
            };
            let loss = s.apply(op, &[logits, target])?;
            s.backward(loss)?;
            for variable in [filters, weight] {
                descend(s, variable)?;
            }
            s.run(&[loss])?;
            Ok(vec![])
        })
        .map(|_| ())
    }))
}

fn descend(s: &mut Session, variable: VariableId) -> Result<()> {
    let gradient = s.grad_of_variable(variable)?.ok_or_else(|| Error::internal("no gradient"))?;
    let value = s.current(variable)?;
    let step = s.scale(gradient, -1e-3)?;
    let next = s.add(value, step)?;
    s.assign(variable, next)?;
    s.set_grad_of_variable(variable, None)
}

fn run(make: Make, rounds: usize) -> Result<()> {
    let mut session = Session::new(Arc::new(CpuRuntime));
    let mut round = make(&mut session)?;
    (0..rounds).try_for_each(|_| round(&mut session))
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.is_empty() {
        CASES.iter().for_each(|(name, _)| println!("{name}"));
        return ExitCode::SUCCESS;
    }
    let make = CASES.iter().find(|(name, _)| *name == arguments[0]).map(|(_, make)| *make);
    let rounds = arguments.get(1).and_then(|text| text.parse().ok());
    let (Some(make), Some(rounds)) = (make, rounds) else {
        eprintln!("usage: gate [CASE ROUNDS]");
        return ExitCode::from(2);
    };
    match run(make, rounds) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error}", arguments[0]);
            ExitCode::FAILURE
        }
    }
}
