//! Where a backward pass leaves its gradients.

use super::backward::Request;
use super::node::{Alias, Graph, Kind, Val, flag};
use super::variable::VariableId;
use crate::error::Result;

impl Graph {
    pub(super) fn finish_pass(&mut self) -> Result<Vec<Option<Val>>> {
        let Some(pass) = self.passes.last() else { return Ok(Vec::new()) };
        let create_graph = pass.create_graph;
        match pass.request.clone() {
            Request::Inputs(inputs) => {
                let found: Vec<Option<Val>> = inputs.iter().map(|v| pass.grads.get(v).copied()).collect();
                for &val in found.iter().flatten() {
                    self.node_mut(val.node).flags |= flag::ROOT;
                    self.retain(val);
                }
                Ok(found)
            }
            Request::Accumulate => {
                let mut reached: Vec<(Val, Val)> =
                    pass.grads.iter().filter(|(v, _)| self.accumulates(v.node)).map(|(&v, &g)| (v, g)).collect();
                // Program order, so that equal steps record equal segments.
                reached.sort_unstable_by_key(|(v, _)| (self.node(v.node).seq, v.out));
                for (val, grad) in reached {
                    self.accumulate(val, grad, create_graph)?;
                }
                Ok(Vec::new())
            }
        }
    }

    /// Whether a backward pass leaves its gradient in the node's `.grad`.
    pub(super) fn accumulates(&self, id: u32) -> bool {
        let node = self.node(id);
        let leaf = matches!(node.kind, Kind::Alias(Alias::Version(_))) && !node.has(flag::GRAPHED);
        leaf || node.has(flag::RETAINS_GRAD)
    }

    fn accumulate(&mut self, val: Val, grad: Val, create_graph: bool) -> Result<()> {
        let variable: Option<VariableId> = match self.node(val.node).kind {
            Kind::Alias(Alias::Version(id)) if self.variable_of_version(id, val.node).is_none() => return Ok(()),
            Kind::Alias(Alias::Version(id)) => Some(id),
            _ => None,
        };
        let old = match variable {
            Some(id) => self.grad_of_variable(id)?,
            None => self.grad_of(val)?,
        };
        let sum = match old {
            Some(old) => self.with_mode(create_graph, |cx| cx.add(old, grad))?,
            None => grad,
        };
        match variable {
            Some(id) => self.set_grad_of_variable(id, Some(sum))?,
            None => self.set_grad_of(val, Some(sum))?,
        }
        if create_graph && self.requires_grad(sum) {
            let grad = match variable {
                Some(id) => self.grad_of_variable(id)?,
                None => self.grad_of(val)?,
            };
            if let Some(grad) = grad {
                self.node_mut(grad.node).flags |= flag::GRAPHED | flag::REQUIRES_GRAD;
            }
        }
        Ok(())
    }
}
