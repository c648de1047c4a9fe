//! Elementwise nests: random nests, draws, in-place writes, many slots, large and empty spaces.

mod harness;

use fovea_core::device::{BufferRef, Datum, Runtime};
use fovea_core::plan::{LoopNest, Operand, Reductions, Step, Store};
use fovea_core::scalar::{Expr, Prim, Program, build};
use fovea_core::shape::Layout;
use fovea_core::{DType, Shape};
use harness::{
    Builder, Rng, compare, gpu, numbers, random_program, random_shape, random_walk, run, store, strides, whole,
};
use std::sync::Arc;

fn nest(shape: Shape, operands: Vec<Operand>, program: Program, stores: Vec<Store>) -> Step {
    Step::Loop(LoopNest { shape, operands, program, stores, reductions: Reductions::default() })
}

#[test]
fn random_nests() {
    let Some(gpu) = gpu() else { return };
    for seed in 0..80 {
        let rng = &mut Rng(seed);
        let shape = random_shape(rng, 3000);
        let (inputs, outputs) = (1 + rng.below(4), 1 + rng.below(3));
        let program = random_program(rng, inputs, outputs);
        let mut b = Builder::default();
        let mut externals = Vec::new();
        let mut operands = Vec::new();
        for _ in 0..inputs {
            let (strides, offset, elements) = random_walk(rng, shape, true);
            externals.push(rng.elements(DType::F32, elements));
            operands.push(Operand::Tensor { slot: b.external(DType::F32, elements), strides, offset });
        }
        let stores: Vec<Store> = (0..outputs)
            .map(|output| Store {
                output,
                slot: b.temporary(DType::F32, shape.size()),
                strides: shape.strides(),
                offset: 0,
            })
            .collect();
        b.step(nest(shape, operands, program, stores.clone()));
        // The second nest scatters the first one's results to outputs whose gaps were filled before.
        for s in stores {
            let (strides, offset, elements) = random_walk(rng, shape, false);
            let slot = b.output(DType::F32, elements);
            let all = Shape::from([elements]);
            b.step(nest(all, vec![], build(&[], |_| vec![]), vec![]));
            let zero = Program { inputs: vec![DType::F32], instrs: vec![], outputs: vec![0] };
            b.step(nest(all, vec![Operand::Scalar(0)], zero, vec![store(0, slot, all)]));
            let twice = build(&[DType::F32], |x| vec![&x[0] * 2.0]);
            b.step(nest(shape, vec![whole(s.slot, shape)], twice, vec![Store { output: 0, slot, strides, offset }]));
        }
        compare(gpu, &b.build(), &externals, &[Datum::Float(7.0)], 1e-5);
    }
}

#[test]
fn draws_have_the_bits_of_philox() {
    let Some(gpu) = gpu() else { return };
    let shape = Shape::from([3, 1001]);
    for (seed, offset) in [(0, 0), (1, 5), (0x1234_5678_9abc_def0, 0xffff_ffff), (u64::MAX, u64::MAX - 100)] {
        let mut b = Builder::default();
        let program = draws();
        let stores = vec![store(0, b.output(DType::F32, shape.size()), shape)];
        b.step(nest(shape, vec![Operand::Key(0)], program, stores));
        let plan = b.build();
        let data = [Datum::Key { seed, offset }];
        let got = run(gpu, &plan, &[], &data);
        assert_eq!(got, run(&harness::host::HostRuntime, &plan, &[], &data));
        let values = numbers(&got[0], DType::F32);
        assert!(values.iter().all(|v| (0.0..1.0).contains(v)));
    }
}

/// A program of one uniform draw.
fn draws() -> Program {
    Program {
        inputs: vec![DType::F32],
        instrs: vec![fovea_core::scalar::Instr { prim: Prim::Uniform, dtype: DType::F32, args: [0; 3] }],
        outputs: vec![1],
    }
}

#[test]
fn normal_draws_are_close() {
    let Some(gpu) = gpu() else { return };
    let shape = Shape::from([5000]);
    let mut program = draws();
    program.instrs[0].prim = Prim::Normal;
    let mut b = Builder::default();
    let stores = vec![store(0, b.output(DType::F32, 5000), shape)];
    b.step(nest(shape, vec![Operand::Key(0)], program, stores));
    let plan = b.build();
    let data = [Datum::Key { seed: 11, offset: 3 }];
    compare(gpu, &plan, &[], &data, 1e-6);
    let values = numbers(&run(gpu, &plan, &[], &data)[0], DType::F32);
    let mean = values.iter().sum::<f64>() / 5000.0;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 5000.0;
    assert!(mean.abs() < 0.05 && (variance - 1.0).abs() < 0.06, "{mean} {variance}");
}

