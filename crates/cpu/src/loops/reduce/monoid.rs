//! How two partial results combine, for each monoid and dtype.

use super::fold::Fold;
use crate::isa::Isa;
use fovea_core::DType;
use fovea_core::op;

/// A monoid over elements `T`. The state of no elements changes nothing that it is merged with.
pub trait Monoid<T: Copy> {
    type State: Copy;
    type Result: Copy;
    const START: Self::State;
    /// Whether states hold indices; otherwise they are elements and results.
    const INDEXED: bool = false;
    fn absorb(state: Self::State, x: T, index: i32) -> Self::State;
    fn merge(a: Self::State, b: Self::State) -> Self::State;
    fn finish(state: Self::State) -> Self::Result;
}

struct Sum;
struct Prod;
struct Max;
struct Min;
struct ArgMax;
struct ArgMin;

macro_rules! plain {
    ($t:ty: $($name:ident $start:expr, |$a:ident, $b:ident| $value:expr;)*) => {$(
        impl Monoid<$t> for $name {
            type State = $t;
            type Result = $t;
            const START: $t = $start;
            #[inline(always)]
            fn absorb(state: $t, x: $t, _: i32) -> $t {
                <Self as Monoid<$t>>::merge(state, x)
            }
            #[inline(always)]
            fn merge($a: $t, $b: $t) -> $t {
                $value
            }
            #[inline(always)]
            fn finish(state: $t) -> $t {
                state
            }
        }
    )*};
}
macro_rules! floats {
    ($($t:ident)*) => {$(plain! { $t:
        Sum 0.0, |a, b| a + b;
        Prod 1.0, |a, b| a * b;
        Max $t::NEG_INFINITY, |a, b| if (a > b) | a.is_nan() { a } else { b };
        Min $t::INFINITY, |a, b| if (a < b) | a.is_nan() { a } else { b };
    })*};
}
macro_rules! integers {
    ($($t:ident)*) => {$(plain! { $t:
        Sum 0, |a, b| a.wrapping_add(b);
        Prod 1, |a, b| a.wrapping_mul(b);
        Max $t::MIN, |a, b| a.max(b);
        Min $t::MAX, |a, b| a.min(b);
    })*};
}
floats! { f32 f64 }
integers! { i32 i64 u8 }

/// The index of a state that has seen nothing.
const NONE: i32 = i32::MAX;

/// A value and its index in the reduced group.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Indexed<T> {
    value: T,
    index: i32,
}

macro_rules! indexed {
    ($($name:ident $before:tt: $($t:ident $is_nan:expr),*;)*) => {$($(
        impl Monoid<$t> for $name {
            type State = Indexed<$t>;
            type Result = i32;
            const START: Indexed<$t> = Indexed { value: 0 as $t, index: NONE };
            const INDEXED: bool = true;
            #[inline(always)]
            fn absorb(state: Indexed<$t>, x: $t, index: i32) -> Indexed<$t> {
                <Self as Monoid<$t>>::merge(state, Indexed { value: x, index })
            }
            #[inline(always)]
            fn merge(a: Indexed<$t>, b: Indexed<$t>) -> Indexed<$t> {
                let (a_nan, b_nan) = ($is_nan(a.value), $is_nan(b.value));
                let equal = (a.value == b.value) | (a_nan & b_nan);
                let better = ((b.value $before a.value) & !a_nan) | (b_nan & !a_nan) | (equal & (b.index < a.index));
                let take = (a.index == NONE) | (better & (b.index != NONE));
                if take { b } else { a }
            }
            #[inline(always)]
            fn finish(state: Indexed<$t>) -> i32 {
                state.index
            }
        }
    )*)*};
}
#[inline(always)]
fn never<T>(_: T) -> bool {
    false
}
indexed! {
    ArgMax >: f32 f32::is_nan, f64 f64::is_nan, i32 never, i64 never, u8 never;
    ArgMin <: f32 f32::is_nan, f64 f64::is_nan, i32 never, i64 never, u8 never;
}

/// The loops of a monoid over a dtype, and the result's dtype; `None` where it has no meaning.
pub fn fold(monoid: op::Monoid, dtype: DType, isa: Isa) -> Option<(Fold, DType)> {
    use op::Monoid::{
        ArgMax as IsArgMax, ArgMin as IsArgMin, Max as IsMax, Min as IsMin, Prod as IsProd, Sum as IsSum,
    };
    macro_rules! of {
        ($name:ident) => {
            match dtype {
                DType::F32 => Fold::of::<f32, $name>(isa),
                DType::F64 => Fold::of::<f64, $name>(isa),
                DType::I32 => Fold::of::<i32, $name>(isa),
                DType::I64 => Fold::of::<i64, $name>(isa),
                DType::U8 | DType::Bool => Fold::of::<u8, $name>(isa),
            }
        };
    }
    Some(match monoid {
        IsSum | IsProd if dtype == DType::Bool => return None,
        IsSum => (of!(Sum), dtype),
        IsProd => (of!(Prod), dtype),
        IsMax => (of!(Max), dtype),
        IsMin => (of!(Min), dtype),
        IsArgMax => (of!(ArgMax), DType::I32),
        IsArgMin => (of!(ArgMin), DType::I32),
    })
}
