//! Writes `ts/generated`: one function for each op, and the methods of Tensor.
//!
//! A function takes the first input, then the attributes that must be given, then the other inputs, then an options
//! object of optional inputs and attributes. An input named `key` is a random key and no argument. Ops whose name
//! ends in `_backward` or `_gradient` belong to gradients and get no function.

mod call;
mod signature;

use fovea_core::attributes::{AttrSchema, camel};
use fovea_core::dtype::DType;
use fovea_core::op::{InputSchema, OpDef, TensorType};
use signature::Signature;
use std::fmt::Write as _;

/// An op as the generator sees it.
#[derive(Clone, Copy)]
pub struct Described<'a> {
    /// Its place in the op list, which is its number at the boundary.
    pub number: usize,
    pub name: &'a str,
    pub doc: &'a str,
    pub inputs: &'a [InputSchema],
    pub attributes: &'a [AttrSchema],
    pub outputs: usize,
}

/// Ops that are also methods of Tensor, under the same name. Methods that do more than call one op are written by
/// hand in `ts/tensor/tensor.ts`.
const METHODS: &[&str] = &[
    "add",
    "sub",
    "mul",
    "div",
    "pow",
    "remainder",
    "fmod",
    "floor_divide",
    "atan2",
    "hypot",
    "copysign",
    "logaddexp",
    "xlogy",
    "maximum",
    "minimum",
    "eq",
    "ne",
    "lt",
    "le",
    "gt",
    "ge",
    "logical_and",
    "logical_or",
    "logical_xor",
    "logical_not",
    "bitwise_and",
    "bitwise_or",
    "bitwise_xor",
    "bitwise_not",
    "bitwise_left_shift",
    "bitwise_right_shift",
    "neg",
    "abs",
    "sign",
    "square",
    "sqrt",
    "rsqrt",
    "reciprocal",
    "exp",
    "expm1",
    "log",
    "exp2",
    "log2",
    "log10",
    "log1p",
    "sin",
    "cos",
    "tan",
    "asin",
    "acos",
    "atan",
    "sinh",
    "cosh",
    "asinh",
    "acosh",
    "atanh",
    "tanh",
    "sigmoid",
    "relu",
    "gelu",
    "silu",
    "softplus",
    "hardswish",
    "relu6",
    "selu",
    "mish",
    "softsign",
    "logsigmoid",
    "hardsigmoid",
    "erf",
    "erfc",
    "logit",
    "lerp",
    "frac",
    "floor",
    "ceil",
    "round",
    "trunc",
    "clamp",
    "sum",
    "mean",
    "prod",
    "max",
    "min",
    "argmax",
    "argmin",
    "softmax",
    "log_softmax",
    "matmul",
    "reshape",
    "permute",
    "expand",
    "flip",
    "gather",
    "scatter",
    "scatter_add",
    "cummax",
    "cummin",
    "cumsum",
    "sort",
    "index_select",
    "is_nan",
    "is_inf",
    "is_finite",
    "variance",
    "any",
    "all",
];

const HEADER: &str = "// Written by `npm run generate` from the op list; edits are overwritten.\n";

/// `LogSoftmax` for `log_softmax`.
fn pascal(name: &str) -> String {
    let mut out = camel(name);
    out[..1].make_ascii_uppercase();
    out
}

/// Everything that is generated from the op list: paths and texts.
pub fn files(list: &[OpDef]) -> Vec<(&'static str, String)> {
    let described = described(list);
    vec![("ts/generated/ops.ts", ops(&described)), ("ts/generated/methods.ts", methods(&described))]
}

pub fn described(list: &[OpDef]) -> Vec<Described<'_>> {
    list.iter()
        .enumerate()
        .map(|(number, op)| Described {
            number,
            name: op.name,
            doc: op.doc,
            inputs: op.inputs,
            attributes: &op.attributes,
            outputs: outputs(op),
        })
        .collect()
}

