//! What a plan is made of. Runtimes read this and nothing else of core's planning.

use crate::contraction::Contraction;
use crate::dtype::DType;
use crate::op::{DynOp, Monoid, TensorType};
use crate::scalar::Program;
use crate::shape::{Layout, Shape, Strides};
use std::ops::Range;
use std::sync::Arc;

/// Index into [`Plan::slots`].
pub type SlotId = usize;

/// Where a slot's memory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Home {
    /// The buffer of external input `index`.
    External(usize),
    /// A fresh buffer, handed out as output `index` after the run.
    Output(usize),
    /// A range of the plan's arena, by byte offset (a multiple of 256); shared by slots that live at other times.
    Arena(usize),
}

/// One buffer of the plan.
#[derive(Clone, Copy, Debug)]
pub struct Slot {
    pub dtype: DType,
    /// Elements that the buffer holds.
    pub elements: usize,
    pub home: Home,
}

/// A strided read of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    pub slot: SlotId,
    pub layout: Layout,
}

/// What a program input is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operand {
    /// A slot read at `offset + Σ index · stride` over the nest's iteration space; stride 0 broadcasts.
    Tensor { slot: SlotId, strides: Strides, offset: usize },
    /// Number `index` of the plan's data, cast to the input's dtype.
    Scalar(usize),
    /// Philox key `index` of the plan's data.
    Key(usize),
}

/// One program output written to a slot, at `offset + Σ index · stride`; no two iterations write the same element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Store {
    /// Index into `program.outputs`.
    pub output: usize,
    pub slot: SlotId,
    pub strides: Strides,
    pub offset: usize,
}

/// One program output reduced into a slot that is row-major over the kept dimensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reduce {
    /// Index into `program.outputs`.
    pub output: usize,
    pub monoid: Monoid,
    pub slot: SlotId,
}

/// Reductions of one nest; all run over the same axes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reductions {
    /// Sorted, distinct axes of the nest's shape.
    pub axes: Vec<usize>,
    pub items: Vec<Reduce>,
}

/// A fused loop: a scalar program at each point of an iteration space, with stores and reductions.
///
/// A program output may be stored and reduced, or several times. A slot that is stored may be the slot of an operand
/// only when both have the same strides and offset (in place). Empty iteration spaces fill reductions with the
/// monoid's identity.
#[derive(Clone, Debug)]
pub struct LoopNest {
    pub shape: Shape,
    pub operands: Vec<Operand>,
    pub program: Program,
    pub stores: Vec<Store>,
    pub reductions: Reductions,
}

/// A call of a hand-written kernel.
#[derive(Clone, Debug)]
pub struct KernelStep {
    pub op: Arc<dyn DynOp>,
    pub inputs: Vec<View>,
    pub input_types: Vec<TensorType>,
    /// `None` where nobody wants the output.
    pub outputs: Vec<Option<SlotId>>,
    pub output_types: Vec<TensorType>,
    /// How the kernel writes each output, from the start of its slot: row-major, or images channels-last.
    pub output_layouts: Vec<Layout>,
}

/// One unit of execution.
#[derive(Clone, Debug)]
pub enum Step {
    Loop(LoopNest),
    /// `out` is row-major. Operand and result dtypes are equal (f32 or f64).
    Contract {
        contraction: Contraction,
        a: View,
        b: View,
        out: SlotId,
    },
    Kernel(KernelStep),
}

/// Neighbouring loops that may run part by part, each over a range of its rows before the first goes on: all dimensions
/// of [`Band::axes`] together have `extent` indices, and of what the band's loops write a loop reads at an index only
/// what was written at the same one. What a band touches shares no memory with anything else that it touches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Band {
    /// The first step.
    pub first: usize,
    /// For each step, the neighbouring dimensions that are its rows; they merge into one ([`LoopNest::merged`]).
    pub axes: Vec<Range<usize>>,
    /// Rows.
    pub extent: usize,
}

impl Band {
    pub fn steps(&self) -> Range<usize> {
        self.first..self.first + self.axes.len()
    }
}

/// A runnable plan.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    pub steps: Vec<Step>,
    /// Op names of each step, for profiles and errors.
    pub labels: Vec<String>,
    /// The first node of the segment that each step computes.
    pub origins: Vec<u32>,
    /// In the order of their steps; no two share one.
    pub bands: Vec<Band>,
    pub slots: Vec<Slot>,
    pub arena_bytes: usize,
    /// Externals whose buffer an output may take over, as (output, external): the last step that reads the external
    /// is the one that writes the output, in place.
    pub donations: Vec<(usize, usize)>,
    pub externals: usize,
    pub outputs: usize,
}
