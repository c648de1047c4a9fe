//! Scopes, state and reports.

use crate::engine::engine;
use crate::environment::{Call, Environment, device_from, gpu, opened_gpu};
use fovea_core::attributes::camel;
use fovea_core::device::{Device, Threads};
use fovea_core::profile::Timed;
use fovea_core::{Error, Result};
use fovea_cpu::pool::pool;
use napi_sys::napi_value;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

pub const FUNCTIONS: &[(&str, Call)] = &[
    ("takeError", take_error),
    ("enterModule", enter_module),
    ("exitModule", exit_module),
    ("inModule", in_module),
    ("enterInternal", enter_internal),
    ("exitInternal", exit_internal),
    ("markReturned", mark_returned),
    ("setRegion", set_region),
    ("newRegion", new_region),
    ("keep", keep),
    ("dispose", dispose),
    ("handleMark", handle_mark),
    ("disposeSince", dispose_since),
    ("seed", seed),
    ("randomState", random_state),
    ("setRandomState", set_random_state),
    ("setDefaultDevice", set_default_device),
    ("about", about),
    ("devices", devices),
    ("openGpu", open_gpu),
    ("setThreads", set_threads),
    ("threads", threads),
    ("machinePeak", machine_peak),
    ("startProfile", start_profile),
    ("endProfile", end_profile),
    ("memory", memory),
    ("counters", counters),
    ("setFlag", set_flag),
];

fn take_error(e: &mut Environment, _: &[napi_value]) -> Result<napi_value> {
    let error = e.error.take().unwrap_or_else(|| Error::internal("there is no error to take"));
    e.js.error(&error)
}

fn enter_module(e: &mut Environment, a: &[napi_value]) -> Result<napi_value> {
    let path = e.js.to_string(a[0], "path")?;
    let id = match e.module_names.get(&path) {
        Some(&id) => id,
        None => {
            let id = e.graph.module_paths.len() as u32;
            e.graph.module_paths.push(Arc::from(path.as_str()));
            e.module_names.insert(path, id);
            id
        }
    };
    e.module_stack.push(std::mem::replace(&mut e.graph.module, id));
    e.graph.module_depth += 1;
    e.js.undefined()
}

fn exit_module(e: &mut Environment, _: &[napi_value]) -> Result<napi_value> {
    let Some(outer) = e.module_stack.pop() else {
        return Err(Error::internal("exitModule without enterModule"));
    };
    e.graph.module = outer;
    e.graph.module_depth -= 1;
    e.js.undefined()
}

fn in_module(e: &mut Environment, _: &[napi_value]) -> Result<napi_value> {
    e.js.bool(e.graph.module_depth > 0)
}

fn enter_internal(e: &mut Environment, _: &[napi_value]) -> Result<napi_value> {
    e.graph.internal_depth += 1;
    e.js.undefined()
}

fn exit_internal(e: &mut Environment, _: &[napi_value]) -> Result<napi_value> {
    e.graph.internal_depth = e.graph.internal_depth.saturating_sub(1);
    e.js.undefined()
}

fn mark_returned(e: &mut Environment, a: &[napi_value]) -> Result<napi_value> {
    let val = e.handles.get(e.js.to_u32(a[0], "handle")?)?;
    e.graph.mark_returned(val);
    e.js.undefined()
}

fn set_region(e: &mut Environment, a: &[napi_value]) -> Result<napi_value> {
    let id = e.js.to_u32(a[0], "id")?;
    let was = std::mem::replace(&mut e.graph.region, id);
    e.js.number(f64::from(was))
}

fn new_region(e: &mut Environment, _: &[napi_value]) -> Result<napi_value> {
    let id = e.graph.next_region;
    e.graph.next_region += 1;
    e.js.number(f64::from(id))
}

fn keep(e: &mut Environment, a: &[napi_value]) -> Result<napi_value> {
    let val = e.handles.get(e.js.to_u32(a[0], "handle")?)?;
    e.graph.keep(val)?;
    e.js.undefined()
}

