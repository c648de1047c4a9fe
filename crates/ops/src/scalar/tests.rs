use super::definition::{Brought, Rule};
use super::op::{all, named};
use super::programs::{Gradient, Reads, Typed};
use crate::recording::{check, typed, typed_dyn};
use fovea_core::DType::{Bool, F32, F64, I32, I64, U8};
use fovea_core::attributes::Given;
use fovea_core::op::Saved;
use fovea_core::scalar::{Prim, Program};
use fovea_core::{DType, ErrorKind};

fn dtype(op: &str, inputs: &[DType]) -> DType {
    let inputs: Vec<(DType, &[usize])> = inputs.iter().map(|&d| (d, &[2usize][..])).collect();
    typed_dyn(named(op), &inputs).unwrap_or_else(|e| panic!("{op}: {e}")).dtype
}

#[test]
fn every_sample_records_with_both_derivatives() {
    check(super::ops());
}

#[test]
fn dtypes_are_promoted_as_in_pytorch() {
    for (op, inputs, want) in [
        ("add", &[F32, I64][..], F32),
        ("add", &[I32, U8], I32),
        ("add", &[F64, F32], F64),
        ("mul", &[Bool, Bool], Bool),
        ("sub", &[Bool, I32], I32),
        ("div", &[I32, I32], F32),
        ("div", &[I64, F64], F64),
        ("exp", &[I64], F32),
        ("relu", &[I32], I32),
        ("abs", &[I64], I64),
        ("sign", &[U8], U8),
        ("floor", &[I32], I32),
        ("lt", &[F32, I32], Bool),
        ("logical_not", &[F32], Bool),
        ("is_nan", &[I32], Bool),
        ("where", &[Bool, I32, F32], F32),
        ("bitwise_and", &[U8, I32], I32),
        ("bitwise_xor", &[Bool, Bool], Bool),
        ("bitwise_left_shift", &[I64, Bool], I64),
        ("clamp_max", &[I32, F32], F32),
    ] {
        assert_eq!(dtype(op, inputs), want, "{op} {inputs:?}");
    }
}

#[test]
fn operands_without_dimensions_lend_their_category() {
    for (op, inputs, want) in [
        ("add", &[(F32, &[2usize][..]), (F64, &[])][..], F32),
        ("add", &[(F64, &[]), (F32, &[2])], F32),
        ("mul", &[(I32, &[2]), (I64, &[])], I32),
        ("mul", &[(I32, &[2]), (F64, &[])], F64),
        ("mul", &[(Bool, &[2]), (I64, &[])], I64),
        ("sub", &[(U8, &[2]), (I64, &[])], U8),
        ("add", &[(F32, &[]), (F64, &[])], F64),
        ("add", &[(F32, &[1]), (F64, &[])], F32),
        ("where", &[(Bool, &[2]), (F32, &[]), (F64, &[])], F64),
        ("where", &[(Bool, &[]), (F32, &[2]), (F64, &[])], F32),
        ("clamp_max", &[(F32, &[2]), (F64, &[])], F32),
    ] {
        assert_eq!(typed_dyn(named(op), inputs).unwrap().dtype, want, "{op} {inputs:?}");
    }
}

#[test]
fn bool_is_refused_with_advice() {
    for (op, inputs) in [("sub", &[Bool, Bool][..]), ("neg", &[Bool]), ("floor", &[Bool]), ("relu", &[Bool])] {
        let inputs: Vec<(DType, &[usize])> = inputs.iter().map(|&d| (d, &[2usize][..])).collect();
        let error = typed_dyn(named(op), &inputs).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::DType, "{op}");
        assert_eq!(error.fields().op.as_deref(), Some(op));
        assert_eq!(error.fields().received.as_deref(), Some("bool"));
    }
    for (op, inputs, argument, received) in [
        ("bitwise_or", [I32, F32], "b", "f32"),
        ("bitwise_right_shift", [F64, I32], "a", "f64"),
        ("bitwise_left_shift", [Bool, Bool], "a", "bool"),
    ] {
        let error = typed_dyn(named(op), &inputs.map(|d| (d, &[2usize][..]))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::DType, "{op}");
        let fields = error.fields();
        assert_eq!((fields.argument.as_deref(), fields.received.as_deref()), (Some(argument), Some(received)));
    }
    let error = typed_dyn(named("where"), &[(F32, &[2]), (F32, &[2]), (F32, &[2])]).unwrap_err();
    assert_eq!(error.fields().argument.as_deref(), Some("condition"));
    assert!(error.to_string().contains("ne(0)"), "{error}");
}

