//! What one Node environment (main thread or worker) holds: its graph, handles and shared scratch numbers.

use crate::engine::engine;
use crate::handles::Handles;
use crate::js::Js;
use crate::prepared::{self, Prepared};
use crate::promise::Promises;
use crate::steps::Steps;
use crate::{dispatch, files, functions, gradients, pictures, rows, values};
use fovea_core::device::Runtime;
use fovea_core::graph::{Graph, Job, PENDING_LIMIT, Val, VariableId};
use fovea_core::op::{DynOp, OpDef};
use fovea_core::{Error, Result};
use fovea_cpu::runtime::CpuRuntime;
use fovea_gpu::GpuRuntime;
use napi_sys as sys;
use rustc_hash::FxHashMap;
use std::ffi::{CString, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::null_mut;
use std::sync::{Arc, OnceLock};
use sys::{napi_callback_info, napi_env, napi_ref, napi_value};

/// Numbers shared with TypeScript.
pub const SCRATCH: usize = 4096;

/// Bytes of value memory that may pile up before handles are swept.
const SWEEP_BYTES: i64 = 64 << 20;

/// Evaluations whose memory the collector is told of, the one at hand included.
const RECENT: usize = 8;

/// External memory is reported in steps of this many bytes.
const REPORT_BYTES: i64 = 1 << 20;

/// The op list, with ops that have no attributes made once.
pub struct OpTable {
    pub defs: Vec<OpDef>,
    pub ready: Vec<Option<Arc<dyn DynOp>>>,
}

pub fn op_table() -> &'static OpTable {
    static TABLE: OnceLock<OpTable> = OnceLock::new();
    TABLE.get_or_init(|| {
        let defs = fovea_ops::all();
        let ready = defs
            .iter()
            .map(|def| {
                let mut reader = fovea_core::attributes::AttrReader::new(&[], 0);
                def.attributes.is_empty().then(|| (def.parse)(&mut reader).ok()).flatten()
            })
            .collect();
        OpTable { defs, ready }
    })
}

static GPU: OnceLock<Result<Arc<GpuRuntime>>> = OnceLock::new();

/// The process's GPU, opened once.
pub fn gpu() -> Result<Arc<GpuRuntime>> {
    GPU.get_or_init(|| {
        let cpu: Arc<dyn Runtime> = Arc::new(CpuRuntime);
        GpuRuntime::open_with(cpu).map(Arc::new)
    })
    .clone()
}

/// The GPU, where it has been opened.
pub fn opened_gpu() -> Option<&'static GpuRuntime> {
    GPU.get().and_then(|gpu| gpu.as_deref().ok())
}

pub struct Environment {
    pub js: Js,
    pub graph: Graph,
    pub handles: Handles,
    pub scratch: *mut f64,
    scratch_ref: napi_ref,
    pub promises: Promises,
    pub prepared: Prepared,
    pub steps: Arc<Steps>,
    pub error: Option<Error>,
    pub module_names: FxHashMap<String, u32>,
    pub module_stack: Vec<u32>,
    /// Weak owners of variables.
    pub owners: Vec<(VariableId, napi_ref)>,
    reported: i64,
    /// The most that was held during each of the last evaluations, newest first.
    recent: [i64; RECENT],
    bytes_after_sweep: i64,
    functions: Vec<*mut Function>,
}

/// A function of the addon as Node calls it.
pub type Call = fn(&mut Environment, &[napi_value]) -> Result<napi_value>;

struct Function {
    environment: *mut Environment,
    name: &'static str,
    call: Call,
}

/// The most arguments that a function takes.
const MAX_ARGUMENTS: usize = 6;

