//! Every scalar primitive on every dtype it takes, with its accuracy.

mod harness;

use fovea_core::scalar::{Expr, Prim, Program, build};
use fovea_core::{DType, Shape};
use fovea_gpu::GpuRuntime;
use harness::interpret::Value;
use harness::{Rng, f32s, gpu, i32s, map_plan, numbers, run};

const UNARY: [Prim; 18] = [
    Prim::Neg,
    Prim::Abs,
    Prim::Sign,
    Prim::Floor,
    Prim::Ceil,
    Prim::Round,
    Prim::Trunc,
    Prim::Sqrt,
    Prim::Exp,
    Prim::Expm1,
    Prim::Log,
    Prim::Log1p,
    Prim::Sin,
    Prim::Cos,
    Prim::Tanh,
    Prim::Erf,
    Prim::Erfc,
    Prim::Cast,
];

fn unary(prim: Prim) -> Program {
    build(&[DType::F32], |x| vec![if prim == Prim::Cast { x[0].cast(DType::I32) } else { x[0].unary(prim) }])
}

/// Values of a function on the device beside exact ones.
fn evaluate(gpu: &GpuRuntime, program: &Program, inputs: &[Vec<f32>]) -> Vec<(f64, f64)> {
    let shape = Shape::from([inputs[0].len()]);
    let plan = map_plan(program, shape);
    let bytes: Vec<Vec<u8>> = inputs.iter().map(|v| f32s(v)).collect();
    let got = numbers(&run(gpu, &plan, &bytes, &[])[0], program.output_dtype(0));
    let exact = (0..inputs[0].len()).map(|i| {
        let values: Vec<Value> = inputs.iter().map(|v| Value::Float(f64::from(v[i]))).collect();
        harness::interpret::interpret(program, &values, i as u64)[0].float()
    });
    got.into_iter().zip(exact).collect()
}

/// The largest relative error; values below `floor` count absolutely to it.
fn worst(pairs: &[(f64, f64)], floor: f64) -> (f64, usize) {
    let error = |&(got, exact): &(f64, f64)| match (
        got == exact || got.is_nan() && exact.is_nan(),
        got.is_finite() && exact.is_finite(),
    ) {
        (true, _) => 0.0,
        (false, true) => (got - exact).abs() / exact.abs().max(floor),
        (false, false) => f64::INFINITY,
    };
    pairs.iter().map(error).enumerate().fold((0.0, 0), |w, (i, e)| if e > w.0 { (e, i) } else { w })
}

/// Values of every magnitude between two, and the ends.
fn sweep(low: f32, high: f32) -> Vec<f32> {
    let n = 20_000;
    let mut out: Vec<f32> = (0..=n).map(|i| low + (high - low) * (i as f32 / n as f32)).collect();
    for e in -30..30 {
        for m in [1.0f32, 1.3, 1.7] {
            for s in [1.0, -1.0] {
                let v = s * m * (e as f32).exp2();
                if v > low && v < high {
                    out.push(v);
                }
            }
        }
    }
    out
}

#[test]
fn accuracy_of_functions() {
    let Some(gpu) = gpu() else { return };
    // (function, range, floor of the relative error). Subnormals may be flushed, hence the floor.
    let cases = [
        (Prim::Exp, -87.0, 88.7, 1e-37),
        (Prim::Exp, -1.0, 1.0, 1e-37),
        (Prim::Expm1, -20.0, 80.0, 1e-37),
        (Prim::Expm1, -0.5, 0.5, 1e-37),
        (Prim::Log, 1e-37, 1e30, 1e-37),
        (Prim::Log, 0.5, 2.0, 1e-37),
        (Prim::Log1p, -0.999, 3.0, 1e-37),
        (Prim::Log1p, -0.01, 0.01, 1e-37),
        (Prim::Log1p, 0.0, 1e20, 1e-37),
        (Prim::Tanh, -12.0, 12.0, 1e-37),
        (Prim::Erf, -5.0, 5.0, 1e-37),
        (Prim::Erfc, -5.0, 9.0, 1e-37),
        (Prim::Sqrt, 0.0, 1e30, 1e-37),
        (Prim::Sin, -10.0, 10.0, 1e-2),
        (Prim::Cos, -10.0, 10.0, 1e-2),
        (Prim::Sin, -5000.0, 5000.0, 0.1),
        (Prim::Cos, -5000.0, 5000.0, 0.1),
        (Prim::Sin, -1e9, 1e9, 0.1),
        (Prim::Cos, 1e9, 3e38, 0.1),
    ];
    for (prim, low, high, floor) in cases {
        let x = sweep(low, high);
        let pairs = evaluate(gpu, &unary(prim), std::slice::from_ref(&x));
        let (error, at) = worst(&pairs, floor);
        println!("{prim:?} on {low}..{high}: {error:.1e}");
        assert!(error <= 1e-6, "{prim:?}({}) = {}, exact {}: {error}", x[at], pairs[at].0, pairs[at].1);
    }
}

