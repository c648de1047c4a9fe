//! Which nodes share a loop.
//!
//! Every node gets a level: an elementwise node may share the level of an elementwise producer of the same shape, and a
//! reduction that of its producer; any other edge goes up a level. Groups are the connected components within one
//! level. A path never comes back to a lower level and every edge inside a level stays inside a component, so fusing
//! components can't make a cycle, also where reductions of one level are joined because they read the same value.

use super::merge::Merged;
use super::segment::{Segment, Source};
use super::{PlanOptions, internal};
use crate::error::Result;
use crate::op::Work;
use crate::shape::Shape;
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

/// The most nodes that one loop fuses.
const MAX_FUSED: usize = 48;

/// Steps to emit, in order.
pub(crate) struct Groups {
    pub units: Vec<Unit>,
    /// Nodes without tensor inputs, computed again inside every loop that reads them.
    pub inlined: Vec<bool>,
    /// Elementwise values that must be in memory, as their unit's stores.
    pub stored: Vec<bool>,
}

pub(crate) enum Unit {
    /// A fused loop over `shape`; members in recorded order.
    Loop { shape: Shape, members: Vec<u32> },
    /// Any other node, views excepted.
    Single(u32),
}

/// See the module.
pub(super) struct Levels<'a> {
    pub segment: &'a Segment,
    pub merged: &'a Merged,
    pub options: PlanOptions,
    inlined: Vec<bool>,
    pub level: Vec<u32>,
}

impl<'a> Levels<'a> {
    /// The lowest level of each node.
    fn new(segment: &'a Segment, merged: &'a Merged, options: PlanOptions) -> Result<Levels<'a>> {
        let n = segment.nodes.len();
        let mut levels = Levels { segment, merged, options, inlined: vec![false; n], level: vec![0; n] };
        let read_elsewhere = read_elsewhere(segment, merged);
        for i in (0..n).filter(|&i| merged.used[i] != 0) {
            match &merged.work[i] {
                Some(Work::Elementwise(program)) => {
                    // A fill is read as its number, fused or not.
                    levels.inlined[i] = merged.constant(Source::Node(i as u32, 0)).is_some()
                        || options.fusion
                            && merged.inputs[i].iter().all(|&s| merged.constant(s).is_some())
                            && !(program.is_positional() && read_elsewhere[i]);
                }
                Some(Work::Reduction { .. }) if merged.inputs[i].is_empty() => {
                    return Err(internal("a reduction has no input"));
                }
                _ => {}
            }
            levels.level[i] = levels.lowest(i);
        }
        Ok(levels)
    }

    /// Nodes that a loop node may share a loop with, of those that it reads.
    pub fn partners(&self, i: usize) -> impl Iterator<Item = u32> {
        self.merged.inputs[i].iter().filter_map(move |&source| match source {
            Source::Node(p, _) if self.fuse(p as usize, i) && !self.is_free(source) => Some(p),
            _ => None,
        })
    }

    /// Whether elementwise node `p` may share a loop with its reader `i`.
    fn fuse(&self, p: usize, i: usize) -> bool {
        self.options.fusion
            && matches!(self.merged.work[p], Some(Work::Elementwise(_)))
            && iteration(self.segment, self.merged, i) == Some(self.segment.nodes[p].types[0].shape)
    }

    /// Whether a loop has the value without reading it from anywhere.
    pub fn is_free(&self, source: Source) -> bool {
        matches!(source, Source::Node(p, _) if self.inlined[p as usize]) || self.merged.constant(source).is_some()
    }

    /// The level that a node's inputs leave it.
    fn lowest(&self, i: usize) -> u32 {
        let (is_loop, is_view) = (is_loop(self.merged, i), matches!(self.merged.work[i], Some(Work::View)));
        let after = |&source: &Source| match source {
            Source::Node(..) if is_loop && self.is_free(source) => 0,
            Source::Node(p, _) if is_view || is_loop && self.fuse(p as usize, i) => self.level[p as usize],
            Source::Node(p, _) => self.level[p as usize] + 1,
            _ => 0,
        };
        let lowest = self.merged.inputs[i].iter().map(after).max().unwrap_or(0);
        // Level 0 is for loops.
        lowest.max(u32::from(!is_loop && !is_view))
    }

    /// Lifts elementwise nodes to the level of the one loop that reads them, so that they become part of it, where
    /// that keeps no more values alive meanwhile.
    fn sink(&mut self) {
        for i in (0..self.level.len()).rev().filter(|&i| self.merged.used[i] != 0 && !self.inlined[i]) {
            let computed = self.merged.inputs[i].iter().filter(|s| matches!(s, Source::Node(..)) && !self.is_free(**s));
            if computed.count() <= 1
                && let Some(reader) = self.merged.only_reader(i)
                && self.fuse(i, reader)
            {
                self.level[i] = self.level[i].max(self.level[reader]);
            }
        }
    }

    /// Joins loop nodes of one level. A node that can't join goes up, and what reads it with it.
    fn components(&mut self, pairs: &[(u32, u32)]) -> Components {
        let n = self.level.len();
        let mut components = Components { parent: (0..n as u32).collect(), size: vec![1; n], axes: vec![None; n] };
        for i in (0..n).filter(|&i| self.merged.used[i] != 0) {
            self.level[i] = self.level[i].max(self.lowest(i));
            if !is_loop(self.merged, i) || self.inlined[i] {
                continue;
            }
            let axes = match &self.merged.work[i] {
                Some(Work::Reduction { axes, .. }) => Some(&axes[..]),
                _ => None,
            };
            components.axes[i] = axes.map(<[usize]>::to_vec);
            let own = self.level[i];
            let partners: Vec<u32> = self.partners(i).filter(|&p| self.level[p as usize] == own).collect();
            if !partners.is_empty() && !components.join(i as u32, &partners, axes) {
                self.level[i] += 1;
            }
        }
        for &(i, j) in pairs {
            if self.level[i as usize] == self.level[j as usize] {
                components.join_pair(i, j);
            }
        }
        components
    }
}

