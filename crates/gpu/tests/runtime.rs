//! Buffers, dtypes, hand-written kernels, fallbacks to the host, errors and the loss of the device.

mod harness;

use fovea_core::contraction::{Contraction, Coord, Loop, Role};
use fovea_core::device::{BufferRef, CpuArgs, Datum, Device, Runtime};
use fovea_core::error::ErrorKind;
use fovea_core::graph::Backward;
use fovea_core::op::{InputSchema, Op, OutTypes, WgslKernel, Work};
use fovea_core::plan::{KernelStep, LoopNest, Operand, Plan, Reductions, Step, Store, View};
use fovea_core::sample::Sample;
use fovea_core::scalar::{Program, build};
use fovea_core::shape::Layout;
use fovea_core::{DType, Error, Result, Shape, TensorType};
use fovea_gpu::GpuRuntime;
use harness::host::HostRuntime;
use harness::{Builder, Rng, f32s, gpu, i32s, numbers, open, run, store, whole};
use std::sync::Arc;

fn read(gpu: &GpuRuntime, buffer: &BufferRef, dtype: DType, layout: &Layout) -> Vec<u8> {
    let mut out = vec![0; layout.shape.size() * dtype.size()];
    gpu.read(buffer, dtype, layout, &mut out).unwrap();
    out
}

fn nest(shape: Shape, operands: Vec<Operand>, program: Program, stores: Vec<Store>) -> Step {
    Step::Loop(LoopNest { shape, operands, program, stores, reductions: Reductions::default() })
}

#[test]
fn every_dtype_goes_and_returns() {
    let Some(gpu) = gpu() else { return };
    assert_eq!(gpu.device(), Device::Gpu(0));
    let rng = &mut Rng(1);
    for dtype in [DType::F32, DType::I32, DType::I64, DType::U8, DType::Bool] {
        for n in [0, 1, 7, 70_001] {
            let bytes = rng.elements(dtype, n);
            let buffer = gpu.upload(&bytes, dtype).unwrap();
            assert_eq!(read(gpu, &buffer, dtype, &Layout::contiguous(Shape::from([n]))), bytes, "{dtype} {n}");
        }
    }
    let bits = f32s(&[f32::NAN, f32::INFINITY, -0.0, 1e-45]);
    let buffer = gpu.upload(&bits, DType::F32).unwrap();
    assert_eq!(read(gpu, &buffer, DType::F32, &Layout::contiguous(Shape::from([4]))), bits);
}

#[test]
fn strided_reads() {
    let Some(gpu) = gpu() else { return };
    let rng = &mut Rng(2);
    for dtype in [DType::F32, DType::I64, DType::U8] {
        let base = Layout::contiguous(Shape::from([5, 6, 7]));
        let bytes = rng.elements(dtype, 210);
        let buffer = gpu.upload(&bytes, dtype).unwrap();
        let host = HostRuntime.upload(&bytes, dtype).unwrap();
        let row = Layout::contiguous(Shape::from([7]));
        for layout in [
            base.permute(&[2, 0, 1]),
            base.slice(1, 5, -2, 3),
            base.slice(0, 2, 1, 2).slice(2, 6, -1, 7),
            row.broadcast_to(Shape::from([3, 7])).unwrap(),
            base.slice(0, 1, 1, 0),
        ] {
            let mut expected = vec![0; layout.shape.size() * dtype.size()];
            HostRuntime.read(&host, dtype, &layout, &mut expected).unwrap();
            assert_eq!(read(gpu, &buffer, dtype, &layout), expected);
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let Some(gpu) = gpu() else { return };
    let error = gpu.upload(&[0; 16], DType::F64).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::DType);
    assert_eq!(error.to_string(), "f64 is not supported on the GPU; use the CPU or f32");
    let error = gpu.upload(&(-3_000_000_000i64).to_le_bytes(), DType::I64).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Data);
    assert_eq!(error.fields().received.as_deref(), Some("-3000000000"));
    // A slot past the binding limit: an error with both sizes, at the run.
    let elements = 1 << 40;
    let mut b = Builder::default();
    let slot = b.output(DType::F32, elements);
    let one = Shape::from([1]);
    let program = Program { inputs: vec![DType::F32], instrs: vec![], outputs: vec![0] };
    b.step(nest(one, vec![Operand::Scalar(0)], program, vec![store(0, slot, one)]));
    let executable = gpu.compile(&b.build()).unwrap();
    let error = executable.run(vec![], &[Datum::Float(0.0)]).err().unwrap().error;
    assert_eq!(error.kind(), ErrorKind::Device);
    assert!(error.to_string().contains("4398046511104 bytes"), "{error}");
    // The device goes on.
    assert!(gpu.upload(&[0; 4], DType::F32).is_ok());
}

