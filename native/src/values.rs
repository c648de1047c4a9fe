//! Values: leaves, variables, evaluation and reading.

use crate::engine::engine;
use crate::environment::{Call, Environment, device_from};
use crate::js::Bytes;
use fovea_core::graph::{Cell, Val};
use fovea_core::{DType, Error, Result, Shape, TensorType};
use napi_sys::napi_value;
use std::sync::Arc;

pub const FUNCTIONS: &[(&str, Call)] = &[
    ("leaf", leaf),
    ("adopt", adopt),
    ("alias", alias),
    ("toDevice", to_device),
    ("describe", describe),
    ("describeVariable", describe_variable),
    ("variable", variable),
    ("ownVariable", own_variable),
    ("assign", assign),
    ("freeVariable", free_variable),
    ("setVariable", set_variable),
    ("evaluate", evaluate),
    ("evaluateSync", evaluate_sync),
    ("step", step),
    ("stepDone", step_done),
    ("copyOut", copy_out),
    ("isReady", is_ready),
    ("sweep", sweep),
    ("drain", drain),
];

/// Unawaited steps that may be in flight; one more blocks (S19).
const STEPS_IN_FLIGHT: u64 = 2;

/// Node-API's code of the typed array that holds each dtype.
fn array_kind(dtype: DType) -> (i32, &'static str) {
    match dtype {
        DType::F32 => (7, "Float32Array"),
        DType::F64 => (8, "Float64Array"),
        DType::I32 => (5, "Int32Array"),
        DType::I64 => (9, "BigInt64Array"),
        DType::U8 | DType::Bool => (1, "Uint8Array"),
    }
}

fn dtype_from(code: u32) -> Result<DType> {
    DType::from_code(code).ok_or_else(|| Error::dtype(format!("{code} is no dtype code")).at("dtype"))
}

fn check_array(array: &Bytes, dtype: DType, size: usize, name: &str) -> Result<()> {
    let (kind, class) = array_kind(dtype);
    let clamped = dtype.size() == 1 && array.kind == 2;
    if array.kind != kind && !clamped {
        return Err(Error::argument(format!("{name} must be a {class} for dtype {dtype}")).at(name).expected(class));
    }
    if array.length != size {
        return Err(Error::shape(format!("{name} holds {} elements where {size} are needed", array.length))
            .at(name)
            .expected(format!("{size} elements"))
            .received(format!("{} elements", array.length)));
    }
    Ok(())
}

fn leaf(e: &mut Environment, a: &[napi_value]) -> Result<napi_value> {
    e.raise_failure()?;
    let array = e.js.to_bytes(a[0], "data")?;
    let dtype = dtype_from(e.js.to_u32(a[1], "dtype")?)?;
    let dims: Vec<usize> =
        e.js.to_list(a[2], "shape")?
            .into_iter()
            .map(|v| e.js.to_u64(v, "shape").map(|d| d as usize))
            .collect::<Result<_>>()?;
    let shape = Shape::checked(&dims).map_err(|error| error.at("shape"))?;
    let device = device_from(e.js.to_u32(a[3], "device")?);
    let requires_grad = e.js.to_bool(a[4], "requiresGrad")?;
    check_array(&array, dtype, shape.size(), "data")?;
    let bytes = if array.bytes == 0 {
        &[]
    } else {
        // SAFETY: the array's memory is live and unchanged during this call.
        unsafe { std::slice::from_raw_parts(array.data, array.bytes) }
    };
    if dtype == DType::Bool && bytes.iter().any(|&b| b > 1) {
        return Err(Error::argument("data for dtype bool must hold 0 and 1 only").at("data").expected("0 or 1"));
    }
    let buffer = e.graph.runtime(device)?.upload(bytes, dtype)?;
    let ty = TensorType { dtype, shape };
    let cell = Cell::ready(buffer, ty.bytes(), e.graph.account());
    let val = e.graph.leaf(ty, cell, device, requires_grad)?;
    finish(e, val, a[5])
}

/// Gives `val` to `target` and describes it at 0.
fn finish(e: &mut Environment, val: Val, target: napi_value) -> Result<napi_value> {
    let handle = e.own(val, target)?;
    e.describe(handle, val, 0);
    e.housekeeping()?;
    e.js.undefined()
}