fn is_loop(merged: &Merged, i: usize) -> bool {
    matches!(merged.work[i], Some(Work::Elementwise(_) | Work::Reduction { .. }))
}

struct Components {
    parent: Vec<u32>,
    size: Vec<usize>,
    axes: Vec<Option<Vec<usize>>>,
}

impl Components {
    fn find(&mut self, mut i: u32) -> u32 {
        while self.parent[i as usize] != i {
            self.parent[i as usize] = self.parent[self.parent[i as usize] as usize];
            i = self.parent[i as usize];
        }
        i
    }

    /// Joins two reductions' components, unless they reduce over different axes or grow too large.
    fn join_pair(&mut self, a: u32, b: u32) {
        let (a, b) = (self.find(a), self.find(b));
        let size = self.size[a as usize] + self.size[b as usize];
        if a != b && size <= MAX_FUSED && self.axes[a as usize] == self.axes[b as usize] {
            self.parent[a as usize] = b;
            self.size[b as usize] = size;
        }
    }

    /// Joins `node` to the components of `others`, unless they reduce over different axes or grow too large.
    fn join(&mut self, node: u32, others: &[u32], axes: Option<&[usize]>) -> bool {
        let roots: BTreeSet<u32> = others.iter().map(|&o| self.find(o)).collect();
        let mut common: Option<Vec<usize>> = axes.map(<[usize]>::to_vec);
        let mut size = 1;
        for &root in &roots {
            size += self.size[root as usize];
            match (&common, &self.axes[root as usize]) {
                (Some(a), Some(b)) if a != b => return false,
                (None, Some(b)) => common = Some(b.clone()),
                _ => {}
            }
        }
        if size > MAX_FUSED {
            return false;
        }
        for root in roots {
            self.parent[root as usize] = node;
        }
        self.size[node as usize] = size;
        self.axes[node as usize] = common;
        true
    }
}

