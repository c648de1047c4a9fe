//! Evaluation: everything pending becomes jobs, and what structure demands becomes values (S5, S6, S9).

use super::backward::stale_error;
use super::cell::{Cell, Value};
use super::job::{Job, NewVersion, Old, Run, Transfer, lost};
use super::key::Encoded;
use super::node::{Alias, Graph, Kind, Val, flag};
use super::variable::{Variable, VariableId};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::plan::{Bind, PlanOptions, make_plan};
use rustc_hash::FxHashSet;
use std::sync::Arc;

impl Graph {
    /// Makes jobs for everything pending and for `wanted`. Their values are there at once, as cells for the jobs to
    /// fill; the jobs must run in order.
    pub fn evaluate(&mut self, wanted: &[Val]) -> Result<Vec<Job>> {
        let mut missing = Vec::new();
        for &val in wanted {
            if self.value(val).is_some() {
                continue;
            }
            self.node_mut(val.node).flags |= flag::WANTED;
            if !self.node(val.node).is_pending() {
                self.check_recipe(val)?;
                missing.push(val);
            }
        }
        for (val, seq) in std::mem::take(&mut self.kept_late) {
            let node = self.node(val.node);
            if node.seq == seq && self.value(val).is_none() && !node.has(flag::DISPOSED) {
                missing.push(val);
            }
        }
        if self.pending.is_empty() && missing.is_empty() {
            self.drop_disposed();
            return Ok(Vec::new());
        }
        self.counters.evaluations += 1;
        let segment = std::mem::take(&mut self.pending);
        self.pending_bytes = 0;
        let order = self.with_recipes(&segment, missing);
        let masks = self.wanted_masks(&order);
        let mut jobs = Vec::new();
        for (nodes, mut masks) in self.starting_values_first(&order, masks) {
            let stages = match self.single_device(&nodes) {
                Some(device) => vec![(device, nodes, masks)],
                None => self.stages(&nodes, &mut masks),
            };
            for (device, nodes, masks) in stages {
                let made = match self.node(nodes[0]).kind {
                    Kind::ToDevice => self.make_transfer(nodes[0], device),
                    _ => self.make_run(&nodes, &masks, device),
                };
                match made {
                    Ok(job) => jobs.extend(job),
                    Err(error) => jobs.push(self.refuse(&nodes, &masks, error)),
                }
            }
        }
        self.counters.evaluated += order.len() as u64;
        self.drop_unasked(&order);
        self.release_segment(segment);
        self.numbers.clear();
        for id in std::mem::take(&mut self.made_numbers) {
            self.release_node(id);
        }
        self.move_on();
        Ok(jobs)
    }

    /// A value that is neither there nor pending can be computed again, or the error says why not.
    pub(crate) fn check_recipe(&self, val: Val) -> Result<()> {
        let mut stack = vec![val];
        let mut seen = FxHashSet::default();
        while let Some(val) = stack.pop() {
            let id = val.node;
            let node = self.node(id);
            let to_come = node.is_pending() && !node.has(flag::REMOVED);
            if !seen.insert(val) || to_come || self.value(val).is_some() {
                continue;
            }
            if let Some(name) = self.staleness(id) {
                return Err(stale_error(&name).in_module(&self.module_paths[node.module as usize]));
            }
            match node.kind {
                Kind::Number(_) => {}
                _ if node.has(flag::DISPOSED) => {
                    return Err(Error::disposed("this value needs a tensor that has been disposed")
                        .expected("a live tensor")
                        .received("a disposed one"));
                }
                Kind::Leaf | Kind::Free => return Err(Error::internal("a leaf has no value")),
                _ => stack.extend(&node.inputs),
            }
        }
        Ok(())
    }

    /// The segment without what was disposed, and the recipes that must be followed, oldest first.
    fn with_recipes(&self, segment: &[u32], mut stack: Vec<Val>) -> Vec<u32> {
        let live = segment.iter().copied().filter(|&id| !self.node(id).has(flag::REMOVED));
        let mut again: Vec<u32> = Vec::new();
        let mut seen = FxHashSet::default();
        for id in live.clone() {
            stack.extend(self.node(id).inputs.iter().filter(|&&v| self.needs_computing(v)));
        }
        while let Some(Val { node: id, .. }) = stack.pop() {
            if seen.insert(id) {
                again.push(id);
                stack.extend(self.node(id).inputs.iter().filter(|&&v| self.needs_computing(v)));
            }
        }
        let followed = !again.is_empty();
        again.extend(live);
        if followed {
            // A recipe may read what is pending.
            again.sort_unstable_by_key(|&id| self.node(id).seq);
        }
        again
    }

    fn needs_computing(&self, val: Val) -> bool {
        let node = self.node(val.node);
        !node.is_pending() && !matches!(node.kind, Kind::Number(_)) && self.value(val).is_none()
    }