#[test]
fn exact_functions_and_special_values() {
    let Some(gpu) = gpu() else { return };
    let mut x = sweep(-70.0, 70.0);
    x.extend([0.5, 1.5, 2.5, -0.5, -1.5, 3e9, -3e9, 1e38, -1e38, 8388609.0]);
    for prim in [Prim::Neg, Prim::Abs, Prim::Sign, Prim::Floor, Prim::Ceil, Prim::Round, Prim::Trunc, Prim::Cast] {
        let pairs = evaluate(gpu, &unary(prim), std::slice::from_ref(&x));
        let wrong = pairs.iter().position(|(g, e)| g != e);
        assert!(wrong.is_none(), "{prim:?}({}): {:?}", x[wrong.unwrap()], pairs[wrong.unwrap()]);
    }
    let special = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0];
    for prim in UNARY {
        let pairs = evaluate(gpu, &unary(prim), &[special.to_vec()]);
        let (error, at) = worst(&pairs, 1e-37);
        assert!(error <= 1e-6, "{prim:?}({}): {:?}", special[at], pairs[at]);
    }
}

fn pairs_of(rng: &mut Rng) -> [Vec<f32>; 2] {
    let interesting = [0.0, 1.0, -1.0, 2.0, 3.0, 0.5, -2.0, -3.0, 0.25, 7.0, -7.5, 100.0, 1e-10, 1e10];
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for x in interesting {
        for y in interesting {
            a.push(x);
            b.push(y);
        }
    }
    for _ in 0..20_000 {
        a.push(rng.float(-20.0, 20.0) as f32);
        b.push(rng.float(-8.0, 8.0) as f32);
    }
    [a, b]
}

#[test]
fn binary_functions() {
    let Some(gpu) = gpu() else { return };
    let mut inputs = pairs_of(&mut Rng(1)).to_vec();
    let prims = [Prim::Add, Prim::Sub, Prim::Mul, Prim::Div, Prim::Rem, Prim::Max, Prim::Min, Prim::Pow, Prim::Atan2];
    for prim in prims {
        let program = build(&[DType::F32; 2], |x| vec![x[0].binary(prim, &x[1])]);
        let pairs = evaluate(gpu, &program, &inputs);
        let (error, at) = worst(&pairs, 1e-37);
        println!("{prim:?}: {error:.1e}");
        let (a, b) = (inputs[0][at], inputs[1][at]);
        assert!(error <= 1e-6, "{prim:?}({a}, {b}) = {}, exact {}: {error}", pairs[at].0, pairs[at].1);
    }
    // Powers of positive bases over the whole range.
    let rng = &mut Rng(3);
    inputs[0] = (0..20_000).map(|_| rng.float(-80.0, 80.0).exp() as f32).collect();
    inputs[1] = inputs[0].iter().map(|x| (rng.float(-87.0, 88.0) / f64::from(x.ln())) as f32).collect();
    let program = build(&[DType::F32; 2], |x| vec![x[0].binary(Prim::Pow, &x[1])]);
    let pairs = evaluate(gpu, &program, &inputs);
    let (error, at) = worst(&pairs, 1e-37);
    println!("Pow: {error:.1e}");
    assert!(error <= 1e-6, "pow({}, {}): {:?}: {error}", inputs[0][at], inputs[1][at], pairs[at]);
    // NaN and infinities.
    let special = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0, 1.0, -1.0, 2.0, -3.0];
    let [a, b] = [0, 1].map(|k| (0..64).map(|i| special[if k == 0 { i / 8 } else { i % 8 }]).collect::<Vec<f32>>());
    for prim in prims {
        let program = build(&[DType::F32; 2], |x| vec![x[0].binary(prim, &x[1])]);
        for (i, (got, exact)) in evaluate(gpu, &program, &[a.clone(), b.clone()]).into_iter().enumerate() {
            let same = worst(&[(got, exact)], 1e-37).0 <= 1e-6;
            assert!(same, "{prim:?}({}, {}) = {got}, exact {exact}", a[i], b[i]);
        }
    }
}

