//! The three kinds of steps, computed the obvious way.

use super::buffer::Bytes;
use super::scalar::{Input, Number, run};
use fovea_core::contraction::{Contraction, Coord, Role};
use fovea_core::device::{Alone, CpuArgs, CpuInput, CpuOutput, Datum};
use fovea_core::op::Monoid;
use fovea_core::plan::{KernelStep, LoopNest, Operand, Plan, Step, Store, View};
use fovea_core::{DType, Layout, Result, Shape};

/// Where a slot's bytes are: a buffer and the offset in it.
type Place<'a> = &'a dyn Fn(usize) -> Result<(&'a Bytes, usize)>;

/// What a step can reach.
pub struct Memory<'a> {
    pub plan: &'a Plan,
    pub place: Place<'a>,
    pub data: &'a [Datum],
    pub contract: bool,
}

/// The buffer indices of a layout's elements in row-major order.
pub fn walk(layout: &Layout) -> impl Iterator<Item = usize> {
    let layout = *layout;
    (0..layout.shape.size()).map(move |i| {
        let mut at = layout.offset as isize;
        for (d, x) in unravel(i, &layout.shape).into_iter().enumerate() {
            at += x as isize * layout.strides[d];
        }
        at as usize
    })
}

/// Coordinates of row-major position `i`.
fn unravel(mut i: usize, shape: &Shape) -> Vec<usize> {
    let mut at = vec![0; shape.rank()];
    for d in (0..shape.rank()).rev() {
        at[d] = i % shape[d];
        i /= shape[d];
    }
    at
}

