//! Numbers as bytes and back, and comparisons with tolerances.

use fovea_core::DType;

/// `values` as the bytes of a buffer of `dtype`, converted as [`Prim::Cast`](fovea_core::scalar::Prim::Cast) does.
pub fn to_bytes(dtype: DType, values: &[f64]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(values.len() * dtype.size());
    for &v in values {
        match dtype {
            DType::F32 => bytes.extend((v as f32).to_le_bytes()),
            DType::F64 => bytes.extend(v.to_le_bytes()),
            DType::I32 => bytes.extend((v as i32).to_le_bytes()),
            DType::I64 => bytes.extend((v as i64).to_le_bytes()),
            DType::U8 => bytes.push(v as u8),
            DType::Bool => bytes.push(u8::from(v != 0.0)),
        }
    }
    bytes
}

/// The numbers that a buffer of `dtype` holds (i64 rounded to f64).
pub fn from_bytes(dtype: DType, bytes: &[u8]) -> Vec<f64> {
    match dtype {
        DType::F32 => bytes.as_chunks().0.iter().map(|b| f64::from(f32::from_le_bytes(*b))).collect(),
        DType::F64 => bytes.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b)).collect(),
        DType::I32 => bytes.as_chunks().0.iter().map(|b| f64::from(i32::from_le_bytes(*b))).collect(),
        DType::I64 => bytes.as_chunks().0.iter().map(|b| i64::from_le_bytes(*b) as f64).collect(),
        DType::U8 | DType::Bool => bytes.iter().map(|b| f64::from(*b)).collect(),
    }
}

/// Error allowed against a reference, relative to its largest value, where a sample names no other: a few hundred
/// roundings of the dtype.
pub const fn default_tolerance(dtype: DType) -> f64 {
    match dtype {
        DType::F32 => 1e-5,
        DType::F64 => 1e-10,
        _ => 0.0,
    }
}

/// The largest difference of `got` from `want`, relative to the largest finite `want` (at least 1). Values that are
/// not finite must be the same in both: any other combination is an infinite error, and so are other lengths.
pub fn relative_error(got: &[f64], want: &[f64]) -> f64 {
    if got.len() != want.len() {
        return f64::INFINITY;
    }
    let scale = want.iter().filter(|v| v.is_finite()).fold(1.0f64, |m, v| m.max(v.abs()));
    got.iter().zip(want).fold(0.0f64, |worst, (&g, &w)| {
        if g == w || (g.is_nan() && w.is_nan()) {
            worst
        } else if g.is_finite() && w.is_finite() {
            worst.max((g - w).abs() / scale)
        } else {
            f64::INFINITY
        }
    })
}

/// Where two byte strings of `dtype` differ first: (element, left, right). NaNs of any payload are equal.
pub fn first_difference(dtype: DType, a: &[u8], b: &[u8]) -> Option<(usize, f64, f64)> {
    if a == b {
        return None;
    }
    let (x, y) = (from_bytes(dtype, a), from_bytes(dtype, b));
    if x.len() != y.len() {
        return Some((x.len().min(y.len()), f64::NAN, f64::NAN));
    }
    let size = dtype.size();
    (0..x.len())
        .find(|&i| a[i * size..(i + 1) * size] != b[i * size..(i + 1) * size] && !(x[i].is_nan() && y[i].is_nan()))
        .map(|i| (i, x[i], y[i]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_relative_to_the_largest_value_and_strict_about_infinities() {
        assert_eq!(relative_error(&[1.0, 100.5], &[1.0, 100.0]), 0.005);
        assert_eq!(relative_error(&[0.5], &[0.25]), 0.25);
        assert_eq!(relative_error(&[f64::NAN, f64::INFINITY], &[f64::NAN, f64::INFINITY]), 0.0);
        assert_eq!(relative_error(&[f64::NAN], &[1.0]), f64::INFINITY);
        assert_eq!(relative_error(&[f64::INFINITY], &[f64::NEG_INFINITY]), f64::INFINITY);
        assert_eq!(relative_error(&[], &[1.0]), f64::INFINITY);
    }

    #[test]
    fn differences_see_the_sign_of_zero_and_no_payload_of_nan() {
        let f = |v: f64| to_bytes(DType::F32, &[1.0, v]);
        assert_eq!(first_difference(DType::F32, &f(0.0), &f(-0.0)).map(|d| d.0), Some(1));
        assert_eq!(first_difference(DType::F32, &f(f64::NAN), &f(-f64::NAN)), None);
    }
}