fn dispose(e: &mut Environment, a: &[napi_value]) -> Result<napi_value> {
    let handle = e.js.to_u32(a[0], "handle")?;
    e.handles.free(e.js, &mut e.graph, handle, true)?;
    e.report();
    e.js.undefined()
}

fn handle_mark(e: &mut Environment, _: &[napi_value]) -> Result<napi_value> {
    e.js.number(e.handles.mark() as f64)
}

fn dispose_since(e: &mut Environment, a: &[napi_value]) -> Result<napi_value> {
    let mark = e.js.to_u64(a[0], "mark")?;
    let except = e.js.to_u32s(a[1], "except")?;
    for handle in e.handles.since(mark) {
        if !except.contains(&handle) {
            e.handles.free(e.js, &mut e.graph, handle, true)?;
        }
    }
    e.report();
    e.js.undefined()
}

fn seed(e: &mut Environment, a: &[napi_value]) -> Result<napi_value> {
    e.graph.random = (e.js.to_u64(a[0], "seed")?, 0);
    e.js.undefined()
}

fn random_state(e: &mut Environment, _: &[napi_value]) -> Result<napi_value> {
    let (seed, offset) = e.graph.random;
    e.js.numbers([seed as f64, offset as f64])
}

fn set_random_state(e: &mut Environment, a: &[napi_value]) -> Result<napi_value> {
    e.graph.random = (e.js.to_u64(a[0], "seed")?, e.js.to_u64(a[1], "offset")?);
    e.js.undefined()
}

fn set_default_device(e: &mut Environment, a: &[napi_value]) -> Result<napi_value> {
    let device = device_from(e.js.to_u32(a[0], "device")?);
    if matches!(device, Device::Gpu(n) if n > 0) {
        return Err(Error::device(format!("there is no {device}: one GPU is opened, this machine's best, as 'gpu'"))
            .at("device")
            .expected("cpu or gpu")
            .received(device.to_string()));
    }
    e.graph.runtime(device)?;
    e.graph.default_device = device;
    e.js.undefined()
}

/// What the addon is and what its kernels go by on this machine.
fn about(e: &mut Environment, _: &[napi_value]) -> Result<napi_value> {
    let report = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "isa": fovea_cpu::isa::isa().name(),
        "features": features(),
    });
    e.js.string(&report.to_string())
}

/// Those of the processor's features that decide between instruction sets.
#[cfg(target_arch = "x86_64")]
fn features() -> Vec<&'static str> {
    let all = [
        ("avx2", is_x86_feature_detected!("avx2")),
        ("fma", is_x86_feature_detected!("fma")),
        ("avx512f", is_x86_feature_detected!("avx512f")),
        ("avx512bw", is_x86_feature_detected!("avx512bw")),
        ("avx512dq", is_x86_feature_detected!("avx512dq")),
        ("avx512vl", is_x86_feature_detected!("avx512vl")),
    ];
    all.into_iter().filter(|(_, present)| *present).map(|(name, _)| name).collect()
}

#[cfg(not(target_arch = "x86_64"))]
fn features() -> Vec<&'static str> {
    Vec::new()
}

fn devices(e: &mut Environment, _: &[napi_value]) -> Result<napi_value> {
    let cpu = json!({
        "device": "cpu",
        "name": format!("{} threads, {}", pool().count(), fovea_cpu::isa::isa().name()),
        "usable": true,
    });
    let mut gpus = fovea_gpu::GpuRuntime::devices();
    gpus.sort_by_key(|gpu| !gpu.chosen); // the one that is opened is 'gpu'
    let mut list = vec![cpu];
    for (i, gpu) in gpus.iter().enumerate() {
        let device = if i == 0 { "gpu".to_owned() } else { format!("gpu:{i}") };
        list.push(json!({
            "device": device,
            "name": gpu.name,
            "backend": gpu.backend,
            "usable": gpu.reason.is_none(),
            "reason": gpu.reason,
        }));
    }
    e.js.string(&serde_json::Value::Array(list).to_string())
}

