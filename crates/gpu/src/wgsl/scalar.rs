//! Scalar programs as WGSL statements: one `let` for each instruction.

use super::{Number, Source, loaded, value_type};
use fovea_core::DType;
use fovea_core::scalar::{Instr, Prim, Program, ValueId};

/// Where a program input comes from.
#[derive(Clone, Debug)]
pub(crate) enum Input {
    /// An expression of the stored word.
    Word(String),
    /// A number of the run's data.
    Number(usize),
    /// A Philox key of the run's data.
    Key(usize),
}

/// Whether this program can run on the device at all.
pub(crate) fn is_native(program: &Program) -> bool {
    program.inputs.iter().chain(program.instrs.iter().map(|i| &i.dtype)).all(|d| *d != DType::F64)
}

/// Which values the outputs in `wanted` depend on.
pub(crate) fn live(program: &Program, wanted: &[usize]) -> Vec<bool> {
    let n = program.inputs.len();
    let mut live = vec![false; n + program.instrs.len()];
    for &w in wanted {
        live[program.outputs[w] as usize] = true;
    }
    for (i, instr) in program.instrs.iter().enumerate().rev() {
        if live[n + i] {
            for &a in &instr.args[..instr.prim.arity()] {
                live[a as usize] = true;
            }
        }
    }
    live
}

/// Writes the statements that compute the outputs in `wanted` and returns an expression for each.
///
/// `inputs` is read only where the input is live. `position` is the element's number in the iteration space.
pub(crate) fn emit(
    source: &mut Source,
    program: &Program,
    inputs: &dyn Fn(usize) -> Input,
    position: &str,
    wanted: &[usize],
) -> Vec<String> {
    let live = live(program, wanted);
    let n = program.inputs.len();
    let mut names: Vec<String> = vec![String::new(); live.len()];
    for i in (0..n).filter(|&i| live[i]) {
        let dtype = program.inputs[i];
        names[i] = match inputs(i) {
            Input::Word(word) => source.bound("v", loaded(&word, dtype)),
            Input::Key(datum) => source.number(Number::Key(datum)),
            Input::Number(datum) => {
                let word = format!("{}.x", source.number(Number::Scalar(datum, dtype)));
                source.bound("v", number(&word, dtype))
            }
        };
    }
    for (i, instr) in program.instrs.iter().enumerate().filter(|(i, _)| live[n + i]) {
        let text = instruction(source, program, instr, &names, position);
        // Constants too get a `let`: an expression of literals alone would be evaluated, and refused on overflow, when
        // the kernel is compiled.
        names[n + i] = source.bound("v", text);
    }
    wanted.iter().map(|&w| names[program.outputs[w] as usize].clone()).collect()
}

/// A value of `dtype` from the word that passes it.
fn number(word: &str, dtype: DType) -> String {
    match value_type(dtype) {
        "f32" => format!("bitcast<f32>({word})"),
        "i32" => format!("bitcast<i32>({word})"),
        _ => loaded(word, dtype),
    }
}

/// A literal. Integers beyond 32 bits saturate.
fn literal(source: &mut Source, value: f64, dtype: DType) -> String {
    match dtype {
        DType::F32 | DType::F64 => {
            let v = value as f32;
            if v.is_normal() || v == 0.0 {
                format!("{v:e}f")
            } else {
                format!("{}(0x{:08x}u)", source.call("from_bits"), v.to_bits())
            }
        }
        DType::I32 | DType::I64 => match value as i32 {
            i32::MIN => "bitcast<i32>(0x80000000u)".into(),
            v => format!("{v}i"),
        },
        DType::U8 => format!("{}u", value as u8),
        DType::Bool => (value != 0.0).to_string(),
    }
}

fn cast(source: &mut Source, x: &str, from: DType, to: DType) -> String {
    match (value_type(from), value_type(to), to) {
        (a, b, _) if a == b => x.to_owned(),
        ("f32", "bool", _) => format!("{}({x})", source.call("nonzero")),
        ("f32", "i32", _) => format!("{}({x})", source.call("to_i32")),
        ("f32", "u32", _) => format!("{}({x})", source.call("to_u8")),
        ("i32", "u32", _) => format!("(bitcast<u32>({x}) & 255u)"),
        (_, target, _) => format!("{target}({x})"),
    }
}

/// Wraps u8 arithmetic, which is done in u32.
fn wrap(text: String, dtype: DType) -> String {
    if dtype == DType::U8 { format!("({text}) & 255u") } else { text }
}