#[test]
fn more_workgroups_than_one_dimension_holds() {
    let Some(gpu) = gpu() else { return };
    let shape = Shape::from([70_000, 256]);
    let mut b = Builder::default();
    let program = build(&[DType::I32], |x| vec![x[0].positional(Prim::Index, DType::I32) + &x[0]]);
    let stores = vec![store(0, b.output(DType::I32, shape.size()), shape)];
    b.step(nest(shape, vec![Operand::Scalar(0)], program, stores));
    let out = run(gpu, &b.build(), &[], &[Datum::Int(3)]);
    let words = out[0].as_chunks::<4>().0;
    assert!(words.iter().enumerate().all(|(i, w)| i32::from_le_bytes(*w) == i as i32 + 3));
}

#[test]
fn empty_spaces() {
    let Some(gpu) = gpu() else { return };
    let shape = Shape::from([3, 0, 2]);
    let mut b = Builder::default();
    let operands = vec![whole(b.external(DType::F32, 0), shape)];
    let stores = vec![store(0, b.output(DType::F32, 0), shape)];
    b.step(nest(shape, operands, build(&[DType::F32], |x| vec![x[0].exp()]), stores));
    assert_eq!(run(gpu, &b.build(), &[vec![]], &[]), [Vec::<u8>::new()]);
}

#[test]
fn in_place_within_a_plan() {
    let Some(gpu) = gpu() else { return };
    let shape = Shape::from([300]);
    let rng = &mut Rng(4);
    let mut b = Builder::default();
    let input = b.external(DType::F32, 300);
    let (middle, out) = (b.temporary(DType::F32, 300), b.output(DType::F32, 300));
    let double = build(&[DType::F32], |x| vec![&x[0] * 2.0]);
    b.step(nest(shape, vec![whole(input, shape)], double.clone(), vec![store(0, middle, shape)]));
    b.step(nest(shape, vec![whole(middle, shape)], double.clone(), vec![store(0, middle, shape)]));
    b.step(nest(shape, vec![whole(middle, shape)], double, vec![store(0, out, shape)]));
    compare(gpu, &b.build(), &[rng.elements(DType::F32, 300)], &[], 0.0);
}

/// An SGD step with momentum: both outputs are donated their externals.
#[test]
fn donated_buffers_are_overwritten_only_by_their_sole_owner() {
    let Some(gpu) = harness::open() else { return };
    let shape = Shape::from([1000]);
    let mut b = Builder::default();
    let [p, g, m] = [0; 3].map(|_| b.external(DType::F32, 1000));
    let [new_p, new_m] = [0; 2].map(|_| b.output(DType::F32, 1000));
    let program = build(&[DType::F32; 3], |x| {
        let m = &x[2] * 0.5 + &x[1];
        vec![&x[0] - &m * 0.25, m]
    });
    b.step(nest(
        shape,
        vec![whole(p, shape), whole(g, shape), whole(m, shape)],
        program,
        vec![store(0, new_p, shape), store(1, new_m, shape)],
    ));
    b.0.donations = vec![(0, 0), (1, 2)];
    let plan = b.build();
    let executable = gpu.compile(&plan).unwrap();
    let rng = &mut Rng(9);
    let bytes: Vec<Vec<u8>> = (0..3).map(|_| rng.elements(DType::F32, 1000)).collect();
    let expected = run(&harness::host::HostRuntime, &plan, &bytes, &[]);
    let read = |buffer: &BufferRef| {
        let mut out = vec![0; 4000];
        gpu.read(buffer, DType::F32, &Layout::contiguous(shape), &mut out).unwrap();
        out
    };
    let upload = || -> Vec<BufferRef> { bytes.iter().map(|b| gpu.upload(b, DType::F32).unwrap()).collect() };
    // Owned: the results take the externals' memory, so nothing more is live than before.
    let externals = upload();
    let live = gpu.counters().live_bytes;
    let outputs = executable.run(externals, &[]).map_err(|f| f.error).unwrap();
    assert!(gpu.counters().live_bytes <= live, "donation allocates nothing");
    assert_eq!([read(&outputs[0]), read(&outputs[1])], expected[..]);
    // Shared: the originals keep their values.
    let externals = upload();
    let kept = externals.clone();
    let outputs = executable.run(externals, &[]).map_err(|f| f.error).unwrap();
    assert_eq!([read(&outputs[0]), read(&outputs[1])], expected[..]);
    assert!(kept.iter().zip(&bytes).all(|(k, b)| read(k) == *b));
    // One of them shared: neither is taken.
    let externals = upload();
    let kept = externals[2].clone();
    let outputs = executable.run(externals, &[]).map_err(|f| f.error).unwrap();
    assert_eq!([read(&outputs[0]), read(&outputs[1])], expected[..]);
    assert_eq!(read(&kept), bytes[2]);
}

