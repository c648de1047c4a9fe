// Arithmetic with PyTorch's conventions where WGSL's differ or are left open.

fn max_(a: f32, b: f32) -> f32 {
  return select(select(max(a, b), b, is_nan(b)), a, is_nan(a));
}

fn min_(a: f32, b: f32) -> f32 {
  return select(select(min(a, b), b, is_nan(b)), a, is_nan(a));
}

fn sign_(x: f32) -> f32 {
  return select(select(select(0.0f, -1.0f, x < 0.0f), 1.0f, x > 0.0f), x, is_nan(x));
}

// Truncates and saturates; NaN gives 0.
fn to_i32(x: f32) -> i32 {
  if (is_nan(x)) {
    return 0;
  }
  if (x >= 2147483648.0f) {
    return 2147483647;
  }
  if (x <= -2147483648.0f) {
    return bitcast<i32>(0x80000000u);
  }
  return i32(x);
}

fn to_u8(x: f32) -> u32 {
  return select(u32(clamp(x, 0.0f, 255.0f)), 0u, is_nan(x));
}

// Remainder with the sign of a, exact: long division of the significands.
fn fmod_(a: f32, b: f32) -> f32 {
  let x = bitcast<u32>(a) & 0x7fffffffu;
  let y = bitcast<u32>(b) & 0x7fffffffu;
  if (y == 0u || y > 0x7f800000u || x >= 0x7f800000u) {
    return from_bits(0x7fc00000u);
  }
  if (x < y) {
    return a;
  }
  let ey = max(y >> 23u, 1u);
  var ex = max(x >> 23u, 1u);
  let my = select((y & 0x007fffffu) | 0x00800000u, y, y < 0x00800000u);
  var mx = select((x & 0x007fffffu) | 0x00800000u, x, x < 0x00800000u);
  // Eight bits a step: mx < my < 2^24 after each.
  mx %= my;
  while (ex > ey) {
    let step = min(ex - ey, 8u);
    mx = (mx << step) % my;
    ex -= step;
  }
  if (mx == 0u) {
    return from_bits(bitcast<u32>(a) & 0x80000000u);
  }
  // Normalise: the leading bit of the remainder moves up to bit 23 as far as the exponent allows.
  let up = min(countLeadingZeros(mx) - 8u, ex - 1u);
  mx <<= up;
  ex -= up;
  let bits = select((ex << 23u) | (mx & 0x007fffffu), mx, mx < 0x00800000u);
  return bitcast<f32>(bits | (bitcast<u32>(a) & 0x80000000u));
}

fn rem_f32(a: f32, b: f32) -> f32 {
  let r = fmod_(a, b);
  return select(r, r + b, nonzero(r) && (bitcast<u32>(r) ^ bitcast<u32>(b)) > 0x7fffffffu);
}

fn rem_i32(a: i32, b: i32) -> i32 {
  if (b == 0 || b == -1) {
    return 0;
  }
  let r = a % b;
  return select(r, r + b, r != 0 && (r < 0) != (b < 0));
}

fn rem_u32(a: u32, b: u32) -> u32 {
  if (b == 0u) {
    return 0u;
  }
  return a % b;
}

// Towards zero; by zero 0. The lowest number by -1 is itself.
fn div_i32(a: i32, b: i32) -> i32 {
  if (b == 0) {
    return 0;
  }
  if (b == -1) {
    return -a;
  }
  return a / b;
}

fn div_u32(a: u32, b: u32) -> u32 {
  if (b == 0u) {
    return 0u;
  }
  return a / b;
}

// Amounts outside the bits leave 0, or the sign of what is shifted to the right.
fn shl_i32(x: i32, amount: i32) -> i32 {
  return select(x << (u32(amount) & 31u), 0, amount < 0 || amount > 31);
}

fn shl_u8(x: u32, amount: u32) -> u32 {
  return select((x << (amount & 7u)) & 255u, 0u, amount > 7u);
}

fn shr_i32(x: i32, amount: i32) -> i32 {
  return x >> select(u32(amount), 31u, amount < 0 || amount > 31);
}

