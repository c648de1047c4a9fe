//! A naive runtime: plans run element by element on host memory.

use super::interpret::{Value, datum, interpret};
use fovea_core::contraction::{Access, Contraction, Role};
use fovea_core::device::{
    Alone, BufferRef, CpuArgs, CpuInput, CpuOutput, Datum, Device, DeviceBuffer, Executable, RunFailure, Runtime,
};
use fovea_core::op::Monoid;
use fovea_core::plan::{Home, KernelStep, LoopNest, Operand, Plan, Step, View};
use fovea_core::shape::{Layout, Strides};
use fovea_core::{DType, Result, Shape};
use std::any::Any;
use std::sync::Arc;

pub struct HostRuntime;
struct HostBuffer(Vec<u64>, usize);

impl DeviceBuffer for HostBuffer {
    fn bytes(&self) -> usize {
        self.1
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}

fn read(bytes: &[u8], dtype: DType, at: usize) -> Value {
    let b = &bytes[at * dtype.size()..(at + 1) * dtype.size()];
    match dtype {
        DType::F32 => Value::Float(f64::from(f32::from_le_bytes(b.try_into().unwrap()))),
        DType::F64 => Value::Float(f64::from_le_bytes(b.try_into().unwrap())),
        DType::I32 => Value::Int(i64::from(i32::from_le_bytes(b.try_into().unwrap()))),
        DType::I64 => Value::Int(i64::from_le_bytes(b.try_into().unwrap())),
        DType::U8 | DType::Bool => Value::Int(i64::from(b[0])),
    }
}

fn write(bytes: &mut [u8], dtype: DType, at: usize, value: Value) {
    let b = &mut bytes[at * dtype.size()..(at + 1) * dtype.size()];
    match dtype {
        DType::F32 => b.copy_from_slice(&(value.float() as f32).to_le_bytes()),
        DType::F64 => b.copy_from_slice(&value.float().to_le_bytes()),
        DType::I32 => b.copy_from_slice(&(value.int() as i32).to_le_bytes()),
        DType::I64 => b.copy_from_slice(&value.int().to_le_bytes()),
        DType::U8 | DType::Bool => b[0] = value.int() as u8,
    }
}

/// All indices of a shape in row-major order.
fn indices(shape: &[usize]) -> Vec<Vec<usize>> {
    let mut out = vec![vec![]];
    for &d in shape {
        out = out.iter().flat_map(|i| (0..d).map(|j| [i.as_slice(), &[j]].concat())).collect();
    }
    out
}

fn at(index: &[usize], strides: &Strides, offset: usize) -> usize {
    (offset as isize + index.iter().zip(strides).map(|(&i, s)| i as isize * s).sum::<isize>()) as usize
}

/// `a` as it orders in searches: NaN wins.
fn wins(new: f64, old: f64, larger: bool) -> bool {
    if old.is_nan() {
        return false;
    }
    new.is_nan() || if larger { new > old } else { new < old }
}

fn reduce(monoid: Monoid, values: &[Value], dtype: DType) -> Value {
    let float = dtype.is_float();
    let fold_float =
        |f: fn(f64, f64) -> f64, start: f64| Value::Float(values.iter().fold(start, |a, v| f(a, v.float())));
    let fold_int = |f: fn(i64, i64) -> i64, start: i64| Value::Int(values.iter().fold(start, |a, v| f(a, v.int())));
    let best = |larger: bool| {
        (0..values.len()).fold(None, |b: Option<usize>, i| match b {
            Some(j) if !wins(values[i].float(), values[j].float(), larger) => Some(j),
            _ => Some(i),
        })
    };
    let extreme = |larger: bool, empty: Value| best(larger).map_or(empty, |i| values[i]);
    let edges = match dtype {
        DType::F32 | DType::F64 => [Value::Float(f64::NEG_INFINITY), Value::Float(f64::INFINITY)],
        DType::U8 => [Value::Int(0), Value::Int(255)],
        DType::Bool => [Value::Int(0), Value::Int(1)],
        _ => [Value::Int(i32::MIN.into()), Value::Int(i32::MAX.into())],
    };
    match monoid {
        Monoid::Sum if float => fold_float(|a, b| a + b, 0.0),
        Monoid::Prod if float => fold_float(|a, b| a * b, 1.0),
        Monoid::Sum => fold_int(i64::wrapping_add, 0),
        Monoid::Prod => fold_int(i64::wrapping_mul, 1),
        Monoid::Max => extreme(true, edges[0]),
        Monoid::Min => extreme(false, edges[1]),
        Monoid::ArgMax => Value::Int(best(true).unwrap_or(0) as i64),
        Monoid::ArgMin => Value::Int(best(false).unwrap_or(0) as i64),
    }
}

type Memory = Vec<Vec<u64>>;

pub fn bytes_of(words: &[u64]) -> &[u8] {
    // SAFETY: u64s are initialised bytes, and u8 has no alignment.
    unsafe { std::slice::from_raw_parts(words.as_ptr().cast(), words.len() * 8) }
}

pub fn bytes_of_mut(words: &mut [u64]) -> &mut [u8] {
    // SAFETY: as above; the borrow is unique.
    unsafe { std::slice::from_raw_parts_mut(words.as_mut_ptr().cast(), words.len() * 8) }
}

fn run_loop(plan: &Plan, nest: &LoopNest, memory: &mut Memory, data: &[Datum]) {
    let kept: Vec<usize> = (0..nest.shape.rank()).filter(|d| !nest.reductions.axes.contains(d)).collect();
    let kept_shape: Shape = kept.iter().map(|&d| nest.shape[d]).collect();
    let mut groups: Vec<Vec<Vec<Value>>> = vec![vec![Vec::new(); kept_shape.size()]; nest.reductions.items.len()];
    let mut writes = Vec::new();
    for (position, index) in indices(&nest.shape).iter().enumerate() {
        let inputs: Vec<Value> = nest
            .operands
            .iter()
            .zip(&nest.program.inputs)
            .map(|(operand, &dtype)| match operand {
                Operand::Tensor { slot, strides, offset } => {
                    read(bytes_of(&memory[*slot]), plan.slots[*slot].dtype, at(index, strides, *offset))
                }
                Operand::Scalar(i) | Operand::Key(i) => datum(data[*i], dtype),
            })
            .collect();
        let outputs = interpret(&nest.program, &inputs, position as u64);
        for s in &nest.stores {
            writes.push((s.slot, at(index, &s.strides, s.offset), outputs[s.output]));
        }
        let group = kept.iter().fold(0, |g, &d| g * nest.shape[d] + index[d]);
        for (item, groups) in nest.reductions.items.iter().zip(&mut groups) {
            groups[group].push(outputs[item.output]);
        }
    }
    for (slot, to, value) in writes {
        write(bytes_of_mut(&mut memory[slot]), plan.slots[slot].dtype, to, value);
    }
    for (item, groups) in nest.reductions.items.iter().zip(groups) {
        for (i, group) in groups.iter().enumerate() {
            let value = reduce(item.monoid, group, nest.program.output_dtype(item.output));
            write(bytes_of_mut(&mut memory[item.slot]), plan.slots[item.slot].dtype, i, value);
        }
    }
}

/// An operand's element, 0 where the access leaves it.
fn element(access: &Access, view: &View, index: &[usize], bytes: &[u8], dtype: DType) -> f64 {
    let mut to = view.layout.offset as isize;
    for (d, coord) in access.iter().enumerate() {
        let n: isize = coord.offset + coord.terms.iter().map(|&(l, c)| index[l] as isize * c).sum::<isize>();
        let divisor = coord.divisor as isize;
        if n < 0 || n % divisor != 0 || n / divisor >= view.layout.shape[d] as isize {
            return 0.0;
        }
        to += n / divisor * view.layout.strides[d];
    }
    read(bytes, dtype, to as usize).float()
}

fn run_contraction(plan: &Plan, c: &Contraction, a: &View, b: &View, out: usize, memory: &mut Memory) {
    let dtype = plan.slots[out].dtype;
    let sizes: Vec<usize> = c.loops.iter().map(|l| l.size).collect();
    let out_shape: Shape = c.out.iter().map(|&l| sizes[l]).collect();
    let sums: Vec<usize> = c.loops_of(Role::Sum);
    let sum_indices = indices(&sums.iter().map(|&l| sizes[l]).collect::<Vec<_>>());
    for (position, result) in indices(&out_shape).iter().enumerate() {
        let mut index = vec![0; sizes.len()];
        c.out.iter().zip(result).for_each(|(&l, &i)| index[l] = i);
        let mut total = 0.0;
        for sum in &sum_indices {
            sums.iter().zip(sum).for_each(|(&l, &i)| index[l] = i);
            total += element(&c.a, a, &index, bytes_of(&memory[a.slot]), dtype)
                * element(&c.b, b, &index, bytes_of(&memory[b.slot]), dtype);
        }
        write(bytes_of_mut(&mut memory[out]), dtype, position, Value::Float(total));
    }
}

fn run_kernel(plan: &Plan, kernel: &KernelStep, memory: &mut Memory) -> Result<()> {
    let size = |s: usize| plan.slots[s].elements * plan.slots[s].dtype.size();
    let copies: Vec<Vec<u64>> = kernel.inputs.iter().map(|v| memory[v.slot].clone()).collect();
    let inputs: Vec<CpuInput<'_>> = kernel
        .inputs
        .iter()
        .zip(&copies)
        .map(|(v, m)| CpuInput {
            dtype: plan.slots[v.slot].dtype,
            layout: v.layout,
            bytes: &bytes_of(m)[..size(v.slot)],
        })
        .collect();
    let mut results: Vec<Vec<u64>> =
        kernel.outputs.iter().map(|o| o.map_or(vec![], |s| vec![0; memory[s].len()])).collect();
    let mut outputs: Vec<Option<CpuOutput<'_>>> = kernel
        .outputs
        .iter()
        .zip(&mut results)
        .zip(&kernel.output_types)
        .map(|((o, m), t)| {
            o.map(|s| CpuOutput {
                dtype: t.dtype,
                layout: Layout::contiguous(t.shape),
                bytes: &mut bytes_of_mut(m)[..size(s)],
            })
        })
        .collect();
    kernel.op.cpu(&mut CpuArgs { inputs: &inputs, outputs: &mut outputs, threads: &Alone })?;
    for (o, m) in kernel.outputs.iter().zip(results) {
        if let Some(s) = o {
            memory[*s] = m;
        }
    }
    Ok(())
}

struct HostPlan(Arc<Plan>);

impl Executable for HostPlan {
    fn run(&self, externals: Vec<BufferRef>, data: &[Datum]) -> Result<Vec<BufferRef>, RunFailure> {
        let plan = &self.0;
        let words = |slot: &fovea_core::plan::Slot| (slot.elements * slot.dtype.size()).div_ceil(8);
        let mut memory: Memory = plan
            .slots
            .iter()
            .map(|slot| match slot.home {
                Home::External(i) => externals[i].as_any().downcast_ref::<HostBuffer>().unwrap().0.clone(),
                _ => vec![0xAAAA_AAAA_AAAA_AAAA; words(slot)],
            })
            .collect();
        for step in &plan.steps {
            match step {
                Step::Loop(nest) => run_loop(plan, nest, &mut memory, data),
                Step::Contract { contraction, a, b, out } => {
                    run_contraction(plan, contraction, a, b, *out, &mut memory)
                }
                Step::Kernel(kernel) => run_kernel(plan, kernel, &mut memory)
                    .map_err(|error| RunFailure { error, survivors: externals.iter().cloned().map(Some).collect() })?,
            }
        }
        let output = |o: usize| {
            let slot = plan.slots.iter().position(|s| s.home == Home::Output(o)).unwrap();
            Arc::new(HostBuffer(memory[slot].clone(), plan.slots[slot].elements * plan.slots[slot].dtype.size()))
                as BufferRef
        };
        Ok((0..plan.outputs).map(output).collect())
    }
}

impl Runtime for HostRuntime {
    fn device(&self) -> Device {
        Device::Cpu
    }
    fn compile(&self, plan: &Arc<Plan>) -> Result<Arc<dyn Executable>> {
        Ok(Arc::new(HostPlan(plan.clone())))
    }
    fn upload(&self, bytes: &[u8], _: DType) -> Result<BufferRef> {
        let mut words = vec![0u64; bytes.len().div_ceil(8)];
        bytes_of_mut(&mut words)[..bytes.len()].copy_from_slice(bytes);
        Ok(Arc::new(HostBuffer(words, bytes.len())))
    }
    fn read(&self, buffer: &BufferRef, dtype: DType, layout: &Layout, target: &mut [u8]) -> Result<()> {
        let host = buffer.as_any().downcast_ref::<HostBuffer>().unwrap();
        for (i, index) in indices(&layout.shape).iter().enumerate() {
            let value = read(bytes_of(&host.0), dtype, at(index, &layout.strides, layout.offset));
            write(target, dtype, i, value);
        }
        Ok(())
    }
}