pub(crate) fn group(segment: &Segment, merged: &Merged, options: PlanOptions) -> Result<Groups> {
    let n = segment.nodes.len();
    let mut levels = Levels::new(segment, merged, options)?;
    levels.sink();
    let pairs = levels.pair();
    let mut components = levels.components(&pairs);
    let inlined = levels.inlined;
    let mut members: Vec<Vec<u32>> = vec![Vec::new(); n];
    for i in 0..n {
        if merged.used[i] != 0 && is_loop(merged, i) && !inlined[i] {
            members[components.find(i as u32) as usize].push(i as u32);
        }
    }
    let mut stored = vec![false; n];
    let mut component: Vec<u32> = (0..n as u32).map(|i| components.find(i)).collect();
    mark_stored(merged, &component, &inlined, &mut stored);
    if let Some(limit) = options.max_slots {
        for group in members.iter_mut().filter(|g| g.len() > 1) {
            if slots(group, merged, &component, &stored) > limit {
                for &m in group.iter() {
                    component[m as usize] = m;
                }
                group.truncate(0);
            }
        }
        for i in 0..n {
            if merged.used[i] != 0
                && is_loop(merged, i)
                && !inlined[i]
                && component[i] == i as u32
                && members[i].is_empty()
            {
                members[i].push(i as u32);
            }
        }
        stored.iter_mut().for_each(|s| *s = false);
        mark_stored(merged, &component, &inlined, &mut stored);
    }
    // An inlined value that somebody outside a loop needs gets a loop of its own.
    for i in 0..n {
        if inlined[i] && merged.used[i] != 0 && stored[i] {
            members[i] = vec![i as u32];
        }
    }
    let mut units = Vec::new();
    let mut unit_of = vec![u32::MAX; n];
    for i in 0..n {
        if !members[i].is_empty() {
            for &m in &members[i] {
                unit_of[m as usize] = units.len() as u32;
            }
            let first = members[i][0] as usize;
            let shape = iteration(segment, merged, first).ok_or_else(|| internal("a loop has no space"))?;
            units.push(Unit::Loop { shape, members: std::mem::take(&mut members[i]) });
        } else if merged.used[i] != 0
            && matches!(merged.work[i], Some(Work::Contraction(_) | Work::Assemble(_) | Work::Kernel))
        {
            unit_of[i] = units.len() as u32;
            units.push(Unit::Single(i as u32));
        } else if matches!(merged.work[i], Some(Work::Composite)) {
            return Err(internal("a composite op was recorded as a node"));
        }
    }
    let order = schedule(&units, &unit_of, merged, &inlined)?;
    let mut units: Vec<Option<Unit>> = units.into_iter().map(Some).collect();
    let units = order.into_iter().filter_map(|u| units[u].take()).collect();
    Ok(Groups { units, inlined, stored })
}

/// Marks elementwise values that are read outside their loop.
fn mark_stored(merged: &Merged, component: &[u32], inlined: &[bool], stored: &mut [bool]) {
    for &(_, _, source) in &merged.wanted {
        if let Source::Node(n, _) = source {
            stored[n as usize] = true;
        }
    }
    for i in 0..component.len() {
        // A view of a number is that number to whoever reads it, and needs no memory under it.
        let view_of_number =
            matches!(merged.work[i], Some(Work::View)) && merged.constant(Source::Node(i as u32, 0)).is_some();
        if merged.used[i] == 0 || merged.work[i].is_none() || view_of_number {
            continue;
        }
        let is_loop = is_loop(merged, i);
        let takes_numbers = is_loop || matches!(merged.work[i], Some(Work::Assemble(_)));
        for &source in &merged.inputs[i] {
            let Source::Node(p, _) = source else { continue };
            let p = p as usize;
            let reads_number = takes_numbers && merged.constant(source).is_some();
            let reads_inside = is_loop && (inlined[p] || component[p] == component[i]);
            stored[p] |= !reads_number && !reads_inside;
        }
    }
}

