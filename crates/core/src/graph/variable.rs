//! Variables: names that move on from one immutable value to the next (S2).

use super::cell::{Cell, Value};
use super::node::{Alias, Graph, Kind, Val, flag};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::op::TensorType;
use smallvec::smallvec;
use std::sync::Arc;

/// Index of a variable in its graph.
pub type VariableId = u32;

#[derive(Debug)]
pub(crate) struct Variable {
    pub name: Arc<str>,
    /// The newest version's node.
    pub current: Val,
    /// Versions before it that have not been overtaken by an evaluation, each with a reference: (node, seq). Should the
    /// evaluation fail, the variable keeps the last of them.
    pub older: Vec<(u32, u64)>,
    /// When it was made: ids are used again, and a version node older than this belongs to another variable.
    pub born: u64,
    /// When it moved on last, or was made: recipes recorded before read none of its versions, or are stale already.
    pub moved: u64,
    pub requires_grad: bool,
    /// The variable that is this one's `.grad`.
    pub grad: Option<VariableId>,
    /// Whether the newest version awaits evaluation.
    pub pending: bool,
    /// Whether no version has been evaluated yet and the starting value is nothing that a step computes.
    pub starting: bool,
}

impl Graph {
    /// A leaf with a value from outside.
    pub fn leaf(&mut self, ty: TensorType, cell: Arc<Cell>, device: Device, requires_grad: bool) -> Result<Val> {
        if requires_grad && !ty.dtype.is_float() {
            return Err(Error::dtype(format!("only floating-point tensors can require gradients, got {}", ty.dtype))
                .at("requiresGrad")
                .expected("f32 or f64")
                .received(ty.dtype.name()));
        }
        let mut node = self.new_node(Kind::Leaf, smallvec![], smallvec![ty], 0);
        node.device = device;
        node.values[0] = Some(Value { cell, layout: crate::shape::Layout::contiguous(ty.shape) });
        if requires_grad {
            node.flags |= flag::REQUIRES_GRAD | flag::RETAINS_GRAD;
        }
        Ok(Val { node: self.insert(node), out: 0 })
    }

    /// The account that cells of this graph's values are booked to.
    pub fn account(&self) -> &Arc<std::sync::atomic::AtomicI64> {
        &self.account
    }

    /// A variable whose first version is `initial`.
    pub fn variable(&mut self, initial: Val, name: &str, requires_grad: bool) -> Result<VariableId> {
        let ty = self.ty(initial);
        if requires_grad && !ty.dtype.is_float() {
            let name = if name.is_empty() { "a variable" } else { name };
            return Err(Error::dtype(format!(
                "{name} of dtype {} can't require a gradient; make it f32 or f64",
                ty.dtype
            ))
            .at("requiresGrad")
            .expected("f32 or f64")
            .received(ty.dtype.name()));
        }
        self.check_readable(initial)?;
        let id = match self.free_variables.pop() {
            Some(id) => id,
            None => {
                self.variables.push(None);
                (self.variables.len() - 1) as VariableId
            }
        };
        let current = self.version_node(id, initial, requires_grad);
        self.variables[id as usize] = Some(Variable {
            name: Arc::from(name),
            current,
            older: Vec::new(),
            born: self.node(current.node).seq,
            moved: self.node(current.node).seq,
            requires_grad,
            grad: None,
            pending: true,
            starting: true,
        });
        self.assigned.push(id);
        Ok(id)
    }

    fn version_node(&mut self, id: VariableId, source: Val, requires_grad: bool) -> Val {
        let ty = self.ty(source);
        let mut node = self.new_node(Kind::Alias(Alias::Version(id)), smallvec![source], smallvec![ty], 0x5eed_0001);
        node.device = self.device_of(source);
        node.region = 0;
        if requires_grad {
            node.flags |= flag::REQUIRES_GRAD;
        }
        let id = self.insert(node);
        self.node_mut(id).refs += 1;
        self.make_pending(id);
        Val { node: id, out: 0 }
    }

