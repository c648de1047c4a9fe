//! One task: a block of the result, from packing to storing.

use super::axes::{Place, Run};
use super::grid::{Grid, Scratch, Task};
use super::image::{Image, Line};
use super::kernel::{Engine, KC, ROW_STEP, TILE_MAX, Terms, Tile};
use super::operand::{Operand, Product};
use super::pack::{Block, Source, Tables};
use super::store::StoreTile;
use super::vector::Float;

/// A product over given buffers.
pub(super) struct Call<'a, T: 'static> {
    pub product: &'a Product,
    pub engine: &'static Engine<T>,
    pub grid: &'a Grid,
    pub scratch: Scratch,
    pub left: *const T,
    pub right: *const T,
    pub out: *mut T,
    /// Results of the chunks after the first.
    pub partial: *mut T,
    /// Elements of one result.
    pub elements: usize,
}

/// What one thread works with.
pub(super) struct Worker<T> {
    left: *mut T,
    right: *mut T,
    stage: *mut T,
    tile: Box<TileMemory<T>>,
    tables: Tables,
    row_offsets: Vec<isize>,
    tiles: Vec<TileRows>,
    lines: Vec<Line>,
    terms: Vec<Terms>,
    col_runs: Vec<Run>,
    /// Where the runs of each panel end in `col_runs`.
    panel_ends: Vec<usize>,
}

#[repr(align(64))]
struct TileMemory<T>([T; TILE_MAX]);

impl<T: Float> Worker<T> {
    /// # Safety
    /// `memory` has room for the call's scratch, aligned to 64 bytes and used by this worker alone.
    pub unsafe fn new(call: &Call<'_, T>, memory: *mut T) -> Worker<T> {
        let Scratch { left, right, .. } = call.scratch;
        let stage = memory.wrapping_add(left + right);
        // SAFETY: the stage holds more than one row.
        unsafe { stage.write_bytes(0, ROW_STEP) };
        Worker {
            left: memory.wrapping_add(right),
            right: memory,
            stage,
            tile: Box::new(TileMemory([T::ZERO; TILE_MAX])),
            tables: Tables::default(),
            row_offsets: Vec::new(),
            tiles: Vec::new(),
            lines: Vec::new(),
            terms: Vec::new(),
            col_runs: Vec::new(),
            panel_ends: Vec::new(),
        }
    }

    /// # Safety
    /// The operands lie in their buffers; the result, and those of the chunks, have room; nobody else touches what
    /// this task writes.
    pub unsafe fn run(&mut self, call: &Call<'_, T>, index: usize) {
        let Call { product, scratch, .. } = call;
        let task = call.grid.task(product, index);
        let left = source(&product.left, call.left, task.batch);
        let right = source(&product.right, call.right, task.batch);
        let base = match task.chunk {
            0 => call.out,
            chunk => call.partial.wrapping_add((chunk - 1) * call.elements),
        };
        let out = base.wrapping_offset(product.out + product.out_batch.place(task.batch).offset);
        self.row_offsets.clear();
        product.out_rows.offsets(task.rows.start, task.rows.len(), &mut self.row_offsets);
        let mut sum = task.sum.clone();
        loop {
            let part = sum.start..sum.end.min(sum.start + scratch.terms);
            for (pass, col) in task.cols.clone().step_by(scratch.cols).enumerate() {
                let cols = col..task.cols.end.min(col + scratch.cols);
                let step = Step { task: &task, part: part.clone(), cols, pass, out };
                // SAFETY: the same contract.
                unsafe { self.columns(call, &left, &right, &step) };
            }
            sum.start = part.end;
            if sum.is_empty() {
                return;
            }
        }
    }

