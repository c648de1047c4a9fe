//! Symbolic differentiation of scalar programs: the chain rule over primitives.

use super::expr::{Expr, build};
use super::prim::Prim;
use super::program::Program;
use crate::dtype::DType;

/// 2 / sqrt(pi), the factor of erf's derivative.
const TWO_OVER_SQRT_PI: f64 = std::f64::consts::FRAC_2_SQRT_PI;

/// The program `g · ∂output/∂input` with inputs `(inputs of program…, g)`, for a single-output float program.
///
/// `None` where the derivative is zero everywhere that it exists: the input isn't a float, or reaches the output only
/// through comparisons, rounding or casts to integers.
pub fn derivative(program: &Program, input: usize) -> Option<Program> {
    let output = program.outputs[0];
    if !program.inputs[input].is_float() || !program.output_dtype(0).is_float() {
        return None;
    }
    let mut inputs = program.inputs.clone();
    inputs.push(program.output_dtype(0));
    let mut reached = false;
    let result = build(&inputs, |x| {
        let g = x[program.inputs.len()].clone();
        // Forward values, then adjoints in reverse order.
        let mut values: Vec<Expr> = x[..program.inputs.len()].to_vec();
        for instr in &program.instrs {
            let value = forward(instr.prim, instr.dtype, &instr.args.map(|a| values[a as usize].clone()), &g);
            values.push(value);
        }
        let mut adjoints: Vec<Option<Expr>> = vec![None; values.len()];
        adjoints[output as usize] = Some(g.clone());
        let n = program.inputs.len();
        for (i, instr) in program.instrs.iter().enumerate().rev() {
            let Some(g) = adjoints[n + i].clone() else { continue };
            let args: Vec<Expr> =
                instr.args[..instr.prim.arity()].iter().map(|&a| values[a as usize].clone()).collect();
            for (k, part) in backward(instr.prim, &args, &values[n + i], &g) {
                let slot: &mut Option<Expr> = &mut adjoints[instr.args[k] as usize];
                *slot = Some(match slot.take() {
                    Some(sum) => sum + part,
                    None => part,
                });
            }
        }
        match adjoints[input].take() {
            Some(adjoint) => {
                reached = true;
                vec![adjoint]
            }
            None => vec![g],
        }
    });
    reached.then_some(result)
}

fn forward(prim: Prim, dtype: DType, args: &[Expr; 3], any: &Expr) -> Expr {
    match prim {
        Prim::Const(bits) => any.constant_of(f64::from_bits(bits), dtype),
        Prim::Index => any.positional(prim, dtype),
        Prim::Uniform | Prim::Normal => args[0].positional(prim, dtype),
        Prim::Cast => args[0].cast(dtype),
        Prim::Select => args[0].select(&args[1], &args[2]),
        _ if prim.arity() == 1 => args[0].unary(prim),
        _ => args[0].binary(prim, &args[1]),
    }
}