    /// The variable that version node `node` says it belongs to, while that one lives.
    pub(crate) fn variable_of_version(&self, id: VariableId, node: u32) -> Option<&Variable> {
        self.var(id).ok().filter(|v| v.born <= self.node(node).seq)
    }

    /// The value of a node of one output, or of what it is an alias of.
    pub(crate) fn aliased_value(&self, mut id: u32) -> Option<Value> {
        loop {
            let node = self.node(id);
            match (&node.values[0], &node.kind) {
                (Some(value), _) => return Some(value.clone()),
                (None, Kind::Alias(_)) => id = node.inputs.first()?.node,
                (None, _) => return None,
            }
        }
    }

    pub(crate) fn var(&self, id: VariableId) -> Result<&Variable> {
        self.variables
            .get(id as usize)
            .and_then(Option::as_ref)
            .ok_or_else(|| Error::disposed("this variable has been disposed"))
    }

    /// The node of the newest version.
    pub fn current(&self, id: VariableId) -> Result<Val> {
        Ok(self.var(id)?.current)
    }

    pub fn variable_name(&self, id: VariableId) -> Result<Arc<str>> {
        Ok(self.var(id)?.name.clone())
    }

    pub fn set_variable(&mut self, id: VariableId, name: &str, requires_grad: bool) -> Result<()> {
        let variable = self.var(id)?;
        let current = variable.current;
        if requires_grad && !self.ty(current).dtype.is_float() {
            return Err(Error::dtype(format!(
                "{name} can't require a gradient: its dtype isn't a float; make it f32 or f64"
            ))
            .at("requiresGrad")
            .expected("f32 or f64"));
        }
        let node = self.node_mut(current.node);
        node.flags = if requires_grad { node.flags | flag::REQUIRES_GRAD } else { node.flags & !flag::REQUIRES_GRAD };
        if let Some(variable) = self.variables[id as usize].as_mut() {
            variable.name = Arc::from(name);
            variable.requires_grad = requires_grad;
        }
        Ok(())
    }

    /// The variable moves on to `value`, from here on in program order.
    pub fn assign(&mut self, id: VariableId, value: Val) -> Result<()> {
        let variable = self.var(id)?;
        let (old, name, requires_grad) = (variable.current, variable.name.clone(), variable.requires_grad);
        let (was, is) = (self.ty(old), self.ty(value));
        if was.shape != is.shape {
            return Err(Error::shape(format!(
                "{name} has shape {} and can't be assigned a value of shape {}",
                was.shape, is.shape
            ))
            .in_op("assign")
            .at("value")
            .expected(was.shape.to_string())
            .received(is.shape.to_string()));
        }
        if was.dtype != is.dtype {
            return Err(Error::dtype(format!("{name} is {} and can't be assigned a value of {}", was.dtype, is.dtype))
                .in_op("assign")
                .at("value")
                .expected(was.dtype.name())
                .received(is.dtype.name()));
        }
        self.check_readable(value).map_err(|e| e.in_op("assign").at("value"))?;
        let current = self.version_node(id, value, requires_grad);
        let seq = self.node(old.node).seq;
        self.node_mut(old.node).flags |= flag::SUPERSEDED;
        if let Some(variable) = self.variables[id as usize].as_mut() {
            variable.current = current;
            variable.older.retain(|&(n, _)| n != old.node);
            variable.older.push((old.node, seq));
            if !variable.pending {
                variable.pending = true;
                self.assigned.push(id);
            }
        }
        Ok(())
    }

    pub fn free_variable(&mut self, id: VariableId) {
        if let Some(variable) = self.variables.get_mut(id as usize).and_then(Option::take) {
            self.free_variables.push(id);
            self.assigned.retain(|&a| a != id);
            // Pending reads of what it held still complete; nobody can ask for the new version itself.
            self.node_mut(variable.current.node).flags |= flag::SUPERSEDED;
            self.release(variable.current);
            for (node, _) in variable.older {
                self.release_node(node);
            }
            if let Some(grad) = variable.grad {
                self.free_variable(grad);
            }
        }
    }