    /// All rows of the task for some columns and some terms of the sum.
    ///
    /// # Safety
    /// As for `run`.
    unsafe fn columns(&mut self, call: &Call<'_, T>, left: &Source<'_, T>, right: &Source<'_, T>, step: &Step<'_, T>) {
        let Call { product, engine, scratch, .. } = call;
        let panels = Panels::of(step, engine);
        // SAFETY: the same contract.
        unsafe { self.pack_right(call, right, step, &panels) };
        self.column_runs(product, step, engine.nr());
        for (r, row) in step.task.rows.clone().step_by(scratch.rows).enumerate() {
            let rows = row..step.task.rows.end.min(row + scratch.rows);
            if let Some(image) = product.image.as_ref().filter(|image| image.positions_are_rows) {
                // SAFETY: the operand's elements lie in their buffer; the scratch memory has room for the boxes.
                unsafe { image.copy(left.images(image), rows.start, rows.len(), self.left, &mut self.lines) };
            }
            self.tile_rows(product.image.as_ref(), rows.clone(), engine.mr);
            for (i, (k_first, k)) in step.blocks().enumerate() {
                let slot = if scratch.resident { r * step.blocks().count() + i } else { 0 };
                let block = Block { first: rows.start, count: rows.len(), k_first, k };
                let target = self.left.wrapping_add(slot * scratch.rows * ROW_STEP);
                // SAFETY: the same contract; the panels were packed above.
                unsafe {
                    self.left_block(call, left, block, target, !scratch.resident || step.pass == 0);
                    self.multiply(call, step, &panels, block, i);
                }
            }
        }
    }

    /// Packs the panels of a step's columns.
    ///
    /// # Safety
    /// As for `run`.
    unsafe fn pack_right(&mut self, call: &Call<'_, T>, right: &Source<'_, T>, step: &Step<'_, T>, panels: &Panels) {
        for (i, (k_first, k)) in step.blocks().enumerate() {
            let block = Block { first: step.cols.start, count: step.cols.len(), k_first, k };
            let target = (self.right.wrapping_add(panels.at(i, 0)), panels.step);
            // SAFETY: the scratch memory has room for all panels of `scratch.cols` columns and `scratch.terms` terms.
            unsafe {
                if call.product.right.across {
                    right.pack_across(block, call.engine, &mut self.tables, panels.widths, target);
                } else {
                    right.pack_along(block, call.engine, &mut self.tables, panels.widths, target, self.stage);
                }
            }
        }
    }

    /// Makes a block of the broadcast operand ready, and lists its terms: where its box has them, or `target`, to
    /// which the block is packed if it is not there yet.
    ///
    /// # Safety
    /// As for `run`; `target` has room for the block.
    unsafe fn left_block(
        &mut self,
        call: &Call<'_, T>,
        left: &Source<'_, T>,
        block: Block,
        target: *mut T,
        pack: bool,
    ) {
        let Call { product, engine, .. } = call;
        self.terms.clear();
        match &product.image {
            Some(image) if image.positions_are_rows => {
                let term = |run: Run| Terms { offset: run.place.offset, count: run.length };
                image.taps.runs(block.k_first, block.k, |run| self.terms.push(term(run)));
            }
            Some(image) => {
                // SAFETY: the operand's elements lie in their buffer; the scratch memory has room for the boxes.
                unsafe { image.copy(left.images(image), block.k_first, block.k, self.left, &mut self.lines) };
                let term = |line: &Line| Terms { offset: line.offset, count: line.length };
                self.terms.extend(self.lines.iter().map(term));
            }
            None => {
                // SAFETY: the offset stays in the scratch memory.
                let offset = unsafe { target.offset_from(self.left) };
                self.terms.push(Terms { offset, count: block.k });
                if !pack {
                    return;
                }
                // SAFETY: by contract.
                unsafe {
                    if product.left.across {
                        let (mr, panel_step) = (engine.mr, engine.mr * ROW_STEP);
                        left.pack_across(block, engine, &mut self.tables, (mr, mr), (target, panel_step));
                    } else {
                        let padded = block.count.next_multiple_of(engine.mr);
                        left.copy_rows(block, padded, &mut self.tables, target);
                    }
                }
            }
        }
    }

    /// Multiplies a block of the broadcast operand with block `i` of the panels, and stores the tiles.
    ///
    /// # Safety
    /// As for `run`, with both packed.
    unsafe fn multiply(&mut self, call: &Call<'_, T>, step: &Step<'_, T>, panels: &Panels, block: Block, i: usize) {
        let Call { product, engine, .. } = call;
        let (by_rows, distance) = match &product.image {
            Some(image) => (image.positions_are_rows, image.step()),
            None if product.left.across => (false, engine.mr),
            None => (true, ROW_STEP),
        };
        let tile = self.tile.0.as_mut_ptr();
        for &TileRows { top, m, offset } in &self.tiles {
            let at = block.first - step.task.rows.start + top;
            for panel in 0..panels.count {
                let runs_start = if panel == 0 { 0 } else { self.panel_ends[panel - 1] };
                // SAFETY: the panels were packed with whole tiles; rows and runs lie in the task.
                unsafe {
                    (engine.tile)(&Tile {
                        m,
                        vectors: panels.width(panel) / engine.lanes,
                        terms: &self.terms,
                        by_rows,
                        step: distance,
                        a: self.left.wrapping_offset(offset),
                        b: self.right.wrapping_add(panels.at(i, panel)),
                        tile,
                    });
                    (engine.store)(&StoreTile {
                        tile,
                        step: engine.nr(),
                        rows: &self.row_offsets[at..at + m],
                        cols: &self.col_runs[runs_start..self.panel_ends[panel]],
                        col_step: product.out_cols.innermost().stride,
                        out: step.out,
                        add: block.k_first != step.task.sum.start,
                    });
                }
            }
        }
    }

