//! Samples of the table's ops, made from the domains of its lines.

use super::definition::{Definition, Rule};
use super::op::ScalarOp;
use fovea_core::DType;
use fovea_core::sample::{Domain, DynSample, SampleInput};
use std::sync::Arc;

/// Values tried besides random ones, as far as they lie in an input's domain.
const EDGES: [f64; 9] = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1e-6, -1e-6, 2.0];

/// The same for ops on bits.
const BIT_EDGES: [f64; 6] = [0.0, -1.0, i32::MIN as f64, i32::MAX as f64, 31.0, 33.0];

/// The operand shapes of each sample, first operand first; the last repeats.
const PLAIN: [[usize; 2]; 1] = [[3, 4]];
const RAGGED: [[usize; 2]; 1] = [[17, 3]];
const BROADCAST: [[usize; 2]; 3] = [[5, 1], [1, 7], [5, 1]];
const ZERO_SIZED: [[usize; 2]; 3] = [[0, 3], [1, 3], [0, 1]];
const LONG: [[usize; 2]; 1] = [[3, 67]];

/// Samples of `op`: random, ragged, broadcast, zero-sized, not contiguous, edge values, what isn't finite, and other
/// dtypes as the op's rule takes them. "non-finite" holds infinities and NaN, which only the CPU promises to pass on.
pub fn samples(op: &Arc<ScalarOp>) -> Vec<DynSample> {
    let def = op.def;
    let arity = def.inputs.len();
    let shaped = |shapes: &[[usize; 2]]| -> Vec<SampleInput> {
        (0..arity).map(|i| typical(def, i, &shapes[i.min(shapes.len() - 1)])).collect()
    };
    let mut list = vec![
        ("plain", shaped(&PLAIN)),
        ("ragged", shaped(&RAGGED)),
        ("long rows", shaped(&LONG)),
        ("zero-sized", shaped(&ZERO_SIZED)),
        ("reversed", shaped(&[[5, 6]]).into_iter().map(SampleInput::reversed).collect()),
        ("strided", shaped(&[[4, 9]]).into_iter().map(SampleInput::strided).collect()),
        ("scalar", (0..arity).map(|i| typical(def, i, &[])).collect()),
    ];
    if arity > 1 {
        list.push(("broadcast", shaped(&BROADCAST)));
        let shape = |i: usize| if i == 0 { &[6, 5][..] } else { &[] };
        list.push(("scalar operand", (0..arity).map(|i| typical(def, i, shape(i))).collect()));
    }
    let mut samples: Vec<DynSample> = list.into_iter().map(|(name, inputs)| sample(op, name, inputs)).collect();
    samples.push(without_gradient(sample(op, "edges", edges(def))));
    if def.rule != Rule::Select && !def.rule.is_integral() {
        samples.push(without_gradient(sample(op, "non-finite", non_finite(def))));
    }
    for (name, inputs) in other_dtypes(def) {
        samples.push(sample(op, name, inputs));
    }
    samples
}

fn sample(op: &Arc<ScalarOp>, name: &'static str, inputs: Vec<SampleInput>) -> DynSample {
    let differentiable = !["floor", "ceil", "round", "trunc", "sign", "floor_divide"].contains(&op.def.name)
        && !matches!(op.def.rule, Rule::Compare | Rule::Logic | Rule::FloatTest)
        && !op.def.rule.is_integral()
        && op.has_gradient(&inputs.iter().map(|i| i.dtype.unwrap_or(DType::F32)).collect::<Vec<_>>());
    DynSample { name, op: op.clone(), attributes: Vec::new(), inputs, tolerance: None, differentiable }
}

fn without_gradient(sample: DynSample) -> DynSample {
    DynSample { differentiable: false, ..sample }
}

fn is_condition(def: &Definition, input: usize) -> bool {
    def.rule == Rule::Select && input == 0
}

/// Input number `input` with values of its domain: of the float type under test, or i32 where the op takes no floats.
fn typical(def: &Definition, input: usize, shape: &[usize]) -> SampleInput {
    if def.rule.is_integral() { integers(def, DType::I32, input, shape) } else { float(def, input, shape) }
}

