//! The GEMM engine: contractions over strided operands.
//!
//! Panels of both operands are packed, with virtual im2col where they are read by windows; or the broadcast operand is
//! read in place from boxes of padded, channels-last images (see [`image`]), whichever costs less by a rough count.
//! Three forms have kernels of their own: depthwise convolutions run along the channels (see [`depthwise`] and
//! [`lanes`]), convolutions to few channels along the positions (see [`stencil`]), few rows times a matrix along its rows
//! (see [`gemv`]).
//!
//! **Bits (S13).** Each element of the result is summed from the first to the last term of the sum in blocks of
//! [`KC`](kernel::KC); inside a block one multiply-add follows the other, starting from zero, and the blocks' sums are
//! added in order. Where a long sum feeds a small result, it is cut into chunks by size alone, and the chunks' sums
//! are added in order. Divided coordinates are split into residue classes first (see [`problem`]), which drops terms
//! that read zero. Layout, tile, position, packing, order of the outer loops and threads never enter.

mod axes;
mod cost;
mod depthwise;
mod gemv;
mod grid;
mod image;
mod kernel;
mod lanes;
mod operand;
mod pack;
mod problem;
mod staging;
mod stencil;
mod store;
mod team;
mod tiles;
mod vector;

use crate::isa::{Isa, isa};
use crate::memory::Buffer;
use fovea_core::contraction::Contraction;
use fovea_core::device::Threads;
use fovea_core::{DType, Error, Layout, Result};
use kernel::{KC, Kernels};
use operand::{Product, TileSize, Way};
use problem::Problem;
use staging::Staging;
use team::{Call, Sums};

/// A contraction made ready for operands of given layouts; runs any number of times, also from several threads.
#[derive(Clone, Debug)]
pub struct CompiledContraction {
    isa: Isa,
    dtype: DType,
    /// Elements of the result.
    elements: usize,
    /// Parts of the result, each element in one of them.
    products: Vec<Product>,
}

/// An operand: where its buffer starts, and how it lies in there.
#[derive(Clone, Copy, Debug)]
pub struct RawView<'a> {
    pub start: *const u8,
    pub layout: &'a Layout,
}

/// Compiles and runs a contraction once.
///
/// # Safety
/// As for [`CompiledContraction::run`].
pub unsafe fn contract(
    contraction: &Contraction,
    dtype: DType,
    a: RawView<'_>,
    b: RawView<'_>,
    out: *mut u8,
    threads: &dyn Threads,
) -> Result<()> {
    let compiled = CompiledContraction::compile(contraction, dtype, a.layout, b.layout)?;
    // SAFETY: the same contract.
    unsafe { compiled.run(a.start, b.start, out, threads) }
}

impl CompiledContraction {
    /// For f32 and f64.
    pub fn compile(contraction: &Contraction, dtype: DType, a: &Layout, b: &Layout) -> Result<CompiledContraction> {
        CompiledContraction::compile_for(isa(), contraction, dtype, a, b)
    }

    /// As [`CompiledContraction::compile`], for an instruction set that the processor has.
    fn compile_for(isa: Isa, c: &Contraction, dtype: DType, a: &Layout, b: &Layout) -> Result<CompiledContraction> {
        CompiledContraction::compile_by(Product::choose, isa, c, dtype, a, b)
    }

    /// As [`CompiledContraction::compile_for`], with another choice among the ways to run each product.
    fn compile_by(
        choose: impl Fn(&Problem, TileSize) -> Result<Product>,
        isa: Isa,
        c: &Contraction,
        dtype: DType,
        a: &Layout,
        b: &Layout,
    ) -> Result<CompiledContraction> {
        let (rows, lanes) = match dtype {
            DType::F32 => (f32::engine(isa).mr, f32::engine(isa).lanes),
            DType::F64 => (f64::engine(isa).mr, f64::engine(isa).lanes),
            other => return Err(Error::dtype(format!("a contraction of {other}")).expected("f32 or f64")),
        };
        let problems = problem::lower(c, a, b)?;
        let elements = c.out.iter().map(|&l| c.loops[l].size).product();
        let tile = TileSize { rows, lanes, block: KC, element: dtype.size() };
        let products = problems
            .iter()
            .map(|problem| choose(problem, tile))
            .filter(|product| product.as_ref().map_or(true, |p| p.batches * p.m * p.n > 0))
            .collect::<Result<_>>()?;
        Ok(CompiledContraction { isa, dtype, elements, products })
    }

