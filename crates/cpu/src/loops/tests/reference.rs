//! The naive interpreter: one element at a time, the documented tree for reductions.

use crate::isa::Isa;
use crate::loops::code::cell_of;
use crate::loops::reduce::tree::{LANES, Tree, groups};
use crate::math;
use fovea_core::device::Datum;
use fovea_core::op::Monoid;
use fovea_core::plan::{LoopNest, Operand};
use fovea_core::scalar::{Instr, Prim};
use fovea_core::{DType, Shape};

/// A scalar of any dtype.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    F32(f32),
    F64(f64),
    I32(i32),
    I64(i64),
    U8(u8),
    Key(u64, u64),
}
use Value::{F32, F64, I32, I64, Key, U8};

impl Value {
    pub fn read(bytes: &[u8], dtype: DType, index: usize) -> Value {
        let at = &bytes[index * dtype.size()..];
        match dtype {
            DType::F32 => F32(f32::from_ne_bytes(at[..4].try_into().unwrap())),
            DType::F64 => F64(f64::from_ne_bytes(at[..8].try_into().unwrap())),
            DType::I32 => I32(i32::from_ne_bytes(at[..4].try_into().unwrap())),
            DType::I64 => I64(i64::from_ne_bytes(at[..8].try_into().unwrap())),
            DType::U8 | DType::Bool => U8(at[0]),
        }
    }

    pub fn write(self, bytes: &mut [u8], index: usize) {
        match self {
            F32(v) => bytes[index * 4..][..4].copy_from_slice(&v.to_ne_bytes()),
            F64(v) => bytes[index * 8..][..8].copy_from_slice(&v.to_ne_bytes()),
            I32(v) => bytes[index * 4..][..4].copy_from_slice(&v.to_ne_bytes()),
            I64(v) => bytes[index * 8..][..8].copy_from_slice(&v.to_ne_bytes()),
            U8(v) => bytes[index] = v,
            Key(..) => unreachable!(),
        }
    }

    /// Equal bits, any NaN for any other.
    pub fn same(self, other: Value) -> bool {
        match (self, other) {
            (F32(a), F32(b)) => a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan(),
            (F64(a), F64(b)) => a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan(),
            (a, b) => a == b,
        }
    }

    pub fn is_nan(self) -> bool {
        match self {
            F32(a) => a.is_nan(),
            F64(a) => a.is_nan(),
            _ => false,
        }
    }

    fn cast(self, to: DType) -> Value {
        macro_rules! from {
            ($v:expr) => {
                match to {
                    DType::F32 => F32($v as f32),
                    DType::F64 => F64($v as f64),
                    DType::I32 => I32($v as i32),
                    DType::I64 => I64($v as i64),
                    DType::U8 => U8($v as u8),
                    DType::Bool => U8(($v as f64 != 0.0) as u8),
                }
            };
        }
        match self {
            F32(v) => from!(v),
            F64(v) => from!(v),
            I32(v) => from!(v),
            I64(v) => from!(v),
            U8(v) => from!(v),
            Key(..) => self,
        }
    }
}

fn remainder(a: f64, b: f64) -> f64 {
    let r = a % b;
    if r != 0.0 && (r < 0.0) != (b < 0.0) { r + b } else { r }
}

