//! Scalar programs, one element and one instruction at a time, in f64 and i64 rounded to each result's dtype.

use fovea_core::DType;
use fovea_core::device::Datum;
use fovea_core::scalar::{Prim, Program};

/// A value: floats and integers alike as f64 would lose i64s, so both are kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    Float(f64),
    Int(i64),
    Key { seed: u64, offset: u64 },
}

impl Value {
    pub fn float(self) -> f64 {
        match self {
            Value::Float(v) => v,
            Value::Int(v) => v as f64,
            Value::Key { .. } => f64::NAN,
        }
    }
    pub fn int(self) -> i64 {
        match self {
            Value::Int(v) => v,
            other => panic!("{other:?} is no integer"),
        }
    }
}

/// Rounds or wraps a value to a dtype.
fn fit(value: Value, dtype: DType) -> Value {
    match (dtype, value) {
        (DType::F32, v) => Value::Float(f64::from(v.float() as f32)),
        (DType::F64, v) => Value::Float(v.float()),
        (DType::Bool, v) => Value::Int(i64::from(v.float() != 0.0)),
        (DType::I32, Value::Int(v)) => Value::Int(i64::from(v as i32)),
        (DType::U8, Value::Int(v)) => Value::Int(i64::from(v as u8)),
        (DType::I64, Value::Int(v)) => Value::Int(v),
        (DType::I32, v) => Value::Int(i64::from(v.float() as i32)),
        (DType::U8, v) => Value::Int(i64::from(v.float() as u8)),
        (DType::I64, v) => Value::Int(v.float() as i64),
    }
}

/// A datum as a program input.
pub fn datum(d: Datum, dtype: DType) -> Value {
    match d {
        Datum::Float(v) => fit(Value::Float(v), dtype),
        Datum::Int(v) => fit(Value::Int(v), dtype),
        Datum::Key { seed, offset } => Value::Key { seed, offset },
    }
}

/// Philox 4x32-10, written from the paper with 64-bit products.
pub fn philox(seed: u64, offset: u64, block: u64) -> [u32; 4] {
    let counter = offset.wrapping_add(block);
    let mut c = [counter as u32, (counter >> 32) as u32, 0, 0];
    let mut k = [seed as u32, (seed >> 32) as u32];
    for _ in 0..10 {
        let p0 = u64::from(c[0]) * 0xD251_1F53;
        let p1 = u64::from(c[2]) * 0xCD9E_8D57;
        c = [(p1 >> 32) as u32 ^ c[1] ^ k[0], p1 as u32, (p0 >> 32) as u32 ^ c[3] ^ k[1], p0 as u32];
        k = [k[0].wrapping_add(0x9E37_79B9), k[1].wrapping_add(0xBB67_AE85)];
    }
    c
}

fn uniform(key: Value, i: u64) -> f64 {
    let Value::Key { seed, offset } = key else { panic!("no key") };
    f64::from(philox(seed, offset, i / 4)[(i % 4) as usize] >> 8) / (1 << 24) as f64
}

