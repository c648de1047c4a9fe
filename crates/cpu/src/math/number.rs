//! What formulas are written for: single numbers, which the compiler makes vectors of, and the nodes of loops that are
//! compiled at run time.

use std::ops::{Add, Div, Mul, Neg, Sub};

/// A value of f32. Constants come from a value, `x.of(1.0)`, since a node belongs to its loop.
pub trait Number:
    Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self> + Neg<Output = Self>
{
    type Int: Integer<Number = Self>;
    type Mask: Copy;
    fn of(self, constant: f32) -> Self;
    /// `self · b + c`, rounded once where the instruction set has that.
    fn mul_add(self, b: Self, c: Self) -> Self;
    /// `self · 2^k` for an integer k, rounded once, where one instruction does that.
    #[inline(always)]
    fn scaled(self, _k: Self) -> Option<Self> {
        None
    }
    fn abs(self) -> Self;
    fn copysign(self, sign: Self) -> Self;
    /// The bound where it is greater; a NaN stays.
    fn at_most(self, bound: f32) -> Self;
    /// The bound where it is less; a NaN stays.
    fn at_least(self, bound: f32) -> Self;
    fn less(self, than: Self) -> Self::Mask;
    fn equal(self, to: Self) -> Self::Mask;
    /// `yes` where the mask is true, else `no`.
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self;
    fn bits(self) -> Self::Int;
}

/// A value of i32; sums wrap.
pub trait Integer: Copy + Add<Output = Self> + Sub<Output = Self> {
    type Number: Number<Int = Self>;
    fn of(self, constant: i32) -> Self;
    fn up(self, by: u8) -> Self;
    /// Keeps the sign.
    fn down(self, by: u8) -> Self;
    fn less(self, than: Self) -> <Self::Number as Number>::Mask;
    fn equal(self, to: Self) -> <Self::Number as Number>::Mask;
    fn to_float(self) -> Self::Number;
    fn as_bits(self) -> Self::Number;
}

/// A number by itself; `FMA` as in the module above.
#[derive(Clone, Copy)]
pub struct Single<const FMA: bool>(pub f32);

/// As [`Single`].
#[derive(Clone, Copy)]
pub struct Whole<const FMA: bool>(i32);

macro_rules! operators {
    ($($trait:ident $method:ident $op:tt)*) => {$(
        impl<const FMA: bool> $trait for Single<FMA> {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                Single(self.0 $op other.0)
            }
        }
    )*};
}
operators! { Add add + Sub sub - Mul mul * Div div / }

impl<const FMA: bool> Neg for Single<FMA> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        Single(-self.0)
    }
}

impl<const FMA: bool> Number for Single<FMA> {
    type Int = Whole<FMA>;
    type Mask = bool;
    #[inline(always)]
    fn of(self, constant: f32) -> Self {
        Single(constant)
    }
    #[inline(always)]
    fn mul_add(self, b: Self, c: Self) -> Self {
        Single(super::mul_add::<FMA>(self.0, b.0, c.0))
    }
    #[inline(always)]
    fn abs(self) -> Self {
        Single(self.0.abs())
    }
    #[inline(always)]
    fn copysign(self, sign: Self) -> Self {
        Single(self.0.copysign(sign.0))
    }
    #[inline(always)]
    fn at_most(self, bound: f32) -> Self {
        Single(if self.0 > bound { bound } else { self.0 })
    }
    #[inline(always)]
    fn at_least(self, bound: f32) -> Self {
        Single(if self.0 < bound { bound } else { self.0 })
    }
    #[inline(always)]
    fn less(self, than: Self) -> bool {
        self.0 < than.0
    }
    #[inline(always)]
    fn equal(self, to: Self) -> bool {
        self.0 == to.0
    }
    #[inline(always)]
    fn select(mask: bool, yes: Self, no: Self) -> Self {
        if mask { yes } else { no }
    }
    #[inline(always)]
    fn bits(self) -> Whole<FMA> {
        Whole(self.0.to_bits() as i32)
    }
}

impl<const FMA: bool> Add for Whole<FMA> {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Whole(self.0.wrapping_add(other.0))
    }
}

impl<const FMA: bool> Sub for Whole<FMA> {
    type Output = Self;
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Whole(self.0.wrapping_sub(other.0))
    }
}

impl<const FMA: bool> Integer for Whole<FMA> {
    type Number = Single<FMA>;
    #[inline(always)]
    fn of(self, constant: i32) -> Self {
        Whole(constant)
    }
    #[inline(always)]
    fn up(self, by: u8) -> Self {
        Whole(self.0 << by)
    }
    #[inline(always)]
    fn down(self, by: u8) -> Self {
        Whole(self.0 >> by)
    }
    #[inline(always)]
    fn less(self, than: Self) -> bool {
        self.0 < than.0
    }
    #[inline(always)]
    fn equal(self, to: Self) -> bool {
        self.0 == to.0
    }
    #[inline(always)]
    fn to_float(self) -> Single<FMA> {
        Single(self.0 as f32)
    }
    #[inline(always)]
    fn as_bits(self) -> Single<FMA> {
        Single(f32::from_bits(self.0 as u32))
    }
}

/// The polynomial with these coefficients, highest power first, by Horner's rule.
#[inline(always)]
pub fn horner<N: Number, const COUNT: usize>(x: N, coefficients: [f32; COUNT]) -> N {
    let mut sum = x.of(coefficients[0]);
    let mut i = 1;
    while i < COUNT {
        sum = sum.mul_add(x, x.of(coefficients[i]));
        i += 1;
    }
    sum
}
