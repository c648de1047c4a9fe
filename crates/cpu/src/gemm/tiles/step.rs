//! The parts of a task, and how the panels of each lie.

use crate::gemm::grid::Task;
use crate::gemm::kernel::{Engine, KC};
use crate::gemm::operand::{Product, Vectors};
use std::ops::Range;

/// A part of a task: columns and terms of the sum.
pub(super) struct Step<'a, T> {
    pub task: &'a Task,
    pub part: Range<usize>,
    pub cols: Range<usize>,
    /// How many columns passed since the last terms.
    pub pass: usize,
    pub out: *mut T,
}

impl<T> Step<'_, T> {
    /// First term and length of each block of the sum.
    pub fn blocks(&self) -> impl Iterator<Item = (usize, usize)> {
        let (start, end) = (self.part.start, self.part.end);
        // An empty sum is one block of no terms, which stores zeros.
        (start..end.max(start + 1)).step_by(KC).map(move |k| (k, KC.min(end - k)))
    }
}

/// How the panels of a step's columns lie: for each block of the sum one after another.
pub(super) struct Panels {
    pub count: usize,
    /// How many of them the first tile of rows packs: whole ones of vectors that can be read where they lie.
    pub on_the_way: usize,
    /// Columns of each panel, and of the last one.
    pub widths: (usize, usize),
    /// Elements of a panel.
    pub step: usize,
}

impl Panels {
    pub fn of<T>(step: &Step<'_, T>, product: &Product, engine: &Engine<T>) -> Panels {
        let nr = engine.nr();
        let count = step.cols.len().div_ceil(nr);
        let last = step.cols.len() - (count - 1) * nr;
        let widths = (nr, if last <= engine.lanes { engine.lanes } else { nr });
        let packed = product.vectors == Vectors::Packed;
        let on_the_way = if packed && product.right.is_plain() { step.cols.len() / nr } else { 0 };
        Panels { count, on_the_way, widths, step: nr * KC.min(step.part.len()) }
    }

    pub fn width(&self, panel: usize) -> usize {
        if panel + 1 == self.count { self.widths.1 } else { self.widths.0 }
    }

    pub fn at(&self, block: usize, panel: usize) -> usize {
        (block * self.count + panel) * self.step
    }
}
