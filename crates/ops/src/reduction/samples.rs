//! The samples that reductions share.

use fovea_core::DType;
use fovea_core::sample::{Domain, Sample, SampleInput};

/// Which dimensions a sample reduces.
pub type Dims<'a> = Option<&'a [i64]>;

/// Samples of a reduction with elements in `low..high`; `make` turns (dim, keepDim) into the op. Groups without
/// elements are among them where the op has a value for those.
pub fn samples<O>(make: impl Fn(Option<Vec<i64>>, bool) -> O, low: f64, high: f64, of_nothing: bool) -> Vec<Sample<O>> {
    let op = |dims: Dims<'_>, keep: bool| make(dims.map(<[i64]>::to_vec), keep);
    let x = |shape: &[usize]| SampleInput::float(shape).within(low, high);
    let integers = |dtype: DType, low: i64| vec![SampleInput::of(dtype, [4, 5], Domain::Integers(low, 6))];
    let mut list = vec![
        Sample::new("all", op(None, false), vec![x(&[3, 4])]),
        Sample::new("rows", op(Some(&[1]), false), vec![x(&[5, 7])]),
        Sample::new("columns kept", op(Some(&[-2]), true), vec![x(&[5, 7])]),
        Sample::new("ragged", op(Some(&[0]), false), vec![x(&[17, 13])]),
        Sample::new("long rows", op(Some(&[1]), false), vec![x(&[2, 601])]),
        Sample::new("outer and inner", op(Some(&[0, -1]), false), vec![x(&[2, 5, 9])]),
        Sample::new("zero-sized", op(Some(&[1]), false), vec![x(&[0, 3])]),
        Sample::new("reversed", op(Some(&[0]), false), vec![x(&[6, 5]).reversed()]),
        Sample::new("strided", op(Some(&[1]), true), vec![x(&[4, 10]).strided()]),
        Sample::new("one element each", op(Some(&[1]), false), vec![x(&[4, 1])]),
        Sample::new("scalar", op(None, false), vec![x(&[])]),
        Sample::new("i32", op(Some(&[0]), false), integers(DType::I32, -6)),
        Sample::new("i64", op(Some(&[1]), false), integers(DType::I64, -6)),
        Sample::new("u8", op(None, false), integers(DType::U8, 0)),
        Sample::new("bool", op(Some(&[1]), false), vec![SampleInput::of(DType::Bool, [4, 5], Domain::Bools)]),
        Sample::new("non-finite", op(Some(&[1]), false), vec![x(&[4, 3]).values(&SPECIAL)]).without_gradient(),
    ];
    if of_nothing {
        list.push(Sample::new("of nothing", op(Some(&[0]), false), vec![x(&[0, 3])]));
    }
    list
}

/// A row with NaN, one with both infinities, one with each.
const SPECIAL: [f64; 12] =
    [1.0, f64::NAN, 2.0, f64::INFINITY, 1.0, f64::NEG_INFINITY, f64::INFINITY, 1.0, 2.0, f64::NEG_INFINITY, 1.0, 2.0];
