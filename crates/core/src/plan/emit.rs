//! Steps over slots from grouped nodes: everything but the insides of fused loops.

use super::group::{Groups, Unit};
use super::ir::{Home, KernelStep, LoopNest, Operand, Plan, Reductions, Slot, SlotId, Step, Store, View};
use super::merge::{Merged, type_of};
use super::segment::{Action, Bind, Binds, Segment, Source};
use super::{PlanOptions, internal, layout};
use crate::contraction::Contraction;
use crate::dtype::DType;
use crate::error::Result;
use crate::op::{Assemble, TensorType, Work};
use crate::scalar::{Instr, Prim, Program, ValueId};
use crate::shape::{Layout, Shape};
use rustc_hash::FxHashMap;

/// A view whose base is this many times larger is copied when it must outlive the run.
const SMALL_VIEW: usize = 4;

pub(super) struct Emitter<'a> {
    pub segment: &'a Segment,
    pub merged: &'a Merged,
    pub groups: &'a Groups,
    pub options: PlanOptions,
    pub plan: Plan,
    /// The node that is being emitted.
    pub node: u32,
    /// Where values that have been placed lie.
    pub places: FxHashMap<Source, View>,
}

/// Emits the plan; slots have no home yet but for externals and outputs.
pub(crate) fn emit(segment: &Segment, merged: &Merged, groups: &Groups, options: PlanOptions) -> Result<(Plan, Binds)> {
    let mut plan = Plan { externals: segment.externals.len(), ..Plan::default() };
    for (i, external) in segment.externals.iter().enumerate() {
        plan.slots.push(Slot { dtype: external.dtype, elements: external.layout.end(), home: Home::External(i) });
    }
    let mut emitter = Emitter { segment, merged, groups, options, plan, node: 0, places: FxHashMap::default() };
    for unit in &groups.units {
        emitter.node = match unit {
            Unit::Loop { members, .. } => members.first().copied().unwrap_or(0),
            Unit::Single(i) => *i,
        };
        match unit {
            Unit::Loop { shape, members } => emitter.emit_loop(*shape, members)?,
            Unit::Single(i) => emitter.emit_single(*i as usize)?,
        }
    }
    let binds = emitter.bind_wanted()?;
    Ok((emitter.plan, binds))
}

