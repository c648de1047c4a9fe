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
        let (mr, nr) = (engine.mr, engine.nr());
        let panels = step.cols.len().div_ceil(nr);
        let last = step.cols.len() - (panels - 1) * nr;
        let widths = (nr, if last <= engine.lanes { engine.lanes } else { nr });
        let blocks = || {
            let (start, end) = (step.part.start, step.part.end);
            // An empty sum is one block of no terms, which stores zeros.
            (start..end.max(start + 1)).step_by(KC).map(move |k| (k, KC.min(end - k)))
        };
        let panel_step = nr * KC.min(step.part.len());
        for (i, (k_first, k)) in blocks().enumerate() {
            let block = Block { first: step.cols.start, count: step.cols.len(), k_first, k };
            let target = (self.right.wrapping_add(i * panels * panel_step), panel_step);
            // SAFETY: the scratch memory has room for all panels of `scratch.cols` columns and `SUPER` terms.
            unsafe {
                if product.right.across {
                    right.pack_across(block, engine, &mut self.tables, widths, target);
                } else {
                    right.pack_along(block, engine, &mut self.tables, widths, target, self.stage);
                }
            }
        }
        self.column_runs(product, step, nr);
        for (r, row) in step.task.rows.clone().step_by(scratch.rows).enumerate() {
            let rows = row..step.task.rows.end.min(row + scratch.rows);
            let from_image = product.image.as_ref().map(|(image, _)| image);
            let image_base = from_image.map(|image| {
                left.base.wrapping_offset(image.origin + product.left.batch.place(step.task.batch).offset)
            });
            if let (Some(image), Some(base)) = (from_image.filter(|image| image.positions_are_rows), image_base) {
                // SAFETY: the operand's elements lie in their buffer; the scratch memory has room for the boxes.
                unsafe { image.copy(base, rows.start, rows.len(), self.left, &mut self.lines) };
            }
            self.tile_rows(from_image, rows.clone(), mr);
            for (i, (k_first, k)) in blocks().enumerate() {
                let slot = if scratch.resident { r * blocks().count() + i } else { 0 };
                let left_block = self.left.wrapping_add(slot * scratch.rows * ROW_STEP);
                if let (Some(image), Some(base)) = (from_image, image_base) {
                    self.terms.clear();
                    if image.positions_are_rows {
                        let term = |run: Run| Terms { offset: run.place.offset, count: run.length };
                        image.taps.runs(k_first, k, |run| self.terms.push(term(run)));
                    } else {
                        // SAFETY: as above.
                        unsafe { image.copy(base, k_first, k, self.left, &mut self.lines) };
                        let term = |line: &Line| Terms { offset: line.offset, count: line.length };
                        self.terms.extend(self.lines.iter().map(term));
                    }
                } else if !scratch.resident || step.pass == 0 {
                    let block = Block { first: rows.start, count: rows.len(), k_first, k };
                    // SAFETY: the scratch memory has room for the block, all blocks where they stay.
                    unsafe {
                        if product.left.across {
                            let target = (left_block, mr * ROW_STEP);
                            left.pack_across(block, engine, &mut self.tables, (mr, mr), target);
                        } else {
                            let padded = rows.len().next_multiple_of(mr);
                            left.copy_rows(block, padded, &mut self.tables, left_block);
                        }
                    }
                }
                let first = k_first == step.task.sum.start;
                let whole = [Terms { offset: 0, count: k }];
                let (terms, by_rows, a_step) = match from_image {
                    Some(image) => (&self.terms[..], image.positions_are_rows, image.step()),
                    None if product.left.across => (&whole[..], false, mr),
                    None => (&whole[..], true, ROW_STEP),
                };
                let right_block = self.right.wrapping_add(i * panels * panel_step);
                for &TileRows { top, m, offset } in &self.tiles {
                    let at = rows.start - step.task.rows.start + top;
                    for panel in 0..panels {
                        let runs_start = if panel == 0 { 0 } else { self.panel_ends[panel - 1] };
                        let width = if panel + 1 == panels { widths.1 } else { nr };
                        let tile = self.tile.0.as_mut_ptr();
                        // SAFETY: the panels were packed above, with whole tiles; rows and runs lie in the task.
                        unsafe {
                            (engine.tile)(&Tile {
                                m,
                                vectors: width / engine.lanes,
                                terms,
                                by_rows,
                                step: a_step,
                                a: left_block.wrapping_offset(offset),
                                b: right_block.wrapping_add(panel * panel_step),
                                tile,
                            });
                            (engine.store)(&StoreTile {
                                tile,
                                step: nr,
                                rows: &self.row_offsets[at..at + m],
                                cols: &self.col_runs[runs_start..self.panel_ends[panel]],
                                col_step: product.out_cols.innermost().stride,
                                out: step.out,
                                add: !first,
                            });
                        }
                    }
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

fn source<T>(operand: &Operand, base: *const T, batch: usize) -> Source<'_, T> {
    let origin: Place = operand.start.plus(&operand.batch.place(batch));
    Source { operand, base, origin }
}
