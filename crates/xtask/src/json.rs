//! JSON of what the op list holds.

use fovea_core::DType;
use fovea_core::attributes::{AttrKind, AttrSchema};
use serde_json::{Map, Value, json};
use std::io::Write as _;

pub fn print(value: &Value) -> Result<(), String> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(&mut out, value).map_err(|e| e.to_string())?;
    writeln!(out).map_err(|e| e.to_string())
}

/// A number; what JSON has no number for becomes the string "inf", "-inf" or "nan".
pub fn number(v: f64) -> Value {
    if v.is_nan() {
        json!("nan")
    } else if v.is_infinite() {
        json!(if v > 0.0 { "inf" } else { "-inf" })
    } else if v.fract() == 0.0 && v.abs() < 9e15 && !(v == 0.0 && v.is_sign_negative()) {
        json!(v as i64)
    } else {
        json!(v)
    }
}

pub fn kind(kind: AttrKind) -> &'static str {
    match kind {
        AttrKind::Bool => "bool",
        AttrKind::Int => "int",
        AttrKind::Float => "float",
        AttrKind::Ints => "ints",
        AttrKind::Pair => "pair",
        AttrKind::DType => "dtype",
        AttrKind::OptionalInt => "optional int",
        AttrKind::OptionalInts => "optional ints",
        AttrKind::OptionalFloat => "optional float",
        AttrKind::Given => "given",
    }
}

/// Attributes by name from the numbers that encode them.
pub fn attributes(schema: &[AttrSchema], numbers: &[f64]) -> Map<String, Value> {
    let mut rest = numbers.iter().copied();
    let written = schema.iter().filter(|a| a.kind != AttrKind::Given);
    written.map(|a| (a.name.to_owned(), attribute(a.kind, &mut rest))).collect()
}

/// One attribute, taken from the front of `numbers`.
pub fn attribute(kind: AttrKind, numbers: &mut impl Iterator<Item = f64>) -> Value {
    let mut next = || numbers.next().unwrap_or(f64::NAN);
    match kind {
        AttrKind::Bool => json!(next() != 0.0),
        AttrKind::Int | AttrKind::Float => number(next()),
        AttrKind::Ints => {
            let count = next() as usize;
            (0..count).map(|_| number(next())).collect()
        }
        AttrKind::Pair => [number(next()), number(next())].into_iter().collect(),
        AttrKind::DType => json!(DType::from_code(next() as u32).map(DType::name)),
        AttrKind::OptionalInt | AttrKind::OptionalInts | AttrKind::OptionalFloat => {
            if next() == 0.0 {
                return Value::Null;
            }
            let kind = if kind == AttrKind::OptionalInts { AttrKind::Ints } else { AttrKind::Float };
            attribute(kind, numbers)
        }
        AttrKind::Given => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_read_in_turn() {
        let of = |name, kind| AttrSchema { name, kind, doc: "", default: None };
        let schema = [of("dim", AttrKind::OptionalInts), of("keep", AttrKind::Bool), of("dtype", AttrKind::DType)];
        let read = Value::Object(attributes(&schema, &[1.0, 2.0, 0.0, -1.0, 1.0, 3.0]));
        assert_eq!(read, json!({ "dim": [0, -1], "keep": true, "dtype": "i64" }));
        let read = Value::Object(attributes(&schema, &[0.0, 0.0, 0.0]));
        assert_eq!(read, json!({ "dim": null, "keep": false, "dtype": "f32" }));
    }

    #[test]
    fn every_number_survives() {
        assert_eq!(number(f64::NAN), json!("nan"));
        assert_eq!(number(f64::NEG_INFINITY), json!("-inf"));
        assert_eq!(number(-0.0).to_string(), "-0.0");
        assert_eq!(number(3.0).to_string(), "3");
        assert_eq!(number(0.1).to_string(), "0.1");
    }
}