fn normal(key: Value, i: u64) -> f64 {
    let Value::Key { seed, offset } = key else { panic!("no key") };
    let words = philox(seed, offset, i);
    let u = f64::from((words[0] >> 8) + 1) / (1 << 24) as f64;
    let v = f64::from(words[1] >> 8) / (1 << 24) as f64;
    (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

/// erf by its series or the continued fraction of erfc, to about 1e-15.
pub fn erf(x: f64) -> f64 {
    let a = x.abs();
    if a < 2.5 {
        let (mut term, mut sum, mut n) = (a, a, 0.0);
        while term.abs() > 1e-18 * sum.abs() {
            n += 1.0;
            term *= -a * a / n;
            sum += term / (2.0 * n + 1.0);
        }
        return sum.copysign(x) * std::f64::consts::FRAC_2_SQRT_PI;
    }
    let mut f = 0.0;
    for n in (1..80).rev() {
        f = n as f64 / 2.0 / (a + f);
    }
    (1.0 - (-a * a).exp() / (std::f64::consts::PI.sqrt() * (a + f))).copysign(x)
}

/// The tail by its own continued fraction where 1 − erf would lose digits.
fn erfc(x: f64) -> f64 {
    if x < 2.0 || x.is_nan() {
        return 1.0 - erf(x);
    }
    let f = (1..80).rev().fold(0.0, |f, n| n as f64 / 2.0 / (x + f));
    (-x * x).exp() / (std::f64::consts::PI.sqrt() * (x + f))
}

fn pow_int(base: i64, exponent: i64) -> i64 {
    match (base, exponent) {
        (1, _) => 1,
        (-1, e) => {
            if e % 2 == 0 {
                1
            } else {
                -1
            }
        }
        (_, e) if e < 0 => 0,
        (b, e) => (0..e).fold(1i64, |acc, _| acc.wrapping_mul(b)),
    }
}

fn binary_float(prim: Prim, a: f64, b: f64) -> f64 {
    match prim {
        Prim::Add => a + b,
        Prim::Sub => a - b,
        Prim::Mul => a * b,
        Prim::Div => a / b,
        Prim::Rem => {
            let r = a % b;
            if r != 0.0 && (r < 0.0) != (b < 0.0) { r + b } else { r }
        }
        Prim::Pow => a.powf(b),
        Prim::Atan2 => a.atan2(b),
        Prim::Max if a.is_nan() || b.is_nan() => f64::NAN,
        Prim::Min if a.is_nan() || b.is_nan() => f64::NAN,
        Prim::Max => a.max(b),
        Prim::Min => a.min(b),
        _ => unreachable!("{prim:?}"),
    }
}

fn binary_int(prim: Prim, a: i64, b: i64, bits: i64) -> i64 {
    match prim {
        Prim::Add => a.wrapping_add(b),
        Prim::Sub => a.wrapping_sub(b),
        Prim::Mul => a.wrapping_mul(b),
        Prim::Div if b == 0 => 0,
        Prim::Div => a.wrapping_div(b),
        Prim::Rem if b == 0 => 0,
        Prim::Rem => {
            let r = a.wrapping_rem(b);
            if r != 0 && (r < 0) != (b < 0) { r + b } else { r }
        }
        Prim::Pow => pow_int(a, b),
        Prim::Max => a.max(b),
        Prim::Min => a.min(b),
        Prim::And => a & b,
        Prim::Or => a | b,
        Prim::Xor => a ^ b,
        Prim::Shl => a.wrapping_shl(b as u32) * i64::from((0..bits).contains(&b)),
        Prim::Shr => a >> if (0..bits).contains(&b) { b } else { 63 },
        _ => unreachable!("{prim:?}"),
    }
}

fn unary_float(prim: Prim, x: f64) -> f64 {
    match prim {
        Prim::Neg => -x,
        Prim::Abs => x.abs(),
        Prim::Sign if x.is_nan() || x == 0.0 => x,
        Prim::Sign => x.signum(),
        Prim::Floor => x.floor(),
        Prim::Ceil => x.ceil(),
        Prim::Round => x.round_ties_even(),
        Prim::Trunc => x.trunc(),
        Prim::Sqrt => x.sqrt(),
        Prim::Exp => x.exp(),
        Prim::Expm1 => x.exp_m1(),
        Prim::Log => x.ln(),
        Prim::Log1p => x.ln_1p(),
        Prim::Sin => x.sin(),
        Prim::Cos => x.cos(),
        Prim::Tanh => x.tanh(),
        Prim::Erf => erf(x),
        Prim::Erfc => erfc(x),
        _ => unreachable!("{prim:?}"),
    }
}

/// All outputs of a program for one element.
pub fn interpret(program: &Program, inputs: &[Value], position: u64) -> Vec<Value> {
    let mut values = inputs.to_vec();
    for instr in &program.instrs {
        let arg = |i: usize| values[instr.args[i] as usize];
        let truth = |i: usize| arg(i).int() != 0;
        let both_int = || matches!((arg(0), arg(1)), (Value::Int(_), Value::Int(_)));
        let boolean = |v: bool| Value::Int(i64::from(v));
        let value = match instr.prim {
            Prim::Const(bits) => Value::Float(f64::from_bits(bits)),
            Prim::Cast => arg(0),
            Prim::Index => Value::Int(position as i64),
            Prim::Uniform => Value::Float(uniform(arg(0), position)),
            Prim::Normal => Value::Float(normal(arg(0), position)),
            Prim::Eq if both_int() => boolean(arg(0).int() == arg(1).int()),
            Prim::Eq => boolean(arg(0).float() == arg(1).float()),
            Prim::Ne if both_int() => boolean(arg(0).int() != arg(1).int()),
            Prim::Ne => boolean(arg(0).float() != arg(1).float()),
            Prim::Lt => boolean(arg(0).float() < arg(1).float()),
            Prim::Le => boolean(arg(0).float() <= arg(1).float()),
            Prim::Not => boolean(!truth(0)),
            Prim::Select => arg(if truth(0) { 1 } else { 2 }),
            prim if prim.arity() == 2 => match (arg(0), arg(1)) {
                (Value::Int(a), Value::Int(b)) => Value::Int(binary_int(prim, a, b, 8 * instr.dtype.size() as i64)),
                (a, b) => Value::Float(binary_float(prim, a.float(), b.float())),
            },
            prim => match (prim, arg(0)) {
                (Prim::Neg, Value::Int(v)) => Value::Int(v.wrapping_neg()),
                (Prim::Abs, Value::Int(v)) => Value::Int(v.wrapping_abs()),
                (Prim::Sign, Value::Int(v)) => Value::Int(v.signum()),
                (prim, v) => Value::Float(unary_float(prim, v.float())),
            },
        };
        values.push(fit(value, instr.dtype));
    }
    program.outputs.iter().map(|&o| values[o as usize]).collect()
}
