//! Contractions under test.

use super::super::operand::Vectors;
use super::super::problem;
use super::super::staging::Staging;
use super::*;

fn index(l: usize) -> Coord {
    Coord::index(l)
}

fn sum(terms: &[(usize, isize)], offset: isize, divisor: usize) -> Coord {
    Coord { terms: terms.to_vec(), offset, divisor }
}

fn loops(list: &[(Role, usize)]) -> Vec<Loop> {
    list.iter().map(|&(role, size)| Loop { size, role }).collect()
}

/// `out[batch, m, n]`, or `[n, batch, m]` with `turned`.
pub(super) fn matmul(batch: usize, m: usize, n: usize, k: usize, turned: bool) -> Case {
    let c = Contraction {
        loops: loops(&[(Role::Batch, batch), (Role::Row, m), (Role::Col, n), (Role::Sum, k)]),
        a: vec![index(0), index(1), index(3)],
        b: vec![index(0), index(3), index(2)],
        out: if turned { vec![2, 0, 1] } else { vec![0, 1, 2] },
    };
    Case { c, a: vec![batch, m, k], b: vec![batch, k, n] }
}

/// A convolution over two spatial dimensions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Conv {
    pub batch: usize,
    pub groups: usize,
    pub input: usize,
    pub output: usize,
    pub size: [usize; 2],
    pub kernel: [usize; 2],
    pub stride: usize,
    pub padding: isize,
    pub dilation: isize,
}

impl Conv {
    fn out(&self, axis: usize) -> usize {
        let reach = self.dilation as usize * (self.kernel[axis] - 1) + 1;
        let padded = self.size[axis] + 2 * self.padding as usize;
        if padded < reach { 0 } else { (padded - reach) / self.stride + 1 }
    }

    fn x(&self) -> Vec<usize> {
        vec![self.batch, self.groups, self.input, self.size[0], self.size[1]]
    }
    fn w(&self) -> Vec<usize> {
        vec![self.groups, self.output, self.input, self.kernel[0], self.kernel[1]]
    }
    fn y(&self) -> Vec<usize> {
        vec![self.batch, self.groups, self.output, self.out(0), self.out(1)]
    }

    pub(super) fn forward(&self) -> Case {
        use Role::*;
        let [g, n, h, w, o, i, j, c] = [0, 1, 2, 3, 4, 5, 6, 7];
        let step = self.stride as isize;
        let c_ = Contraction {
            loops: loops(&[
                (Batch, self.groups),
                (Row, self.batch),
                (Row, self.out(0)),
                (Row, self.out(1)),
                (Col, self.output),
                (Sum, self.kernel[0]),
                (Sum, self.kernel[1]),
                (Sum, self.input),
            ]),
            a: vec![
                index(n),
                index(g),
                index(c),
                sum(&[(h, step), (i, self.dilation)], -self.padding, 1),
                sum(&[(w, step), (j, self.dilation)], -self.padding, 1),
            ],
            b: vec![index(g), index(o), index(c), index(i), index(j)],
            out: vec![n, g, o, h, w],
        };
        Case { c: c_, a: self.x(), b: self.w() }
    }

    pub(super) fn backward_data(&self) -> Case {
        use Role::*;
        let [g, n, h, w, c, i, j, o] = [0, 1, 2, 3, 4, 5, 6, 7];
        let c_ = Contraction {
            loops: loops(&[
                (Batch, self.groups),
                (Row, self.batch),
                (Row, self.size[0]),
                (Row, self.size[1]),
                (Col, self.input),
                (Sum, self.kernel[0]),
                (Sum, self.kernel[1]),
                (Sum, self.output),
            ]),
            a: vec![
                index(n),
                index(g),
                index(o),
                sum(&[(h, 1), (i, -self.dilation)], self.padding, self.stride),
                sum(&[(w, 1), (j, -self.dilation)], self.padding, self.stride),
            ],
            b: vec![index(g), index(o), index(c), index(i), index(j)],
            out: vec![n, g, c, h, w],
        };
        Case { c: c_, a: self.y(), b: self.w() }
    }