/// All pairs of some integers through every integer primitive.
#[test]
fn integers_and_booleans() {
    let Some(gpu) = gpu() else { return };
    let values = [0, 1, -1, 2, 3, -3, 7, -8, 100, 255, 256, i32::MAX, i32::MIN];
    let n = values.len();
    let a: Vec<i32> = (0..n * n).map(|i| values[i / n]).collect();
    let b: Vec<i32> = (0..n * n).map(|i| values[i % n]).collect();
    for dtype in [DType::I32, DType::U8, DType::Bool] {
        let program = build(&[DType::I32; 2], |x| {
            let (p, q) = (x[0].cast(dtype), x[1].cast(dtype));
            let mut out: Vec<Expr> = vec![p.eq(&q), p.binary(Prim::Ne, &q), p.lt(&q), p.le(&q), p.max(&q), p.min(&q)];
            if dtype == DType::Bool {
                out.extend([
                    p.binary(Prim::And, &q),
                    p.binary(Prim::Or, &q),
                    p.binary(Prim::Xor, &q),
                    p.unary(Prim::Not),
                ]);
            } else {
                use Prim::*;
                for prim in [Add, Sub, Mul, Div, Rem, And, Or, Xor, Shl, Shr] {
                    out.push(p.binary(prim, &q));
                }
                out.extend([p.unary(Prim::Neg), p.abs(), p.sign(), p.cast(DType::F32), p.cast(DType::Bool)]);
            }
            out.push(p.lt(&q).select(&p, &q));
            out
        });
        let shape = Shape::from([n * n]);
        // Eight outputs at a time would cut the nest; one by one is plain.
        for o in 0..program.outputs.len() {
            let one = Program { outputs: vec![program.outputs[o]], ..program.clone() }.simplified();
            let externals = [i32s(&a), i32s(&b)];
            let plan = map_plan(&one, shape);
            let got = run(gpu, &plan, &externals, &[]);
            let expected = run(&harness::host::HostRuntime, &plan, &externals, &[]);
            let wrong = got[0].iter().zip(&expected[0]).position(|(g, e)| g != e);
            if let Some(i) = wrong {
                let i = i / one.output_dtype(0).size();
                panic!("{dtype} output {o} at ({}, {}): {:?}", a[i], b[i], one.instrs);
            }
        }
    }
}

#[test]
fn integer_powers() {
    let Some(gpu) = gpu() else { return };
    let a: Vec<i32> = (0..400).map(|i| i / 20 - 10).collect();
    let b: Vec<i32> = (0..400).map(|i| i % 20 - 5).collect();
    let program = build(&[DType::I32; 2], |x| vec![x[0].binary(Prim::Pow, &x[1])]);
    harness::compare(gpu, &map_plan(&program, Shape::from([400])), &[i32s(&a), i32s(&b)], &[], 0.0);
}

#[test]
fn constants_and_casts() {
    let Some(gpu) = gpu() else { return };
    let constants = [0.0, -0.0, 1.5, -2.0, 1e-40, 1e39, -1e39, f64::NAN, 16_777_217.0, -2_147_483_648.0, 1e-3];
    for value in constants {
        let program = build(&[DType::F32], |x| {
            let c = x[0].constant(value);
            vec![c.clone(), c.abs().min(&x[0]), x[0].constant_of(value, DType::I32), x[0].constant_of(value, DType::U8)]
        });
        let plan = map_plan(&program, Shape::from([3]));
        let externals = [f32s(&[1.0, 2.0, 3.0])];
        let got = run(gpu, &plan, &externals, &[]);
        let expected = run(&harness::host::HostRuntime, &plan, &externals, &[]);
        for o in 0..4 {
            let dtype = program.output_dtype(o);
            let (g, e) = (numbers(&got[o], dtype)[0], numbers(&expected[o], dtype)[0]);
            let flushed = e.abs() < 1.2e-38 && g == 0.0;
            assert!(g == e || flushed || g.is_nan() && e.is_nan(), "{value} output {o}: {g}, expected {e}");
        }
    }
}

#[test]
fn comparisons_of_nan() {
    let Some(gpu) = gpu() else { return };
    let values = [f32::NAN, 1.0, 2.0, f32::INFINITY];
    let a: Vec<f32> = (0..16).map(|i| values[i / 4]).collect();
    let b: Vec<f32> = (0..16).map(|i| values[i % 4]).collect();
    let program = build(&[DType::F32; 2], |x| {
        let (p, q) = (&x[0], &x[1]);
        vec![p.eq(q), p.binary(Prim::Ne, q), p.lt(q), p.le(q), p.binary(Prim::Ne, p), p.eq(p)]
    });
    harness::compare(gpu, &map_plan(&program, Shape::from([16])), &[f32s(&a), f32s(&b)], &[], 0.0);
}