/// Contributions to the operands' adjoints: (operand, g · ∂y/∂operand).
fn backward(prim: Prim, x: &[Expr], y: &Expr, g: &Expr) -> Vec<(usize, Expr)> {
    use Prim::*;
    match prim {
        Const(_) | Index | Uniform | Normal | Sign | Floor | Ceil | Round | Trunc | Eq | Ne | Lt | Le | And | Or
        | Xor | Not | Shl | Shr => vec![],
        Cast => {
            if x[0].dtype().is_float() && y.dtype().is_float() {
                vec![(0, g.cast(x[0].dtype()))]
            } else {
                vec![]
            }
        }
        _ if !y.dtype().is_float() => vec![],
        Add => vec![(0, g.clone()), (1, g.clone())],
        Sub => vec![(0, g.clone()), (1, -g)],
        Mul => vec![(0, g * &x[1]), (1, g * &x[0])],
        Div => vec![(0, g / &x[1]), (1, -(g * y) / &x[1])],
        // x − floor(x / y) · y: 1 towards x, −floor(x / y) towards y.
        Rem => vec![(0, g.clone()), (1, -(g * (&x[0] / &x[1]).unary(Floor)))],
        Pow => {
            // Towards the base p · x^(p−1), taken as 0 where p = 0; towards the exponent y · ln x, 0 where y = 0.
            let zero = g.constant(0.0);
            let base = g * (&x[1] * x[0].binary(Pow, &(&x[1] - 1.0)));
            let exponent = g * (y * x[0].log());
            vec![(0, x[1].eq(&zero).select(&zero, &base)), (1, (y.eq(&zero) & x[1].ge(&zero)).select(&zero, &exponent))]
        }
        Atan2 => {
            let square = &x[0] * &x[0] + &x[1] * &x[1];
            vec![(0, g * (&x[1] / &square)), (1, -(g * (&x[0] / &square)))]
        }
        // Ties share the gradient, as in PyTorch.
        Max | Min => {
            let (zero, half) = (g.constant(0.0), g * 0.5);
            let tie = x[0].eq(&x[1]);
            let first = if prim == Max { x[1].lt(&x[0]) } else { x[0].lt(&x[1]) };
            let second = if prim == Max { x[0].lt(&x[1]) } else { x[1].lt(&x[0]) };
            vec![(0, tie.select(&half, &first.select(g, &zero))), (1, tie.select(&half, &second.select(g, &zero)))]
        }
        Neg => vec![(0, -g)],
        Abs => vec![(0, g * x[0].sign())],
        Sqrt => vec![(0, g * 0.5 / y)],
        Exp => vec![(0, g * y)],
        Expm1 => vec![(0, g * (y + 1.0))],
        Log => vec![(0, g / &x[0])],
        Log1p => vec![(0, g / (&x[0] + 1.0))],
        Sin => vec![(0, g * x[0].unary(Cos))],
        Cos => vec![(0, -(g * x[0].unary(Sin)))],
        Tanh => vec![(0, g * (1.0 - y * y))],
        Erf => vec![(0, g * (TWO_OVER_SQRT_PI * (-(&x[0] * &x[0])).exp()))],
        Erfc => vec![(0, -(g * (TWO_OVER_SQRT_PI * (-(&x[0] * &x[0])).exp())))],
        Select => {
            let zero = g.constant(0.0);
            vec![(1, x[0].select(g, &zero)), (2, x[0].select(&zero, g))]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reference evaluation in f64, enough for these tests.
    fn eval(p: &Program, inputs: &[f64]) -> f64 {
        let mut v = inputs.to_vec();
        for i in &p.instrs {
            let a = |k: usize| v[i.args[k] as usize];
            let truth = |b: bool| if b { 1.0 } else { 0.0 };
            v.push(match i.prim {
                Prim::Const(bits) => f64::from_bits(bits),
                Prim::Cast => a(0),
                Prim::Add => a(0) + a(1),
                Prim::Sub => a(0) - a(1),
                Prim::Mul => a(0) * a(1),
                Prim::Div => a(0) / a(1),
                Prim::Pow => a(0).powf(a(1)),
                Prim::Exp => a(0).exp(),
                Prim::Log => a(0).ln(),
                Prim::Tanh => a(0).tanh(),
                Prim::Neg => -a(0),
                Prim::Sqrt => a(0).sqrt(),
                Prim::Eq => truth(a(0) == a(1)),
                Prim::Lt => truth(a(0) < a(1)),
                Prim::Le => truth(a(0) <= a(1)),
                Prim::And => truth(a(0) * a(1) != 0.0),
                Prim::Max => a(0).max(a(1)),
                Prim::Select => {
                    if a(0) != 0.0 {
                        a(1)
                    } else {
                        a(2)
                    }
                }
                other => panic!("{other:?} is not in this reference"),
            });
        }
        v[p.outputs[0] as usize]
    }

    #[test]
    fn agrees_with_central_differences_to_second_order() {
        let p = build(&[DType::F64, DType::F64], |x| {
            let s = 1.0 / (1.0 + (-&x[0]).exp());
            vec![(s * x[1].tanh()).max(&(x[0].binary(Prim::Pow, &x[1]) / 9.0)) + (&x[0] * &x[1]).sqrt()]
        });
        let at = [1.3, 0.7];
        for i in 0..2 {
            let d = derivative(&p, i).unwrap();
            let h = 1e-6;
            let mut up = at;
            let mut down = at;
            up[i] += h;
            down[i] -= h;
            let numeric = (eval(&p, &up) - eval(&p, &down)) / (2.0 * h);
            let exact = eval(&d, &[at[0], at[1], 1.0]);
            assert!((numeric - exact).abs() < 1e-8, "{numeric} {exact}");
            let dd = derivative(&d, i).unwrap();
            let numeric = (eval(&d, &[up[0], up[1], 1.0]) - eval(&d, &[down[0], down[1], 1.0])) / (2.0 * h);
            let exact = eval(&dd, &[at[0], at[1], 1.0, 1.0]);
            assert!((numeric - exact).abs() < 1e-7, "{numeric} {exact}");
        }
    }

    #[test]
    fn comparisons_have_no_derivative() {
        let p = build(&[DType::F32, DType::F32], |x| vec![x[0].lt(&x[1]).cast(DType::F32)]);
        assert!(derivative(&p, 0).is_none());
    }
}
