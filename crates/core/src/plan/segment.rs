//! What is planned: a run of recorded nodes with everything that structure depends on, and nothing else.

use crate::device::{Executable, Runtime};
use crate::dtype::DType;
use crate::error::{Error, Result};
use crate::op::{DynOp, TensorType};
use crate::plan::Plan;
use crate::profile::is_quick;
use crate::shape::Layout;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::sync::{Arc, Mutex, PoisonError};

/// Where a node's input comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Source {
    /// Output of a node of the segment.
    Node(u32, u8),
    /// A value that exists.
    External(u32),
    /// A number or random key.
    Datum(u32),
}

/// What a node of a segment does.
#[derive(Clone, Debug)]
pub enum Action {
    Op(Arc<dyn DynOp>),
    /// Output i is input i.
    Alias,
}

/// A node of a segment.
#[derive(Clone, Debug)]
pub struct SegmentNode {
    pub action: Action,
    pub inputs: SmallVec<[Source; 3]>,
    pub types: SmallVec<[TensorType; 1]>,
    /// Outputs that must exist after the run, as a bit mask.
    pub wanted: u32,
    /// Checkpointed region; nodes of different regions are never merged.
    pub region: u32,
}

/// A value that exists before the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ExternalInfo {
    pub dtype: DType,
    pub layout: Layout,
    /// It is the version of a variable that moves on with this run: most likely nobody else holds it.
    pub superseded: bool,
}

/// A number or key that a plan reads as data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DatumInfo {
    pub dtype: DType,
    pub key: bool,
}

/// The plan's key: equal segments have equal plans.
#[derive(Clone, Debug, Default)]
pub struct Segment {
    pub nodes: Vec<SegmentNode>,
    pub externals: Vec<ExternalInfo>,
    pub data: Vec<DatumInfo>,
}

impl Segment {
    /// Node by node, whatever the hashes said.
    pub fn same(&self, other: &Segment) -> bool {
        self.nodes.len() == other.nodes.len()
            && self.externals == other.externals
            && self.data == other.data
            && self.nodes.iter().zip(&other.nodes).all(|(a, b)| {
                a.wanted == b.wanted
                    && a.region == b.region
                    && a.inputs == b.inputs
                    && match (&a.action, &b.action) {
                        (Action::Op(a), Action::Op(b)) => Arc::ptr_eq(a, b) || a.same(&**b),
                        (Action::Alias, Action::Alias) => true,
                        _ => false,
                    }
            })
    }
}

/// Where a wanted value is after the run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bind {
    Output(usize, Layout),
    External(usize, Layout),
}

/// Places of wanted values: (node, output, place).
pub type Binds = Vec<(u32, u8, Bind)>;

/// A plan with the segment it was made for.
pub struct CachedPlan {
    pub segment: Segment,
    pub plan: Arc<Plan>,
    pub binds: Binds,
    /// See [`is_quick`].
    pub quick: bool,
    executable: Mutex<Option<Arc<dyn Executable>>>,
}

impl CachedPlan {
    pub fn new(segment: Segment, plan: Plan, binds: Binds) -> CachedPlan {
        CachedPlan { quick: is_quick(&plan), segment, plan: Arc::new(plan), binds, executable: Mutex::new(None) }
    }

    /// The plan compiled for its device, once.
    pub fn executable(&self, runtime: &dyn Runtime) -> Result<Arc<dyn Executable>> {
        let mut slot = self.executable.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(executable) = &*slot {
            return Ok(executable.clone());
        }
        let executable = runtime.compile(&self.plan)?;
        *slot = Some(executable.clone());
        Ok(executable)
    }
}

/// Plans by the hash of their key.
#[derive(Default)]
pub struct PlanCache {
    plans: FxHashMap<u64, Vec<Arc<CachedPlan>>>,
    /// Hashes in the order in which plans were made, for dropping the oldest.
    order: std::collections::VecDeque<u64>,
}

/// Plans that are kept.
const CAPACITY: usize = 512;

impl PlanCache {
    pub fn find(&self, hash: u64, matches: impl Fn(&Segment) -> bool) -> Option<Arc<CachedPlan>> {
        self.plans.get(&hash)?.iter().find(|p| matches(&p.segment)).cloned()
    }

    pub fn insert(&mut self, hash: u64, plan: Arc<CachedPlan>) {
        self.plans.entry(hash).or_default().push(plan);
        self.order.push_back(hash);
        if self.order.len() > CAPACITY
            && let Some(oldest) = self.order.pop_front()
            && let Some(list) = self.plans.get_mut(&oldest)
        {
            list.remove(0);
            if list.is_empty() {
                self.plans.remove(&oldest);
            }
        }
    }

    pub fn clear(&mut self) {
        self.plans.clear();
        self.order.clear();
    }
}

pub(crate) fn internal(what: &str) -> Error {
    Error::internal(format!("planning failed: {what}"))
}
