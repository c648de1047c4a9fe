//! Products tile by tile. A task is a block of the result, from packing to storing.

mod step;

use step::{Panels, Step};

use super::axes::{Place, Run};
use super::grid::{Grid, Scratch};
use super::image::{Image, Line};
use super::kernel::{Kernels, ROW_STEP, Target, Terms, Tile, TileMemory};
use super::operand::{Operand, Reading, Vectors};
use super::pack::{Block, Source, Tables};
use super::store::StoreTile;
use super::team::{Call, Team, Worker};
use fovea_core::Result;
use fovea_core::device::Threads;
use std::ops::Range;

/// Computes a product.
///
/// # Safety
/// The operands lie in their buffers; the sums have room, and nobody else touches them.
pub(super) unsafe fn run<T: Kernels>(call: &Call<'_, T>, threads: &dyn Threads) -> Result<()> {
    let grid = Grid::choose(call, threads.count());
    let scratch = grid.scratch(call);
    let team = Team { workers: grid.workers, tasks: grid.tasks(), batch: grid.batch, scratch: scratch.bytes() };
    // SAFETY: the same contract; the tasks of a grid are different parts of the result.
    unsafe { team.run(threads, |memory| Tiler::new(call, &grid, scratch, memory.cast())) }
}

/// What one thread works with.
struct Tiler<'a, T: 'static> {
    call: &'a Call<'a, T>,
    grid: &'a Grid,
    scratch: Scratch,
    left: *mut T,
    /// Where the offsets of tiles and terms count from: `left`, or the operand itself.
    left_start: *const T,
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
    /// The terms that the box at `left` is for, where positions are terms.
    boxed: Range<usize>,
    /// Whether the panels in hand are finite, for each block of the sum, once somebody asked.
    finite: Vec<Option<bool>>,
}

impl<T: Kernels> Worker for Tiler<'_, T> {
    unsafe fn run(&mut self, index: usize) {
        let (Call { product, sums, .. }, scratch) = (self.call, self.scratch);
        let task = self.grid.task(product, index);
        let left = source(&product.left, self.call.left, task.batch);
        let right = source(&product.right, self.call.right, task.batch);
        let out = sums.of(task.chunk).wrapping_offset(product.out + product.out_batch.place(task.batch).offset);
        self.row_offsets.clear();
        product.out_rows.offsets(task.rows.start, task.rows.len(), &mut self.row_offsets);
        self.boxed = 0..0;
        let mut sum = task.sum.clone();
        loop {
            let part = sum.start..sum.end.min(sum.start + scratch.terms);
            for (pass, col) in task.cols.clone().step_by(scratch.cols).enumerate() {
                let cols = col..task.cols.end.min(col + scratch.cols);
                let step = Step { task: &task, part: part.clone(), cols, pass, out };
                // SAFETY: the same contract.
                unsafe { self.columns(&left, &right, &step) };
            }
            sum.start = part.end;
            if sum.is_empty() {
                return;
            }
        }
    }
}

