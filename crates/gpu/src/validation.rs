//! Generated kernels keep within WebGPU's default limits and WGSL's rules, checked without a device.

use crate::adapters::{GROUPS_PER_DIMENSION, INVOCATIONS, STORAGE_BUFFERS, WORKGROUP_BYTES};
use crate::gemm::{self, Tile};
use crate::split;
use crate::wgsl::Dispatch;
use fovea_core::contraction::{Contraction, Coord, Loop, Role};
use fovea_core::op::Monoid;
use fovea_core::plan::{LoopNest, Operand, Reduce, Reductions, Store, View};
use fovea_core::scalar::{Expr, Prim, Program, build};
use fovea_core::shape::Layout;
use fovea_core::{DType, Shape};
use naga::valid::{Capabilities, ValidationFlags, Validator};

fn check(dispatch: &Dispatch) {
    let source = &dispatch.source;
    let module =
        naga::front::wgsl::parse_str(source).unwrap_or_else(|e| panic!("{}\n{source}", e.emit_to_string(source)));
    let info = Validator::new(ValidationFlags::all(), Capabilities::empty()).validate(&module);
    assert!(info.is_ok(), "{}\n{source}", info.unwrap_err().emit_to_string(source));
    let mut layouter = naga::proc::Layouter::default();
    layouter.update(module.to_ctx()).unwrap();
    let globals = || module.global_variables.iter().map(|(_, v)| v);
    let storage = globals().filter(|v| matches!(v.space, naga::AddressSpace::Storage { .. })).count();
    let shared: u32 = globals()
        .filter(|v| v.space == naga::AddressSpace::WorkGroup)
        .map(|v| layouter[v.ty].size.next_multiple_of(16))
        .sum();
    let [x, y, z] = module.entry_points[0].workgroup_size;
    assert!(
        storage <= STORAGE_BUFFERS as usize && storage == dispatch.slots.len(),
        "{storage} storage buffers\n{source}"
    );
    assert!(shared <= WORKGROUP_BYTES, "{shared} bytes of workgroup memory\n{source}");
    assert!(x * y * z <= INVOCATIONS, "{x}x{y}x{z} invocations\n{source}");
    assert!(dispatch.workgroups.iter().all(|&g| g > 0 && g <= GROUPS_PER_DIMENSION));
    let mut slots = dispatch.slots.clone();
    slots.sort_unstable();
    slots.dedup();
    assert_eq!(slots.len(), dispatch.slots.len(), "a slot is bound twice\n{source}");
}

fn check_nest(nest: &LoopNest) {
    let mut next = 1000;
    let kernels = split::nest(nest, &mut |_, _| {
        next += 1;
        next
    });
    kernels.expect("native").iter().for_each(check);
}

fn operands(program: &Program, shape: Shape) -> Vec<Operand> {
    (0..program.inputs.len()).map(|slot| Operand::Tensor { slot, strides: shape.strides(), offset: slot }).collect()
}

fn stores(program: &Program, shape: Shape) -> Vec<Store> {
    let store = |output| Store { output, slot: 100 + output, strides: shape.strides(), offset: 0 };
    (0..program.outputs.len()).map(store).collect()
}

const DTYPES: [DType; 5] = [DType::F32, DType::I32, DType::I64, DType::U8, DType::Bool];

/// Each primitive with each dtype that it takes.
fn programs() -> Vec<Program> {
    use Prim::*;
    let mut out = Vec::new();
    let mut add = |dtype: DType, body: &dyn Fn(&[Expr]) -> Expr| out.push(build(&[dtype, dtype], |x| vec![body(x)]));
    for dtype in DTYPES {
        for to in DTYPES {
            add(dtype, &|x| x[0].cast(to));
            add(dtype, &|x| x[0].positional(Index, to));
            for value in [0.0, -1.0, 1e300, f64::NAN, 1e-320, 255.0] {
                add(dtype, &|x| x[0].constant_of(value, to));
            }
        }
        for prim in [Eq, Ne, Lt, Le, Max, Min] {
            add(dtype, &|x| x[0].binary(prim, &x[1]));
            add(dtype, &|x| x[0].binary(prim, &x[0]));
        }
        add(dtype, &|x| x[0].cast(DType::Bool).select(&x[0], &x[1]));
        if dtype == DType::Bool {
            for prim in [And, Or, Xor] {
                add(dtype, &|x| x[0].binary(prim, &x[1]));
            }
            add(dtype, &|x| x[0].unary(Not));
            continue;
        }
        for prim in [Add, Sub, Mul, Div, Rem, Pow] {
            add(dtype, &|x| x[0].binary(prim, &x[1]));
            add(dtype, &|x| x[0].constant(-3.0).binary(prim, &x[0].constant(-2.0)));
        }
        for prim in [Neg, Abs, Sign] {
            add(dtype, &|x| x[0].unary(prim));
            add(dtype, &|x| x[0].constant(-3.0).unary(prim));
        }
        if !dtype.is_float() {
            for prim in [And, Or, Xor, Shl, Shr] {
                add(dtype, &|x| x[0].binary(prim, &x[1]));
            }
        }
        if dtype == DType::F32 {
            add(dtype, &|x| x[0].binary(Atan2, &x[1]));
            for prim in [Floor, Ceil, Round, Trunc, Sqrt, Exp, Expm1, Log, Log1p, Sin, Cos, Tanh, Erf, Erfc] {
                add(dtype, &|x| x[0].unary(prim));
            }
        }
    }
    out
}