impl Memory<'_> {
    pub fn run(&self, step: &Step) -> Result<()> {
        match step {
            Step::Loop(nest) => self.nest(nest),
            Step::Contract { contraction, a, b, out } => self.contract(contraction, a, b, *out),
            Step::Kernel(kernel) => self.kernel(kernel),
        }
    }

    fn load(&self, slot: usize, layout: &Layout) -> Result<Vec<Number>> {
        let dtype = self.plan.slots[slot].dtype;
        let (buffer, start) = (self.place)(slot)?;
        Ok(buffer
            .with(|bytes| walk(layout).map(|at| Number::load(dtype, &bytes[start + at * dtype.size()..])).collect()))
    }

    fn store(&self, slot: usize, layout: &Layout, values: impl Iterator<Item = Number>) -> Result<()> {
        let dtype = self.plan.slots[slot].dtype;
        let (buffer, start) = (self.place)(slot)?;
        buffer.with(|bytes| {
            for (at, value) in walk(layout).zip(values) {
                let from = start + at * dtype.size();
                value.store(dtype, &mut bytes[from..from + dtype.size()]);
            }
        });
        Ok(())
    }

    fn nest(&self, nest: &LoopNest) -> Result<()> {
        let size = nest.shape.size();
        let mut columns: Vec<Column> = Vec::with_capacity(nest.operands.len());
        for (operand, &dtype) in nest.operands.iter().zip(&nest.program.inputs) {
            columns.push(match *operand {
                Operand::Tensor { slot, strides, offset } => {
                    Column::Values(self.load(slot, &Layout { shape: nest.shape, strides, offset })?)
                }
                Operand::Scalar(d) => Column::Same(Input::Value(Number::from(self.data[d]).cast(dtype))),
                Operand::Key(d) => match self.data[d] {
                    Datum::Key { seed, offset } => Column::Same(Input::Key { seed, offset }),
                    other => Column::Same(Input::Value(other.into())),
                },
            });
        }
        let mut results: Vec<Vec<Number>> = vec![Vec::with_capacity(size); nest.program.outputs.len()];
        let (mut inputs, mut values) = (Vec::new(), Vec::new());
        for i in 0..size {
            inputs.clear();
            inputs.extend(columns.iter().map(|c| match c {
                Column::Values(v) => Input::Value(v[i]),
                Column::Same(v) => *v,
            }));
            run(&nest.program, &inputs, i, self.contract, &mut values);
            for (result, &o) in results.iter_mut().zip(&nest.program.outputs) {
                result.push(values[o as usize]);
            }
        }
        for &Store { output, slot, strides, offset } in &nest.stores {
            self.store(slot, &Layout { shape: nest.shape, strides, offset }, results[output].iter().copied())?;
        }
        for item in &nest.reductions.items {
            let groups = groups(&nest.shape, &nest.reductions.axes);
            let dtype = self.plan.slots[item.slot].dtype;
            let reduced: Vec<Number> = groups
                .iter()
                .map(|group| reduce(item.monoid, dtype, group.iter().map(|&i| results[item.output][i])))
                .collect();
            self.store(item.slot, &Layout::contiguous(Shape::new(&[reduced.len()])), reduced.into_iter())?;
        }
        Ok(())
    }

    fn contract(&self, c: &Contraction, a: &View, b: &View, out: usize) -> Result<()> {
        let dtype = self.plan.slots[out].dtype;
        let (x, y) = (self.load(a.slot, &a.layout)?, self.load(b.slot, &b.layout)?);
        let shape: Shape = c.out.iter().map(|&l| c.loops[l].size).collect();
        let sums = c.loops_of(Role::Sum);
        let inner: Shape = sums.iter().map(|&l| c.loops[l].size).collect();
        let mut index = vec![0usize; c.loops.len()];
        let results: Vec<Number> = (0..shape.size())
            .map(|i| {
                for (&l, at) in c.out.iter().zip(unravel(i, &shape)) {
                    index[l] = at;
                }
                let mut sum = 0.0;
                for k in 0..inner.size() {
                    for (&l, at) in sums.iter().zip(unravel(k, &inner)) {
                        index[l] = at;
                    }
                    let read = |access: &[Coord], values: &[Number], shape: &Shape| {
                        position(access, &index, shape).map_or(0.0, |at| values[at].float())
                    };
                    sum += read(&c.a, &x, &a.layout.shape) * read(&c.b, &y, &b.layout.shape);
                }
                Number::Float(sum).cast(dtype)
            })
            .collect();
        self.store(out, &Layout::contiguous(shape), results.into_iter())
    }

    fn kernel(&self, kernel: &KernelStep) -> Result<()> {
        // Copies, so that a kernel that reads what it writes can't go unnoticed.
        let mut inputs: Vec<(DType, Layout, Vec<u64>, usize)> = Vec::new();
        for view in &kernel.inputs {
            let slot = &self.plan.slots[view.slot];
            let bytes = slot.elements * slot.dtype.size();
            let (buffer, start) = (self.place)(view.slot)?;
            let words = buffer.with(|from| aligned(&from[start..start + bytes]));
            inputs.push((slot.dtype, view.layout, words, bytes));
        }
        let inputs: Vec<CpuInput<'_>> = inputs
            .iter()
            .map(|(dtype, layout, words, bytes)| CpuInput {
                dtype: *dtype,
                layout: *layout,
                bytes: &as_bytes(words)[..*bytes],
            })
            .collect();
        let mut results: Vec<Option<Vec<u64>>> = kernel
            .outputs
            .iter()
            .zip(&kernel.output_types)
            .map(|(slot, ty)| slot.map(|_| vec![u64::MAX; ty.bytes().div_ceil(8)]))
            .collect();
        let mut outputs: Vec<Option<CpuOutput<'_>>> = results
            .iter_mut()
            .zip(kernel.output_types.iter().zip(&kernel.output_layouts))
            .map(|(words, (ty, &layout))| {
                words.as_mut().map(|words| CpuOutput {
                    dtype: ty.dtype,
                    layout,
                    bytes: &mut as_bytes_mut(words)[..ty.bytes()],
                })
            })
            .collect();
        kernel.op.cpu(&mut CpuArgs { inputs: &inputs, outputs: &mut outputs, threads: &Alone })?;
        for ((slot, ty), words) in kernel.outputs.iter().zip(&kernel.output_types).zip(&results) {
            if let (Some(slot), Some(words)) = (slot, words) {
                let (buffer, start) = (self.place)(*slot)?;
                buffer.with(|to| to[start..start + ty.bytes()].copy_from_slice(&as_bytes(words)[..ty.bytes()]));
            }
        }
        Ok(())
    }
}

enum Column {
    Values(Vec<Number>),
    Same(Input),
}

