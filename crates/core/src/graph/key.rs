//! Encoding the pending segment: its hash, its comparison with a plan's, and its data.

use super::cell::Value;
use super::node::{Graph, Kind, flag};
use crate::device::Datum;
use crate::plan::{Action, DatumInfo, ExternalInfo, Segment, SegmentNode, Source};
use rustc_hash::FxHasher;
use smallvec::SmallVec;
use std::hash::{Hash, Hasher};

/// A run of nodes as a plan sees it, without owning their ops.
pub(crate) struct Encoded {
    pub hash: u64,
    pub nodes: Vec<u32>,
    pub inputs: Vec<SmallVec<[Source; 3]>>,
    pub wanted: Vec<u32>,
    regions: Vec<u32>,
    pub externals: Vec<Value>,
    infos: Vec<ExternalInfo>,
    pub data: Vec<Datum>,
    data_infos: Vec<DatumInfo>,
}

const LOCAL: u32 = 0;
const EXTERNAL: u32 = 1 << 30;
const DATUM: u32 = 2 << 30;

impl Graph {
    /// Encodes `nodes` (oldest first); every input is among them, has a value or is a number.
    pub(crate) fn encode(&mut self, nodes: Vec<u32>, wanted: Vec<u32>) -> Encoded {
        self.evaluation = self.evaluation.wrapping_add(1);
        let stamp = self.evaluation;
        let mut out = Encoded {
            hash: 0,
            inputs: Vec::with_capacity(nodes.len()),
            regions: Vec::with_capacity(nodes.len()),
            nodes,
            wanted,
            externals: Vec::new(),
            infos: Vec::new(),
            data: Vec::new(),
            data_infos: Vec::new(),
        };
        let mut hasher = FxHasher::default();
        let mut regions: Vec<u32> = vec![0];
        // An external has a slot for each output of its node, counted from the node's stamp.
        for i in 0..out.nodes.len() {
            let id = out.nodes[i];
            let inputs = std::mem::take(&mut self.nodes[id as usize].inputs);
            let mut sources: SmallVec<[Source; 3]> = SmallVec::with_capacity(inputs.len());
            for &input in &inputs {
                let node = &mut self.nodes[input.node as usize];
                if node.stamp.0 != stamp {
                    if let Kind::Number(datum) = node.kind {
                        node.stamp = (stamp, DATUM | out.data.len() as u32);
                        let info = DatumInfo { dtype: node.types[0].dtype, key: matches!(datum, Datum::Key { .. }) };
                        info.hash(&mut hasher);
                        out.data.push(datum);
                        out.data_infos.push(info);
                    } else {
                        node.stamp = (stamp, EXTERNAL | out.externals.len() as u32);
                        let outputs =
                            || node.values.iter().zip(&node.types).map(|(v, t)| v.as_ref().map(|v| (v, t.dtype)));
                        let any = outputs().flatten().next();
                        for output in outputs() {
                            // A missing output of a value that exists in part is never an input; it takes a slot all
                            // the same, so that slots can be counted.
                            if let Some((value, dtype)) = output.or(any) {
                                let superseded = node.has(flag::SUPERSEDED);
                                let info = ExternalInfo { dtype, layout: value.layout, superseded };
                                info.hash(&mut hasher);
                                out.externals.push(value.clone());
                                out.infos.push(info);
                            }
                        }
                    }
                }
                let at = node.stamp.1 & !(3 << 30);
                sources.push(match node.stamp.1 & (3 << 30) {
                    LOCAL => Source::Node(at, input.out),
                    EXTERNAL => Source::External(at + u32::from(input.out)),
                    _ => Source::Datum(at),
                });
            }
            let node = &mut self.nodes[id as usize];
            node.inputs = inputs;
            node.stamp = (stamp, LOCAL | i as u32);
            let region = match regions.iter().position(|&r| r == node.region) {
                Some(region) => region,
                None => {
                    regions.push(node.region);
                    regions.len() - 1
                }
            };
            let key = if matches!(node.kind, Kind::Op(_)) { node.key } else { node.types.len() as u64 };
            (key, &sources, out.wanted[i], region).hash(&mut hasher);
            out.inputs.push(sources);
            out.regions.push(region as u32);
        }
        out.hash = hasher.finish();
        out
    }

    /// Whether a plan's segment is this one.
    pub(crate) fn matches(&self, encoded: &Encoded, segment: &Segment) -> bool {
        segment.nodes.len() == encoded.nodes.len()
            && segment.externals == encoded.infos
            && segment.data == encoded.data_infos
            && segment.nodes.iter().enumerate().all(|(i, node)| {
                node.wanted == encoded.wanted[i]
                    && node.types.len() == self.node(encoded.nodes[i]).types.len()
                    && node.region == encoded.regions[i]
                    && node.inputs == encoded.inputs[i]
                    && match (&node.action, &self.node(encoded.nodes[i]).kind) {
                        (Action::Op(a), Kind::Op(b)) => std::sync::Arc::ptr_eq(a, b) || a.same(&**b),
                        (Action::Alias, Kind::Alias(_)) => true,
                        _ => false,
                    }
            })
    }

    /// The segment itself, for a plan to keep.
    pub(crate) fn to_segment(&self, encoded: &Encoded) -> Segment {
        let nodes = (0..encoded.nodes.len())
            .map(|i| {
                let node = self.node(encoded.nodes[i]);
                SegmentNode {
                    action: match &node.kind {
                        Kind::Op(op) => Action::Op(op.clone()),
                        _ => Action::Alias,
                    },
                    inputs: encoded.inputs[i].clone(),
                    types: node.types.clone(),
                    wanted: encoded.wanted[i],
                    region: encoded.regions[i],
                }
            })
            .collect();
        Segment { nodes, externals: encoded.infos.clone(), data: encoded.data_infos.clone() }
    }
}
