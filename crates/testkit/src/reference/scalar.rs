//! Scalar primitives, one element at a time, each rounded to its dtype.

use fovea_core::DType;
use fovea_core::device::Datum;
use fovea_core::scalar::{Prim, Program};

/// A value of any dtype: floats as f64 (f32 rounded), integers and bool as i64.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    Float(f64),
    Int(i64),
}

use Number::{Float, Int};

impl Number {
    pub fn float(self) -> f64 {
        match self {
            Float(v) => v,
            Int(v) => v as f64,
        }
    }

    pub fn int(self) -> i64 {
        match self {
            Float(v) => v as i64,
            Int(v) => v,
        }
    }

    pub fn truth(self) -> bool {
        match self {
            Float(v) => v != 0.0,
            Int(v) => v != 0,
        }
    }

    /// Converted as [`Prim::Cast`] says.
    pub fn cast(self, dtype: DType) -> Number {
        match (dtype, self) {
            (DType::F32, Float(v)) => Float(f64::from(v as f32)),
            (DType::F32, Int(v)) => Float(f64::from(v as f32)),
            (DType::F64, v) => Float(v.float()),
            (DType::I32, Float(v)) => Int(i64::from(v as i32)),
            (DType::I32, Int(v)) => Int(i64::from(v as i32)),
            (DType::I64, v) => Int(v.int()),
            (DType::U8, Float(v)) => Int(i64::from(v as u8)),
            (DType::U8, Int(v)) => Int(i64::from(v as u8)),
            (DType::Bool, v) => Int(i64::from(v.truth())),
        }
    }

    pub fn load(dtype: DType, bytes: &[u8]) -> Number {
        let int = |n: usize| {
            let mut wide = [0u8; 8];
            wide[..n].copy_from_slice(&bytes[..n]);
            i64::from_le_bytes(wide)
        };
        match dtype {
            DType::F32 => Float(f64::from(f32::from_bits(int(4) as u32))),
            DType::F64 => Float(f64::from_bits(int(8) as u64)),
            DType::I32 => Int(i64::from(int(4) as i32)),
            DType::I64 => Int(int(8)),
            DType::U8 | DType::Bool => Int(i64::from(bytes[0])),
        }
    }

    pub fn store(self, dtype: DType, bytes: &mut [u8]) {
        match dtype {
            DType::F32 => bytes.copy_from_slice(&(self.float() as f32).to_le_bytes()),
            DType::F64 => bytes.copy_from_slice(&self.float().to_le_bytes()),
            DType::I32 => bytes.copy_from_slice(&(self.int() as i32).to_le_bytes()),
            DType::I64 => bytes.copy_from_slice(&self.int().to_le_bytes()),
            DType::U8 | DType::Bool => bytes[0] = self.int() as u8,
        }
    }
}

impl From<Datum> for Number {
    fn from(datum: Datum) -> Number {
        match datum {
            Datum::Int(v) => Int(v),
            other => Float(other.as_f64()),
        }
    }
}

/// What a program input is bound to at one element.
#[derive(Clone, Copy)]
pub enum Input {
    Value(Number),
    Key { seed: u64, offset: u64 },
}

