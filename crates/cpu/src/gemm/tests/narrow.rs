//! Products with kernels of their own: depthwise convolutions, those to few channels, and few rows times a matrix.

use super::super::operand::Way;
use super::shapes::{Conv, convolutions, matmul, ways, ways_for_images};
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
        assert_eq!(ways(&case, &a, &b).iter().any(|way| matches!(way.way, Way::Stencil(_))), found, "{rows} rows");
    }
}
