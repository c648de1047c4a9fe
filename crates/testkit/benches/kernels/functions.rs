//! Mathematical functions over a line that fits the second-level cache; throughput in elements.

use crate::case::{Leaf, case};
use criterion::{Criterion, Throughput};
use fovea_core::op::DynOp;
use std::sync::Arc;

const LINE: [usize; 1] = [1 << 16];

/// Ops of the table, with functions of their own or made of such.
const NAMES: [&str; 27] = [
    "exp",
    "expm1",
    "log",
    "log1p",
    "sin",
    "cos",
    "tan",
    "asin",
    "atan",
    "sinh",
    "cosh",
    "tanh",
    "erf",
    "erfc",
    "sqrt",
    "rsqrt",
    "pow",
    "atan2",
    "remainder",
    "sigmoid",
    "silu",
    "gelu",
    "gelu_tanh",
    "softplus",
    "mish",
    "elu",
    "logsigmoid",
];

pub fn functions(c: &mut Criterion) {
    let table = fovea_ops::scalar::ops();
    for name in NAMES {
        let def = table.iter().find(|def| def.name == name).expect("an op of the table");
        let op: Arc<dyn DynOp> = (def.samples)()[0].op.clone();
        let leaves = vec![Leaf::Positive(&LINE); def.inputs.len()];
        let work = Throughput::Elements(LINE[0] as u64);
        case(c, &format!("functions/{name}"), work, &leaves, |s, x| s.record_dyn(&op, x));
    }
}
