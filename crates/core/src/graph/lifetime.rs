//! References, dispose and what happens when variables move on.

use super::node::{Graph, Kind, NOT_PENDING, Val, flag};
use crate::error::Result;
use std::sync::Arc;

impl Graph {
    /// One more owner of `val`'s node.
    pub fn retain(&mut self, val: Val) {
        self.node_mut(val.node).refs += 1;
    }

    /// One owner less; the node goes with its last one, and so do inputs that only it needed.
    pub fn release(&mut self, val: Val) {
        self.release_node(val.node);
    }

    pub(crate) fn release_node(&mut self, id: u32) {
        let mut work = std::mem::take(&mut self.worklist);
        work.push(id);
        while let Some(id) = work.pop() {
            let node = &mut self.nodes[id as usize];
            debug_assert!(node.refs > 0, "node {id} is released more often than retained");
            node.refs -= 1;
            if node.refs > 0 {
                continue;
            }
            node.values.clear();
            node.types.clear();
            node.seq = 0;
            node.flags = 0;
            let kind = std::mem::replace(&mut node.kind, Kind::Free);
            work.extend(node.inputs.drain(..).map(|v| v.node));
            if let Kind::Alias(super::node::Alias::Custom(custom)) = kind {
                self.freed_customs.push(custom);
            }
            if let Some(grad) = self.node_grads.remove(&id) {
                // The gradient's variable dies with its tensor; its version node is released below.
                if let Some(variable) = self.variables[grad as usize].take() {
                    self.free_variables.push(grad);
                    work.push(variable.current.node);
                    work.extend(variable.older.iter().map(|&(node, _)| node));
                }
            }
            self.free.push(id);
        }
        self.worklist = work;
    }

    /// One more outside handle to `val`'s node.
    pub fn add_handle(&mut self, val: Val) {
        self.node_mut(val.node).handles += 1;
    }

    /// One handle less; returns how many are left.
    pub fn remove_handle(&mut self, val: Val) -> u32 {
        let node = self.node_mut(val.node);
        node.handles -= 1;
        node.handles
    }

    /// Marks a value to be materialised at the next evaluation (S8). Too late, it is computed again then, or the error
    /// says why it can't be.
    pub fn keep(&mut self, val: Val) -> Result<()> {
        if !self.node(val.node).is_pending() && self.value(val).is_none() {
            self.check_recipe(val)?;
            self.kept_late.push((val, self.node(val.node).seq));
        }
        self.node_mut(val.node).flags |= flag::KEEP;
        Ok(())
    }

