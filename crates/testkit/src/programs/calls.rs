//! Calls of ops that fit the values at hand.

use super::Source;
use super::generate::{Generator, Live};
use fovea_core::attributes::Float;
use fovea_core::op::{DynOp, TensorType};
use fovea_core::sample::{Domain, SampleInput};
use fovea_core::{DType, Shape};
use fovea_ops::contraction::{Conv2d, Matmul};
use fovea_ops::movement::{Concat, Expand, Flip, Pad, Permute, Reshape, Slice};
use fovea_ops::normalization::{LogSoftmax, Softmax};
use fovea_ops::reduction::{All, Any, ArgMax, ArgMin, Max, Mean, Min, Prod, Sum, Variance};
use fovea_ops::scalar::Cast;
use std::sync::Arc;

/// Elements of a sample's inputs past which it is called less often.
const COSTLY: usize = 4096;

/// Scalar ops whose values leave the numbers at most arguments, or grow quickly.
const WILD: [&str; 9] = ["log", "log1p", "sqrt", "rsqrt", "pow", "reciprocal", "div", "exp", "expm1"];

impl Generator<'_> {
    /// A call of an op through one of its samples, on live values where there are any that fit.
    pub fn sample(&mut self) {
        let vocabulary = self.vocabulary;
        let word = self.random.pick(&vocabulary.words);
        let sample = self.random.pick(&word.samples);
        let elements: usize = sample.inputs.iter().map(|i| i.shape.size()).sum();
        if elements > COSTLY && !self.random.chance(10) {
            return;
        }
        let float = self.float();
        let mut inputs = Vec::with_capacity(sample.inputs.len());
        for (i, input) in sample.inputs.iter().enumerate() {
            if word.key == Some(i) {
                inputs.push(Source::Key);
                continue;
            }
            let ty = TensorType { dtype: input.dtype.unwrap_or(float), shape: input.shape };
            let any_value_will_do = ty.dtype.is_float() && matches!(input.domain, Domain::Uniform(..));
            let fitting = if any_value_will_do && self.random.chance(70) { self.fitting(ty) } else { None };
            let live = fitting.unwrap_or_else(|| self.leaf_of(ty.dtype, input.clone()));
            inputs.push(Source::Value(live.register));
        }
        self.call(sample.op.clone(), &inputs);
    }

    /// A value of this type, or one that is cut and reshaped into it.
    fn fitting(&mut self, ty: TensorType) -> Option<Live> {
        if let Some(live) = self.like(|l| l.ty == ty) {
            return Some(live);
        }
        let size = ty.shape.size();
        let from = self.like(|l| l.ty.dtype == ty.dtype && l.ty.shape.size() >= size.max(1))?;
        let flat = self.on(Reshape { shape: vec![from.ty.shape.size() as i64] }, from)?;
        let spare = flat.ty.shape.size() - size;
        let start = self.random.below(spare + 1) as i64;
        let cut = self.on(Slice { starts: vec![start], lengths: vec![size], steps: vec![1] }, flat)?;
        let shape = ty.shape.iter().map(|&d| d as i64).collect();
        self.on(Reshape { shape }, cut).filter(|l| l.ty == ty)
    }

    fn on(&mut self, op: impl DynOp + 'static, x: Live) -> Option<Live> {
        self.call(Arc::new(op), &[Source::Value(x.register)])
    }

    /// A call with attributes and operands made for a live value.
    pub fn adapted(&mut self) {
        let x = self.any();
        let _ = match self.random.below(21) {
            0..=9 => self.scalar(x),
            10..=13 => self.movement(x),
            14..=16 => self.reduction(x),
            17 => self.matmul(x),
            18 => self.softmax(x),
            19 => self.convolution(x),
            _ => {
                let dtype = *self.random.pick(&[DType::F32, DType::F32, DType::F64, DType::I32, DType::Bool]);
                self.on(Cast { dtype }, x)
            }
        };
    }

    fn scalar(&mut self, mut x: Live) -> Option<Live> {
        let vocabulary = self.vocabulary;
        let (op, arity) = self.random.pick(&vocabulary.scalars).clone();
        if WILD.contains(&op.name()) && self.random.chance(75) {
            x = self.call(vocabulary.scalar("sigmoid"), &[Source::Value(x.register)])?;
        }
        if op.name() == "where" {
            let other = self.partner(x);
            let condition = self.call(vocabulary.scalar("gt"), &[Source::Value(x.register), other])?;
            let last = self.partner(x);
            let condition = Source::Value(condition.register);
            return self.call(op, &[condition, Source::Value(x.register), last]);
        }
        let mut inputs = vec![Source::Value(x.register)];
        for _ in 1..arity {
            inputs.push(self.partner(x));
        }
        if self.random.chance(30) {
            inputs.reverse();
        }
        self.call(op, &inputs)
    }

    /// Something that broadcasts with `x`.
    fn partner(&mut self, x: Live) -> Source {
        let limit = self.limit();
        match self.random.below(10) {
            0..=5 => {
                let fits = |l: &Live| {
                    let result = l.ty.shape.broadcast(&x.ty.shape);
                    l.ty.dtype == x.ty.dtype && result.is_some_and(|s| s.size() <= limit)
                };
                Source::Value(self.like(fits).unwrap_or(x).register)
            }
            6..=7 if x.ty.dtype != DType::Bool => {
                let numbers: [f64; 6] = [0.5, 2.0, 3.0, 1.0, 0.1, 7.0];
                let number = *self.random.pick(&numbers);
                Source::Number(if x.ty.dtype.is_float() { number } else { number.ceil() }, x.ty.dtype)
            }
            _ => {
                let mut dims: Vec<usize> = x.ty.shape.to_vec();
                for dim in &mut dims {
                    if self.random.chance(30) {
                        *dim = 1;
                    }
                }
                let skipped = self.random.below(dims.len() + 1).saturating_sub(1);
                Source::Value(self.leaf(x.ty.dtype, Shape::new(&dims[skipped..])).register)
            }
        }
    }

    fn movement(&mut self, x: Live) -> Option<Live> {
        let dims: Vec<usize> = x.ty.shape.to_vec();
        let rank = dims.len();
        match self.random.below(7) {
            0 => {
                let shape = self.factors(x.ty.shape.size());
                self.on(Reshape { shape }, x)
            }
            1 => {
                let mut order: Vec<i64> = (0..rank as i64).collect();
                for i in (1..rank).rev() {
                    order.swap(i, self.random.below(i + 1));
                }
                self.on(Permute { dims: order }, x)
            }
            2 => {
                let wider = |g: &mut Self, d: usize| if d == 1 { 1 + g.random.below(17) } else { d } as i64;
                let mut shape: Vec<i64> = dims.iter().map(|&d| wider(self, d)).collect();
                if rank < 4 && self.random.chance(50) {
                    shape.insert(0, 1 + self.random.below(4) as i64);
                }
                self.on(Expand { shape }, x)
            }
            3 => {
                let mut slice = Slice { starts: vec![], lengths: vec![], steps: vec![] };
                for &d in &dims {
                    let step = 1 + self.random.below(3);
                    let back = self.random.chance(25);
                    let start = if d == 0 { 0 } else { self.random.below(d.min(3)) };
                    let most = d.saturating_sub(start).div_ceil(step);
                    let length = most - self.random.below(most.min(3) + 1).min(most.saturating_sub(1));
                    slice.starts.push(if back && d > 0 { (d - 1 - start) as i64 } else { start as i64 });
                    slice.steps.push(if back { -(step as i64) } else { step as i64 });
                    slice.lengths.push(length);
                }
                self.on(slice, x)
            }
            4 => {
                let flipped: Vec<i64> = (0..rank as i64).filter(|_| self.random.chance(50)).collect();
                self.on(Flip { dims: flipped }, x)
            }
            5 => {
                let padding = (0..2 * rank).map(|_| self.random.below(4)).collect();
                let value = Float(if self.random.chance(50) { 0.0 } else { 1.0 });
                self.on(Pad { padding, value }, x)
            }
            _ => {
                let dim = self.random.below(rank.max(1));
                let apart = |s: &Shape| s.len() == rank && (0..rank).all(|d| d == dim || s[d] == dims[d]);
                let other = self.like(|l| l.ty.dtype == x.ty.dtype && apart(&l.ty.shape)).unwrap_or(x);
                let both = [Source::Value(x.register), Source::Value(other.register)];
                self.call(Arc::new(Concat { dim: dim as i64 }), &both)
            }
        }
    }

    /// A shape of as many elements.
    fn factors(&mut self, mut size: usize) -> Vec<i64> {
        let mut shape = Vec::new();
        if size == 0 {
            return vec![0, 3];
        }
        for factor in [2usize, 3, 4, 11, 16, 17] {
            if size.is_multiple_of(factor) && self.random.chance(50) && shape.len() < 3 {
                shape.push(factor as i64);
                size /= factor;
            }
        }
        let at = self.random.below(shape.len() + 1);
        shape.insert(at, size as i64);
        shape
    }

    fn reduction(&mut self, x: Live) -> Option<Live> {
        let rank = x.ty.shape.len();
        let dim: Option<Vec<i64>> = if rank == 0 || self.random.chance(25) {
            None
        } else {
            let first = self.random.below(rank);
            Some((0..rank).filter(|&d| d == first || self.random.chance(20)).map(|d| d as i64).collect())
        };
        let keep_dim = self.random.chance(50);
        match self.random.below(12) {
            0..=2 => self.on(Sum { dim, keep_dim }, x),
            3..=4 => self.on(Mean { dim, keep_dim }, x),
            5 => self.on(Max { dim, keep_dim }, x),
            6 => self.on(Min { dim, keep_dim }, x),
            7 => self.on(ArgMax { dim, keep_dim }, x),
            8 => self.on(ArgMin { dim, keep_dim }, x),
            9 => self.on(Variance { dim, keep_dim, correction: Float(1.0) }, x),
            10 => self.on(Prod { dim, keep_dim }, x),
            _ if self.random.chance(50) => self.on(Any { dim, keep_dim }, x),
            _ => self.on(All { dim, keep_dim }, x),
        }
    }

    fn matmul(&mut self, x: Live) -> Option<Live> {
        let inner = *x.ty.shape.last()?;
        if !x.ty.dtype.is_float() || x.ty.shape.size() * 17 > 200_000 {
            return None;
        }
        let columns = *self.random.pick(&[1, 3, 16, 17]);
        let ty = TensorType::new(x.ty.dtype, [inner, columns]);
        let other = match self.like(|l| l.ty == ty) {
            Some(other) => other,
            None => self.leaf_of(ty.dtype, SampleInput::float(ty.shape)),
        };
        self.call(Arc::new(Matmul {}), &[Source::Value(x.register), Source::Value(other.register)])
    }

    /// To enough channels for plans to lay the result out channels-last.
    fn convolution(&mut self, x: Live) -> Option<Live> {
        let size = x.ty.shape.size();
        if !x.ty.dtype.is_float() || size == 0 || size * 17 > 100_000 {
            return None;
        }
        let x = if x.ty.shape.rank() == 4 {
            x
        } else {
            let channels = *self.random.pick(&[1, 2, 3, 16]);
            let width = *self.random.pick(&[1, 2, 4, 17]);
            let rest = size.is_multiple_of(channels * width).then_some(size / (channels * width))?;
            self.on(Reshape { shape: [1, channels, rest, width].map(|d| d as i64).to_vec() }, x)?
        };
        let kernel = [1 + self.random.below(3), 1 + self.random.below(3)];
        let padding = kernel.map(|k| k / 2);
        let stride = [1, 1 + self.random.below(2)];
        let shape = Shape::from([*self.random.pick(&[5, 12, 17]), x.ty.shape[1], kernel[0], kernel[1]]);
        let weight = self.leaf_of(x.ty.dtype, SampleInput::float(shape));
        let op = Conv2d { stride, padding, dilation: [1, 1], groups: 1 };
        self.call(Arc::new(op), &[Source::Value(x.register), Source::Value(weight.register)])
    }

    fn softmax(&mut self, x: Live) -> Option<Live> {
        let dim = self.random.below(x.ty.shape.len().max(1)) as i64;
        if self.random.chance(50) { self.on(Softmax { dim }, x) } else { self.on(LogSoftmax { dim }, x) }
    }
}
