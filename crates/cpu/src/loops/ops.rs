//! The kernel of each primitive for each dtype.

use super::kernel::{Binary, Kernel, Unary, binary, unary};
use crate::isa::Isa;
use crate::math;
use fovea_core::DType;
use fovea_core::scalar::Prim;

macro_rules! names {
    ($($name:ident)*) => { $(pub struct $name;)* };
}
names! {
    Add Sub Mul Div Rem Pow Atan2 Max Min Eq Ne Lt Le And Or Xor Shl Shr
    Neg Abs Sign Floor Ceil Round Trunc Sqrt Exp Expm1 Log Log1p Sin Cos Tanh Erf Erfc Not
    ToBool
}

/// `Name<T> |a| value` for each line and type; the value may call `math` functions with `FMA`.
macro_rules! unaries {
    ($t:ty: $($name:ident |$a:ident| $value:expr;)*) => {$(
        impl Unary<$t> for $name {
            type Result = $t;
            #[inline(always)]
            fn apply<const FMA: bool>($a: $t) -> $t {
                $value
            }
        }
    )*};
}
macro_rules! binaries {
    ($t:ty => $r:ty: $($name:ident |$a:ident, $b:ident| $value:expr;)*) => {$(
        impl Binary<$t> for $name {
            type Result = $r;
            #[inline(always)]
            fn apply<const FMA: bool>($a: $t, $b: $t) -> $r {
                $value
            }
        }
    )*};
}

macro_rules! common {
    ($($t:ty)*) => {$(
        binaries! { $t => u8:
            Eq |a, b| (a == b) as u8;
            Ne |a, b| (a != b) as u8;
            Lt |a, b| (a < b) as u8;
            Le |a, b| (a <= b) as u8;
        }
    )*};
}
common! { f32 f64 i32 i64 u8 }

macro_rules! floats {
    ($($t:ty)*) => {$(
        binaries! { $t => $t:
            Add |a, b| a + b;
            Sub |a, b| a - b;
            Mul |a, b| a * b;
            Div |a, b| a / b;
            Max |a, b| if (a > b) | a.is_nan() { a } else { b };
            Min |a, b| if (a < b) | a.is_nan() { a } else { b };
        }
        unaries! { $t:
            Neg |a| -a;
            Abs |a| a.abs();
            Sign |a| if a.is_nan() { a } else { ((a > 0.0) as i32 - (a < 0.0) as i32) as $t };
            Floor |a| a.floor();
            Ceil |a| a.ceil();
            Round |a| a.round_ties_even();
            Trunc |a| a.trunc();
            Sqrt |a| a.sqrt();
        }
    )*};
}
floats! { f32 f64 }

macro_rules! integers {
    ($($t:ty)*) => {$(
        binaries! { $t => $t:
            Add |a, b| a.wrapping_add(b);
            Sub |a, b| a.wrapping_sub(b);
            Mul |a, b| a.wrapping_mul(b);
            Div |a, b| if b == 0 { 0 } else { a.wrapping_div(b) };
            Max |a, b| a.max(b);
            Min |a, b| a.min(b);
            Pow |a, b| math::powi(a as i64, b as i64) as $t;
            And |a, b| a & b;
            Or |a, b| a | b;
            Xor |a, b| a ^ b;
            Shl |a, b| if (0..<$t>::BITS as $t).contains(&b) { a.wrapping_shl(b as u32) } else { 0 };
            Shr |a, b| {
                let fits = (0..<$t>::BITS as $t).contains(&b);
                if fits { a.wrapping_shr(b as u32) } else { a >> (<$t>::BITS - 1) >> 1 }
            };
        }
    )*};
}
integers! { i32 i64 u8 }

macro_rules! signed {
    ($($t:ty)*) => {$(
        binaries! { $t => $t:
            Rem |a, b| {
                if b == 0 {
                    0
                } else {
                    let r = a.wrapping_rem(b);
                    if r != 0 && (r < 0) != (b < 0) { r + b } else { r }
                }
            };
        }
        unaries! { $t:
            Neg |a| a.wrapping_neg();
            Abs |a| a.wrapping_abs();
            Sign |a| a.signum();
        }
    )*};
}
signed! { i32 i64 }
binaries! { u8 => u8:
    Rem |a, b| if b == 0 { 0 } else { a % b };
}
unaries! { u8:
    Neg |a| a.wrapping_neg();
    Abs |a| a;
    Sign |a| (a != 0) as u8;
    Not |a| a ^ 1;
}

unaries! { f32:
    Exp |a| math::exp::<FMA>(a);
    Expm1 |a| math::expm1::<FMA>(a);
    Log |a| math::log::<FMA>(a);
    Log1p |a| math::log1p::<FMA>(a);
    Tanh |a| math::tanh::<FMA>(a);
    Erf |a| math::erf::<FMA>(a);
    Erfc |a| math::erfc::<FMA>(a);
}
unaries! { f64:
    Exp |a| a.exp();
    Expm1 |a| a.exp_m1();
    Log |a| a.ln();
    Log1p |a| a.ln_1p();
    Sin |a| a.sin();
    Cos |a| a.cos();
    Tanh |a| a.tanh();
    Erf |a| libm::erf(a);
    Erfc |a| libm::erfc(a);
}
binaries! { f32 => f32:
    Pow |a, b| math::pow::<FMA>(a, b);
    Atan2 |a, b| math::atan2::<FMA>(a, b);
}
binaries! { f64 => f64:
    Pow |a, b| a.powf(b);
    Atan2 |a, b| a.atan2(b);
    Rem |a, b| signed_remainder(a % b, b);
}

