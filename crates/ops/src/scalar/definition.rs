//! What a line of the table says, and the macro that reads it.

use fovea_core::DType;
use fovea_core::op::InputSchema;
use fovea_core::scalar::Expr;
use std::ops::Range;

/// One scalar op.
#[derive(Debug)]
pub struct Definition {
    pub name: &'static str,
    pub doc: &'static str,
    pub inputs: &'static [InputSchema],
    pub rule: Rule,
    /// The result for operands of one dtype.
    pub value: fn(&[Expr]) -> Expr,
    /// The gradient towards each input from (operands…, result, incoming gradient); empty where there is none.
    pub gradient: fn(&[Expr]) -> Vec<Option<Expr>>,
    /// The values that samples take, for each input.
    pub domains: &'static [Range<f64>],
}

/// Which dtypes an op computes with and yields. Operands are promoted first, see [`promoted`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The promoted dtype; bool is computed as 0 and 1 and gives bool.
    Arithmetic,
    /// The promoted dtype; bool is refused with this advice.
    Numeric(&'static str),
    /// As `Numeric`; integers are returned as they are.
    Rounding,
    /// Float; integers and bool become f32.
    Float,
    /// As `Float`, with a bool result.
    FloatTest,
    /// The promoted dtype, with a bool result.
    Compare,
    /// Everything is taken as `x ≠ 0`; bool result.
    Logic,
    /// The promoted dtype, integers or bool.
    Bits,
    /// As `Bits`; bool is refused.
    Shift,
    /// The first operand must be bool; the others as `Arithmetic`.
    Select,
}

/// The dtypes of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Types {
    /// What operands are cast to, but for the condition of [`Rule::Select`].
    pub operand: DType,
    pub result: DType,
}

/// A dtype as an operand brings it to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Brought {
    pub dtype: DType,
    /// Whether the operand has no dimensions while another has: then it lends its category only, as in PyTorch.
    pub weak: bool,
}

impl From<DType> for Brought {
    fn from(dtype: DType) -> Brought {
        Brought { dtype, weak: false }
    }
}

/// bool, integers, floats.
fn category(dtype: DType) -> u8 {
    match dtype {
        DType::Bool => 0,
        dtype if dtype.is_float() => 2,
        _ => 1,
    }
}

/// The common dtype of these operands: a weak one counts only where no other is of its category or a higher one.
fn promoted(operands: &[Brought]) -> DType {
    let of = |weak: bool| operands.iter().filter(move |o| o.weak == weak).map(|o| o.dtype).reduce(DType::promote);
    match (of(false), of(true)) {
        (Some(strong), Some(weak)) if category(weak) <= category(strong) => strong,
        (Some(strong), Some(weak)) => strong.promote(weak),
        (one, other) => one.or(other).unwrap_or(DType::F32),
    }
}

/// Why a call's dtypes are refused: the argument at fault and what to do instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub argument: usize,
    pub advice: &'static str,
}

impl Rule {
    /// The dtypes of a call on these operands.
    pub fn types(self, inputs: &[Brought]) -> Result<Types, Refusal> {
        let numeric = |d: DType| if d == DType::Bool { DType::U8 } else { d };
        let all = promoted(inputs);
        Ok(match self {
            Rule::Arithmetic => Types { operand: numeric(all), result: all },
            Rule::Numeric(advice) if all == DType::Bool => return Err(Refusal { argument: 0, advice }),
            Rule::Rounding if all == DType::Bool => {
                return Err(Refusal { argument: 0, advice: "bool has nothing to round" });
            }
            Rule::Numeric(_) | Rule::Rounding => Types { operand: all, result: all },
            Rule::Float => Types { operand: all.to_float(), result: all.to_float() },
            Rule::FloatTest => Types { operand: all.to_float(), result: DType::Bool },
            Rule::Compare => Types { operand: numeric(all), result: DType::Bool },
            Rule::Logic => Types { operand: DType::Bool, result: DType::Bool },
            Rule::Bits | Rule::Shift if all.is_float() => {
                let argument = inputs.iter().position(|i| i.dtype.is_float()).unwrap_or(0);
                return Err(Refusal { argument, advice: "only integers and bool have bits; cast it to i32 first" });
            }
            Rule::Shift if all == DType::Bool => {
                return Err(Refusal {
                    argument: 0,
                    advice: "bool has one bit, which can't be moved; cast it to i32 first",
                });
            }
            Rule::Bits | Rule::Shift => Types { operand: all, result: all },
            Rule::Select if inputs[0].dtype != DType::Bool => {
                return Err(Refusal { argument: 0, advice: "make it bool with ne(0)" });
            }
            Rule::Select => {
                let all = promoted(&inputs[1..]);
                Types { operand: all, result: all }
            }
        })
    }

    /// Whether floats are refused.
    pub fn is_integral(self) -> bool {
        matches!(self, Rule::Bits | Rule::Shift)
    }

    /// What operand `index` is cast to.
    pub fn operand(self, index: usize, types: Types) -> DType {
        if self == Rule::Select && index == 0 { DType::Bool } else { types.operand }
    }
}

/// A gradient as the table writes it: an expression, or 0 for none.
pub trait Part {
    fn part(self) -> Option<Expr>;
}
impl Part for Expr {
    fn part(self) -> Option<Expr> {
        Some(self)
    }
}
impl Part for &Expr {
    fn part(self) -> Option<Expr> {
        Some(self.clone())
    }
}
impl Part for u8 {
    fn part(self) -> Option<Expr> {
        debug_assert_eq!(self, 0);
        None
    }
}

/// Reads the table. The header names the incoming gradient and the result, as the lines call them. Makes `TABLE`, and
/// `record` with a function for each op that records it.
macro_rules! table {
    ((gradient $g:ident, result $y:ident)
     $($name:ident($($input:ident),+) $rule:expr, $value:expr, [$($part:expr),*], [$($domain:expr),+], $what:literal;)*
    ) => {
        pub(super) static TABLE: &[Definition] = &[$(Definition {
            name: plain(stringify!($name)),
            doc: concat!($what, ": `", stringify!($value), "`."),
            inputs: &[$(InputSchema::required(stringify!($input), "")),+],
            rule: $rule,
            value: |operands| {
                let [$($input),+] = operands else { unreachable!("the arity was checked") };
                $value
            },
            #[allow(unused_variables)]
            gradient: |values| {
                let [$($input,)+ $y, $g] = values else { unreachable!("the arity was checked") };
                vec![$(Part::part($part)),*]
            },
            domains: &[$($domain),+],
        }),*];

        /// Recording scalar ops from within other ops' rules.
        pub mod record {
            use fovea_core::Result;
            use fovea_core::graph::{Build, Val};
            use fovea_core::op::DynOp;
            use std::sync::{Arc, LazyLock};
            $(
                #[doc = $what]
                pub fn $name(cx: &mut Build<'_>, $($input: Val),+) -> Result<Val> {
                    static OP: LazyLock<Arc<dyn DynOp>> =
                        LazyLock::new(|| crate::scalar::op::named(super::plain(stringify!($name))));
                    cx.apply_dyn(OP.clone(), &[$($input),+])
                }
            )*
        }
    };
}
pub(super) use table;

/// An identifier without the marker of a raw one (`r#where`).
pub(super) const fn plain(name: &'static str) -> &'static str {
    match name.as_bytes() {
        [b'r', b'#', ..] => name.split_at(2).1,
        _ => name,
    }
}
