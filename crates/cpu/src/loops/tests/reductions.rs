//! Nests with reductions.

use super::cases::{Case, Random, layout, levels, program};
use crate::isa::isa;
use fovea_core::device::Datum;
use fovea_core::op::Monoid;
use fovea_core::plan::Operand;
use fovea_core::scalar::{Prim, Program, build};
use fovea_core::{DType, Layout, Shape};

const MONOIDS: [Monoid; 6] = [Monoid::Sum, Monoid::Prod, Monoid::Max, Monoid::Min, Monoid::ArgMax, Monoid::ArgMin];

fn identity(dtype: DType) -> Program {
    Program { inputs: vec![dtype], instrs: vec![], outputs: vec![0] }
}

#[test]
fn random_nests() {
    let sizes = [1usize, 2, 3, 5, 7, 8, 16, 17, 31, 48, 70, 300, 1030];
    for seed in 0..500 {
        let random = &mut Random::new(seed + 1000);
        let rank = 1 + random.below(4);
        let mut shape = Shape::SCALAR;
        for _ in 0..rank {
            let size = random.pick(&sizes);
            shape.push(if shape.size() * size > 30_000 { 2 } else { size });
        }
        let inputs: Vec<DType> = (0..1 + random.below(3))
            .map(|_| random.pick(&[DType::F32, DType::F32, DType::F64, DType::I32, DType::I64, DType::U8, DType::Bool]))
            .collect();
        let length = random.below(2) * random.below(6);
        let outputs = 1 + random.below(2);
        let mut case = Case::new(shape, program(&inputs, length, outputs, random));
        for &dtype in &inputs {
            let l = layout(shape, random, true);
            case.operand(dtype, l, random);
        }
        case.nest.reductions.axes = (0..rank).filter(|_| random.below(2) == 0).collect();
        for output in 0..outputs {
            let monoid = random.pick(&MONOIDS);
            let bool_sum =
                case.nest.program.output_dtype(output) == DType::Bool && matches!(monoid, Monoid::Sum | Monoid::Prod);
            case.reduce(output, if bool_sum { Monoid::Max } else { monoid }, random);
            if random.below(3) == 0 {
                let l = layout(shape, random, false);
                case.store(output, l, random);
            }
        }
        case.check();
    }
}

#[test]
fn long_and_ragged_runs_in_both_directions() {
    for n in [0, 1, 15, 16, 17, 511, 512, 513, 4095, 4096, 4097, 100_000] {
        for kept in [1usize, 3, 20] {
            if n * kept > 200_000 {
                continue;
            }
            for (shape, axes) in [([kept, n], vec![1]), ([n, kept], vec![0])] {
                for dtype in [DType::F32, DType::I64] {
                    let random = &mut Random::new(n as u64);
                    let mut case = Case::new(shape, identity(dtype));
                    case.operand(dtype, Layout::contiguous(Shape::from(shape)), random);
                    case.nest.reductions.axes = axes.clone();
                    for monoid in if n == 0 { &MONOIDS[..2] } else { &MONOIDS[..] } {
                        case.reduce(0, *monoid, random);
                    }
                    case.check();
                }
            }
        }
    }
}

#[test]
fn the_layout_never_changes_a_bit() {
    // [N, C, H, W] over N, H, W, in both orders of channels, broadcast along N, fused with the exponential before it.
    let shape = Shape::from([6, 10, 20, 30]);
    let p = build(&[DType::F32], |x| vec![x[0].exp()]);
    let random = &mut Random::new(5);
    let first = Layout::contiguous(shape);
    let last = Layout::contiguous(Shape::from([6, 20, 30, 10])).permute(&[0, 3, 1, 2]);
    let mut case = Case::new(shape, p.clone());
    case.nest.reductions.axes = vec![0, 2, 3];
    case.operand(DType::F32, first, random);
    case.reduce(0, Monoid::Sum, random);
    let plain = case.actual(isa(), 1, None);
    // The same elements, channels last.
    let mut other = Case::new(shape, p);
    other.nest.reductions.axes = vec![0, 2, 3];
    other.operand(DType::F32, last, random);
    other.reduce(0, Monoid::Sum, random);
    for (i, at) in (0..shape.size()).map(|i| (i, [i / 6000, i / 600 % 10, i / 30 % 20, i % 30])) {
        let to = (0..4).map(|a| at[a] as isize * last.strides[a]).sum::<isize>() as usize;
        other.buffers[0].copy_within(0..0, 0);
        let element: [u8; 4] = case.buffers[0][4 * i..][..4].try_into().unwrap();
        other.buffers[0][4 * to..][..4].copy_from_slice(&element);
    }
    assert_eq!(plain[1], other.actual(isa(), 2, None)[1]);
    // Materialised first.
    let mut exp = Case::new(shape, build(&[DType::F32], |x| vec![x[0].exp()]));
    exp.nest.operands = case.nest.operands.clone();
    exp.slots.push(case.slots[0]);
    exp.buffers.push(case.buffers[0].clone());
    exp.store(0, first, random);
    let values = exp.actual(isa(), 1, None)[1].clone();
    let mut sum = Case::new(shape, identity(DType::F32));
    sum.nest.reductions.axes = vec![0, 2, 3];
    sum.operand(DType::F32, first, random);
    sum.buffers[0] = values;
    sum.reduce(0, Monoid::Sum, random);
    assert_eq!(plain[1], sum.actual(isa(), 2, None)[1]);
}