/// How many outputs the op's first sample has.
fn outputs(op: &OpDef) -> usize {
    let samples = (op.samples)();
    let Some(sample) = samples.first() else { return 1 };
    let types: Vec<TensorType> =
        sample.inputs.iter().map(|i| TensorType::new(i.dtype.unwrap_or(DType::F32), i.shape)).collect();
    sample.op.infer(&types).map_or(1, |outputs| outputs.len())
}

fn is_public(op: &Described<'_>) -> bool {
    !op.name.ends_with("_backward") && !op.name.ends_with("_gradient")
}

/// `ts/generated/ops.ts`.
pub fn ops(list: &[Described<'_>]) -> String {
    let functions: Vec<Signature<'_>> = list.iter().filter(|op| is_public(op)).map(Signature::of).collect();
    let mut body = String::new();
    for function in &functions {
        function.write_options(&mut body);
        call::write(&mut body, function);
    }
    let mut out = HEADER.to_owned();
    out.push_str("import { scratch } from '../native/addon.ts'\n");
    write_import(&mut out, &["record", "recordAll"], &body, "../native/record.ts");
    if body.contains(": DType") {
        out.push_str("import type { DType } from '../native/types.ts'\n");
    }
    let mut writers = vec!["NONE", "TensorLike", "checkOptions"];
    writers.extend(call::WRITERS);
    write_import(&mut out, &writers, &body, "../native/write.ts");
    out.push_str("import type { Tensor } from '../tensor/tensor.ts'\n");
    out + &body
}

/// An import of those `names` that `body` uses.
fn write_import(out: &mut String, names: &[&str], body: &str, from: &str) {
    let uses = |name: &str| body.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == name);
    let used: Vec<String> = names
        .iter()
        .filter(|name| uses(name))
        .map(|name| if *name == "TensorLike" { format!("type {name}") } else { (*name).to_owned() })
        .collect();
    if !used.is_empty() {
        let _ = writeln!(out, "import {{ {} }} from '{from}'", used.join(", "));
    }
}

/// `ts/generated/methods.ts`.
pub fn methods(list: &[Described<'_>]) -> String {
    let methods: Vec<Signature<'_>> = list.iter().filter(|op| METHODS.contains(&op.name)).map(Signature::of).collect();
    let mut types = Vec::new();
    let mut interface = String::new();
    let mut install = String::new();
    for method in &methods {
        if method.has_options() {
            types.push(method.options_name());
        }
        signature::write_doc(&mut interface, method.op, "  ", false);
        let name = camel(method.op.name);
        let _ = writeln!(interface, "  {name}({}): {}", method.parameters(true), method.result());
        let _ = writeln!(
            install,
            "  {name}(this: Tensor{}{}) {{\n    return ops.{name}({})\n  }},",
            if method.parameters(true).is_empty() { "" } else { ", " },
            method.parameters(true),
            method.arguments(),
        );
    }
    let mut out = HEADER.to_owned();
    if interface.contains(": DType") {
        out.push_str("import type { DType } from '../native/types.ts'\n");
    }
    out.push_str("import type { TensorLike } from '../native/write.ts'\n");
    out.push_str("import type { Tensor } from '../tensor/tensor.ts'\n");
    out.push_str("import * as ops from './ops.ts'\n");
    if !types.is_empty() {
        let _ = writeln!(out, "import type {{ {} }} from './ops.ts'", types.join(", "));
    }
    let _ = writeln!(out, "\n/** The methods of Tensor that record one op each. */\nexport interface Methods {{");
    out.push_str(&interface);
    out.push_str("}\n\n/** Implementations for the prototype of Tensor. */\n");
    out.push_str("export const methods: Methods & ThisType<Tensor> = {\n");
    out.push_str(&install);
    out.push_str("}\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert_eq!(camel("scatter_add"), "scatterAdd");
        assert_eq!(pascal("conv2d"), "Conv2d");
    }
}
