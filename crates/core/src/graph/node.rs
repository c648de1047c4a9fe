//! Nodes and the arena that holds them.

use super::cell::Value;
use super::variable::{Variable, VariableId};
use crate::device::{Datum, Device, Runtime};
use crate::error::{Error, Result};
use crate::op::{DynOp, OutTypes, TensorType};
use crate::plan::{BandLimits, PlanCache};
use crate::profile::Profile;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

/// One output of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Val {
    pub node: u32,
    pub out: u8,
}

/// What a node is.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// Data from outside.
    Leaf,
    /// A number or a random key: data to plans, never part of their structure.
    Number(Datum),
    Op(Arc<dyn DynOp>),
    /// Output i is input i. Version nodes of variables, detached values, custom functions (whose further inputs are
    /// what their gradient goes to).
    Alias(Alias),
    /// A copy of input 0 on this node's device.
    ToDevice,
    /// A recipe that can't be followed any more; `String` names the variable that has moved on.
    Stale(Arc<str>),
    /// A free slot of the arena.
    Free,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alias {
    /// No gradient passes.
    Detach,
    /// Gradient passes.
    Identity,
    /// A version of a variable.
    Version(VariableId),
    /// Gradient of a function written outside.
    Custom(u64),
}

/// Reasons why values of a node are kept, and marks.
pub(crate) mod flag {
    pub const REQUIRES_GRAD: u16 = 1;
    /// Why a value stays as long as its node.
    pub const REASONS: u16 = KEEP | RETURNED | SMALL | ROOT | WANTED;
    pub const KEEP: u16 = 1 << 1;
    pub const RETURNED: u16 = 1 << 2;
    pub const SMALL: u16 = 1 << 3;
    pub const ROOT: u16 = 1 << 4;
    /// Values are held only for a backward pass to come (S9).
    pub const SAVED: u16 = 1 << 5;
    /// A backward pass has gone through this node.
    pub const USED: u16 = 1 << 6;
    pub const MOVED_ON: u16 = 1 << 7;
    pub const DISPOSED: u16 = 1 << 8;
    /// A newer version of the variable has been assigned.
    pub const SUPERSEDED: u16 = 1 << 9;
    /// A leaf that asked for a gradient, or a value that retains it.
    pub const RETAINS_GRAD: u16 = 1 << 10;
    /// Read, materialised or demanded by an evaluation.
    pub const WANTED: u16 = 1 << 11;
    /// Removed from the pending segment by an explicit dispose.
    pub const REMOVED: u16 = 1 << 12;
    /// A version of a `.grad` made with `createGraph`: gradient passes through it.
    pub const GRAPHED: u16 = 1 << 13;
}

pub(crate) const NOT_PENDING: u32 = u32::MAX;

#[derive(Debug)]
pub(crate) struct Node {
    pub kind: Kind,
    pub inputs: SmallVec<[Val; 3]>,
    pub types: OutTypes,
    pub values: SmallVec<[Option<Value>; 1]>,
    /// Structural hash of the op and its attributes.
    pub key: u64,
    /// Order of recording.
    pub seq: u64,
    /// Handles, edges from consumers, the pending segment and variables.
    pub refs: u32,
    /// Nodes recorded as taking this one as input.
    pub consumers: u32,
    /// Handles that outside code holds.
    pub handles: u32,
    /// Position in the pending segment.
    pub index: u32,
    /// Which evaluation last gave this node an external slot, and that slot.
    pub stamp: (u32, u32),
    pub region: u32,
    pub module: u32,
    pub device: Device,
    pub flags: u16,
}

impl Node {
    pub fn has(&self, flags: u16) -> bool {
        self.flags & flags != 0
    }
    pub fn is_pending(&self) -> bool {
        self.index != NOT_PENDING
    }
    pub fn requires_grad(&self) -> bool {
        self.has(flag::REQUIRES_GRAD)
    }
    /// Whether nothing will ever ask for this node's inputs again: its values are there to stay, and no gradient goes
    /// through it.
    pub fn is_settled(&self) -> bool {
        let passes_gradient =
            self.requires_grad() && !matches!(self.kind, Kind::Alias(Alias::Detach | Alias::Version(_)));
        let stays = !self.has(flag::SAVED) || self.has(flag::REASONS);
        stays && !passes_gradient && self.values.iter().all(Option::is_some)
    }
}

/// Counts of what the graph has done, for tests and reports.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counters {
    pub recorded: u64,
    pub evaluations: u64,
    pub evaluated: u64,
    pub steps: u64,
    pub plans_made: u64,
    pub plans_hit: u64,
    pub planned_nodes: u64,
}

