//! Products with kernels of their own: depthwise convolutions, those to few channels, and few rows times a matrix.

use super::super::operand::Way;
use super::shapes::{Conv, convolutions, image_layouts, matmul, ways, ways_for_images};
use super::*;

fn depthwise() -> Vec<Conv> {
    let base = Conv { groups: 6, input: 1, output: 1, ..convolutions()[0] };
    vec![
        base,
        Conv { groups: 37, ..base },
        Conv { groups: 16, stride: 2, ..base },
        Conv { groups: 35, stride: 3, padding: 2, kernel: [4, 2], ..base },
        Conv { groups: 18, dilation: 2, padding: 3, ..base },
        // Long sums towards the weight, cut into chunks.
        Conv { groups: 20, batch: 9, size: [16, 17], ..base },
        Conv { groups: 20, kernel: [1, 5], padding: 0, ..base },
    ]
}

#[test]
fn depthwise_convolutions_run_along_the_groups() {
    let mut random = Random(15);
    for conv in depthwise() {
        for case in [conv.forward(), conv.backward_data(), conv.backward_weights()] {
            case.check::<f32>(&mut random);
        }
        for case in [conv.forward(), conv.backward_weights()] {
            assert!(ways_for_images(&case).iter().any(|way| matches!(way.way, Way::Lanes(_))), "{conv:?}");
        }
    }
    depthwise()[1].forward().check::<f64>(&mut random);
    let [grouped, few] = [Conv { groups: 6, ..convolutions()[0] }, Conv { groups: 2, ..depthwise()[0] }];
    for conv in [grouped, few] {
        assert!(ways_for_images(&conv.forward()).iter().all(|way| !matches!(way.way, Way::Lanes(_))));
    }
}

#[test]
fn depthwise_convolutions_of_channels_last_are_read_in_place() {
    let base = Conv { groups: 35, ..depthwise()[0] };
    let of = [
        base,
        Conv { groups: 16, kernel: [5, 5], padding: 2, ..base },
        Conv { groups: 144, batch: 3, size: [28, 28], ..base },
        Conv { groups: 40, stride: 2, kernel: [7, 3], padding: 3, ..base },
        Conv { groups: 17, stride: 3, dilation: 2, padding: 5, ..base },
        // Windows that lie beyond the edge altogether, a single column, no padding.
        Conv { groups: 16, dilation: 6, padding: 7, size: [5, 6], ..base },
        Conv { groups: 19, size: [31, 1], ..base },
        Conv { groups: 32, kernel: [2, 2], padding: 0, size: [12, 12], ..base },
    ];
    let mut random = Random(18);
    for conv in of {
        let [n, g, o, h, w] = [1, 0, 4, 2, 3];
        let mut cases = [conv.forward(), conv.backward_data(), conv.backward_weights()];
        cases[..2].iter_mut().for_each(|case| case.c.out = vec![n, h, w, g, o]);
        for (direction, case) in cases.iter().enumerate() {
            // Towards the input, strides may leave windows of one tap.
            let in_place = ways_for_images(case).iter().any(|way| matches!(way.way, Way::Depthwise(_)));
            assert!(in_place || direction == 1, "{conv:?}");
            // Terms that padding adds multiply with what is not finite too.
            let mut values = |shape: &[usize]| -> Vec<f32> {
                let special = [f32::INFINITY, f32::NEG_INFINITY, f32::NAN, -0.0, 0.0];
                let mut value = || match random.below(150) {
                    kind if kind < special.len() => special[kind],
                    _ => random.unit() as f32,
                };
                (0..size(shape)).map(|_| value()).collect()
            };
            let (a, b) = (values(&case.a), values(&case.b));
            let planar = [&case.a, &case.b].map(|shape| Layout::contiguous(Shape::new(shape)));
            let last = image_layouts(case);
            let bits = |values: Vec<f32>| -> Vec<Option<u32>> {
                values.into_iter().map(|value| (!value.is_nan()).then_some(value.to_bits())).collect()
            };
            for set in [Isa::Portable, Isa::Avx2, Isa::Avx512].into_iter().filter(|&set| set <= isa()) {
                let boxes = bits(case.run(set, (&a, &planar[0]), (&b, &planar[1]), 1));
                for (threads, layout) in [(1, &last[1]), (2, &last[1]), (5, &planar[1])] {
                    let other = bits(case.run(set, (&a, &last[0]), (&b, layout), threads));
                    assert!(boxes == other, "{set:?} {conv:?}: bits differ with {threads} threads");
                }
            }
        }
    }
}

#[test]
fn convolutions_of_few_channels_run_along_the_positions() {
    let mut random = Random(16);
    let base = convolutions()[0];
    let of = [
        Conv { output: 1, ..base },
        Conv { output: 3, input: 1, kernel: [5, 5], padding: 2, size: [28, 28], ..base },
        Conv { output: 6, input: 1, stride: 2, padding: 3, kernel: [7, 6], size: [33, 40], ..base },
        Conv { output: 2, input: 40, kernel: [3, 4], ..base },
        Conv { output: 4, stride: 3, dilation: 2, padding: 2, size: [20, 21], groups: 2, ..base },
        Conv { output: 2, input: 33, kernel: [1, 3], padding: 0, batch: 3, ..base },
    ];
    for conv in of {
        let turned = Conv { input: conv.output, output: conv.input, ..conv };
        for case in [conv.forward(), turned.backward_data()] {
            case.check::<f32>(&mut random);
        }
        let found = ways_for_images(&conv.forward()).iter().any(|way| matches!(way.way, Way::Stencil(_)));
        assert!(found, "{conv:?}");
    }
    of[2].forward().check::<f64>(&mut random);
}

#[test]
fn few_rows_times_a_matrix_read_it_where_it_lies() {
    let mut random = Random(17);
    for (rows, found) in [(1, true), (2, true), (3, true), (4, false)] {
        let case = matmul(2, rows, 160, 300, false);
        case.check::<f32>(&mut random);
        let [a, b] = [&case.a, &case.b].map(|shape| Layout::contiguous(Shape::new(shape)));
        assert_eq!(ways(&case, &a, &b).iter().any(|way| matches!(way.way, Way::Gemv(_))), found, "{rows} rows");
    }
}