/// What one instruction gives.
fn apply<const FMA: bool>(instr: &Instr, a: &[Value], position: u64) -> Value {
    let truth = |b: bool| U8(b as u8);
    let key = |per: u64| match a[0] {
        Key(seed, offset) => math::philox(seed, offset.wrapping_add(position / per)),
        _ => panic!("not a key"),
    };
    match (instr.prim, a) {
        (Prim::Const(bits), _) => {
            Value::read(bytes_of(&cell_of(Datum::Float(f64::from_bits(bits)), instr.dtype)), instr.dtype, 0)
        }
        (Prim::Cast, [x]) => x.cast(instr.dtype),
        (Prim::Index, _) => I64(position as i64).cast(instr.dtype),
        (Prim::Uniform, _) if instr.dtype == DType::F32 => F32(math::uniform_f32(key(4)[position as usize % 4])),
        (Prim::Uniform, _) => {
            let w = key(2);
            let at = position as usize % 2 * 2;
            F64(math::uniform_f64(w[at], w[at + 1]))
        }
        (Prim::Normal, _) if instr.dtype == DType::F32 => F32(math::normal_f32::<FMA>(key(1))),
        (Prim::Normal, _) => F64(math::normal_f64(key(1))),
        (Prim::Select, [U8(mask), x, y]) => {
            if *mask != 0 {
                *x
            } else {
                *y
            }
        }
        (Prim::Not, [U8(x)]) => truth(*x == 0),
        (prim, [F32(x)]) => F32(match prim {
            Prim::Exp => math::exp::<FMA>(*x),
            Prim::Expm1 => math::expm1::<FMA>(*x),
            Prim::Log => math::log::<FMA>(*x),
            Prim::Log1p => math::log1p::<FMA>(*x),
            Prim::Tanh => math::tanh::<FMA>(*x),
            Prim::Erf => math::erf::<FMA>(*x),
            Prim::Erfc => math::erfc::<FMA>(*x),
            Prim::Sin if x.abs() <= math::TRIG_BOUND => math::sin::<FMA>(*x),
            Prim::Cos if x.abs() <= math::TRIG_BOUND => math::cos::<FMA>(*x),
            Prim::Sin => math::sin_far(*x),
            Prim::Cos => math::cos_far(*x),
            _ => return rounding(prim, f64::from(*x)).cast(DType::F32),
        }),
        (prim, [F64(x)]) => match prim {
            Prim::Exp => F64(x.exp()),
            Prim::Expm1 => F64(x.exp_m1()),
            Prim::Log => F64(x.ln()),
            Prim::Log1p => F64(x.ln_1p()),
            Prim::Tanh => F64(x.tanh()),
            Prim::Erf => F64(libm::erf(*x)),
            Prim::Erfc => F64(libm::erfc(*x)),
            Prim::Sin => F64(x.sin()),
            Prim::Cos => F64(x.cos()),
            _ => rounding(prim, *x),
        },
        (prim, [F32(x), F32(y)]) => float_pair(prim, f64::from(*x), f64::from(*y), &|prim| {
            F32(match prim {
                Prim::Add => x + y,
                Prim::Sub => x - y,
                Prim::Mul => x * y,
                Prim::Div => x / y,
                Prim::Pow => math::pow::<FMA>(*x, *y),
                Prim::Atan2 => math::atan2::<FMA>(*x, *y),
                _ => {
                    let r = x % y;
                    if r != 0.0 && (r < 0.0) != (*y < 0.0) { r + y } else { r }
                }
            })
        }),
        (prim, [F64(x), F64(y)]) => float_pair(prim, *x, *y, &|prim| {
            F64(match prim {
                Prim::Add => x + y,
                Prim::Sub => x - y,
                Prim::Mul => x * y,
                Prim::Div => x / y,
                Prim::Pow => x.powf(*y),
                Prim::Atan2 => x.atan2(*y),
                _ => remainder(*x, *y),
            })
        })
        .cast(if instr.dtype == DType::Bool { DType::U8 } else { DType::F64 }),
        (prim, x) => integers(prim, x, instr.dtype),
    }
}

fn rounding(prim: Prim, x: f64) -> Value {
    F64(match prim {
        Prim::Neg => -x,
        Prim::Abs => x.abs(),
        Prim::Sign if x.is_nan() => x,
        Prim::Sign => f64::from(i8::from(x > 0.0) - i8::from(x < 0.0)),
        Prim::Floor => x.floor(),
        Prim::Ceil => x.ceil(),
        Prim::Round => x.round_ties_even(),
        Prim::Trunc => x.trunc(),
        Prim::Sqrt => x.sqrt(),
        _ => panic!("{prim:?}"),
    })
}

fn float_pair(prim: Prim, x: f64, y: f64, arithmetic: &dyn Fn(Prim) -> Value) -> Value {
    match prim {
        Prim::Eq => U8((x == y) as u8),
        Prim::Ne => U8((x != y) as u8),
        Prim::Lt => U8((x < y) as u8),
        Prim::Le => U8((x <= y) as u8),
        Prim::Max | Prim::Min => {
            let first = x.is_nan() || if prim == Prim::Max { x > y } else { x < y };
            let chosen = F64(if first { x } else { y });
            if matches!(arithmetic(Prim::Add), F32(_)) { chosen.cast(DType::F32) } else { chosen }
        }
        _ => arithmetic(prim),
    }
}