    /// Computes the contraction into `out`, row-major.
    ///
    /// # Safety
    /// `a` and `b` are the starts of buffers that hold every element of the layouts given to `compile`, of the dtype
    /// given there, aligned to it; `out` has room for the result and shares no memory with them; nobody writes the
    /// operands or touches `out` meanwhile.
    pub unsafe fn run(&self, a: *const u8, b: *const u8, out: *mut u8, threads: &dyn Threads) -> Result<()> {
        // SAFETY: the same contract.
        unsafe {
            match self.dtype {
                DType::F32 => self.run_as::<f32>(a.cast(), b.cast(), out.cast(), threads),
                _ => self.run_as::<f64>(a.cast(), b.cast(), out.cast(), threads),
            }
        }
    }

    /// # Safety
    /// As for `run`.
    unsafe fn run_as<T: Kernels>(&self, a: *const T, b: *const T, out: *mut T, threads: &dyn Threads) -> Result<()> {
        let engine = T::engine(self.isa);
        for product in &self.products {
            // SAFETY: by this function's contract.
            let (staged_a, a) = unsafe { staged(product.staged[0].as_ref(), a, threads)? };
            // SAFETY: as above.
            let (staged_b, b) = unsafe { staged(product.staged[1].as_ref(), b, threads)? };
            let (left, right) = if product.swapped { (b, a) } else { (a, b) };
            let result = Buffer::new(product.staged_out.as_ref().map_or(0, |s| s.elements * size_of::<T>()))?;
            let written = if product.staged_out.is_some() { result.as_mut_ptr().cast() } else { out };
            let chunk = if self.products.len() == 1 { chunk_length(product) } else { product.k.max(1) };
            let chunks = product.k.div_ceil(chunk).max(1);
            // Chunk 0 is written to the result itself, each other one to a buffer that lies like the result.
            let partial = Buffer::new((chunks - 1) * self.elements * size_of::<T>())?;
            let sums =
                Sums { out: written, partial: partial.as_mut_ptr().cast(), elements: self.elements, chunk, chunks };
            let call = Call { product, engine, left, right, sums };
            // SAFETY: by this function's contract; the buffers have room for the sums.
            unsafe {
                match &product.way {
                    Way::Tiles => tiles::run(&call, threads)?,
                    Way::Lanes(lanes) => lanes.run(&call, threads)?,
                    Way::Depthwise(depthwise) => depthwise.run(&call, threads)?,
                    Way::Stencil(stencil) => stencil.run(&call, threads)?,
                    Way::Gemv(gemv) => gemv.run(&call, threads)?,
                }
            }
            for part in 1..chunks {
                // SAFETY: both hold `elements` elements, and all tasks are done.
                unsafe {
                    (engine.accumulate)(sums.partial.add((part - 1) * self.elements), sums.out, self.elements);
                }
            }
            drop((staged_a, staged_b));
            if let Some(staging) = &product.staged_out {
                // SAFETY: the buffer holds the whole result, for which `out` has room.
                unsafe { staging.copy(written.cast_const(), out, threads) };
            }
        }
        Ok(())
    }
}

/// Where an operand is read: a copy of it, which the buffer holds, or itself.
///
/// # Safety
/// `operand` holds what the staging reads, and nobody writes it meanwhile.
unsafe fn staged<T: Kernels>(
    staging: Option<&Staging>,
    operand: *const T,
    threads: &dyn Threads,
) -> Result<(Buffer, *const T)> {
    let Some(staging) = staging else { return Ok((Buffer::new(0)?, operand)) };
    let buffer = Buffer::new(staging.elements * size_of::<T>())?;
    // SAFETY: the buffer is new and has room.
    unsafe { staging.copy(operand, buffer.as_mut_ptr().cast(), threads) };
    let start = buffer.as_ptr().cast();
    Ok((buffer, start))
}

/// Sums shorter than this stay whole.
const LONG: usize = 2048;

/// Length of the chunks that the sum is cut into, a multiple of [`KC`]; part of the result's bits, so a function of
/// sizes alone.
fn chunk_length(product: &Product) -> usize {
    /// Larger results give every thread work without chunks.
    const SMALL: usize = 1 << 17;
    const MOST_CHUNKS: usize = 16;
    /// Chunks of fewer terms than this are not worth their buffer.
    const CHUNK: usize = 1024;
    let elements = product.batches * product.m * product.n;
    if product.k < LONG || elements > SMALL {
        return product.k.max(1);
    }
    let chunks = (product.k / CHUNK).min(MOST_CHUNKS);
    product.k.div_ceil(chunks).next_multiple_of(KC)
}

#[cfg(test)]
mod tests;
