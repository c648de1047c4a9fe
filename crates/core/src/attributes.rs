//! Typed attributes of ops: declared once, parsed at the boundary, hashed into plan keys, documented in TypeScript.

use crate::dtype::DType;
use crate::error::{Error, Result};
use std::hash::{Hash, Hasher};

/// The kinds of attribute values, as the generator and the boundary see them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttrKind {
    Bool,
    /// An integer.
    Int,
    Float,
    /// A list of integers, length first.
    Ints,
    /// Two integers; a single number in TypeScript stands for both.
    Pair,
    DType,
    OptionalInt,
    OptionalInts,
    OptionalFloat,
    /// Which inputs the caller gave; filled in by the boundary, invisible in TypeScript.
    Given,
}

/// Declaration of one attribute.
#[derive(Clone, Debug)]
pub struct AttrSchema {
    pub name: &'static str,
    pub kind: AttrKind,
    pub doc: &'static str,
    /// Numbers that encode the default, or `None` when the attribute must be given.
    pub default: Option<Vec<f64>>,
}

/// A float attribute that hashes and compares by its bits.
#[derive(Clone, Copy, Debug)]
pub struct Float(pub f64);

impl PartialEq for Float {
    fn eq(&self, other: &Float) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}
impl Eq for Float {}
impl Hash for Float {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.to_bits().hash(state);
    }
}

/// Which of the declared inputs a call gives, as a bit mask: an attribute of every op with optional inputs, which gets
/// only those that are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Given(pub u32);

impl Given {
    /// The first `count` inputs.
    pub const fn first(count: u32) -> Given {
        Given((1 << count) - 1)
    }

    pub const fn has(self, input: usize) -> bool {
        self.0 & (1 << input) != 0
    }

    /// The position among the given inputs of declared input `input`.
    pub const fn position(self, input: usize) -> Option<usize> {
        if self.has(input) { Some((self.0 & ((1 << input) - 1)).count_ones() as usize) } else { None }
    }
}

impl AttrValue for Given {
    const KIND: AttrKind = AttrKind::Given;
    fn read(r: &mut AttrReader<'_>, _: &str) -> Result<Given> {
        Ok(Given(r.given))
    }
    fn write(&self, _: &mut Vec<f64>) {}
}

/// Reads attributes from the flat numbers that cross the boundary.
pub struct AttrReader<'a> {
    numbers: &'a [f64],
    at: usize,
    given: u32,
}

