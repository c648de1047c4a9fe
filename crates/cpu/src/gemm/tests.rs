//! The engine against a plain loop, and its bits against themselves.

use super::CompiledContraction;
use super::operand::{Product, TileSize};
use super::problem::Problem;
use crate::isa::{Isa, isa};
use fovea_core::contraction::{Contraction, Coord, Loop, Role};
use fovea_core::device::Threads;
use fovea_core::{DType, Layout, Shape};

mod edges;
mod narrow;
mod shapes;
mod speed;
mod table;

/// A small generator of repeatable numbers (xorshift).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() >> 11) as usize % limit
    }

    /// In -1..1.
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }

    /// A layout whose dimensions lie in a random order, with gaps.
    fn layout(&mut self, shape: &[usize]) -> Layout {
        let mut order: Vec<usize> = (0..shape.len()).collect();
        for i in (1..order.len()).rev() {
            order.swap(i, self.below(i + 1));
        }
        let mut layout = Layout::contiguous(Shape::new(shape));
        layout.offset = self.below(5);
        let mut step = 1 + self.below(4) / 3;
        for &dim in order.iter().rev() {
            layout.strides[dim] = step as isize;
            step *= shape[dim].max(1) + self.below(3) / 2;
        }
        layout
    }
}

/// `count` threads that share the tasks one by one.
struct Scoped(usize);

impl Threads for Scoped {
    fn count(&self) -> usize {
        self.0
    }

    fn run(&self, tasks: usize, body: &(dyn Fn(usize) + Sync)) {
        std::thread::scope(|scope| {
            for first in 0..self.0.min(tasks) {
                scope.spawn(move || (first..tasks).step_by(self.0).for_each(body));
            }
        });
    }
}

/// Element types under test.
trait Number: Copy + Default + PartialEq + std::fmt::Debug {
    const DTYPE: DType;
    const EPSILON: f64;
    fn from(value: f64) -> Self;
    fn to(self) -> f64;
}

impl Number for f32 {
    const DTYPE: DType = DType::F32;
    const EPSILON: f64 = f32::EPSILON as f64;
    fn from(value: f64) -> f32 {
        value as f32
    }
    fn to(self) -> f64 {
        self as f64
    }
}

impl Number for f64 {
    const DTYPE: DType = DType::F64;
    const EPSILON: f64 = f64::EPSILON;
    fn from(value: f64) -> f64 {
        value
    }
    fn to(self) -> f64 {
        self
    }
}

/// A contraction with the shapes of its operands.
#[derive(Clone, Debug)]
struct Case {
    c: Contraction,
    a: Vec<usize>,
    b: Vec<usize>,
}

fn size(shape: &[usize]) -> usize {
    shape.iter().product()
}

/// Row-major values laid out as `layout` says; gaps hold NaN, which would show in a result.
fn place<T: Number>(values: &[T], layout: &Layout) -> Vec<T> {
    let mut buffer = vec![T::from(f64::NAN); layout.end().max(1) + 3];
    for (i, &value) in values.iter().enumerate() {
        let (mut rest, mut at) = (i, layout.offset as isize);
        for d in (0..layout.shape.rank()).rev() {
            at += (rest % layout.shape[d]) as isize * layout.strides[d];
            rest /= layout.shape[d];
        }
        buffer[at as usize] = value;
    }
    buffer
}

impl Case {
    fn out(&self) -> usize {
        self.c.out.iter().map(|&l| self.c.loops[l].size).product()
    }

    fn run<T: Number>(&self, isa: Isa, a: (&[T], &Layout), b: (&[T], &Layout), threads: usize) -> Vec<T> {
        let compiled = CompiledContraction::compile_for(isa, &self.c, T::DTYPE, a.1, b.1).unwrap();
        self.execute(&compiled, a, b, threads)
    }

    /// Each product in its `index`-th way; `None` where none has so many.
    fn way<T: Number>(&self, index: usize, a: &Layout, b: &Layout) -> Option<CompiledContraction> {
        let exists = std::cell::Cell::new(false);
        let nth = |problem: &Problem, tile: TileSize| {
            let mut ways = Product::ways(problem, tile)?;
            exists.set(exists.get() || index < ways.len());
            Ok(ways.swap_remove(index.min(ways.len() - 1)))
        };
        let compiled = CompiledContraction::compile_by(nth, isa(), &self.c, T::DTYPE, a, b).unwrap();
        exists.get().then_some(compiled)
    }