    pub(super) fn backward_weights(&self) -> Case {
        use Role::*;
        let [g, o, c, i, j, n, h, w] = [0, 1, 2, 3, 4, 5, 6, 7];
        let step = self.stride as isize;
        let c_ = Contraction {
            loops: loops(&[
                (Batch, self.groups),
                (Row, self.output),
                (Col, self.input),
                (Col, self.kernel[0]),
                (Col, self.kernel[1]),
                (Sum, self.batch),
                (Sum, self.out(0)),
                (Sum, self.out(1)),
            ]),
            a: vec![index(n), index(g), index(o), index(h), index(w)],
            b: vec![
                index(n),
                index(g),
                index(c),
                sum(&[(h, step), (i, self.dilation)], -self.padding, 1),
                sum(&[(w, step), (j, self.dilation)], -self.padding, 1),
            ],
            out: vec![g, o, c, i, j],
        };
        Case { c: c_, a: self.y(), b: self.x() }
    }
}

#[test]
fn matrix_products_around_the_edges_of_tiles_and_blocks() {
    let mut random = Random(7);
    for k in [0, 1, 2, 255, 256, 257, 600] {
        matmul(1, 15, 33, k, false).check::<f32>(&mut random);
        matmul(2, 7, 17, k, true).check::<f64>(&mut random);
    }
    for (m, n) in [(1, 1), (1, 40), (40, 1), (6, 16), (14, 32), (13, 31), (29, 65), (0, 5), (5, 0)] {
        matmul(1, m, n, 19, false).check::<f32>(&mut random);
        matmul(3, m, n, 19, true).check::<f64>(&mut random);
    }
    matmul(0, 3, 4, 5, false).check::<f32>(&mut random);
    matmul(1, 130, 150, 300, false).check::<f32>(&mut random);
}

#[test]
fn long_sums_are_cut_into_chunks_by_size_alone() {
    let mut random = Random(8);
    matmul(1, 3, 5, 2048, false).check::<f32>(&mut random);
    matmul(1, 20, 9, 5003, true).check::<f32>(&mut random);
    matmul(2, 1, 1, 9000, false).check::<f64>(&mut random);
    let chunk = |m, n, k| {
        let case = matmul(1, m, n, k, false);
        let [a, b] = [&case.a, &case.b].map(|shape| Layout::contiguous(Shape::new(shape)));
        let compiled = CompiledContraction::compile(&case.c, DType::F32, &a, &b).unwrap();
        super::super::chunk_length(&compiled.products[0])
    };
    assert_eq!(chunk(20, 9, 5003), 1280);
    assert_eq!(chunk(9, 20, 5003), 1280);
    assert_eq!(chunk(20, 9, 2047), 2047);
    // Too large a result for chunks.
    assert_eq!(chunk(300, 450, 5003), 5003);
}

#[test]
fn broadcast_operands_are_read_with_stride_zero() {
    let case = matmul(4, 10, 20, 30, false);
    let mut random = Random(10);
    let a: Vec<f32> = (0..300).map(|_| random.unit() as f32).collect();
    let b: Vec<f32> = (0..600).map(|_| random.unit() as f32).collect();
    let one_a = Layout::contiguous(Shape::from([1, 10, 30]));
    let one_b = Layout::contiguous(Shape::from([1, 30, 20]));
    let wide = |l: &Layout, shape: [usize; 3]| l.broadcast_to(Shape::from(shape)).unwrap();
    let repeat = |v: &[f32]| v.iter().copied().cycle().take(v.len() * 4).collect::<Vec<f32>>();
    let (fa, fb) = (Layout::contiguous(Shape::from([4, 10, 30])), Layout::contiguous(Shape::from([4, 30, 20])));
    let full = case.run(isa(), (&repeat(&a), &fa), (&repeat(&b), &fb), 1);
    let compiled =
        CompiledContraction::compile(&case.c, DType::F32, &wide(&one_a, [4, 10, 30]), &wide(&one_b, [4, 30, 20]))
            .unwrap();
    let mut out = vec![0f32; 800];
    // SAFETY: the broadcast layouts read inside the vectors; `out` holds the result.
    unsafe { compiled.run(a.as_ptr().cast(), b.as_ptr().cast(), out.as_mut_ptr().cast(), &Scoped(2)).unwrap() };
    assert_eq!(full, out);
}