/// Row-major positions of the elements of each reduced group, groups in row-major order of the kept dimensions.
fn groups(shape: &Shape, axes: &[usize]) -> Vec<Vec<usize>> {
    let kept = shape.reduced(axes, false);
    let strides = kept.strides();
    let mut groups = vec![Vec::new(); kept.size()];
    for i in 0..shape.size() {
        let at = unravel(i, shape);
        let outer = (0..shape.rank()).filter(|d| !axes.contains(d));
        let group: isize = outer.enumerate().map(|(k, d)| at[d] as isize * strides[k]).sum();
        groups[group as usize].push(i);
    }
    groups
}

fn reduce(monoid: Monoid, dtype: DType, mut values: impl Iterator<Item = Number>) -> Number {
    let float = dtype.is_float();
    let extreme = |max: bool| match (float, dtype, max) {
        (true, _, true) => Number::Float(f64::NEG_INFINITY),
        (true, _, false) => Number::Float(f64::INFINITY),
        (_, DType::I32, true) => Number::Int(i64::from(i32::MIN)),
        (_, DType::I32, false) => Number::Int(i64::from(i32::MAX)),
        (_, DType::I64, true) => Number::Int(i64::MIN),
        (_, DType::I64, false) => Number::Int(i64::MAX),
        (_, DType::U8, false) => Number::Int(255),
        (_, DType::Bool, false) => Number::Int(1),
        (_, _, true) => Number::Int(0),
        (_, _, false) => Number::Int(i64::MAX),
    };
    match monoid {
        Monoid::Sum if float => Number::Float(values.map(Number::float).sum()).cast(dtype),
        Monoid::Sum => Number::Int(values.fold(0i64, |s, v| s.wrapping_add(v.int()))).cast(dtype),
        Monoid::Prod if float => Number::Float(values.map(Number::float).product()).cast(dtype),
        Monoid::Prod => Number::Int(values.fold(1i64, |s, v| s.wrapping_mul(v.int()))).cast(dtype),
        Monoid::Max | Monoid::Min => {
            let max = monoid == Monoid::Max;
            values.fold(extreme(max), |best, v| if beats(v, best, max) { v } else { best })
        }
        Monoid::ArgMax | Monoid::ArgMin => {
            let max = monoid == Monoid::ArgMax;
            let Some(mut best) = values.next() else { return Number::Int(0) };
            let mut at = 0;
            for (i, v) in values.enumerate() {
                if beats(v, best, max) {
                    (best, at) = (v, i as i64 + 1);
                }
            }
            Number::Int(at)
        }
    }
}

/// Whether `v` replaces `best`; NaN beats everything but NaN.
fn beats(v: Number, best: Number, max: bool) -> bool {
    match (v, best) {
        (Number::Float(v), Number::Float(best)) => {
            !best.is_nan() && (v.is_nan() || if max { v > best } else { v < best })
        }
        _ => {
            if max {
                v.int() > best.int()
            } else {
                v.int() < best.int()
            }
        }
    }
}

/// The row-major position that an access reads, or `None` where it reads 0.
fn position(access: &[Coord], index: &[usize], shape: &Shape) -> Option<usize> {
    let mut at = 0;
    for (d, coord) in access.iter().enumerate() {
        let numerator: isize = coord.terms.iter().map(|&(l, c)| index[l] as isize * c).sum::<isize>() + coord.offset;
        let divisor = coord.divisor as isize;
        if numerator % divisor != 0 {
            return None;
        }
        let x = usize::try_from(numerator / divisor).ok().filter(|x| *x < shape[d])?;
        at = at * shape[d] + x;
    }
    Some(at)
}

fn aligned(bytes: &[u8]) -> Vec<u64> {
    let mut words = vec![0u64; bytes.len().div_ceil(8)];
    as_bytes_mut(&mut words)[..bytes.len()].copy_from_slice(bytes);
    words
}

fn as_bytes(words: &[u64]) -> &[u8] {
    // SAFETY: the same memory; any bits are valid bytes.
    unsafe { std::slice::from_raw_parts(words.as_ptr().cast(), words.len() * 8) }
}

fn as_bytes_mut(words: &mut [u64]) -> &mut [u8] {
    // SAFETY: the same memory, borrowed uniquely; any bits are valid bytes and words.
    unsafe { std::slice::from_raw_parts_mut(words.as_mut_ptr().cast(), words.len() * 8) }
}
