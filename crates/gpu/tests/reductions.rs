//! Reducing nests: every monoid and dtype, every way of sharing the work, stores beside reductions, empty and special
//! values.

mod harness;

use fovea_core::op::Monoid;
use fovea_core::plan::{LoopNest, Operand, Plan, Reduce, Reductions, Step};
use fovea_core::scalar::Program;
use fovea_core::{DType, Shape};
use harness::{
    Builder, Rng, compare, f32s, gpu, numbers, random_program, random_shape, random_walk, run, store, whole,
};
use std::sync::Arc;

const MONOIDS: [Monoid; 6] = [Monoid::Sum, Monoid::Prod, Monoid::Max, Monoid::Min, Monoid::ArgMax, Monoid::ArgMin];

fn result(monoid: Monoid, dtype: DType) -> DType {
    if matches!(monoid, Monoid::ArgMax | Monoid::ArgMin) { DType::I32 } else { dtype }
}

fn identity(dtype: DType) -> Program {
    Program { inputs: vec![dtype], instrs: vec![], outputs: vec![0] }
}

/// One row-major external of a shape, reduced.
fn plain(shape: Shape, axes: &[usize], monoid: Monoid, dtype: DType) -> Arc<Plan> {
    let mut b = Builder::default();
    let operands = vec![whole(b.external(dtype, shape.size()), shape)];
    let slot = b.output(result(monoid, dtype), shape.reduced(axes, false).size());
    let items = vec![Reduce { output: 0, monoid, slot }];
    let reductions = Reductions { axes: axes.to_vec(), items };
    b.step(Step::Loop(LoopNest { shape, operands, program: identity(dtype), stores: vec![], reductions }));
    b.build()
}

#[test]
fn every_monoid_and_dtype() {
    let Some(gpu) = gpu() else { return };
    let rng = &mut Rng(1);
    for dtype in [DType::F32, DType::I32, DType::I64, DType::U8, DType::Bool] {
        for monoid in MONOIDS {
            if dtype == DType::Bool && matches!(monoid, Monoid::Sum | Monoid::Prod) {
                continue;
            }
            let shape = if monoid == Monoid::Prod { Shape::from([30, 8]) } else { Shape::from([30, 77]) };
            compare(gpu, &plain(shape, &[1], monoid, dtype), &[rng.elements(dtype, shape.size())], &[], 1e-5);
        }
    }
}

/// Shapes that take one invocation, a few, or a workgroup for an output, and several workgroups.
#[test]
fn every_way_of_sharing() {
    let Some(gpu) = gpu() else { return };
    let rng = &mut Rng(2);
    let cases: [(&[usize], &[usize]); 12] = [
        (&[1000, 3], &[1]),
        (&[300, 10], &[1]),
        (&[7, 4000], &[1]),
        (&[100_000], &[0]),
        (&[20_000, 3], &[0]),
        (&[5000, 64], &[0]),
        (&[3, 5000], &[0]),
        (&[8, 16, 30, 5], &[0, 2, 3]),
        (&[8, 16, 30, 5], &[1]),
        (&[2, 3, 4, 5, 6], &[0, 2, 4]),
        (&[1, 1], &[0, 1]),
        (&[40_000, 2, 3], &[0, 2]),
    ];
    for (dims, axes) in cases {
        let shape = Shape::new(dims);
        for monoid in [Monoid::Sum, Monoid::Max, Monoid::ArgMax, Monoid::ArgMin] {
            let bytes = rng.elements(DType::F32, shape.size());
            compare(gpu, &plain(shape, axes, monoid, DType::F32), &[bytes], &[], 1e-5);
            // Many equal values: the first wins.
            let bytes = rng.elements(DType::I32, shape.size());
            compare(gpu, &plain(shape, axes, monoid, DType::I32), &[bytes], &[], 0.0);
        }
    }
}