fn open_gpu(e: &mut Environment, _: &[napi_value]) -> Result<napi_value> {
    let runtime = gpu()?;
    e.graph.add_runtime(runtime);
    e.js.undefined()
}

fn set_threads(e: &mut Environment, a: &[napi_value]) -> Result<napi_value> {
    let n = e.js.to_u32(a[0], "threads")?;
    if n == 0 || n > 1024 {
        return Err(Error::argument(format!("threads must be from 1 to 1024, got {n}"))
            .at("threads")
            .expected("1 to 1024")
            .received(n.to_string()));
    }
    pool().set_threads(n as usize);
    e.js.undefined()
}

fn threads(e: &mut Environment, _: &[napi_value]) -> Result<napi_value> {
    e.js.number(pool().count() as f64)
}

fn machine_peak(e: &mut Environment, _: &[napi_value]) -> Result<napi_value> {
    let peak = fovea_cpu::peak::measure(pool())?;
    let report = json!({ "gflops": peak.gflops, "readGbps": peak.read_gbps, "triadGbps": peak.triad_gbps });
    e.js.string(&report.to_string())
}

fn start_profile(e: &mut Environment, _: &[napi_value]) -> Result<napi_value> {
    if e.graph.profile.is_some() {
        return Err(Error::argument("a profile is being taken already; profiles can't be nested"));
    }
    e.graph.profile = Some(Arc::default());
    e.js.undefined()
}

fn end_profile(e: &mut Environment, _: &[napi_value]) -> Result<napi_value> {
    engine().drain();
    let steps = e.graph.profile.take().map(|profile| profile.take()).unwrap_or_default();
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let step = |s: Timed| {
        json!({
            "name": camel(&s.label), "module": *s.module, "kind": s.kind, "startMs": ms(s.start), "ms": ms(s.length),
            "flops": s.work.flops, "bytesRead": s.work.read, "bytesWritten": s.work.written,
        })
    };
    e.js.string(&steps.into_iter().map(step).collect::<serde_json::Value>().to_string())
}

fn memory(e: &mut Environment, _: &[napi_value]) -> Result<napi_value> {
    let stats = fovea_cpu::memory::stats();
    let largest: Vec<_> =
        e.graph.largest(8).into_iter().map(|(path, bytes)| json!({ "path": path, "bytes": bytes })).collect();
    let report = json!({
        "live": stats.live,
        "cached": stats.cached,
        "peak": stats.peak,
        "values": e.graph.value_bytes(),
        "handles": e.handles.live(),
        "nodes": e.graph.live_nodes(),
        "largest": largest,
    });
    e.js.string(&report.to_string())
}

fn counters(e: &mut Environment, _: &[napi_value]) -> Result<napi_value> {
    let c = e.graph.counters;
    let report = json!({
        "plansMade": c.plans_made,
        "plansHit": c.plans_hit,
        "plannedNodes": c.planned_nodes,
        "evaluations": c.evaluations,
        "kernels": c.steps,
        "nodesEvaluated": c.evaluated,
        "nodesRecorded": c.recorded,
        "fallbacks": opened_gpu().map_or(0, |gpu| gpu.counters().fallbacks),
    });
    e.js.string(&report.to_string())
}

fn set_flag(e: &mut Environment, a: &[napi_value]) -> Result<napi_value> {
    let name = e.js.to_string(a[0], "name")?;
    let value = e.js.to_number(a[1], "value")?;
    match name.as_str() {
        "fusion" => e.graph.fusion = value != 0.0,
        "reuse" => e.graph.reuse = value != 0.0,
        "failAfter" => fovea_cpu::runtime::fail_after((value >= 0.0).then_some(value as usize)),
        _ => {
            return Err(Error::argument(format!("there is no flag {name}"))
                .at("name")
                .expected("fusion, reuse or failAfter")
                .received(name));
        }
    }
    e.graph.forget_plans();
    e.js.undefined()
}