#[test]
fn images_with_channels_last_fold_row_by_row() {
    // As a normalisation's gradient does: a value of each channel, a store, and sums of what is there and computed.
    // Runs of odd lengths, longer and shorter than a chunk, in strips of one block or several rows.
    for (images, pixels, channels) in [(2, 4500, 40), (45, 99, 33), (3, 21, 600), (5, 7, 300)] {
        let shape = Shape::from([images, channels, pixels]);
        let last = Layout::contiguous(Shape::from([images, pixels, channels])).permute(&[0, 2, 1]);
        let random = &mut Random::new(pixels as u64);
        let mut case = Case::new(
            shape,
            build(&[DType::F32, DType::F32], |x| {
                let centred = x[0].clone() - &x[1];
                vec![centred.clone().max(&x[1]), centred * &x[0]]
            }),
        );
        case.nest.reductions.axes = vec![0, 2];
        case.operand(DType::F32, last, random);
        case.operand(DType::F32, Layout { shape, strides: [0, 1, 0, 0, 0, 0, 0, 0], offset: 0 }, random);
        case.store(0, last, random);
        for (output, monoid) in [(0, Monoid::Sum), (1, Monoid::Sum), (1, Monoid::Max)] {
            case.reduce(output, monoid, random);
        }
        case.check();
    }
}

#[test]
fn drawn_values_reduce_alike_in_both_directions() {
    let p = build(&[DType::I64, DType::F32], |x| vec![x[0].positional(Prim::Normal, DType::F32) * &x[1]]);
    let shape = Shape::from([37, 45]);
    for axes in [vec![0], vec![1], vec![0, 1]] {
        let random = &mut Random::new(1);
        let mut case = Case::new(shape, p.clone());
        case.data.push(Datum::Key { seed: 3, offset: 9 });
        case.nest.operands.push(Operand::Key(0));
        case.operand(DType::F32, Layout::contiguous(Shape::from([45, 37])).permute(&[1, 0]), random);
        case.nest.reductions.axes = axes;
        case.reduce(0, Monoid::Sum, random);
        case.check();
    }
}

#[test]
fn a_million_values_sum_accurately() {
    let n = 1_000_000;
    for level in levels() {
        let random = &mut Random::new(8);
        let mut case = Case::new([n], identity(DType::F32));
        case.operand(DType::F32, Layout::contiguous(Shape::from([n])), random);
        case.nest.reductions.axes = vec![0];
        case.reduce(0, Monoid::Sum, random);
        let mut exact = 0.0f64;
        for bytes in case.buffers[0].as_chunks_mut::<4>().0 {
            let x = random.below(1 << 24) as f32 / (1 << 24) as f32;
            exact += f64::from(x);
            *bytes = x.to_ne_bytes();
        }
        let sum = f32::from_ne_bytes(case.actual(level, 2, None)[1][..4].try_into().unwrap());
        assert!((f64::from(sum) - exact).abs() / exact < 1e-6, "{sum} {exact}");
    }
}

#[test]
fn empty_groups_give_identities_and_empty_results_nothing() {
    for (shape, axes) in [([0, 4], vec![0]), ([4, 0], vec![0]), ([0, 0], vec![0, 1])] {
        let random = &mut Random::new(0);
        let mut case = Case::new(shape, identity(DType::F32));
        case.operand(DType::F32, Layout::contiguous(Shape::from(shape)), random);
        case.nest.reductions.axes = axes;
        case.reduce(0, Monoid::Sum, random);
        case.reduce(0, Monoid::Prod, random);
        case.check();
    }
}
