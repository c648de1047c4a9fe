//! Rows of a table.

use super::places::{Slices, check_index_type, for_each_dtype, places};
use super::{EmbeddingBackward, slices};
use fovea_core::device::{CpuArgs, Element};
use fovea_core::graph::Backward;
use fovea_core::op::{InputSchema, OutTypes, Saved, Work};
use fovea_core::sample::{Domain, Sample, SampleInput};
use fovea_core::{DType, Error, Op, Result, Shape, TensorType, attributes};
use smallvec::{SmallVec, smallvec};

attributes! {
    /// `out[…, :] = weight[indices[…], :]`.
    ///
    /// Shapes: weight `[V, D]`, indices any, result indices' shape and D behind it.
    ///
    /// Gradient: `embedding_backward`, linear, so that its gradient is this op again. Work: a kernel, parallel over
    /// rows. An index outside the table is an ArgumentError that names it.
    pub struct Embedding {
        /// A row that gets no gradient.
        padding_idx: Option<usize> = None,
    }
}

fn run<T: Element>(args: &mut CpuArgs<'_>) -> Result<()> {
    let weight = &args.inputs[0];
    let shape = weight.layout.shape;
    let places = places(&args.inputs[1], "indices", shape[0])?;
    let Some(out) = &mut args.outputs[0] else { return Ok(()) };
    slices::select(args.threads, &Slices::<T>::along(weight, 0), &places, shape[1], out.elements());
    Ok(())
}

impl Op for Embedding {
    const NAME: &'static str = "embedding";
    const DOC: &'static str = "Rows of a table: `out[…, :] = weight[indices[…], :]`.\n\n\
        weight is `[V, D]`; the result has indices' shape and D behind it. Throws an ArgumentError that names an index out \
        of range.";
    const INPUTS: &'static [InputSchema] = &[
        InputSchema::required("weight", "The table, `[V, D]`."),
        InputSchema::required("indices", "Rows, i32 or i64 of any shape."),
    ];

    fn infer(&self, inputs: &[TensorType]) -> Result<OutTypes> {
        check_index_type(&inputs[1], "indices")?;
        let [rows, width] = *inputs[0].shape else {
            return Err(Error::shape(format!("weight must be [V, D], got shape {}", inputs[0].shape))
                .at("weight")
                .expected("two dimensions")
                .received(inputs[0].shape.to_string()));
        };
        if let Some(row) = self.padding_idx.filter(|&row| row >= rows) {
            return Err(Error::argument(format!("padding_idx {row} is no row of a table of {rows}"))
                .at("padding_idx")
                .expected(format!("less than {rows}"))
                .received(row.to_string()));
        }
        let dims: SmallVec<[usize; 8]> = inputs[1].shape.iter().copied().chain([width]).collect();
        Ok(smallvec![TensorType { dtype: inputs[0].dtype, shape: Shape::checked(&dims)? }])
    }

    fn work(&self, _: &[TensorType]) -> Work {
        Work::Kernel
    }

    fn saved(&self) -> Saved {
        Saved::inputs(0b10)
    }

    fn vjp(&self, cx: &mut Backward<'_>) -> Result<()> {
        let Some(g) = cx.gradient(0) else { return Ok(()) };
        if cx.wants(0) {
            let rows = cx.input_type(0).shape[0];
            let indices = cx.input(1);
            let grad = cx.apply(EmbeddingBackward { rows, padding_idx: self.padding_idx }, &[g, indices])?;
            cx.set(0, grad);
        }
        Ok(())
    }

    fn cpu(&self, args: &mut CpuArgs<'_>) -> Result<()> {
        for_each_dtype!(args.inputs[0].dtype, run(args))
    }

    fn samples() -> Vec<Sample<Embedding>> {
        let of = |name, padding_idx: Option<usize>, weight: SampleInput, indices: &[usize]| {
            let indices = SampleInput::of(DType::I64, indices, Domain::Integers(0, weight.shape[0] as i64));
            Sample::new(name, Embedding { padding_idx }, vec![weight, indices])
        };
        let x = |shape: &[usize]| SampleInput::float(shape);
        let mut narrow = of("i32 indices, strided", None, x(&[6, 3]), &[4]);
        narrow.inputs[1] = SampleInput::of(DType::I32, [4], Domain::Integers(0, 6)).strided();
        vec![
            of("sentences", None, x(&[10, 8]), &[3, 5]),
            of("ragged", None, x(&[17, 5]), &[3, 1, 7]),
            of("one index", None, x(&[4, 6]), &[]),
            // The row's values change the result all the same, which a difference quotient sees.
            of("a row without gradient", Some(1), x(&[3, 4]), &[12]).without_gradient(),
            of("zero-sized", None, x(&[4, 6]), &[0, 2]),
            of("empty rows", None, x(&[4, 0]), &[3]),
            of("reversed", None, x(&[7, 5]).reversed(), &[2, 6]),
            of("strided", None, x(&[7, 5]).strided(), &[2, 6]),
            narrow,
        ]
    }
}
