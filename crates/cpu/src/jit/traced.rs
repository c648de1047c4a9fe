//! Formulas as nodes: what [`crate::math`] computes for a number, added to a segment.

use super::nodes::{Binary, Compare, Node, Segment, Unary, Value};
use crate::math::formulas::{Integer, Number};
use std::cell::RefCell;
use std::ops::{Add, Div, Mul, Neg, Sub};

/// Adds the nodes of a formula of `value`, with fused multiply-add, as kernels of the same instruction sets have it.
pub fn trace(segment: &mut Segment, value: Value, formula: impl Fn(Float<'_>) -> Float<'_>) -> Value {
    let growing = RefCell::new(std::mem::take(segment));
    let result = formula(Float(Traced { segment: &growing, value })).0.value;
    *segment = growing.into_inner();
    result
}

/// A node.
#[derive(Clone, Copy)]
struct Traced<'a> {
    segment: &'a RefCell<Segment>,
    value: Value,
}

/// A node of f32.
#[derive(Clone, Copy)]
pub struct Float<'a>(Traced<'a>);

/// A node of i32.
#[derive(Clone, Copy)]
pub struct Int<'a>(Traced<'a>);

impl<'a> Traced<'a> {
    fn push(self, node: Node) -> Traced<'a> {
        Traced { value: self.segment.borrow_mut().push(node), ..self }
    }

    fn bits(self, bits: u32) -> Value {
        self.push(Node::Bits(bits)).value
    }

    fn binary(self, op: Binary, other: Value) -> Traced<'a> {
        self.push(Node::Binary(op, self.value, other))
    }

    fn compare(self, op: Compare, other: Traced<'a>) -> Traced<'a> {
        self.push(Node::Compare(op, self.value, other.value))
    }
}

macro_rules! operators {
    ($($type:ident $trait:ident $method:ident $op:ident)*) => {$(
        impl<'a> $trait for $type<'a> {
            type Output = Self;
            fn $method(self, other: Self) -> Self {
                $type(self.0.binary(Binary::$op, other.0.value))
            }
        }
    )*};
}
operators! {
    Float Add add Add
    Float Sub sub Sub
    Float Mul mul Mul
    Float Div div Div
    Int Add add AddInt
    Int Sub sub SubInt
}

const SIGN: u32 = 1 << 31;

impl Neg for Float<'_> {
    type Output = Self;
    fn neg(self) -> Self {
        Float(self.0.binary(Binary::Xor, self.0.bits(SIGN)))
    }
}

impl<'a> Number for Float<'a> {
    type Int = Int<'a>;
    type Mask = Mask<'a>;
    fn of(self, constant: f32) -> Self {
        Float(self.0.push(Node::Bits(constant.to_bits())))
    }
    fn mul_add(self, b: Self, c: Self) -> Self {
        Float(self.0.push(Node::MulAdd(self.0.value, b.0.value, c.0.value)))
    }
    fn scaled(self, k: Self) -> Option<Self> {
        let scales = self.0.segment.borrow().scales;
        scales.then(|| Float(self.0.push(Node::Scale(self.0.value, k.0.value))))
    }
    fn abs(self) -> Self {
        Float(self.0.binary(Binary::And, self.0.bits(!SIGN)))
    }
    fn copysign(self, sign: Self) -> Self {
        let sign = sign.0.binary(Binary::And, self.0.bits(SIGN));
        Float(self.abs().0.binary(Binary::Or, sign.value))
    }
    fn at_most(self, bound: f32) -> Self {
        Float(self.of(bound).0.binary(Binary::Smaller, self.0.value))
    }
    fn at_least(self, bound: f32) -> Self {
        Float(self.of(bound).0.binary(Binary::Greater, self.0.value))
    }
    fn less(self, than: Self) -> Mask<'a> {
        Mask(self.0.compare(Compare::Less, than.0))
    }
    fn equal(self, to: Self) -> Mask<'a> {
        Mask(self.0.compare(Compare::Equal, to.0))
    }
    fn select(mask: Mask<'a>, yes: Self, no: Self) -> Self {
        Float(mask.0.push(Node::Select(mask.0.value, yes.0.value, no.0.value)))
    }
    fn bits(self) -> Int<'a> {
        Int(self.0)
    }
}

/// A node that is true or false in each lane.
#[derive(Clone, Copy)]
pub struct Mask<'a>(Traced<'a>);

impl<'a> Integer for Int<'a> {
    type Number = Float<'a>;
    fn of(self, constant: i32) -> Self {
        Int(self.0.push(Node::Bits(constant as u32)))
    }
    fn up(self, by: u8) -> Self {
        Int(self.0.push(Node::Unary(Unary::ShiftLeft(by), self.0.value)))
    }
    fn down(self, by: u8) -> Self {
        Int(self.0.push(Node::Unary(Unary::ShiftRight(by), self.0.value)))
    }
    fn less(self, than: Self) -> Mask<'a> {
        Mask(self.0.compare(Compare::LessInt, than.0))
    }
    fn equal(self, to: Self) -> Mask<'a> {
        Mask(self.0.compare(Compare::EqualInt, to.0))
    }
    fn to_float(self) -> Float<'a> {
        Float(self.0.push(Node::Unary(Unary::ToFloat, self.0.value)))
    }
    fn as_bits(self) -> Float<'a> {
        Float(self.0)
    }
}
