//! Convolutions with few channels in the result: the weights are the broadcast operand, and vectors run along the
//! positions of planes (see [`Planes`]), so that no lane waits for a channel that isn't there. Rows of a box follow one
//! another; what is computed where a row goes over into the next is thrown away.

use super::LONG;
use super::axes::{Place, Run};
use super::image::Planes;
use super::kernel::{Engine, KC, Kernels, TILE_MAX};
use super::lanes::Sums;
use super::operand::{Product, TileSize};
use super::problem::{Access, Problem};
use super::store::StoreTile;
use super::vector::Vector;
use crate::memory::Buffer;
use fovea_core::Result;
use fovea_core::device::Threads;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Fewer multiply-adds than this are not worth another thread.
const SHARE: usize = 1 << 18;

/// Rows of a result that is computed this way, at most.
const MOST_ROWS: usize = 14;

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Stencil {
    planes: Planes,
}

/// One call of the kernel: `tile[i][j] = Σ_t weights[t][i] · plane[offsets[t] + j]`, summed from the first t to the last.
pub(super) struct StencilTile<'a, T> {
    /// Rows, the channels of the result.
    pub m: usize,
    /// Each term's offset from the first position.
    pub offsets: &'a [usize],
    pub weights: *const T,
    /// Elements between the weights of neighbouring terms.
    pub step: usize,
    pub plane: *const T,
    /// Rows of [`vectors`] vectors.
    pub tile: *mut T,
}

/// Vectors in a tile's rows: enough multiply-adds that don't wait for each other; `most` where the store takes no more.
pub(super) const fn vectors(m: usize, most: usize) -> usize {
    let wanted = match m {
        1 => 8,
        2 | 3 => 4,
        _ => 2,
    };
    if wanted < most { wanted } else { most }
}

/// # Safety
/// As the fields of [`StencilTile`] say, for `M` rows of `N` vectors, and the instruction set of `V`.
#[inline(always)]
pub(super) unsafe fn stencil_tile<V: Vector, const M: usize, const N: usize>(call: &StencilTile<'_, V::Elem>) {
    // SAFETY: the plane holds N vectors from each offset on, the weights M for each term, the tile M rows.
    unsafe {
        let mut sums = [[V::zero(); N]; M];
        let mut weights = call.weights;
        for &offset in call.offsets {
            let columns: [V; N] = std::array::from_fn(|j| V::load(call.plane.add(offset + j * V::LANES)));
            for (i, row) in sums.iter_mut().enumerate() {
                let factor = V::splat(weights.add(i));
                for (sum, column) in row.iter_mut().zip(columns) {
                    *sum = factor.multiply_add(column, *sum);
                }
            }
            weights = weights.add(call.step);
        }
        for (i, row) in sums.iter().enumerate() {
            for (j, sum) in row.iter().enumerate() {
                sum.store(call.tile.add((i * N + j) * V::LANES));
            }
        }
    }
}

impl Stencil {
    /// How a product of few rows is computed along the positions of its other operand, `right`, whose loops are `outer`.
    pub fn of(
        product: &Product,
        problem: &Problem,
        right: &Access,
        outer: &[usize],
        tile: TileSize,
    ) -> Option<Stencil> {
        let few = product.m <= tile.rows.min(MOST_ROWS) && product.k < LONG;
        if !few || !product.left.limits.is_empty() || product.k == 0 {
            return None;
        }
        let planes = Planes::of(problem, right, outer, tile)?;
        Some(Stencil { planes })
    }

    /// Cycles for one batch index, roughly.
    pub fn cost(&self, product: &Product, tile: TileSize) -> f64 {
        let (m, n, k, lanes) = (product.m as f64, product.n as f64, product.k as f64, tile.lanes as f64);
        let padded = n * self.planes.pitch as f64 / self.planes.positions().0 as f64;
        let store = if product.out_cols.innermost().stride == 1 { 0.2 } else { 2.0 };
        padded / lanes * (m + 1.5) * k + n * (self.planes.cost() + store * m) + m * k
    }

    /// # Safety
    /// The operands lie in their buffers; the sums have room, and nobody else touches them.
    pub unsafe fn run<T: Kernels>(
        &self,
        product: &Product,
        engine: &'static Engine<T>,
        (left, right): (*const T, *const T),
        sums: &Sums<T>,
        threads: &dyn Threads,
    ) -> Result<()> {
        let planes = &self.planes;
        let rows = planes.positions().1;
        let parts = rows.div_ceil(planes.rows);
        let tasks = product.batches * planes.images * parts;
        let work = product.batches * product.m * product.n * product.k;
        let workers = (work / SHARE).clamp(1, threads.count()).min(tasks);
        let most = if product.out_cols.innermost().stride == 1 { usize::MAX } else { 2 };
        let width = vectors(product.m, most) * engine.lanes;
        // Tiles may reach over the end of the last row.
        let boxes = (planes.elements(planes.rows) + width).next_multiple_of(16);
        let bytes = ((boxes + product.m * product.k) * size_of::<T>()).next_multiple_of(128);
        let memory = Buffer::new(workers * bytes)?;
        let shared = Shared { memory: memory.as_mut_ptr(), left, right, out: sums.out };
        let next = AtomicUsize::new(0);
        let body = |index: usize| {
            let Shared { memory, left, right, out } = shared.all();
            let start: *mut T = memory.wrapping_add(index * bytes).cast();
            // SAFETY: the worker's memory; zero bytes are zero.
            unsafe { start.cast::<u8>().write_bytes(0, boxes * size_of::<T>()) };
            let mut worker = Worker {
                stencil: self,
                product,
                engine,
                width,
                left,
                right,
                out,
                boxes: start,
                weights: start.wrapping_add(boxes),
                batch: None,
                tile: Box::new(Tile([T::ZERO; TILE_MAX])),
                offsets: Vec::new(),
                row_offsets: Vec::new(),
                runs: Vec::new(),
            };
            loop {
                let task = next.fetch_add(1, Ordering::Relaxed);
                if task >= tasks {
                    return;
                }
                let (rest, part) = (task / parts, task % parts);
                let (batch, image) = (rest / planes.images, rest % planes.images);
                let first = part * planes.rows;
                // SAFETY: by this function's contract; tasks write different elements, workers have their memory.
                unsafe { worker.run(batch, image, first, planes.rows.min(rows - first)) };
            }
        };
        if workers == 1 {
            body(0)
        } else {
            threads.run(workers, &body)
        }
        Ok(())
    }
}

