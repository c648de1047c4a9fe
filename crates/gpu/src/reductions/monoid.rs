//! How the monoids accumulate on the device.
//!
//! Maxima and minima of floats compare integer keys that order like the values with every NaN at the winning end, so
//! that neither NaN nor infinity depends on what a driver assumes about floats.

use crate::wgsl::{Source, stored, value_type};
use fovea_core::DType;
use fovea_core::op::Monoid;

/// The accumulator of one reduction: one or two words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Accumulator {
    pub monoid: Monoid,
    /// Dtype of the reduced values.
    pub dtype: DType,
}

impl Accumulator {
    pub fn is_arg(self) -> bool {
        matches!(self.monoid, Monoid::ArgMax | Monoid::ArgMin)
    }

    fn compares(self) -> bool {
        !matches!(self.monoid, Monoid::Sum | Monoid::Prod)
    }

    /// WGSL types of the parts, with the dtype that stores each.
    pub fn parts(self) -> Vec<(&'static str, DType)> {
        if self.is_arg() {
            return vec![("i32", DType::I32), ("u32", DType::U8)];
        }
        match (self.compares(), value_type(self.dtype)) {
            (true, _) => vec![("i32", DType::I32)],
            (false, "f32") => vec![("f32", DType::F32)],
            (false, "i32") => vec![("i32", DType::I32)],
            (false, _) => vec![("u32", DType::U8)],
        }
    }

    /// The identity of each part.
    pub fn identity(self) -> Vec<&'static str> {
        const LEAST: &str = "bitcast<i32>(0x80000000u)";
        match (self.monoid, value_type(self.dtype)) {
            (Monoid::Sum, "f32") => vec!["0f"],
            (Monoid::Sum, "i32") => vec!["0i"],
            (Monoid::Sum, _) => vec!["0u"],
            (Monoid::Prod, "f32") => vec!["1f"],
            (Monoid::Prod, "i32") => vec!["1i"],
            (Monoid::Prod, _) => vec!["1u"],
            // The keys of -infinity and infinity.
            (Monoid::Max, "f32") => vec!["bitcast<i32>(0x807fffffu)"],
            (Monoid::Min, "f32") => vec!["0x7f800000i"],
            (Monoid::Max, "i32") => vec![LEAST],
            (Monoid::Min, "i32") => vec!["0x7fffffffi"],
            (Monoid::Max, _) => vec!["0i"],
            (Monoid::Min, "bool") => vec!["1i"],
            (Monoid::Min, _) => vec!["255i"],
            (Monoid::ArgMax | Monoid::ArgMin, _) => vec![LEAST, "0xffffffffu"],
        }
    }

    /// The parts of one value; `place` is its number among the reduced.
    pub fn lift(self, source: &mut Source, value: &str, place: &str) -> Vec<String> {
        let word = stored(value, self.dtype);
        if !self.compares() {
            return vec![word];
        }
        let key = match (self.monoid, value_type(self.dtype)) {
            (Monoid::Max, "f32") => format!("{}({word})", source.call("key_max")),
            (Monoid::Min, "f32") => format!("{}({word})", source.call("key_min")),
            (Monoid::ArgMax, "f32") => format!("{}({word})", source.call("key_argmax")),
            (Monoid::ArgMin, "f32") => format!("{}({word})", source.call("key_argmin")),
            (Monoid::ArgMin, "i32") => format!("~({word})"),
            (Monoid::ArgMin, _) => format!("~i32({word})"),
            (_, "i32") => word,
            _ => format!("i32({word})"),
        };
        if self.is_arg() { vec![key, place.to_owned()] } else { vec![key] }
    }

    /// Statements that fold `from` into the variables or memory words `into`.
    pub fn fold(self, source: &mut Source, into: &[String], from: &[String]) {
        let (a, b) = (&into[0], &from[0]);
        match self.monoid {
            Monoid::Sum => source.line(format!("{a} = {a} + {b};")),
            Monoid::Prod => source.line(format!("{a} = {a} * {b};")),
            Monoid::Max => source.line(format!("{a} = max({a}, {b});")),
            Monoid::Min => source.line(format!("{a} = min({a}, {b});")),
            Monoid::ArgMax | Monoid::ArgMin => {
                let (i, j) = (&into[1], &from[1]);
                let key = source.bound("k", b);
                let place = source.bound("p", j);
                source.line(format!(
                    "if ({key} > {a} || ({key} == {a} && {place} < {i})) {{ {a} = {key}; {i} = {place}; }}"
                ));
            }
        }
    }

    /// The stored word of the result.
    pub fn lower(self, source: &mut Source, parts: &[String]) -> String {
        let x = &parts[0];
        if self.is_arg() {
            return format!("select(i32({0}), 0i, {0} == 0xffffffffu)", parts[1]);
        }
        match (self.monoid, self.dtype) {
            (Monoid::Max | Monoid::Min, DType::F32 | DType::F64) => format!("{}({x})", source.call("key_value")),
            (Monoid::Max | Monoid::Min, DType::U8 | DType::Bool) => format!("u32({x})"),
            (_, DType::U8) => format!("{x} & 255u"),
            (_, DType::Bool) => format!("min({x}, 1u)"),
            _ => x.clone(),
        }
    }

    /// Dtype of the result.
    pub fn result(self) -> DType {
        if self.is_arg() { DType::I32 } else { self.dtype }
    }
}