#[test]
fn every_primitive() {
    let shape = Shape::from([3, 5]);
    for program in programs() {
        check_nest(&LoopNest {
            shape,
            operands: operands(&program, shape),
            stores: stores(&program, shape),
            program,
            reductions: Reductions::default(),
        });
    }
}

#[test]
fn draws_and_numbers() {
    let shape = Shape::from([100_000, 300]);
    for prim in [Prim::Uniform, Prim::Normal] {
        let mut program = build(&[DType::F32; 2], |x| vec![x[0].positional(prim, DType::F32) + &x[1]]);
        program.inputs[0] = DType::F32;
        check_nest(&LoopNest {
            shape,
            operands: vec![Operand::Key(3), Operand::Scalar(1)],
            stores: stores(&program, shape),
            program,
            reductions: Reductions::default(),
        });
    }
}

#[test]
fn every_reduction() {
    let monoids = [Monoid::Sum, Monoid::Prod, Monoid::Max, Monoid::Min, Monoid::ArgMax, Monoid::ArgMin];
    let cases: [(&[usize], &[usize]); 7] = [
        (&[4, 100_000], &[1]),
        (&[100_000, 4], &[0]),
        (&[3000, 7], &[1]),
        (&[2, 3, 4, 5, 6], &[1, 3]),
        (&[2, 0, 4], &[1, 2]),
        (&[1, 1], &[1]),
        (&[200_000, 200], &[1]),
    ];
    for dtype in DTYPES {
        for (dims, axes) in cases {
            let shape = Shape::new(dims);
            let program = Program { inputs: vec![dtype], instrs: vec![], outputs: vec![0] };
            let items: Vec<Reduce> =
                monoids.iter().enumerate().map(|(i, &monoid)| Reduce { output: 0, monoid, slot: 200 + i }).collect();
            // One at a time, and all with a store.
            for item in &items {
                check_nest(&LoopNest {
                    shape,
                    operands: operands(&program, shape),
                    stores: vec![],
                    program: program.clone(),
                    reductions: Reductions { axes: axes.to_vec(), items: vec![*item] },
                });
            }
            check_nest(&LoopNest {
                shape,
                operands: operands(&program, shape),
                stores: stores(&program, shape),
                program,
                reductions: Reductions { axes: axes.to_vec(), items },
            });
        }
    }
}

#[test]
fn many_slots() {
    let shape = Shape::from([6, 7]);
    for inputs in [7, 8, 9, 20, 60] {
        let program = build(&vec![DType::F32; inputs], |x| {
            let sum = x.iter().skip(1).fold(x[0].clone(), |a, b| a + b);
            vec![sum.exp(), &sum + &x[0], &x[1] * &x[2], sum]
        });
        for axes in [vec![], vec![1]] {
            let items =
                if axes.is_empty() { vec![] } else { vec![Reduce { output: 0, monoid: Monoid::Sum, slot: 300 }] };
            check_nest(&LoopNest {
                shape,
                operands: operands(&program, shape),
                stores: stores(&program, shape),
                program: program.clone(),
                reductions: Reductions { axes, items },
            });
        }
    }
}

#[test]
fn every_tile_of_the_gemm() {
    let view = |slot: usize, dims: &[usize]| View { slot, layout: Layout::contiguous(Shape::new(dims)) };
    let role = |size, role| Loop { size, role };
    for tile in gemm::TILES {
        for (m, n, k) in [(256, 256, 64), (250, 131, 33), (1, 3, 5), (16, 16, 100_000)] {
            let product = Contraction {
                loops: vec![role(m, Role::Row), role(n, Role::Col), role(k, Role::Sum), role(3, Role::Batch)],
                a: vec![Coord::index(3), Coord::index(0), Coord::index(2)],
                b: vec![Coord::index(3), Coord::index(2), Coord::index(1)],
                out: vec![3, 0, 1],
            };
            check_contraction(&product, view(0, &[3, m, k]), view(1, &[3, k, n]), tile);
        }
        // A strided backward-data convolution: tests, divisors and negative coefficients.
        let back = |i, k| Coord { terms: vec![(i, 1), (k, -2)], offset: 1, divisor: 2 };
        let convolution = Contraction {
            loops: vec![
                role(4, Role::Col),
                role(5, Role::Row),
                role(9, Role::Col),
                role(8, Role::Col),
                role(6, Role::Sum),
                role(3, Role::Sum),
            ],
            a: vec![Coord::index(4), Coord::index(1), Coord::index(5)],
            b: vec![Coord::index(0), Coord::index(4), back(2, 5), Coord::index(3)],
            out: vec![0, 1, 2, 3],
        };
        check_contraction(&convolution, view(0, &[6, 5, 3]), view(1, &[4, 6, 5, 8]), tile);
    }
}

fn check_contraction(contraction: &Contraction, a: View, b: View, tile: Tile) {
    let kernels = gemm::contract(contraction, &a, &b, 2, Some(tile), &mut |_, _| 3);
    kernels.iter().for_each(check);
}