#[test]
fn random_nests() {
    let Some(gpu) = gpu() else { return };
    for seed in 0..60 {
        let rng = &mut Rng(seed + 1000);
        let shape = random_shape(rng, 3000);
        let axes: Vec<usize> = (0..shape.rank()).filter(|_| rng.chance(50)).collect();
        if axes.is_empty() {
            continue;
        }
        let (inputs, outputs) = (1 + rng.below(3), 1 + rng.below(3));
        let program = random_program(rng, inputs, outputs);
        let mut b = Builder::default();
        let mut externals = Vec::new();
        let mut operands = Vec::new();
        for _ in 0..inputs {
            let (strides, offset, elements) = random_walk(rng, shape, true);
            externals.push(rng.elements(DType::F32, elements));
            operands.push(Operand::Tensor { slot: b.external(DType::F32, elements), strides, offset });
        }
        let kept = shape.reduced(&axes, false).size();
        let items = (0..outputs)
            .map(|output| {
                let monoid = [Monoid::Sum, Monoid::Max, Monoid::Min][rng.below(3)];
                Reduce { output, monoid, slot: b.output(DType::F32, kept) }
            })
            .collect();
        let stores = if rng.chance(50) { vec![store(0, b.output(DType::F32, shape.size()), shape)] } else { vec![] };
        b.step(Step::Loop(LoopNest { shape, operands, program, stores, reductions: Reductions { axes, items } }));
        compare(gpu, &b.build(), &externals, &[], 1e-5);
    }
}

/// A store in place beside reductions of the same values, once fused and once with too many slots for one kernel.
#[test]
fn in_place_stores_beside_reductions() {
    let Some(gpu) = gpu() else { return };
    let shape = Shape::from([16, 300]);
    let rng = &mut Rng(5);
    for count in [1, 7] {
        let mut b = Builder::default();
        let input = b.external(DType::F32, shape.size());
        let value = b.temporary(DType::F32, shape.size());
        let out = b.output(DType::F32, shape.size());
        let plus = fovea_core::scalar::build(&[DType::F32], |x| vec![&x[0] + 1.0]);
        let map = |from, to, program: &Program, reductions| {
            Step::Loop(LoopNest {
                shape,
                operands: vec![whole(from, shape)],
                program: program.clone(),
                stores: vec![store(0, to, shape)],
                reductions,
            })
        };
        b.step(map(input, value, &plus, Reductions::default()));
        let items = (0..count)
            .map(|i| Reduce { output: 0, monoid: [Monoid::Sum, Monoid::Max][i % 2], slot: b.output(DType::F32, 16) })
            .collect();
        b.step(map(value, value, &plus, Reductions { axes: vec![1], items }));
        b.step(map(value, out, &plus, Reductions::default()));
        compare(gpu, &b.build(), &[rng.elements(DType::F32, shape.size())], &[], 1e-5);
    }
}

#[test]
fn empty_reductions_give_the_identity() {
    let Some(gpu) = gpu() else { return };
    for dtype in [DType::F32, DType::I32, DType::U8, DType::Bool] {
        for monoid in MONOIDS {
            let plan = plain(Shape::from([3, 0, 2]), &[1, 2], monoid, dtype);
            compare(gpu, &plan, &[vec![]], &[], 0.0);
        }
    }
    let nothing = plain(Shape::from([0, 4]), &[1], Monoid::Sum, DType::F32);
    assert_eq!(run(gpu, &nothing, &[vec![]], &[]), [Vec::<u8>::new()]);
}

#[test]
fn nan_infinities_and_zeros() {
    let Some(gpu) = gpu() else { return };
    let (nan, inf) = (f32::NAN, f32::INFINITY);
    let rows: [[f32; 4]; 6] = [
        [1.0, nan, 3.0, nan],
        [inf, 1.0, inf, 2.0],
        [-inf, -inf, -inf, -inf],
        [-inf, 5.0, inf, 0.0],
        [0.0, -0.0, 0.0, -0.0],
        [-1.0, -2.0, -2.0, -1.0],
    ];
    let bytes = f32s(rows.as_flattened());
    for monoid in [Monoid::Max, Monoid::Min, Monoid::ArgMax, Monoid::ArgMin] {
        compare(gpu, &plain(Shape::from([6, 4]), &[1], monoid, DType::F32), std::slice::from_ref(&bytes), &[], 0.0);
    }
}

#[test]
fn a_long_sum_stays_accurate() {
    let Some(gpu) = gpu() else { return };
    let n = 4_000_000;
    let values: Vec<f32> = (0..n).map(|i| 0.1 + (i % 7) as f32 * 1e-3).collect();
    let exact: f64 = values.iter().map(|v| f64::from(*v)).sum();
    let out = run(gpu, &plain(Shape::from([n]), &[0], Monoid::Sum, DType::F32), &[f32s(&values)], &[]);
    let got = numbers(&out[0], DType::F32)[0];
    assert!((got / exact - 1.0).abs() < 1e-6, "{got} {exact}");
}