    /// The `.grad` variable of a variable.
    pub fn grad_of_variable(&self, id: VariableId) -> Result<Option<Val>> {
        match self.var(id)?.grad {
            Some(grad) => Ok(Some(self.current(grad)?)),
            None => Ok(None),
        }
    }

    /// The `.grad` of a leaf or of a value that retains it.
    pub fn grad_of(&self, val: Val) -> Result<Option<Val>> {
        if let Kind::Alias(Alias::Version(variable)) = self.node(val.node).kind
            && !self.node(val.node).has(flag::SUPERSEDED)
            && self.variable_of_version(variable, val.node).is_some()
        {
            return self.grad_of_variable(variable);
        }
        match self.node_grads.get(&val.node) {
            Some(&grad) => Ok(Some(self.current(grad)?)),
            None => Ok(None),
        }
    }

    /// Sets or clears `.grad` of a variable; clearing cancels a pending accumulation.
    pub fn set_grad_of_variable(&mut self, id: VariableId, value: Option<Val>) -> Result<()> {
        let variable = self.var(id)?;
        let (old, name, like) = (variable.grad, variable.name.clone(), variable.current);
        let new = self.replace_grad(old, value, &name, like)?;
        if let Some(variable) = self.variables[id as usize].as_mut() {
            variable.grad = new;
        }
        Ok(())
    }

    pub fn set_grad_of(&mut self, val: Val, value: Option<Val>) -> Result<()> {
        let old = self.node_grads.get(&val.node).copied();
        match self.replace_grad(old, value, "a tensor", val)? {
            Some(grad) => self.node_grads.insert(val.node, grad),
            None => self.node_grads.remove(&val.node),
        };
        Ok(())
    }

    fn replace_grad(
        &mut self,
        old: Option<VariableId>,
        value: Option<Val>,
        name: &str,
        like: Val,
    ) -> Result<Option<VariableId>> {
        let Some(value) = value else {
            if let Some(old) = old {
                self.free_variable(old);
            }
            return Ok(None);
        };
        let (want, got) = (self.ty(like), self.ty(value));
        if want != got {
            return Err(Error::shape(format!(
                "the gradient of {name} must be {} {}, got {} {}",
                want.dtype, want.shape, got.dtype, got.shape
            ))
            .at("grad")
            .expected(want.shape.to_string())
            .received(got.shape.to_string()));
        }
        match old {
            Some(old) => {
                self.assign(old, value)?;
                Ok(Some(old))
            }
            None => {
                let grad = self.variable(value, &format!("{name}.grad"), false)?;
                if let Some(variable) = self.variables[grad as usize].as_mut() {
                    variable.starting = false;
                }
                Ok(Some(grad))
            }
        }
    }

    /// Makes a value that no gradient flows into a leaf that asks for one, or takes that back.
    pub fn set_requires_grad(&mut self, val: Val, on: bool) -> Result<()> {
        let ty = self.ty(val);
        if matches!(self.node(val.node).kind, Kind::Alias(Alias::Version(_)))
            || self.gradient_inputs(val.node).iter().any(|&v| self.requires_grad(v))
        {
            return Err(Error::argument(
                "requiresGrad can be set on leaves only; use detach() to stop a gradient at a computed value",
            )
            .at("requiresGrad")
            .expected("a value that no gradient flows into"));
        }
        if on && !ty.dtype.is_float() {
            return Err(Error::dtype(format!("only floating-point tensors can require gradients, got {}", ty.dtype))
                .at("requiresGrad")
                .expected("f32 or f64")
                .received(ty.dtype.name()));
        }
        let bits = flag::REQUIRES_GRAD | flag::RETAINS_GRAD;
        let node = self.node_mut(val.node);
        node.flags = if on { node.flags | bits } else { node.flags & !bits };
        Ok(())
    }

    pub fn retain_grad(&mut self, val: Val) {
        self.node_mut(val.node).flags |= flag::RETAINS_GRAD;
    }
}