    /// Which outputs of each node must exist afterwards, as bit masks.
    fn wanted_masks(&mut self, order: &[u32]) -> Vec<u32> {
        let mut saved: FxHashSet<Val> = FxHashSet::default();
        for &id in order {
            let node = self.node(id);
            if !node.requires_grad() || node.has(flag::USED) || !node.is_pending() {
                continue;
            }
            let Kind::Op(op) = &node.kind else { continue };
            if node.region != 0 {
                // Computed again from what enters the region.
                let entering = node.inputs.iter().filter(|v| self.node(v.node).region != node.region);
                saved.extend(entering.filter_map(|&v| self.unviewed(v)));
                continue;
            }
            let mask = op.saved();
            for (i, &input) in node.inputs.iter().enumerate() {
                if mask.inputs & (1 << i.min(31)) != 0 {
                    saved.extend(self.unviewed(input));
                }
            }
            for out in 0..node.types.len() {
                if mask.outputs & (1 << out) != 0 {
                    saved.insert(Val { node: id, out: out as u8 });
                }
            }
        }
        let mut masks = Vec::with_capacity(order.len());
        for &id in order {
            let node = self.node(id);
            let all = (1u32 << node.types.len()) - 1;
            let is_version = matches!(node.kind, Kind::Alias(Alias::Version(_)));
            let frontier = node.is_pending() && node.consumers == 0 && !node.has(flag::DISPOSED) && !is_version;
            let version = is_version && !node.has(flag::SUPERSEDED);
            let mut mask = if frontier || version || node.has(flag::REASONS) { all } else { 0 };
            if is_version && node.has(flag::SUPERSEDED) && !node.has(flag::KEEP | flag::WANTED) {
                mask = 0;
            }
            for out in 0..node.types.len() as u8 {
                if mask & (1 << out) == 0 && saved.contains(&Val { node: id, out }) {
                    mask |= 1 << out;
                    self.node_mut(id).flags |= flag::SAVED;
                }
            }
            masks.push(mask);
        }
        masks
    }

    /// What a view looks at; `None` where that is a leaf, a number or a value that exists.
    fn unviewed(&self, mut val: Val) -> Option<Val> {
        loop {
            let node = self.node(val.node);
            match &node.kind {
                Kind::Op(op) if op.is_view() && !node.inputs.is_empty() => val = node.inputs[0],
                Kind::Alias(_) if !node.inputs.is_empty() => val = node.inputs[val.out as usize],
                Kind::Op(_) | Kind::ToDevice => return self.value(val).is_none().then_some(val),
                _ => return None,
            }
        }
    }

    fn make_transfer(&mut self, id: u32, device: Device) -> Result<Option<Job>> {
        let source = self.node(id).inputs[0];
        let ty = self.ty(source);
        let value = self.value(source).cloned().ok_or_else(|| Error::internal("a transfer has no source"))?;
        let from = self.runtime(self.device_of(source))?;
        let to = self.runtime(device)?;
        let target = Cell::new(ty.bytes(), &self.account);
        self.node_mut(id).values[0] =
            Some(Value { cell: target.clone(), layout: crate::shape::Layout::contiguous(ty.shape) });
        let Value { cell: source, layout } = value;
        Ok(Some(Job::Transfer(Transfer { from, to, source, layout, dtype: ty.dtype, target })))
    }