impl<'a, T: Kernels> Tiler<'a, T> {
    /// # Safety
    /// `memory` has room for the scratch, aligned to 64 bytes and used by this worker alone.
    unsafe fn new(call: &'a Call<'a, T>, grid: &'a Grid, scratch: Scratch, memory: *mut T) -> Tiler<'a, T> {
        let Scratch { left, right, .. } = scratch;
        let stage = memory.wrapping_add(left + right);
        // SAFETY: the stage holds more than one row.
        unsafe { stage.write_bytes(0, ROW_STEP) };
        Tiler {
            call,
            grid,
            scratch,
            left: memory.wrapping_add(right),
            left_start: memory.wrapping_add(right),
            right: memory,
            stage,
            tile: TileMemory::new(),
            tables: Tables::default(),
            row_offsets: Vec::new(),
            tiles: Vec::new(),
            lines: Vec::new(),
            terms: Vec::new(),
            col_runs: Vec::new(),
            panel_ends: Vec::new(),
            boxed: 0..0,
            finite: Vec::new(),
        }
    }

    /// All rows of the task for some columns and some terms of the sum.
    ///
    /// # Safety
    /// As for `run`.
    unsafe fn columns(&mut self, left: &Source<'_, T>, right: &Source<'_, T>, step: &Step<'_, T>) {
        let (Call { product, engine, .. }, scratch) = (self.call, self.scratch);
        let panels = Panels::of(step, product, engine);
        // SAFETY: the same contract.
        unsafe { self.pack_right(right, step, &panels) };
        self.column_runs(step);
        self.finite.clear();
        self.finite.resize(step.blocks().count(), None);
        for (r, row) in step.task.rows.clone().step_by(scratch.rows).enumerate() {
            let rows = row..step.task.rows.end.min(row + scratch.rows);
            if let Some(image) = product.image().filter(|image| image.positions_are_rows) {
                // SAFETY: the operand's elements lie in their buffer; the scratch memory has room for the boxes.
                unsafe { image.copy(left.images(image), rows.start, rows.len(), self.left, &mut self.lines) };
            }
            self.tile_rows(rows.clone());
            for (i, (k_first, k)) in step.blocks().enumerate() {
                let slot = if scratch.resident { r * step.blocks().count() + i } else { 0 };
                let block = Block { first: rows.start, count: rows.len(), k_first, k };
                let target = self.left.wrapping_add(slot * scratch.rows * ROW_STEP);
                // SAFETY: the same contract; the panels were packed above.
                unsafe {
                    self.left_block(left, block, step.task.sum.end, target, !scratch.resident || step.pass == 0);
                    self.multiply(right, step, &panels, block, i);
                }
            }
        }
    }

    /// Packs the panels of a step's columns.
    ///
    /// # Safety
    /// As for `run`.
    unsafe fn pack_right(&mut self, right: &Source<'_, T>, step: &Step<'_, T>, panels: &Panels) {
        let Call { product, engine, .. } = self.call;
        // Whole panels of vectors that are neighbours are packed by the first tiles.
        let first = panels.on_the_way;
        let done = first * engine.nr();
        if product.vectors != Vectors::Packed || done >= step.cols.len() {
            return;
        }
        for (i, (k_first, k)) in step.blocks().enumerate() {
            let block = Block { first: step.cols.start + done, count: step.cols.len() - done, k_first, k };
            let target = (self.right.wrapping_add(panels.at(i, first)), panels.step);
            // SAFETY: the scratch memory has room for all panels of `scratch.cols` columns and `scratch.terms` terms.
            unsafe {
                if product.right.across {
                    right.pack_across(block, engine, &mut self.tables, panels.widths, target);
                } else {
                    right.pack_along(block, engine, &mut self.tables, panels.widths, target, self.stage);
                }
            }
        }
    }

    /// Makes a block of the broadcast operand ready, and lists its terms: where its box has them, or `target`, to
    /// which the block is packed if it is not there yet.
    ///
    /// # Safety
    /// As for `run`; `target` has room for the block.
    unsafe fn left_block(&mut self, left: &Source<'_, T>, block: Block, sum_end: usize, target: *mut T, pack: bool) {
        let Call { product, engine, .. } = self.call;
        self.terms.clear();
        match &product.reading {
            Reading::InPlace(step) => {
                self.left_start = left.start().wrapping_add(block.first * step);
                self.terms.push(Terms { offset: block.k_first as isize, count: block.k });
            }
            Reading::Boxes(image) if image.positions_are_rows => {
                list_taps(image, block.k_first..block.k_first + block.k, &mut self.terms);
            }
            Reading::Boxes(image) => {
                let terms = block.k_first..block.k_first + block.k;
                if terms.start < self.boxed.start || terms.end > self.boxed.end {
                    self.boxed = terms.start..sum_end.min(terms.start + image.block).max(terms.end);
                    let (first, count) = (self.boxed.start, self.boxed.len());
                    // SAFETY: the operand's elements lie in their buffer; the scratch memory has room for the boxes.
                    unsafe { image.copy(left.images(image), first, count, self.left, &mut self.lines) };
                }
                let from = terms.start - self.boxed.start;
                let part = |line: &Line| line.within(from..from + terms.len(), image.step());
                let term = |line: Line| Terms { offset: line.offset, count: line.length };
                self.terms.extend(self.lines.iter().filter_map(part).map(term));
            }
            Reading::Packed => {
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
    unsafe fn multiply(&mut self, right: &Source<'_, T>, step: &Step<'_, T>, panels: &Panels, block: Block, i: usize) {
        let Call { product, engine, .. } = self.call;
        let (by_rows, distance) = match &product.reading {
            Reading::Boxes(image) => (image.positions_are_rows, image.step()),
            &Reading::InPlace(step) => (true, step),
            Reading::Packed if product.left.across => (false, engine.mr),
            Reading::Packed => (true, ROW_STEP),
        };
        let tile = self.tile.start();
        let whole = block.k_first..block.k_first + block.k;
        // SAFETY: the same contract.
        let left_out = unsafe { self.leaves_out(step, &whole, i) };
        let mut listed = whole.clone();
        for &TileRows { top, m, offset, ref sum } in &self.tiles {
            let at = block.first - step.task.rows.start + top;
            let add = block.k_first != step.task.sum.start;
            if left_out {
                let wanted = intersection(&whole, sum);
                if wanted.is_empty() && add {
                    continue;
                }
                if let Some(image) = product.image().filter(|_| wanted != listed) {
                    self.terms.clear();
                    list_taps(image, wanted.clone(), &mut self.terms);
                    listed = wanted;
                }
            }
            let first = listed.start;
            for panel in 0..panels.count {
                let packed = self.right.wrapping_add(panels.at(i, panel));
                let on_the_way = at == 0 && panel < panels.on_the_way;
                let column = step.cols.start + panel * engine.nr();
                let (b, b_step) = match product.vectors {
                    Vectors::Panels => {
                        let at = column * product.k + first * engine.nr();
                        (self.call.right.wrapping_add(at), engine.nr())
                    }
                    Vectors::Packed if !on_the_way => (packed.cast_const(), panels.width(panel)),
                    _ => {
                        let term = product.right.sum.innermost().stride as usize;
                        (right.start().wrapping_add(column + block.k_first * term), term)
                    }
                };
                let runs_start = if panel == 0 { 0 } else { self.panel_ends[panel - 1] };
                let (rows, cols) = (&self.row_offsets[at..at + m], &self.col_runs[runs_start..self.panel_ends[panel]]);
                let col_step = product.out_cols.innermost().stride;
                // Whole vectors of neighbours go to the result from registers.
                let to = match cols {
                    [run] if col_step == 1 && run.length == panels.width(panel) => {
                        Target::Result { out: step.out.wrapping_offset(run.place.offset), rows, add }
                    }
                    _ => Target::Tile(tile),
                };
                // SAFETY: the panels were packed with whole tiles; rows and runs lie in the task.
                unsafe {
                    (engine.tile)(&Tile {
                        m,
                        vectors: panels.width(panel) / engine.lanes,
                        terms: &self.terms,
                        by_rows,
                        step: distance,
                        a: self.left_start.wrapping_offset(offset),
                        b,
                        b_step,
                        panel: on_the_way.then_some(packed),
                        to,
                    });
                    if let Target::Tile(tile) = to {
                        let (step, out) = (engine.nr(), step.out);
                        (engine.store)(&StoreTile { tile, step, rows, cols, col_step, out, add });
                    }
                }
            }
        }
    }

    /// Whether some tiles can do without some terms of a block: windows that reach over an image's edge multiply zeros
    /// there, which add nothing to a sum unless the other factor is infinite or NaN.
    ///
    /// # Safety
    /// As for `run`.
    unsafe fn leaves_out(&mut self, step: &Step<'_, T>, block: &Range<usize>, i: usize) -> bool {
        let Call { product, engine, right, .. } = self.call;
        let within = |tile: &TileRows| tile.sum.start <= block.start && block.end <= tile.sum.end;
        if product.vectors != Vectors::Panels || self.tiles.iter().all(within) {
            return false;
        }
        let nr = engine.nr();
        *self.finite[i].get_or_insert_with(|| {
            step.cols.clone().step_by(nr).all(|column| {
                let panel = right.wrapping_add(column * product.k + block.start * nr);
                // SAFETY: the panel has these terms.
                unsafe { (engine.finite)(panel, block.len() * nr) }
            })
        })
    }

    /// Cuts rows into tiles: anywhere, or within the stretches in which they lie in the image.
    fn tile_rows(&mut self, rows: Range<usize>) {
        let Tiler { call, tiles, lines, .. } = self;
        let (product, mr) = (call.product, call.engine.mr);
        tiles.clear();
        let mut cut = |(start, length): (usize, usize), offset: isize, step: usize, sum: Range<usize>| {
            let pieces = length.div_ceil(mr);
            for piece in 0..pieces {
                let (from, to) = (length * piece / pieces, length * (piece + 1) / pieces);
                let offset = offset + (from * step) as isize;
                tiles.push(TileRows { top: start + from, m: to - from, offset, sum: sum.clone() });
            }
        };
        let step = match &product.reading {
            Reading::Boxes(image) if image.positions_are_rows => {
                let panels = product.vectors == Vectors::Panels;
                return lines.iter().for_each(|line| {
                    let sum = if panels { image.taps_inside(line, product.k) } else { 0..product.k };
                    cut((line.start, line.length), line.offset, image.step(), sum);
                });
            }
            Reading::Boxes(image) => {
                let cut = |run: Run| cut((run.start, run.length), run.place.offset, 1, 0..product.k);
                return image.taps.runs(rows.start, rows.len(), cut);
            }
            &Reading::InPlace(step) => step,
            Reading::Packed => ROW_STEP,
        };
        if matches!(product.reading, Reading::Packed) && product.left.across {
            // Panels are as wide as the highest tile.
            let tile = |top: usize| {
                let (m, offset) = (mr.min(rows.len() - top), (top * step) as isize);
                TileRows { top, m, offset, sum: 0..product.k }
            };
            return tiles.extend((0..rows.len()).step_by(mr).map(tile));
        }
        cut((0, rows.len()), 0, step, 0..product.k);
    }

    /// Where the columns of each panel lie in the result.
    fn column_runs(&mut self, step: &Step<'_, T>) {
        let (product, nr) = (self.call.product, self.call.engine.nr());
        self.col_runs.clear();
        self.panel_ends.clear();
        for col in step.cols.clone().step_by(nr) {
            let width = nr.min(step.cols.end - col);
            product.out_cols.runs(col, width, |run| self.col_runs.push(run));
            self.panel_ends.push(self.col_runs.len());
        }
    }
}

/// Rows of a tile: `m` from row `top` of the block on, and where they start in the block's memory. Terms outside `sum`
/// are zeros for all of them.
#[derive(Clone, Debug)]
struct TileRows {
    top: usize,
    m: usize,
    offset: isize,
    sum: Range<usize>,
}

/// Lists some taps of a window where they lie in the box.
fn list_taps(image: &Image, taps: Range<usize>, terms: &mut Vec<Terms>) {
    let term = |run: Run| Terms { offset: run.place.offset, count: run.length };
    image.taps.runs(taps.start, taps.len(), |run| terms.push(term(run)));
}

fn intersection(a: &Range<usize>, b: &Range<usize>) -> Range<usize> {
    let start = a.start.max(b.start);
    start..a.end.min(b.end).max(start)
}

fn source<T>(operand: &Operand, base: *const T, batch: usize) -> Source<'_, T> {
    let origin: Place = operand.start.plus(&operand.batch.place(batch));
    Source { operand, base, origin }
}
