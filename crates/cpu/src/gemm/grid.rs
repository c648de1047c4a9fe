//! How a product is cut into tasks, and how much memory a worker needs.

use super::kernel::{KC, ROW_STEP};
use super::operand::{Product, Reading, Vectors};
use super::team::{Call, Sums};
use super::vector::Float;
use std::ops::Range;

/// Terms of the sum for which the panels of the vector operand are packed at a time, where boxes of rows are read.
const SUPER: usize = 16 * KC;
/// Bytes of packed panels that a worker keeps of either operand: half of an ordinary L2 cache.
const PANEL_BYTES: usize = 512 << 10;
/// The same where the broadcast operand doesn't stay packed, so that it is packed less often.
const WIDE_PANEL_BYTES: usize = 1 << 20;
/// Bytes of a block of panels of the whole operand that are gone through for all tiles of rows, beside their box.
const SHARED_PANEL_BYTES: usize = 256 << 10;
/// Rows that are packed at a time, at most, but for rounding up to whole tiles.
const BLOCK_ROWS: usize = 112;
/// Multiply-adds below which another thread costs more than it saves.
const THREAD_WORK: usize = 1 << 17;

/// Columns whose panels are in hand at a time, of which `sum` terms take at most `elements`.
fn pass(elements: usize, sum: usize, nr: usize) -> usize {
    (elements / sum / nr * nr).clamp(4 * nr, 1024)
}

/// Cycles that a task spends before it multiplies, roughly: to pack an element takes about one, with its misses, and half
/// of that where it is neither turned nor looked up.
fn readying<T: Float>(call: &Call<'_, T>, rows: usize, cols: usize, terms: usize) -> f64 {
    let Call { product, engine, .. } = call;
    let elements = WIDE_PANEL_BYTES / size_of::<T>();
    let passes = |sum: usize| match product.vectors {
        Vectors::Packed => cols.div_ceil(pass(elements, sum.min(terms), engine.nr())) as f64,
        Vectors::InPlace | Vectors::Panels => 1.0,
    };
    let left = match &product.reading {
        Reading::InPlace(_) => 0.0,
        Reading::Packed => (rows * terms) as f64 * if product.left.across { 1.0 } else { 0.5 },
        Reading::Boxes(image) if image.positions_are_rows => rows as f64 * image.cost() * passes(SUPER),
        Reading::Boxes(image) => terms as f64 * image.cost() * passes(KC),
    };
    let right = match product.vectors {
        Vectors::InPlace => 0.0,
        // For every box the panels come from far.
        Vectors::Panels => 0.2 * product.image().map_or(0.0, |image| rows.div_ceil(image.block) as f64),
        Vectors::Packed if product.right.is_plain() => 0.5,
        Vectors::Packed => 1.0,
    };
    left + right * (cols * terms) as f64
}

/// The tasks of one product: batch index × chunk × rows × columns.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grid {
    batches: usize,
    pub chunks: usize,
    /// Terms in a chunk.
    chunk: usize,
    row_parts: usize,
    col_parts: usize,
    /// Rows and columns of a part, but for the last.
    rows: usize,
    cols: usize,
    pub workers: usize,
    /// Tasks that a worker takes at a time.
    pub batch: usize,
}

/// One task.
#[derive(Clone, Debug)]
pub(super) struct Task {
    pub batch: usize,
    pub chunk: usize,
    pub rows: Range<usize>,
    pub cols: Range<usize>,
    pub sum: Range<usize>,
}

/// Elements of each part of a worker's scratch memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scratch {
    /// Rows of a block of the broadcast operand: a multiple of the tile's where they are packed.
    pub rows: usize,
    /// Columns for which panels are packed at a time, a multiple of the tile's.
    pub cols: usize,
    /// Terms of the sum for which panels are packed at a time.
    pub terms: usize,
    /// The blocks of the broadcast operand stay packed while the columns pass.
    pub resident: bool,
    pub left: usize,
    pub right: usize,
    pub stage: usize,
    size: usize,
}

impl Scratch {
    pub fn bytes(&self) -> usize {
        (self.left + self.right + self.stage) * self.size
    }
}

