//! The scalar primitives that every runtime implements.

use crate::dtype::DType;

/// One scalar instruction. Unless said otherwise the operands share one dtype and the result has it too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Prim {
    /// A structural constant, as f64 bits, cast to the result's dtype.
    Const(u64),
    /// Operand converted to the result's dtype. Float to integer truncates and saturates (NaN gives 0); anything to
    /// bool is `x != 0`.
    Cast,
    /// Position of the element in row-major order of the iteration space, cast to the result's dtype.
    Index,
    /// Uniform in [0, 1): operand 0 is a Philox key (not a value). f32: 24 bits of word `i % 4` of block `i / 4`;
    /// f64: 53 bits of words 0–1 or 2–3 of block `i / 2`.
    Uniform,
    /// Standard normal by Box–Muller from words 0 and 1 of block `i` (f32) or all four (f64).
    Normal,
    // Arithmetic; integers wrap, bool is not allowed.
    Add,
    Sub,
    Mul,
    /// Integers are truncated towards zero; an integer by zero gives 0.
    Div,
    /// Sign of the divisor, as in Python; integer remainder by zero gives 0.
    Rem,
    Pow,
    /// The angle of the point (operand 1, operand 0) in (−π, π], with C's signs of zeros; float only.
    Atan2,
    /// NaN if either is NaN.
    Max,
    /// NaN if either is NaN.
    Min,
    Neg,
    Abs,
    /// −1, 0 or 1; NaN stays NaN.
    Sign,
    // Rounding, float only. `Round` is half to even.
    Floor,
    Ceil,
    Round,
    Trunc,
    // Functions, float only.
    Sqrt,
    Exp,
    Expm1,
    Log,
    Log1p,
    Sin,
    Cos,
    Tanh,
    Erf,
    /// 1 − erf, exact to the last digits also where it is tiny.
    Erfc,
    // Comparisons: two operands of one dtype, result bool.
    Eq,
    Ne,
    Lt,
    Le,
    // Logic on bool; on integers `And`, `Or` and `Xor` work bit by bit.
    And,
    Or,
    Xor,
    /// bool only.
    Not,
    // Shifts, integers only, by as many bits as operand 1 says.
    /// Amounts below 0 or from the dtype's bits on give 0.
    Shl,
    /// Keeps the sign; amounts below 0 or from the dtype's bits on leave nothing but it.
    Shr,
    /// Operand 0 is bool; 1 where true, else 2.
    Select,
}

impl Prim {
    /// Number of operands.
    pub const fn arity(self) -> usize {
        use Prim::*;
        match self {
            Const(_) | Index => 0,
            Cast | Uniform | Normal | Neg | Abs | Sign | Floor | Ceil | Round | Trunc | Sqrt | Exp | Expm1 | Log
            | Log1p | Sin | Cos | Tanh | Erf | Erfc | Not => 1,
            Add | Sub | Mul | Div | Rem | Pow | Atan2 | Max | Min | Eq | Ne | Lt | Le | And | Or | Xor | Shl | Shr => 2,
            Select => 3,
        }
    }

    /// Whether the value depends on where the element lies, not on operands alone.
    pub const fn is_positional(self) -> bool {
        matches!(self, Prim::Index | Prim::Uniform | Prim::Normal)
    }

    /// The dtype of the result for operands of `operand` dtype (`None` where the instruction names it itself).
    pub const fn result(self, operand: DType) -> Option<DType> {
        use Prim::*;
        match self {
            Const(_) | Cast | Index | Uniform | Normal => None,
            Eq | Ne | Lt | Le | Not => Some(DType::Bool),
            _ => Some(operand),
        }
    }
}