pub(super) fn convolutions() -> Vec<Conv> {
    let base = Conv {
        batch: 2,
        groups: 1,
        input: 3,
        output: 5,
        size: [9, 11],
        kernel: [3, 3],
        stride: 1,
        padding: 1,
        dilation: 1,
    };
    vec![
        base,
        Conv { padding: 0, ..base },
        Conv { stride: 2, ..base },
        Conv { stride: 3, padding: 2, kernel: [4, 2], ..base },
        Conv { dilation: 2, padding: 2, ..base },
        Conv { stride: 2, dilation: 2, padding: 3, groups: 2, ..base },
        Conv { groups: 6, input: 1, output: 1, ..base },
        Conv { kernel: [1, 1], padding: 0, input: 40, output: 17, ..base },
        Conv { kernel: [1, 1], padding: 0, stride: 2, ..base },
        Conv { kernel: [7, 7], padding: 3, stride: 2, size: [20, 37], ..base },
        Conv { input: 33, output: 34, size: [6, 40], ..base },
        Conv { input: 32, output: 16, size: [14, 14], batch: 1, ..base },
        Conv { batch: 11, input: 2, size: [16, 16], ..base },
        Conv { size: [1, 1], ..base },
        Conv { input: 20, output: 24, ..base },
        Conv { input: 20, output: 24, stride: 2, kernel: [5, 4], padding: 2, ..base },
        Conv { batch: 0, ..base },
        Conv { input: 0, ..base },
        Conv { stride: 5, kernel: [2, 2], padding: 0, ..base },
    ]
}

#[test]
fn convolution_forward() {
    let mut random = Random(11);
    for conv in convolutions() {
        conv.forward().check::<f32>(&mut random);
    }
    convolutions()[5].forward().check::<f64>(&mut random);
}

#[test]
fn convolution_backward_to_the_input() {
    let mut random = Random(12);
    for conv in convolutions() {
        conv.backward_data().check::<f32>(&mut random);
    }
    convolutions()[3].backward_data().check::<f64>(&mut random);
}

#[test]
fn convolution_backward_to_the_weights() {
    let mut random = Random(13);
    for conv in convolutions() {
        conv.backward_weights().check::<f32>(&mut random);
    }
    convolutions()[3].backward_weights().check::<f64>(&mut random);
}

/// Channels-last layouts of a convolution's operands, weights as if they were images too.
pub(super) fn image_layouts(case: &Case) -> [Layout; 2] {
    [&case.a, &case.b].map(|shape| match shape[..] {
        [n, g, c, h, w] => Layout::contiguous(Shape::from([n, h, w, g, c])).permute(&[0, 3, 4, 1, 2]),
        _ => Layout::contiguous(Shape::new(shape)),
    })
}

/// All ways of running a case whose images lie channels-last.
pub(super) fn ways_for_images(case: &Case) -> Vec<Product> {
    let [a, b] = image_layouts(case);
    ways(case, &a, &b)
}

pub(super) fn ways(case: &Case, a: &Layout, b: &Layout) -> Vec<Product> {
    let tile = TileSize { rows: 6, lanes: 8, block: 256, element: 4 };
    let problems = problem::lower(&case.c, a, b).unwrap();
    problems.iter().flat_map(|problem| Product::ways(problem, tile).unwrap()).collect()
}

#[test]
fn convolutions_are_seen_as_images() {
    // Whether positions are rows of the product, in the ways that read boxes.
    let images = |case: &Case| -> Vec<bool> {
        let boxes = |way: Product| way.image().map(|image| image.positions_are_rows);
        ways_for_images(case).into_iter().filter_map(boxes).collect()
    };
    let [base, strided] = [0, 2].map(|i| convolutions()[i]);
    for conv in [base, strided] {
        assert!(images(&conv.forward()).contains(&true));
        assert!(images(&conv.backward_data()).contains(&true));
        assert!(images(&conv.backward_weights()).contains(&false));
    }
    assert_eq!(images(&matmul(2, 9, 11, 40, false)), []);
}

#[test]
fn vectors_that_lie_as_a_panel_does_are_read_in_place() {
    let mut random = Random(19);
    for output in [16, 32] {
        let case = Conv { batch: 6, input: 20, output, size: [16, 17], ..convolutions()[0] }.backward_weights();
        let in_place =
            ways_for_images(&case).iter().any(|way| way.vectors == Vectors::InPlace && way.image().is_some());
        assert_eq!(in_place, output == 16, "{output} channels, at most 16 in two vectors");
        let [a, b] = [&case.a, &case.b].map(|shape| (0..size(shape)).map(|_| random.unit() as f32).collect::<Vec<_>>());
        let [planar_a, planar_b] = [&case.a, &case.b].map(|shape| Layout::contiguous(Shape::new(shape)));
        let [last_a, last_b] = image_layouts(&case);
        for set in [Isa::Portable, Isa::Avx2, Isa::Avx512].into_iter().filter(|&set| set <= isa()) {
            let packed = case.run(set, (&a, &planar_a), (&b, &planar_b), 1);
            assert!(packed == case.run(set, (&a, &last_a), (&b, &last_b), 2), "{set:?}, {output} channels");
        }
    }
}