fn float(def: &Definition, input: usize, shape: &[usize]) -> SampleInput {
    if is_condition(def, input) {
        return SampleInput::of(DType::Bool, shape, Domain::Bools);
    }
    let domain = &def.domains[input];
    SampleInput::float(shape).within(domain.start, domain.end)
}

/// Pairs (or triples) of edge values, every operand running through its own at another pace.
fn edges(def: &Definition) -> Vec<SampleInput> {
    let mut repeat = 1;
    (0..def.inputs.len())
        .map(|i| {
            let input = typical(def, i, &[36]);
            if is_condition(def, i) {
                return input;
            }
            let domain = &def.domains[i];
            let inside: Vec<f64> = if def.rule.is_integral() {
                BIT_EDGES.to_vec()
            } else {
                EDGES.into_iter().filter(|v| (domain.start..=domain.end).contains(v)).collect()
            };
            let values: Vec<f64> = inside.iter().flat_map(|&v| std::iter::repeat_n(v, repeat)).collect();
            repeat *= inside.len().max(1);
            if values.is_empty() { input } else { input.values(&values) }
        })
        .collect()
}

fn non_finite(def: &Definition) -> Vec<SampleInput> {
    const SPECIAL: [f64; 5] = [f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 1.0, -1.0];
    (0..def.inputs.len())
        .map(|i| {
            let repeat = SPECIAL.len().pow(i as u32);
            let values: Vec<f64> = SPECIAL.iter().flat_map(|&v| std::iter::repeat_n(v, repeat)).collect();
            float(def, i, &[SPECIAL.len().pow(def.inputs.len() as u32)]).values(&values)
        })
        .collect()
}

fn integers(def: &Definition, dtype: DType, input: usize, shape: &[usize]) -> SampleInput {
    if is_condition(def, input) {
        return SampleInput::of(DType::Bool, shape, Domain::Bools);
    }
    let domain = &def.domains[input];
    // Divisors and exponents stay clear of 0 and below: PyTorch refuses them.
    let lowest = if dtype == DType::U8 || def.name == "pow" { 0.0 } else { domain.start };
    let low = lowest.max(domain.start).ceil() as i64;
    SampleInput::of(dtype, shape, Domain::Integers(low, (domain.end.floor() as i64 + 1).max(low + 1)))
}

/// Integers, bool and mixtures, as far as the op's rule takes them.
fn other_dtypes(def: &Definition) -> Vec<(&'static str, Vec<SampleInput>)> {
    let arity = def.inputs.len();
    let integers = |dtype: DType, input: usize, shape: &[usize]| integers(def, dtype, input, shape);
    let all = |dtype: DType| (0..arity).map(|i| integers(dtype, i, &[3, 5])).collect::<Vec<_>>();
    let mut list = vec![("i32", all(DType::I32)), ("i64", all(DType::I64)), ("u8", all(DType::U8))];
    if !matches!(def.rule, Rule::Numeric(_) | Rule::Rounding | Rule::Shift) {
        // False stands for 0, where some functions have their poles.
        let bools = |i: usize| if def.domains[i].contains(&0.0) { Domain::Bools } else { Domain::List(vec![1.0]) };
        list.push(("bool", (0..arity).map(|i| SampleInput::of(DType::Bool, [9], bools(i))).collect()));
    }
    if arity > 1 {
        let last = arity - 1;
        if !def.rule.is_integral() {
            let mixed = (0..arity)
                .map(|i| if i == last { integers(DType::I32, i, &[4, 3]) } else { float(def, i, &[4, 3]) })
                .collect();
            list.push(("float and i32", mixed));
            list.push((
                "i32 and float",
                (0..arity)
                    .map(|i| if i == last { float(def, i, &[3]) } else { integers(DType::I32, i, &[4, 3]) })
                    .collect(),
            ));
        }
        list.push((
            "i32 and u8",
            (0..arity).map(|i| integers(if i == last { DType::U8 } else { DType::I32 }, i, &[4, 3])).collect(),
        ));
    }
    list
}
