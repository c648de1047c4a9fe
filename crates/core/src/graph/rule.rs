//! What an op's gradient rule works with.

use super::backward::{Progress, Request};
use super::build::Build;
use super::node::{Graph, Kind, Val, flag};
use crate::error::{Error, Result};
use smallvec::SmallVec;
use std::ops::{Deref, DerefMut};

/// What an op's `vjp` gets: the node's inputs, outputs and cotangents, and a way to record ops.
pub struct Backward<'g> {
    pub(super) build: Build<'g>,
    pub(super) node: u32,
    pub(super) cotangents: &'g [Option<Val>],
    pub(super) wants: SmallVec<[bool; 4]>,
    pub(super) results: SmallVec<[Option<Val>; 4]>,
}

impl<'g> Deref for Backward<'g> {
    type Target = Build<'g>;
    fn deref(&self) -> &Build<'g> {
        &self.build
    }
}
impl DerefMut for Backward<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.build
    }
}

impl Backward<'_> {
    /// Number of inputs of the forward call.
    pub fn inputs(&self) -> usize {
        self.results.len()
    }

    /// Input `i` of the forward call.
    pub fn input(&mut self, i: usize) -> Val {
        let node = self.build.graph.node(self.node);
        let (val, region) = (node.inputs[i], node.region);
        self.build.graph.recomputed(val, region)
    }

    /// Output `i` of the forward call.
    pub fn output(&mut self, i: usize) -> Val {
        let region = self.build.graph.node(self.node).region;
        self.build.graph.recomputed(Val { node: self.node, out: i as u8 }, region)
    }

    /// The cotangent of output `i`, where anything depends on it.
    pub fn gradient(&self, i: usize) -> Option<Val> {
        self.cotangents[i]
    }

    /// Whether anybody needs the gradient of input `i`.
    pub fn wants(&self, i: usize) -> bool {
        self.wants[i]
    }

    /// Sets the gradient of input `i`, which must have its type.
    pub fn set(&mut self, i: usize, grad: Val) {
        self.results[i] = Some(grad);
    }

    /// Sets the gradient of input `i` from one that has the broadcast shape.
    pub fn set_reduced(&mut self, i: usize, grad: Val) -> Result<()> {
        let shape = self.input_type(i).shape;
        let grad = self.build.sum_to(grad, shape)?;
        self.results[i] = Some(grad);
        Ok(())
    }

    /// Type of input `i`, without computing anything again.
    pub fn input_type(&self, i: usize) -> crate::op::TensorType {
        let graph = &self.build.graph;
        graph.ty(graph.node(self.node).inputs[i])
    }

    /// Differentiates the op through its decomposition: for hand-written kernels, whose backward companions are
    /// differentiated again this way (S23). Of the decomposition itself only that is computed which the gradient reads,
    /// and only that must still be readable (S17).
    pub fn through_decomposition(&mut self) -> Result<()> {
        let Kind::Op(op) = self.build.graph.node(self.node).kind.clone() else { return Ok(()) };
        let create_graph = self.build.graph.grad_enabled;
        let sources: Vec<Val> = (0..self.inputs()).map(|i| self.input(i)).collect();
        let (inputs, outputs) = self.build.graph.as_recipes(|build| {
            let mut inputs = Vec::with_capacity(sources.len());
            for (&source, &wanted) in sources.iter().zip(&self.wants) {
                let alias = build.graph.alias(source, false);
                let node = build.graph.node_mut(alias.node);
                node.flags = if wanted { node.flags | flag::REQUIRES_GRAD } else { node.flags & !flag::REQUIRES_GRAD };
                inputs.push(alias);
            }
            let outputs = build.with_grad(|build| op.decompose(build, &inputs));
            (inputs, outputs)
        });
        let outputs =
            outputs?.ok_or_else(|| Error::internal(format!("{} has no decomposition to differentiate", op.name())))?;
        let (roots, cotangents): (Vec<Val>, Vec<Option<Val>>) = outputs
            .iter()
            .zip(self.cotangents)
            .filter(|(v, c)| c.is_some() && self.build.graph.requires_grad(**v))
            .map(|(v, c)| (*v, *c))
            .unzip();
        if roots.is_empty() {
            return Ok(());
        }
        let wanted: Vec<usize> = (0..inputs.len()).filter(|&i| self.wants(i)).collect();
        let targets: Vec<Val> = wanted.iter().map(|&i| inputs[i]).collect();
        let grads = self.build.gradients_of(&roots, &cotangents, &targets, create_graph)?;
        for (i, grad) in wanted.into_iter().zip(grads) {
            self.results[i] = grad;
        }
        Ok(())
    }
}

