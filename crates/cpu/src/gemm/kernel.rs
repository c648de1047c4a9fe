//! Micro-kernels: a tile of the result in registers, over one block of the sum.

use super::depthwise::{PixelTile, TapTile, pixel_tile, tap_tile};
use super::gemv::{RowsTile, rows_tile};
use super::lanes::{LaneTile, lane_tile};
use super::pack::{PackAcross, PackMatrix, finite, pack_across, pack_matrix, transpose_panel};
use super::stencil::{StencilTile, stencil_tile};
use super::store::{StoreTile, accumulate, store_tile};
use super::vector::{Float, Vector, prefetch};

/// Length of a block of the sum; part of every result's bits, so never tuned (S13).
pub(super) const KC: usize = 256;
/// Distance of the rows of an operand that is packed by rows: odd in cache lines, so that rows don't share sets.
pub(super) const ROW_STEP: usize = KC + 16;

/// Vectors in a full tile's row.
pub(super) const TILE_VECTORS: usize = 2;
/// Elements that the largest tile holds.
pub(super) const TILE_MAX: usize = 14 * 32;

/// A tile on its way from registers to the result.
#[repr(align(64))]
pub(super) struct TileMemory<T>([T; TILE_MAX]);

impl<T: Float> TileMemory<T> {
    pub fn new() -> Box<TileMemory<T>> {
        Box::new(TileMemory([T::ZERO; TILE_MAX]))
    }

    pub fn start(&mut self) -> *mut T {
        self.0.as_mut_ptr()
    }
}

/// One call of a micro-kernel: `tile[i][j] = Σ_k a[i][k] · b[k][j]`, summed from the first k to the last.
#[derive(Clone, Copy)]
pub(super) struct Tile<'a, T> {
    /// Rows; there is a kernel for each height.
    pub m: usize,
    /// Vectors in a row, 1 or 2: also the width of the panel `b`.
    pub vectors: usize,
    /// The terms of the sum, as stretches of `a`: where each starts and how long it is. In `b` they follow one another.
    pub terms: &'a [Terms],
    /// Rows lie `step` apart and terms are neighbours, or terms lie `step` apart and rows are neighbours.
    pub by_rows: bool,
    pub step: usize,
    pub a: *const T,
    pub b: *const T,
    /// Elements of `b` from one term to the next: its width, where it is packed.
    pub b_step: usize,
    /// Where `b` is packed on the way, as a panel of two vectors, if it is not yet.
    pub panel: Option<*mut T>,
    /// Where the sums go.
    pub to: Target<'a, T>,
}

/// Where a tile's sums go from registers.
#[derive(Clone, Copy)]
pub(super) enum Target<'a, T> {
    /// Rows of `TILE_VECTORS` vectors, side by side.
    Tile(*mut T),
    /// The result itself, in which each row lies from `rows[i]` on; `add` to what is there.
    Result { out: *mut T, rows: &'a [isize], add: bool },
}

/// A stretch of the terms of a sum in the broadcast operand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    pub offset: isize,
    pub count: usize,
}

