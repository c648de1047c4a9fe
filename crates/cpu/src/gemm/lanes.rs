//! Depthwise convolutions: a batch of products too small for tiles, computed for as many batch indices (channels) at a
//! time as a vector has lanes. Both operands are read as vectors: images from boxes, channels last, the other operand
//! from a copy with the batch indices side by side.

use super::axes::{Place, Run};
use super::image::{Image, Line};
use super::kernel::{KC, Kernels, TILE_VECTORS, Terms, TileMemory};
use super::operand::{Operand, Product, TileSize};
use super::problem::{Access, Problem};
use super::store::StoreTile;
use super::team::{Call, Team, Worker};
use super::vector::Vector;
use crate::loops::copy_strided;
use fovea_core::Result;
use fovea_core::device::Threads;

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Lanes {
    image: Image,
    /// Batch indices that are computed together: those of one box.
    width: usize,
}

/// Fewer multiply-adds than this are not worth another thread.
const SHARE: usize = 1 << 16;
/// Tasks for each thread, so that one that was held up leaves work to the others.
const TASKS_PER_THREAD: usize = 4;

/// One call of the kernel: `tile[i][l] = Σ_k a[i][k][l] · b[k][l]`, summed from the first k to the last.
pub(super) struct LaneTile<'a, T> {
    pub m: usize,
    /// Vectors of lanes, 1 or 2.
    pub vectors: usize,
    /// The terms of the sum, as stretches of `a`; in `b` they follow one another.
    pub terms: &'a [Terms],
    /// Elements of `a` between neighbouring terms of a stretch, and between rows.
    pub term_step: isize,
    pub row_step: isize,
    pub a: *const T,
    pub b: *const T,
    /// Elements between the terms of `b`.
    pub b_step: usize,
    /// Rows of `TILE_VECTORS` vectors.
    pub tile: *mut T,
}

/// # Safety
/// As the fields of [`LaneTile`] say, for `M` rows of `N` vectors, and the instruction set of `V`.
#[inline(always)]
pub(super) unsafe fn lane_tile<V: Vector, const M: usize, const N: usize>(call: &LaneTile<'_, V::Elem>) {
    let (row_step, mut b) = (call.row_step, call.b);
    // SAFETY: `a` holds N vectors for each of M rows and each term, `b` for each term, `tile` M rows.
    unsafe {
        let mut sums = [[V::zero(); N]; M];
        for terms in call.terms {
            let mut a = call.a.offset(terms.offset);
            for _ in 0..terms.count {
                let factors: [V; N] = std::array::from_fn(|j| V::load(b.add(j * V::LANES)));
                for (i, row) in sums.iter_mut().enumerate() {
                    for (j, (sum, factor)) in row.iter_mut().zip(factors).enumerate() {
                        *sum = V::load(a.offset(i as isize * row_step).add(j * V::LANES)).multiply_add(factor, *sum);
                    }
                }
                a = a.offset(call.term_step);
                b = b.add(call.b_step);
            }
        }
        for (i, row) in sums.iter().enumerate() {
            for (j, sum) in row.iter().enumerate() {
                sum.store(call.tile.add((i * TILE_VECTORS + j) * V::LANES));
            }
        }
    }
}

impl Lanes {
    /// How a product of one column is computed by lanes: `left` is the access behind its broadcast operand, `outer` its
    /// loops. `None` where it has not the form of a depthwise convolution, or too few channels.
    pub fn of(product: &Product, problem: &Problem, left: &Access, outer: &[usize], tile: TileSize) -> Option<Lanes> {
        let batch = product.left.batch.only()?;
        let along = [&product.right.batch, &product.out_batch].iter().all(|axes| axes.only().is_some());
        if product.n != 1 || !along || 2 * product.batches < tile.lanes || !product.right.limits.is_empty() {
            return None;
        }
        // Whole pixels where their channels are neighbours, or few where the other operand has as many positions.
        let positions_are_rows = product.m >= product.k;
        let vectors = match batch.stride {
            1 if positions_are_rows => 8 * TILE_VECTORS,
            1 => 2 * TILE_VECTORS,
            _ => TILE_VECTORS,
        };
        let width = product.batches.next_multiple_of(tile.lanes).min(vectors * tile.lanes);
        let image = Image::of_lanes(problem, left, outer, tile, (width, batch.stride))?;
        (!image.positions_are_rows || product.k <= KC).then_some(Lanes { image, width })
    }