/// The remainder of a truncating division, moved to the divisor's sign.
#[inline(always)]
fn signed_remainder(r: f64, divisor: f64) -> f64 {
    if (r != 0.0) & ((r < 0.0) != (divisor < 0.0)) { r + divisor } else { r }
}

/// Quotients below this are exact enough for [`Rem`].
const REM_BOUND: f64 = 268_435_456.0;

impl Binary<f32> for Rem {
    type Result = f32;
    const RARE: bool = true;
    /// Exact while the quotient stays below 2^28: its f64 truncates rightly and times the divisor fits 53 bits.
    #[inline(always)]
    fn apply<const FMA: bool>(a: f32, b: f32) -> f32 {
        let (x, y) = (f64::from(a), f64::from(b));
        let q = x / y;
        let small = if q.abs() < REM_BOUND { q } else { 0.0 };
        // SAFETY: |small| < 2^28.
        let whole = f64::from(unsafe { small.to_int_unchecked::<i32>() });
        let r = x - if whole == 0.0 { 0.0 } else { whole * y };
        let r = if r == 0.0 { r.copysign(x) } else { r };
        let r = if (r != 0.0) & ((r < 0.0) != (y < 0.0)) { r + y } else { r };
        // Only a zero divisor or an infinite or NaN operand makes such a quotient in f64.
        (if q.abs() < f64::INFINITY { r } else { f64::NAN }) as f32
    }
    #[inline(always)]
    fn rare(a: f32, b: f32) -> bool {
        let q = (f64::from(a) / f64::from(b)).abs();
        (REM_BOUND..f64::INFINITY).contains(&q)
    }
    fn slow(a: f32, b: f32) -> f32 {
        let r = a % b;
        if r != 0.0 && (r < 0.0) != (b < 0.0) { r + b } else { r }
    }
}

macro_rules! trigonometric {
    ($($name:ident $near:ident $far:ident;)*) => {$(
        impl Unary<f32> for $name {
            type Result = f32;
            const RARE: bool = true;
            #[inline(always)]
            fn apply<const FMA: bool>(a: f32) -> f32 {
                math::$near::<FMA>(a)
            }
            #[inline(always)]
            fn rare(a: f32) -> bool {
                a.abs() > math::TRIG_BOUND
            }
            fn slow(a: f32) -> f32 {
                math::$far(a)
            }
        }
    )*};
}
trigonometric! { Sin sin sin_far; Cos cos cos_far; }

/// A conversion to `R`.
pub struct Cast<R>(std::marker::PhantomData<R>);

/// `a as $to`, in steps that vectorise.
macro_rules! saturating {
    ($($from:ident => $($to:ident $below:literal $above:literal)*;)*) => {$($(
        impl Unary<$from> for Cast<$to> {
            type Result = $to;
            #[inline(always)]
            fn apply<const FMA: bool>(a: $from) -> $to {
                let fits = (a > $below) & (a < $above);
                // SAFETY: the value fits.
                let y = unsafe { (if fits { a } else { 0.0 }).to_int_unchecked::<$to>() };
                let y = if a >= $above { $to::MAX } else { y };
                if a <= $below { $to::MIN } else { y }
            }
        }
    )*)*};
}
// The bounds are the nearest values outside the range of the integers, or the lowest integer itself.
saturating! {
    f32 => i32 -2147483648.0 2147483648.0 i64 -9223372036854775808.0 9223372036854775808.0;
    f64 => i32 -2147483649.0 2147483648.0 i64 -9223372036854775808.0 9223372036854775808.0;
}

macro_rules! bytes {
    ($($from:ident)*) => {$(
        impl Unary<$from> for Cast<u8> {
            type Result = u8;
            #[inline(always)]
            fn apply<const FMA: bool>(a: $from) -> u8 {
                // A NaN becomes 0.
                let a = if a > 0.0 { a } else { 0.0 };
                let a = if a < 255.0 { a } else { 255.0 };
                // SAFETY: 0 <= a <= 255.
                unsafe { a.to_int_unchecked::<i32>() as u8 }
            }
        }
    )*};
}
bytes! { f32 f64 }

macro_rules! casts {
    ($($from:ty => $($to:ty)*;)*) => {$(
        $(impl Unary<$from> for Cast<$to> {
            type Result = $to;
            #[inline(always)]
            fn apply<const FMA: bool>(a: $from) -> $to {
                a as $to
            }
        })*
        impl Unary<$from> for ToBool {
            type Result = u8;
            #[inline(always)]
            fn apply<const FMA: bool>(a: $from) -> u8 {
                (a != 0 as $from) as u8
            }
        }
    )*};
}
casts! {
    f32 => f32 f64;
    f64 => f32 f64;
    i32 => f32 f64 i32 i64 u8;
    i64 => f32 f64 i32 i64 u8;
    u8 => f32 f64 i32 i64 u8;
}

