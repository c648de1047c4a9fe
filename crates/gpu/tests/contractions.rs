//! Contractions: matrix products with batches and any layout, convolutions forward, backward-data and backward-weights
//! with stride, padding and dilation, long and empty sums.

mod harness;

use fovea_core::contraction::{Access, Contraction, Coord, Loop, Role};
use fovea_core::plan::{Plan, Step, View};
use fovea_core::shape::Layout;
use fovea_core::{DType, Shape};
use harness::{Builder, Rng, compare, gpu};
use std::sync::Arc;

fn loops(roles: &[(usize, Role)]) -> Vec<Loop> {
    roles.iter().map(|&(size, role)| Loop { size, role }).collect()
}

fn plain(indices: &[usize]) -> Access {
    indices.iter().map(|&i| Coord::index(i)).collect()
}

/// A plan of one contraction whose operands have these layouts.
fn plan(contraction: Contraction, a: Layout, b: Layout) -> (Arc<Plan>, [usize; 2]) {
    let mut builder = Builder::default();
    let sizes = [a.end(), b.end()];
    let [sa, sb] = sizes.map(|n| builder.external(DType::F32, n));
    let results = contraction.out.iter().map(|&l| contraction.loops[l].size).product();
    let out = builder.output(DType::F32, results);
    builder.step(Step::Contract { contraction, a: View { slot: sa, layout: a }, b: View { slot: sb, layout: b }, out });
    (builder.build(), sizes)
}

fn check(contraction: Contraction, a: Layout, b: Layout) {
    let Some(gpu) = gpu() else { return };
    let (plan, sizes) = plan(contraction, a, b);
    let rng = &mut Rng(sizes[0] as u64);
    let externals = sizes.map(|n| rng.elements(DType::F32, n));
    compare(gpu, &plan, &externals, &[], 1e-5);
}

fn row_major(dims: &[usize]) -> Layout {
    Layout::contiguous(Shape::new(dims))
}

fn matmul(batch: usize, m: usize, n: usize, k: usize) -> Contraction {
    Contraction {
        loops: loops(&[(batch, Role::Batch), (m, Role::Row), (n, Role::Col), (k, Role::Sum)]),
        a: plain(&[0, 1, 3]),
        b: plain(&[0, 3, 2]),
        out: vec![0, 1, 2],
    }
}

#[test]
fn matrix_products() {
    for (batch, m, n, k) in [
        (1, 1, 1, 1),
        (1, 5, 7, 3),
        (1, 64, 64, 16),
        (1, 65, 63, 17),
        (3, 20, 30, 40),
        (1, 128, 10, 300),
        (1, 10, 128, 64),
        (2, 130, 70, 33),
        (17, 3, 4, 5),
        (1, 1, 200, 1000),
        (1, 200, 1, 1000),
        (1, 256, 256, 64),
        (1, 8, 8, 20_000),
    ] {
        check(matmul(batch, m, n, k), row_major(&[batch, m, k]), row_major(&[batch, k, n]));
        let transposed = |dims: &[usize]| row_major(dims).permute(&[0, 2, 1]);
        check(matmul(batch, m, n, k), transposed(&[batch, k, m]), row_major(&[batch, k, n]));
        check(matmul(batch, m, n, k), row_major(&[batch, m, k]), transposed(&[batch, n, k]));
    }
}

#[test]
fn matrix_products_of_views() {
    // A broadcast batch, a slice with a step backwards, and a result whose dimensions come in another order.
    let mut c = matmul(4, 9, 11, 13);
    let a = row_major(&[9, 13]).broadcast_to(Shape::from([4, 9, 13])).unwrap();
    let b = row_major(&[4, 30, 11]).slice(1, 28, -2, 13);
    check(c.clone(), a, b);
    c.out = vec![2, 0, 1];
    check(c, a, b);
    let product = Contraction {
        loops: loops(&[(9, Role::Row), (11, Role::Col), (13, Role::Sum)]),
        a: plain(&[0, 2]),
        b: plain(&[2, 1]),
        out: vec![0, 1],
    };
    check(product, row_major(&[20, 13]).slice(0, 11, 1, 9), row_major(&[30, 11]).slice(0, 3, 2, 13));
}

#[test]
fn empty_products() {
    let Some(gpu) = gpu() else { return };
    for (m, n, k) in [(3, 4, 0), (0, 4, 2), (3, 0, 2)] {
        let (plan, sizes) = plan(matmul(2, m, n, k), row_major(&[2, m, k]), row_major(&[2, k, n]));
        let externals = sizes.map(|n| vec![0; n * 4]);
        compare(gpu, &plan, &externals, &[], 0.0);
    }
}

/// A convolution's parameters; every test draws some.
#[derive(Clone, Copy, Debug)]
struct Conv {
    batch: usize,
    groups: usize,
    cin: usize,
    cout: usize,
    input: [usize; 2],
    kernel: [usize; 2],
    stride: usize,
    padding: usize,
    dilation: usize,
}

impl Conv {
    fn random(rng: &mut Rng) -> Conv {
        loop {
            let conv = Conv {
                batch: 1 + rng.below(3),
                groups: 1 + rng.below(2),
                cin: 1 + rng.below(5),
                cout: 1 + rng.below(9),
                input: [3 + rng.below(9), 3 + rng.below(9)],
                kernel: [1 + rng.below(3), 1 + rng.below(4)],
                stride: 1 + rng.below(3),
                padding: rng.below(3),
                dilation: 1 + rng.below(2),
            };
            let fits = |d: usize| conv.input[d] + 2 * conv.padding > conv.dilation * (conv.kernel[d] - 1);
            if fits(0) && fits(1) {
                return conv;
            }
        }
    }

