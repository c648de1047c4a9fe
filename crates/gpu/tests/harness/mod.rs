//! What the GPU tests share: the device, random numbers, small plans, and a naive host runtime to compare with.
#![allow(dead_code)] // Each test binary uses a part of it.

pub mod host;
pub mod interpret;

use fovea_core::device::{BufferRef, Datum, Runtime};
use fovea_core::plan::{Home, LoopNest, Operand, Plan, Slot, SlotId, Step, Store};
use fovea_core::scalar::Program;
use fovea_core::shape::{Layout, MAX_RANK, Strides};
use fovea_core::{DType, Shape};
use fovea_gpu::GpuRuntime;
use host::HostRuntime;
use std::io::Write;
use std::sync::{Arc, OnceLock};

/// The GPU with the naive host runtime as its fallback, or `None` (with a line saying why) where there is none.
/// `FOVEA_REQUIRE_GPU=1` makes that a failure.
pub fn gpu() -> Option<&'static GpuRuntime> {
    static GPU: OnceLock<Option<GpuRuntime>> = OnceLock::new();
    GPU.get_or_init(open).as_ref()
}

/// A device of its own.
pub fn open() -> Option<GpuRuntime> {
    match GpuRuntime::open_with(Arc::new(HostRuntime)) {
        Ok(gpu) => Some(gpu),
        Err(e) => {
            assert!(std::env::var_os("FOVEA_REQUIRE_GPU").is_none_or(|v| v != "1"), "FOVEA_REQUIRE_GPU=1, but {e}");
            // Not eprintln, which the test runner keeps to itself when a test passes.
            let _ = writeln!(std::io::stderr(), "skipped: {e}");
            None
        }
    }
}

/// A small random generator (Steele et al.'s SplitMix64).
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
    /// Uniform in `low..high`.
    pub fn float(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * ((self.next() >> 11) as f64 / (1u64 << 53) as f64)
    }
    /// `n` elements of a dtype: floats in -2..2, integers in -9..=9 (u8: 0..=255).
    pub fn elements(&mut self, dtype: DType, n: usize) -> Vec<u8> {
        (0..n)
            .flat_map(|_| match dtype {
                DType::F32 => (self.float(-2.0, 2.0) as f32).to_le_bytes().to_vec(),
                DType::F64 => self.float(-2.0, 2.0).to_le_bytes().to_vec(),
                DType::I32 => (self.below(19) as i32 - 9).to_le_bytes().to_vec(),
                DType::I64 => (self.below(19) as i64 - 9).to_le_bytes().to_vec(),
                DType::U8 => vec![self.next() as u8],
                DType::Bool => vec![u8::from(self.chance(50))],
            })
            .collect()
    }
}

