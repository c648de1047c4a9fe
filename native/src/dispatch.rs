//! The hot path: one call records one op.

use crate::environment::{Environment, op_table};
use fovea_core::attributes::AttrReader;
use fovea_core::device::Device;
use fovea_core::graph::Val;
use fovea_core::op::OpDef;
use fovea_core::{DType, Error, Result};
use napi_sys as sys;
use smallvec::SmallVec;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::null_mut;
use sys::{napi_callback_info, napi_env, napi_value};

/// Kinds of input in the scratch array.
mod kind {
    pub const HANDLE: u32 = 0;
    pub const NUMBER: u32 = 1;
    pub const ABSENT: u32 = 2;
    pub const VARIABLE: u32 = 3;
    pub const KEY: u32 = 4;
    pub const DISTINCT_NUMBER: u32 = 5;
}

/// `dispatch(op, target)`; see `docs/native-boundary.md`.
pub unsafe extern "C" fn entry(env: napi_env, info: napi_callback_info) -> napi_value {
    let mut count = 2;
    let mut arguments = [null_mut(); 2];
    let mut data = null_mut();
    // SAFETY: Node calls this with a live environment; all places are valid.
    unsafe {
        sys::napi_get_cb_info(env, info, &mut count, arguments.as_mut_ptr(), null_mut(), &mut data);
    }
    // SAFETY: `data` is the environment's box; JavaScript is single-threaded and isn't called from here.
    let environment = unsafe { &mut *data.cast::<Environment>() };
    let outcome = catch_unwind(AssertUnwindSafe(|| dispatch(environment, arguments[0], arguments[1])));
    let code = match outcome {
        Ok(Ok(outputs)) => outputs,
        Ok(Err(error)) => {
            environment.error = Some(error);
            -1
        }
        Err(_) => {
            environment.error = Some(Error::internal("recording an op panicked; this is a bug in Fovea"));
            -1
        }
    };
    environment.js.int(code).unwrap_or(null_mut())
}

fn dispatch(environment: &mut Environment, op: napi_value, target: napi_value) -> Result<i32> {
    environment.raise_failure()?;
    let number = environment.js.to_u32(op, "op")? as usize;
    let table = op_table();
    let def = table.defs.get(number).ok_or_else(|| Error::internal(format!("there is no op number {number}")))?;
    let call = read_inputs(environment, def)?;
    let op = match &table.ready[number] {
        Some(op) => op.clone(),
        None => {
            let scratch = environment.scratch();
            let count = scratch[call.attributes] as usize;
            let numbers = scratch
                .get(call.attributes + 1..call.attributes + 1 + count)
                .ok_or_else(|| Error::internal("a call has more attributes than scratch holds"))?;
            let mut reader = AttrReader::new(numbers, call.given);
            let op = (def.parse)(&mut reader).map_err(|e| e.in_op(def.name))?;
            reader.finish().map_err(|e| e.in_op(def.name))?;
            op
        }
    };
    let inputs = with_numbers(environment, call, op.number_dtype());
    let outputs = environment.graph.record(&op, &inputs)?;
    if environment.graph.random_taken() {
        let drawn = environment.graph.ty(outputs[0]).shape.size();
        environment.graph.advance_random(drawn);
    }
    let mut at = 0;
    for (i, &val) in outputs.iter().enumerate() {
        let handle = if i == 0 {
            environment.own(val, target)?
        } else {
            environment.handles.make(&mut environment.graph, val)?
        };
        at = environment.describe(handle, val, at);
    }
    environment.housekeeping()?;
    Ok(outputs.len() as i32)
}

/// The inputs of a call, with places for its numbers.
struct Inputs {
    list: SmallVec<[Val; 4]>,
    /// Mask of the declared inputs that are given.
    given: u32,
    /// The common dtype of the tensors among them.
    common: Option<DType>,
    /// How many inputs the call declares, and whether any is a number.
    declared: usize,
    numbers: bool,
    /// Where the attributes start in scratch.
    attributes: usize,
}

