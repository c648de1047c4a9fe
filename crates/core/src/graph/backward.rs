//! Reverse-mode differentiation: one driver over every op's `vjp`.
//!
//! A pass stops where it meets a custom function of the outside and goes on when its cotangents are handed back, so
//! that nothing here ever calls out.

use super::build::Build;
use super::node::{Alias, Graph, Kind, Val, flag};
use super::rule::Backward;
use crate::error::{Error, Result};
use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;

/// Where gradients go.
#[derive(Clone, Debug)]
pub enum Request {
    /// Into `.grad` of variables, leaves that ask for it and values that retain it.
    Accumulate,
    /// To these values, returned.
    Inputs(Vec<Val>),
}

/// What a pass came to.
#[derive(Debug)]
pub enum Progress {
    /// Gradients of [`Request::Inputs`] in order, `None` where nothing reaches one; empty for `Accumulate`.
    Done(Vec<Option<Val>>),
    /// Custom function `id` must turn these cotangents of its outputs into cotangents of its `inputs` inputs.
    Custom { id: u64, cotangents: Vec<Option<Val>>, inputs: usize },
}

#[derive(Debug)]
pub(crate) struct Pass {
    /// Nodes that lead to a target, newest first.
    pub(super) order: Vec<u32>,
    pub(super) position: usize,
    pub(super) reaching: FxHashSet<u32>,
    pub(super) grads: FxHashMap<Val, Val>,
    pub(super) request: Request,
    pub(super) create_graph: bool,
    /// Clones of checkpointed nodes; themselves where they can't be computed again.
    pub(super) clones: FxHashMap<u32, u32>,
    pub(super) clone_region: u32,
    /// Nodes this pass holds a reference to.
    pub(super) held: Vec<u32>,
}

impl Graph {
    /// Starts a pass from `roots` with cotangents (`None`: one, for roots of a single element).
    pub fn differentiate(
        &mut self,
        roots: &[Val],
        cotangents: &[Option<Val>],
        request: Request,
        create_graph: bool,
    ) -> Result<Progress> {
        let mut pass = self.start_pass(roots, request, create_graph)?;
        if let Err(error) = self.seed(&mut pass, roots, cotangents) {
            for id in pass.held {
                self.release_node(id);
            }
            return Err(error);
        }
        self.passes.push(pass);
        self.run_pass()
    }

    /// Goes on after [`Progress::Custom`] with the cotangents of the function's inputs.
    pub fn resume(&mut self, cotangents: &[Option<Val>]) -> Result<Progress> {
        let Some(pass) = self.passes.last() else {
            return Err(Error::internal("no backward pass is waiting"));
        };
        let node = pass.order[pass.position];
        let inputs: Vec<Val> = self.node(node).inputs[self.node(node).types.len()..].to_vec();
        for (&input, &cotangent) in inputs.iter().zip(cotangents) {
            if let Some(cotangent) = cotangent {
                let (want, got) = (self.ty(input), self.ty(cotangent));
                if want != got {
                    self.abort_pass();
                    return Err(Error::shape(format!(
                        "the custom function's backward returned a gradient of {} {} for an input of {} {}",
                        got.dtype, got.shape, want.dtype, want.shape
                    ))
                    .in_op("customFunction")
                    .expected(want.shape.to_string())
                    .received(got.shape.to_string()));
                }
                self.add_cotangent(input, cotangent)?;
            }
        }
        if let Some(pass) = self.passes.last_mut() {
            pass.position += 1;
        }
        self.run_pass()
    }

    /// Gives up the pass in progress (its custom function threw).
    pub fn abort_pass(&mut self) {
        if let Some(pass) = self.passes.pop() {
            for id in pass.held {
                self.release_node(id);
            }
        }
    }

