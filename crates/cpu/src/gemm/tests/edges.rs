//! Windows that reach over an image's edge.

use super::shapes::{Conv, convolutions, image_layouts};
use super::*;

/// Small images, so that most rows of windows reach over an edge, and whole panels of weights.
fn edges() -> [Case; 4] {
    let conv = Conv { groups: 1, batch: 3, input: 32, output: 64, size: [5, 7], ..convolutions()[0] };
    let far = Conv { kernel: [5, 3], padding: 2, size: [3, 6], ..conv };
    [conv.forward(), conv.backward_data(), far.forward(), far.backward_data()]
}

#[test]
fn rows_beyond_an_edge_change_no_bits() {
    let mut random = Random(23);
    for case in edges() {
        case.check::<f32>(&mut random);
        case.check::<f64>(&mut random);
    }
}

#[test]
fn weights_that_are_not_finite_meet_zeros_beyond_an_edge_in_every_layout() {
    let mut random = Random(29);
    for (case, value) in edges().into_iter().zip([f32::INFINITY, f32::NAN, f32::NEG_INFINITY, f32::INFINITY]) {
        let [a, mut b] =
            [&case.a, &case.b].map(|shape| (0..size(shape)).map(|_| random.unit() as f32).collect::<Vec<_>>());
        // One tap of one channel each, the first one in a row of the window that reaches over the edge.
        let length = b.len();
        b[0] = value;
        b[length / 2 + 5] = value;
        let expected: Vec<f64> = case.plain(&a, &b).into_iter().map(|(sum, _)| sum).collect();
        let is = |test: fn(f64) -> bool| expected.iter().filter(|&&sum| test(sum)).count();
        assert!(is(f64::is_nan) > 0 && is(f64::is_finite) > 0, "the case has both");
        let same = |value: &f32, exact: &f64| match exact.is_finite() {
            true => (*value as f64 - exact).abs() < 1e-4,
            false => value.is_nan() && exact.is_nan() || *value as f64 == *exact,
        };
        let planar = [&case.a, &case.b].map(|shape| Layout::contiguous(Shape::new(shape)));
        for set in [Isa::Portable, Isa::Avx2, Isa::Avx512].into_iter().filter(|&set| set <= isa()) {
            for [la, lb] in [planar, image_layouts(&case)] {
                let out = case.run(set, (&a, &la), (&b, &lb), 2);
                let wrong = out.iter().zip(&expected).position(|(value, exact)| !same(value, exact));
                assert_eq!(wrong, None, "{set:?} {:?}: {:?}", case.c, wrong.map(|at| (out[at], expected[at])));
            }
        }
    }
}