fn read_inputs(environment: &mut Environment, def: &OpDef) -> Result<Inputs> {
    let op = def.name;
    let declared = environment.scratch()[0] as usize;
    if 2 * declared + 2 > crate::environment::SCRATCH {
        return Err(Error::argument(format!("{op} takes at most {} inputs", crate::environment::SCRATCH / 2 - 1))
            .in_op(op)
            .received(declared.to_string()));
    }
    let mut inputs = Inputs {
        list: SmallVec::with_capacity(declared),
        given: 0,
        common: None,
        declared,
        numbers: false,
        attributes: 1 + 2 * declared,
    };
    let mut device: Option<(usize, Device)> = None;
    for i in 0..declared {
        let (kind, value) = (environment.scratch()[1 + 2 * i] as u32, environment.scratch()[2 + 2 * i]);
        match kind {
            kind::HANDLE | kind::VARIABLE => {
                let val = environment.resolve(kind, value as u32).map_err(|e| e.in_op(op))?;
                let own = environment.graph.device_of(val);
                match device {
                    Some(other) if other.1 != own => return Err(mixed(def, other, (i, own))),
                    _ => device = Some((i, own)),
                }
                let dtype = environment.graph.ty(val).dtype;
                inputs.common = Some(inputs.common.map_or(dtype, |c| c.promote(dtype)));
                inputs.list.push(val);
            }
            kind::NUMBER | kind::DISTINCT_NUMBER => {
                // A place for now: the number's dtype depends on the tensors after it.
                inputs.list.push(Val { node: u32::MAX, out: 0 });
                inputs.numbers = true;
            }
            kind::KEY => inputs.list.push(environment.graph.take_random_key()),
            kind::ABSENT => continue,
            _ => return Err(Error::internal(format!("input {i} of {op} has kind {kind}"))),
        }
        inputs.given |= 1 << i.min(31);
    }
    Ok(inputs)
}

/// The error of inputs on two devices (S3); the graph would refuse them too, but knows no names.
fn mixed(def: &OpDef, (i, first): (usize, Device), (j, second): (usize, Device)) -> Error {
    let name = |i: usize| match (def.inputs.get(i), def.inputs.last()) {
        (_, Some(last)) if last.variadic && i + 1 >= def.inputs.len() => {
            format!("{}[{}]", last.name, i + 1 - def.inputs.len())
        }
        (Some(input), _) => input.name.to_owned(),
        _ => format!("input {i}"),
    };
    Error::device(format!(
        "{} is on {first}, {} on {second}; move one of them with to('{first}') or to('{second}')",
        name(i),
        name(j)
    ))
    .in_op(def.name)
    .at(name(j))
    .expected(first.to_string())
    .received(second.to_string())
}

/// The inputs with numbers as scalar operands of the dtype they meet, or of `alone` where they meet no tensor.
fn with_numbers(environment: &mut Environment, inputs: Inputs, alone: Option<DType>) -> SmallVec<[Val; 4]> {
    let mut list = inputs.list;
    if !inputs.numbers {
        return list;
    }
    let mut at = 0;
    for i in 0..inputs.declared {
        let (kind, value) = (environment.scratch()[1 + 2 * i] as u32, environment.scratch()[2 + 2 * i]);
        if kind == kind::ABSENT {
            continue;
        }
        if kind == kind::NUMBER || kind == kind::DISTINCT_NUMBER {
            let dtype = match inputs.common {
                Some(common) => weak_dtype(common, value),
                None => alone.unwrap_or(DType::F32),
            };
            list[at] = environment.graph.number(value, dtype, kind == kind::DISTINCT_NUMBER);
        }
        at += 1;
    }
    list
}

/// The dtype that a JavaScript number takes beside tensors of `common` dtype: theirs, unless it doesn't fit its
/// category (a fraction beside integers is f32, a number beside booleans an integer).
fn weak_dtype(common: DType, value: f64) -> DType {
    match common {
        dtype if dtype.is_float() => dtype,
        _ if value.fract() != 0.0 || !value.is_finite() => DType::F32,
        DType::Bool => DType::I32,
        dtype => dtype,
    }
}