    /// Runs `body` as library work, with or without gradients.
    pub(crate) fn with_mode<T>(&mut self, grad: bool, body: impl FnOnce(&mut Build<'_>) -> Result<T>) -> Result<T> {
        let (was, region) = (self.grad_enabled, self.region);
        self.grad_enabled = grad;
        self.region = 0;
        self.internal_depth += 1;
        let result = body(&mut Build { graph: self });
        self.internal_depth -= 1;
        self.grad_enabled = was;
        self.region = region;
        result
    }

    fn add_cotangent(&mut self, val: Val, cotangent: Val) -> Result<()> {
        let Some(pass) = self.passes.last() else { return Ok(()) };
        if !pass.reaching.contains(&val.node) {
            return Ok(());
        }
        let create_graph = pass.create_graph;
        let sum = match pass.grads.get(&val).copied() {
            Some(old) => self.with_mode(create_graph, |cx| cx.add(old, cotangent))?,
            None => cotangent,
        };
        self.retain(sum);
        if let Some(pass) = self.passes.last_mut() {
            pass.held.push(sum.node);
            pass.grads.insert(val, sum);
        }
        Ok(())
    }

    fn run_pass(&mut self) -> Result<Progress> {
        match self.advance() {
            Ok(Some(custom)) => Ok(custom),
            Ok(None) => {
                let result = self.finish_pass();
                self.abort_pass();
                result.map(Progress::Done)
            }
            Err(error) => {
                self.abort_pass();
                Err(error)
            }
        }
    }

    fn advance(&mut self) -> Result<Option<Progress>> {
        loop {
            let Some(pass) = self.passes.last() else { return Ok(None) };
            let Some(&id) = pass.order.get(pass.position) else { return Ok(None) };
            let outputs = self.node(id).types.len();
            let cotangents: SmallVec<[Option<Val>; 2]> =
                (0..outputs as u8).map(|out| pass.grads.get(&Val { node: id, out }).copied()).collect();
            if cotangents.iter().any(Option::is_some) {
                if let Kind::Alias(Alias::Custom(custom)) = self.node(id).kind {
                    self.mark_used(id);
                    let inputs = self.node(id).inputs.len() - outputs;
                    return Ok(Some(Progress::Custom { id: custom, cotangents: cotangents.to_vec(), inputs }));
                }
                self.visit(id, &cotangents)?;
            }
            if let Some(pass) = self.passes.last_mut() {
                pass.position += 1;
            }
        }
    }

    /// Applies one node's rule.
    fn visit(&mut self, id: u32, cotangents: &[Option<Val>]) -> Result<()> {
        let kind = self.node(id).kind.clone();
        let inputs: SmallVec<[Val; 3]> = self.node(id).inputs.clone();
        match kind {
            // Of versions only graphed ones have inputs that lead anywhere.
            Kind::Alias(Alias::Identity | Alias::Version(_)) => {
                if let Some(g) = cotangents[0].filter(|_| !self.gradient_inputs(id).is_empty()) {
                    self.add_cotangent(inputs[0], g)?;
                }
            }
            Kind::ToDevice => {
                if let Some(g) = cotangents[0] {
                    let device = self.device_of(inputs[0]);
                    let back = self.with_mode(self.create_graph(), |cx| cx.to_device(g, device))?;
                    self.add_cotangent(inputs[0], back)?;
                }
            }
            Kind::Op(op) => {
                self.mark_used(id);
                let wants: SmallVec<[bool; 4]> = {
                    let Some(pass) = self.passes.last() else { return Ok(()) };
                    inputs.iter().map(|v| pass.reaching.contains(&v.node) && self.requires_grad(*v)).collect()
                };
                if !wants.contains(&true) {
                    return Ok(());
                }
                let (own, device) = (self.node(id).module, self.node(id).device);
                let module = std::mem::replace(&mut self.module, own);
                let create_graph = self.create_graph();
                let vjp = |build: &mut Build<'_>| {
                    let results = smallvec::smallvec![None; inputs.len()];
                    let mut cx = Backward { build: Build { graph: build.graph }, node: id, cotangents, wants, results };
                    op.vjp(&mut cx)?;
                    Ok(cx.results)
                };
                let results = self.on(device, |graph| graph.with_mode(create_graph, vjp));
                self.module = module;
                for (&input, grad) in inputs.iter().zip(results.map_err(|e| e.in_op(op.name()))?) {
                    if let Some(grad) = grad {
                        debug_assert_eq!(self.ty(grad), self.ty(input), "gradient of {}", op.name());
                        self.add_cotangent(input, grad)?;
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn create_graph(&self) -> bool {
        self.passes.last().is_some_and(|p| p.create_graph)
    }

    /// What the node's gradient reads has been used: values held only for it may go after the next evaluation.
    fn mark_used(&mut self, id: u32) {
        self.node_mut(id).flags |= flag::USED;
        for i in 0..self.node(id).inputs.len() {
            let mut input = self.node(id).inputs[i];
            loop {
                self.spend(input.node);
                let node = self.node(input.node);
                match &node.kind {
                    Kind::Op(op) if op.is_view() && !node.inputs.is_empty() => input = node.inputs[0],
                    Kind::Alias(_) if !node.inputs.is_empty() => input = node.inputs[input.out as usize],
                    _ => break,
                }
            }
        }
        self.spend(id);
    }

    fn spend(&mut self, id: u32) {
        let node = self.node(id);
        if node.has(flag::SAVED) {
            let seq = node.seq;
            self.spent.push((id, seq));
        }
    }
}

pub(crate) fn stale_error(variable: &str) -> Error {
    Error::stale(format!(
        "this value was computed from {variable}, which has moved on to a newer value since; call keep() on it before the step to hold it"
    ))
    .expected("a value kept with keep(), or read before the step")
    .received(format!("a recipe that reads an old version of {variable}"))
}