/// The iteration space of a loop node.
pub(super) fn iteration(segment: &Segment, merged: &Merged, i: usize) -> Option<Shape> {
    match merged.work[i] {
        Some(Work::Elementwise(_)) => Some(segment.nodes[i].types[0].shape),
        Some(Work::Reduction { .. }) => Some(super::merge::type_of(segment, merged.inputs[i][0]).shape),
        _ => None,
    }
}

/// Nodes that anything but a loop over their own shape reads. A value that depends on positions can't be inlined
/// there.
fn read_elsewhere(segment: &Segment, merged: &Merged) -> Vec<bool> {
    let mut elsewhere = vec![false; segment.nodes.len()];
    for i in (0..segment.nodes.len()).filter(|&i| merged.used[i] != 0 && merged.work[i].is_some()) {
        let space = iteration(segment, merged, i);
        for &source in &merged.inputs[i] {
            if let Source::Node(p, out) = source
                && space != Some(segment.nodes[p as usize].types[out as usize].shape)
            {
                elsewhere[p as usize] = true;
            }
        }
    }
    elsewhere
}

/// Slots that a fused loop would touch.
fn slots(group: &[u32], merged: &Merged, component: &[u32], stored: &[bool]) -> usize {
    let mut reads: BTreeSet<Source> = BTreeSet::new();
    let mut writes = 0;
    for &m in group {
        writes += usize::from(stored[m as usize] || matches!(merged.work[m as usize], Some(Work::Reduction { .. })));
        for &source in &merged.inputs[m as usize] {
            let inside = matches!(source, Source::Node(p, _) if component[p as usize] == component[m as usize]);
            if !inside && merged.constant(source).is_none() {
                reads.insert(source);
            }
        }
    }
    reads.len() + writes + 1
}

/// Units in an order that respects their dependencies and otherwise follows the order of recording, in which values
/// live shortest and checkpointed regions stay late.
fn schedule(units: &[Unit], unit_of: &[u32], merged: &Merged, inlined: &[bool]) -> Result<Vec<usize>> {
    let mut readers: Vec<Vec<u32>> = vec![Vec::new(); units.len()];
    let mut waiting = vec![0u32; units.len()];
    let mut key = vec![0u32; units.len()];
    let mut stack: Vec<u32> = Vec::new();
    for (u, unit) in units.iter().enumerate() {
        let members: &[u32] = match unit {
            Unit::Loop { members, .. } => members,
            Unit::Single(i) => std::slice::from_ref(i),
        };
        key[u] = members.iter().copied().max().unwrap_or(0);
        let mut needs: BTreeSet<u32> = BTreeSet::new();
        stack.extend(members);
        while let Some(m) = stack.pop() {
            for &source in &merged.inputs[m as usize] {
                let Source::Node(p, _) = source else { continue };
                let own = unit_of[p as usize];
                if own == u32::MAX || inlined[p as usize] {
                    // A view or an inlined value: what it reads is what counts.
                    if own != u32::MAX && own != u as u32 {
                        needs.insert(own);
                    }
                    stack.push(p);
                } else if own != u as u32 {
                    needs.insert(own);
                }
            }
        }
        waiting[u] = needs.len() as u32;
        for need in needs {
            readers[need as usize].push(u as u32);
        }
    }
    let mut ready: BinaryHeap<Reverse<(u32, u32)>> =
        (0..units.len()).filter(|&u| waiting[u] == 0).map(|u| Reverse((key[u], u as u32))).collect();
    let mut order = Vec::with_capacity(units.len());
    while let Some(Reverse((_, u))) = ready.pop() {
        order.push(u as usize);
        for &reader in &readers[u as usize] {
            waiting[reader as usize] -= 1;
            if waiting[reader as usize] == 0 {
                ready.push(Reverse((key[reader as usize], reader)));
            }
        }
    }
    if order.len() != units.len() {
        return Err(internal("loops depend on each other in a circle"));
    }
    Ok(order)
}
