// Float functions. WGSL's own exp, log, sin, cos, tanh and pow may be off by far more than a few units in the last
// place (Vulkan allows sin an absolute error of 2^-11), hence these. Polynomials are minimax fits; the error behind
// each is that of the fit, relative to the function's value. Compensated sums hide their parts behind bit masks, since
// drivers may simplify (a + b) - a.

fn from_bits(bits: u32) -> f32 {
  return bitcast<f32>(bits);
}

// Drivers may assume that there is no NaN and fold x != x.
fn is_nan(x: f32) -> bool {
  return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

fn nonzero(x: f32) -> bool {
  return (bitcast<u32>(x) & 0x7fffffffu) != 0u;
}

// x · 2^n for n in -252..=254, in two steps, so that results below the normal range and overflow come out right.
fn scaled(x: f32, n: i32) -> f32 {
  let half = n >> 1u;
  return x * bitcast<f32>(u32(half + 127) << 23u) * bitcast<f32>(u32(n - half + 127) << 23u);
}

// The 12 leading bits of the significand; products of two such values are exact.
fn leading(x: f32) -> f32 {
  return bitcast<f32>(bitcast<u32>(x) & 0xfffff000u);
}

// x itself, in a way that no driver sees through: some merge n a + (n b + x) into n (a + b) + x, which loses the point
// of splitting a constant.
fn opaque(x: f32) -> f32 {
  return select(x, 0.0f, bitcast<u32>(x) == 0x80000001u);
}

// exp(r) - 1 for |r| <= 0.3475; fit error 4e-9.
fn exp_core(r: f32) -> f32 {
  var p = 1.395081403e-3f;
  p = fma(p, r, 8.369065821e-3f);
  p = fma(p, r, 4.166620225e-2f);
  p = fma(p, r, 1.666651666e-1f);
  p = fma(p, r, 0.5f);
  return fma(p * r, r, r);
}

// x - n ln 2, ln 2 in a part of 9 bits and the rest.
fn exp_rest(x: f32, n: f32) -> f32 {
  return fma(n, 2.12194440e-4f, opaque(fma(n, -0.693359375f, x)));
}

fn exp_(x: f32) -> f32 {
  let t = clamp(x, -104.0f, 89.0f);
  let n = round(t * 1.44269504f);
  return select(scaled(1.0f + exp_core(exp_rest(t, n)), i32(n)), x, is_nan(x));
}

fn expm1_(x: f32) -> f32 {
  let t = clamp(x, -30.0f, 89.0f);
  let n = round(t * 1.44269504f);
  let p = exp_core(exp_rest(t, n));
  let k = i32(n);
  // 2^n p + (2^n - 1): the bracket is exact below 2^24 and rounds like the sum beyond.
  let small = scaled(p, k) + (scaled(1.0f, min(k, 100)) - 1.0f);
  return select(select(small, scaled(1.0f + p, k), k > 60), x, is_nan(x) || k == 0 && abs(x) < 1e-30f);
}

// log(1 + f) for f in 0.7071 - 1 ..= 1.4143 - 1; fit error 6e-9.
fn log_core(f: f32) -> f32 {
  var p = -7.865447551e-2f;
  p = fma(p, f, 1.287917048e-1f);
  p = fma(p, f, -1.312528104e-1f);
  p = fma(p, f, 1.418142319e-1f);
  p = fma(p, f, -1.662497222e-1f);
  p = fma(p, f, 2.000228316e-1f);
  p = fma(p, f, -2.500079572e-1f);
  p = fma(p, f, 3.333331645e-1f);
  return fma(f * f, fma(p, f, -0.5f), f);
}

// Exponent of a positive finite value such that the significand lies in 0.7071..1.4142.
struct Parts {
  significand: f32,
  exponent: i32,
}

fn parts(x: f32) -> Parts {
  let tiny = bitcast<u32>(x) < 0x00800000u;
  let bits = bitcast<u32>(select(x, x * 8388608.0f, tiny));
  var exponent = i32(bits >> 23u) - select(127, 150, tiny);
  var significand = bitcast<f32>((bits & 0x007fffffu) | 0x3f800000u);
  if (significand > 1.41421356f) {
    significand *= 0.5f;
    exponent += 1;
  }
  return Parts(significand, exponent);
}

fn log_(x: f32) -> f32 {
  let p = parts(x);
  let e = f32(p.exponent);
  let y = fma(e, 0.693359375f, fma(e, -2.12194440e-4f, log_core(p.significand - 1.0f)));
  let bits = bitcast<u32>(x);
  if ((bits & 0x7fffffffu) == 0u) {
    return from_bits(0xff800000u);
  }
  // Negative values and NaN give NaN, infinity itself.
  return select(select(y, from_bits(0x7fc00000u), bits > 0x80000000u), x, (bits & 0x7fffffffu) >= 0x7f800000u && bits != 0xff800000u);
}

// 2 atanh(x / (2 + x)) where that has no cancellation, log(1 + x) elsewhere; fit error 2e-10.
fn log1p_(x: f32) -> f32 {
  let s = x / (2.0f + x);
  let z = s * s;
  var p = 1.212874725e-1f;
  p = fma(p, z, 1.072009206e-1f);
  p = fma(p, z, 1.430780590e-1f);
  p = fma(p, z, 1.999946535e-1f);
  p = fma(p, z, 3.333333731e-1f);
  let near = 2.0f * fma(s * z, p, s);
  return select(log_(1.0f + x), select(near, x, abs(x) < 1e-30f), x > -0.5f && x < 1.0f);
}

// 64 bits of a · b as (high, low).
fn wide_mul(a: u32, b: u32) -> vec2<u32> {
  let low = (a & 0xffffu) * (b & 0xffffu);
  let m1 = (a >> 16u) * (b & 0xffffu);
  let m2 = (a & 0xffffu) * (b >> 16u);
  let middle = (low >> 16u) + (m1 & 0xffffu) + (m2 & 0xffffu);
  return vec2<u32>((a >> 16u) * (b >> 16u) + (m1 >> 16u) + (m2 >> 16u) + (middle >> 16u), a * b);
}

// 192 and a few more bits of 1 / (2 pi), a word of zeros before them.
const TURN = array<u32, 8>(0u, 0x28be60dbu, 0x9391054au, 0x7f09d5f4u, 0x7d4d3770u, 0x36d8a566u, 0x4f10e410u, 0x7f9458eau);

// Quadrant and remainder of a large angle by Payne and Hanek: the fraction of x / (2 pi) to 64 bits.
fn reduce_large(x: f32) -> vec2<f32> {
  let bits = bitcast<u32>(x);
  let e = i32((bits >> 23u) & 255u) - 126;
  let significand = (bits << 8u) | 0x80000000u;
  let skip = u32(e) >> 5u;
  let shift = u32(e) & 31u;
  var w = vec4<u32>(TURN[skip], TURN[skip + 1u], TURN[skip + 2u], TURN[skip + 3u]);
  if (shift != 0u) {
    w = vec4<u32>(
      (w.x << shift) | (w.y >> (32u - shift)),
      (w.y << shift) | (w.z >> (32u - shift)),
      (w.z << shift) | (w.w >> (32u - shift)),
      0u,
    );
  }
  let p2 = wide_mul(significand, w.z);
  let p1 = wide_mul(significand, w.y);
  let low = p1.y + p2.x;
  let high = significand * w.x + p1.x + select(0u, 1u, low < p1.y);
  var quadrant = high >> 30u;
  var h = high & 0x3fffffffu;
  var l = low;
  let up = (h & 0x20000000u) != 0u;
  if (up) {
    quadrant += 1u;
    h = (0x40000000u - h) - select(0u, 1u, l != 0u);
    l = 0u - l;
  }
  let turned = fma(f32(l), 2.16840434e-19f, f32(h) * 9.31322575e-10f) * 1.57079633f;
  let signed_rest = select(turned, -turned, up != (x < 0.0f));
  return vec2<f32>(f32(select(quadrant & 3u, (4u - (quadrant & 3u)) & 3u, x < 0.0f)), signed_rest);
}

// x = quadrant pi/2 + rest, as (quadrant, rest).
fn reduce_angle(x: f32) -> vec2<f32> {
  if (abs(x) > 4000.0f) {
    return reduce_large(x);
  }
  let n = round(x * 0.636619772f);
  let rest = fma(n, -7.54978995e-8f, opaque(fma(n, -4.83751297e-4f, opaque(fma(n, -1.5703125f, x)))));
  return vec2<f32>(f32(i32(n) & 3), rest);
}

// sin(quadrant pi/2 + r) for |r| <= pi/4; fit errors 4e-9.
fn sine_of(quadrant: i32, r: f32) -> f32 {
  let z = r * r;
  let s = fma(r * z, fma(fma(-1.951694867e-4f, z, 8.332176134e-3f), z, -1.666665524e-1f), r);
  let c = fma(z * z, fma(fma(2.443875928e-5f, z, -1.388737233e-3f), z, 4.166664556e-2f), fma(z, -0.5f, 1.0f));
  let y = select(s, c, (quadrant & 1) != 0);
  return select(y, -y, (quadrant & 2) != 0);
}

fn sin_(x: f32) -> f32 {
  if ((bitcast<u32>(x) & 0x7fffffffu) >= 0x7f800000u) {
    return from_bits(0x7fc00000u);
  }
  let a = reduce_angle(x);
  return sine_of(i32(a.x), a.y);
}

fn cos_(x: f32) -> f32 {
  if ((bitcast<u32>(x) & 0x7fffffffu) >= 0x7f800000u) {
    return from_bits(0x7fc00000u);
  }
  let a = reduce_angle(x);
  return sine_of(i32(a.x) + 1, a.y);
}

// Fit error 5e-9 below 0.625, (1 - e) / (1 + e) beyond.
fn tanh_(x: f32) -> f32 {
  let a = abs(x);
  let z = x * x;
  var p = -5.721626803e-3f;
  p = fma(p, z, 2.065521665e-2f);
  p = fma(p, z, -5.374514312e-2f);
  p = fma(p, z, 1.333151460e-1f);
  p = fma(p, z, -3.333328366e-1f);
  let far = 1.0f - 2.0f / (exp_(2.0f * min(a, 20.0f)) + 1.0f);
  let y = select(select(far, -far, x < 0.0f), fma(x * z, p, x), a < 0.625f);
  return select(y, x, is_nan(x));
}

// x + x P(x²) below 0.9, 1 - exp(-Q(|x|)) beyond; fit errors 1e-8 and 2e-9.
fn erf_(x: f32) -> f32 {
  let a = min(abs(x), 4.0f);
  let z = a * a;
  var p = -6.111290422e-4f;
  p = fma(p, z, 5.016228184e-3f);
  p = fma(p, z, -2.678195760e-2f);
  p = fma(p, z, 1.128223017e-1f);
  p = fma(p, z, -3.761253357e-1f);
  p = fma(p, z, 1.283791512e-1f);
  var q = -1.971126330e-4f;
  q = fma(q, a, 3.054995323e-3f);
  q = fma(q, a, -2.227487974e-2f);
  q = fma(q, a, 1.040332094e-1f);
  q = fma(q, a, 6.370640397e-1f);
  q = fma(q, a, 1.127747297f);
  q = fma(q, a, 1.780062448e-4f);
  let far = 1.0f - exp_(-q);
  let y = select(select(far, -far, x < 0.0f), fma(x, p, x), a < 0.9f);
  return select(y, x, is_nan(x));
}

// With t the smaller magnitude by the larger, atan(t) = t + t³ P(t²), fit error 3e-9; right and straight angles are taken
// in two parts.
fn atan2_(y: f32, x: f32) -> f32 {
  if (is_nan(x) || is_nan(y)) {
    return from_bits(0x7fc00000u);
  }
  let a = abs(y);
  let b = abs(x);
  let steep = a > b;
  let low = min(a, b);
  let high = max(a, b);
  // 0 by 0 and infinity by infinity; powers of two keep the quotient of two huge or tiny numbers in range.
  let infinite = (bitcast<u32>(high) & 0x7fffffffu) == 0x7f800000u;
  let both = (bitcast<u32>(low) & 0x7fffffffu) == 0x7f800000u;
  let scale = select(1.0f, 2.32830644e-10f, high > 1e20f);
  let quotient = select((low * scale) / (high * scale), 0.0f, !nonzero(high) || infinite);
  let t = select(quotient, 1.0f, both);
  let z = t * t;
  var p = -1.7936213e-3f;
  p = fma(p, z, 1.0914604e-2f);
  p = fma(p, z, -3.1177843e-2f);
  p = fma(p, z, 5.7957593e-2f);
  p = fma(p, z, -8.40345e-2f);
  p = fma(p, z, 1.0952186e-1f);
  p = fma(p, z, -1.4264242e-1f);
  p = fma(p, z, 1.9998549e-1f);
  p = fma(p, z, -3.33333e-1f);
  let angle = fma(t * z, p, t);
  let left = bitcast<u32>(x) > 0x7fffffffu;
  let turned = select(angle, -angle, steep != left);
  var result = turned;
  if (steep) {
    result = 1.57079637f + (turned - 4.371139e-8f);
  } else if (left) {
    result = 3.14159274f + (turned - 8.742278e-8f);
  }
  return bitcast<f32>((bitcast<u32>(result) & 0x7fffffffu) | (bitcast<u32>(y) & 0x80000000u));
}

// t exp(-x² + P(t)) with t = 2 / (2 + |x|), what that leaves of 2 below 0; fit error 5e-8. The square is exact in the
// first of two exponentials.
fn erfc_(x: f32) -> f32 {
  let a = min(abs(x), 11.0f);
  let t = 2.0f / (2.0f + a);
  var p = 1.488533044e-1f;
  p = fma(p, t, -7.024807304e-1f);
  p = fma(p, t, 1.208469952f);
  p = fma(p, t, -7.662982994e-1f);
  p = fma(p, t, -2.123038684e-2f);
  p = fma(p, t, -3.076991161e-2f);
  p = fma(p, t, 4.574869864e-2f);
  p = fma(p, t, 3.842521611e-1f);
  p = fma(p, t, 9.989176069e-1f);
  p = fma(p, t, -1.265462345f);
  let h = leading(a);
  let tail = t * exp_(-(h * h)) * exp_(p - (a - h) * (a + h));
  return select(select(tail, 2.0f - tail, x < 0.0f), x, is_nan(x));
}