fn adopt(e: &mut Environment, a: &[napi_value]) -> Result<napi_value> {
    let handle = e.js.to_u32(a[0], "handle")?;
    let weak = e.js.weak(a[1])?;
    e.handles.own(e.js, handle, weak)?;
    e.js.undefined()
}

fn alias(e: &mut Environment, a: &[napi_value]) -> Result<napi_value> {
    let id = e.js.to_u32(a[0], "handle")?;
    let val = match e.js.to_u32(a[1], "kind")? {
        0 => {
            let source = e.handles.get(id)?;
            e.graph.check_readable(source)?;
            e.graph.alias(source, true)
        }
        _ => {
            let source = e.graph.current(id)?;
            e.graph.alias(source, false)
        }
    };
    finish(e, val, a[2])
}

fn to_device(e: &mut Environment, a: &[napi_value]) -> Result<napi_value> {
    let source = e.handles.get(e.js.to_u32(a[0], "handle")?)?;
    let val = e.graph.to_device(source, device_from(e.js.to_u32(a[1], "device")?))?;
    finish(e, val, a[2])
}

fn describe(e: &mut Environment, a: &[napi_value]) -> Result<napi_value> {
    let handle = e.js.to_u32(a[0], "handle")?;
    let val = e.handles.get(handle)?;
    e.describe(handle, val, 0);
    e.js.undefined()
}

fn describe_variable(e: &mut Environment, a: &[napi_value]) -> Result<napi_value> {
    let id = e.js.to_u32(a[0], "variable")?;
    let val = e.graph.current(id)?;
    e.describe(id, val, 0);
    e.js.undefined()
}

fn variable(e: &mut Environment, a: &[napi_value]) -> Result<napi_value> {
    let initial = e.handles.get(e.js.to_u32(a[0], "handle")?)?;
    let name = e.js.to_string(a[1], "name")?;
    let requires_grad = e.js.to_bool(a[2], "requiresGrad")?;
    let id = e.graph.variable(initial, &name, requires_grad)?;
    e.js.number(f64::from(id))
}

fn own_variable(e: &mut Environment, a: &[napi_value]) -> Result<napi_value> {
    let id = e.js.to_u32(a[0], "variable")?;
    e.graph.current(id)?;
    let weak = e.js.weak(a[1])?;
    e.owners.push((id, weak));
    e.js.undefined()
}

fn assign(e: &mut Environment, a: &[napi_value]) -> Result<napi_value> {
    e.raise_failure()?;
    let id = e.js.to_u32(a[0], "variable")?;
    let value = e.handles.get(e.js.to_u32(a[1], "handle")?)?;
    e.graph.assign(id, value)?;
    e.js.undefined()
}

fn free_variable(e: &mut Environment, a: &[napi_value]) -> Result<napi_value> {
    let id = e.js.to_u32(a[0], "variable")?;
    if let Some(i) = e.owners.iter().position(|(v, _)| *v == id) {
        let (_, owner) = e.owners.swap_remove(i);
        e.js.forget_weak(owner);
    }
    e.graph.free_variable(id);
    e.js.undefined()
}

fn set_variable(e: &mut Environment, a: &[napi_value]) -> Result<napi_value> {
    let id = e.js.to_u32(a[0], "variable")?;
    let name = e.js.to_string(a[1], "name")?;
    let requires_grad = e.js.to_bool(a[2], "requiresGrad")?;
    e.graph.set_variable(id, &name, requires_grad)?;
    e.js.undefined()
}

/// The values behind handles, and the jobs that make them exist.
fn prepare(e: &mut Environment, list: napi_value) -> Result<(Vec<Arc<Cell>>, Vec<fovea_core::graph::Job>)> {
    let vals: Vec<Val> = e.js.to_u32s(list, "handles")?.into_iter().map(|h| e.handles.get(h)).collect::<Result<_>>()?;
    e.turn();
    let jobs = e.graph.evaluate(&vals)?;
    let cells = vals
        .iter()
        .map(|&v| {
            e.graph
                .materialized(v)
                .map(|value| value.cell)
                .ok_or_else(|| Error::internal("a value was not materialised"))
        })
        .collect::<Result<_>>()?;
    e.report();
    Ok((cells, jobs))
}