/// The lazy graph of one thread.
pub struct Graph {
    pub(crate) nodes: Vec<Node>,
    pub(crate) free: Vec<u32>,
    pub(crate) next_seq: u64,
    /// Pending nodes in the order in which they were recorded.
    pub(crate) pending: Vec<u32>,
    pub(crate) pending_bytes: u64,
    /// Evaluated nodes that still have edges: (node, seq).
    pub(crate) recipes: Vec<(u32, u64)>,
    /// Evaluations in which a variable moved on.
    pub(crate) moves: u64,
    /// Values whose backward pass has been recorded: freed after the next evaluation.
    pub(crate) spent: Vec<(u32, u64)>,
    /// Disposed nodes whose values go with the next evaluation.
    pub(crate) disposed: Vec<(u32, u64)>,
    /// Recipes that were kept after their evaluation: computed again with the next one.
    pub(crate) kept_late: Vec<(Val, u64)>,
    pub(crate) variables: Vec<Option<Variable>>,
    pub(crate) free_variables: Vec<VariableId>,
    /// Variables with a version that is pending.
    pub(crate) assigned: Vec<VariableId>,
    /// `.grad` of nodes that are no variables.
    pub(crate) node_grads: FxHashMap<u32, VariableId>,
    /// Numbers of this segment that equal ones are merged with.
    pub(crate) numbers: FxHashMap<(u64, u8), Val>,
    /// Numbers and keys made since the last evaluation, which holds a reference to each until then.
    pub(crate) made_numbers: Vec<u32>,
    /// Nodes recorded as recipes only, with a reference each, while that is how nodes are recorded.
    pub(crate) recipes_only: Option<Vec<u32>>,
    /// Backward passes in progress; more than one while a custom function differentiates.
    pub(crate) passes: Vec<super::backward::Pass>,
    pub(crate) freed_customs: Vec<u64>,
    pub(crate) plans: PlanCache,
    pub(crate) runtimes: FxHashMap<Device, Arc<dyn Runtime>>,
    pub(crate) account: Arc<AtomicI64>,
    pub(crate) evaluation: u32,
    pub(crate) worklist: Vec<u32>,
    pub counters: Counters,
    /// Whether new nodes record gradients.
    pub grad_enabled: bool,
    /// Calls of modules around this point.
    pub module_depth: u32,
    /// Library work around this point: small values are not materialised.
    pub internal_depth: u32,
    /// Index into the module paths, for errors and profiles.
    pub module: u32,
    pub module_paths: Vec<Arc<str>>,
    /// Checkpointed region of new nodes; 0 for none.
    pub region: u32,
    pub next_region: u32,
    pub default_device: Device,
    /// Whether elementwise chains fuse (`FOVEA_FUSION=0` switches it off).
    pub fusion: bool,
    /// Whether buffers are shared and taken over (`FOVEA_PLAN_REUSE=0` switches it off).
    pub reuse: bool,
    /// Whether images lie channels-last inside plans where the runtime gains from it.
    pub channels_last: bool,
    /// Which loops run part by part where the runtime gains from it.
    pub bands: BandLimits,
    /// Where the steps of evaluations are booked, while a profile is taken.
    pub profile: Option<Arc<Profile>>,
    /// State of the random generator: seed and offset.
    pub random: (u64, u64),
    pub(crate) random_taken: bool,
}

impl Graph {
    pub fn new(cpu: Arc<dyn Runtime>) -> Graph {
        let mut runtimes = FxHashMap::default();
        runtimes.insert(Device::Cpu, cpu);
        Graph {
            nodes: Vec::new(),
            free: Vec::new(),
            next_seq: 1,
            pending: Vec::new(),
            pending_bytes: 0,
            recipes: Vec::new(),
            moves: 0,
            spent: Vec::new(),
            disposed: Vec::new(),
            kept_late: Vec::new(),
            variables: Vec::new(),
            free_variables: Vec::new(),
            assigned: Vec::new(),
            node_grads: FxHashMap::default(),
            numbers: FxHashMap::default(),
            made_numbers: Vec::new(),
            recipes_only: None,
            passes: Vec::new(),
            freed_customs: Vec::new(),
            plans: PlanCache::default(),
            runtimes,
            account: Arc::new(AtomicI64::new(0)),
            evaluation: 0,
            worklist: Vec::new(),
            counters: Counters::default(),
            grad_enabled: true,
            module_depth: 0,
            internal_depth: 0,
            module: 0,
            module_paths: vec![Arc::from("")],
            region: 0,
            next_region: 1,
            default_device: Device::Cpu,
            fusion: true,
            reuse: true,
            channels_last: true,
            bands: BandLimits::NORMAL,
            profile: None,
            random: (0, 0),
            random_taken: false,
        }
    }

