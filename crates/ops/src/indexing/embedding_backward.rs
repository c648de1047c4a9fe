//! Gradients of a table's rows.

use super::Embedding;
use super::places::{Accumulate, Slices, check_addable, check_index_type, places};
use super::slices::{self, Target};
use fovea_core::device::CpuArgs;
use fovea_core::graph::primitives::Map;
use fovea_core::graph::{Backward, Build, Val};
use fovea_core::op::{InputSchema, OutTypes, Saved, Work};
use fovea_core::sample::{Domain, Sample, SampleInput};
use fovea_core::scalar::{Prim, build};
use fovea_core::{DType, Error, Op, Result, TensorType, attributes};
use smallvec::smallvec;

attributes! {
    /// `out[r, :] = Σ g[…, :]` over the places where indices is r, in row-major order: the companion of `embedding`.
    ///
    /// Shapes: g indices' shape and D behind it, result `[rows, D]`.
    ///
    /// Gradient: `embedding` towards g, zero where the index is `padding_idx`. Work: a kernel, parallel over rows.
    pub struct EmbeddingBackward {
        /// Rows of the table.
        rows: usize,
        /// A row that gets no gradient.
        padding_idx: Option<usize> = None,
    }
}

fn run<T: Accumulate>(args: &mut CpuArgs<'_>, rows: usize, skip: Option<usize>) -> Result<()> {
    let (g, indices) = (&args.inputs[0], &args.inputs[1]);
    let rank = g.layout.shape.rank();
    let mut places = places(indices, "indices", rows)?;
    if let Some(skip) = skip {
        // No row has this number.
        places.iter_mut().filter(|p| **p == skip).for_each(|p| *p = usize::MAX);
    }
    let Some(out) = &mut args.outputs[0] else { return Ok(()) };
    let target = Target { outer: 1, rows, length: g.layout.shape[rank - 1] };
    let added = Slices::<T>::rows(g, rank - 1);
    let zero = |_: usize, _: usize, out: &mut [T]| out.fill(T::default());
    slices::add(args.threads, out.elements(), target, &places, zero, |_, k| added.get(k, 0));
    Ok(())
}

/// `table` with one row set to zero.
fn without_row(cx: &mut Build<'_>, table: Val, row: usize) -> Result<Val> {
    let (dtype, width) = (cx.dtype(table), cx.shape(table)[1]);
    let (from, to) = ((row * width) as f64, ((row + 1) * width) as f64);
    let program = build(&[dtype], |x| {
        let at = x[0].positional(Prim::Index, DType::I64);
        let inside = at.ge(&at.constant(from)) & at.lt(&at.constant(to));
        vec![inside.select(&x[0].constant(0.0), &x[0])]
    });
    cx.apply_dyn(Map::new("without row", program), &[table])
}

impl Op for EmbeddingBackward {
    const NAME: &'static str = "embedding_backward";
    const DOC: &'static str = "Gradient of `embedding`: `out[r, :] = Σ g[…, :]` over the places where indices is r.";
    const INPUTS: &'static [InputSchema] = &[
        InputSchema::required("g", "Gradient of the rows that were read."),
        InputSchema::required("indices", "Rows, i32 or i64 of any shape."),
    ];

    fn infer(&self, inputs: &[TensorType]) -> Result<OutTypes> {
        let [g, indices] = inputs else { return Err(Error::internal("embedding_backward takes two inputs")) };
        check_addable(g, "g")?;
        check_index_type(indices, "indices")?;
        match g.shape.split_last() {
            Some((&width, leading)) if *leading == *indices.shape => {
                Ok(smallvec![TensorType::new(g.dtype, [self.rows, width])])
            }
            _ => {
                Err(Error::shape(format!("g must have the shape {} of indices and one dimension more", indices.shape))
                    .at("g")
                    .expected(format!("{} and one dimension more", indices.shape))
                    .received(g.shape.to_string()))
            }
        }
    }

    fn work(&self, _: &[TensorType]) -> Work {
        Work::Kernel
    }

    fn saved(&self) -> Saved {
        Saved::inputs(0b10)
    }

    fn vjp(&self, cx: &mut Backward<'_>) -> Result<()> {
        let Some(u) = cx.gradient(0) else { return Ok(()) };
        if !cx.wants(0) {
            return Ok(());
        }
        let indices = cx.input(1);
        let table = match self.padding_idx {
            None => u,
            Some(row) => without_row(cx, u, row)?,
        };
        let grad = cx.apply(Embedding { padding_idx: self.padding_idx }, &[table, indices])?;
        cx.set(0, grad);
        Ok(())
    }

    fn cpu(&self, args: &mut CpuArgs<'_>) -> Result<()> {
        let EmbeddingBackward { rows, padding_idx } = *self;
        match args.inputs[0].dtype {
            DType::F32 => run::<f32>(args, rows, padding_idx),
            DType::F64 => run::<f64>(args, rows, padding_idx),
            DType::I32 => run::<i32>(args, rows, padding_idx),
            DType::I64 => run::<i64>(args, rows, padding_idx),
            DType::U8 | DType::Bool => run::<u8>(args, rows, padding_idx),
        }
    }

    fn samples() -> Vec<Sample<EmbeddingBackward>> {
        let of = |name, rows: usize, padding_idx: Option<usize>, indices: &[usize], width: usize| {
            let g = SampleInput::float([indices, &[width]].concat().as_slice());
            let indices = SampleInput::of(DType::I64, indices, Domain::Integers(0, rows as i64));
            Sample::new(name, EmbeddingBackward { rows, padding_idx }, vec![g, indices])
        };
        let mut reversed = of("reversed", 5, None, &[4, 6], 3);
        reversed.inputs = reversed.inputs.into_iter().map(SampleInput::reversed).collect();
        let mut strided = of("strided", 5, None, &[4, 6], 3);
        strided.inputs = strided.inputs.into_iter().map(SampleInput::strided).collect();
        vec![
            of("sentences", 10, None, &[3, 5], 8),
            of("ragged", 17, None, &[3, 1, 7], 5),
            of("one index", 4, None, &[], 6),
            of("many additions to few rows", 2, None, &[64], 3),
            of("a row without gradient", 3, Some(1), &[12], 4),
            of("zero-sized", 4, None, &[0, 2], 6),
            reversed,
            strided,
        ]
    }
}