/// Kernels of one instruction set and element type.
pub(super) struct Engine<T: 'static> {
    /// Rows of a full tile.
    pub mr: usize,
    pub lanes: usize,
    pub tile: unsafe fn(&Tile<'_, T>),
    pub lane_tile: unsafe fn(&LaneTile<'_, T>),
    pub pixel_tile: unsafe fn(&PixelTile<'_, T>),
    pub tap_tile: unsafe fn(&TapTile<'_, T>),
    pub rows_tile: unsafe fn(&RowsTile<T>),
    /// For rows of 2, 4 or 8 vectors.
    pub stencil: unsafe fn(&StencilTile<'_, T>, usize),
    /// Packs a panel from elements that are neighbours along the panel's width.
    pub pack_across: unsafe fn(&PackAcross<'_, T>),
    /// Packs panels from a matrix whose rows are terms.
    pub pack_matrix: unsafe fn(&PackMatrix<T>),
    /// Packs a panel from one pointer for each row of its width.
    pub transpose: unsafe fn(rows: &[*const T], k: usize, panel: *mut T),
    pub store: unsafe fn(&StoreTile<'_, T>),
    /// Whether all elements of some panels are finite.
    pub finite: unsafe fn(values: *const T, count: usize) -> bool,
    /// `sums[i] += values[i]`.
    pub accumulate: unsafe fn(values: *const T, sums: *mut T, count: usize),
}

impl<T> Engine<T> {
    /// Columns of a full tile.
    pub fn nr(&self) -> usize {
        self.lanes * TILE_VECTORS
    }
}

/// Terms by which vectors that are packed on the way are asked for in advance.
const AHEAD: usize = 16;

/// # Safety
/// As the fields of [`Tile`] say, with `M` rows readable in `a`, and the instruction set of `V`.
#[inline(always)]
unsafe fn micro<V: Vector, const M: usize, const N: usize, const BY_ROWS: bool, const PACK: bool>(
    call: &Tile<'_, V::Elem>,
) {
    let (step, mut b) = (call.step, call.b);
    let mut panel = call.panel.unwrap_or(std::ptr::null_mut());
    // SAFETY: `a` holds M rows and `b` N vectors for each of the terms; a tile has M rows of `TILE_VECTORS` vectors, a
    // result M rows of N.
    unsafe {
        let mut sums = [[V::zero(); N]; M];
        for terms in call.terms {
            let mut a = call.a.offset(terms.offset);
            for _ in 0..terms.count {
                let columns: [V; N] = std::array::from_fn(|j| V::load(b.add(j * V::LANES)));
                if PACK {
                    for (j, column) in columns.iter().enumerate() {
                        prefetch(b.wrapping_add(AHEAD * call.b_step + j * V::LANES));
                        column.store(panel.add(j * V::LANES));
                    }
                    panel = panel.add(N * V::LANES);
                }
                for (i, row) in sums.iter_mut().enumerate() {
                    let factor = V::splat(if BY_ROWS { a.add(i * step) } else { a.add(i) });
                    for (sum, column) in row.iter_mut().zip(columns) {
                        *sum = factor.multiply_add(column, *sum);
                    }
                }
                a = a.add(if BY_ROWS { 1 } else { step });
                b = b.add(call.b_step);
            }
        }
        match call.to {
            Target::Tile(tile) => {
                for (i, row) in sums.iter().enumerate() {
                    for (j, sum) in row.iter().enumerate() {
                        sum.store(tile.add((i * TILE_VECTORS + j) * V::LANES));
                    }
                }
            }
            Target::Result { out, rows, add: false } => {
                for (i, row) in sums.iter().enumerate() {
                    let at = out.offset(*rows.get_unchecked(i));
                    for (j, sum) in row.iter().enumerate() {
                        sum.store(at.add(j * V::LANES));
                    }
                }
            }
            Target::Result { out, rows, add: true } => {
                for (i, row) in sums.iter().enumerate() {
                    let at = out.offset(*rows.get_unchecked(i));
                    for (j, sum) in row.iter().enumerate() {
                        V::load(at.add(j * V::LANES)).add(*sum).store(at.add(j * V::LANES));
                    }
                }
            }
        }
    }
}

/// Makes an [`Engine`] whose functions are compiled for an instruction set; `$m` are the tile heights there are.
macro_rules! engine {
    ($name:ident, $t:ty, $v:ty, $mr:literal, [$($m:literal),*] $(, $feature:literal)?) => {
        pub(super) static $name: Engine<$t> = {
            type V = $v;
            $(#[target_feature(enable = $feature)])?
            unsafe fn one<const M: usize, const N: usize, const BY_ROWS: bool, const PACK: bool>(call: &Tile<'_, $t>) {
                // SAFETY: the caller of the engine keeps the same contract.
                unsafe { micro::<V, M, N, BY_ROWS, PACK>(call) }
            }
            unsafe fn tile(call: &Tile<'_, $t>) {
                // SAFETY: the same contract; whoever chose this engine has the instruction set.
                unsafe {
                    $(if call.m <= $m {
                        return match (call.vectors, call.by_rows, call.panel.is_some()) {
                            (1, false, _) => one::<$m, 1, false, false>(call),
                            (1, true, _) => one::<$m, 1, true, false>(call),
                            (_, false, false) => one::<$m, 2, false, false>(call),
                            (_, true, false) => one::<$m, 2, true, false>(call),
                            (_, false, true) => one::<$m, 2, false, true>(call),
                            (_, true, true) => one::<$m, 2, true, true>(call),
                        };
                    })*
                }
                unreachable!("a tile of {} rows", call.m);
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn lanes<const M: usize, const N: usize>(call: &LaneTile<'_, $t>) {
                // SAFETY: the caller of the engine keeps the same contract.
                unsafe { lane_tile::<V, M, N>(call) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn planes<const M: usize, const N: usize>(call: &StencilTile<'_, $t>) {
                // SAFETY: the caller of the engine keeps the same contract.
                unsafe { stencil_tile::<V, M, N>(call) }
            }
            unsafe fn stencil(call: &StencilTile<'_, $t>, vectors: usize) {
                // SAFETY: the same contract; whoever chose this engine has the instruction set.
                unsafe {
                    match (call.m, vectors) {
                        (1, 8) => return planes::<1, 8>(call),
                        (2, 4) => return planes::<2, 4>(call),
                        (3, 4) => return planes::<3, 4>(call),
                        $(($m, 2) => return planes::<$m, 2>(call),)*
                        _ => {}
                    }
                }
                unreachable!("a tile of {} rows of {vectors} vectors", call.m);
            }
            unsafe fn lane(call: &LaneTile<'_, $t>) {
                // SAFETY: the same contract; whoever chose this engine has the instruction set.
                unsafe {
                    $(if call.m <= $m {
                        return if call.vectors == 1 { lanes::<$m, 1>(call) } else { lanes::<$m, 2>(call) };
                    })*
                }
                unreachable!("a tile of {} rows", call.m);
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn pixels<const M: usize, const N: usize>(call: &PixelTile<'_, $t>) {
                // SAFETY: the caller of the engine keeps the same contract.
                unsafe { pixel_tile::<V, M, N>(call) }
            }
            unsafe fn pixel(call: &PixelTile<'_, $t>) {
                // SAFETY: the same contract; whoever chose this engine has the instruction set.
                unsafe {
                    $(if call.pixels == $m {
                        return if call.vectors == 1 { pixels::<$m, 1>(call) } else { pixels::<$m, 2>(call) };
                    })*
                }
                unreachable!("a tile of {} pixels", call.pixels);
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn taps<const M: usize>(call: &TapTile<'_, $t>) {
                // SAFETY: the caller of the engine keeps the same contract.
                unsafe { tap_tile::<V, M>(call) }
            }
            unsafe fn tap(call: &TapTile<'_, $t>) {
                // SAFETY: the same contract; whoever chose this engine has the instruction set.
                unsafe {
                    match call.taps {
                        1 => taps::<1>(call),
                        2 => taps::<2>(call),
                        3 => taps::<3>(call),
                        4 => taps::<4>(call),
                        5 => taps::<5>(call),
                        6 => taps::<6>(call),
                        7 => taps::<7>(call),
                        8 => taps::<8>(call),
                        9 => taps::<9>(call),
                        taps => unreachable!("{taps} taps"),
                    }
                }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn rows(call: &RowsTile<$t>) {
                // SAFETY: the same contract.
                unsafe {
                    match call.m {
                        1 => rows_tile::<V, 1>(call),
                        2 => rows_tile::<V, 2>(call),
                        3 => rows_tile::<V, 3>(call),
                        m => unreachable!("{m} rows"),
                    }
                }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn across(call: &PackAcross<'_, $t>) {
                // SAFETY: the same contract.
                unsafe { pack_across::<V>(call) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn matrix(call: &PackMatrix<$t>) {
                // SAFETY: the same contract.
                unsafe { pack_matrix::<V>(call) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn transpose(rows: &[*const $t], k: usize, panel: *mut $t) {
                // SAFETY: the same contract.
                unsafe { transpose_panel::<V>(rows, k, panel) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn store(call: &StoreTile<'_, $t>) {
                // SAFETY: the same contract.
                unsafe { store_tile::<V>(call) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn all_finite(values: *const $t, count: usize) -> bool {
                // SAFETY: the same contract.
                unsafe { finite::<V>(values, count) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn accumulate_all(values: *const $t, sums: *mut $t, count: usize) {
                // SAFETY: the same contract.
                unsafe { accumulate::<V>(values, sums, count) }
            }
            Engine {
                mr: $mr,
                lanes: V::LANES,
                tile,
                lane_tile: lane,
                pixel_tile: pixel,
                tap_tile: tap,
                rows_tile: rows,
                stencil,
                pack_across: across,
                pack_matrix: matrix,
                transpose,
                store,
                finite: all_finite,
                accumulate: accumulate_all,
            }
        };
    };
}

use super::vector::Portable;
engine!(PORTABLE_F32, f32, Portable<f32>, 6, [1, 2, 3, 4, 5, 6]);
engine!(PORTABLE_F64, f64, Portable<f64>, 6, [1, 2, 3, 4, 5, 6]);

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::*;
    use std::arch::x86_64::{__m256, __m256d, __m512, __m512d};
    engine!(AVX2_F32, f32, __m256, 6, [1, 2, 3, 4, 5, 6], "avx2,fma");
    engine!(AVX2_F64, f64, __m256d, 6, [1, 2, 3, 4, 5, 6], "avx2,fma");
    engine!(
        AVX512_F32,
        f32,
        __m512,
        14,
        [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14],
        "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"
    );
    engine!(
        AVX512_F64,
        f64,
        __m512d,
        14,
        [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14],
        "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"
    );
}
#[cfg(target_arch = "x86_64")]
use x86::*;

/// Element types with engines.
pub(super) trait Kernels: Float {
    fn engine(isa: crate::isa::Isa) -> &'static Engine<Self>;
}

macro_rules! kernels {
    ($t:ty, $portable:ident, $avx2:ident, $avx512:ident) => {
        impl Kernels for $t {
            fn engine(isa: crate::isa::Isa) -> &'static Engine<$t> {
                match isa {
                    #[cfg(target_arch = "x86_64")]
                    crate::isa::Isa::Avx512 => &$avx512,
                    #[cfg(target_arch = "x86_64")]
                    crate::isa::Isa::Avx2 => &$avx2,
                    _ => &$portable,
                }
            }
        }
    };
}
kernels!(f32, PORTABLE_F32, AVX2_F32, AVX512_F32);
kernels!(f64, PORTABLE_F64, AVX2_F64, AVX512_F64);