#[test]
fn shapes_that_do_not_broadcast_name_both() {
    let error = typed_dyn(named("add"), &[(F32, &[2, 3]), (F32, &[4])]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Shape);
    assert_eq!(error.fields().argument.as_deref(), Some("b"));
    assert_eq!(error.fields().received.as_deref(), Some("[4]"));
    assert!(error.to_string().contains("[2, 3] of a") && error.to_string().contains("[4] of b"), "{error}");
    let ty = typed_dyn(named("where"), &[(Bool, &[3]), (F32, &[2, 1]), (F32, &[])]).unwrap();
    assert_eq!(*ty.shape, [2, 3]);
}

#[test]
fn saved_is_what_the_gradient_reads() {
    for (op, saved) in [
        ("add", Saved::NONE),
        ("mul", Saved::inputs(3)),
        ("sigmoid", Saved { inputs: 0, outputs: 1 }),
        ("relu", Saved { inputs: 0, outputs: 1 }),
        ("sin", Saved::inputs(1)),
        ("where", Saved::inputs(1)),
        ("pow", Saved { inputs: 3, outputs: 1 }),
        ("lt", Saved::NONE),
    ] {
        assert_eq!(named(op).saved(), saved, "{op}");
    }
}

/// One element in f64: the primitives as `f64` has them.
pub(crate) fn eval(program: &Program, inputs: &[f64]) -> f64 {
    let mut v = inputs.to_vec();
    for i in &program.instrs {
        let a = |k: usize| v[i.args[k] as usize];
        let truth = |b: bool| f64::from(u8::from(b));
        v.push(match i.prim {
            Prim::Const(bits) => f64::from_bits(bits),
            Prim::Cast if i.dtype == Bool => truth(a(0) != 0.0),
            Prim::Cast => a(0),
            Prim::Add => a(0) + a(1),
            Prim::Sub => a(0) - a(1),
            Prim::Mul => a(0) * a(1),
            Prim::Div => a(0) / a(1),
            Prim::Rem => a(0) - (a(0) / a(1)).floor() * a(1),
            Prim::Pow => a(0).powf(a(1)),
            Prim::Atan2 => a(0).atan2(a(1)),
            Prim::Max => a(0).max(a(1)),
            Prim::Min => a(0).min(a(1)),
            Prim::Neg => -a(0),
            Prim::Abs => a(0).abs(),
            Prim::Sign if a(0) == 0.0 => 0.0,
            Prim::Sign => a(0).signum(),
            Prim::Floor => a(0).floor(),
            Prim::Round => a(0).round_ties_even(),
            Prim::Trunc => a(0).trunc(),
            Prim::Sqrt => a(0).sqrt(),
            Prim::Exp => a(0).exp(),
            Prim::Expm1 => a(0).exp_m1(),
            Prim::Log => a(0).ln(),
            Prim::Log1p => a(0).ln_1p(),
            Prim::Sin => a(0).sin(),
            Prim::Cos => a(0).cos(),
            Prim::Tanh => a(0).tanh(),
            Prim::Erf => erf(a(0)),
            Prim::Erfc => 1.0 - erf(a(0)),
            Prim::Eq => truth(a(0) == a(1)),
            Prim::Ne => truth(a(0) != a(1)),
            Prim::Lt => truth(a(0) < a(1)),
            Prim::Le => truth(a(0) <= a(1)),
            Prim::And => truth(a(0) * a(1) != 0.0),
            Prim::Or => truth(a(0) + a(1) != 0.0),
            Prim::Select if a(0) != 0.0 => a(1),
            Prim::Select => a(2),
            other => panic!("{other:?} is not in this reference"),
        });
    }
    v[program.outputs[0] as usize]
}

/// Maclaurin's series, good to 1e-13 for |x| ≤ 3.
fn erf(x: f64) -> f64 {
    let (mut term, mut sum) = (x, x);
    for n in 1..80 {
        term *= -x * x / f64::from(n);
        sum += term / f64::from(2 * n + 1);
    }
    sum * std::f64::consts::FRAC_2_SQRT_PI
}

/// The gradient towards input `index` at `at`, for an incoming gradient of 1.
fn gradient(name: &str, at: &[f64], index: usize) -> f64 {
    let op = all().iter().find(|op| op.def.name == name).unwrap();
    let dtypes: Vec<Brought> =
        (0..at.len()).map(|i| if op.def.rule == Rule::Select && i == 0 { Bool } else { F64 }.into()).collect();
    let typed = Typed::new(op.def, &dtypes).unwrap();
    match typed.gradient(op.def, index) {
        Gradient::Zero => 0.0,
        Gradient::Same => 1.0,
        Gradient::Map(map, reads) => {
            let y = eval(&typed.program, at);
            let values: Vec<f64> = reads
                .iter()
                .map(|read| match read {
                    Reads::Input(k) => at[*k],
                    Reads::Output => y,
                    Reads::Incoming => 1.0,
                })
                .collect();
            eval(map.program(), &values)
        }
    }
}

