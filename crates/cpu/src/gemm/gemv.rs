//! One to three rows times a matrix whose columns are neighbours: read once, where it lies, along its rows, as fast as
//! memory delivers. The sums stay in the first-level cache while the rows of a block pass, some of them at a time.

use super::LONG;
use super::axes::Run;
use super::kernel::{KC, Kernels};
use super::operand::{Operand, Product, TileSize};
use super::store::StoreTile;
use super::team::{Call, Team, Worker};
use super::vector::Vector;
use crate::memory::Buffer;
use fovea_core::Result;
use fovea_core::device::Threads;
use std::ops::Range;

/// Fewer multiply-adds than this are not worth another thread.
const SHARE: usize = 1 << 18;
/// Rows of the product, at most.
const FEW: usize = 3;
/// Columns whose sums are in hand at a time: a part of the first-level cache.
const STRIP: usize = 1024;
/// Terms that are added to a sum while it is in a register: so many rows of the matrix are read abreast.
const ABREAST: usize = 4;
/// Bytes of the blocks' sums that are kept apart, at most.
const APART: usize = 1 << 20;

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Gemv {
    /// Elements between rows of the matrix.
    step: usize,
}

/// One call of the kernel: `sums[i][j] = Σ_t weights[t][i] · matrix[t][j]`, summed from the first t to the last.
pub(super) struct RowsTile<T> {
    /// Rows of the product.
    pub m: usize,
    pub terms: usize,
    /// Those of each term side by side.
    pub weights: *const T,
    pub matrix: *const T,
    /// Elements between rows of the matrix.
    pub step: usize,
    /// Columns, a multiple of a vector's lanes.
    pub columns: usize,
    pub sums: *mut T,
    /// Elements between rows of the sums.
    pub sums_step: usize,
}

/// # Safety
/// As the fields of [`RowsTile`] say, for `M` rows of the product, and the instruction set of `V`.
#[inline(always)]
pub(super) unsafe fn rows_tile<V: Vector, const M: usize>(call: &RowsTile<V::Elem>) {
    let &RowsTile { terms, columns, .. } = call;
    // SAFETY: the same contract.
    unsafe {
        for i in 0..M {
            for j in (0..columns).step_by(V::LANES) {
                V::zero().store(call.sums.add(i * call.sums_step + j));
            }
        }
        let whole = terms / ABREAST * ABREAST;
        (0..whole).step_by(ABREAST).for_each(|t| add_rows::<V, M, ABREAST>(call, t));
        (whole..terms).for_each(|t| add_rows::<V, M, 1>(call, t));
    }
}

/// Adds `R` terms, from `first` on, to all sums.
///
/// # Safety
/// As for [`rows_tile`].
#[inline(always)]
unsafe fn add_rows<V: Vector, const M: usize, const R: usize>(call: &RowsTile<V::Elem>, first: usize) {
    // SAFETY: by contract.
    unsafe {
        let weights = call.weights.add(first * M);
        let weights: [[V; M]; R] = std::array::from_fn(|t| std::array::from_fn(|i| V::splat(weights.add(t * M + i))));
        let rows: [*const V::Elem; R] = std::array::from_fn(|t| call.matrix.add((first + t) * call.step));
        for j in (0..call.columns).step_by(V::LANES) {
            let sums: [*mut V::Elem; M] = std::array::from_fn(|i| call.sums.add(i * call.sums_step + j));
            let mut values: [V; M] = std::array::from_fn(|i| V::load(sums[i]));
            for (row, weights) in rows.iter().zip(&weights) {
                let column = V::load(row.add(j));
                for (value, weight) in values.iter_mut().zip(weights) {
                    *value = weight.multiply_add(column, *value);
                }
            }
            for (value, sum) in values.iter().zip(sums) {
                value.store(sum);
            }
        }
    }
}

impl Gemv {
    /// How a product of few rows with a matrix is computed; `None` where it isn't one.
    pub fn of(product: &Product, tile: TileSize) -> Option<Gemv> {
        let Operand { limits, outer, sum, .. } = &product.right;
        let (columns, terms) = (outer.only()?, sum.only()?);
        let plain = limits.is_empty() && columns.stride == 1 && terms.stride >= 0;
        let whole = product.n > 0 && product.n.is_multiple_of(tile.lanes) && product.k > 0;
        let few = product.m <= FEW && product.k < LONG && product.left.limits.is_empty();
        (plain && whole && few).then_some(Gemv { step: terms.stride as usize })
    }

    /// Cycles for one batch index, roughly.
    pub fn cost(&self, product: &Product, tile: TileSize) -> f64 {
        let (m, n, k, lanes) = (product.m as f64, product.n as f64, product.k as f64, tile.lanes as f64);
        let store = if product.out_cols.innermost().stride == 1 { 0.2 } else { 2.0 };
        (m + 1.5) * k * n / lanes + store * m * n + m * k
    }

