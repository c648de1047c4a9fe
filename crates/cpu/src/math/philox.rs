//! Philox 4×32-10, the counter-based generator of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
//! SC 2011, and the distributions that draw from it.

use super::{cos, log};

/// The four words of one block: the key is `seed`, the counter's low half `counter`, its high half 0.
#[inline(always)]
pub fn philox(seed: u64, counter: u64) -> [u32; 4] {
    philox_words(seed, [counter as u32, (counter >> 32) as u32])
}

/// As [`philox`] with the counter in two words, the lower one first: loops over them fill whole vectors.
#[inline(always)]
pub fn philox_words(seed: u64, counter: [u32; 2]) -> [u32; 4] {
    let [mut c0, mut c1, mut c2, mut c3] = [counter[0], counter[1], 0, 0];
    let (mut k0, mut k1) = (seed as u32, (seed >> 32) as u32);
    let mut round = 0;
    while round < 10 {
        let p0 = u64::from(c0) * 0xD251_1F53;
        let p1 = u64::from(c2) * 0xCD9E_8D57;
        (c0, c1, c2, c3) = ((p1 >> 32) as u32 ^ c1 ^ k0, p1 as u32, (p0 >> 32) as u32 ^ c3 ^ k1, p0 as u32);
        k0 = k0.wrapping_add(0x9E37_79B9);
        k1 = k1.wrapping_add(0xBB67_AE85);
        round += 1;
    }
    [c0, c1, c2, c3]
}

/// Uniform in [0, 1) from the upper 24 bits of a word.
#[inline(always)]
pub fn uniform_f32(word: u32) -> f32 {
    (word >> 8) as i32 as f32 * (1.0 / 16_777_216.0)
}

/// Uniform in [0, 1) from the upper 53 bits of two words, the second one higher.
#[inline(always)]
pub fn uniform_f64(low: u32, high: u32) -> f64 {
    ((u64::from(high) << 32 | u64::from(low)) >> 11) as i64 as f64 * (1.0 / 9_007_199_254_740_992.0)
}

/// Standard normal by Box–Muller: √(−2 ln u) · cos 2πv, u in (0, 1] from word 0, v in [0, 1) from word 1.
#[inline(always)]
pub fn normal_f32<const FMA: bool>(words: [u32; 4]) -> f32 {
    let u = uniform_f32(words[0]) + 1.0 / 16_777_216.0;
    let v = uniform_f32(words[1]);
    (-2.0 * log::<FMA>(u)).sqrt() * cos::<FMA>(std::f32::consts::TAU * v)
}

/// As [`normal_f32`]: u from words 0 and 1, v from words 2 and 3.
#[inline(always)]
pub fn normal_f64(words: [u32; 4]) -> f64 {
    let u = uniform_f64(words[0], words[1]) + 1.0 / 9_007_199_254_740_992.0;
    let v = uniform_f64(words[2], words[3]);
    (-2.0 * libm::log(u)).sqrt() * libm::cos(std::f64::consts::TAU * v)
}