fn instruction(source: &mut Source, program: &Program, instr: &Instr, names: &[String], position: &str) -> String {
    let arg = |i: usize| names[instr.args[i] as usize].as_str();
    let dtype_of = |i: usize| program.dtype_of(instr.args[i] as ValueId);
    let infix = |op: &str| format!("{} {op} {}", arg(0), arg(1));
    let call = |name: &str| {
        let args: Vec<&str> = (0..instr.prim.arity()).map(arg).collect();
        format!("{name}({})", args.join(", "))
    };
    let float = instr.dtype.is_float();
    match instr.prim {
        Prim::Const(bits) => literal(source, f64::from_bits(bits), instr.dtype),
        Prim::Cast => cast(source, arg(0), dtype_of(0), instr.dtype),
        Prim::Index => index(position, instr.dtype),
        Prim::Uniform => format!("{}({}, {position})", source.call("uniform_f32"), arg(0)),
        Prim::Normal => format!("{}({}, {position})", source.call("normal_f32"), arg(0)),
        Prim::Add => wrap(infix("+"), instr.dtype),
        Prim::Sub => wrap(infix("-"), instr.dtype),
        Prim::Mul => wrap(infix("*"), instr.dtype),
        Prim::Div if float => infix("/"),
        Prim::Div if instr.dtype == DType::U8 => call(source.call("div_u32")),
        Prim::Div => call(source.call("div_i32")),
        Prim::Rem if float => call(source.call("rem_f32")),
        Prim::Rem if instr.dtype == DType::U8 => call(source.call("rem_u32")),
        Prim::Rem => call(source.call("rem_i32")),
        Prim::Pow if float => call(source.call("pow_")),
        Prim::Pow if instr.dtype == DType::U8 => wrap(call(source.call("pow_u32")), DType::U8),
        Prim::Pow => call(source.call("pow_i32")),
        Prim::Atan2 => call(source.call("atan2_")),
        Prim::Max if instr.dtype == DType::Bool => infix("||"),
        Prim::Min if instr.dtype == DType::Bool => infix("&&"),
        Prim::Max => call(if float { source.call("max_") } else { "max" }),
        Prim::Min => call(if float { source.call("min_") } else { "min" }),
        Prim::Neg if instr.dtype == DType::U8 => format!("(0u - {}) & 255u", arg(0)),
        Prim::Neg => format!("-{}", arg(0)),
        Prim::Abs | Prim::Sign if instr.dtype == DType::Bool => arg(0).to_owned(),
        Prim::Abs => call("abs"),
        Prim::Sign if float => call(source.call("sign_")),
        Prim::Sign if instr.dtype == DType::U8 => format!("min({}, 1u)", arg(0)),
        Prim::Sign => call("sign"),
        Prim::Floor => call("floor"),
        Prim::Ceil => call("ceil"),
        Prim::Round => call("round"),
        Prim::Trunc => call("trunc"),
        Prim::Sqrt => call("sqrt"),
        Prim::Exp => call(source.call("exp_")),
        Prim::Expm1 => call(source.call("expm1_")),
        Prim::Log => call(source.call("log_")),
        Prim::Log1p => call(source.call("log1p_")),
        Prim::Sin => call(source.call("sin_")),
        Prim::Cos => call(source.call("cos_")),
        Prim::Tanh => call(source.call("tanh_")),
        Prim::Erf => call(source.call("erf_")),
        Prim::Erfc => call(source.call("erfc_")),
        Prim::Eq | Prim::Ne if dtype_of(0).is_float() && instr.args[0] == instr.args[1] => {
            let not = if instr.prim == Prim::Eq { "!" } else { "" };
            format!("{not}{}({})", source.call("is_nan"), arg(0))
        }
        Prim::Eq => infix("=="),
        // Through `==`, so that a NaN differs from everything.
        Prim::Ne => format!("!({} == {})", arg(0), arg(1)),
        Prim::Lt if dtype_of(0) == DType::Bool => format!("!{} && {}", arg(0), arg(1)),
        Prim::Le if dtype_of(0) == DType::Bool => format!("!{} || {}", arg(0), arg(1)),
        Prim::Lt => infix("<"),
        Prim::Le => infix("<="),
        Prim::And if instr.dtype == DType::Bool => infix("&&"),
        Prim::Or if instr.dtype == DType::Bool => infix("||"),
        Prim::Xor if instr.dtype == DType::Bool => infix("!="),
        Prim::And => infix("&"),
        Prim::Or => infix("|"),
        Prim::Xor => infix("^"),
        Prim::Shl if instr.dtype == DType::U8 => call(source.call("shl_u8")),
        Prim::Shl => call(source.call("shl_i32")),
        Prim::Shr if instr.dtype == DType::U8 => call(source.call("shr_u8")),
        Prim::Shr => call(source.call("shr_i32")),
        Prim::Not => format!("!{}", arg(0)),
        Prim::Select => format!("select({}, {}, {})", arg(2), arg(1), arg(0)),
    }
}

/// The element's position as a value.
fn index(position: &str, dtype: DType) -> String {
    match dtype {
        DType::F32 | DType::F64 => format!("f32({position})"),
        DType::I32 | DType::I64 => format!("i32({position})"),
        DType::U8 => format!("({position}) & 255u"),
        DType::Bool => format!("({position}) != 0u"),
    }
}