#[test]
fn memory_returns_to_the_pool() {
    let Some(gpu) = open() else { return };
    let first = gpu.upload(&[1; 4000], DType::F32).unwrap();
    let live = gpu.counters().live_bytes;
    drop(first);
    assert_eq!(gpu.counters().live_bytes, 0);
    assert_eq!(gpu.counters().cached_bytes, live);
    let _again = gpu.upload(&[2; 4000], DType::F32).unwrap();
    assert_eq!(gpu.counters().cached_bytes, 0);
}

/// f64 in a plan for the GPU: those steps run on the fallback runtime, the others on the device.
#[test]
fn f64_steps_fall_back() {
    let Some(gpu) = open() else { return };
    let shape = Shape::from([6, 50]);
    let rng = &mut Rng(3);
    let mut b = Builder::default();
    let input = b.external(DType::F32, 300);
    let wide = b.temporary(DType::F64, 300);
    let narrow = b.temporary(DType::F32, 300);
    let [out, out64] = [b.output(DType::F32, 300), b.output(DType::F64, 300)];
    let to64 = build(&[DType::F32], |x| vec![x[0].cast(DType::F64) + 1e-9]);
    b.step(nest(shape, vec![whole(input, shape)], to64, vec![store(0, wide, shape)]));
    let square = build(&[DType::F64], |x| vec![&x[0] * &x[0]]);
    b.step(nest(shape, vec![whole(wide, shape)], square, vec![store(0, out64, shape)]));
    let to32 = build(&[DType::F64], |x| vec![x[0].cast(DType::F32)]);
    b.step(nest(shape, vec![whole(wide, shape)], to32, vec![store(0, narrow, shape)]));
    let double = build(&[DType::F32], |x| vec![&x[0] * 2.0]);
    b.step(nest(shape, vec![whole(narrow, shape)], double, vec![store(0, out, shape)]));
    let plan = b.build();
    let bytes = [rng.elements(DType::F32, 300)];
    let got = run(&gpu, &plan, &bytes, &[]);
    assert_eq!(got, run(&HostRuntime, &plan, &bytes, &[]));
    assert_eq!(gpu.counters().fallbacks, 3);
    assert_eq!(gpu.fallbacks(), [1, 2, 3].map(|i| (format!("step{i}"), 1)));
    assert_eq!(gpu.counters().dispatches, 1);
}

/// A step on the host that writes a part of a slot leaves the rest.
#[test]
fn a_fallback_keeps_what_it_does_not_write() {
    let Some(gpu) = open() else { return };
    let (all, part) = (Shape::from([10]), Shape::from([3]));
    let mut b = Builder::default();
    let input = b.external(DType::F32, 10);
    let out = b.output(DType::F32, 10);
    let same = build(&[DType::F32], |x| vec![x[0].clone()]);
    b.step(nest(all, vec![whole(input, all)], same, vec![store(0, out, all)]));
    let through64 = build(&[DType::F32], |x| vec![(x[0].cast(DType::F64) * 2.0).cast(DType::F32)]);
    let at4 = Store { output: 0, slot: out, strides: part.strides(), offset: 4 };
    b.step(nest(part, vec![whole(input, part)], through64, vec![at4]));
    let values: Vec<f32> = (1..=10).map(|v| v as f32).collect();
    let got = run(&gpu, &b.build(), &[f32s(&values)], &[]);
    assert_eq!(numbers(&got[0], DType::F32), [1., 2., 3., 4., 2., 4., 6., 8., 9., 10.]);
    assert_eq!(gpu.counters().fallbacks, 1);
}

#[test]
fn f64_contractions_fall_back() {
    let Some(gpu) = open() else { return };
    let shape = Shape::from([4, 4]);
    let mut b = Builder::default();
    let input = b.external(DType::F32, 16);
    let [wide, product] = [0; 2].map(|_| b.temporary(DType::F64, 16));
    let out = b.output(DType::F32, 16);
    let to64 = build(&[DType::F32], |x| vec![x[0].cast(DType::F64)]);
    let to32 = build(&[DType::F64], |x| vec![x[0].cast(DType::F32)]);
    b.step(nest(shape, vec![whole(input, shape)], to64, vec![store(0, wide, shape)]));
    let loops = [Role::Row, Role::Col, Role::Sum].map(|role| Loop { size: 4, role }).to_vec();
    let access = |i, j| vec![Coord::index(i), Coord::index(j)];
    let contraction = Contraction { loops, a: access(0, 2), b: access(2, 1), out: vec![0, 1] };
    let view = View { slot: wide, layout: Layout::contiguous(shape) };
    b.step(Step::Contract { contraction, a: view, b: view, out: product });
    b.step(nest(shape, vec![whole(product, shape)], to32, vec![store(0, out, shape)]));
    let plan = b.build();
    let bytes = [Rng(8).elements(DType::F32, 16)];
    assert_eq!(run(&gpu, &plan, &bytes, &[]), run(&HostRuntime, &plan, &bytes, &[]));
}

