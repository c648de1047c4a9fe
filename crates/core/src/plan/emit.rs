//! Steps over slots from grouped nodes.

use super::group::{Groups, Unit};
use super::ir::{Home, KernelStep, LoopNest, Operand, Plan, Reduce, Reductions, Slot, SlotId, Step, Store, View};
use super::merge::{Merged, type_of};
use super::segment::{Action, Bind, Binds, Segment, Source};
use super::{PlanOptions, internal, layout};
use crate::dtype::DType;
use crate::error::Result;
use crate::op::{Assemble, Monoid, TensorType, Work};
use crate::scalar::{Instr, Prim, Program, ValueId};
use crate::shape::{Layout, Shape};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

/// A view whose base is this many times larger is copied when it must outlive the run.
const SMALL_VIEW: usize = 4;

struct Emitter<'a> {
    segment: &'a Segment,
    merged: &'a Merged,
    groups: &'a Groups,
    options: PlanOptions,
    plan: Plan,
    /// Where values that have been placed lie.
    places: FxHashMap<Source, View>,
}

/// Emits the plan; slots have no home yet but for externals and outputs.
pub(crate) fn emit(segment: &Segment, merged: &Merged, groups: &Groups, options: PlanOptions) -> Result<(Plan, Binds)> {
    let mut plan = Plan { externals: segment.externals.len(), ..Plan::default() };
    for (i, external) in segment.externals.iter().enumerate() {
        plan.slots.push(Slot { dtype: external.dtype, elements: external.layout.end(), home: Home::External(i) });
    }
    let mut emitter = Emitter { segment, merged, groups, options, plan, places: FxHashMap::default() };
    for unit in &groups.units {
        match unit {
            Unit::Loop { shape, members } => emitter.emit_loop(*shape, members)?,
            Unit::Single(i) => emitter.emit_single(*i as usize)?,
        }
    }
    let binds = emitter.bind_wanted()?;
    Ok((emitter.plan, binds))
}