/// The first failure among cells whose jobs have run.
fn outcome(cells: &[Arc<Cell>]) -> Result<()> {
    cells.iter().try_for_each(|cell| cell.buffer().map(|_| ()))
}

fn evaluate(e: &mut Environment, a: &[napi_value]) -> Result<napi_value> {
    e.raise_failure()?;
    let (cells, jobs) = prepare(e, a[0])?;
    let done = jobs.is_empty() && cells.iter().all(|c| c.is_ready());
    let left = if done { Ok(Ok(())) } else { engine().run_quick(jobs) };
    let steps = e.steps.clone();
    let conclude = move |result: Result<()>| {
        let outcome = outcome(&cells).and(result);
        if let Err(error) = &outcome {
            steps.heard(error);
        }
        // Whoever waits may dispose of the values at once: nothing here holds them then.
        drop(cells);
        outcome
    };
    let promise = match left {
        Ok(result) => e.promises.settled(e.js, conclude(result))?,
        Err(jobs) => {
            let (promise, settle) = e.promises.make(e.js)?;
            engine().submit(jobs, Box::new(move |result| settle(conclude(result))));
            promise
        }
    };
    e.housekeeping()?;
    Ok(promise)
}

fn evaluate_sync(e: &mut Environment, a: &[napi_value]) -> Result<napi_value> {
    e.raise_failure()?;
    let (cells, jobs) = prepare(e, a[0])?;
    if !jobs.is_empty() || !cells.iter().all(|c| c.is_ready()) {
        engine().run_now(jobs).inspect_err(|error| e.steps.heard(error))?;
    }
    outcome(&cells).inspect_err(|error| e.steps.heard(error))?;
    e.housekeeping()?;
    e.js.undefined()
}

fn step(e: &mut Environment, _: &[napi_value]) -> Result<napi_value> {
    e.raise_failure()?;
    let steps = e.steps.clone();
    engine().wait_until(|| steps.in_flight() < STEPS_IN_FLIGHT);
    e.turn();
    let jobs = e.graph.evaluate(&[])?;
    let number = steps.begin();
    match engine().run_quick(jobs) {
        Ok(result) => steps.finish(number, result),
        Err(jobs) => engine().submit(jobs, Box::new(move |result| steps.finish(number, result))),
    }
    e.housekeeping()?;
    e.js.number(number as f64)
}

fn step_done(e: &mut Environment, a: &[napi_value]) -> Result<napi_value> {
    let number = e.js.to_u64(a[0], "step")?;
    if let Some(result) = e.steps.outcome(number) {
        return e.promises.settled(e.js, result);
    }
    let (promise, settle) = e.promises.make(e.js)?;
    e.steps.wait(number, Box::new(settle));
    Ok(promise)
}

fn copy_out(e: &mut Environment, a: &[napi_value]) -> Result<napi_value> {
    e.raise_failure()?;
    let val = e.handles.get(e.js.to_u32(a[0], "handle")?)?;
    let ty = e.graph.ty(val);
    let array = e.js.to_bytes(a[1], "target")?;
    check_array(&array, ty.dtype, ty.shape.size(), "target")?;
    let value = e.graph.materialized(val).ok_or_else(|| Error::internal("a value was read before it was evaluated"))?;
    if array.bytes > 0 {
        // SAFETY: the array's memory is live and nobody else touches it during this call.
        let target = unsafe { std::slice::from_raw_parts_mut(array.data, array.bytes) };
        let runtime = e.graph.runtime(e.graph.device_of(val))?;
        runtime.read(&value.cell.buffer()?, ty.dtype, &value.layout, target)?;
    }
    e.js.undefined()
}

fn is_ready(e: &mut Environment, a: &[napi_value]) -> Result<napi_value> {
    let val = e.handles.get(e.js.to_u32(a[0], "handle")?)?;
    let ready = e.graph.materialized(val).is_some_and(|v| v.cell.is_ready());
    e.js.bool(ready)
}

fn sweep(e: &mut Environment, _: &[napi_value]) -> Result<napi_value> {
    e.sweep();
    e.js.undefined()
}

fn drain(e: &mut Environment, _: &[napi_value]) -> Result<napi_value> {
    engine().drain();
    e.raise_failure()?;
    e.js.undefined()
}
