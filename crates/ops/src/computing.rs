//! Calls of hand-written CPU kernels by themselves, for tests.

use fovea_core::device::{CpuArgs, CpuInput, CpuOutput, Element, Threads};
use fovea_core::op::OutTypes;
use fovea_core::{DType, Layout, Op, Result, TensorType};

/// A value in memory, aligned for every dtype.
#[derive(Clone, Debug)]
pub struct Value {
    pub ty: TensorType,
    words: Vec<u64>,
    bytes: usize,
}

impl Value {
    pub fn new<T: Element>(shape: &[usize], values: &[T]) -> Value {
        let mut value = Value::empty(TensorType::new(T::DTYPE, shape));
        assert_eq!(values.len(), value.ty.shape.size());
        value.output().elements().copy_from_slice(values);
        value
    }

    fn empty(ty: TensorType) -> Value {
        Value { ty, words: vec![u64::MAX; ty.bytes().div_ceil(8)], bytes: ty.bytes() }
    }

    fn input(&self) -> CpuInput<'_> {
        // SAFETY: the words hold at least `bytes` bytes, and bytes have no alignment or invalid values.
        let bytes = unsafe { std::slice::from_raw_parts(self.words.as_ptr().cast(), self.bytes) };
        CpuInput { dtype: self.ty.dtype, layout: Layout::contiguous(self.ty.shape), bytes }
    }

    fn output(&mut self) -> CpuOutput<'_> {
        // SAFETY: as for inputs; the borrow is unique.
        let bytes = unsafe { std::slice::from_raw_parts_mut(self.words.as_mut_ptr().cast(), self.bytes) };
        CpuOutput { dtype: self.ty.dtype, layout: Layout::contiguous(self.ty.shape), bytes }
    }

    pub fn get<T: Element>(&self) -> Vec<T> {
        assert!(T::DTYPE == self.ty.dtype || (T::DTYPE == DType::U8 && self.ty.dtype == DType::Bool));
        self.input().elements().to_vec()
    }
}

const MOST_OUTPUTS: usize = 2;

struct Two;

impl Threads for Two {
    fn count(&self) -> usize {
        2
    }
    fn run(&self, tasks: usize, body: &(dyn Fn(usize) + Sync)) {
        std::thread::scope(|scope| {
            for task in 0..tasks {
                scope.spawn(move || body(task));
            }
        });
    }
}

/// What the kernel computes; `wanted` leaves out outputs.
pub fn compute(op: &impl Op, inputs: &[Value], wanted: &[bool]) -> Result<Vec<Option<Value>>> {
    let types: Vec<TensorType> = inputs.iter().map(|v| v.ty).collect();
    let types: OutTypes = op.infer(&types)?;
    let mut results: Vec<Option<Value>> = types
        .iter()
        .enumerate()
        .map(|(i, &ty)| wanted.get(i).copied().unwrap_or(true).then(|| Value::empty(ty)))
        .collect();
    let inputs: Vec<CpuInput<'_>> = inputs.iter().map(Value::input).collect();
    let count = results.len();
    let mut rest = results.iter_mut();
    // An array, which nothing drops, since the call borrows it for as long as the results.
    let mut outputs: [Option<CpuOutput<'_>>; MOST_OUTPUTS] =
        std::array::from_fn(|_| rest.next().and_then(|r| r.as_mut().map(Value::output)));
    op.cpu(&mut CpuArgs { inputs: &inputs, outputs: &mut outputs[..count], threads: &Two })?;
    Ok(results)
}

/// The first output.
pub fn first<T: Element>(op: &impl Op, inputs: &[Value]) -> Result<Vec<T>> {
    Ok(compute(op, inputs, &[])?[0].as_ref().map_or_else(Vec::new, Value::get))
}