fovea_core::attributes! {
    /// y = 2x + mask, and the count of x; with WGSL or without.
    pub struct Twice {
        /// Whether there is a GPU kernel.
        native: bool,
    }
}

impl Op for Twice {
    const NAME: &'static str = "twice";
    const DOC: &'static str = "A test's op.";
    const INPUTS: &'static [InputSchema] = &[InputSchema::required("x", ""), InputSchema::required("mask", "")];
    fn infer(&self, inputs: &[TensorType]) -> Result<OutTypes> {
        Ok([inputs[0], TensorType::new(DType::I32, [1])].into_iter().collect())
    }
    fn work(&self, _: &[TensorType]) -> Work {
        Work::Kernel
    }
    fn vjp(&self, _: &mut Backward<'_>) -> Result<()> {
        Err(Error::internal("no gradient"))
    }
    fn cpu(&self, args: &mut CpuArgs<'_>) -> Result<()> {
        let x = args.inputs[0];
        let mask = args.inputs[1].contiguous::<u8>().expect("a contiguous mask").to_vec();
        let (rows, cols) = (x.layout.shape[0], x.layout.shape[1]);
        if let Some(y) = &mut args.outputs[0] {
            for (i, flag) in mask.iter().enumerate() {
                let [r, c] = [i / cols, i % cols];
                let at = x.layout.offset as isize + r as isize * x.layout.strides[0] + c as isize * x.layout.strides[1];
                y.elements::<f32>()[i] = x.elements::<f32>()[at as usize] * 2.0 + f32::from(*flag);
            }
        }
        if let Some(n) = &mut args.outputs[1] {
            n.elements::<i32>()[0] = (rows * cols) as i32;
        }
        Ok(())
    }
    fn samples() -> Vec<Sample<Twice>> {
        Vec::new()
    }
    fn gpu(&self, inputs: &[TensorType], _: &[TensorType]) -> Option<WgslKernel> {
        let n = inputs[0].shape.size();
        self.native.then(|| WgslKernel {
            source: format!(
                "@group(0) @binding(0) var<storage, read_write> x: array<f32>;
                 @group(0) @binding(1) var<storage, read_write> mask: array<u32>;
                 @group(0) @binding(2) var<storage, read_write> y: array<f32>;
                 @group(0) @binding(3) var<storage, read_write> count: array<i32>;
                 @compute @workgroup_size(64)
                 fn main(@builtin(global_invocation_id) id: vec3<u32>) {{
                   if (id.x == 0u) {{ count[0] = {n}; }}
                   if (id.x < {n}u) {{ y[id.x] = x[id.x] * 2f + f32(mask[id.x]); }}
                 }}"
            ),
            workgroups: [n.div_ceil(64) as u32, 1, 1],
        })
    }
}

/// A plan that calls [`Twice`] on a transposed input, with the second output wanted or not.
fn twice(native: bool, count: bool) -> Arc<Plan> {
    let mut b = Builder::default();
    let x = b.external(DType::F32, 200);
    let mask = b.external(DType::Bool, 200);
    let y = b.output(DType::F32, 200);
    let n = count.then(|| b.output(DType::I32, 1));
    let layout = Layout::contiguous(Shape::from([10, 20])).permute(&[1, 0]);
    let types = vec![TensorType::new(DType::F32, [20, 10]), TensorType::new(DType::Bool, [20, 10])];
    b.step(Step::Kernel(KernelStep {
        op: Arc::new(Twice { native }),
        inputs: vec![View { slot: x, layout }, View { slot: mask, layout: Layout::contiguous(Shape::from([20, 10])) }],
        output_types: vec![types[0], TensorType::new(DType::I32, [1])],
        output_layouts: vec![Layout::contiguous(types[0].shape), Layout::contiguous(Shape::from([1]))],
        input_types: types,
        outputs: vec![Some(y), n],
    }));
    b.build()
}

#[test]
fn hand_written_kernels_and_their_host_twins() {
    let Some(gpu) = open() else { return };
    let rng = &mut Rng(5);
    let bytes = [rng.elements(DType::F32, 200), rng.elements(DType::Bool, 200)];
    let alone = GpuRuntime::open().unwrap();
    for count in [true, false] {
        let expected = run(&HostRuntime, &twice(true, count), &bytes, &[]);
        for native in [true, false] {
            let before = gpu.counters().fallbacks;
            assert_eq!(run(&gpu, &twice(native, count), &bytes, &[]), expected);
            assert_eq!(gpu.counters().fallbacks - before, u64::from(!native));
            // Without a fallback runtime the op's own CPU kernel runs.
            assert_eq!(run(&alone, &twice(native, count), &bytes, &[]), expected);
        }
    }
}