    /// Cuts rows into tiles: anywhere, or within the stretches in which they lie in the image.
    fn tile_rows(&mut self, image: Option<&Image>, rows: std::ops::Range<usize>, mr: usize) {
        let Worker { tiles, lines, .. } = self;
        tiles.clear();
        let mut cut = |start: usize, length: usize, offset: isize, step: usize| {
            let pieces = length.div_ceil(mr);
            for piece in 0..pieces {
                let (from, to) = (length * piece / pieces, length * (piece + 1) / pieces);
                tiles.push(TileRows { top: start + from, m: to - from, offset: offset + (from * step) as isize });
            }
        };
        match image {
            Some(image) if image.positions_are_rows => {
                lines.iter().for_each(|line| cut(line.start, line.length, line.offset, image.step()));
            }
            Some(image) => {
                image.taps.runs(rows.start, rows.len(), |run| cut(run.start, run.length, run.place.offset, 1));
            }
            None => tiles.extend((0..rows.len()).step_by(mr).map(|top| TileRows {
                top,
                m: mr.min(rows.len() - top),
                offset: (top * ROW_STEP) as isize,
            })),
        }
    }

    /// Where the columns of each panel lie in the result.
    fn column_runs(&mut self, product: &Product, step: &Step<'_, T>, nr: usize) {
        self.col_runs.clear();
        self.panel_ends.clear();
        for col in step.cols.clone().step_by(nr) {
            let width = nr.min(step.cols.end - col);
            product.out_cols.runs(col, width, |run| self.col_runs.push(run));
            self.panel_ends.push(self.col_runs.len());
        }
    }
}

/// Rows of a tile: `m` from row `top` of the block on, and where they start in the block's memory.
#[derive(Clone, Copy, Debug)]
struct TileRows {
    top: usize,
    m: usize,
    offset: isize,
}

/// A part of a task: columns and terms of the sum.
struct Step<'a, T> {
    task: &'a Task,
    part: std::ops::Range<usize>,
    cols: std::ops::Range<usize>,
    /// How many columns passed since the last terms.
    pass: usize,
    out: *mut T,
}

impl<T> Step<'_, T> {
    /// First term and length of each block of the sum.
    fn blocks(&self) -> impl Iterator<Item = (usize, usize)> {
        let (start, end) = (self.part.start, self.part.end);
        // An empty sum is one block of no terms, which stores zeros.
        (start..end.max(start + 1)).step_by(KC).map(move |k| (k, KC.min(end - k)))
    }
}

/// How the panels of a step's columns lie: for each block of the sum one after another.
struct Panels {
    count: usize,
    /// Columns of each panel, and of the last one.
    widths: (usize, usize),
    /// Elements of a panel.
    step: usize,
}

impl Panels {
    fn of<T>(step: &Step<'_, T>, engine: &Engine<T>) -> Panels {
        let nr = engine.nr();
        let count = step.cols.len().div_ceil(nr);
        let last = step.cols.len() - (count - 1) * nr;
        let widths = (nr, if last <= engine.lanes { engine.lanes } else { nr });
        Panels { count, widths, step: nr * KC.min(step.part.len()) }
    }

    fn width(&self, panel: usize) -> usize {
        if panel + 1 == self.count { self.widths.1 } else { self.widths.0 }
    }

    fn at(&self, block: usize, panel: usize) -> usize {
        (block * self.count + panel) * self.step
    }
}

fn source<T>(operand: &Operand, base: *const T, batch: usize) -> Source<'_, T> {
    let origin: Place = operand.start.plus(&operand.batch.place(batch));
    Source { operand, base, origin }
}
