//! Convolutions with few channels in the result: the weights are the broadcast operand, and vectors run along the
//! positions of planes (see [`Planes`]), so that no lane waits for a channel that isn't there. Rows of a box follow one
//! another; what is computed where a row goes over into the next is thrown away.

use super::LONG;
use super::axes::{Place, Run};
use super::image::Planes;
use super::kernel::{KC, Kernels, TileMemory};
use super::operand::{Product, TileSize};
use super::problem::{Access, Problem};
use super::store::StoreTile;
use super::team::{Call, Team, Worker};
use super::vector::Vector;
use fovea_core::Result;
use fovea_core::device::Threads;

/// Fewer multiply-adds than this are not worth another thread.
const SHARE: usize = 1 << 18;
/// Cycles that a box costs apart from its elements.
const BOX: f64 = 4000.0;
/// Vectors in the narrowest tile's rows.
const NARROW: usize = 2;
/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Stencil {
    planes: Box<Planes>,
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
    /// Rows of as many vectors as the kernel is told.
    pub tile: *mut T,
}

/// Vectors in a tile's rows: enough multiply-adds that don't wait for each other, where the store takes so many.
fn vectors(product: &Product) -> usize {
    match product.m {
        _ if product.out_cols.innermost().stride != 1 => NARROW,
        1 => 8,
        2 | 3 => 4,
        _ => NARROW,
    }
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
        let few = product.m <= tile.rows && product.k < LONG;
        if !few || !product.left.limits.is_empty() || product.k == 0 {
            return None;
        }
        Planes::of(problem, right, outer, tile).map(|planes| Stencil { planes: Box::new(planes) })
    }

    /// Cycles for one batch index, roughly.
    pub fn cost(&self, product: &Product, tile: TileSize) -> f64 {
        let (m, n, k, lanes) = (product.m as f64, product.n as f64, product.k as f64, tile.lanes as f64);
        let store = if product.out_cols.innermost().stride == 1 { 0.2 } else { 2.0 };
        let multiply = (m + 1.5) * k * n / lanes + store * m * n + m * k;
        let planes = &self.planes;
        let (columns, rows) = planes.positions();
        let boxes = (planes.images * rows.div_ceil(planes.rows)) as f64;
        multiply * planes.pitch as f64 / columns as f64 + n * planes.cost() + BOX * boxes
    }

    /// # Safety
    /// The operands lie in their buffers; the sums have room, and nobody else touches them.
    pub unsafe fn run<T: Kernels>(&self, call: &Call<'_, T>, threads: &dyn Threads) -> Result<()> {
        let &Call { product, engine, .. } = call;
        let work = product.batches * product.m * product.n * product.k;
        let wanted = (work / SHARE).clamp(1, threads.count());
        let width = vectors(product) * engine.lanes;
        let planes = &self.planes;
        let parts = planes.images * planes.positions().1.div_ceil(planes.rows);
        // Tiles may reach over the end of the last row of a box.
        let boxes = (planes.elements(planes.rows) + width).next_multiple_of(16);
        let tasks = product.batches * parts;
        let scratch = (boxes + product.m * product.k) * size_of::<T>();
        let team = Team { workers: wanted.min(tasks), tasks, batch: 1, scratch };
        let recruit = |memory: *mut u8| {
            // SAFETY: the worker's memory; zero bytes are zero.
            unsafe { memory.write_bytes(0, boxes * size_of::<T>()) };
            Positions {
                planes,
                call,
                parts,
                width,
                boxes: memory.cast(),
                weights: memory.cast::<T>().wrapping_add(boxes),
                batch: None,
                tile: TileMemory::new(),
                offsets: Vec::new(),
                row_offsets: Vec::new(),
                runs: Vec::new(),
            }
        };
        // SAFETY: the same contract; tasks are different columns of the result.
        unsafe { team.run(threads, recruit) }
    }
}

/// What one thread works with.
struct Positions<'a, T: 'static> {
    planes: &'a Planes,
    call: &'a Call<'a, T>,
    /// Tasks of each batch index.
    parts: usize,
    /// Positions of a tile, at most.
    width: usize,
    boxes: *mut T,
    /// Weights of each term, one row of the result after the other.
    weights: *mut T,
    /// Whose weights they are.
    batch: Option<usize>,
    tile: Box<TileMemory<T>>,
    offsets: Vec<usize>,
    row_offsets: Vec<isize>,
    runs: Vec<Run>,
}

impl<T: Kernels> Worker for Positions<'_, T> {
    unsafe fn run(&mut self, task: usize) {
        let (batch, part) = (task / self.parts, task % self.parts);
        // SAFETY: the same contract; the weights are copied before they are read.
        unsafe {
            self.copy_weights(batch);
            self.box_of(batch, part);
        }
    }
}

impl<T: Kernels> Positions<'_, T> {
    /// Puts the weights of a batch index in the order in which they are read.
    ///
    /// # Safety
    /// As for [`Worker::run`].
    unsafe fn copy_weights(&mut self, batch: usize) {
        let product = self.call.product;
        let left = &product.left;
        if self.batch == Some(batch) {
            return;
        }
        self.batch = Some(batch);
        let base = self.call.left.wrapping_offset(left.batch.place(batch).offset);
        // SAFETY: the same contract; the memory has room for them.
        unsafe { product.copy_terms(base, self.weights) };
        self.row_offsets.clear();
        product.out_rows.offsets(0, product.m, &mut self.row_offsets);
    }

    /// Computes and stores the tile of so many positions, the first of which is at `plane`.
    ///
    /// # Safety
    /// From each offset on the plane has so many elements, `runs` lie in the result.
    unsafe fn tile(&mut self, plane: *const T, width: usize, out: *mut T) {
        let &Call { product, engine, .. } = self.call;
        for (i, terms) in self.offsets.chunks(KC).enumerate() {
            // SAFETY: by contract, and the weights hold every term.
            unsafe {
                (engine.stencil)(
                    &StencilTile {
                        m: product.m,
                        offsets: terms,
                        weights: self.weights.add(i * KC * product.m),
                        step: product.m,
                        plane,
                        tile: self.tile.start(),
                    },
                    width / engine.lanes,
                );
                (engine.store)(&StoreTile {
                    tile: self.tile.start(),
                    step: width,
                    rows: &self.row_offsets,
                    cols: &self.runs,
                    col_step: product.out_cols.innermost().stride,
                    out,
                    add: i > 0,
                });
            }
        }
    }

    /// Part `part` of the boxes of all images.
    ///
    /// # Safety
    /// As for [`Worker::run`], with the weights of the batch index copied.
    unsafe fn box_of(&mut self, batch: usize, part: usize) {
        let planes = self.planes;
        let &Call { product, right: images, sums, .. } = self.call;
        let right = &product.right;
        let parts = planes.positions().1.div_ceil(planes.rows);
        let (image, first) = (part / parts, part % parts * planes.rows);
        let rows = planes.rows.min(planes.positions().1 - first);
        let origin = right.start.offset + right.batch.place(batch).offset + planes.origin;
        // SAFETY: the operand's elements lie in their buffer, and the box has room for these rows.
        unsafe { planes.copy(images.wrapping_offset(origin), image, first, rows, self.boxes) };
        planes.offsets(rows, &mut self.offsets);
        let out = sums.out.wrapping_offset(product.out + product.out_batch.place(batch).offset);
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
            if !self.runs.is_empty() {
                // SAFETY: the box holds whole tiles; runs and rows lie in the result.
                unsafe { self.tile(self.boxes.wrapping_add(start), self.width, out) };
            }
        }
    }
}