#[test]
fn without_a_fallback_f64_is_an_error() {
    let Some(_) = gpu() else { return };
    let alone = GpuRuntime::open().unwrap();
    let shape = Shape::from([2]);
    let mut b = Builder::default();
    let (x, y) = (b.external(DType::F32, 2), b.output(DType::F64, 2));
    let program = build(&[DType::F32], |x| vec![x[0].cast(DType::F64)]);
    b.step(nest(shape, vec![whole(x, shape)], program, vec![store(0, y, shape)]));
    let error = alone.compile(&b.build()).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Device);
    assert_eq!(error.fields().op.as_deref(), Some("step1"));
}

/// Many runs without a read between them, then one read: the queue is throttled, the results are right.
#[test]
fn runs_queue_up() {
    let Some(gpu) = gpu() else { return };
    let shape = Shape::from([1 << 16]);
    let mut b = Builder::default();
    let (x, y) = (b.external(DType::I32, 1 << 16), b.output(DType::I32, 1 << 16));
    let program = build(&[DType::I32], |x| vec![&x[0] + 1.0]);
    b.step(nest(shape, vec![whole(x, shape)], program, vec![store(0, y, shape)]));
    b.0.donations = vec![(0, 0)];
    let executable = gpu.compile(&b.build()).unwrap();
    let mut value = gpu.upload(&i32s(&[0; 1 << 16]), DType::I32).unwrap();
    for _ in 0..100 {
        value = executable.run(vec![value], &[]).map_err(|f| f.error).unwrap().remove(0);
    }
    assert_eq!(read(gpu, &value, DType::I32, &Layout::contiguous(shape)), i32s(&[100; 1 << 16]));
}

/// Two threads share the device.
#[test]
fn runs_on_several_threads() {
    let Some(gpu) = gpu() else { return };
    std::thread::scope(|scope| {
        for t in 0..4u64 {
            scope.spawn(move || {
                for i in 0..10 {
                    let bytes = Rng(t * 100 + i).elements(DType::F32, 5000);
                    let program = build(&[DType::F32], |x| vec![&x[0] * (t as f64 + 2.0)]);
                    let plan = harness::map_plan(&program, Shape::from([5000]));
                    let expected: Vec<f64> =
                        numbers(&bytes, DType::F32).iter().map(|v| f64::from((v * (t as f64 + 2.0)) as f32)).collect();
                    assert_eq!(numbers(&run(gpu, &plan, &[bytes], &[])[0], DType::F32), expected);
                }
            });
        }
    });
}

#[test]
fn a_lost_device_keeps_failing_with_its_type() {
    let Some(gpu) = open() else { return };
    let plan = harness::map_plan(&build(&[DType::F32], |x| vec![x[0].exp()]), Shape::from([4]));
    let executable = gpu.compile(&plan).unwrap();
    let buffer = gpu.upload(&[0; 16], DType::F32).unwrap();
    gpu.lose_device();
    for _ in 0..2 {
        let errors = [
            gpu.upload(&[0; 4], DType::F32).err(),
            gpu.read(&buffer, DType::F32, &Layout::contiguous(Shape::from([4])), &mut [0; 16]).err(),
            gpu.compile(&plan).err(),
            executable.run(vec![buffer.clone()], &[]).err().map(|f| f.error),
            gpu.synchronize().err(),
        ];
        for (i, error) in errors.into_iter().enumerate() {
            let error = error.unwrap_or_else(|| panic!("call {i} succeeded"));
            assert_eq!(error.kind(), ErrorKind::DeviceLost, "call {i}: {error}");
        }
    }
    drop((executable, buffer, gpu));
    // Another device opens.
    assert!(open().unwrap().upload(&[0; 4], DType::F32).is_ok());
}

#[test]
fn a_failed_run_hands_its_externals_back() {
    let Some(gpu) = gpu() else { return };
    let plan = harness::map_plan(&build(&[DType::F32], |x| vec![x[0].exp()]), Shape::from([4000]));
    let executable = gpu.compile(&plan).unwrap();
    let small = gpu.upload(&[0; 16], DType::F32).unwrap();
    let failure = executable.run(vec![small], &[]).err().unwrap();
    assert_eq!(failure.error.kind(), ErrorKind::Internal);
    assert!(failure.survivors.len() == 1 && failure.survivors[0].is_some());
}

#[test]
fn devices_carry_reasons() {
    let devices = GpuRuntime::devices();
    assert!(devices.iter().filter(|d| d.chosen).count() <= 1);
    assert!(devices.iter().all(|d| d.chosen != d.reason.is_some()));
    if !devices.iter().any(|d| d.chosen) {
        let error = GpuRuntime::open().err().expect("no usable device");
        assert_eq!(error.kind(), ErrorKind::Device);
    }
}