/// The kernel that converts `from` to `to`.
pub fn cast(from: DType, to: DType, isa: Isa) -> Kernel {
    fn source<T: Copy>(to: DType, isa: Isa) -> Kernel
    where
        Cast<f32>: Unary<T>,
        Cast<f64>: Unary<T>,
        Cast<i32>: Unary<T>,
        Cast<i64>: Unary<T>,
        Cast<u8>: Unary<T>,
        ToBool: Unary<T>,
    {
        match to {
            DType::F32 => unary::<T, Cast<f32>>(isa),
            DType::F64 => unary::<T, Cast<f64>>(isa),
            DType::I32 => unary::<T, Cast<i32>>(isa),
            DType::I64 => unary::<T, Cast<i64>>(isa),
            DType::U8 => unary::<T, Cast<u8>>(isa),
            DType::Bool => unary::<T, ToBool>(isa),
        }
    }
    match from {
        DType::F32 => source::<f32>(to, isa),
        DType::F64 => source::<f64>(to, isa),
        DType::I32 => source::<i32>(to, isa),
        DType::I64 => source::<i64>(to, isa),
        DType::U8 | DType::Bool => source::<u8>(to, isa),
    }
}

/// The kernel of a primitive with one operand of this dtype; `None` where it has no meaning.
pub fn one_operand(prim: Prim, dtype: DType, isa: Isa) -> Option<Kernel> {
    macro_rules! of {
        ($($name:ident: $($d:ident $t:ty),*;)*) => {
            match (prim, dtype) {
                $($((Prim::$name, DType::$d) => unary::<$t, $name>(isa),)*)*
                _ => return None,
            }
        };
    }
    Some(of! {
        Neg: F32 f32, F64 f64, I32 i32, I64 i64, U8 u8;
        Abs: F32 f32, F64 f64, I32 i32, I64 i64, U8 u8;
        Sign: F32 f32, F64 f64, I32 i32, I64 i64, U8 u8;
        Floor: F32 f32, F64 f64;
        Ceil: F32 f32, F64 f64;
        Round: F32 f32, F64 f64;
        Trunc: F32 f32, F64 f64;
        Sqrt: F32 f32, F64 f64;
        Exp: F32 f32, F64 f64;
        Expm1: F32 f32, F64 f64;
        Log: F32 f32, F64 f64;
        Log1p: F32 f32, F64 f64;
        Sin: F32 f32, F64 f64;
        Cos: F32 f32, F64 f64;
        Tanh: F32 f32, F64 f64;
        Erf: F32 f32, F64 f64;
        Erfc: F32 f32, F64 f64;
        Not: Bool u8;
    })
}

/// The kernel of a primitive with two operands of this dtype, some of them scalars; `None` where it has no meaning.
pub fn two_operands(prim: Prim, dtype: DType, isa: Isa, scalars: [bool; 2]) -> Option<Kernel> {
    macro_rules! of {
        ($($name:ident: $($d:ident $t:ty),*;)*) => {
            match (prim, dtype) {
                $($((Prim::$name, DType::$d) => binary::<$t, $name>(isa, scalars),)*)*
                _ => return None,
            }
        };
    }
    Some(of! {
        Add: F32 f32, F64 f64, I32 i32, I64 i64, U8 u8;
        Sub: F32 f32, F64 f64, I32 i32, I64 i64, U8 u8;
        Mul: F32 f32, F64 f64, I32 i32, I64 i64, U8 u8;
        Div: F32 f32, F64 f64, I32 i32, I64 i64, U8 u8;
        Rem: F32 f32, F64 f64, I32 i32, I64 i64, U8 u8;
        Pow: F32 f32, F64 f64, I32 i32, I64 i64, U8 u8;
        Atan2: F32 f32, F64 f64;
        Max: F32 f32, F64 f64, I32 i32, I64 i64, U8 u8, Bool u8;
        Min: F32 f32, F64 f64, I32 i32, I64 i64, U8 u8, Bool u8;
        Eq: F32 f32, F64 f64, I32 i32, I64 i64, U8 u8, Bool u8;
        Ne: F32 f32, F64 f64, I32 i32, I64 i64, U8 u8, Bool u8;
        Lt: F32 f32, F64 f64, I32 i32, I64 i64, U8 u8, Bool u8;
        Le: F32 f32, F64 f64, I32 i32, I64 i64, U8 u8, Bool u8;
        And: I32 i32, I64 i64, U8 u8, Bool u8;
        Or: I32 i32, I64 i64, U8 u8, Bool u8;
        Xor: I32 i32, I64 i64, U8 u8, Bool u8;
        Shl: I32 i32, I64 i64, U8 u8;
        Shr: I32 i32, I64 i64, U8 u8;
    })
}
