//! Nests made at random, and running them.

use super::reference::{self, Value};
use crate::isa::{Isa, isa};
use crate::loops::reduce::Strategy;
use crate::loops::{CompiledLoop, Way};
use crate::math::philox;
use fovea_core::device::{Datum, Threads};
use fovea_core::plan::{Home, LoopNest, Operand, Reductions, Slot, SlotId, Store};
use fovea_core::scalar::{Instr, Prim, Program, ValueId};
use fovea_core::{DType, Layout, Shape};

/// Random numbers.
pub struct Random(u64, u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed, 0)
    }
    pub fn below(&mut self, n: usize) -> usize {
        self.1 += 1;
        philox(self.0, self.1)[0] as usize % n
    }
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

/// Runs tasks on threads of its own, last task first on one thread.
pub struct TestThreads(pub usize);

impl Threads for TestThreads {
    fn count(&self) -> usize {
        self.0
    }
    fn run(&self, tasks: usize, body: &(dyn Fn(usize) + Sync)) {
        std::thread::scope(|scope| {
            for t in 0..self.0 {
                scope.spawn(move || (0..tasks).rev().filter(|task| task % self.0 == t).for_each(body));
            }
        });
    }
}

/// A nest with its buffers.
pub struct Case {
    pub nest: LoopNest,
    pub slots: Vec<Slot>,
    pub buffers: Vec<Vec<u8>>,
    pub data: Vec<Datum>,
    /// A stored slot that shares the buffer of an operand's: what the runtime does with donated buffers.
    pub shared: Option<(SlotId, SlotId)>,
}

impl Case {
    pub fn new(shape: impl Into<Shape>, program: Program) -> Case {
        let nest = LoopNest {
            shape: shape.into(),
            operands: Vec::new(),
            program,
            stores: Vec::new(),
            reductions: Reductions::default(),
        };
        Case { nest, slots: Vec::new(), buffers: Vec::new(), data: Vec::new(), shared: None }
    }

    pub fn slot(&mut self, dtype: DType, elements: usize, random: &mut Random) -> SlotId {
        self.slots.push(Slot { dtype, elements, home: Home::Arena(0) });
        let mut bytes = vec![0; elements * dtype.size()];
        (0..elements).for_each(|i| element(dtype, random).write(&mut bytes, i));
        self.buffers.push(bytes);
        self.slots.len() - 1
    }

    /// A slot that a layout reaches all of.
    pub fn slot_for(&mut self, dtype: DType, layout: &Layout, random: &mut Random) -> SlotId {
        self.slot(dtype, layout.end().max(1), random)
    }

    pub fn operand(&mut self, dtype: DType, layout: Layout, random: &mut Random) -> SlotId {
        let slot = self.slot_for(dtype, &layout, random);
        self.nest.operands.push(Operand::Tensor { slot, strides: layout.strides, offset: layout.offset });
        slot
    }

    pub fn store(&mut self, output: usize, layout: Layout, random: &mut Random) -> SlotId {
        let slot = self.slot_for(self.nest.program.output_dtype(output), &layout, random);
        self.nest.stores.push(Store { output, slot, strides: layout.strides, offset: layout.offset });
        slot
    }

    pub fn reduce(&mut self, output: usize, monoid: fovea_core::op::Monoid, random: &mut Random) -> SlotId {
        use fovea_core::op::Monoid::{ArgMax, ArgMin};
        let dtype = if matches!(monoid, ArgMax | ArgMin) { DType::I32 } else { self.nest.program.output_dtype(output) };
        let elements = self.nest.shape.reduced(&self.nest.reductions.axes, false).size();
        let slot = self.slot(dtype, elements, random);
        self.nest.reductions.items.push(fovea_core::plan::Reduce { output, monoid, slot });
        slot
    }

    /// The buffers after the naive run.
    pub fn expected(&self, isa: Isa) -> Vec<Vec<u8>> {
        let mut buffers = self.buffers.clone();
        reference::run(&self.nest, &mut buffers, &self.data, isa);
        buffers
    }

    /// The buffers after the loop has run.
    pub fn actual(&self, isa: Isa, threads: usize, strategy: Option<Strategy>) -> Vec<Vec<u8>> {
        self.run(Way { isa, compiled: false, strategy }, threads)
    }