fn shr_u8(x: u32, amount: u32) -> u32 {
  return select(x >> (amount & 7u), 0u, amount > 7u);
}

// Wraps; a negative exponent gives 0 except for bases 1 and -1.
fn pow_i32(base: i32, exponent: i32) -> i32 {
  if (exponent < 0) {
    return select(select(0, select(1, -1, (exponent & 1) != 0), base == -1), 1, base == 1);
  }
  var result = 1;
  var square = base;
  var rest = exponent;
  while (rest > 0) {
    if ((rest & 1) != 0) {
      result *= square;
    }
    square *= square;
    rest >>= 1u;
  }
  return result;
}

fn pow_u32(base: u32, exponent: u32) -> u32 {
  var result = 1u;
  var square = base;
  var rest = exponent;
  while (rest > 0u) {
    if ((rest & 1u) != 0u) {
      result *= square;
    }
    square *= square;
    rest >>= 1u;
  }
  return result;
}

// x^y for positive finite x and finite y: 2^(y log2 x) with the logarithm in two parts.
fn pow_positive(x: f32, y: f32) -> f32 {
  let p = parts(x);
  let e = f32(p.exponent);
  let f = p.significand - 1.0f;
  // s = f / (2 + f) = sh + sl.
  let t = 2.0f + f;
  let th = leading(t);
  let tl = f - (th - 2.0f);
  let s = f / t;
  let sh = leading(s);
  let sl = (fma(-sh, th, f) - sh * tl) / t;
  // log2(significand) = 2 / ln 2 · (s + s³/3 + ...); fit error 1e-11.
  let z = s * s;
  var q = 1.179106757e-1f;
  q = fma(q, z, 1.426867098e-1f);
  q = fma(q, z, 2.000016719e-1f);
  q = fma(q, z, 3.333333135e-1f);
  let tail = fma(s * z, q, sl);
  let ph = leading(sh + tail);
  let pl = tail - (ph - sh);
  // 2 / ln 2 = 2.884765625 + 6.244569e-4.
  let mh = ph * 2.884765625f;
  let ml = fma(pl, 2.88539008f, ph * 6.24456978e-4f);
  let lh = leading(e + (mh + ml));
  let ll = ml - ((lh - e) - mh);
  let yh = leading(y);
  let low = fma(y - yh, lh, y * ll);
  let high = yh * lh;
  let total = high + low;
  if (total > 128.5f) {
    return from_bits(0x7f800000u);
  }
  if (total < -151.0f) {
    return 0.0f;
  }
  let n = round(total);
  let r = (high - n) + low;
  return scaled(1.0f + exp_core(r * 0.693147182f), i32(n));
}

fn pow_(x: f32, y: f32) -> f32 {
  let ax = bitcast<u32>(x) & 0x7fffffffu;
  let ay = bitcast<u32>(y) & 0x7fffffffu;
  if (ay == 0u || bitcast<u32>(x) == 0x3f800000u) {
    return 1.0f;
  }
  if (ax > 0x7f800000u || ay > 0x7f800000u) {
    return from_bits(0x7fc00000u);
  }
  let negative = bitcast<u32>(x) > 0x7fffffffu;
  let whole = ay >= 0x4b800000u || trunc(y) == y;
  let odd = whole && ay < 0x4b800000u && (i32(y) & 1) != 0;
  var r: f32;
  if (ay == 0x7f800000u) {
    if (ax == 0x3f800000u) {
      return 1.0f;
    }
    r = select(0.0f, from_bits(0x7f800000u), (ax > 0x3f800000u) == (y > 0.0f));
  } else if (ax == 0u || ax == 0x7f800000u) {
    r = select(0.0f, from_bits(0x7f800000u), (ax == 0u) == (y < 0.0f));
  } else {
    if (negative && !whole) {
      return from_bits(0x7fc00000u);
    }
    // Small whole exponents by multiplication, which rounds as one expects of squares and cubes.
    if (y == 2.0f) {
      return x * x;
    }
    if (y == 3.0f) {
      return x * x * x;
    }
    r = pow_positive(bitcast<f32>(ax), y);
  }
  return select(r, -r, negative && odd);
}