impl Graph {
    /// Runs `body` with recipes recorded in place of pending nodes: inputs need not be readable, and a value is computed
    /// only if something pending comes to read it, which is checked when that is recorded. The pass in progress holds
    /// them.
    fn as_recipes<T>(&mut self, body: impl FnOnce(&mut Build<'_>) -> T) -> T {
        let outer = self.recipes_only.replace(Vec::new());
        let result = body(&mut Build { graph: self });
        let only = std::mem::replace(&mut self.recipes_only, outer).unwrap_or_default();
        match self.passes.last_mut() {
            Some(pass) => pass.held.extend(only),
            None => only.into_iter().for_each(|id| self.release_node(id)),
        }
        result
    }
}

impl Build<'_> {
    /// Gradients of `roots` towards `inputs`, recorded at once; for rules written as compositions.
    pub fn gradients_of(
        &mut self,
        roots: &[Val],
        cotangents: &[Option<Val>],
        inputs: &[Val],
        create_graph: bool,
    ) -> Result<Vec<Option<Val>>> {
        match self.graph.differentiate(roots, cotangents, Request::Inputs(inputs.to_vec()), create_graph)? {
            Progress::Done(grads) => {
                for &grad in grads.iter().flatten() {
                    // Handed on as part of a larger graph, not as a result that somebody asked to see.
                    self.graph.node_mut(grad.node).flags &= !flag::ROOT;
                    self.graph.release(grad);
                }
                Ok(grads)
            }
            Progress::Custom { .. } => {
                self.graph.abort_pass();
                Err(Error::internal("a decomposition contains a custom function"))
            }
        }
    }

    /// Runs `body` with gradients recorded, whatever the mode around it.
    pub fn with_grad<T>(&mut self, body: impl FnOnce(&mut Build<'_>) -> Result<T>) -> Result<T> {
        let was = std::mem::replace(&mut self.graph.grad_enabled, true);
        let result = body(&mut Build { graph: self.graph });
        self.graph.grad_enabled = was;
        result
    }

    /// `val` as a fresh value that requires a gradient, to differentiate towards.
    pub fn as_variable(&mut self, val: Val) -> Result<Val> {
        self.graph.check_readable(val)?;
        let alias = self.graph.alias(val, false);
        self.graph.node_mut(alias.node).flags |= flag::REQUIRES_GRAD;
        Ok(alias)
    }
}

impl Graph {
    /// `val`, or its copy that a backward pass computes again, where it belongs to the checkpointed `region`.
    pub(super) fn recomputed(&mut self, val: Val, region: u32) -> Val {
        let node = self.node(val.node);
        if region == 0 || node.region != region || !matches!(node.kind, Kind::Op(_)) {
            return val;
        }
        if node.inputs.is_empty() && self.value(val).is_some() {
            // Settled: there is no recipe any more, and none is needed.
            return val;
        }
        if let Some(&clone) = self.passes.last().and_then(|p| p.clones.get(&val.node)) {
            return Val { node: clone, out: val.out };
        }
        let (kind, types, key) = (node.kind.clone(), node.types.clone(), node.key);
        let (device, flags) = (node.device, node.flags & flag::REQUIRES_GRAD);
        let inputs: SmallVec<[Val; 3]> = node.inputs.clone();
        let inputs: SmallVec<[Val; 3]> = inputs.into_iter().map(|v| self.recomputed(v, region)).collect();
        if self.recipes_only.is_none() && inputs.iter().any(|&v| self.check_readable(v).is_err()) {
            // It can't be computed again; whoever reads it gets its value if that is there, else the error.
            if let Some(pass) = self.passes.last_mut() {
                pass.clones.insert(val.node, val.node);
            }
            return val;
        }
        let mut clone = self.new_node(kind, inputs, types, key);
        clone.device = device;
        clone.flags = flags;
        clone.region = self.passes.last().map_or(0, |p| p.clone_region);
        let clone = self.insert(clone);
        self.make_pending(clone);
        if let Some(pass) = self.passes.last_mut() {
            pass.clones.insert(val.node, clone);
        }
        Val { node: clone, out: val.out }
    }
}