    /// # Safety
    /// The operands lie in their buffers; the sums have room, and nobody else touches them.
    pub unsafe fn run<T: Kernels>(&self, call: &Call<'_, T>, threads: &dyn Threads) -> Result<()> {
        let Call { product, engine, .. } = call;
        let (m, n, k) = (product.m, product.n, product.k);
        let wanted = (product.batches * m * n * k / SHARE).clamp(1, threads.count());
        let (strips, blocks) = (n.div_ceil(STRIP), k.div_ceil(KC));
        let apart = product.batches * blocks * m * n;
        // Whole rows for each thread where the sum has blocks enough, else some columns.
        let by_blocks = wanted > 1 && blocks >= 2 * wanted && apart * size_of::<T>() <= APART;
        let block_sums = Buffer::new(if by_blocks { apart * size_of::<T>() } else { 0 })?;
        let parts = if by_blocks { strips } else { strips.max(wanted).min(n / engine.lanes) };
        let tasks = product.batches * parts * if by_blocks { blocks } else { 1 };
        let scratch = (m * STRIP + m * k) * size_of::<T>();
        let team = Team { workers: wanted.min(tasks), tasks, batch: 1, scratch };
        let apart = Apart { sums: block_sums.as_mut_ptr().cast(), blocks };
        let recruit = |memory: *mut u8| {
            let sums = memory.cast::<T>();
            let weights = sums.wrapping_add(m * STRIP);
            let mut rows = Vec::new();
            product.out_rows.offsets(0, m, &mut rows);
            let apart = by_blocks.then_some(&apart);
            Rows { call, step: self.step, parts, apart, sums, weights, batch: None, rows, columns: Vec::new() }
        };
        // SAFETY: the same contract; tasks are different columns of the result, or blocks of their sums.
        unsafe { team.run(threads, recruit)? };
        if by_blocks {
            let mut worker = recruit(std::ptr::null_mut());
            for (batch, block) in (0..product.batches).flat_map(|batch| (0..blocks).map(move |block| (batch, block))) {
                // SAFETY: all blocks' sums are there.
                unsafe { worker.store(batch, 0..n, apart.of(product, batch, block), n, block > 0) };
            }
        }
        Ok(())
    }
}

/// The sums of each block, `m` rows of `n`, where threads share the blocks; they are added in order at the end.
struct Apart<T> {
    sums: *mut T,
    blocks: usize,
}

// SAFETY: tasks write different parts.
unsafe impl<T> Sync for Apart<T> {}

impl<T> Apart<T> {
    fn of(&self, product: &Product, batch: usize, block: usize) -> *mut T {
        self.sums.wrapping_add((batch * self.blocks + block) * product.m * product.n)
    }
}

/// What one thread works with.
struct Rows<'a, T: 'static> {
    call: &'a Call<'a, T>,
    step: usize,
    /// Parts of the columns.
    parts: usize,
    apart: Option<&'a Apart<T>>,
    sums: *mut T,
    /// The terms of the rows, side by side, and the batch index whose they are.
    weights: *mut T,
    batch: Option<usize>,
    /// Where rows start in the result.
    rows: Vec<isize>,
    columns: Vec<Run>,
}

impl<T: Kernels> Worker for Rows<'_, T> {
    unsafe fn run(&mut self, task: usize) {
        let Call { product, engine, .. } = self.call;
        let (rest, part) = (task / self.parts, task % self.parts);
        let blocks = product.k.div_ceil(KC);
        let (batch, blocks) = match self.apart {
            Some(_) => (rest / blocks, rest % blocks..rest % blocks + 1),
            None => (rest, 0..blocks),
        };
        // SAFETY: the same contract; there is memory for the weights.
        unsafe { self.copy_weights(batch) };
        let units = product.n / engine.lanes;
        let bound = |part: usize| units * part / self.parts * engine.lanes;
        let columns = bound(part)..bound(part + 1);
        for block in blocks {
            // SAFETY: these columns lie in every row of the matrix, and in the result; there is room for their sums.
            unsafe {
                match self.apart {
                    Some(apart) => {
                        let sums = apart.of(product, batch, block).wrapping_add(columns.start);
                        self.block(batch, columns.clone(), block, sums, product.n);
                    }
                    None => {
                        self.block(batch, columns.clone(), block, self.sums, STRIP);
                        self.store(batch, columns.clone(), self.sums, STRIP, block > 0);
                    }
                }
            }
        }
    }
}

impl<T: Kernels> Rows<'_, T> {
    /// # Safety
    /// As for [`Worker::run`].
    unsafe fn copy_weights(&mut self, batch: usize) {
        let Call { product, left, .. } = self.call;
        if self.batch != Some(batch) {
            self.batch = Some(batch);
            // SAFETY: the same contract; the memory has room for them.
            unsafe { product.copy_terms(left.wrapping_offset(product.left.batch.place(batch).offset), self.weights) };
        }
    }

    /// Sums a block of terms for some columns, to rows `sums_step` apart.
    ///
    /// # Safety
    /// As for [`Worker::run`], with the weights copied; `sums` has room.
    unsafe fn block(&self, batch: usize, columns: Range<usize>, block: usize, sums: *mut T, sums_step: usize) {
        let &Call { product, engine, right: matrix, .. } = self.call;
        let (right, first) = (&product.right, block * KC);
        let start = right.start.offset + right.batch.place(batch).offset + (columns.start + first * self.step) as isize;
        let call = RowsTile {
            m: product.m,
            terms: KC.min(product.k - first),
            weights: self.weights.wrapping_add(first * product.m),
            matrix: matrix.wrapping_offset(start),
            step: self.step,
            columns: columns.len(),
            sums,
            sums_step,
        };
        // SAFETY: by contract.
        unsafe { (engine.rows_tile)(&call) };
    }

    /// Puts the sums of some columns, or adds them to what is there.
    ///
    /// # Safety
    /// The sums have those columns, and so does the result.
    unsafe fn store(&mut self, batch: usize, columns: Range<usize>, tile: *const T, step: usize, add: bool) {
        let Call { product, engine, sums, .. } = self.call;
        let out = sums.out.wrapping_offset(product.out + product.out_batch.place(batch).offset);
        self.columns.clear();
        let runs = &mut self.columns;
        product.out_cols.runs(columns.start, columns.len(), |run| runs.push(run));
        let (rows, cols, col_step) = (&self.rows[..], &self.columns[..], product.out_cols.innermost().stride);
        // SAFETY: by contract.
        unsafe { (engine.store)(&StoreTile { tile, step, rows, cols, col_step, out, add }) };
    }
}
