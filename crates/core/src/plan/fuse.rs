//! Fused loops from the nodes that share them.

use super::emit::{Emitter, operand, push};
use super::ir::{LoopNest, Operand, Reduce, Reductions, SlotId, Step, Store, View};
use super::merge::type_of;
use super::segment::Source;
use super::{internal, layout};
use crate::dtype::DType;
use crate::error::Result;
use crate::op::{Monoid, Work};
use crate::scalar::{Prim, Program, ValueId};
use crate::shape::{Layout, Shape};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

/// Values of the loop being emitted.
struct Body {
    /// Program inputs by what they read.
    operands: FxHashMap<Source, ValueId>,
    /// Results of members and inlined nodes.
    values: FxHashMap<Source, ValueId>,
}

impl Body {
    fn value(&self, source: Source) -> Result<ValueId> {
        self.operands
            .get(&source)
            .or_else(|| self.values.get(&source))
            .copied()
            .ok_or_else(|| internal("a loop reads a value that it doesn't have"))
    }
}

impl Emitter<'_> {
    /// The members' programs as one, over `shape`, with stores of what is read elsewhere and reductions.
    pub fn emit_loop(&mut self, shape: Shape, members: &[u32]) -> Result<()> {
        let mut nest = LoopNest {
            shape,
            operands: Vec::new(),
            program: Program::default(),
            stores: Vec::new(),
            reductions: Reductions::default(),
        };
        let mut body = Body { operands: FxHashMap::default(), values: FxHashMap::default() };
        for &m in members {
            self.declare(m as usize, shape, members, &mut nest, &mut body)?;
        }
        for &m in members {
            self.append(m as usize, &mut nest, &mut body)?;
        }
        let lies = if self.options.channels_last { layout::of_loop(&nest) } else { Layout::contiguous(shape) };
        let store = |output: usize, slot: SlotId| Store { output, slot, strides: lies.strides, offset: 0 };
        let mut label = String::new();
        for &m in members {
            let node = m as usize;
            let ty = self.segment.nodes[node].types[0];
            let own = Source::Node(m, 0);
            if !label.is_empty() {
                label.push('+');
            }
            label.push_str(self.name(node));
            match &self.merged.work[node] {
                Some(Work::Reduction { axes, monoid }) => {
                    let value = body.value(self.merged.inputs[node][0])?;
                    let slot = self.slot(ty.dtype, ty.shape.size());
                    if axes.is_empty() {
                        let value = if matches!(monoid, Monoid::ArgMax | Monoid::ArgMin) {
                            push(&mut nest.program, Prim::Const(0), DType::I32, [0; 3])
                        } else {
                            value
                        };
                        nest.program.outputs.push(value);
                        nest.stores.push(store(nest.program.outputs.len() - 1, slot));
                        self.places.insert(own, View { slot, layout: lies });
                    } else {
                        nest.program.outputs.push(value);
                        nest.reductions.axes = axes.to_vec();
                        nest.reductions.items.push(Reduce {
                            output: nest.program.outputs.len() - 1,
                            monoid: *monoid,
                            slot,
                        });
                        self.places.insert(own, View { slot, layout: Layout::contiguous(ty.shape) });
                    }
                }
                _ if self.groups.stored[node] => {
                    let value = body.value(own)?;
                    let slot = self.slot(ty.dtype, ty.shape.size());
                    nest.program.outputs.push(value);
                    nest.stores.push(store(nest.program.outputs.len() - 1, slot));
                    self.places.insert(own, View { slot, layout: lies });
                }
                _ => {}
            }
        }
        nest.program = nest.program.simplified();
        self.push(Step::Loop(nest), label);
        Ok(())
    }

    /// Declares the program inputs that member `node` reads from outside the loop.
    fn declare(
        &mut self,
        node: usize,
        shape: Shape,
        members: &[u32],
        nest: &mut LoopNest,
        body: &mut Body,
    ) -> Result<()> {
        for i in 0..self.merged.inputs[node].len() {
            let source = self.merged.inputs[node][i];
            if body.operands.contains_key(&source) {
                continue;
            }
            let dtype = type_of(self.segment, source).dtype;
            let operand = if let Some(d) = self.merged.constant(source) {
                if self.segment.data[d as usize].key { Operand::Key(d as usize) } else { Operand::Scalar(d as usize) }
            } else {
                if let Source::Node(p, _) = source {
                    if self.groups.inlined[p as usize] {
                        self.declare(p as usize, shape, members, nest, body)?;
                        continue;
                    }
                    if members.binary_search(&p).is_ok()
                        && matches!(self.merged.work[p as usize], Some(Work::Elementwise(_)))
                    {
                        continue;
                    }
                }
                let view = self.place(source)?;
                let layout = view.layout.broadcast_to(shape).ok_or_else(|| internal("an operand doesn't broadcast"))?;
                operand(&View { slot: view.slot, layout })
            };
            let existing =
                nest.operands.iter().zip(&nest.program.inputs).position(|(o, d)| *o == operand && *d == dtype);
            let id = existing.unwrap_or_else(|| {
                nest.operands.push(operand);
                nest.program.inputs.push(dtype);
                nest.operands.len() - 1
            });
            body.operands.insert(source, id as ValueId);
        }
        Ok(())
    }

    /// Appends member `node`'s program.
    fn append(&mut self, node: usize, nest: &mut LoopNest, body: &mut Body) -> Result<()> {
        let own = Source::Node(node as u32, 0);
        if body.values.contains_key(&own) {
            return Ok(());
        }
        for i in 0..self.merged.inputs[node].len() {
            if let Source::Node(p, _) = self.merged.inputs[node][i]
                && !body.operands.contains_key(&self.merged.inputs[node][i])
                && self.groups.inlined[p as usize]
            {
                self.append(p as usize, nest, body)?;
            }
        }
        if let Some(Work::Elementwise(program)) = &self.merged.work[node] {
            let bindings: SmallVec<[ValueId; 4]> =
                self.merged.inputs[node].iter().map(|&s| body.value(s)).collect::<Result<_>>()?;
            let outputs = nest.program.append(program, &bindings);
            body.values.insert(own, outputs[0]);
        }
        Ok(())
    }
}