impl Environment {
    /// Makes the environment's state and fills `exports`.
    pub fn open(js: Js, exports: napi_value) -> Result<()> {
        let (array, scratch) = js.typed_array(8, SCRATCH, size_of::<f64>())?;
        let mut scratch_ref = null_mut();
        // SAFETY: `array` is live; the reference keeps the numbers where they are.
        unsafe { sys::napi_create_reference(js.raw(), array, 1, &mut scratch_ref) };
        let mut graph = Graph::new(Arc::new(CpuRuntime));
        let off = |name: &str| std::env::var(name).is_ok_and(|v| v == "0");
        graph.fusion = !off("FOVEA_FUSION");
        graph.reuse = !off("FOVEA_PLAN_REUSE");
        let environment = Box::into_raw(Box::new(Environment {
            js,
            graph,
            handles: Handles::default(),
            scratch: scratch.cast(),
            scratch_ref,
            promises: Promises::open(js)?,
            prepared: Prepared::default(),
            steps: Arc::new(Steps::default()),
            error: None,
            module_names: FxHashMap::default(),
            module_stack: Vec::new(),
            owners: Vec::new(),
            reported: 0,
            recent: [0; RECENT],
            bytes_after_sweep: 0,
            functions: Vec::new(),
        }));
        // SAFETY: the box lives until `close`, which Node calls on this thread when the environment ends.
        unsafe { sys::napi_add_env_cleanup_hook(js.raw(), Some(close), environment.cast()) };
        js.set(exports, "scratch", array)?;
        // SAFETY: just made; nothing else holds it during this call.
        let this = unsafe { &mut *environment };
        let lists = [
            functions::FUNCTIONS,
            values::FUNCTIONS,
            gradients::FUNCTIONS,
            files::FUNCTIONS,
            pictures::FUNCTIONS,
            rows::FUNCTIONS,
            prepared::FUNCTIONS,
        ];
        for &(name, call) in lists.into_iter().flatten() {
            let function = Box::into_raw(Box::new(Function { environment, name, call }));
            this.functions.push(function);
            this.export(exports, name, entry, function.cast())?;
        }
        this.export(exports, "dispatch", dispatch::entry, environment.cast())
    }

    fn export(
        &self,
        exports: napi_value,
        name: &str,
        entry: unsafe extern "C" fn(napi_env, napi_callback_info) -> napi_value,
        data: *mut c_void,
    ) -> Result<()> {
        let mut function = null_mut();
        let text = CString::new(name).map_err(|_| Error::internal("a function name holds a NUL"))?;
        // SAFETY: the name is NUL-terminated and `data` outlives the environment's calls.
        let status =
            unsafe { sys::napi_create_function(self.js.raw(), text.as_ptr(), -1, Some(entry), data, &mut function) };
        if status != sys::Status::napi_ok {
            return Err(Error::internal("a function could not be exported"));
        }
        self.js.set(exports, name, function)
    }

    pub fn scratch(&mut self) -> &mut [f64] {
        // SAFETY: the reference keeps the array of SCRATCH numbers alive; JavaScript doesn't run during a call.
        unsafe { std::slice::from_raw_parts_mut(self.scratch, SCRATCH) }
    }

