//! What the machine can do at most: multiply-adds held in registers, and streams that no cache holds. Figures of
//! kernels are judged by it.

use crate::math::{BASELINE_FMA, mul_add};
use crate::multiversion;
use fovea_core::device::Threads;
use fovea_core::error::{Error, Result};
use std::hint::black_box;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Bytes of the streams: past the last-level cache of the machines that this runs on.
const STREAM: usize = 256 << 20;
/// Chains of dependent multiply-adds: more than latency times throughput, fewer than vector registers.
const CHAINS: usize = 12;
/// Multiply-adds of each chain in a pass: some milliseconds.
const STEPS: usize = 1 << 21;
/// How often each of the three is tried in turn, and for how long; the best pass counts, since others may be using the
/// machine. A host may run two virtual cores on one of its own for a good part of a second.
const ROUNDS: usize = 3;
const PATIENCE: Duration = Duration::from_millis(90);
/// Parts of a stream for each thread, so that one that is held up leaves some to the others.
const PARTS: usize = 8;

/// The machine's limits on the threads and the instruction set in use.
#[derive(Clone, Copy, Debug)]
pub struct Peak {
    /// f32 operations, a multiply-add being two, in 10⁹ a second.
    pub gflops: f64,
    /// Bytes read by a sum over memory, in 10⁹ a second.
    pub read_gbps: f64,
    /// Bytes read and written by `out = a + s · b` over memory, in 10⁹ a second.
    pub triad_gbps: f64,
}

/// Measures for about a second on `threads`, which should have nothing else to do. Needs 256 MiB.
pub fn measure(threads: &dyn Threads) -> Result<Peak> {
    let count = threads.count();
    let length = STREAM / size_of::<f32>();
    let mut memory: Vec<f32> = Vec::new();
    memory
        .try_reserve_exact(length)
        .map_err(|_| Error::out_of_memory(format!("there are no {STREAM} bytes to measure memory with")))?;
    memory.resize(length, 1.0);
    let mut seconds = [f64::INFINITY; 3];
    for _ in 0..ROUNDS {
        let round = [
            best(|| threads.run(count, &|_| keep(chains(STEPS)))),
            reading(threads, &memory),
            streaming(threads, &mut memory),
        ];
        seconds.iter_mut().zip(round).for_each(|(least, one)| *least = least.min(one));
    }
    let flops = count * STEPS * CHAINS * lanes() * 2;
    let rate = |work: usize, seconds: f64| 1e-9 * work as f64 / seconds;
    Ok(Peak {
        gflops: rate(flops, seconds[0]),
        read_gbps: rate(STREAM, seconds[1]),
        triad_gbps: rate(length / 3 * 3 * size_of::<f32>(), seconds[2]),
    })
}

/// Seconds to sum all of the memory.
fn reading(threads: &dyn Threads, memory: &[f32]) -> f64 {
    let pieces: Vec<&[f32]> = memory.chunks(memory.len().div_ceil(threads.count() * PARTS)).collect();
    best(|| threads.run(pieces.len(), &|i| keep(total(pieces[i]))))
}

/// Seconds for a triad of thirds of the memory.
fn streaming(threads: &dyn Threads, memory: &mut [f32]) -> f64 {
    let third = memory.len() / 3;
    let (a, rest) = memory.split_at_mut(third);
    let (b, out) = rest.split_at_mut(third);
    let part = third.div_ceil(threads.count() * PARTS);
    let pieces: Vec<_> = a.chunks(part).zip(b.chunks(part)).zip(out[..third].chunks_mut(part)).collect();
    let pieces: Vec<_> = pieces.into_iter().map(|((a, b), out)| Mutex::new((out, a, b))).collect();
    best(|| {
        threads.run(pieces.len(), &|i| {
            let mut piece = pieces[i].lock().unwrap_or_else(PoisonError::into_inner);
            let (out, a, b) = &mut *piece;
            triad(out, a, b);
        });
    })
}

/// Makes the compiler believe that a result is used.
fn keep(result: f32) {
    black_box(result);
}

/// Seconds of the fastest of several passes.
fn best(pass: impl Fn()) -> f64 {
    pass();
    let begin = Instant::now();
    let mut least = f64::INFINITY;
    while begin.elapsed() < PATIENCE {
        let start = Instant::now();
        pass();
        least = least.min(start.elapsed().as_secs_f64());
    }
    least
}