    /// Cycles for one batch index, roughly.
    pub fn cost(&self, product: &Product, tile: TileSize) -> f64 {
        let (m, k, lanes) = (product.m as f64, product.k as f64, tile.lanes as f64);
        let positions = if self.image.positions_are_rows { m } else { k };
        1.5 * m * k / lanes + positions * (self.image.cost() / self.width as f64 + 1.0) + 2.0 * m
    }

    /// # Safety
    /// The operands lie in their buffers; the sums have room, and nobody else touches them.
    pub unsafe fn run<T: Kernels>(&self, call: &Call<'_, T>, threads: &dyn Threads) -> Result<()> {
        let Call { product, sums, .. } = call;
        let Image { positions_are_rows, block, .. } = self.image;
        let rows = if positions_are_rows { block } else { product.m };
        let parts = product.m.div_ceil(rows);
        let tasks = product.batches.div_ceil(self.width) * sums.chunks * parts;
        let work = product.batches * product.m * product.k.max(1);
        let workers = (work / SHARE).clamp(1, threads.count()).min(tasks);
        let batch = (tasks / (workers * TASKS_PER_THREAD)).max(1);
        let terms = if positions_are_rows { product.k } else { KC };
        // Rounded up to whole cache lines.
        let boxes = self.image.elements(block).next_multiple_of(16);
        let scratch = (boxes + terms * self.width) * size_of::<T>();
        let recruit = |memory: *mut u8| {
            if !product.batches.is_multiple_of(call.engine.lanes) {
                // Lanes that no channel fills are computed and thrown away.
                // SAFETY: the worker's memory.
                unsafe { memory.write_bytes(0, scratch) };
            }
            Channels {
                lanes: self,
                call,
                parts,
                rows,
                boxes: memory.cast(),
                factors: memory.cast::<T>().wrapping_add(boxes),
                tile: TileMemory::new(),
                lines: Vec::new(),
                terms: Vec::new(),
                stretches: Vec::new(),
                offsets: Vec::new(),
            }
        };
        // SAFETY: the same contract; tasks are different channels, rows or chunks.
        unsafe { Team { workers, tasks, batch, scratch }.run(threads, recruit) }
    }
}

struct Task {
    /// The first batch index.
    group: usize,
    rows: std::ops::Range<usize>,
    chunk: usize,
}

/// Neighbouring rows in the box: `rows` of the product, the first at `offset`.
struct Stretch {
    rows: std::ops::Range<usize>,
    offset: isize,
}

/// What one thread works with.
struct Channels<'a, T: 'static> {
    lanes: &'a Lanes,
    call: &'a Call<'a, T>,
    /// How many parts the rows are cut into, and rows of a part.
    parts: usize,
    rows: usize,
    boxes: *mut T,
    /// The other operand's terms, lanes side by side.
    factors: *mut T,
    tile: Box<TileMemory<T>>,
    lines: Vec<Line>,
    terms: Vec<Terms>,
    stretches: Vec<Stretch>,
    /// Where each row starts in the result.
    offsets: Vec<isize>,
}