    /// Makes another device usable.
    pub fn add_runtime(&mut self, runtime: Arc<dyn Runtime>) {
        self.runtimes.insert(runtime.device(), runtime);
    }

    pub fn runtime(&self, device: Device) -> Result<Arc<dyn Runtime>> {
        self.runtimes.get(&device).cloned().ok_or_else(|| {
            Error::device(format!("device {device} has not been opened; call useDevice('{device}') first"))
                .at("device")
                .expected("a device that was opened")
                .received(device.to_string())
        })
    }

    /// Bytes held by the values of this graph.
    pub fn value_bytes(&self) -> i64 {
        self.account.load(std::sync::atomic::Ordering::Relaxed)
    }

    pub fn live_nodes(&self) -> usize {
        self.nodes.len() - self.free.len()
    }

    pub fn pending_bytes(&self) -> u64 {
        self.pending_bytes
    }

    pub(crate) fn node(&self, id: u32) -> &Node {
        &self.nodes[id as usize]
    }

    pub(crate) fn node_mut(&mut self, id: u32) -> &mut Node {
        &mut self.nodes[id as usize]
    }

    pub fn ty(&self, val: Val) -> TensorType {
        self.node(val.node).types[val.out as usize]
    }

    pub fn device_of(&self, val: Val) -> Device {
        self.node(val.node).device
    }

    pub fn requires_grad(&self, val: Val) -> bool {
        self.node(val.node).requires_grad()
    }

    /// How many outputs the node of `val` has.
    pub fn outputs(&self, val: Val) -> usize {
        self.node(val.node).types.len()
    }

    pub(crate) fn value(&self, val: Val) -> Option<&Value> {
        self.node(val.node).values[val.out as usize].as_ref()
    }

    /// The value where it has been computed (or is being computed).
    pub fn materialized(&self, val: Val) -> Option<Value> {
        self.value(val).cloned()
    }

    pub fn module_path(&self, val: Val) -> &str {
        &self.module_paths[self.node(val.node).module as usize]
    }

    /// Puts a node into the arena; inputs gain a reference, the node has none yet.
    pub(crate) fn insert(&mut self, mut node: Node) -> u32 {
        for input in &node.inputs {
            let input = &mut self.nodes[input.node as usize];
            input.refs += 1;
            input.consumers += 1;
        }
        node.seq = self.next_seq;
        self.next_seq += 1;
        self.counters.recorded += 1;
        match self.free.pop() {
            Some(id) => {
                self.nodes[id as usize] = node;
                id
            }
            None => {
                self.nodes.push(node);
                (self.nodes.len() - 1) as u32
            }
        }
    }

    /// Puts a node into the pending segment, which holds a reference until the next evaluation. Where recipes only are
    /// recorded it stays outside: it is computed if something pending reads it.
    pub(crate) fn make_pending(&mut self, id: u32) {
        if let Some(only) = &mut self.recipes_only {
            let node = &mut self.nodes[id as usize];
            node.refs += 1;
            only.push(id);
            self.recipes.push((id, node.seq));
            return;
        }
        let index = self.pending.len() as u32;
        let small_outside = self.module_depth == 0 && self.internal_depth == 0;
        let node = &mut self.nodes[id as usize];
        node.index = index;
        node.refs += 1;
        let bytes: usize = node.types.iter().map(TensorType::bytes).sum();
        if small_outside && node.types.iter().all(|t| t.shape.size() <= super::SMALL) {
            node.flags |= flag::SMALL;
        }
        self.pending.push(id);
        self.pending_bytes += bytes as u64;
    }

    pub(crate) fn new_node(&self, kind: Kind, inputs: SmallVec<[Val; 3]>, types: OutTypes, key: u64) -> Node {
        let values = types.iter().map(|_| None).collect();
        Node {
            kind,
            inputs,
            types,
            values,
            key,
            seq: 0,
            refs: 0,
            consumers: 0,
            handles: 0,
            index: NOT_PENDING,
            stamp: (0, 0),
            region: self.region,
            module: self.module,
            device: self.default_device,
            flags: 0,
        }
    }
}
