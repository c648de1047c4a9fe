//! Elementwise nests.

use super::cases::{Case, Random, layout, program};
use crate::loops::CompiledLoop;
use fovea_core::device::Datum;
use fovea_core::op::Monoid;
use fovea_core::plan::{Operand, Store};
use fovea_core::scalar::{Instr, Prim, Program, build};
use fovea_core::{DType, ErrorKind, Layout, Shape};

#[test]
fn random_programs_and_layouts() {
    let sizes = [0usize, 1, 2, 3, 5, 8, 16, 17, 31, 33, 70, 260];
    for seed in 0..600 {
        let random = &mut Random::new(seed);
        let rank = random.below(5);
        let mut shape = Shape::SCALAR;
        for _ in 0..rank {
            let size = random.pick(&sizes);
            shape.push(if shape.size() * size > 20_000 { 1 } else { size });
        }
        let inputs: Vec<DType> = (0..1 + random.below(4)).map(|_| random.pick(&DType::ALL)).collect();
        let length = random.below(12);
        let outputs = 1 + random.below(3);
        let mut case = Case::new(shape, program(&inputs, length, outputs, random));
        for &dtype in &inputs {
            if random.below(6) == 0 {
                case.data.push(if random.below(2) == 0 { Datum::Float(1.75) } else { Datum::Int(i64::MAX - 3) });
                case.nest.operands.push(Operand::Scalar(case.data.len() - 1));
            } else {
                let l = layout(shape, random, true);
                case.operand(dtype, l, random);
            }
        }
        for output in 0..outputs {
            let l = layout(shape, random, false);
            case.store(output, l, random);
        }
        case.check();
    }
}

#[test]
fn ragged_lengths() {
    let p = build(&[DType::F32, DType::F32], |x| vec![(&x[0] * &x[1]).exp() + x[0].tanh(), x[0].lt(&x[1])]);
    for n in [0, 1, 15, 16, 17, 255, 256, 257, 511, 512, 513, 1025, 4095, 4096, 4097, 100_000] {
        let random = &mut Random::new(n as u64);
        let mut case = Case::new([n], p.clone());
        let l = Layout::contiguous(Shape::from([n]));
        case.operand(DType::F32, l, random);
        case.operand(DType::F32, Layout { offset: 3, ..l }, random);
        case.store(0, l, random);
        case.store(1, Layout { offset: 1, ..l }, random);
        case.check();
    }
}

#[test]
fn every_primitive_and_cast_over_special_values() {
    use Prim::*;
    let unary =
        [Neg, Abs, Sign, Floor, Ceil, Round, Trunc, Sqrt, Exp, Expm1, Log, Log1p, Sin, Cos, Tanh, Erf, Erfc, Not];
    let binary = [Add, Sub, Mul, Div, Rem, Pow, Atan2, Max, Min, Eq, Ne, Lt, Le, And, Or, Xor, Shl, Shr];
    for dtype in DType::ALL {
        for prim in unary.into_iter().chain(binary) {
            for scalars in 0..4 {
                let random = &mut Random::new(scalars as u64 + 7);
                let mut p = Program { inputs: vec![dtype; 2], ..Program::default() };
                p.instrs.push(Instr {
                    prim,
                    dtype: prim.result(dtype).unwrap(),
                    args: [0, (prim.arity() > 1) as u16, 0],
                });
                p.outputs = vec![2];
                let mut case = Case::new([700], p);
                for operand in 0..2 {
                    let stride = if scalars >> operand & 1 == 1 { 0 } else { 1 };
                    let mut l = Layout::contiguous(Shape::from([700]));
                    l.strides[0] = stride;
                    case.operand(dtype, l, random);
                }
                case.store(0, Layout::contiguous(Shape::from([700])), random);
                match CompiledLoop::compile(&case.nest, &case.slots, &[]) {
                    Ok(_) => case.check(),
                    Err(e) => {
                        assert_eq!(e.kind(), ErrorKind::DType);
                        let float = dtype.is_float();
                        assert!(!float || matches!(prim, And | Or | Xor | Not | Shl | Shr), "{prim:?} of {dtype}");
                    }
                }
            }
        }
        for to in DType::ALL {
            let random = &mut Random::new(9);
            let p = Program {
                inputs: vec![dtype],
                instrs: vec![Instr { prim: Cast, dtype: to, args: [0; 3] }],
                outputs: vec![1],
            };
            let mut case = Case::new([700], p);
            case.operand(dtype, Layout::contiguous(Shape::from([700])), random);
            case.store(0, Layout::contiguous(Shape::from([700])), random);
            case.check();
        }
    }
}