/// Integers of any width, through i128 and wrapped at the end.
fn integers(prim: Prim, a: &[Value], dtype: DType) -> Value {
    let wide = |v: &Value| match *v {
        I32(v) => i128::from(v),
        I64(v) => i128::from(v),
        U8(v) => i128::from(v),
        _ => panic!("{prim:?} of {v:?}"),
    };
    let (x, y) = (wide(&a[0]), a.get(1).map_or(0, wide));
    let result = match prim {
        Prim::Add => x + y,
        Prim::Sub => x - y,
        Prim::Mul => x * y,
        Prim::Rem if y == 0 => 0,
        Prim::Rem => ((x % y) + y) % y,
        Prim::Div if y == 0 => 0,
        Prim::Div => x / y,
        Prim::Pow => i128::from(math::powi(x as i64, y as i64)),
        Prim::Max => x.max(y),
        Prim::Min => x.min(y),
        Prim::Neg => -x,
        Prim::Abs => x.abs(),
        Prim::Sign => x.signum(),
        Prim::And => x & y,
        Prim::Or => x | y,
        Prim::Xor => x ^ y,
        Prim::Shl => i128::from((0..bits(dtype)).contains(&y)) * (x << y.clamp(0, 63)),
        Prim::Shr => x >> if (0..bits(dtype)).contains(&y) { y } else { 64 },
        Prim::Eq => (x == y) as i128,
        Prim::Ne => (x != y) as i128,
        Prim::Lt => (x < y) as i128,
        Prim::Le => (x <= y) as i128,
        _ => panic!("{prim:?}"),
    };
    match dtype {
        DType::I32 => I32(result as i32),
        DType::I64 => I64(result as i64),
        _ => U8(result as u8),
    }
}

fn bits(dtype: DType) -> i128 {
    8 * dtype.size() as i128
}

fn bytes_of(cell: &[u64; 2]) -> &[u8] {
    // SAFETY: any bytes of an integer array may be read.
    unsafe { std::slice::from_raw_parts(cell.as_ptr().cast(), 16) }
}

/// The logical index of an element.
fn coordinates(shape: &Shape, mut position: usize) -> Vec<usize> {
    let mut out = vec![0; shape.rank()];
    for axis in (0..shape.rank()).rev() {
        out[axis] = position % shape[axis];
        position /= shape[axis];
    }
    out
}

fn offset(strides: &[isize], offset: usize, at: &[usize]) -> usize {
    (offset as isize + at.iter().zip(strides).map(|(&i, &s)| i as isize * s).sum::<isize>()) as usize
}