#[test]
fn operands_and_results_whose_neighbours_lie_apart_are_copied_first() {
    let row_major = |case: &Case| {
        let [a, b] = [&case.a, &case.b].map(|shape| Layout::contiguous(Shape::new(shape)));
        ways(case, &a, &b)
    };
    let conv = Conv { input: 20, output: 24, ..convolutions()[0] };
    let elements = |staging: &Option<Staging>| staging.as_ref().map_or(0, |staging| staging.elements);
    for case in [conv.forward(), conv.backward_data()] {
        assert!(row_major(&case).iter().all(|way| elements(&way.staged[1]) == 20 * 24 * 9 && way.staged[0].is_none()));
    }
    assert!(ways_for_images(&conv.backward_weights()).iter().any(|way| elements(&way.staged_out) == 20 * 24 * 9));
    assert!(row_major(&matmul(2, 90, 110, 40, false)).iter().all(|way| way.staged.iter().all(Option::is_none)));
}

#[test]
fn weights_of_whole_panels_are_copied_into_them() {
    let mut random = Random(15);
    let panels = |case: &Case, whole: usize| {
        let [a, b] = [&case.a, &case.b].map(|shape| Layout::contiguous(Shape::new(shape)));
        let ways = ways(case, &a, &b).into_iter().filter(|way| way.vectors == Vectors::Panels);
        ways.inspect(|way| assert_eq!(way.staged[1].as_ref().map(|staging| staging.elements), Some(whole))).count()
    };
    let conv = Conv { groups: 1, input: 32, output: 64, ..convolutions()[0] };
    for case in [conv.forward(), conv.backward_data()] {
        assert!(panels(&case, 32 * 64 * 9) > 0);
        case.check::<f32>(&mut random);
        case.check::<f64>(&mut random);
    }
    // Part of a panel would be left over, and each group has weights of its own.
    assert_eq!(panels(&Conv { output: 40, ..conv }.forward(), 0), 0);
    assert_eq!(panels(&Conv { groups: 2, ..conv }.forward(), 0), 0);
}

#[test]
fn random_convolutions() {
    let mut random = Random(14);
    for _ in 0..60 {
        let depthwise = random.below(3) == 0;
        let channels = |random: &mut Random, most: usize| if depthwise { 1 } else { 1 + random.below(most) };
        let conv = Conv {
            batch: 1 + random.below(3),
            groups: 1 + random.below(if depthwise { 40 } else { 2 }),
            input: channels(&mut random, 9),
            output: channels(&mut random, 20),
            size: [1 + random.below(14), 1 + random.below(40)],
            kernel: [1 + random.below(4), 1 + random.below(4)],
            stride: 1 + random.below(3),
            padding: random.below(4) as isize,
            dilation: 1 + random.below(3) as isize,
        };
        match random.below(3) {
            0 => conv.forward().check::<f32>(&mut random),
            1 => conv.backward_data().check::<f32>(&mut random),
            _ => conv.backward_weights().check::<f32>(&mut random),
        }
    }
}

#[test]
fn wrong_contractions_are_errors() {
    let good = matmul(1, 2, 3, 4, false);
    let (a, b) = (Layout::contiguous(Shape::from([1, 2, 4])), Layout::contiguous(Shape::from([1, 4, 3])));
    let compile = |c: &Contraction| CompiledContraction::compile(c, DType::F32, &a, &b);
    assert!(compile(&good.c).is_ok());
    assert!(CompiledContraction::compile(&good.c, DType::I32, &a, &b).is_err());
    assert!(compile(&Contraction { out: vec![0, 1], ..good.c.clone() }).is_err());
    assert!(compile(&Contraction { out: vec![0, 1, 2, 3], ..good.c.clone() }).is_err());
    assert!(compile(&Contraction { a: vec![index(0), index(2), index(3)], ..good.c.clone() }).is_err());
    assert!(compile(&Contraction { a: vec![index(0), index(1)], ..good.c.clone() }).is_err());
}
