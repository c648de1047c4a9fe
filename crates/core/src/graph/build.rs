//! Recording ops.

use super::node::{Alias, Graph, Kind, Node, Val, flag};
use super::primitives::{SumTo, add_map, fill_map};
use crate::device::{Datum, Device};
use crate::dtype::DType;
use crate::error::{Error, Result};
use crate::op::{DynOp, Op, TensorType, Work};
use crate::shape::Shape;
use smallvec::{SmallVec, smallvec};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

/// Values recorded by one call.
pub type Vals = SmallVec<[Val; 2]>;

impl Graph {
    /// Records `op` on `inputs` and returns its outputs. The first error names the op; nothing is recorded then.
    pub fn record(&mut self, op: &Arc<dyn DynOp>, inputs: &[Val]) -> Result<Vals> {
        self.try_record(op, inputs).map_err(|e| e.in_op(op.name()).in_module(&self.module_paths[self.module as usize]))
    }

    fn try_record(&mut self, op: &Arc<dyn DynOp>, inputs: &[Val]) -> Result<Vals> {
        let types: SmallVec<[TensorType; 4]> = inputs.iter().map(|&v| self.ty(v)).collect();
        if self.recipes_only.is_none() {
            for &input in inputs {
                self.check_readable(input)?;
            }
        }
        let outputs = op.infer(&types)?;
        let device = self.common_device(inputs)?;
        if !op.is_view() && matches!(composite(&**op, &types), Some(())) {
            return match self.on(device, |graph| op.decompose(&mut Build { graph }, inputs))? {
                Some(vals) => Ok(vals.into_iter().collect()),
                None => Err(Error::internal(format!("{} has no decomposition", op.name()))),
            };
        }
        let requires_grad = self.grad_enabled
            && outputs.iter().any(|t| t.dtype.is_float())
            && inputs.iter().any(|&v| self.requires_grad(v));
        let count = outputs.len();
        let mut node = self.new_node(Kind::Op(op.clone()), SmallVec::from_slice(inputs), outputs, op.key());
        node.device = device;
        if requires_grad {
            node.flags |= flag::REQUIRES_GRAD;
        }
        let id = self.insert(node);
        self.make_pending(id);
        Ok((0..count as u8).map(|out| Val { node: id, out }).collect())
    }

    /// A value that is neither there nor pending must still have a recipe (S8).
    pub fn check_readable(&self, val: Val) -> Result<()> {
        let node = self.node(val.node);
        let to_come = node.is_pending() && !node.has(flag::REMOVED);
        if to_come || node.values[val.out as usize].is_some() || matches!(node.kind, Kind::Number(_)) {
            return Ok(());
        }
        self.check_recipe(val)
    }

    fn common_device(&self, inputs: &[Val]) -> Result<Device> {
        let mut device: Option<Device> = None;
        for (i, &v) in inputs.iter().enumerate() {
            let node: &Node = self.node(v.node);
            if matches!(node.kind, Kind::Number(_)) {
                continue;
            }
            match device {
                Some(d) if d != node.device => {
                    return Err(Error::device(format!(
                        "inputs lie on different devices: {d} and {}; move one with to('{d}')",
                        node.device
                    ))
                    .at(format!("input {i}"))
                    .expected(d.to_string())
                    .received(node.device.to_string()));
                }
                _ => device = Some(node.device),
            }
        }
        Ok(device.unwrap_or(self.default_device))
    }

    /// Runs `body` with values that are made of numbers alone lying on `device`.
    pub(super) fn on<T>(&mut self, device: Device, body: impl FnOnce(&mut Graph) -> T) -> T {
        let default = std::mem::replace(&mut self.default_device, device);
        let result = body(self);
        self.default_device = default;
        result
    }

    /// A number as a scalar operand. Numbers are data: another value keeps the plan. Equal numbers of one segment are
    /// one operand unless `distinct`.
    pub fn number(&mut self, value: f64, dtype: DType, distinct: bool) -> Val {
        let datum =
            if dtype.is_float() || value.fract() != 0.0 { Datum::Float(value) } else { Datum::Int(value as i64) };
        let key = (value.to_bits(), dtype as u8);
        if !distinct && let Some(&val) = self.numbers.get(&key) {
            return val;
        }
        let val = self.insert_number(datum, dtype);
        if !distinct {
            self.numbers.insert(key, val);
        }
        val
    }

    fn insert_number(&mut self, datum: Datum, dtype: DType) -> Val {
        let node = self.new_node(Kind::Number(datum), smallvec![], smallvec![TensorType::new(dtype, [])], 0);
        let id = self.insert(node);
        self.node_mut(id).refs += 1;
        self.made_numbers.push(id);
        Val { node: id, out: 0 }
    }

    /// A random key at the generator's state. The draws made with it must be counted by [`Graph::advance_random`].
    pub fn take_random_key(&mut self) -> Val {
        let (seed, offset) = self.random;
        self.random_taken = true;
        self.insert_number(Datum::Key { seed, offset }, DType::I64)
    }

    /// Whether a key has been taken since the generator was last advanced.
    pub fn random_taken(&self) -> bool {
        self.random_taken
    }