    fn execute<T: Number>(
        &self,
        compiled: &CompiledContraction,
        a: (&[T], &Layout),
        b: (&[T], &Layout),
        threads: usize,
    ) -> Vec<T> {
        let (a_buffer, b_buffer) = (place(a.0, a.1), place(b.0, b.1));
        let guard = T::from(42.0);
        let mut out = vec![T::from(f64::NAN); self.out()];
        out.extend([guard; 8]);
        // SAFETY: the buffers hold their layouts, `out` the result.
        unsafe {
            compiled
                .run(a_buffer.as_ptr().cast(), b_buffer.as_ptr().cast(), out.as_mut_ptr().cast(), &Scoped(threads))
                .unwrap();
        }
        assert!(out[self.out()..].iter().all(|&g| g == guard), "wrote past the result of {:?}", self.c);
        out.truncate(self.out());
        out
    }

    /// The result in f64 and the sum of the terms' magnitudes, by loops over every index.
    fn plain<T: Number>(&self, a: &[T], b: &[T]) -> Vec<(f64, f64)> {
        let mut out = vec![(0.0, 0.0); self.out()];
        let mut index = vec![0; self.c.loops.len()];
        let read = |values: &[T], access: &[Coord], shape: &[usize], index: &[usize]| {
            let mut at = 0;
            for (coord, &size) in access.iter().zip(shape) {
                let n = coord.terms.iter().map(|&(l, c)| c * index[l] as isize).sum::<isize>() + coord.offset;
                let divisor = coord.divisor as isize;
                if n % divisor != 0 || n < 0 || n / divisor >= size as isize {
                    return 0.0;
                }
                at = at * size + (n / divisor) as usize;
            }
            values[at].to()
        };
        for _ in 0..self.c.loops.iter().map(|l| l.size).product() {
            let term = read(a, &self.c.a, &self.a, &index) * read(b, &self.c.b, &self.b, &index);
            let at = self.c.out.iter().fold(0, |at, &l| at * self.c.loops[l].size + index[l]);
            out[at].0 += term;
            out[at].1 += term.abs();
            for (i, l) in index.iter_mut().zip(&self.c.loops).rev() {
                *i += 1;
                if *i < l.size {
                    break;
                }
                *i = 0;
            }
        }
        out
    }

    /// Every instruction set against the plain loop; bits across layouts, thread counts and ways.
    fn check<T: Number>(&self, random: &mut Random) {
        let values = |shape: &[usize], random: &mut Random| -> Vec<T> {
            (0..size(shape)).map(|_| T::from(random.unit())).collect()
        };
        let (a, b) = (values(&self.a, random), values(&self.b, random));
        let expected = self.plain(&a, &b);
        let contiguous = [&self.a, &self.b].map(|shape| Layout::contiguous(Shape::new(shape)));
        for set in [Isa::Portable, Isa::Avx2, Isa::Avx512].into_iter().filter(|&set| set <= isa()) {
            let first = self.run(set, (&a, &contiguous[0]), (&b, &contiguous[1]), 1);
            for (at, (&value, &(exact, magnitude))) in first.iter().zip(&expected).enumerate() {
                let error = (value.to() - exact).abs();
                assert!(
                    error <= 16.0 * T::EPSILON * magnitude + 1e-300,
                    "{set:?} {self:?}: element {at} is {value:?}, not {exact}"
                );
            }
            for threads in [1, 2, 5] {
                let (la, lb) = (random.layout(&self.a), random.layout(&self.b));
                let other = self.run(set, (&a, &la), (&b, &lb), threads);
                assert!(first == other, "{set:?} {self:?}: bits differ with {threads} threads, {la:?}, {lb:?}");
            }
            if set == isa() {
                let (la, lb) = (random.layout(&self.a), random.layout(&self.b));
                for index in 0.. {
                    let Some(way) = self.way::<T>(index, &la, &lb) else { break };
                    let other = self.execute(&way, (&a, &la), (&b, &lb), 2);
                    assert!(first == other, "{self:?}: bits differ in way {index}, {la:?}, {lb:?}");
                }
            }
        }
    }
}