/// More slots than a kernel may bind: the program is cut, natively.
#[test]
fn many_slots_are_cut_into_kernels() {
    let Some(gpu) = gpu() else { return };
    let shape = Shape::from([7, 41]);
    let rng = &mut Rng(2);
    for inputs in [8, 13, 30] {
        let mut b = Builder::default();
        let operands: Vec<Operand> = (0..inputs)
            .map(|i| {
                let slot = b.external(DType::F32, 41 * if i % 3 == 0 { 1 } else { 7 });
                let row = if i % 3 == 0 { 0 } else { 41 };
                Operand::Tensor { slot, strides: strides(&[row, 1]), offset: 0 }
            })
            .collect();
        let program = build(&vec![DType::F32; inputs], |x| {
            let sum = |x: &[Expr]| x.iter().skip(1).fold(x[0].clone(), |a, b| a.tanh() + b);
            vec![sum(x), sum(&x[inputs / 2..])]
        });
        let stores = (0..2).map(|o| store(o, b.output(DType::F32, shape.size()), shape)).collect();
        b.step(nest(shape, operands, program, stores));
        let externals: Vec<Vec<u8>> =
            (0..inputs).map(|i| rng.elements(DType::F32, 41 * if i % 3 == 0 { 1 } else { 7 })).collect();
        let before = gpu.counters().fallbacks;
        compare(gpu, &b.build(), &externals, &[], 1e-5);
        assert_eq!(gpu.counters().fallbacks, before);
    }
}

/// Slices that start elsewhere are the same kernel.
#[test]
fn where_a_slice_starts_compiles_nothing() {
    let Some(gpu) = harness::open() else { return };
    let shape = Shape::from([5, 3]);
    let bytes = [Rng(6).elements(DType::F32, 300)];
    let mut pipelines = Vec::new();
    for start in [1, 2, 100] {
        let mut b = Builder::default();
        let operand = Operand::Tensor { slot: b.external(DType::F32, 300), strides: strides(&[10, 1]), offset: start };
        let stores = vec![store(0, b.output(DType::F32, 15), shape)];
        b.step(nest(shape, vec![operand], build(&[DType::F32], |x| vec![&x[0] + 1.0]), stores));
        compare(&gpu, &b.build(), &bytes, &[], 0.0);
        pipelines.push(gpu.counters().pipelines);
    }
    assert_eq!(pipelines, [1, 1, 1]);
}

/// A plan's data changes from run to run without compiling again.
#[test]
fn numbers_are_data() {
    let Some(gpu) = gpu() else { return };
    let shape = Shape::from([4]);
    let dtypes = [DType::F32, DType::I32, DType::I64, DType::U8, DType::Bool];
    let mut b = Builder::default();
    let program = Program { inputs: dtypes.to_vec(), instrs: vec![], outputs: (0..5).collect() };
    let stores = (0..5).map(|o| store(o, b.output(dtypes[o], 4), shape)).collect();
    b.step(nest(shape, (0..5).map(Operand::Scalar).collect(), program, stores));
    let plan = b.build();
    let executable: Arc<dyn fovea_core::device::Executable> = gpu.compile(&plan).unwrap();
    for value in [3.0, -4.75, 200.0] {
        let data: Vec<Datum> = vec![Datum::Float(value); 5];
        let outputs = executable.run(vec![], &data).map_err(|f| f.error).unwrap();
        for ((buffer, &dtype), expected) in
            outputs.iter().zip(&dtypes).zip([value, value.trunc(), value.trunc(), value.clamp(0.0, 255.0).trunc(), 1.0])
        {
            let mut bytes = vec![0; 4 * dtype.size()];
            gpu.read(buffer, dtype, &Layout::contiguous(shape), &mut bytes).unwrap();
            assert_eq!(numbers(&bytes, dtype), [expected; 4], "{dtype}");
        }
    }
    let error = executable.run(vec![], &[Datum::Int(1 << 40); 5]).map_err(|f| f.error).err().unwrap();
    assert_eq!(error.kind(), fovea_core::ErrorKind::Data);
    assert!(error.to_string().contains("1099511627776"), "{error}");
}
