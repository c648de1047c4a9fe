//! A graph with its runtimes, driven by hand: what tests talk to.

use crate::values::{from_bytes, to_bytes};
use fovea_core::device::{Device, Runtime};
use fovea_core::graph::{Build, Cell, Graph, Job, Progress, Request, Val, VariableId};
use fovea_core::op::{DynOp, Op, TensorType};
use fovea_core::sample::Arrangement;
use fovea_core::scalar::{Expr, build};
use fovea_core::{DType, Error, Result, Shape};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use crate::views::{EverySecond, Permute};

/// A graph whose jobs run at once, on the calling thread. It owns what it records, as handles would, until
/// [`Session::forget`] or the end of a [`Session::scope`].
pub struct Session {
    pub graph: Graph,
    handles: Vec<Val>,
}

impl Deref for Session {
    type Target = Graph;
    fn deref(&self) -> &Graph {
        &self.graph
    }
}

impl DerefMut for Session {
    fn deref_mut(&mut self) -> &mut Graph {
        &mut self.graph
    }
}

impl Session {
    /// A session on `runtime`, which becomes the default device; values are those of the CPU where it is another.
    pub fn new(runtime: Arc<dyn Runtime>) -> Session {
        let device = runtime.device();
        let mut graph = Graph::new(runtime.clone());
        if device != Device::Cpu {
            graph.add_runtime(runtime);
            graph.default_device = device;
        }
        Session { graph, handles: Vec::new() }
    }

    /// A row-major leaf on the default device.
    pub fn leaf(&mut self, dtype: DType, shape: impl Into<Shape>, values: &[f64]) -> Result<Val> {
        self.leaf_on(self.graph.default_device, dtype, shape.into(), values)
    }

    pub fn leaf_on(&mut self, device: Device, dtype: DType, shape: Shape, values: &[f64]) -> Result<Val> {
        if values.len() != shape.size() {
            return Err(Error::shape(format!("{} values for a leaf of shape {shape}", values.len())));
        }
        let bytes = to_bytes(dtype, values);
        let buffer = self.graph.runtime(device)?.upload(&bytes, dtype)?;
        let cell = Cell::ready(buffer, bytes.len(), self.graph.account());
        let leaf = self.graph.leaf(TensorType { dtype, shape }, cell, device, false)?;
        Ok(self.own(leaf))
    }

    /// One more handle of `val`.
    pub fn own(&mut self, val: Val) -> Val {
        self.graph.retain(val);
        self.handles.push(val);
        val
    }

    /// Drops one handle of `val`, as the garbage collector would.
    pub fn forget(&mut self, val: Val) {
        if let Some(at) = self.handles.iter().rposition(|&h| h == val) {
            self.handles.swap_remove(at);
            self.graph.release(val);
        }
    }

    /// Drops every handle made by `body` but those of what it returns.
    pub fn scope(&mut self, body: impl FnOnce(&mut Session) -> Result<Vec<Val>>) -> Result<Vec<Val>> {
        let outer = std::mem::take(&mut self.handles);
        let result = body(self);
        let mut inner = std::mem::replace(&mut self.handles, outer);
        for &val in result.iter().flatten() {
            if let Some(at) = inner.iter().position(|&h| h == val) {
                self.handles.push(inner.swap_remove(at));
            }
        }
        for val in inner {
            self.graph.release(val);
        }
        result
    }

    /// An explicit dispose: the handle goes, and the value goes with the last handle to its node.
    pub fn dispose(&mut self, val: Val) {
        if self.handles.iter().filter(|h| h.node == val.node).count() < 2 {
            self.graph.dispose(val);
        }
        self.forget(val);
    }

    /// A leaf of f32 that requires a gradient.
    pub fn parameter(&mut self, shape: impl Into<Shape>, values: &[f64]) -> Result<Val> {
        let leaf = self.leaf(DType::F32, shape, values)?;
        self.graph.set_requires_grad(leaf, true)?;
        Ok(leaf)
    }

    /// A variable of f32 that requires a gradient.
    pub fn variable_of(&mut self, name: &str, shape: impl Into<Shape>, values: &[f64]) -> Result<VariableId> {
        let leaf = self.leaf(DType::F32, shape, values)?;
        let id = self.graph.variable(leaf, name, true)?;
        self.forget(leaf);
        Ok(id)
    }

    /// The values as a sample's arrangement says: row-major, or a view of a leaf that lies otherwise. The elements of
    /// that leaf which the view doesn't show are NaN (or 77), so that reading one shows.
    /// A gradient can be asked for with `grad`.
    pub fn arranged(&mut self, ty: TensorType, values: &[f64], how: Arrangement, grad: bool) -> Result<Val> {
        let TensorType { dtype, shape } = ty;
        let rank = shape.rank();
        let leaf = match how {
            _ if rank == 0 => self.leaf(dtype, shape, values)?,
            Arrangement::Contiguous => self.leaf(dtype, shape, values)?,
            Arrangement::Reversed => {
                let axes: Vec<usize> = (0..rank).rev().collect();
                let stored = fovea_core::Layout::contiguous(shape).permute(&axes);
                let moved: Vec<f64> = crate::reference::walk(&stored).map(|i| values[i]).collect();
                self.leaf(dtype, stored.shape, &moved)?
            }
            Arrangement::Strided => {
                let hidden = if dtype.is_float() { f64::NAN } else { 77.0 };
                let spread: Vec<f64> = values.iter().flat_map(|&v| [v, hidden]).collect();
                self.leaf(dtype, shape.with(rank - 1, shape[rank - 1] * 2), &spread)?
            }
        };
        if grad {
            self.graph.set_requires_grad(leaf, true)?;
        }
        let view = match how {
            _ if rank == 0 => return Ok(leaf),
            Arrangement::Contiguous => return Ok(leaf),
            Arrangement::Reversed => self.apply(Permute { axes: (0..rank).rev().collect() }, &[leaf])?,
            Arrangement::Strided => self.apply(EverySecond {}, &[leaf])?,
        };
        self.forget(leaf);
        Ok(view)
    }