    /// Moves the generator past `draws` elements.
    pub fn advance_random(&mut self, draws: usize) {
        self.random.1 = self.random.1.wrapping_add(draws.max(1) as u64);
        self.random_taken = false;
    }

    /// `source` under another identity: detached, or with its gradient. It must be readable (see
    /// [`Graph::check_readable`]).
    pub fn alias(&mut self, source: Val, detached: bool) -> Val {
        let ty = self.ty(source);
        let kind = Kind::Alias(if detached { Alias::Detach } else { Alias::Identity });
        let mut node = self.new_node(kind, smallvec![source], smallvec![ty], 0xa11a_0001 + u64::from(detached));
        node.device = self.device_of(source);
        if !detached && self.grad_enabled && self.requires_grad(source) {
            node.flags |= flag::REQUIRES_GRAD;
        }
        let id = self.insert(node);
        self.make_pending(id);
        Val { node: id, out: 0 }
    }

    /// Values equal to `outputs` whose gradient towards `inputs` is function `custom` of the outside. All must be
    /// readable (see [`Graph::check_readable`]).
    pub fn custom(&mut self, outputs: &[Val], inputs: &[Val], custom: u64) -> Vals {
        let types = outputs.iter().map(|&v| self.ty(v)).collect();
        let edges = outputs.iter().chain(inputs).copied().collect();
        let mut node = self.new_node(Kind::Alias(Alias::Custom(custom)), edges, types, 0xc057_0000 ^ custom);
        node.device = outputs.first().map_or(self.default_device, |&v| self.device_of(v));
        if self.grad_enabled && inputs.iter().any(|&v| self.requires_grad(v)) {
            node.flags |= flag::REQUIRES_GRAD;
        }
        let id = self.insert(node);
        self.make_pending(id);
        (0..outputs.len() as u8).map(|out| Val { node: id, out }).collect()
    }

    /// A copy on another device, with its gradient.
    pub fn to_device(&mut self, source: Val, device: Device) -> Result<Val> {
        self.runtime(device)?;
        self.check_readable(source)?;
        if self.device_of(source) == device {
            return Ok(self.alias(source, false));
        }
        let ty = self.ty(source);
        let mut node = self.new_node(Kind::ToDevice, smallvec![source], smallvec![ty], 0xde71_0001);
        node.device = device;
        if self.grad_enabled && self.requires_grad(source) {
            node.flags |= flag::REQUIRES_GRAD;
        }
        let id = self.insert(node);
        self.make_pending(id);
        Ok(Val { node: id, out: 0 })
    }
}

/// Whether the op is recorded as its decomposition.
fn composite(op: &dyn DynOp, types: &[TensorType]) -> Option<()> {
    op.is_composite().then(|| debug_assert!(matches!(op.work(types), Work::Composite)))
}

/// Records ops from within an op's rule.
pub struct Build<'g> {
    pub graph: &'g mut Graph,
}

impl Deref for Build<'_> {
    type Target = Graph;
    fn deref(&self) -> &Graph {
        self.graph
    }
}
impl DerefMut for Build<'_> {
    fn deref_mut(&mut self) -> &mut Graph {
        self.graph
    }
}

impl Build<'_> {
    /// Records an op with one output.
    pub fn apply<O: Op>(&mut self, op: O, inputs: &[Val]) -> Result<Val> {
        let op: Arc<dyn DynOp> = Arc::new(op);
        Ok(self.graph.record(&op, inputs)?[0])
    }

    pub fn apply_all<O: Op>(&mut self, op: O, inputs: &[Val]) -> Result<Vals> {
        let op: Arc<dyn DynOp> = Arc::new(op);
        self.graph.record(&op, inputs)
    }

    pub fn apply_dyn(&mut self, op: Arc<dyn DynOp>, inputs: &[Val]) -> Result<Val> {
        Ok(self.graph.record(&op, inputs)?[0])
    }

    pub fn shape(&self, val: Val) -> Shape {
        self.graph.ty(val).shape
    }

    pub fn dtype(&self, val: Val) -> DType {
        self.graph.ty(val).dtype
    }

    /// A number of `dtype`, as a scalar operand.
    pub fn scalar(&mut self, value: f64, dtype: DType) -> Val {
        self.graph.number(value, dtype, false)
    }

    /// `shape` filled with one number.
    pub fn full(&mut self, value: f64, shape: Shape, dtype: DType) -> Result<Val> {
        let number = self.graph.number(value, dtype, false);
        self.apply_dyn(fill_map(dtype, shape), &[number])
    }

    /// The sum of two values of one dtype, broadcast.
    pub fn add(&mut self, a: Val, b: Val) -> Result<Val> {
        let dtype = self.dtype(a);
        self.apply_dyn(add_map(dtype), &[a, b])
    }

    /// `val` summed over the dimensions along which `shape` was broadcast.
    pub fn sum_to(&mut self, val: Val, shape: Shape) -> Result<Val> {
        if self.shape(val) == shape { Ok(val) } else { self.apply(SumTo { shape }, &[val]) }
    }
}
