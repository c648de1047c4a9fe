//! A rectangular part with steps.

use super::flip::Flip;
use super::pad::Pad;
use super::reshape::Reshape;
use fovea_core::graph::{Backward, Build, Val};
use fovea_core::op::{InputSchema, Op, OutTypes, TensorType, Work};
use fovea_core::sample::{Sample, SampleInput};
use fovea_core::{Error, Layout, Result, Shape, attributes};
use smallvec::smallvec;

attributes! {
    /// See [`Op::DOC`].
    pub struct Slice {
        /// The first index along each dimension; negative ones count from the end.
        starts: Vec<i64>,
        /// How many elements are taken along each dimension.
        lengths: Vec<usize>,
        /// The step along each dimension, negative to walk back.
        steps: Vec<i64>,
    }
}

/// What is taken of one dimension.
struct Range {
    start: usize,
    length: usize,
    step: isize,
}

impl Slice {
    /// Elements `start..end` of dimension `dim` of a value of `shape`.
    pub fn along(shape: Shape, dim: usize, start: usize, end: usize) -> Slice {
        let mut starts = vec![0; shape.rank()];
        starts[dim] = start as i64;
        Slice { starts, lengths: shape.with(dim, end - start).to_vec(), steps: vec![1; shape.rank()] }
    }

    /// The block of shape `lengths` that begins at `starts`.
    pub fn block(starts: &[usize], lengths: Shape) -> Slice {
        let starts = starts.iter().map(|&s| s as i64).collect();
        Slice { starts, lengths: lengths.to_vec(), steps: vec![1; lengths.rank()] }
    }

    fn ranges(&self, shape: Shape) -> Result<Vec<Range>> {
        for (name, given) in
            [("starts", self.starts.len()), ("lengths", self.lengths.len()), ("steps", self.steps.len())]
        {
            if given != shape.rank() {
                return Err(Error::argument(format!("{name} has {given} entries for a tensor of shape {shape}"))
                    .at(name)
                    .expected(format!("{} entries, one for each dimension", shape.rank()))
                    .received(given.to_string()));
            }
        }
        (0..shape.rank()).map(|d| self.range(shape, d)).collect()
    }

    fn range(&self, shape: Shape, d: usize) -> Result<Range> {
        let (size, length, step) = (shape[d] as i128, self.lengths[d] as i128, i128::from(self.steps[d]));
        let from = i128::from(self.starts[d]);
        let start = if from < 0 { from + size } else { from };
        let last = start + (length - 1) * step;
        if length > 0 && (step == 0 || !(0..size).contains(&start) || !(0..size).contains(&last)) {
            return Err(Error::argument(format!(
                "{length} elements from {from} in steps of {step} lie outside dimension {d} of shape {shape}"
            ))
            .at("starts")
            .expected(format!("indices from 0 to {}", size - 1))
            .received(format!("{start} to {last}")));
        }
        let start = usize::try_from(start).unwrap_or(0).min(shape[d]);
        Ok(Range { start, length: self.lengths[d], step: self.steps[d] as isize })
    }
}

/// `g` spread out along `dim`: element i at i · `step`, zeros between, `(length − 1) · step + 1` in all.
fn dilate(cx: &mut Build<'_>, g: Val, dim: usize, step: usize) -> Result<Val> {
    let shape = cx.shape(g);
    let length = shape[dim];
    let (outer, inner): (usize, usize) = (shape[..dim].iter().product(), shape[dim + 1..].iter().product());
    // As [outer, length, 1, inner], so that the rank never exceeds the largest.
    let apart = cx.apply(Reshape::to(Shape::from([outer, length, 1, inner])), &[g])?;
    let spread = cx.apply(Pad::zeros(vec![0, 0, 0, 0, 0, step - 1, 0, 0]), &[apart])?;
    let joined = cx.apply(Reshape::to(Shape::from([outer, length * step, inner])), &[spread])?;
    let length = (length - 1) * step + 1;
    let part = cx.apply(Slice::along(cx.shape(joined), 1, 0, length), &[joined])?;
    cx.apply(Reshape::to(shape.with(dim, length)), &[part])
}

