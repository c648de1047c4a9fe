//! Aliases resolved, equal nodes merged, dead nodes dropped.

use super::PlanOptions;
use super::segment::{Action, Segment, Source};
use crate::op::Work;
use crate::scalar::Program;
use rustc_hash::{FxHashMap, FxHasher};
use smallvec::SmallVec;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// A segment seen without aliases and duplicates.
pub(crate) struct Merged {
    /// Inputs of each node, resolved.
    pub inputs: Vec<SmallVec<[Source; 3]>>,
    pub work: Vec<Option<Work>>,
    /// Outputs that anything needs, as bit masks; 0 for nodes that don't run.
    pub used: Vec<u32>,
    /// Wanted values: (node, output, where it is computed).
    pub wanted: Vec<(u32, u8, Source)>,
    /// Of each node's first output.
    readers: Vec<Readers>,
}

/// Who reads a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Readers {
    None,
    /// One other node.
    One(u32),
    /// Several, or it is wanted.
    More,
}

impl Readers {
    fn and(self, reader: u32) -> Readers {
        if self == Readers::None || self == Readers::One(reader) { Readers::One(reader) } else { Readers::More }
    }
}

impl Merged {
    /// The node that alone reads this node's first output, where there is one.
    pub fn only_reader(&self, node: usize) -> Option<usize> {
        match self.readers[node] {
            Readers::One(reader) => Some(reader as usize),
            _ => None,
        }
    }

    /// The datum that fills the whole of this value, where it is a constant.
    pub fn constant(&self, source: Source) -> Option<u32> {
        match source {
            Source::Datum(d) => Some(d),
            Source::External(_) => None,
            Source::Node(n, _) => match &self.work[n as usize] {
                Some(Work::Elementwise(p)) if is_fill(p) => match self.inputs[n as usize][0] {
                    Source::Datum(d) => Some(d),
                    _ => None,
                },
                Some(Work::View) => self.constant(self.inputs[n as usize][0]),
                _ => None,
            },
        }
    }
}

fn is_fill(program: &Program) -> bool {
    program.instrs.is_empty() && program.inputs.len() == 1
}

pub(crate) fn merge(segment: &Segment, options: PlanOptions) -> Merged {
    let n = segment.nodes.len();
    // What each node's outputs stand for.
    let mut canonical: Vec<SmallVec<[Source; 1]>> = Vec::with_capacity(n);
    let mut inputs = Vec::with_capacity(n);
    let mut work = Vec::with_capacity(n);
    let mut seen: FxHashMap<u64, Vec<u32>> = FxHashMap::default();
    for (i, node) in segment.nodes.iter().enumerate() {
        let resolved: SmallVec<[Source; 3]> = node
            .inputs
            .iter()
            .map(|&s| match s {
                Source::Node(n, out) => canonical[n as usize][out as usize],
                other => other,
            })
            .collect();
        match &node.action {
            Action::Alias => {
                canonical.push(resolved[..node.types.len()].iter().copied().collect());
                work.push(None);
            }
            Action::Op(op) => {
                let mut hasher = FxHasher::default();
                (op.key(), &resolved, node.region).hash(&mut hasher);
                let same = seen.entry(hasher.finish()).or_default();
                let twin = same.iter().copied().find(|&t| {
                    let other = &segment.nodes[t as usize];
                    options.merge
                        && inputs[t as usize] == resolved
                        && other.region == node.region
                        && matches!(&other.action, Action::Op(o) if Arc::ptr_eq(o, op) || o.same(&**op))
                });
                let target = twin.unwrap_or(i as u32);
                canonical.push((0..node.types.len() as u8).map(|out| Source::Node(target, out)).collect());
                if twin.is_none() {
                    same.push(i as u32);
                    let types: SmallVec<[_; 4]> = node.inputs.iter().map(|&s| type_of(segment, s)).collect();
                    work.push(Some(op.work(&types)));
                } else {
                    work.push(None);
                }
            }
        }
        inputs.push(resolved);
    }
    for (inputs, work) in inputs.iter_mut().zip(&mut work) {
        drop_unread(inputs, work);
    }
    let mut used = vec![0u32; n];
    let mut wanted = Vec::new();
    for (i, node) in segment.nodes.iter().enumerate() {
        for out in 0..node.types.len() as u8 {
            if node.wanted & (1 << out) != 0 {
                let source = canonical[i][out as usize];
                if let Source::Node(n, out) = source {
                    used[n as usize] |= 1 << out;
                }
                wanted.push((i as u32, out, source));
            }
        }
    }
    let mut readers = vec![Readers::None; n];
    for &(_, _, source) in &wanted {
        if let Source::Node(n, 0) = source {
            readers[n as usize] = Readers::More;
        }
    }
    for i in (0..n).rev() {
        if used[i] != 0 {
            for &source in &inputs[i] {
                if let Source::Node(n, out) = source {
                    used[n as usize] |= 1 << out;
                    if out == 0 {
                        readers[n as usize] = readers[n as usize].and(i as u32);
                    }
                }
            }
        }
    }
    Merged { inputs, work, used, wanted, readers }
}

/// Leaves out what an elementwise op names for its gradient alone.
fn drop_unread(inputs: &mut SmallVec<[Source; 3]>, work: &mut Option<Work>) {
    let Some(Work::Elementwise(program)) = work else { return };
    let read: Vec<usize> = (0..inputs.len()).filter(|&i| program.reads(i)).collect();
    if read.len() < inputs.len() {
        Arc::make_mut(program).keep_inputs(&read);
        *inputs = read.iter().map(|&i| inputs[i]).collect();
    }
}

pub(crate) fn type_of(segment: &Segment, source: Source) -> crate::op::TensorType {
    match source {
        Source::Node(n, out) => segment.nodes[n as usize].types[out as usize],
        Source::External(e) => {
            let external = &segment.externals[e as usize];
            crate::op::TensorType { dtype: external.dtype, shape: external.layout.shape }
        }
        Source::Datum(d) => crate::op::TensorType::new(segment.data[d as usize].dtype, []),
    }
}