#[test]
fn in_place_also_through_another_slot() {
    // y goes over x; x is still needed for z.
    let p = build(&[DType::F32, DType::F32], |x| {
        let y = (&x[0] + &x[1]).exp();
        vec![y.clone(), y * &x[0]]
    });
    for shape in [Shape::from([5000]), Shape::from([40, 33]), Shape::from([3, 7, 11])] {
        let mut permuted = Layout::contiguous(shape);
        if shape.rank() == 2 {
            permuted = Layout::contiguous(Shape::from([33, 40])).permute(&[1, 0]);
        }
        for l in [Layout::contiguous(shape), permuted] {
            let random = &mut Random::new(3);
            let mut case = Case::new(shape, p.clone());
            let x = case.operand(DType::F32, l, random);
            case.operand(DType::F32, Layout::contiguous(shape), random);
            case.nest.stores.push(Store { output: 0, slot: x, strides: l.strides, offset: l.offset });
            case.store(1, Layout::contiguous(shape), random);
            case.check();
            // The same through two slots of one buffer.
            let slot = case.store(0, l, random);
            case.nest.stores.swap_remove(0);
            case.shared = Some((slot, x));
            case.check();
        }
    }
}

#[test]
fn operands_that_are_outputs_keep_their_values_under_a_store() {
    // y goes over x, while x itself is stored elsewhere and reduced.
    let p = build(&[DType::F32], |x| vec![x[0].exp() + 1.0, x[0].clone()]);
    for (shape, axes) in [([40, 33], vec![0]), ([40, 33], vec![1]), ([3, 700], vec![1]), ([700, 5], vec![0, 1])] {
        let random = &mut Random::new(4);
        let mut case = Case::new(shape, p.clone());
        let l = Layout::contiguous(Shape::from(shape));
        let x = case.operand(DType::F32, l, random);
        case.nest.stores.push(Store { output: 0, slot: x, strides: l.strides, offset: 0 });
        case.store(1, l, random);
        case.check();
        case.nest.reductions.axes = axes;
        case.reduce(1, Monoid::Sum, random);
        case.reduce(0, Monoid::Max, random);
        case.check();
    }
}

#[test]
fn positions_are_those_of_the_logical_shape() {
    let p = build(&[DType::I64, DType::F32], |x| {
        vec![
            x[0].positional(Prim::Uniform, DType::F32) + &x[1],
            x[0].positional(Prim::Normal, DType::F32) + &x[1],
            x[0].positional(Prim::Uniform, DType::F64),
            x[0].positional(Prim::Normal, DType::F64),
            x[0].positional(Prim::Index, DType::I32),
            x[0].positional(Prim::Index, DType::F32),
        ]
    });
    for seed in 0..30 {
        let random = &mut Random::new(seed);
        let shape =
            random.pick(&[Shape::from([1111]), Shape::from([7, 5, 31]), Shape::from([2, 300, 3]), Shape::from([1])]);
        let mut case = Case::new(shape, p.clone());
        case.data.push(Datum::Key { seed: 42, offset: u64::MAX - 5 });
        case.nest.operands.push(Operand::Key(0));
        let l = layout(shape, random, true);
        case.operand(DType::F32, l, random);
        for output in 0..6 {
            let l = layout(shape, random, false);
            case.store(output, l, random);
        }
        case.check();
    }
}

#[test]
fn nests_that_reach_outside_their_slots_are_refused() {
    let p = build(&[DType::F32], |x| vec![-&x[0]]);
    let random = &mut Random::new(0);
    let l = Layout::contiguous(Shape::from([4, 4]));
    let mut case = Case::new([4, 4], p);
    case.operand(DType::F32, l, random);
    case.store(0, l, random);
    case.check();
    case.slots[0].elements = 15;
    assert_eq!(CompiledLoop::compile(&case.nest, &case.slots, &[]).unwrap_err().kind(), ErrorKind::Internal);
}

#[test]
fn meaningless_programs_are_errors() {
    for (prim, dtype) in
        [(Prim::Add, DType::Bool), (Prim::Exp, DType::I32), (Prim::And, DType::F32), (Prim::Atan2, DType::I64)]
    {
        let random = &mut Random::new(0);
        let p = Program {
            inputs: vec![dtype; 2],
            instrs: vec![Instr { prim, dtype: prim.result(dtype).unwrap(), args: [0, 1, 0] }],
            outputs: vec![2],
        };
        let mut case = Case::new([4], p);
        let l = Layout::contiguous(Shape::from([4]));
        case.operand(dtype, l, random);
        case.operand(dtype, l, random);
        case.store(0, l, random);
        assert_eq!(
            CompiledLoop::compile(&case.nest, &case.slots, &[]).unwrap_err().kind(),
            ErrorKind::DType,
            "{prim:?}"
        );
    }
}