/// Runs a program at row-major position `index`; values of all instructions are left in `values`, inputs first.
///
/// With `contract`, a multiplication that an addition or subtraction reads is not rounded: the planted bug "multiply-add contraction
/// across ops", which rule S13 forbids.
pub fn run(program: &Program, inputs: &[Input], index: usize, contract: bool, values: &mut Vec<Number>) {
    values.clear();
    values.extend(inputs.iter().map(|i| match i {
        Input::Value(v) => *v,
        Input::Key { .. } => Float(f64::NAN),
    }));
    let n = inputs.len();
    for instr in &program.instrs {
        let arg = |k: usize| values[instr.args[k] as usize];
        let value = match instr.prim {
            Prim::Const(bits) => Float(f64::from_bits(bits)).cast(instr.dtype),
            Prim::Cast => arg(0).cast(instr.dtype),
            Prim::Index => Int(index as i64).cast(instr.dtype),
            Prim::Uniform | Prim::Normal => match inputs[instr.args[0] as usize] {
                Input::Key { seed, offset } if instr.prim == Prim::Uniform => uniform(instr.dtype, seed, offset, index),
                Input::Key { seed, offset } => normal(instr.dtype, seed, offset, index),
                Input::Value(_) => Float(f64::NAN),
            },
            Prim::Select => {
                if arg(0).truth() {
                    arg(1)
                } else {
                    arg(2)
                }
            }
            Prim::Add | Prim::Sub if contract && instr.dtype.is_float() => {
                let sign = if instr.prim == Prim::Sub { -1.0 } else { 1.0 };
                let (left, right) = (arg(0).float(), sign * arg(1).float());
                let product = |k: usize| {
                    let at = (instr.args[k] as usize).checked_sub(n)?;
                    let factor = &program.instrs[at];
                    (factor.prim == Prim::Mul)
                        .then(|| (values[factor.args[0] as usize].float(), values[factor.args[1] as usize].float()))
                };
                let sum = match (product(0), product(1)) {
                    (Some((a, b)), _) => a.mul_add(b, right),
                    (None, Some((a, b))) => a.mul_add(sign * b, left),
                    (None, None) => left + right,
                };
                Float(sum).cast(instr.dtype)
            }
            prim => {
                let operand = program.dtype_of(instr.args[0]);
                let second = if prim.arity() > 1 { arg(1) } else { Int(0) };
                apply(prim, operand, arg(0), second)
            }
        };
        values.push(value);
    }
}

fn apply(prim: Prim, dtype: DType, a: Number, b: Number) -> Number {
    if let (Float(x), true) = (a, dtype.is_float()) {
        return float(prim, x, b.float()).cast_unless_bool(dtype);
    }
    int(prim, a.int(), b.int(), dtype).cast_unless_bool(dtype)
}

impl Number {
    /// Rounded to `dtype`; comparisons yield 0 and 1, which every dtype holds.
    fn cast_unless_bool(self, dtype: DType) -> Number {
        match self {
            Float(_) => self.cast(dtype),
            Int(v) if dtype.is_float() => Int(v),
            Int(_) => self.cast(dtype),
        }
    }
}

fn float(prim: Prim, x: f64, y: f64) -> Number {
    let truth = |b: bool| Int(i64::from(b));
    Float(match prim {
        Prim::Add => x + y,
        Prim::Sub => x - y,
        Prim::Mul => x * y,
        Prim::Div => x / y,
        Prim::Rem => {
            let r = x % y;
            if r != 0.0 && (r < 0.0) != (y < 0.0) { r + y } else { r }
        }
        Prim::Pow => libm::pow(x, y),
        Prim::Atan2 => libm::atan2(x, y),
        Prim::Max if x.is_nan() || y.is_nan() => f64::NAN,
        Prim::Max => x.max(y),
        Prim::Min if x.is_nan() || y.is_nan() => f64::NAN,
        Prim::Min => x.min(y),
        Prim::Neg => -x,
        Prim::Abs => x.abs(),
        Prim::Sign if x == 0.0 || x.is_nan() => x,
        Prim::Sign => x.signum(),
        Prim::Floor => x.floor(),
        Prim::Ceil => x.ceil(),
        Prim::Round => x.round_ties_even(),
        Prim::Trunc => x.trunc(),
        Prim::Sqrt => x.sqrt(),
        Prim::Exp => libm::exp(x),
        Prim::Expm1 => libm::expm1(x),
        Prim::Log => libm::log(x),
        Prim::Log1p => libm::log1p(x),
        Prim::Sin => libm::sin(x),
        Prim::Cos => libm::cos(x),
        Prim::Tanh => libm::tanh(x),
        Prim::Erf => libm::erf(x),
        Prim::Erfc => libm::erfc(x),
        Prim::Eq => return truth(x == y),
        Prim::Ne => return truth(x != y),
        Prim::Lt => return truth(x < y),
        Prim::Le => return truth(x <= y),
        other => panic!("{other:?} has no meaning for floats"),
    })
}