impl Emitter<'_> {
    pub fn slot(&mut self, dtype: DType, elements: usize) -> SlotId {
        // The arena offset is set when memory is assigned.
        self.plan.slots.push(Slot { dtype, elements, home: Home::Arena(0) });
        self.plan.slots.len() - 1
    }

    pub fn push(&mut self, step: Step, label: String) {
        self.plan.steps.push(step);
        self.plan.labels.push(label);
        self.plan.origins.push(self.node);
    }

    pub fn name(&self, node: usize) -> &'static str {
        match &self.segment.nodes[node].action {
            Action::Op(op) => op.name(),
            Action::Alias => "alias",
        }
    }

    /// Where a value lies, copying or filling where a view or a number has to become memory.
    pub fn place(&mut self, source: Source) -> Result<View> {
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

    fn emit_single(&mut self, node: usize) -> Result<()> {
        let inputs = self.merged.inputs[node].clone();
        let types = self.segment.nodes[node].types.clone();
        let used = self.merged.used[node];
        let label = self.name(node).to_owned();
        match self.merged.work[node].clone() {
            Some(Work::Contraction(mut contraction)) => {
                let layout = self.layout_of_result(&mut contraction, node, types[0].shape);
                let (a, b) = (self.place(inputs[0])?, self.place(inputs[1])?);
                let out = self.slot(types[0].dtype, types[0].shape.size());
                self.push(Step::Contract { contraction, a, b, out }, label);
                self.places.insert(Source::Node(node as u32, 0), View { slot: out, layout });
            }
            Some(Work::Assemble(assemble)) => self.emit_assemble(node, &inputs, types[0], &assemble, &label)?,
            Some(Work::Kernel) => {
                let views = inputs.iter().map(|&s| self.place(s)).collect::<Result<Vec<_>>>()?;
                let input_types = inputs.iter().map(|&s| type_of(self.segment, s)).collect();
                let Action::Op(op) = &self.segment.nodes[node].action else {
                    return Err(internal("a kernel is no op"));
                };
                let images = self.options.channels_last && op.keeps_channels_last();
                let keeps = images && views.iter().all(|view| view.layout.is_channels_last());
                let output_layouts: Vec<Layout> = types.iter().map(|ty| layout::images(ty.shape, keeps)).collect();
                let mut outputs = Vec::with_capacity(types.len());
                for (out, ty) in types.iter().enumerate() {
                    if used & (1 << out) == 0 {
                        outputs.push(None);
                        continue;
                    }
                    let slot = self.slot(ty.dtype, ty.shape.size());
                    outputs.push(Some(slot));
                    let place = View { slot, layout: output_layouts[out] };
                    self.places.insert(Source::Node(node as u32, out as u8), place);
                }
                let (op, output_types) = (op.clone(), types.to_vec());
                let step = KernelStep { op, inputs: views, input_types, outputs, output_types, output_layouts };
                self.push(Step::Kernel(step), label);
            }
            _ => return Err(internal("a node of unknown work")),
        }
        Ok(())
    }

    /// How the result of a contraction lies: as the view shows it through which alone it is read, or as images lie.
    fn layout_of_result(&self, contraction: &mut Contraction, node: usize, shape: Shape) -> Layout {
        if let Some(viewer) = self.merged.only_reader(node)
            && let Some(Work::View) = self.merged.work[viewer]
            && let Action::Op(op) = &self.segment.nodes[viewer].action
            && let Some(layout) = layout::as_viewed(&mut *contraction, shape, |from| op.view(from))
        {
            return layout;
        }
        if self.options.channels_last { layout::of_contraction(contraction, shape) } else { Layout::contiguous(shape) }
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
        let mut parts = Vec::with_capacity(inputs.len());
        let mut last = 0;
        for &input in inputs {
            let from = match self.merged.constant(input) {
                Some(d) => Operand::Scalar(d as usize),
                None => {
                    let view = self.place(input)?;
                    last += if view.layout.is_channels_last() { view.layout.shape.size() } else { 0 };
                    operand(&view)
                }
            };
            parts.push((from, type_of(self.segment, input).shape));
        }
        // Images stay as most of their elements are.
        let whole = layout::images(ty.shape, self.options.channels_last && 2 * last > ty.shape.size());
        if let Some(bits) = assemble.fill {
            let mut program = Program::default();
            let value = push(&mut program, Prim::Const(bits), ty.dtype, [0; 3]);
            program.outputs.push(value);
            let nest = LoopNest {
                shape: ty.shape,
                operands: vec![],
                program,
                stores: vec![Store { output: 0, slot, strides: whole.strides, offset: 0 }],
                reductions: Reductions::default(),
            };
            self.push(Step::Loop(nest), format!("{label} (fill)"));
        }
        for ((from, shape), start) in parts.into_iter().zip(&assemble.starts) {
            let offset = (0..shape.rank()).map(|d| start[d] * whole.strides[d] as usize).sum();
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
            self.node = node;
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

pub(super) fn operand(view: &View) -> Operand {
    Operand::Tensor { slot: view.slot, strides: view.layout.strides, offset: view.layout.offset }
}

pub(super) fn store(output: usize, slot: SlotId, shape: Shape) -> Store {
    Store { output, slot, strides: shape.strides(), offset: 0 }
}

fn identity(dtype: DType) -> Program {
    Program { inputs: vec![dtype], instrs: vec![], outputs: vec![0] }
}

pub(super) fn push(program: &mut Program, prim: Prim, dtype: DType, args: [ValueId; 3]) -> ValueId {
    program.instrs.push(Instr { prim, dtype, args });
    (program.inputs.len() + program.instrs.len() - 1) as ValueId
}