pub fn f32s(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

pub fn i32s(values: &[i32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

/// Elements as f64.
pub fn numbers(bytes: &[u8], dtype: DType) -> Vec<f64> {
    bytes
        .chunks(dtype.size())
        .map(|c| match dtype {
            DType::F32 => f64::from(f32::from_le_bytes(c.try_into().unwrap())),
            DType::F64 => f64::from_le_bytes(c.try_into().unwrap()),
            DType::I32 => f64::from(i32::from_le_bytes(c.try_into().unwrap())),
            DType::I64 => i64::from_le_bytes(c.try_into().unwrap()) as f64,
            DType::U8 | DType::Bool => f64::from(c[0]),
        })
        .collect()
}

pub fn strides(s: &[isize]) -> Strides {
    let mut out = [0; MAX_RANK];
    out[..s.len()].copy_from_slice(s);
    out
}

/// Writes plans by hand.
#[derive(Default)]
pub struct Builder(pub Plan);

impl Builder {
    pub fn external(&mut self, dtype: DType, elements: usize) -> SlotId {
        self.0.externals += 1;
        self.slot(dtype, elements, Home::External(self.0.externals - 1))
    }
    pub fn output(&mut self, dtype: DType, elements: usize) -> SlotId {
        self.0.outputs += 1;
        self.slot(dtype, elements, Home::Output(self.0.outputs - 1))
    }
    pub fn temporary(&mut self, dtype: DType, elements: usize) -> SlotId {
        let at = self.0.arena_bytes;
        self.0.arena_bytes += (elements * dtype.size()).next_multiple_of(256);
        self.slot(dtype, elements, Home::Arena(at))
    }
    fn slot(&mut self, dtype: DType, elements: usize, home: Home) -> SlotId {
        self.0.slots.push(Slot { dtype, elements, home });
        self.0.slots.len() - 1
    }
    pub fn step(&mut self, step: Step) {
        self.0.steps.push(step);
        self.0.labels.push(format!("step{}", self.0.steps.len()));
    }
    pub fn build(self) -> Arc<Plan> {
        Arc::new(self.0)
    }
}

/// An operand that reads a slot row-major over `shape`.
pub fn whole(slot: SlotId, shape: Shape) -> Operand {
    Operand::Tensor { slot, strides: shape.strides(), offset: 0 }
}

/// A store that writes a slot row-major over `shape`.
pub fn store(output: usize, slot: SlotId, shape: Shape) -> Store {
    Store { output, slot, strides: shape.strides(), offset: 0 }
}

/// A plan of one nest that applies a program to externals of its inputs' dtypes, over `shape`.
pub fn map_plan(program: &Program, shape: Shape) -> Arc<Plan> {
    let mut b = Builder::default();
    let operands = program.inputs.iter().map(|&d| whole(b.external(d, shape.size()), shape)).collect();
    let stores =
        (0..program.outputs.len()).map(|o| store(o, b.output(program.output_dtype(o), shape.size()), shape)).collect();
    b.step(Step::Loop(LoopNest { shape, operands, program: program.clone(), stores, reductions: Default::default() }));
    b.build()
}

/// Runs a plan; returns each output's bytes.
pub fn run(runtime: &dyn Runtime, plan: &Arc<Plan>, externals: &[Vec<u8>], data: &[Datum]) -> Vec<Vec<u8>> {
    let dtype_of = |home: Home| plan.slots.iter().find(|s| s.home == home).expect("a slot for it");
    let buffers: Vec<BufferRef> = externals
        .iter()
        .enumerate()
        .map(|(i, bytes)| runtime.upload(bytes, dtype_of(Home::External(i)).dtype).unwrap())
        .collect();
    let executable = runtime.compile(plan).unwrap_or_else(|e| panic!("{e}\n{plan:?}"));
    let outputs = executable.run(buffers, data).unwrap_or_else(|e| panic!("{}", e.error));
    outputs
        .iter()
        .enumerate()
        .map(|(i, buffer)| {
            let slot = dtype_of(Home::Output(i));
            let mut bytes = vec![0; slot.elements * slot.dtype.size()];
            let layout = Layout::contiguous(Shape::from([slot.elements]));
            runtime.read(buffer, slot.dtype, &layout, &mut bytes).unwrap();
            bytes
        })
        .collect()
}

/// Runs a plan on the GPU and on the host. Integers must be equal, floats within `tolerance` of the largest value.
pub fn compare(gpu: &GpuRuntime, plan: &Arc<Plan>, externals: &[Vec<u8>], data: &[Datum], tolerance: f64) {
    let got = run(gpu, plan, externals, data);
    assert_eq!(gpu.counters().fallbacks, 0, "ran on the host: {plan:?}");
    let expected = run(&HostRuntime, plan, externals, data);
    for (o, (got, expected)) in got.iter().zip(&expected).enumerate() {
        let dtype = plan.slots.iter().find(|s| s.home == Home::Output(o)).unwrap().dtype;
        assert_close(&numbers(got, dtype), &numbers(expected, dtype), if dtype.is_float() { tolerance } else { 0.0 })
            .unwrap_or_else(|e| panic!("output {o}: {e}\n{plan:?}"));
    }
}

/// `Err` names the first element that is off by more than `tolerance` times the largest expected magnitude.
pub fn assert_close(got: &[f64], expected: &[f64], tolerance: f64) -> Result<(), String> {
    assert_eq!(got.len(), expected.len());
    let largest = expected.iter().filter(|v| v.is_finite()).fold(0.0f64, |m, v| m.max(v.abs()));
    for (i, (g, e)) in got.iter().zip(expected).enumerate() {
        let same = g == e || g.is_nan() && e.is_nan();
        if !same && ((g - e).is_nan() || (g - e).abs() > tolerance * largest) {
            return Err(format!("element {i} of {}: got {g}, expected {e} (largest {largest})", got.len()));
        }
    }
    Ok(())
}

/// A random injective walk over `shape`: dimensions in any order, steps, gaps, negative directions. With `broadcast`
/// some dimensions stand still. Returns strides, offset and the elements of the slot.
pub fn random_walk(rng: &mut Rng, shape: Shape, broadcast: bool) -> (Strides, usize, usize) {
    let mut order: Vec<usize> = (0..shape.rank()).collect();
    if rng.chance(60) {
        for i in (1..order.len()).rev() {
            order.swap(i, rng.below(i + 1));
        }
    }
    let mut out = [0isize; MAX_RANK];
    let mut step = 1isize;
    let mut offset = 0isize;
    let plain = rng.chance(40);
    for &d in order.iter().rev() {
        if broadcast && rng.chance(20) {
            continue;
        }
        if !plain && rng.chance(20) {
            step *= 2;
        }
        out[d] = step;
        let reach = step * (shape[d].max(1) as isize - 1);
        if !plain && rng.chance(20) {
            out[d] = -step;
            offset += reach;
        }
        step *= shape[d].max(1) as isize;
    }
    let start = if plain { 0 } else { rng.below(5) };
    (out, offset as usize + start, step as usize + start)
}

/// A random shape of at most `most` elements.
pub fn random_shape(rng: &mut Rng, most: usize) -> Shape {
    loop {
        let rank = rng.below(5);
        let mut size = || {
            let largest = if rng.chance(20) { 40 } else { 6 };
            1 + rng.below(largest)
        };
        let dims: Vec<usize> = (0..rank).map(|_| size()).collect();
        if dims.iter().product::<usize>() <= most {
            return Shape::new(&dims);
        }
    }
}

/// A random program over `inputs` (floats, then booleans made of them) whose values stay small and continuous.
pub fn random_program(rng: &mut Rng, inputs: usize, outputs: usize) -> Program {
    use fovea_core::scalar::{Expr, Prim, build};
    build(&vec![DType::F32; inputs], |x| {
        let mut values: Vec<Expr> = x.to_vec();
        for _ in 0..rng.below(8) + 1 {
            let a = values[rng.below(values.len())].clone();
            let b = values[rng.below(values.len())].clone();
            let (p, q) = (&x[rng.below(x.len())], &x[rng.below(x.len())]);
            values.push(match rng.below(9) {
                0 => &a + &b,
                1 => &a - &b,
                2 => a.tanh() * b.tanh(),
                3 => a.max(&b),
                4 => a.min(&b),
                5 => p.lt(q).select(&a, &b),
                6 => a.unary(Prim::Sin),
                7 => -a.abs(),
                _ => a * 0.5 + 0.25,
            });
        }
        (0..outputs).map(|_| values[values.len() - 1 - rng.below(4.min(values.len()))].clone()).collect()
    })
}
