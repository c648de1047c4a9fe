//! Every op's samples as JSON, values included.

use crate::json;
use fovea_core::attributes::AttrReader;
use fovea_core::op::OpDef;
use fovea_core::sample::{DynSample, SampleInput};
use serde_json::{Value, json};

/// `{ floatTypes, ops: [{ op, samples: [{ index, name, attributes, encoded, inputs, differentiable, tolerance }] }] }`.
///
/// `attributes` are by name, `encoded` the numbers that cross the boundary.
/// An input's dtype is null for the float type under test; values that JSON has no numbers for are strings ("inf",
/// "-inf", "nan").
pub fn samples(ops: &[OpDef]) -> Value {
    let list: Vec<Value> = ops
        .iter()
        .map(|def| {
            let samples = (def.samples)();
            let samples: Vec<Value> = samples.iter().enumerate().map(|(i, s)| sample(def, i, s)).collect();
            json!({ "op": def.name, "samples": samples })
        })
        .collect();
    json!({ "floatTypes": ["f32", "f64"], "ops": list })
}

fn sample(def: &OpDef, index: usize, sample: &DynSample) -> Value {
    let names = input_names(def, sample);
    let inputs: Vec<Value> =
        sample.inputs.iter().enumerate().map(|(i, input)| one_input(def, index, &names[i], i, input)).collect();
    json!({
        "index": index,
        "name": sample.name,
        "attributes": json::attributes(&def.attributes, &sample.attributes),
        "encoded": sample.attributes.iter().copied().map(json::number).collect::<Vec<_>>(),
        "inputs": inputs,
        "differentiable": sample.differentiable,
        "tolerance": sample.tolerance,
    })
}

fn one_input(def: &OpDef, sample: usize, name: &str, index: usize, input: &SampleInput) -> Value {
    let values: Vec<Value> = input.generate(def.name, sample, index).into_iter().map(json::number).collect();
    json!({
        "name": name,
        "dtype": input.dtype.map(|d| d.name()),
        "shape": input.shape.to_vec(),
        "values": values,
    })
}

/// Which declared input each of the sample's inputs is; those of a variadic one are `name[0]`, `name[1]`….
fn input_names(def: &OpDef, sample: &DynSample) -> Vec<String> {
    if let Some(first) = def.inputs.iter().position(|i| i.variadic) {
        let name = |i: usize| match i.checked_sub(first) {
            None => def.inputs[i].name.to_owned(),
            Some(k) => format!("{}[{k}]", def.inputs[first].name),
        };
        return (0..sample.inputs.len()).map(name).collect();
    }
    let given = given(def, sample);
    (0..def.inputs.len()).filter(|i| given & (1 << i) != 0).map(|i| def.inputs[i].name.to_owned()).collect()
}

/// The mask of declared inputs that the sample gives: the one under which its attributes read as its op.
fn given(def: &OpDef, sample: &DynSample) -> u32 {
    let fits = |mask: &u32| {
        mask.count_ones() as usize == sample.inputs.len()
            && (def.parse)(&mut AttrReader::new(&sample.attributes, *mask)).is_ok_and(|op| op.same(&*sample.op))
    };
    (0..1 << def.inputs.len()).find(fits).unwrap_or_else(|| {
        panic!("sample {:?} of {} reads as another op, whichever inputs are given", sample.name, def.name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_has_named_inputs_and_values() {
        let all = samples(&fovea_ops::all());
        for op in all["ops"].as_array().unwrap() {
            for sample in op["samples"].as_array().unwrap() {
                for input in sample["inputs"].as_array().unwrap() {
                    let size: u64 = input["shape"].as_array().unwrap().iter().map(|d| d.as_u64().unwrap()).product();
                    assert_eq!(input["values"].as_array().unwrap().len() as u64, size);
                }
            }
        }
    }

    #[test]
    fn bounds_left_out_are_known_by_name() {
        let ops = fovea_ops::all();
        let clamp = ops.iter().find(|op| op.name == "clamp").unwrap();
        let all = (clamp.samples)();
        let max = all.iter().find(|s| s.name == "max").unwrap();
        assert_eq!(input_names(clamp, max), ["x", "max"]);
    }
}
