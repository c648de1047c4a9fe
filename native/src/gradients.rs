//! Gradients and custom functions.

use crate::environment::{Call, Environment};
use fovea_core::graph::{Progress, Request, Val};
use fovea_core::{Error, Result};
use napi_sys::napi_value;

pub const FUNCTIONS: &[(&str, Call)] = &[
    ("setGradEnabled", set_grad_enabled),
    ("requiresGrad", requires_grad),
    ("retainGrad", retain_grad),
    ("backward", backward),
    ("gradients", gradients),
    ("resume", resume),
    ("abortBackward", abort_backward),
    ("gradOf", grad_of),
    ("setGrad", set_grad),
    ("custom", custom),
    ("takeFreedCustoms", take_freed_customs),
];

fn set_grad_enabled(e: &mut Environment, a: &[napi_value]) -> Result<napi_value> {
    let on = e.js.to_bool(a[0], "on")?;
    let was = std::mem::replace(&mut e.graph.grad_enabled, on);
    e.js.bool(was)
}

fn requires_grad(e: &mut Environment, a: &[napi_value]) -> Result<napi_value> {
    let val = e.handles.get(e.js.to_u32(a[0], "handle")?)?;
    let on = e.js.to_bool(a[1], "on")?;
    e.graph.set_requires_grad(val, on)?;
    e.js.undefined()
}

fn retain_grad(e: &mut Environment, a: &[napi_value]) -> Result<napi_value> {
    let val = e.handles.get(e.js.to_u32(a[0], "handle")?)?;
    e.graph.retain_grad(val);
    e.js.undefined()
}

/// Handles, 0 for none.
fn optional(e: &Environment, list: napi_value, name: &str) -> Result<Vec<Option<Val>>> {
    e.js.to_u32s(list, name)?.into_iter().map(|h| if h == 0 { Ok(None) } else { e.handles.get(h).map(Some) }).collect()
}

/// Flattened (kind, value) pairs.
fn pairs(e: &Environment, list: napi_value, name: &str) -> Result<Vec<Val>> {
    e.js.to_u32s(list, name)?.chunks_exact(2).map(|p| e.resolve(p[0], p[1])).collect()
}

fn handles(e: &Environment, list: napi_value, name: &str) -> Result<Vec<Val>> {
    e.js.to_u32s(list, name)?.into_iter().map(|h| e.handles.get(h)).collect()
}

fn backward(e: &mut Environment, a: &[napi_value]) -> Result<napi_value> {
    e.raise_failure()?;
    let roots = handles(e, a[0], "roots")?;
    let cotangents = optional(e, a[1], "gradients")?;
    let create_graph = e.js.to_bool(a[2], "createGraph")?;
    let pass = e.graph.differentiate(&roots, &cotangents, Request::Accumulate, create_graph);
    let progress = pass.map_err(|e| e.in_op("backward"))?;
    report(e, progress)
}

fn gradients(e: &mut Environment, a: &[napi_value]) -> Result<napi_value> {
    e.raise_failure()?;
    let outputs = handles(e, a[0], "outputs")?;
    let inputs = pairs(e, a[1], "inputs")?;
    let cotangents = optional(e, a[2], "gradOutputs")?;
    let create_graph = e.js.to_bool(a[3], "createGraph")?;
    let pass = e.graph.differentiate(&outputs, &cotangents, Request::Inputs(inputs), create_graph);
    let progress = pass.map_err(|e| e.in_op("grad"))?;
    report(e, progress)
}

fn resume(e: &mut Environment, a: &[napi_value]) -> Result<napi_value> {
    let cotangents = optional(e, a[0], "handles")?;
    let progress = e.graph.resume(&cotangents)?;
    report(e, progress)
}

/// The custom function threw: the pass in progress ends.
fn abort_backward(e: &mut Environment, _: &[napi_value]) -> Result<napi_value> {
    e.graph.abort_pass();
    e.js.undefined()
}

/// Writes what a pass came to into scratch; 1 when a custom function must run.
fn report(e: &mut Environment, progress: Progress) -> Result<napi_value> {
    let (code, head, vals, held) = match progress {
        Progress::Done(grads) => (0, vec![grads.len() as f64], grads, true),
        Progress::Custom { id, cotangents, inputs } => {
            (1, vec![id as f64, inputs as f64, cotangents.len() as f64], cotangents, false)
        }
    };
    if head.len() + vals.len() > crate::environment::SCRATCH {
        return Err(Error::argument(format!("gradients of {} values at once are too many", vals.len())).at("inputs"));
    }
    e.scratch()[..head.len()].copy_from_slice(&head);
    for (i, val) in vals.into_iter().enumerate() {
        let handle = match val {
            Some(val) => {
                let handle = e.handles.make(&mut e.graph, val)?;
                if held {
                    // The pass kept results alive until they had a handle.
                    e.graph.release(val);
                }
                f64::from(handle)
            }
            None => 0.0,
        };
        e.scratch()[head.len() + i] = handle;
    }
    e.js.int(code)
}

fn grad_of(e: &mut Environment, a: &[napi_value]) -> Result<napi_value> {
    let (kind, value) = (e.js.to_u32(a[0], "kind")?, e.js.to_u32(a[1], "value")?);
    let grad = match kind {
        3 => e.graph.grad_of_variable(value)?,
        _ => {
            let val = e.handles.get(value)?;
            e.graph.grad_of(val)?
        }
    };
    let handle = match grad {
        Some(val) => e.handles.make(&mut e.graph, val)?,
        None => 0,
    };
    e.js.number(f64::from(handle))
}

fn set_grad(e: &mut Environment, a: &[napi_value]) -> Result<napi_value> {
    let (kind, value) = (e.js.to_u32(a[0], "kind")?, e.js.to_u32(a[1], "value")?);
    let handle = e.js.to_u32(a[2], "handle")?;
    let grad = if handle == 0 { None } else { Some(e.handles.get(handle)?) };
    match kind {
        3 => e.graph.set_grad_of_variable(value, grad)?,
        _ => {
            let val = e.handles.get(value)?;
            e.graph.set_grad_of(val, grad)?;
        }
    }
    e.js.undefined()
}

fn custom(e: &mut Environment, a: &[napi_value]) -> Result<napi_value> {
    let inputs = pairs(e, a[0], "inputs")?;
    let outputs = handles(e, a[1], "outputs")?;
    let id = e.js.to_u64(a[2], "id")?;
    let targets = e.js.to_list(a[3], "targets")?;
    if targets.len() != outputs.len() || outputs.is_empty() {
        return Err(Error::argument("targets must be as many as outputs, and at least one").at("targets"));
    }
    outputs.iter().chain(&inputs).try_for_each(|&val| e.graph.check_readable(val))?;
    let vals = e.graph.custom(&outputs, &inputs, id);
    let mut at = 0;
    for (&val, &target) in vals.iter().zip(&targets) {
        let handle = e.own(val, target)?;
        at = e.describe(handle, val, at);
    }
    e.housekeeping()?;
    e.js.undefined()
}

fn take_freed_customs(e: &mut Environment, _: &[napi_value]) -> Result<napi_value> {
    let freed = e.graph.take_freed_customs();
    e.js.numbers(freed.into_iter().map(|id| id as f64))
}
