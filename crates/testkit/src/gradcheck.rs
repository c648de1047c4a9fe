//! Gradients against central differences in f64.

use crate::samples::{COTANGENT, Case, Mode, SECOND_COTANGENT, record};
use crate::session::Session;
use crate::values::from_bytes;
use fovea_core::device::Runtime;
use fovea_core::graph::Val;
use fovea_core::sample::SampleInput;
use fovea_core::{DType, Result};
use std::sync::Arc;

/// Step of the central difference. With values near 1 its truncation error is about 1e-10 and its rounding error
/// 1e-11.
const STEP: f64 = 1e-5;

/// Error allowed, relative to the larger of 1 and the largest gradient: a hundred times the error of the difference,
/// for functions whose third derivative is large.
pub const TOLERANCE: f64 = 1e-6;

/// Elements of each input that are moved alone, besides the random directions that move all.
const ELEMENTS: usize = 6;
const DIRECTIONS: usize = 2;

/// Which derivative is checked: the gradient of the outputs, or that of the gradient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    First,
    Second,
}

/// What a check came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Check {
    /// The largest relative error of how many differences.
    Right {
        error: f64,
        differences: usize,
    },
    Wrong(String),
    /// There is nothing to differentiate.
    Nothing,
}

/// Checks a sample's gradients of one order towards every float input. The case must be one of f64.
pub fn check(runtime: &Arc<dyn Runtime>, case: &Case, order: Order) -> Result<Check> {
    let inputs = case.inputs();
    let floats: Vec<usize> = (0..inputs.len()).filter(|&i| case.input_type(i).dtype == DType::F64).collect();
    if !case.sample.differentiable || floats.is_empty() {
        return Ok(Check::Nothing);
    }
    let Some(gradients) = gradients(runtime, case, &inputs, order)? else { return Ok(Check::Nothing) };
    let scale = gradients.iter().flatten().flatten().fold(1.0f64, |m, v| m.max(v.abs()));
    let (mut worst, mut differences) = (0.0f64, 0);
    for direction in directions(case, &floats, &inputs) {
        let moved = |by: f64| -> Vec<Vec<f64>> {
            inputs.iter().zip(&direction).map(|(x, d)| x.iter().zip(d).map(|(x, d)| x + by * d).collect()).collect()
        };
        let (up, down) = (total(runtime, case, &moved(STEP), order)?, total(runtime, case, &moved(-STEP), order)?);
        let numeric = (up - down) / (2.0 * STEP);
        let exact: f64 = gradients
            .iter()
            .zip(&direction)
            .filter_map(|(g, d)| g.as_ref().map(|g| g.iter().zip(d).map(|(g, d)| g * d).sum::<f64>()))
            .sum();
        let size = direction.iter().flatten().map(|d| d.abs()).sum::<f64>().max(1.0);
        let error = (numeric - exact).abs() / (scale * size.sqrt());
        differences += 1;
        if error.is_nan() || error > TOLERANCE {
            let at = describe(&direction);
            return Ok(Check::Wrong(format!("{order:?} order {at}: {exact:e}, by differences {numeric:e}")));
        }
        worst = worst.max(error);
    }
    Ok(if differences == 0 { Check::Nothing } else { Check::Right { error: worst, differences } })
}

/// The gradients of one order, or `None` where nothing is differentiable.
fn gradients(
    runtime: &Arc<dyn Runtime>,
    case: &Case,
    inputs: &[Vec<f64>],
    order: Order,
) -> Result<Option<Vec<Option<Vec<f64>>>>> {
    let mut s = Session::new(runtime.clone());
    let depth = if order == Order::First { 1 } else { 2 };
    let recorded = record(&mut s, case, inputs, Mode::FUSED, depth)?;
    let list = if order == Order::First { recorded.gradients } else { recorded.second };
    if recorded_nothing(&list) && order == Order::Second {
        // The gradient of a linear op is constant: its derivative is zero, which the differences confirm.
        return Ok(Some(vec![None; inputs.len()]));
    }
    if recorded_nothing(&list) {
        return Ok(None);
    }
    let wanted: Vec<Val> = list.iter().flatten().copied().collect();
    s.run(&wanted)?;
    list.iter().map(|v| v.map(|v| s.read(v)).transpose()).collect::<Result<_>>().map(Some)
}

fn recorded_nothing(list: &[Option<Val>]) -> bool {
    list.iter().all(Option::is_none)
}

/// Σ cotangent · output, or Σ direction · gradient, whose derivative is checked.
fn total(runtime: &Arc<dyn Runtime>, case: &Case, inputs: &[Vec<f64>], order: Order) -> Result<f64> {
    let mut s = Session::new(runtime.clone());
    let depth = if order == Order::First { 0 } else { 1 };
    let recorded = record(&mut s, case, inputs, Mode::FUSED, depth)?;
    let (roots, first) = match order {
        Order::First => (recorded.outputs.into_iter().map(Some).collect(), COTANGENT),
        Order::Second => (recorded.gradients, SECOND_COTANGENT),
    };
    let wanted: Vec<Val> = roots.iter().flatten().copied().collect();
    s.run(&wanted)?;
    let mut sum = 0.0;
    for (i, root) in roots.iter().enumerate() {
        let Some(root) = *root else { continue };
        let ty = s.ty(root);
        if ty.dtype.is_float() {
            let values = from_bytes(ty.dtype, &s.bytes(root)?);
            sum += values.iter().zip(case.numbers(ty, first + i)).map(|(v, c)| v * c).sum::<f64>();
        }
    }
    Ok(sum)
}

/// Directions to move in: a few elements of each input alone, then all elements of all inputs at random.
fn directions(case: &Case, floats: &[usize], inputs: &[Vec<f64>]) -> Vec<Vec<Vec<f64>>> {
    let still: Vec<Vec<f64>> = inputs.iter().map(|x| vec![0.0; x.len()]).collect();
    let mut all = Vec::new();
    for &i in floats {
        let n = inputs[i].len();
        for k in 0..n.min(ELEMENTS) {
            let mut one = still.clone();
            // Spread over the input.
            one[i][k * n / n.min(ELEMENTS)] = 1.0;
            all.push(one);
        }
    }
    for k in 0..DIRECTIONS {
        let mut random = still.clone();
        for &i in floats {
            random[i] = SampleInput::float([inputs[i].len()]).generate(case.op, case.index, 300 + 10 * k + i);
        }
        if random.iter().flatten().any(|v| *v != 0.0) {
            all.push(random);
        }
    }
    all
}

fn describe(direction: &[Vec<f64>]) -> String {
    let moved: Vec<(usize, usize)> = direction
        .iter()
        .enumerate()
        .flat_map(|(i, d)| d.iter().enumerate().filter(|(_, v)| **v != 0.0).map(move |(k, _)| (i, k)))
        .collect();
    match moved[..] {
        [(input, element)] => format!("towards element {element} of input {input}"),
        _ => "along a random direction".to_owned(),
    }
}