fn int(prim: Prim, x: i64, y: i64, dtype: DType) -> Number {
    let truth = |b: bool| Int(i64::from(b));
    Int(match prim {
        Prim::And => x & y,
        Prim::Or => x | y,
        Prim::Xor => x ^ y,
        Prim::Not => return truth(x == 0),
        Prim::Eq => return truth(x == y),
        Prim::Ne => return truth(x != y),
        Prim::Lt => return truth(x < y),
        Prim::Le => return truth(x <= y),
        Prim::Max => x.max(y),
        Prim::Min => x.min(y),
        _ if dtype == DType::Bool => panic!("{prim:?} has no meaning for bool"),
        Prim::Add => x.wrapping_add(y),
        Prim::Sub => x.wrapping_sub(y),
        Prim::Mul => x.wrapping_mul(y),
        Prim::Div if y == 0 => 0,
        Prim::Div => x.wrapping_div(y),
        Prim::Rem if y == 0 => 0,
        Prim::Rem => {
            let r = x.wrapping_rem(y);
            if r != 0 && (r < 0) != (y < 0) { r + y } else { r }
        }
        Prim::Pow => power(x, y),
        Prim::Neg => x.wrapping_neg(),
        Prim::Abs => x.wrapping_abs(),
        Prim::Sign => x.signum(),
        Prim::Shl | Prim::Shr => shifted(prim == Prim::Shl, x, y, 8 * dtype.size() as i64),
        other => panic!("{other:?} has no meaning for integers"),
    })
}

/// Shifted by `amount` of `bits` bits; by others nothing is left, to the right the sign.
fn shifted(left: bool, x: i64, amount: i64, bits: i64) -> i64 {
    match (left, (0..bits).contains(&amount)) {
        (true, true) => x << amount,
        (true, false) => 0,
        (false, true) => x >> amount,
        (false, false) => x >> 63,
    }
}

/// Integer power, wrapping; a negative exponent gives the reciprocal truncated to an integer.
fn power(base: i64, exponent: i64) -> i64 {
    if exponent < 0 {
        return match base {
            1 => 1,
            -1 if exponent % 2 == 0 => 1,
            -1 => -1,
            _ => 0,
        };
    }
    let (mut result, mut square, mut left) = (1i64, base, exponent);
    while left > 0 {
        if left & 1 == 1 {
            result = result.wrapping_mul(square);
        }
        square = square.wrapping_mul(square);
        left >>= 1;
    }
    result
}

/// Four words of Philox 4×32-10 (Salmon et al., SC 2011); the counter's high half is 0.
pub fn philox(seed: u64, counter: u64) -> [u32; 4] {
    let mut c = [counter as u32, (counter >> 32) as u32, 0, 0];
    let mut k = [seed as u32, (seed >> 32) as u32];
    for _ in 0..10 {
        let (p, q) = (u64::from(c[0]) * 0xD251_1F53, u64::from(c[2]) * 0xCD9E_8D57);
        c = [(q >> 32) as u32 ^ c[1] ^ k[0], q as u32, (p >> 32) as u32 ^ c[3] ^ k[1], p as u32];
        k = [k[0].wrapping_add(0x9E37_79B9), k[1].wrapping_add(0xBB67_AE85)];
    }
    c
}

fn unit32(word: u32) -> f64 {
    f64::from(word >> 8) / f64::from(1u32 << 24)
}

fn unit64(low: u32, high: u32) -> f64 {
    ((u64::from(high) << 32 | u64::from(low)) >> 11) as f64 / (1u64 << 53) as f64
}

fn uniform(dtype: DType, seed: u64, offset: u64, index: usize) -> Number {
    if dtype == DType::F32 {
        let words = philox(seed, offset.wrapping_add(index as u64 / 4));
        Float(unit32(words[index % 4]))
    } else {
        let words = philox(seed, offset.wrapping_add(index as u64 / 2));
        let at = index % 2 * 2;
        Float(unit64(words[at], words[at + 1]))
    }
}

fn normal(dtype: DType, seed: u64, offset: u64, index: usize) -> Number {
    let words = philox(seed, offset.wrapping_add(index as u64));
    let (u, v) = if dtype == DType::F32 {
        (unit32(words[0]) + 1.0 / f64::from(1u32 << 24), unit32(words[1]))
    } else {
        (unit64(words[0], words[1]) + 1.0 / (1u64 << 53) as f64, unit64(words[2], words[3]))
    };
    Float((-2.0 * libm::log(u)).sqrt() * libm::cos(std::f64::consts::TAU * v)).cast(dtype)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Test vectors of the Random123 distribution.
    #[test]
    fn philox_agrees_with_its_published_vectors() {
        assert_eq!(philox(0, 0), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
    }
}