    /// Records an op with one output.
    pub fn apply<O: Op>(&mut self, op: O, inputs: &[Val]) -> Result<Val> {
        let val = Build { graph: &mut self.graph }.apply(op, inputs)?;
        Ok(self.own(val))
    }

    pub fn record_dyn(&mut self, op: &Arc<dyn DynOp>, inputs: &[Val]) -> Result<Vec<Val>> {
        let vals = self.graph.record(op, inputs)?;
        Ok(vals.into_iter().map(|v| self.own(v)).collect())
    }

    /// Records a scalar program over inputs of their own dtypes.
    pub fn map(&mut self, inputs: &[Val], body: impl FnOnce(&[Expr]) -> Expr) -> Result<Val> {
        let dtypes: Vec<DType> = inputs.iter().map(|&v| self.graph.ty(v).dtype).collect();
        let map = fovea_core::graph::primitives::Map::new("map", build(&dtypes, |x| vec![body(x)]));
        let op: Arc<dyn DynOp> = map;
        let val = self.graph.record(&op, inputs)?[0];
        Ok(self.own(val))
    }

    pub fn add(&mut self, a: Val, b: Val) -> Result<Val> {
        self.map(&[a, b], |x| &x[0] + &x[1])
    }

    pub fn mul(&mut self, a: Val, b: Val) -> Result<Val> {
        self.map(&[a, b], |x| &x[0] * &x[1])
    }

    /// `a · number`, the number being data.
    pub fn scale(&mut self, a: Val, number: f64) -> Result<Val> {
        let dtype = self.graph.ty(a).dtype;
        let number = self.graph.number(number, dtype, true);
        self.mul(a, number)
    }

    /// A key for as many draws, which nothing else will use.
    pub fn random_key(&mut self, draws: usize) -> Val {
        let key = self.graph.take_random_key();
        self.graph.advance_random(draws);
        key
    }

    /// The sum over all elements.
    pub fn sum(&mut self, a: Val) -> Result<Val> {
        self.sum_to(a, Shape::SCALAR)
    }

    pub fn sum_to(&mut self, a: Val, shape: impl Into<Shape>) -> Result<Val> {
        let val = Build { graph: &mut self.graph }.sum_to(a, shape.into())?;
        Ok(self.own(val))
    }

    /// `val` without its gradient.
    pub fn detach(&mut self, val: Val) -> Result<Val> {
        self.graph.check_readable(val)?;
        let alias = self.graph.alias(val, true);
        Ok(self.own(alias))
    }

    /// Evaluates everything pending and `wanted`, and runs the jobs. All jobs run; the first error is returned.
    pub fn run(&mut self, wanted: &[Val]) -> Result<()> {
        let jobs = self.graph.evaluate(wanted)?;
        run_jobs(jobs)
    }

    /// The bytes of a value that has been computed, row-major.
    pub fn bytes(&self, val: Val) -> Result<Vec<u8>> {
        let ty = self.graph.ty(val);
        let value = self.graph.materialized(val).ok_or_else(|| Error::internal("the value is not there"))?;
        let mut bytes = vec![0; ty.bytes()];
        let runtime = self.graph.runtime(self.graph.device_of(val))?;
        runtime.read(&value.cell.buffer()?, ty.dtype, &value.layout, &mut bytes)?;
        Ok(bytes)
    }

    /// Reads a value, evaluating what it takes.
    pub fn read(&mut self, val: Val) -> Result<Vec<f64>> {
        let bytes = self.read_bytes(val)?;
        Ok(from_bytes(self.graph.ty(val).dtype, &bytes))
    }

    pub fn read_bytes(&mut self, val: Val) -> Result<Vec<u8>> {
        self.run(&[val])?;
        self.bytes(val)
    }

    pub fn item(&mut self, val: Val) -> Result<f64> {
        self.read(val)?.first().copied().ok_or_else(|| Error::shape("the value has no elements"))
    }

    /// The newest value of a variable.
    pub fn read_variable(&mut self, id: VariableId) -> Result<Vec<f64>> {
        let current = self.graph.current(id)?;
        self.read(current)
    }

    /// Accumulates gradients of `root` into `.grad`s.
    pub fn backward(&mut self, root: Val) -> Result<()> {
        self.graph.differentiate(&[root], &[None], Request::Accumulate, false).map(|_| ())
    }

    /// Gradients of `roots` towards `inputs`.
    pub fn grad(
        &mut self,
        roots: &[Val],
        cotangents: &[Option<Val>],
        inputs: &[Val],
        create_graph: bool,
    ) -> Result<Vec<Option<Val>>> {
        match self.graph.differentiate(roots, cotangents, Request::Inputs(inputs.to_vec()), create_graph)? {
            Progress::Done(grads) => {
                // The graph has retained them for us.
                self.handles.extend(grads.iter().flatten());
                Ok(grads)
            }
            Progress::Custom { .. } => Err(Error::internal("a custom function in a test without one")),
        }
    }

    /// Whether a value is there without computing anything.
    pub fn is_there(&self, val: Val) -> bool {
        self.graph.materialized(val).is_some()
    }
}

/// Runs jobs in order, all of them; the first error is returned.
pub fn run_jobs(jobs: Vec<Job>) -> Result<()> {
    let mut first = Ok(());
    for job in jobs {
        let result = job.run();
        if first.is_ok() {
            first = result;
        }
    }
    first
}