    fn output(&self, d: usize) -> usize {
        (self.input[d] + 2 * self.padding - self.dilation * (self.kernel[d] - 1) - 1) / self.stride + 1
    }

    fn x(&self) -> [usize; 5] {
        [self.batch, self.groups, self.cin, self.input[0], self.input[1]]
    }
    fn w(&self) -> [usize; 5] {
        [self.groups, self.cout, self.cin, self.kernel[0], self.kernel[1]]
    }
    fn y(&self) -> [usize; 5] {
        [self.batch, self.groups, self.cout, self.output(0), self.output(1)]
    }

    /// `stride · out + dilation · kernel - padding`: where the input is read.
    fn tap(&self, out: usize, kernel: usize) -> Coord {
        Coord {
            terms: vec![(out, self.stride as isize), (kernel, self.dilation as isize)],
            offset: -(self.padding as isize),
            divisor: 1,
        }
    }

    /// y[n, g, o, y, x] = Σ w[g, o, c, ky, kx] · x[n, g, c, …]
    fn forward(&self) -> Contraction {
        // Loops: g n | o | oy ox | c ky kx, with a the weights.
        let [n, g, co, oy, ox] = self.y();
        let l = loops(&[
            (g, Role::Batch),
            (n, Role::Col),
            (co, Role::Row),
            (oy, Role::Col),
            (ox, Role::Col),
            (self.cin, Role::Sum),
            (self.kernel[0], Role::Sum),
            (self.kernel[1], Role::Sum),
        ]);
        let mut b = plain(&[1, 0, 5]);
        b.extend([self.tap(3, 6), self.tap(4, 7)]);
        Contraction { loops: l, a: plain(&[0, 2, 5, 6, 7]), b, out: vec![1, 0, 2, 3, 4] }
    }

    /// dx[n, g, c, iy, ix] = Σ w[g, o, c, ky, kx] · dy[n, g, o, (iy + p - d ky) / s, …]
    fn backward_data(&self) -> Contraction {
        let [n, g, c, iy, ix] = self.x();
        let l = loops(&[
            (g, Role::Batch),
            (n, Role::Col),
            (c, Role::Row),
            (iy, Role::Col),
            (ix, Role::Col),
            (self.cout, Role::Sum),
            (self.kernel[0], Role::Sum),
            (self.kernel[1], Role::Sum),
        ]);
        let back = |i: usize, k: usize| Coord {
            terms: vec![(i, 1), (k, -(self.dilation as isize))],
            offset: self.padding as isize,
            divisor: self.stride,
        };
        let mut b = plain(&[1, 0, 5]);
        b.extend([back(3, 6), back(4, 7)]);
        Contraction { loops: l, a: plain(&[0, 5, 2, 6, 7]), b, out: vec![1, 0, 2, 3, 4] }
    }

    /// dw[g, o, c, ky, kx] = Σ dy[n, g, o, y, x] · x[n, g, c, …]
    fn backward_weights(&self) -> Contraction {
        let [n, g, co, oy, ox] = self.y();
        let l = loops(&[
            (g, Role::Batch),
            (co, Role::Row),
            (self.cin, Role::Col),
            (self.kernel[0], Role::Col),
            (self.kernel[1], Role::Col),
            (n, Role::Sum),
            (oy, Role::Sum),
            (ox, Role::Sum),
        ]);
        let mut b = plain(&[5, 0, 2]);
        b.extend([self.tap(6, 3), self.tap(7, 4)]);
        Contraction { loops: l, a: plain(&[5, 0, 1, 6, 7]), b, out: vec![0, 1, 2, 3, 4] }
    }
}

#[test]
fn convolutions() {
    let rng = &mut Rng(7);
    for _ in 0..16 {
        let conv = Conv::random(rng);
        let (x, w, y) = (row_major(&conv.x()), row_major(&conv.w()), row_major(&conv.y()));
        check(conv.forward(), w, x);
        check(conv.backward_data(), w, y);
        check(conv.backward_weights(), y, x);
    }
}

/// The network of the main job: shapes that fill tiles, channels-last activations.
#[test]
fn larger_convolutions() {
    let conv = Conv {
        batch: 4,
        groups: 1,
        cin: 16,
        cout: 32,
        input: [14, 14],
        kernel: [3, 3],
        stride: 1,
        padding: 1,
        dilation: 1,
    };
    let last = |dims: [usize; 5]| {
        let [n, g, c, h, w] = dims;
        row_major(&[n, h, w, g, c]).permute(&[0, 3, 4, 1, 2])
    };
    check(conv.forward(), row_major(&conv.w()), last(conv.x()));
    check(conv.backward_data(), row_major(&conv.w()), last(conv.y()));
    check(conv.backward_weights(), last(conv.y()), last(conv.x()));
    let strided = Conv { stride: 2, cout: 70, ..conv };
    check(strided.forward(), row_major(&strided.w()), row_major(&strided.x()));
    check(strided.backward_data(), row_major(&strided.w()), row_major(&strided.y()));
}