impl<T: Kernels> Worker for Channels<'_, T> {
    unsafe fn run(&mut self, index: usize) {
        let Call { product, left: images, sums, .. } = self.call;
        let (rest, part) = (index / self.parts, index % self.parts);
        let task = &Task {
            group: rest / sums.chunks * self.lanes.width,
            rows: part * self.rows..((part + 1) * self.rows).min(product.m),
            chunk: rest % sums.chunks,
        };
        let (image, first) = self.lanes.image.of_channels(task.group, product.batches);
        let images = images.wrapping_offset(product.left.start.offset + image.origin + first);
        let out = sums.of(task.chunk);
        self.offsets.clear();
        product.out_rows.offsets(task.rows.start, task.rows.len(), &mut self.offsets);
        let all = (task.chunk * sums.chunk).min(product.k)..((task.chunk + 1) * sums.chunk).min(product.k);
        if image.positions_are_rows {
            let Channels { lines, stretches, terms, .. } = self;
            // SAFETY: the operand's elements lie in their buffer; the box has room for these rows.
            unsafe { image.copy(images, task.rows.start, task.rows.len(), self.boxes, lines) };
            stretches.clear();
            stretches.extend(
                lines.iter().map(|line| Stretch { rows: line.start..line.start + line.length, offset: line.offset }),
            );
            terms.clear();
            image.taps.runs(0, product.k, |run| terms.push(Terms { offset: run.place.offset, count: run.length }));
            // SAFETY: as for `run`.
            unsafe {
                self.copy_factors(task, 0..product.k);
                self.tiles(task, (image.step() as isize, image.tap_step()), out, false);
            }
            return;
        }
        self.stretches.clear();
        let stretches = &mut self.stretches;
        image.taps.runs(task.rows.start, task.rows.len(), |run| {
            stretches.push(Stretch { rows: run.start..run.start + run.length, offset: run.place.offset });
        });
        // A sum of no terms is one block of none, which stores zeros.
        for from in (all.start..all.end.max(all.start + 1)).step_by(KC) {
            let block = from..all.end.min(from + KC);
            // SAFETY: as above, and as for `run`.
            unsafe {
                image.copy(images, block.start, block.len(), self.boxes, &mut self.lines);
                self.terms.clear();
                self.terms.extend(self.lines.iter().map(|line| Terms { offset: line.offset, count: line.length }));
                self.copy_factors(task, block);
                self.tiles(task, (image.tap_step(), image.step() as isize), out, from != all.start);
            }
        }
    }
}

impl<T: Kernels> Channels<'_, T> {
    /// Puts the other operand's terms where the kernel reads them.
    ///
    /// # Safety
    /// As for [`Worker::run`].
    unsafe fn copy_factors(&self, task: &Task, terms: std::ops::Range<usize>) {
        let Call { product, right, .. } = self.call;
        let Operand { start, batch, sum, .. } = &product.right;
        let (width, stride) = (self.lanes.width, batch.innermost().stride);
        let count = width.min(product.batches - task.group);
        let base = right.wrapping_offset(start.offset + task.group as isize * stride);
        sum.runs(terms.start, terms.len(), |run| {
            let source = base.wrapping_offset(run.place.offset);
            // SAFETY: the elements lie in their buffer; there is room for all terms of a block.
            unsafe {
                let target = self.factors.add(run.start * width);
                let steps = ((width as isize, 1), (sum.innermost().stride, stride));
                copy_strided(size_of::<T>(), target.cast(), steps.0, source.cast(), steps.1, (run.length, count));
            }
        });
    }

    /// Computes all tiles of a task from what was copied; `steps` are those between rows and between terms.
    ///
    /// # Safety
    /// As for [`Worker::run`], with operands copied.
    unsafe fn tiles(&mut self, task: &Task, (row_step, term_step): (isize, isize), out: *mut T, add: bool) {
        let (Call { product, engine, .. }, lanes) = (self.call, self.lanes);
        let count = lanes.width.min(product.batches - task.group);
        let col_step = product.out_batch.innermost().stride;
        let pieces = |rows: &std::ops::Range<usize>| {
            let (length, pieces) = (rows.len(), rows.len().div_ceil(engine.mr));
            (0..pieces).map(move |piece| (length * piece / pieces, length * (piece + 1) / pieces))
        };
        for Stretch { rows, offset } in &self.stretches {
            for ((from, to), lane) in
                pieces(rows).flat_map(|piece| (0..count).step_by(engine.nr()).map(move |lane| (piece, lane)))
            {
                let length = (count - lane).min(engine.nr());
                let place = Place { offset: (task.group + lane) as isize * col_step, ..Place::default() };
                let cols = [Run { start: 0, length, place }];
                // SAFETY: boxes and factors hold whole vectors; rows lie in the task.
                unsafe {
                    (engine.lane_tile)(&LaneTile {
                        m: to - from,
                        vectors: length.div_ceil(engine.lanes),
                        terms: &self.terms,
                        term_step,
                        row_step,
                        a: self.boxes.cast_const().wrapping_offset(offset + from as isize * row_step + lane as isize),
                        b: self.factors.wrapping_add(lane),
                        b_step: lanes.width,
                        tile: self.tile.start(),
                    });
                    (engine.store)(&StoreTile {
                        tile: self.tile.start(),
                        step: engine.nr(),
                        rows: &self.offsets[rows.start + from..rows.start + to],
                        cols: &cols,
                        col_step,
                        out: out.wrapping_offset(product.out),
                        add,
                    });
                }
            }
        }
    }
}
