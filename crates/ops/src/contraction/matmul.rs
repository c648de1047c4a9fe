//! Matrix products.

use super::contract::{Contract, Labels};
use crate::scalar::Cast;
use fovea_core::graph::{Backward, Build, Val};
use fovea_core::op::{InputSchema, OutTypes, Work};
use fovea_core::sample::{Sample, SampleInput};
use fovea_core::{DType, Error, Op, Result, Shape, TensorType, attributes};
use smallvec::smallvec;

attributes! {
    /// `out[…, i, j] = Σ_k a[…, i, k] · b[…, k, j]`.
    ///
    /// Shapes as in PyTorch: `[M, K]` by `[K, N]` gives `[M, N]`; dimensions before the last two broadcast; a vector
    /// `[K]` is a row on the left and a column on the right, and its dimension is gone from the result.
    ///
    /// Gradient: `g · bᵀ` and `aᵀ · g`, summed over broadcast dimensions. Work: one contraction, in which a dimension
    /// of one operand alone counts to its rows or columns; nothing is broadcast or transposed in memory.
    pub struct Matmul {}
}

/// How the dimensions of both operands meet.
struct Meeting {
    contract: Contract,
    shape: Shape,
}

fn mismatch(a: &TensorType, b: &TensorType, why: String) -> Error {
    Error::shape(why)
        .at("b")
        .expected(format!("a shape that {} multiplies with", a.shape))
        .received(b.shape.to_string())
}

fn meet(a: &TensorType, b: &TensorType) -> Result<Meeting> {
    for (name, ty) in [("a", a), ("b", b)] {
        if !ty.dtype.is_float() {
            return Err(Error::dtype(format!(
                "matmul takes f32 or f64, {name} is {0}; cast it with to('f32')",
                ty.dtype
            ))
            .at(name)
            .expected("f32 or f64")
            .received(ty.dtype.name()));
        }
        if ty.shape.rank() == 0 {
            return Err(Error::shape(format!("matmul needs at least one dimension, {name} is a scalar; use mul"))
                .at(name)
                .expected("one dimension or more")
                .received("[]"));
        }
    }
    let (ra, rb) = (a.shape.rank(), b.shape.rank());
    let (ka, kb) = (a.shape[ra - 1], b.shape[rb.saturating_sub(2)]);
    if ka != kb {
        let at = if rb == 1 { "size" } else { "second to last dimension" };
        let why = format!("a's last dimension is {ka} but b's {at} is {kb} (a {}, b {})", a.shape, b.shape);
        return Err(mismatch(a, b, why));
    }
    let (batch_a, batch_b) = (ra.saturating_sub(2), rb.saturating_sub(2));
    let batch = batch_a.max(batch_b);
    let (row, sum, col) = (batch as u8, batch as u8 + 1, batch as u8 + 2);
    let mut contract = Contract { a: Labels::new(), b: Labels::new(), out: Labels::new() };
    let mut shape = Shape::SCALAR;
    for i in 0..batch {
        let da = (i + batch_a).checked_sub(batch).map(|i| a.shape[i]);
        let db = (i + batch_b).checked_sub(batch).map(|i| b.shape[i]);
        let size = match (da.unwrap_or(1), db.unwrap_or(1)) {
            (x, y) if x == y => x,
            (1, y) => y,
            (x, 1) => x,
            _ => {
                let why = format!("the leading dimensions of a {} and b {} do not broadcast", a.shape, b.shape);
                return Err(mismatch(a, b, why));
            }
        };
        let label = (size != 1).then_some(i as u8);
        let own = |d: usize| label.filter(|_| d != 1);
        contract.a.extend(da.map(own));
        contract.b.extend(db.map(own));
        contract.out.push(label);
        shape.push(size);
    }
    if ra > 1 {
        contract.a.push(Some(row));
        contract.out.push(Some(row));
        shape.push(a.shape[ra - 2]);
    }
    contract.a.push(Some(sum));
    contract.b.push(Some(sum));
    if rb > 1 {
        contract.b.push(Some(col));
        contract.out.push(Some(col));
        shape.push(b.shape[rb - 1]);
    }
    Ok(Meeting { contract, shape: Shape::checked(&shape)? })
}

/// `val` as `dtype`.
fn cast(cx: &mut Build<'_>, val: Val, dtype: DType) -> Result<Val> {
    if cx.dtype(val) == dtype { Ok(val) } else { cx.apply(Cast { dtype }, &[val]) }
}

impl Op for Matmul {
    const NAME: &'static str = "matmul";
    const DOC: &'static str = "Matrix product: `out[…, i, j] = Σ_k a[…, i, k] · b[…, k, j]`.\n\n\
        `[…, M, K]` by `[…, K, N]` gives `[…, M, N]`; leading dimensions broadcast. A vector is a row on the left and a \
        column on the right, without that dimension in the result. Throws a ShapeError where the shapes don't meet and a \
        DTypeError for integers.";
    const INPUTS: &'static [InputSchema] = &[
        InputSchema::required("a", "Left factor, `[…, M, K]` or `[K]`."),
        InputSchema::required("b", "Right factor, `[…, K, N]` or `[K]`."),
    ];
    const COMPOSITE: bool = true;

    fn infer(&self, inputs: &[TensorType]) -> Result<OutTypes> {
        let meeting = meet(&inputs[0], &inputs[1])?;
        Ok(smallvec![TensorType { dtype: inputs[0].dtype.promote(inputs[1].dtype), shape: meeting.shape }])
    }

    fn work(&self, _: &[TensorType]) -> Work {
        Work::Composite
    }

    fn vjp(&self, _: &mut Backward<'_>) -> Result<()> {
        Err(Error::internal("matmul is recorded as its contraction"))
    }

    fn decompose(&self, cx: &mut Build<'_>, inputs: &[Val]) -> Result<Option<Vec<Val>>> {
        let meeting = meet(&cx.ty(inputs[0]), &cx.ty(inputs[1]))?;
        let dtype = cx.dtype(inputs[0]).promote(cx.dtype(inputs[1]));
        let a = cast(cx, inputs[0], dtype)?;
        let b = cast(cx, inputs[1], dtype)?;
        Ok(Some(vec![cx.apply(meeting.contract, &[a, b])?]))
    }

    fn samples() -> Vec<Sample<Matmul>> {
        let of = |name, a: SampleInput, b: SampleInput| Sample::new(name, Matmul {}, vec![a, b]);
        let x = |shape: &[usize]| SampleInput::float(shape);
        vec![
            of("plain", x(&[3, 4]), x(&[4, 5])),
            of("ragged", x(&[37, 19]), x(&[19, 23])),
            of("several blocks of the sum", x(&[5, 300]), x(&[300, 7])),
            of("batched", x(&[3, 5, 4]), x(&[3, 4, 6])),
            of("broadcast both ways", x(&[2, 1, 3, 4]), x(&[5, 4, 2])),
            of("batch on the left only", x(&[2, 3, 4, 5]), x(&[5, 6])),
            of("batch on the right only", x(&[3, 4]), x(&[2, 4, 5])),
            of("two vectors", x(&[9]), x(&[9])),
            of("matrix by vector", x(&[2, 7, 9]), x(&[9])),
            of("vector by matrix", x(&[9]), x(&[2, 9, 3])),
            of("zero-sized", x(&[0, 4]), x(&[4, 3])),
            of("empty sum", x(&[3, 0]), x(&[0, 4])),
            of("reversed", x(&[6, 5]).reversed(), x(&[5, 7]).reversed()),
            of("strided", x(&[4, 8]).strided(), x(&[2, 8, 3]).strided()),
        ]
    }
}
