//! What a backward pass goes through: from its roots, with their cotangents, to what asks for a gradient.

use super::backward::{Pass, Request, stale_error};
use super::node::{Alias, Graph, Kind, Val, flag};
use crate::error::{Error, Result};
use rustc_hash::{FxHashMap, FxHashSet};

impl Graph {
    /// A pass through what lies between the roots and the targets of the request.
    pub(super) fn start_pass(&mut self, roots: &[Val], request: Request, create_graph: bool) -> Result<Pass> {
        for &root in roots {
            if !self.requires_grad(root) {
                return Err(Error::argument(
                    "this value does not depend on anything that requires a gradient (or was computed under noGrad)",
                )
                .at("root")
                .expected("a value computed from parameters or from tensors with requiresGrad"));
            }
        }
        let targets: FxHashSet<u32> = match &request {
            Request::Inputs(inputs) => inputs.iter().map(|v| v.node).collect(),
            Request::Accumulate => FxHashSet::default(),
        };
        let nodes = self.ancestors(roots)?;
        let mut reaching = FxHashSet::default();
        for &id in &nodes {
            let target = match &request {
                Request::Inputs(_) => targets.contains(&id),
                Request::Accumulate => self.accumulates(id),
            };
            if target || self.gradient_inputs(id).iter().any(|v| reaching.contains(&v.node)) {
                reaching.insert(id);
            }
        }
        let order: Vec<u32> = nodes.into_iter().rev().filter(|id| reaching.contains(id)).collect();
        let clone_region = self.next_region;
        self.next_region += 1;
        Ok(Pass {
            order,
            position: 0,
            reaching,
            grads: FxHashMap::default(),
            request,
            create_graph,
            clones: FxHashMap::default(),
            clone_region,
            held: Vec::new(),
        })
    }

    /// Gives the roots their cotangents.
    pub(super) fn seed(&mut self, pass: &mut Pass, roots: &[Val], cotangents: &[Option<Val>]) -> Result<()> {
        for (i, &root) in roots.iter().enumerate() {
            let ty = self.ty(root);
            let cotangent = match cotangents.get(i).copied().flatten() {
                Some(cotangent) => {
                    let got = self.ty(cotangent);
                    if got != ty {
                        return Err(Error::shape(format!(
                            "the gradient given for a {} {} must have its dtype and shape, got {} {}",
                            ty.dtype, ty.shape, got.dtype, got.shape
                        ))
                        .at("gradient")
                        .expected(ty.shape.to_string())
                        .received(got.shape.to_string()));
                    }
                    let (want, got) = (self.device_of(root), self.device_of(cotangent));
                    if want != got {
                        let message =
                            format!("the gradient is on {got}, its value on {want}; move it with to('{want}')");
                        return Err(Error::device(message)
                            .at("gradient")
                            .expected(want.to_string())
                            .received(got.to_string()));
                    }
                    cotangent
                }
                None if ty.shape.size() == 1 => self
                    .on(self.device_of(root), |graph| graph.with_mode(false, |cx| cx.full(1.0, ty.shape, ty.dtype)))?,
                None => {
                    return Err(Error::shape(format!(
                        "backward needs a gradient for a value of shape {}; only a single element has the implicit gradient 1",
                        ty.shape
                    ))
                    .at("gradient")
                    .expected("one element, or an explicit gradient")
                    .received(ty.shape.to_string()));
                }
            };
            if self.node(root.node).is_pending() {
                self.node_mut(root.node).flags |= flag::ROOT;
            }
            let sum = match pass.grads.get(&root).copied() {
                Some(old) => self.with_mode(pass.create_graph, |cx| cx.add(old, cotangent))?,
                None => cotangent,
            };
            pass.grads.insert(root, sum);
            self.retain(sum);
            pass.held.push(sum.node);
            self.retain(root);
            pass.held.push(root.node);
        }
        Ok(())
    }

    /// Inputs through which a gradient flows.
    pub(super) fn gradient_inputs(&self, id: u32) -> &[Val] {
        let node = self.node(id);
        match node.kind {
            Kind::Leaf | Kind::Number(_) | Kind::Free | Kind::Stale(_) => &[],
            Kind::Alias(Alias::Version(_)) if node.has(flag::GRAPHED) => &node.inputs,
            Kind::Alias(Alias::Detach | Alias::Version(_)) => &[],
            Kind::Alias(Alias::Custom(_)) => &node.inputs[node.types.len()..],
            Kind::Op(_) | Kind::ToDevice | Kind::Alias(Alias::Identity) => &node.inputs,
        }
    }

    /// Every node that requires a gradient and leads to the roots, oldest first.
    fn ancestors(&self, roots: &[Val]) -> Result<Vec<u32>> {
        let mut seen: FxHashSet<u32> = FxHashSet::default();
        let mut stack: Vec<u32> = roots.iter().map(|v| v.node).collect();
        let mut nodes = Vec::new();
        while let Some(id) = stack.pop() {
            let node = self.node(id);
            if !node.requires_grad() || !seen.insert(id) {
                continue;
            }
            if let Kind::Stale(name) = &node.kind {
                return Err(stale_error(name).in_module(&self.module_paths[node.module as usize]));
            }
            nodes.push(id);
            stack.extend(self.gradient_inputs(id).iter().map(|v| v.node));
        }
        nodes.sort_unstable_by_key(|&id| self.node(id).seq);
        Ok(nodes)
    }
}