#[test]
fn gradients_agree_with_central_differences() {
    let rounding = ["floor", "ceil", "round", "trunc", "sign", "floor_divide"];
    for op in all().iter().filter(|op| !rounding.contains(&op.def.name)) {
        let arity = op.def.inputs.len();
        let select = op.def.rule == Rule::Select;
        let dtypes: Vec<Brought> = (0..arity).map(|i| if select && i == 0 { Bool } else { F64 }.into()).collect();
        let Some(typed) = Typed::new(op.def, &dtypes).ok().filter(|t| t.types.result.is_float()) else { continue };
        for point in 0..20 {
            let place = |i: usize| (0.37 + 0.618 * f64::from(point) + 0.271 * i as f64).fract();
            let mut at: Vec<f64> =
                op.def.domains.iter().enumerate().map(|(i, d)| d.start + place(i) * (d.end - d.start)).collect();
            if select {
                at[0] = f64::from(point % 2);
            }
            for i in usize::from(select)..arity {
                let h = 1e-5;
                let (mut up, mut down) = (at.clone(), at.clone());
                up[i] += h;
                down[i] -= h;
                let numeric = (eval(&typed.program, &up) - eval(&typed.program, &down)) / (2.0 * h);
                let exact = gradient(op.def.name, &at, i);
                let scale = exact.abs().max(1.0);
                assert!((numeric - exact).abs() < 1e-6 * scale, "{} {i} at {at:?}: {numeric} {exact}", op.def.name);
            }
        }
    }
}

#[test]
fn gradients_where_there_is_none_follow_pytorch() {
    for (op, at, index, want) in [
        ("relu", &[0.0][..], 0, 0.0),
        ("abs", &[0.0], 0, 0.0),
        ("sqrt", &[0.0], 0, f64::INFINITY),
        ("floor", &[1.5], 0, 0.0),
        ("maximum", &[2.0, 2.0], 0, 0.5),
        ("maximum", &[2.0, 2.0], 1, 0.5),
        ("minimum", &[2.0, 2.0], 1, 0.5),
        ("minimum", &[2.0, 3.0], 1, 0.0),
        ("clamp_max", &[1.0, 1.0], 0, 1.0),
        ("clamp_min", &[1.0, 1.0], 0, 1.0),
        ("clamp_min", &[1.0, 1.0], 1, 0.0),
        ("pow", &[0.0, 0.0], 0, 0.0),
        ("pow", &[0.0, 2.0], 1, 0.0),
        ("pow", &[-2.0, 3.0], 0, 12.0),
        ("pow", &[0.0, 1.0], 0, 1.0),
    ] {
        assert_eq!(gradient(op, at, index), want, "{op} {at:?} towards {index}");
    }
}

#[test]
fn cast_changes_the_dtype_only() {
    let ty = typed(super::Cast { dtype: U8 }, &[(I64, &[2, 3])]).unwrap();
    assert_eq!((ty.dtype, &*ty.shape), (U8, &[2usize, 3][..]));
}

#[test]
fn clamp_takes_either_bound() {
    let bounds = |given: u32| super::Clamp { given: Given(given) };
    let floats = [(F32, &[2usize, 3][..]), (F32, &[]), (F64, &[3])];
    assert_eq!(typed(bounds(0b111), &floats).unwrap().dtype, F64);
    assert_eq!(typed(bounds(0b101), &floats[..2]).unwrap().dtype, F32);
    let error = typed(bounds(0b101), &[(F32, &[2]), (F32, &[3])]).unwrap_err();
    assert_eq!((error.fields().op.as_deref(), error.fields().argument.as_deref()), (Some("clamp"), Some("max")));
    assert_eq!(typed(bounds(1), &floats[..1]).unwrap_err().kind(), ErrorKind::Argument);
}

#[test]
fn names_and_documentation_read_well() {
    let op = named("where");
    assert_eq!(op.name(), "where");
    let silu = all().iter().find(|op| op.def.name == "silu").unwrap();
    assert_eq!(silu.def.doc, "Sigmoid linear unit (swish): `x / (1.0 + exp(-x))`.");
}