impl Emitter<'_> {
    fn slot(&mut self, dtype: DType, elements: usize) -> SlotId {
        // The arena offset is set when memory is assigned.
        self.plan.slots.push(Slot { dtype, elements, home: Home::Arena(0) });
        self.plan.slots.len() - 1
    }

    fn push(&mut self, step: Step, label: String) {
        self.plan.steps.push(step);
        self.plan.labels.push(label);
    }

    fn name(&self, node: usize) -> &'static str {
        match &self.segment.nodes[node].action {
            Action::Op(op) => op.name(),
            Action::Alias => "alias",
        }
    }

    /// Where a value lies, copying or filling where a view or a number has to become memory.
    fn place(&mut self, source: Source) -> Result<View> {
        if let Some(&view) = self.places.get(&source) {
            return Ok(view);
        }
        let view = match source {
            Source::External(e) => View { slot: e as usize, layout: self.segment.externals[e as usize].layout },
            Source::Datum(d) => self.fill(d, type_of(self.segment, source))?,
            Source::Node(n, _) => match (&self.merged.work[n as usize], self.merged.constant(source)) {
                (_, Some(d)) => self.fill(d, type_of(self.segment, source))?,
                (Some(Work::View), None) => {
                    let base = self.place(self.merged.inputs[n as usize][0])?;
                    let Action::Op(op) = &self.segment.nodes[n as usize].action else {
                        return Err(internal("a view is no op"));
                    };
                    match op.view(&base.layout) {
                        Some(layout) => View { slot: base.slot, layout },
                        None => {
                            let copy = self.copy(base, type_of(self.segment, self.merged.inputs[n as usize][0]))?;
                            let layout = op
                                .view(&copy.layout)
                                .ok_or_else(|| internal("a view of a contiguous value needs a copy"))?;
                            View { slot: copy.slot, layout }
                        }
                    }
                }
                _ => return Err(internal(&format!("{} is read before it is computed", self.name(n as usize)))),
            },
        };
        self.places.insert(source, view);
        Ok(view)
    }

    /// A row-major copy.
    fn copy(&mut self, from: View, ty: TensorType) -> Result<View> {
        let slot = self.slot(ty.dtype, ty.shape.size());
        let nest = LoopNest {
            shape: ty.shape,
            operands: vec![operand(&from)],
            program: identity(ty.dtype),
            stores: vec![store(0, slot, ty.shape)],
            reductions: Reductions::default(),
        };
        self.push(Step::Loop(nest), "copy".into());
        Ok(View { slot, layout: Layout::contiguous(ty.shape) })
    }

    fn fill(&mut self, datum: u32, ty: TensorType) -> Result<View> {
        let slot = self.slot(ty.dtype, ty.shape.size());
        let nest = LoopNest {
            shape: ty.shape,
            operands: vec![Operand::Scalar(datum as usize)],
            program: identity(ty.dtype),
            stores: vec![store(0, slot, ty.shape)],
            reductions: Reductions::default(),
        };
        self.push(Step::Loop(nest), "fill".into());
        Ok(View { slot, layout: Layout::contiguous(ty.shape) })
    }

    fn emit_loop(&mut self, shape: Shape, members: &[u32]) -> Result<()> {
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

    fn emit_single(&mut self, node: usize) -> Result<()> {
        let inputs = self.merged.inputs[node].clone();
        let types = self.segment.nodes[node].types.clone();
        let used = self.merged.used[node];
        let label = self.name(node).to_owned();
        match self.merged.work[node].clone() {
            Some(Work::Contraction(mut contraction)) => {
                let layout = if self.options.channels_last {
                    layout::of_contraction(&mut contraction, types[0].shape)
                } else {
                    Layout::contiguous(types[0].shape)
                };
                let (a, b) = (self.place(inputs[0])?, self.place(inputs[1])?);
                let out = self.slot(types[0].dtype, types[0].shape.size());
                self.push(Step::Contract { contraction, a, b, out }, label);
                self.places.insert(Source::Node(node as u32, 0), View { slot: out, layout });
            }
            Some(Work::Assemble(assemble)) => self.emit_assemble(node, &inputs, types[0], &assemble, &label)?,
            Some(Work::Kernel) => {
                let views = inputs.iter().map(|&s| self.place(s)).collect::<Result<Vec<_>>>()?;
                let input_types = inputs.iter().map(|&s| type_of(self.segment, s)).collect();
                let mut outputs = Vec::with_capacity(types.len());
                for (out, ty) in types.iter().enumerate() {
                    if used & (1 << out) == 0 {
                        outputs.push(None);
                        continue;
                    }
                    let slot = self.slot(ty.dtype, ty.shape.size());
                    outputs.push(Some(slot));
                    self.places.insert(
                        Source::Node(node as u32, out as u8),
                        View { slot, layout: Layout::contiguous(ty.shape) },
                    );
                }
                let Action::Op(op) = &self.segment.nodes[node].action else {
                    return Err(internal("a kernel is no op"));
                };
                let step =
                    KernelStep { op: op.clone(), inputs: views, input_types, outputs, output_types: types.to_vec() };
                self.push(Step::Kernel(step), label);
            }
            _ => return Err(internal("a node of unknown work")),
        }
        Ok(())
    }

    fn emit_assemble(
        &mut self,
        node: usize,
        inputs: &[Source],
        ty: TensorType,
        assemble: &Assemble,
        label: &str,
    ) -> Result<()> {
        let slot = self.slot(ty.dtype, ty.shape.size());
        if let Some(bits) = assemble.fill {
            let mut program = Program::default();
            let value = push(&mut program, Prim::Const(bits), ty.dtype, [0; 3]);
            program.outputs.push(value);
            let nest = LoopNest {
                shape: ty.shape,
                operands: vec![],
                program,
                stores: vec![store(0, slot, ty.shape)],
                reductions: Reductions::default(),
            };
            self.push(Step::Loop(nest), format!("{label} (fill)"));
        }
        let whole = Layout::contiguous(ty.shape);
        for (&input, start) in inputs.iter().zip(&assemble.starts) {
            let shape = type_of(self.segment, input).shape;
            let offset = (0..shape.rank()).map(|d| start[d] * whole.strides[d] as usize).sum();
            let from = if let Some(d) = self.merged.constant(input) {
                Operand::Scalar(d as usize)
            } else {
                operand(&self.place(input)?)
            };
            let nest = LoopNest {
                shape,
                operands: vec![from],
                program: identity(ty.dtype),
                stores: vec![Store { output: 0, slot, strides: whole.strides, offset }],
                reductions: Reductions::default(),
            };
            self.push(Step::Loop(nest), label.to_owned());
        }
        self.places.insert(Source::Node(node as u32, 0), View { slot, layout: whole });
        Ok(())
    }

    /// Decides where each wanted value will be found, turning slots into outputs.
    fn bind_wanted(&mut self) -> Result<Binds> {
        let mut binds = Vec::with_capacity(self.merged.wanted.len());
        let mut copies: FxHashMap<Source, View> = FxHashMap::default();
        for i in 0..self.merged.wanted.len() {
            let (node, out, source) = self.merged.wanted[i];
            let ty = self.segment.nodes[node as usize].types[out as usize];
            let mut view = match copies.get(&source) {
                Some(&copy) => copy,
                None => self.place(source)?,
            };
            if view.layout.shape != ty.shape {
                return Err(internal("a wanted value has another shape"));
            }
            let is_view =
                matches!(source, Source::Node(n, _) if matches!(self.merged.work[n as usize], Some(Work::View)));
            if is_view && ty.shape.size().saturating_mul(SMALL_VIEW) < self.plan.slots[view.slot].elements {
                view = self.copy(view, ty)?;
                copies.insert(source, view);
            }
            let bind = match self.plan.slots[view.slot].home {
                Home::External(e) => Bind::External(e, view.layout),
                Home::Output(o) => Bind::Output(o, view.layout),
                Home::Arena(_) => {
                    let output = self.plan.outputs;
                    self.plan.outputs += 1;
                    self.plan.slots[view.slot].home = Home::Output(output);
                    Bind::Output(output, view.layout)
                }
            };
            binds.push((node, out, bind));
        }
        Ok(binds)
    }
}

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

fn operand(view: &View) -> Operand {
    Operand::Tensor { slot: view.slot, strides: view.layout.strides, offset: view.layout.offset }
}

fn store(output: usize, slot: SlotId, shape: Shape) -> Store {
    Store { output, slot, strides: shape.strides(), offset: 0 }
}

fn identity(dtype: DType) -> Program {
    Program { inputs: vec![dtype], instrs: vec![], outputs: vec![0] }
}

fn push(program: &mut Program, prim: Prim, dtype: DType, args: [ValueId; 3]) -> ValueId {
    program.instrs.push(Instr { prim, dtype, args });
    (program.inputs.len() + program.instrs.len() - 1) as ValueId
}