    fn run(&self, way: Way, threads: usize) -> Vec<Vec<u8>> {
        // Past the caches on two threads, since no other results depend on that.
        let past = threads > 1 && self.shared.is_none();
        let streamed: Vec<SlotId> = self.nest.stores.iter().map(|s| s.slot).filter(|_| past).collect();
        let compiled = CompiledLoop::compile_for(&self.nest, &self.slots, &streamed, way).unwrap();
        // Aligned copies, with space around them that must stay as it is.
        let mut aligned: Vec<Vec<Line>> =
            self.buffers.iter().map(|b| vec![Line([0xA5; 64]); b.len() / 64 + 3]).collect();
        let mut pointers: Vec<*mut u8> = aligned
            .iter_mut()
            .zip(&self.buffers)
            .map(|(a, b)| {
                let p = a[1..].as_mut_ptr().cast::<u8>();
                // SAFETY: the copy has room.
                unsafe { std::ptr::copy_nonoverlapping(b.as_ptr(), p, b.len()) };
                p
            })
            .collect();
        if let Some((stored, operand)) = self.shared {
            pointers[stored] = pointers[operand];
        }
        // SAFETY: the pointers are valid for the slots; every case fits its slots.
        unsafe { compiled.run(&pointers, &self.data, &TestThreads(threads)) };
        if let Some((stored, operand)) = self.shared {
            aligned[stored] = aligned[operand].clone();
        }
        aligned
            .iter()
            .zip(&self.buffers)
            .map(|(a, b)| {
                // SAFETY: plain bytes.
                let bytes = unsafe { std::slice::from_raw_parts(a.as_ptr().cast::<u8>(), a.len() * 64) };
                assert!(bytes[..64].iter().chain(&bytes[64 + b.len()..]).all(|&x| x == 0xA5), "wrote out of bounds");
                bytes[64..64 + b.len()].to_vec()
            })
            .collect()
    }

    /// Compares all slots with the naive run, on every instruction set, with one thread and two, in both ways to reduce.
    pub fn check(&self) {
        for level in levels() {
            let expected = self.expected(level);
            for (threads, strategy) in [(1, None), (2, None), (1, Some(Strategy::Inner)), (2, Some(Strategy::Outer))] {
                if strategy.is_some() && self.nest.reductions.items.is_empty() {
                    continue;
                }
                for compiled in [false, true] {
                    let way = Way { isa: level, compiled, strategy };
                    self.compare(&expected, way, threads);
                }
            }
        }
    }

    fn compare(&self, expected: &[Vec<u8>], way: Way, threads: usize) {
        let actual = self.run(way, threads);
        for (slot, (e, a)) in expected.iter().zip(&actual).enumerate() {
            if self.shared.is_some_and(|(_, operand)| operand == slot) {
                continue;
            }
            let dtype = self.slots[slot].dtype;
            for i in 0..self.slots[slot].elements {
                let (e, a) = (Value::read(e, dtype, i), Value::read(a, dtype, i));
                assert!(
                    e.same(a),
                    "slot {slot} element {i}: expected {e:?}, got {a:?}\n{way:?}, {threads} threads\n{:#?}",
                    self.nest
                );
            }
        }
    }
}

