//! The op list as JSON.

use crate::{json, typescript};
use fovea_core::attributes::{AttrKind, AttrSchema};
use fovea_core::op::OpDef;
use serde_json::{Value, json};

pub fn describe(ops: &[OpDef]) -> Value {
    let list: Vec<Value> = typescript::described(ops)
        .iter()
        .map(|op| {
            json!({
                "number": op.number,
                "name": op.name,
                "doc": op.doc,
                "inputs": op.inputs.iter().map(|i| json!({
                    "name": i.name,
                    "doc": i.doc.trim(),
                    "optional": i.optional,
                    "variadic": i.variadic,
                })).collect::<Vec<_>>(),
                "attributes": attributes(op.attributes),
                "outputs": op.outputs,
            })
        })
        .collect();
    json!({ "ops": list })
}

fn attributes(schema: &[AttrSchema]) -> Vec<Value> {
    schema.iter().filter(|a| a.kind != AttrKind::Given).map(attribute).collect()
}

fn attribute(a: &AttrSchema) -> Value {
    let mut value = json!({ "name": a.name, "kind": json::kind(a.kind), "doc": a.doc.trim() });
    if let Some(default) = &a.default {
        value["default"] = json::attribute(a.kind, &mut default.iter().copied());
    }
    value
}