    /// A failure that nobody was waiting for is thrown by the next call that records, differentiates or evaluates
    /// (S18); calls that leave a scope never throw it.
    pub fn raise_failure(&mut self) -> Result<()> {
        match self.steps.take_orphan() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// An op input or variable by its kind at the boundary.
    pub fn resolve(&self, kind: u32, id: u32) -> Result<Val> {
        match kind {
            0 => self.handles.get(id),
            3 => self.graph.current(id),
            _ => Err(Error::internal(format!("kind {kind} is no tensor"))),
        }
    }

    /// A handle for `val` owned by the object `target`.
    pub fn own(&mut self, val: Val, target: napi_value) -> Result<u32> {
        let handle = self.handles.make(&mut self.graph, val)?;
        let weak = self.js.weak(target)?;
        self.handles.own(self.js, handle, weak)?;
        Ok(handle)
    }

    /// Writes the description of `val` at `at`; returns where the next one goes.
    pub fn describe(&mut self, handle: u32, val: Val, at: usize) -> usize {
        let ty = self.graph.ty(val);
        let device = device_code(self.graph.device_of(val));
        let requires_grad = self.graph.requires_grad(val);
        let scratch = self.scratch();
        scratch[at] = f64::from(handle);
        scratch[at + 1] = f64::from(ty.dtype as u8);
        scratch[at + 2] = f64::from(u8::from(requires_grad));
        scratch[at + 3] = device;
        scratch[at + 4] = ty.shape.rank() as f64;
        for (i, &d) in ty.shape.iter().enumerate() {
            scratch[at + 5 + i] = d as f64;
        }
        at + 5 + ty.shape.rank()
    }

    /// Keeps memory flat: reports bytes to the collector, sweeps handles under pressure, flushes what piles up.
    pub fn housekeeping(&mut self) -> Result<()> {
        self.report();
        let bytes = self.graph.value_bytes();
        if self.handles.wants_sweep() || bytes - self.bytes_after_sweep > SWEEP_BYTES.max(self.bytes_after_sweep / 4) {
            self.sweep();
        }
        if self.graph.pending_bytes() > PENDING_LIMIT {
            let jobs = self.graph.evaluate(&[])?;
            self.submit(jobs);
        }
        Ok(())
    }

    pub fn sweep(&mut self) {
        self.handles.sweep(self.js, &mut self.graph);
        let mut i = 0;
        while i < self.owners.len() {
            if self.js.is_collected(self.owners[i].1) {
                let (variable, owner) = self.owners.swap_remove(i);
                self.js.forget_weak(owner);
                self.graph.free_variable(variable);
            } else {
                i += 1;
            }
        }
        self.bytes_after_sweep = self.graph.value_bytes();
        self.report();
    }

    /// Reports value memory to the collector, the most that was held of late: a step holds old and new values for a
    /// moment, and the collector would take each such rise for garbage and go over the whole heap. What is reported
    /// adds up to what was reported before, to the byte (S16).
    pub fn report(&mut self) {
        let bytes = self.graph.value_bytes();
        self.recent[0] = self.recent[0].max(bytes);
        let most = if bytes == 0 { 0 } else { self.recent.into_iter().fold(0, i64::max) };
        let change = most - self.reported;
        if change.abs() >= REPORT_BYTES || (change != 0 && most == 0) {
            self.reported = most;
            self.js.adjust_external_memory(change);
        }
    }

    /// A new evaluation begins: what was held during the oldest one remembered is of the past.
    pub fn turn(&mut self) {
        self.recent.rotate_right(1);
        self.recent[0] = self.graph.value_bytes();
    }

    /// Hands jobs that nobody waits for to the engine; the next call throws their failure.
    pub fn submit(&mut self, jobs: Vec<Job>) {
        if jobs.is_empty() {
            return;
        }
        let steps = self.steps.clone();
        engine().submit(
            jobs,
            Box::new(move |result| {
                if let Err(error) = result {
                    steps.fail(error);
                }
            }),
        );
        self.report();
    }
}

pub fn device_code(device: fovea_core::device::Device) -> f64 {
    match device {
        fovea_core::device::Device::Cpu => 0.0,
        fovea_core::device::Device::Gpu(n) => f64::from(n) + 1.0,
    }
}

pub fn device_from(code: u32) -> fovea_core::device::Device {
    match code {
        0 => fovea_core::device::Device::Cpu,
        n => fovea_core::device::Device::Gpu((n - 1) as u16),
    }
}

/// Entry of every plain function.
unsafe extern "C" fn entry(env: napi_env, info: napi_callback_info) -> napi_value {
    let mut count = MAX_ARGUMENTS;
    let mut arguments = [null_mut(); MAX_ARGUMENTS];
    let mut data = null_mut();
    // SAFETY: Node calls this with a live environment; all places are valid.
    unsafe {
        sys::napi_get_cb_info(env, info, &mut count, arguments.as_mut_ptr(), null_mut(), &mut data);
    }
    // SAFETY: `data` is the function's box, which lives as long as the environment.
    let function = unsafe { &*data.cast::<Function>() };
    // SAFETY: JavaScript is single-threaded and nothing here calls back into it, so this is the only borrow.
    let environment = unsafe { &mut *function.environment };
    let js = environment.js;
    // Missing arguments come as undefined.
    let outcome = catch_unwind(AssertUnwindSafe(|| (function.call)(environment, &arguments)));
    match outcome {
        Ok(Ok(value)) => value,
        Ok(Err(error)) => {
            js.throw(&error);
            null_mut()
        }
        Err(_) => {
            js.throw(&Error::internal(format!("{} panicked; this is a bug in Fovea", function.name)));
            null_mut()
        }
    }
}

/// The environment ends (process exit or worker termination).
unsafe extern "C" fn close(data: *mut c_void) {
    // SAFETY: the box of `open`; Node calls the hook once, on the environment's thread.
    let environment = unsafe { Box::from_raw(data.cast::<Environment>()) };
    environment.promises.close();
    // Jobs in flight own what they need; the graph and its references go with the environment.
    let leftover = environment.reported;
    environment.js.adjust_external_memory(-leftover);
    // SAFETY: made in `open`, deleted once.
    unsafe { sys::napi_delete_reference(environment.js.raw(), environment.scratch_ref) };
    for &function in &environment.functions {
        // SAFETY: boxes of `open`, dropped once; Node makes no more calls.
        drop(unsafe { Box::from_raw(function) });
    }
}