impl Op for Slice {
    const NAME: &'static str = "slice";
    const DOC: &'static str = "A rectangular part: along each dimension `lengths` elements from `starts` in steps of \
        `steps`. A view. The gradient is set into zeros.";
    const INPUTS: &'static [InputSchema] = &[InputSchema::required("x", "")];
    const VIEW: bool = true;

    fn infer(&self, inputs: &[TensorType]) -> Result<OutTypes> {
        self.ranges(inputs[0].shape)?;
        Ok(smallvec![TensorType { dtype: inputs[0].dtype, shape: Shape::new(&self.lengths) }])
    }

    fn work(&self, _: &[TensorType]) -> Work {
        Work::View
    }

    fn view(&self, input: &Layout) -> Option<Layout> {
        let mut layout = *input;
        for (d, range) in self.ranges(input.shape).ok()?.into_iter().enumerate() {
            layout = layout.slice(d, range.start, range.step, range.length);
        }
        Some(layout)
    }

    fn vjp(&self, cx: &mut Backward<'_>) -> Result<()> {
        let Some(mut g) = cx.gradient(0) else { return Ok(()) };
        let input = cx.input_type(0);
        if cx.shape(g).size() == 0 {
            let zeros = cx.full(0.0, input.shape, input.dtype)?;
            cx.set(0, zeros);
            return Ok(());
        }
        let mut padding = Vec::with_capacity(2 * input.shape.rank());
        let mut turned = Vec::new();
        for (d, range) in self.ranges(input.shape)?.into_iter().enumerate() {
            let (span, step) = ((range.length - 1) * range.step.unsigned_abs(), range.step.unsigned_abs());
            let before = if range.step < 0 { range.start - span } else { range.start };
            padding.extend([before, input.shape[d] - before - span - 1]);
            if range.length > 1 && range.step < 0 {
                turned.push(d as i64);
            }
            if range.length > 1 && step > 1 {
                g = dilate(cx, g, d, step)?;
            }
        }
        if !turned.is_empty() {
            g = cx.apply(Flip { dims: turned }, &[g])?;
        }
        if padding.iter().any(|p| *p != 0) {
            g = cx.apply(Pad::zeros(padding), &[g])?;
        }
        cx.set(0, g);
        Ok(())
    }

    fn samples() -> Vec<Sample<Slice>> {
        let of = |starts: &[i64], lengths: &[usize], steps: &[i64]| Slice {
            starts: starts.to_vec(),
            lengths: lengths.to_vec(),
            steps: steps.to_vec(),
        };
        let x = |shape: &[usize]| SampleInput::float(shape);
        vec![
            Sample::new("plain", of(&[1, 2], &[2, 3], &[1, 1]), vec![x(&[4, 6])]),
            Sample::new("stepped", of(&[0, 1], &[3, 2], &[2, 3]), vec![x(&[5, 7])]),
            Sample::new("negative start", of(&[-2, -3], &[2, 2], &[1, 1]), vec![x(&[4, 6])]),
            Sample::new("backwards", of(&[3, 5], &[4, 2], &[-1, -4]), vec![x(&[4, 6])]),
            Sample::new("ragged", of(&[4, 0], &[11, 13], &[1, 1]), vec![x(&[17, 13])]),
            Sample::new("zero-sized", of(&[2, 0], &[0, 3], &[1, 1]), vec![x(&[4, 3])]),
            Sample::new("reversed", of(&[0, 1, 2], &[2, 2, 1], &[1, 2, 1]), vec![x(&[2, 4, 3]).reversed()]),
            Sample::new("strided", of(&[1, 0], &[2, 4], &[1, 2]), vec![x(&[3, 8]).strided()]),
            Sample::new("scalar", of(&[], &[], &[]), vec![x(&[])]),
        ]
    }
}