/// Runs the nest on buffers of bytes.
pub fn run(nest: &LoopNest, buffers: &mut [Vec<u8>], data: &[Datum], isa: Isa) {
    let fma = isa != Isa::Portable || math::BASELINE_FMA;
    let apply = if fma { apply::<true> } else { apply::<false> };
    let before: Vec<Vec<u8>> = buffers.to_vec();
    let mut outputs: Vec<Vec<Value>> = vec![Vec::new(); nest.program.outputs.len()];
    for position in 0..nest.shape.size() {
        let at = coordinates(&nest.shape, position);
        let mut values: Vec<Value> = Vec::new();
        for (operand, &dtype) in nest.operands.iter().zip(&nest.program.inputs) {
            values.push(match *operand {
                Operand::Tensor { slot, strides, offset: start } => {
                    Value::read(&before[slot], dtype, offset(&strides, start, &at))
                }
                Operand::Scalar(i) => Value::read(bytes_of(&cell_of(data[i], dtype)), dtype, 0),
                Operand::Key(i) => match data[i] {
                    Datum::Key { seed, offset } => Key(seed, offset),
                    _ => panic!("not a key"),
                },
            });
        }
        for instr in &nest.program.instrs {
            let keyed = matches!(instr.prim, Prim::Uniform | Prim::Normal) as usize;
            let args: Vec<Value> =
                instr.args[..instr.prim.arity().max(keyed)].iter().map(|&a| values[a as usize]).collect();
            values.push(apply(instr, &args, position as u64));
        }
        for (out, &v) in outputs.iter_mut().zip(&nest.program.outputs) {
            out.push(values[v as usize]);
        }
        for store in &nest.stores {
            let value = values[nest.program.outputs[store.output] as usize];
            value.write(&mut buffers[store.slot], offset(&store.strides, store.offset, &at));
        }
    }
    let axes = &nest.reductions.axes;
    let kept = nest.shape.reduced(axes, false);
    for item in &nest.reductions.items {
        let mut parts: Vec<Vec<Value>> = vec![Vec::new(); kept.size()];
        for (position, &value) in outputs[item.output].iter().enumerate() {
            let at = coordinates(&nest.shape, position);
            let mut group = 0;
            for axis in (0..nest.shape.rank()).filter(|a| !axes.contains(a)) {
                group = group * nest.shape[axis] + at[axis];
            }
            parts[group].push(value);
        }
        for (group, elements) in parts.iter().enumerate() {
            let dtype = nest.program.output_dtype(item.output);
            reduce(item.monoid, dtype, elements, &nest.shape, axes).write(&mut buffers[item.slot], group);
        }
    }
}

fn merge(monoid: Monoid, a: Value, b: Value) -> Value {
    let dtype = match a {
        F32(_) => DType::F32,
        F64(_) => DType::F64,
        I32(_) => DType::I32,
        I64(_) => DType::I64,
        _ => DType::U8,
    };
    let prim = match monoid {
        Monoid::Sum => Prim::Add,
        Monoid::Prod => Prim::Mul,
        Monoid::Max => Prim::Max,
        _ => Prim::Min,
    };
    apply::<true>(&Instr { prim, dtype, args: [0, 1, 0] }, &[a, b], 0)
}

/// One group, as `reduce::tree` documents it.
fn reduce(monoid: Monoid, dtype: DType, elements: &[Value], shape: &Shape, axes: &[usize]) -> Value {
    if matches!(monoid, Monoid::ArgMax | Monoid::ArgMin) {
        let less = |a: Value, b: Value| {
            apply::<true>(&Instr { prim: Prim::Lt, dtype: DType::Bool, args: [0, 1, 0] }, &[a, b], 0) == U8(1)
        };
        let mut best = 0;
        for (i, &x) in elements.iter().enumerate().skip(1) {
            let held = elements[best];
            let better = if monoid == Monoid::ArgMax { less(held, x) } else { less(x, held) };
            if !held.is_nan() && (x.is_nan() || better) {
                best = i;
            }
        }
        return I32(best as i32);
    }
    let identity = match monoid {
        Monoid::Sum => F64(0.0),
        Monoid::Prod => F64(1.0),
        Monoid::Max => F64(f64::NEG_INFINITY),
        _ => F64(f64::INFINITY),
    }
    .cast(if dtype == DType::Bool { DType::U8 } else { dtype });
    if elements.is_empty() {
        return identity;
    }
    let groups = groups(shape, axes);
    let last = groups.iter().copied().max().unwrap_or(0);
    let length = (0..shape.rank()).filter(|&a| last > 0 && groups[a] == last).map(|a| shape[a]).product();
    let tree = Tree::new(length, elements.len() / length);
    let mut chunks: Vec<Value> = (0..tree.chunks)
        .map(|chunk| {
            let mut lanes = [identity; LANES];
            for i in tree.chunk(chunk) {
                let lane = i % length % LANES;
                lanes[lane] = merge(monoid, lanes[lane], elements[i]);
            }
            for half in [8, 4, 2, 1] {
                for i in 0..half {
                    lanes[i] = merge(monoid, lanes[i], lanes[i + half]);
                }
            }
            lanes[0]
        })
        .collect();
    while chunks.len() > 1 {
        chunks = chunks.chunks(2).map(|p| if p.len() == 2 { merge(monoid, p[0], p[1]) } else { p[0] }).collect();
    }
    chunks[0]
}