    /// Plans nodes of one device (or finds their plan) and binds it; `None` where there is nothing to run. On failure
    /// nothing has been bound.
    fn make_run(&mut self, nodes: &[u32], masks: &[u32], device: Device) -> Result<Option<Job>> {
        let runtime = self.runtime(device)?;
        let encoded = self.encode(nodes.to_vec(), masks.to_vec());
        let hash = encoded.hash
            ^ match device {
                Device::Cpu => 0,
                Device::Gpu(n) => 0x9e37_79b9_7f4a_7c15 ^ u64::from(n),
            };
        let plan = match self.plans.find(hash, |segment| self.matches(&encoded, segment)) {
            Some(plan) => {
                self.counters.plans_hit += 1;
                plan
            }
            None => {
                let options = PlanOptions {
                    fusion: self.fusion,
                    reuse: self.reuse,
                    merge: true,
                    max_slots: runtime.max_slots(),
                    channels_last: self.channels_last && runtime.channels_last(),
                    bands: (self.fusion && runtime.runs_bands()).then_some(self.bands),
                };
                let plan = Arc::new(make_plan(self.to_segment(&encoded), options)?);
                self.counters.plans_made += 1;
                self.counters.planned_nodes += encoded.nodes.len() as u64;
                self.plans.insert(hash, plan.clone());
                plan
            }
        };
        self.counters.steps += plan.plan.steps.len() as u64;
        let version = |graph: &Graph, node: u32| match graph.node(encoded.nodes[node as usize]).kind {
            Kind::Alias(Alias::Version(variable)) => Some(variable),
            _ => None,
        };
        // A version has a cell of its own, which can be given the old version should the job fail. Whoever comes first
        // is booked for the bytes.
        let mut bytes = vec![0; plan.plan.outputs];
        for slot in &plan.plan.slots {
            if let crate::plan::Home::Output(o) = slot.home {
                bytes[o] = slot.elements * slot.dtype.size();
            }
        }
        let mut booked = vec![0; plan.plan.outputs];
        for &(node, _, bind) in &plan.binds {
            if let (Bind::Output(o, _), None) = (bind, version(self, node)) {
                booked[o] = std::mem::take(&mut bytes[o]);
            }
        }
        let outputs: Vec<Arc<Cell>> = booked.iter().map(|&b| Cell::new(b, &self.account)).collect();
        let mut versions = Vec::new();
        for &(node, out, bind) in &plan.binds {
            let value = match (bind, version(self, node)) {
                (Bind::External(e, layout), _) => Value { cell: encoded.externals[e].cell.clone(), layout },
                (Bind::Output(o, layout), None) => Value { cell: outputs[o].clone(), layout },
                (Bind::Output(output, layout), Some(variable)) => {
                    let new = Value { cell: Cell::new(std::mem::take(&mut bytes[output]), &self.account), layout };
                    let (name, old) = self.old_version(variable, encoded.nodes[node as usize], &encoded);
                    let dtype = self.node(encoded.nodes[node as usize]).types[0].dtype;
                    versions.push(NewVersion { output, new: new.clone(), dtype, name, old });
                    new
                }
            };
            self.node_mut(encoded.nodes[node as usize]).values[out as usize] = Some(value);
        }
        if plan.plan.steps.is_empty() && plan.plan.outputs == 0 {
            return Ok(None);
        }
        let profile = self.profile.clone().map(|profile| {
            let module = |&node: &u32| self.node(encoded.nodes[node as usize]).module;
            let path = |node: &u32| self.module_paths[module(node) as usize].clone();
            (profile, plan.plan.origins.iter().map(path).collect())
        });
        let Encoded { externals, data, .. } = encoded;
        let externals = externals.into_iter().map(|v| v.cell).collect();
        Ok(Some(Job::Run(Run { plan, runtime, externals, data, outputs, versions, profile })))
    }

    /// Where the version before the pending one is, in case the job fails.
    fn old_version(&self, variable: VariableId, node: u32, encoded: &Encoded) -> (String, Old) {
        let Some(state) = self.variable_of_version(variable, node) else {
            return ("a variable".to_owned(), Old::Gone);
        };
        let old = match self.value_before(state) {
            None => Old::Gone,
            Some(value) => match encoded.externals.iter().position(|e| Arc::ptr_eq(&e.cell, &value.cell)) {
                Some(index) => Old::External(index, value.layout),
                None => Old::Cell(value),
            },
        };
        (state.name.to_string(), old)
    }

    /// The last value that a variable had before the newest version.
    fn value_before(&self, variable: &Variable) -> Option<Value> {
        let older = variable.older.iter().rev().filter(|&&(node, seq)| self.node(node).seq == seq);
        older.into_iter().find_map(|&(node, _)| self.aliased_value(node))
    }

    /// These nodes could not be planned: what should have been materialised holds the error, and variables keep what
    /// they had (S18).
    fn refuse(&mut self, nodes: &[u32], masks: &[u32], error: Error) -> Job {
        let failed = |graph: &Graph, id: u32, out: usize, error: Error| {
            let cell = Cell::new(0, &graph.account);
            cell.fail(error);
            Value { cell, layout: crate::shape::Layout::contiguous(graph.node(id).types[out].shape) }
        };
        let mut values = Vec::new();
        for (&id, &mask) in nodes.iter().zip(masks) {
            for out in (0..self.node(id).types.len()).filter(|out| mask & (1 << out) != 0) {
                let variable = match self.node(id).kind {
                    Kind::Alias(Alias::Version(variable)) => self.variable_of_version(variable, id),
                    _ => None,
                };
                // A version of a value that exists needs no plan.
                let value = match variable {
                    Some(variable) => self
                        .aliased_value(id)
                        .or_else(|| self.value_before(variable))
                        .unwrap_or_else(|| failed(self, id, out, lost(&variable.name, &error))),
                    None => failed(self, id, out, error.clone()),
                };
                values.push((id, out, value));
            }
        }
        // Only now, so that no version is taken for one that exists.
        for (id, out, value) in values {
            self.node_mut(id).values[out].get_or_insert(value);
        }
        Job::Refused(error)
    }

    /// Values that were made only to cross between devices go again.
    fn drop_unasked(&mut self, order: &[u32]) {
        let reasons = flag::REASONS | flag::SAVED;
        for &id in order {
            let node = self.node(id);
            let is_version = matches!(node.kind, Kind::Alias(Alias::Version(_)));
            if !node.has(reasons) && !is_version && node.consumers > 0 && node.values.iter().any(Option::is_some) {
                self.node_mut(id).values.iter_mut().for_each(|v| *v = None);
            }
        }
    }
}
