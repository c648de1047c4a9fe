// Integers that order like floats; the two zeros are equal.

fn key_of(x: f32) -> i32 {
  let bits = bitcast<i32>(x);
  return bits ^ ((bits >> 31u) & 0x7fffffff);
}

fn key_value(key: i32) -> f32 {
  return bitcast<f32>(key ^ ((key >> 31u) & 0x7fffffff));
}

fn key_max(x: f32) -> i32 {
  return select(key_of(x), 0x7fffffff, is_nan(x));
}

fn key_min(x: f32) -> i32 {
  return select(key_of(x), bitcast<i32>(0x80000000u), is_nan(x));
}

// The larger key wins in both searches, and NaN has the largest.
fn key_argmax(x: f32) -> i32 {
  return select(select(0, key_of(x), nonzero(x)), 0x7fffffff, is_nan(x));
}

fn key_argmin(x: f32) -> i32 {
  return select(select(-1, ~key_of(x), nonzero(x)), 0x7fffffff, is_nan(x));
}
