// Philox 4x32-10. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.

// Block `block` of the stream with key (seed low, seed high, offset low, offset high).
fn philox(key: vec4<u32>, block: u32) -> vec4<u32> {
  let low = key.z + block;
  var c = vec4<u32>(low, key.w + select(0u, 1u, low < block), 0u, 0u);
  var k = key.xy;
  for (var i = 0; i < 10; i++) {
    let p0 = wide_mul(0xd2511f53u, c.x);
    let p1 = wide_mul(0xcd9e8d57u, c.z);
    c = vec4<u32>(p1.x ^ c.y ^ k.x, p1.y, p0.x ^ c.w ^ k.y, p0.y);
    k += vec2<u32>(0x9e3779b9u, 0xbb67ae85u);
  }
  return c;
}

fn uniform_f32(key: vec4<u32>, index: u32) -> f32 {
  let words = philox(key, index >> 2u);
  return f32(words[index & 3u] >> 8u) * 5.9604644775390625e-8f;
}

// Box-Muller from words 0 and 1; the radius' uniform lies in (0, 1].
fn normal_f32(key: vec4<u32>, index: u32) -> f32 {
  let words = philox(key, index);
  let u = f32((words.x >> 8u) + 1u) * 5.9604644775390625e-8f;
  let v = f32(words.y >> 8u) * 5.9604644775390625e-8f;
  return sqrt(-2.0f * log_(u)) * cos_(6.28318531f * v);
}