    /// Ids of custom functions whose nodes are gone since the last call.
    pub fn take_freed_customs(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.freed_customs)
    }

    /// Drops every cached plan (after a switch of how plans are made).
    pub fn forget_plans(&mut self) {
        self.plans.clear();
    }

    /// The module paths that hold the most bytes of values, largest first.
    pub fn largest(&self, count: usize) -> Vec<(String, usize)> {
        let mut by_path: rustc_hash::FxHashMap<u32, usize> = rustc_hash::FxHashMap::default();
        for node in self.nodes.iter().filter(|n| !matches!(n.kind, Kind::Free)) {
            for (value, ty) in node.values.iter().zip(&node.types) {
                if value.is_some() {
                    *by_path.entry(node.module).or_default() += ty.bytes();
                }
            }
        }
        let mut list: Vec<(String, usize)> =
            by_path.into_iter().map(|(m, bytes)| (self.module_paths[m as usize].to_string(), bytes)).collect();
        list.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        list.truncate(count);
        list
    }

    /// Marks a value that a module returned to code outside any module (S6).
    pub fn mark_returned(&mut self, val: Val) {
        let node = self.node_mut(val.node);
        if node.is_pending() {
            node.flags |= flag::RETURNED;
        }
    }

    /// An explicit dispose: the value goes, pending work that needs it still completes, and a pending node that
    /// nothing consumes is dropped from what will be computed.
    pub fn dispose(&mut self, val: Val) {
        let node = self.node_mut(val.node);
        if matches!(node.kind, Kind::Alias(super::node::Alias::Version(_)) | Kind::Number(_)) {
            // A variable's value is the variable's.
            return;
        }
        node.flags |= flag::DISPOSED;
        node.flags &= !(flag::KEEP | flag::RETURNED | flag::SMALL | flag::ROOT | flag::WANTED);
        if !node.is_pending() {
            let seq = node.seq;
            self.disposed.push((val.node, seq));
            if self.pending.is_empty() && self.kept_late.is_empty() {
                self.drop_disposed();
            }
        } else if node.consumers == 0 {
            node.flags |= flag::REMOVED;
            for i in 0..self.node(val.node).inputs.len() {
                let input = self.node(val.node).inputs[i];
                self.node_mut(input.node).consumers -= 1;
            }
        }
    }

    /// Values of disposed nodes that pending work may have needed until now.
    pub(crate) fn drop_disposed(&mut self) {
        for (id, seq) in std::mem::take(&mut self.disposed) {
            let node = self.node_mut(id);
            if node.seq == seq && !node.has(flag::SAVED) {
                node.values.iter_mut().for_each(|v| *v = None);
            }
        }
    }

    /// The variables' older versions have moved on: their values go, and recipes that read them become stale (S16).
    pub(crate) fn move_on(&mut self) {
        /// Now and then all recipes are looked at, for those whose inputs had values when they were last.
        const ALL: u64 = 64;
        let assigned = std::mem::take(&mut self.assigned);
        let mut since = u64::MAX;
        for id in assigned {
            let Some(variable) = self.variables[id as usize].as_mut() else { continue };
            let older = std::mem::take(&mut variable.older);
            variable.pending = false;
            variable.starting = false;
            if !older.is_empty() {
                since = since.min(std::mem::replace(&mut variable.moved, self.next_seq));
            }
            for (node, seq) in older {
                if self.nodes[node as usize].seq == seq {
                    self.nodes[node as usize].flags |= flag::MOVED_ON;
                    self.cut(node);
                    self.nodes[node as usize].values.iter_mut().for_each(|v| *v = None);
                }
                self.release_node(node);
            }
        }
        if since < u64::MAX {
            self.moves += 1;
            self.drop_stale_recipes(if self.moves.is_multiple_of(ALL) { 0 } else { since });
        }
    }

    /// Cuts the edges of every recipe recorded from `since` on that reads, through any number of steps, a version that
    /// has moved on.
    fn drop_stale_recipes(&mut self, since: u64) {
        // From inputs to consumers; they nearly lie like that.
        self.recipes.sort_unstable_by_key(|&(_, seq)| seq);
        let recipes = self.recipes.split_off(self.recipes.partition_point(|&(_, seq)| seq < since));
        let mut stale: Vec<(u32, u64, Arc<str>)> = Vec::new();
        let mut fresh = Vec::new();
        for &(id, seq) in &recipes {
            let node = &self.nodes[id as usize];
            if node.seq != seq || node.inputs.is_empty() {
                continue;
            }
            // A value that is there needs no recipe.
            let missing = node.inputs.iter().filter(|v| self.value(**v).is_none());
            match missing.into_iter().find_map(|v| self.staleness(v.node)) {
                Some(name) => {
                    let kind = std::mem::replace(&mut self.nodes[id as usize].kind, Kind::Stale(name.clone()));
                    if let Kind::Alias(super::node::Alias::Custom(custom)) = kind {
                        self.freed_customs.push(custom);
                    }
                    stale.push((id, seq, name));
                }
                None => fresh.push((id, seq)),
            }
        }
        self.recipes.append(&mut fresh);
        for (id, seq, _) in stale {
            if self.nodes[id as usize].seq == seq {
                self.drop_saved(id);
                self.cut(id);
            }
        }
    }

    /// The variable that makes this node stale, if any.
    pub(crate) fn staleness(&self, id: u32) -> Option<Arc<str>> {
        let node = self.node(id);
        match &node.kind {
            Kind::Stale(name) => Some(name.clone()),
            Kind::Alias(super::node::Alias::Version(variable)) if node.has(flag::MOVED_ON) => Some(
                self.variable_of_version(*variable, id)
                    .filter(|v| !v.name.is_empty())
                    .map_or_else(|| Arc::from("a variable"), |v| v.name.clone()),
            ),
            _ => None,
        }
    }

    /// Drops a node's edges.
    pub(crate) fn cut(&mut self, id: u32) {
        let inputs = std::mem::take(&mut self.node_mut(id).inputs);
        for input in inputs {
            self.release_node(input.node);
        }
    }

    /// Values that were held only for a backward pass go.
    fn drop_saved(&mut self, id: u32) {
        let node = self.node_mut(id);
        if node.has(flag::SAVED) {
            node.flags &= !flag::SAVED;
            if !node.has(flag::REASONS) {
                node.values.iter_mut().for_each(|v| *v = None);
            }
        }
    }

    /// After an evaluation: the segment lets go of its nodes.
    pub(crate) fn release_segment(&mut self, segment: Vec<u32>) {
        for &id in &segment {
            let node = self.node_mut(id);
            node.index = NOT_PENDING;
            if node.has(flag::DISPOSED) && !node.has(flag::SAVED) {
                node.values.iter_mut().for_each(|v| *v = None);
            }
            let seq = node.seq;
            if node.refs > 1 && !node.inputs.is_empty() {
                if node.is_settled() {
                    self.cut(id);
                } else {
                    self.recipes.push((id, seq));
                }
            }
        }
        self.drop_disposed();
        // In reverse, so that a chain is freed from its end without long cascades.
        for &id in segment.iter().rev() {
            self.release_node(id);
        }
        for (id, seq) in std::mem::take(&mut self.spent) {
            if self.node(id).seq == seq {
                self.drop_saved(id);
            }
        }
        if self.recipes.len() > 64 && self.recipes.len() > 4 * self.live_nodes() {
            let nodes = &self.nodes;
            self.recipes.retain(|&(id, seq)| nodes[id as usize].seq == seq && !nodes[id as usize].inputs.is_empty());
        }
    }
}