#[inline(always)]
fn total_body(x: &[f32]) -> f32 {
    let mut sums = [0f32; 64];
    for row in x.chunks_exact(64) {
        for (sum, value) in sums.iter_mut().zip(row) {
            *sum += value;
        }
    }
    sums.iter().sum()
}
multiversion!(fn total(x: &[f32]) -> f32 = total_body);

#[inline(always)]
fn triad_body(out: &mut [f32], a: &[f32], b: &[f32]) {
    for ((out, a), b) in out.iter_mut().zip(a).zip(b) {
        *out = a + 0.5 * b;
    }
}
multiversion!(fn triad(out: &mut [f32], a: &[f32], b: &[f32]) = triad_body);

/// Elements of a vector of the instruction set in use.
fn lanes() -> usize {
    #[cfg(target_arch = "x86_64")]
    match crate::isa::isa() {
        crate::isa::Isa::Avx512 => return 16,
        crate::isa::Isa::Avx2 => return 8,
        crate::isa::Isa::Portable => {}
    }
    4
}

/// `steps` multiply-adds in each of [`CHAINS`] chains of vectors.
fn chains(steps: usize) -> f32 {
    #[cfg(target_arch = "x86_64")]
    match crate::isa::isa() {
        // SAFETY: `isa` returns only what the processor has.
        crate::isa::Isa::Avx512 => return unsafe { x86::avx512(steps) },
        // SAFETY: as above.
        crate::isa::Isa::Avx2 => return unsafe { x86::avx2(steps) },
        crate::isa::Isa::Portable => {}
    }
    let mut sums: [[f32; 4]; CHAINS] = std::array::from_fn(|i| [start(i); 4]);
    for _ in 0..steps {
        for sum in &mut sums {
            *sum = std::array::from_fn(|lane| mul_add::<BASELINE_FMA>(sum[lane], FACTOR, TERM));
        }
    }
    sums.iter().flatten().sum()
}

/// Values converge to 1: nothing over- or underflows.
const FACTOR: f32 = 0.999;
const TERM: f32 = 0.001;

/// Another one for each chain, and unknown to the compiler: equal chains would be computed once.
fn start(chain: usize) -> f32 {
    black_box(chain as f32)
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{CHAINS, FACTOR, TERM, start};
    use std::arch::x86_64::*;

    #[target_feature(enable = "avx512f")]
    pub fn avx512(steps: usize) -> f32 {
        let (factor, term) = (_mm512_set1_ps(FACTOR), _mm512_set1_ps(TERM));
        let mut sums = [term; CHAINS];
        for (i, sum) in sums.iter_mut().enumerate() {
            *sum = _mm512_set1_ps(start(i));
        }
        for _ in 0..steps {
            for sum in &mut sums {
                *sum = _mm512_fmadd_ps(*sum, factor, term);
            }
        }
        sums.iter().fold(0.0, |all, &sum| all + _mm512_reduce_add_ps(sum))
    }

    #[target_feature(enable = "avx2,fma")]
    pub fn avx2(steps: usize) -> f32 {
        let (factor, term) = (_mm256_set1_ps(FACTOR), _mm256_set1_ps(TERM));
        let mut sums = [term; CHAINS];
        for (i, sum) in sums.iter_mut().enumerate() {
            *sum = _mm256_set1_ps(start(i));
        }
        for _ in 0..steps {
            for sum in &mut sums {
                *sum = _mm256_fmadd_ps(*sum, factor, term);
            }
        }
        sums.iter().fold(0.0, |all, &sum| all + _mm256_cvtss_f32(sum))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_do_the_work_that_is_counted() {
        let all = chains(1 << 14); // 12 chains of vectors, each lane by now 1
        let counted = if lanes() == 8 { CHAINS } else { CHAINS * lanes() };
        assert!((all / counted as f32 - 1.0).abs() < 1e-3, "{all}");
        assert_eq!(total(&[1.0; 640]), 640.0);
        let mut out = [0.0; 100];
        triad(&mut out, &[1.0; 100], &[2.0; 100]);
        assert_eq!(out, [2.0; 100]);
    }
}