/// As the runtime aligns buffers.
#[derive(Clone)]
#[repr(align(64))]
struct Line(#[expect(dead_code, reason = "it is reached through pointers")] [u8; 64]);

pub fn levels() -> Vec<Isa> {
    [Isa::Portable, Isa::Avx2, Isa::Avx512].into_iter().filter(|&level| level <= isa()).collect()
}

/// An element, at times a special one.
pub fn element(dtype: DType, random: &mut Random) -> Value {
    let special = random.below(12) == 0;
    let specials = [0.0, -0.0, 1.0, -1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e30, -1e-40, 3e9, 0.5, 2.5];
    let x = (random.below(1 << 20) as f64 - (1 << 19) as f64) / 1e5;
    let float = if special { random.pick(&specials) } else { x };
    match dtype {
        DType::F32 => Value::F32(float as f32),
        DType::F64 => Value::F64(float),
        DType::I32 => {
            Value::I32(if special { random.pick(&[i32::MIN, i32::MAX, 0, -1]) } else { random.below(200) as i32 - 100 })
        }
        DType::I64 => {
            Value::I64(if special { random.pick(&[i64::MIN, i64::MAX, 0, -1]) } else { random.below(200) as i64 - 100 })
        }
        DType::U8 => Value::U8(random.below(256) as u8),
        DType::Bool => Value::U8(random.below(2) as u8),
    }
}

/// A layout of `shape`: dense in some order of its dimensions, with gaps, backwards, broadcast.
pub fn layout(shape: Shape, random: &mut Random, broadcasts: bool) -> Layout {
    let rank = shape.rank();
    let mut order: Vec<usize> = (0..rank).collect();
    if random.below(2) == 0 {
        (0..rank).for_each(|i| order.swap(i, random.below(rank)));
    }
    let mut layout = Layout::contiguous(shape);
    let mut step = 1isize;
    for &axis in order.iter().rev() {
        if broadcasts && random.below(4) == 0 {
            layout.strides[axis] = 0;
            continue;
        }
        if random.below(6) == 0 {
            step *= 2;
        }
        layout.strides[axis] = step;
        step *= shape[axis].max(1) as isize;
    }
    layout.offset = random.below(2) * random.below(5);
    for axis in 0..rank {
        if random.below(10) == 0 && shape[axis] > 0 {
            layout.offset += (layout.strides[axis] * (shape[axis] as isize - 1)) as usize;
            layout.strides[axis] = -layout.strides[axis];
        }
    }
    layout
}

/// A program of random instructions over these inputs with an output for each of `outputs`.
pub fn program(inputs: &[DType], length: usize, outputs: usize, random: &mut Random) -> Program {
    use Prim::*;
    let mut p = Program { inputs: inputs.to_vec(), ..Program::default() };
    let floats = [
        Add,
        Sub,
        Mul,
        Div,
        Rem,
        Pow,
        Atan2,
        Max,
        Min,
        Neg,
        Abs,
        Sign,
        Floor,
        Ceil,
        Round,
        Trunc,
        Sqrt,
        Exp,
        Expm1,
        Log,
        Log1p,
        Sin,
        Cos,
        Tanh,
        Erf,
        Erfc,
        Eq,
        Ne,
        Lt,
        Le,
        Select,
        Cast,
        Const(0x3FF8_0000_0000_0000),
        Index,
    ];
    let integers = [
        Add,
        Sub,
        Mul,
        Div,
        Rem,
        Pow,
        Max,
        Min,
        Neg,
        Abs,
        Sign,
        And,
        Or,
        Xor,
        Shl,
        Shr,
        Eq,
        Ne,
        Lt,
        Le,
        Select,
        Cast,
        Const(0x4008_0000_0000_0000),
        Index,
    ];
    let bools = [And, Or, Xor, Not, Eq, Ne, Lt, Le, Max, Min, Select, Cast];
    for _ in 0..length {
        let count = p.inputs.len() + p.instrs.len();
        let any = random.below(count) as ValueId;
        let dtype = p.dtype_of(any);
        let of = |p: &Program, dtype: DType, random: &mut Random| -> Option<ValueId> {
            let all: Vec<ValueId> = (0..count as ValueId).filter(|&v| p.dtype_of(v) == dtype).collect();
            (!all.is_empty()).then(|| random.pick(&all))
        };
        let prim = match dtype {
            DType::F32 | DType::F64 => random.pick(&floats),
            DType::Bool => random.pick(&bools),
            _ => random.pick(&integers),
        };
        let other = of(&p, dtype, random).unwrap();
        let instr = match prim {
            Cast => Instr { prim, dtype: random.pick(&DType::ALL), args: [any, 0, 0] },
            Select => match of(&p, DType::Bool, random) {
                Some(mask) => Instr { prim, dtype, args: [mask, any, other] },
                None => continue,
            },
            Const(_) | Index => Instr { prim, dtype, args: [0; 3] },
            _ => {
                let mut args = [any, other, 0];
                args[prim.arity()..].fill(0);
                Instr { prim, dtype: prim.result(dtype).unwrap(), args }
            }
        };
        p.instrs.push(instr);
    }
    let count = p.inputs.len() + p.instrs.len();
    p.outputs = (0..outputs).map(|_| (count - 1 - random.below(count.min(4))) as ValueId).collect();
    p
}
