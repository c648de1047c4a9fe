//! How an evaluation is cut into runs: starting values first, then by device.

use super::node::{Graph, Kind};
use crate::device::Device;
use rustc_hash::FxHashMap;

impl Graph {
    /// Variables' starting values in a run of their own, before everything else: a failure of the first step must not
    /// lose them (S18). A starting value is the first one that anything reads, a later version often being assigned
    /// before any evaluation.
    pub(super) fn starting_values_first(&self, order: &[u32], mut masks: Vec<u32>) -> Vec<(Vec<u32>, Vec<u32>)> {
        let starting: Vec<u32> = self
            .assigned
            .iter()
            .filter_map(|&id| self.var(id).ok())
            .filter(|v| v.starting)
            .filter_map(|v| match v.older.iter().find(|&&(node, _)| self.node(node).consumers > 0) {
                Some(&(read, _)) => Some(read),
                None => v.older.is_empty().then_some(v.current.node),
            })
            .collect();
        if starting.is_empty() {
            return vec![(order.to_vec(), masks)];
        }
        let position: FxHashMap<u32, usize> = order.iter().enumerate().map(|(i, &id)| (id, i)).collect();
        let mut first = vec![false; order.len()];
        let mut stack: Vec<usize> = starting.iter().filter_map(|id| position.get(id).copied()).collect();
        for &p in &stack {
            masks[p] |= 1;
        }
        while let Some(i) = stack.pop() {
            if !std::mem::replace(&mut first[i], true) {
                stack.extend(self.node(order[i]).inputs.iter().filter_map(|v| position.get(&v.node).copied()));
            }
        }
        for i in (0..order.len()).filter(|&i| !first[i]) {
            for input in &self.node(order[i]).inputs {
                if let Some(&p) = position.get(&input.node)
                    && first[p]
                {
                    masks[p] |= 1 << input.out;
                }
            }
        }
        let part = |of: bool| -> (Vec<u32>, Vec<u32>) {
            (0..order.len()).filter(|&i| first[i] == of).map(|i| (order[i], masks[i])).unzip()
        };
        [part(true), part(false)].into_iter().filter(|(nodes, _)| !nodes.is_empty()).collect()
    }

    pub(super) fn single_device(&self, order: &[u32]) -> Option<Device> {
        let device = self.node(*order.first()?).device;
        order
            .iter()
            .all(|&id| self.node(id).device == device && !matches!(self.node(id).kind, Kind::ToDevice))
            .then_some(device)
    }

    /// Splits nodes of several devices into runs and transfers, in order. Values that cross become wanted.
    pub(super) fn stages(&self, order: &[u32], masks: &mut [u32]) -> Vec<(Device, Vec<u32>, Vec<u32>)> {
        let position: FxHashMap<u32, usize> = order.iter().enumerate().map(|(i, &id)| (id, i)).collect();
        // Transfers have odd stages, runs even ones.
        let mut stage = vec![0u32; order.len()];
        for (i, &id) in order.iter().enumerate() {
            let node = self.node(id);
            let transfer = matches!(node.kind, Kind::ToDevice);
            let mut at = u32::from(transfer);
            for input in &node.inputs {
                if let Some(&p) = position.get(&input.node) {
                    let before = stage[p];
                    let next = if transfer { (before + 1) | 1 } else { before + (before & 1) };
                    at = at.max(next);
                    let crosses =
                        transfer || before & 1 == 1 || before != at || self.node(input.node).device != node.device;
                    if crosses {
                        masks[p] |= 1 << input.out;
                    }
                }
            }
            stage[i] = at;
        }
        // A later input may have raised a node's stage after an earlier one was compared.
        for (i, &id) in order.iter().enumerate() {
            for input in &self.node(id).inputs {
                if let Some(&p) = position.get(&input.node)
                    && stage[p] != stage[i]
                {
                    masks[p] |= 1 << input.out;
                }
            }
        }
        let mut groups: Vec<(u32, Device, Vec<u32>, Vec<u32>)> = Vec::new();
        for (i, &id) in order.iter().enumerate() {
            let device = self.node(id).device;
            let transfer = stage[i] & 1 == 1;
            match groups.iter_mut().find(|g| !transfer && g.0 == stage[i] && g.1 == device) {
                Some(group) => {
                    group.2.push(id);
                    group.3.push(masks[i]);
                }
                None => groups.push((stage[i], device, vec![id], vec![masks[i]])),
            }
        }
        groups.sort_by_key(|g| g.0);
        groups.into_iter().map(|(_, device, nodes, masks)| (device, nodes, masks)).collect()
    }
}
