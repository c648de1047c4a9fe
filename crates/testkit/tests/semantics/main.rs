//! The rules of the lazy graph, each with its tests, on the reference runtime, which checks every plan.

mod bands;
mod evaluation;
mod gradients;
mod kernels;
mod layouts;
mod lifetime;
mod plans;
mod recording;
mod refusals;

use fovea_core::graph::{Val, VariableId};
use fovea_core::{Error, Result};
use fovea_testkit::{Reference, Session};

/// More elements than are materialised because they are few.
const MANY: usize = 4096;

fn session() -> Session {
    Session::new(Reference::new())
}

fn numbers(n: usize) -> Vec<f64> {
    (0..n).map(|i| (i % 7) as f64 - 2.5).collect()
}

/// As an optimizer does: `variable −= rate · gradient`, the rate being data, then everything pending is computed.
fn descend(s: &mut Session, variable: VariableId, rate: f64) -> Result<()> {
    let gradient = s.grad_of_variable(variable)?.ok_or_else(|| Error::internal("no gradient"))?;
    s.scope(|s| {
        let value = s.current(variable)?;
        s.internal_depth += 1;
        let step = s.scale(gradient, -rate)?;
        let next = s.add(value, step)?;
        s.internal_depth -= 1;
        s.assign(variable, next)?;
        s.set_grad_of_variable(variable, None)?;
        s.run(&[])?;
        Ok(vec![])
    })?;
    Ok(())
}

/// The mean of `(x · w)²`, from ops.
fn loss_of(s: &mut Session, w: VariableId, x: Val) -> Result<Val> {
    let value = s.current(w)?;
    let y = s.mul(value, x)?;
    let squared = s.mul(y, y)?;
    s.sum(squared)
}
