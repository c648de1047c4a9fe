//! The body of an op's function: arguments into the scratch array, then one call.

use super::signature::{Signature, default_text, is_optional, write_doc};
use fovea_core::attributes::{AttrKind, AttrSchema, camel};
use std::fmt::Write as _;

/// Functions of `ts/native/write.ts` that a body may call.
pub const WRITERS: &[&str] = &[
    "putBool",
    "putDType",
    "putFloat",
    "putInput",
    "putInputs",
    "putInt",
    "putInts",
    "putKey",
    "putOptionalFloat",
    "putOptionalInput",
    "putOptionalInt",
    "putOptionalInts",
    "putPair",
];

fn writer(kind: AttrKind) -> &'static str {
    match kind {
        AttrKind::Bool => "putBool",
        AttrKind::Int => "putInt",
        AttrKind::Float => "putFloat",
        AttrKind::Ints => "putInts",
        AttrKind::Pair => "putPair",
        AttrKind::DType => "putDType",
        AttrKind::OptionalInt => "putOptionalInt",
        AttrKind::OptionalInts => "putOptionalInts",
        AttrKind::OptionalFloat => "putOptionalFloat",
        AttrKind::Given => unreachable!("the boundary fills it in"),
    }
}

pub fn write(out: &mut String, f: &Signature<'_>) {
    let op = f.op;
    let name = camel(op.name);
    let known = format!("{}_OPTIONS", op.name.to_uppercase());
    if f.has_options() {
        let list = f.option_names().iter().map(|n| format!("'{n}'")).collect::<Vec<_>>().join(", ");
        let _ = writeln!(out, "const {known} = [{list}]");
    }
    out.push('\n');
    write_doc(out, op, "", true);
    let _ = writeln!(out, "export function {name}({}): {} {{", f.parameters(false), f.result());
    if f.has_options() {
        let _ = writeln!(out, "  checkOptions(options, '{name}', {known})");
    }
    let variadic = op.inputs.iter().any(|i| i.variadic);
    let mut at = 1;
    for i in op.inputs {
        let argument = camel(i.name);
        let _ = match (i.name, i.variadic, i.optional) {
            ("key", ..) => writeln!(out, "  putKey({at})"),
            (_, true, _) => writeln!(out, "  const end = putInputs({at}, {argument}, '{name}', '{argument}')"),
            (_, _, true) => writeln!(out, "  putOptionalInput({at}, options.{argument}, '{name}', '{argument}')"),
            _ => writeln!(out, "  putInput({at}, {argument}, '{name}', '{argument}')"),
        };
        at += 2;
    }
    let _ = if variadic {
        writeln!(out, "  scratch[0] = (end - 1) / 2")
    } else {
        writeln!(out, "  scratch[0] = {}", op.inputs.len())
    };
    let count = if variadic { "end".to_owned() } else { at.to_string() };
    write_attributes(out, f, &name, &count, variadic);
    let _ = match op.outputs {
        1 => writeln!(out, "  return record({})\n}}", op.number),
        _ => writeln!(out, "  return recordAll({}) as {}\n}}", op.number, f.result()),
    };
}

/// Attributes behind their number, which stands at `count`.
fn write_attributes(out: &mut String, f: &Signature<'_>, name: &str, count: &str, variadic: bool) {
    let attributes = &f.attributes;
    if attributes.is_empty() {
        let _ = writeln!(out, "  scratch[{count}] = 0");
        return;
    }
    let start = if variadic { "end + 1".to_owned() } else { (count.parse::<usize>().unwrap_or(0) + 1).to_string() };
    let mut at = start.clone();
    for (i, attribute) in attributes.iter().enumerate() {
        let (before, put) = (if i == 0 { "let at = " } else { "at = " }, value(f, attribute));
        let argument = camel(attribute.name);
        let _ = writeln!(out, "  {before}{}({at}, {put}, '{name}', '{argument}')", writer(attribute.kind));
        "at".clone_into(&mut at);
    }
    if attributes.len() == 1 {
        // A `const` reads better where nothing follows.
        if let Some(from) = out.rfind("let at = ") {
            out.replace_range(from..from + 3, "const");
        }
    }
    let _ = if variadic {
        writeln!(out, "  scratch[end] = at - end - 1")
    } else {
        writeln!(out, "  scratch[{count}] = at - {start}")
    };
}

/// Where an attribute's value comes from.
fn value(f: &Signature<'_>, attribute: &AttrSchema) -> String {
    let argument = camel(attribute.name);
    if f.required.iter().any(|a| a.name == attribute.name) {
        return argument;
    }
    match default_text(attribute) {
        // Left out means the default; `null` means none.
        Some(default) if is_optional(attribute.kind) => {
            format!("options.{argument} === undefined ? {default} : options.{argument}")
        }
        Some(default) => format!("options.{argument} ?? {default}"),
        None => format!("options.{argument}"),
    }
}