impl Grid {
    /// The grid whose slowest thread is done first, by a rough count. No choice changes a bit.
    pub fn choose<T: Float>(call: &Call<'_, T>, threads: usize) -> Grid {
        let &Call { product, engine, sums: Sums { chunk, chunks, .. }, .. } = call;
        let (&Product { batches, m, n, .. }, nr) = (product, engine.nr());
        let units = batches * chunks;
        let work = (m * n).saturating_mul(product.k.max(1)).saturating_mul(batches);
        let threads = (work / THREAD_WORK).clamp(1, threads.max(1));
        let part = |size: usize, parts: usize, tile: usize| size.div_ceil(parts).next_multiple_of(tile);
        // Panels of rows are as wide as a tile is high; tiles of rows that lie apart may have any height.
        let panels = matches!(product.reading, Reading::Packed) && product.left.across;
        let stretch = product.row_stretch().filter(|_| m > 0);
        let (least, unit) = (stretch.unwrap_or(engine.mr), stretch.unwrap_or(if panels { engine.mr } else { 1 }));
        let terms = chunk.min(product.k).max(1);
        let mut best = (f64::INFINITY, 1, 1);
        for share in [1, 2, 4] {
            let wanted = if threads == 1 { 1 } else { (threads * share).div_ceil(units) };
            for row_parts in 1..=wanted.min(m.div_ceil(least)) {
                let col_parts = wanted.div_ceil(row_parts).min(n.div_ceil(nr));
                let (rows, cols) = (part(m, row_parts, unit), part(n, col_parts, nr));
                let rounds = (units * row_parts * col_parts).div_ceil(threads);
                let multiply = (rows * cols) as f64 / engine.lanes as f64 * terms as f64;
                let task = multiply + readying(call, rows, cols, terms);
                // Many small tasks even out what one thread is late.
                let cost = rounds as f64 * task * (1.0 + 0.08 / share as f64);
                if cost < best.0 {
                    best = (cost, row_parts, col_parts);
                }
            }
        }
        let (rows, cols) = (part(m, best.1, unit), part(n, best.2, nr));
        let (row_parts, col_parts) = (m.div_ceil(rows), n.div_ceil(cols));
        let tasks = units * row_parts * col_parts;
        let workers = threads.min(tasks);
        let batch = (tasks / (workers * 8)).max(1);
        Grid { batches, chunks, chunk, row_parts, col_parts, rows, cols, workers, batch }
    }

    pub fn tasks(&self) -> usize {
        self.batches * self.chunks * self.row_parts * self.col_parts
    }

    pub fn task(&self, product: &Product, index: usize) -> Task {
        let (rest, row) = (index / self.row_parts, index % self.row_parts);
        let (rest, col) = (rest / self.col_parts, rest % self.col_parts);
        let (batch, chunk) = (rest / self.chunks, rest % self.chunks);
        let cut = |part: usize, length: usize, end: usize| part * length..((part + 1) * length).min(end);
        Task {
            batch,
            chunk,
            rows: cut(row, self.rows, product.m),
            cols: cut(col, self.cols, product.n),
            sum: cut(chunk, self.chunk, product.k),
        }
    }

    pub fn scratch<T: Float>(&self, call: &Call<'_, T>) -> Scratch {
        let Call { product, engine, .. } = call;
        let (mr, nr, size) = (engine.mr, engine.nr(), size_of::<T>());
        // Boxes of rows serve all their terms; what is copied block by block, and boxes of terms, only one block.
        let by_rows = product.image().is_some_and(|image| image.positions_are_rows);
        let terms = match product.vectors {
            Vectors::Panels if by_rows => product.k.max(1),
            _ if by_rows => SUPER,
            _ => KC,
        };
        let sum = self.chunk.min(product.k).clamp(1, terms);
        let blocks = sum.div_ceil(KC);
        let all_rows = self.rows.min(product.m).next_multiple_of(mr);
        let row_blocks = all_rows.div_ceil(BLOCK_ROWS);
        let (rows, resident, left) = match &product.reading {
            Reading::Boxes(image) if image.positions_are_rows => {
                let rows = image.block.min(all_rows);
                (rows, false, image.elements(rows))
            }
            Reading::Boxes(image) => (all_rows, false, image.elements(image.block)),
            Reading::InPlace(_) => (all_rows, false, 0),
            Reading::Packed => {
                let rows = all_rows.div_ceil(row_blocks).next_multiple_of(mr);
                let whole = rows * row_blocks * blocks * ROW_STEP;
                let resident = whole * size <= PANEL_BYTES;
                (rows, resident, if resident { whole } else { rows * ROW_STEP })
            }
        };
        let left = left.next_multiple_of(16);
        let bytes = if resident { PANEL_BYTES } else { WIDE_PANEL_BYTES };
        let packed = product.vectors == Vectors::Packed;
        let most = if packed { pass(bytes / size, sum, nr) } else { pass(SHARED_PANEL_BYTES / size, KC.min(sum), nr) };
        let cols = self.cols.min(product.n).next_multiple_of(nr).min(most);
        let right = if packed { cols * blocks * KC.min(sum) } else { 0 };
        Scratch { rows, cols, terms, resident, left, right, stage: (nr + 1) * ROW_STEP, size }
    }
}