/// What all workers see, and the start of their memory.
struct Shared<T> {
    memory: *mut u8,
    left: *const T,
    right: *const T,
    out: *mut T,
}

impl<T> Shared<T> {
    /// Through a method, so that closures share the whole.
    fn all(&self) -> Shared<T> {
        Shared { ..*self }
    }
}

// SAFETY: workers only read the operands, and write different elements of the result and their own memory.
unsafe impl<T: Kernels> Sync for Shared<T> {}

#[repr(align(64))]
struct Tile<T>([T; TILE_MAX]);

/// What one thread works with.
struct Worker<'a, T: 'static> {
    stencil: &'a Stencil,
    product: &'a Product,
    engine: &'static Engine<T>,
    /// Positions of a tile.
    width: usize,
    left: *const T,
    right: *const T,
    out: *mut T,
    boxes: *mut T,
    /// Weights of each term, one row of the result after the other.
    weights: *mut T,
    /// Whose weights they are.
    batch: Option<usize>,
    tile: Box<Tile<T>>,
    offsets: Vec<usize>,
    row_offsets: Vec<isize>,
    runs: Vec<Run>,
}

impl<T: Kernels> Worker<'_, T> {
    /// Rows `first..first + rows` of an image.
    ///
    /// # Safety
    /// As for [`Stencil::run`].
    unsafe fn run(&mut self, batch: usize, image: usize, first: usize, rows: usize) {
        let (product, planes) = (self.product, &self.stencil.planes);
        let (left, right) = (&product.left, &product.right);
        if self.batch != Some(batch) {
            self.batch = Some(batch);
            let base = self.left.wrapping_offset(left.start.offset + left.batch.place(batch).offset);
            self.row_offsets.clear();
            left.outer.offsets(0, product.m, &mut self.row_offsets);
            let (weights, outer, step) = (self.weights, &self.row_offsets, left.sum.innermost().stride);
            left.sum.runs(0, product.k, |run| {
                for t in 0..run.length {
                    let source = base.wrapping_offset(run.place.offset + t as isize * step);
                    for (i, &row) in outer.iter().enumerate() {
                        // SAFETY: every term has a weight for each row, in the operand and in the worker's memory.
                        unsafe { *weights.add((run.start + t) * product.m + i) = *source.wrapping_offset(row) };
                    }
                }
            });
            self.row_offsets.clear();
            product.out_rows.offsets(0, product.m, &mut self.row_offsets);
        }
        let images = right.start.offset + right.batch.place(batch).offset + planes.origin;
        // SAFETY: the operand's elements lie in their buffer, and the box has room for these rows.
        unsafe { planes.copy(self.right.wrapping_offset(images), image, first, rows, self.boxes) };
        planes.offsets(rows, &mut self.offsets);
        let out = self.out.wrapping_offset(product.out + product.out_batch.place(batch).offset);
        let (columns, all_rows) = planes.positions();
        let length = (rows - 1) * planes.pitch + columns;
        for start in (0..length).step_by(self.width) {
            self.runs.clear();
            let end = length.min(start + self.width);
            for row in start / planes.pitch..=(end - 1) / planes.pitch {
                // The part of the tile that lies in this row, and not in the gap behind it.
                let from = start.max(row * planes.pitch);
                let to = end.min(row * planes.pitch + columns);
                if from < to {
                    let position = (image * all_rows + first + row) * columns + from - row * planes.pitch;
                    let place: Place = product.out_cols.place(position);
                    self.runs.push(Run { start: from - start, length: to - from, place });
                }
            }
            if self.runs.is_empty() {
                continue;
            }
            for (i, terms) in self.offsets.chunks(KC).enumerate() {
                // SAFETY: the box holds whole tiles, the weights every term; runs and rows lie in the result.
                unsafe {
                    (self.engine.stencil)(
                        &StencilTile {
                            m: product.m,
                            offsets: terms,
                            weights: self.weights.add(i * KC * product.m),
                            step: product.m,
                            plane: self.boxes.add(start),
                            tile: self.tile.0.as_mut_ptr(),
                        },
                        self.width / self.engine.lanes,
                    );
                    (self.engine.store)(&StoreTile {
                        tile: self.tile.0.as_ptr(),
                        step: self.width,
                        rows: &self.row_offsets,
                        cols: &self.runs,
                        col_step: product.out_cols.innermost().stride,
                        out,
                        add: i > 0,
                    });
                }
            }
        }
    }
}