impl<'a> AttrReader<'a> {
    /// `given` is the mask of the declared inputs that the call gives.
    pub fn new(numbers: &'a [f64], given: u32) -> AttrReader<'a> {
        AttrReader { numbers, at: 0, given }
    }

    pub fn number(&mut self) -> Result<f64> {
        let value = self.numbers.get(self.at).copied();
        self.at += 1;
        value.ok_or_else(|| Error::internal("an attribute is missing from the call"))
    }

    pub fn int(&mut self, name: &str) -> Result<i64> {
        let v = self.number()?;
        if v.fract() != 0.0 || !(-9.007_199_254_740_992e15..=9.007_199_254_740_992e15).contains(&v) {
            return Err(Error::argument(format!("{name} must be an integer, got {v}"))
                .at(name)
                .expected("an integer")
                .received(v.to_string()));
        }
        Ok(v as i64)
    }

    pub fn finish(&self) -> Result<()> {
        if self.at == self.numbers.len() { Ok(()) } else { Err(Error::internal("the call carries surplus attributes")) }
    }
}

/// A Rust type that an attribute may have.
pub trait AttrValue: Sized {
    const KIND: AttrKind;
    fn read(reader: &mut AttrReader<'_>, name: &str) -> Result<Self>;
    fn write(&self, out: &mut Vec<f64>);
}

fn unsigned(v: i64, name: &str) -> Result<usize> {
    usize::try_from(v).map_err(|_| {
        Error::argument(format!("{name} must not be negative, got {v}"))
            .at(name)
            .expected("a non-negative integer")
            .received(v.to_string())
    })
}

impl AttrValue for bool {
    const KIND: AttrKind = AttrKind::Bool;
    fn read(r: &mut AttrReader<'_>, name: &str) -> Result<bool> {
        match r.number()? {
            0.0 => Ok(false),
            1.0 => Ok(true),
            v => Err(Error::argument(format!("{name} must be a boolean, got {v}")).at(name).expected("a boolean")),
        }
    }
    fn write(&self, out: &mut Vec<f64>) {
        out.push(f64::from(u8::from(*self)));
    }
}

impl AttrValue for i64 {
    const KIND: AttrKind = AttrKind::Int;
    fn read(r: &mut AttrReader<'_>, name: &str) -> Result<i64> {
        r.int(name)
    }
    fn write(&self, out: &mut Vec<f64>) {
        out.push(*self as f64);
    }
}

impl AttrValue for usize {
    const KIND: AttrKind = AttrKind::Int;
    fn read(r: &mut AttrReader<'_>, name: &str) -> Result<usize> {
        unsigned(r.int(name)?, name)
    }
    fn write(&self, out: &mut Vec<f64>) {
        out.push(*self as f64);
    }
}

impl AttrValue for Float {
    const KIND: AttrKind = AttrKind::Float;
    fn read(r: &mut AttrReader<'_>, _: &str) -> Result<Float> {
        Ok(Float(r.number()?))
    }
    fn write(&self, out: &mut Vec<f64>) {
        out.push(self.0);
    }
}

impl AttrValue for Vec<i64> {
    const KIND: AttrKind = AttrKind::Ints;
    fn read(r: &mut AttrReader<'_>, name: &str) -> Result<Vec<i64>> {
        let n = unsigned(r.int(name)?, name)?;
        (0..n).map(|_| r.int(name)).collect()
    }
    fn write(&self, out: &mut Vec<f64>) {
        out.push(self.len() as f64);
        out.extend(self.iter().map(|&v| v as f64));
    }
}

impl AttrValue for Vec<usize> {
    const KIND: AttrKind = AttrKind::Ints;
    fn read(r: &mut AttrReader<'_>, name: &str) -> Result<Vec<usize>> {
        let n = unsigned(r.int(name)?, name)?;
        (0..n).map(|_| unsigned(r.int(name)?, name)).collect()
    }
    fn write(&self, out: &mut Vec<f64>) {
        out.push(self.len() as f64);
        out.extend(self.iter().map(|&v| v as f64));
    }
}

impl AttrValue for [usize; 2] {
    const KIND: AttrKind = AttrKind::Pair;
    fn read(r: &mut AttrReader<'_>, name: &str) -> Result<[usize; 2]> {
        Ok([unsigned(r.int(name)?, name)?, unsigned(r.int(name)?, name)?])
    }
    fn write(&self, out: &mut Vec<f64>) {
        out.extend(self.iter().map(|&v| v as f64));
    }
}

impl AttrValue for DType {
    const KIND: AttrKind = AttrKind::DType;
    fn read(r: &mut AttrReader<'_>, name: &str) -> Result<DType> {
        let code = r.int(name)?;
        u32::try_from(code)
            .ok()
            .and_then(DType::from_code)
            .ok_or_else(|| Error::argument(format!("{name} is not a dtype")).at(name).received(code.to_string()))
    }
    fn write(&self, out: &mut Vec<f64>) {
        out.push(f64::from(*self as u8));
    }
}

impl<T: OptionalAttr> AttrValue for Option<T> {
    const KIND: AttrKind = T::OPTIONAL;
    fn read(r: &mut AttrReader<'_>, name: &str) -> Result<Option<T>> {
        if bool::read(r, name)? { T::read(r, name).map(Some) } else { Ok(None) }
    }
    fn write(&self, out: &mut Vec<f64>) {
        self.is_some().write(out);
        if let Some(v) = self {
            v.write(out);
        }
    }
}

/// Attribute types that may be left out.
pub trait OptionalAttr: AttrValue {
    const OPTIONAL: AttrKind;
}
impl OptionalAttr for i64 {
    const OPTIONAL: AttrKind = AttrKind::OptionalInt;
}
impl OptionalAttr for usize {
    const OPTIONAL: AttrKind = AttrKind::OptionalInt;
}
impl OptionalAttr for Vec<i64> {
    const OPTIONAL: AttrKind = AttrKind::OptionalInts;
}
impl OptionalAttr for Float {
    const OPTIONAL: AttrKind = AttrKind::OptionalFloat;
}

/// What the [`attributes!`](crate::attributes!) macro implements.
pub trait Attributes: Clone + Eq + Hash + std::fmt::Debug + Send + Sync + 'static {
    fn schema() -> Vec<AttrSchema>;
    fn parse(reader: &mut AttrReader<'_>) -> Result<Self>;
    /// The numbers that [`Attributes::parse`] reads back.
    fn encode(&self) -> Vec<f64>;
}

/// Declares an op's attribute struct with parser and schema:
///
/// ```
/// fovea_core::attributes! {
///     /// What the struct is.
///     pub struct Pool {
///         /// Window (height, width).
///         size: [usize; 2],
///         /// Step between windows.
///         stride: [usize; 2] = [1, 1],
///     }
/// }
/// ```
#[macro_export]
macro_rules! attributes {
    ($(#[$meta:meta])* $vis:vis struct $name:ident {
        $( $(#[doc = $doc:literal])* $field:ident : $ty:ty $(= $default:expr)? ),* $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        $vis struct $name { $( $(#[doc = $doc])* pub $field: $ty ),* }

        impl $crate::attributes::Attributes for $name {
            fn schema() -> Vec<$crate::attributes::AttrSchema> {
                vec![ $( $crate::attributes::AttrSchema {
                    name: stringify!($field),
                    kind: <$ty as $crate::attributes::AttrValue>::KIND,
                    doc: concat!($($doc),*),
                    default: $crate::attributes!(@default $ty $(, $default)?),
                } ),* ]
            }
            fn parse(_reader: &mut $crate::attributes::AttrReader<'_>) -> $crate::error::Result<Self> {
                Ok($name { $( $field: <$ty as $crate::attributes::AttrValue>::read(_reader, stringify!($field))? ),* })
            }
            fn encode(&self) -> Vec<f64> {
                #[allow(unused_mut)]
                let mut _out = Vec::new();
                $( $crate::attributes::AttrValue::write(&self.$field, &mut _out); )*
                _out
            }
        }
    };
    (@default $ty:ty) => { None };
    (@default $ty:ty, $default:expr) => {{
        let mut out = Vec::new();
        <$ty as $crate::attributes::AttrValue>::write(&$default, &mut out);
        Some(out)
    }};
}

/// A name as TypeScript writes it: `kernelSize` for `kernel_size`.
pub fn camel(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut upper = false;
    for c in name.chars() {
        match c {
            '_' if !out.is_empty() => upper = true,
            c if upper => {
                out.extend(c.to_uppercase());
                upper = false;
            }
            c => out.push(c),
        }
    }
    out
}
