//! The numbers that a run passes to its kernels, in one uniform buffer.

use crate::wgsl::Number;
use fovea_core::device::Datum;
use fovea_core::{DType, Error, Result};

/// Bytes of one number: a `vec4<u32>`.
pub(crate) const NUMBER: u64 = 16;

/// Where the kernels of a plan find their numbers.
pub(crate) struct Numbers {
    alignment: u64,
    lists: Vec<(u64, Vec<Number>)>,
    bytes: u64,
}

impl Numbers {
    pub fn new(alignment: u32) -> Numbers {
        Numbers { alignment: u64::from(alignment), lists: Vec::new(), bytes: 0 }
    }

    /// The byte offset of a kernel's numbers; kernels with the same ones share them.
    pub fn place(&mut self, numbers: &[Number]) -> u64 {
        if let Some(found) = self.lists.iter().find(|l| l.1 == numbers) {
            return found.0;
        }
        let at = self.bytes;
        self.bytes = (at + numbers.len() as u64 * NUMBER).next_multiple_of(self.alignment);
        self.lists.push((at, numbers.to_vec()));
        at
    }

    /// The contents of the buffer for a run's data.
    pub fn encode(&self, data: &[Datum]) -> Result<Vec<u8>> {
        let mut out = vec![0u8; self.bytes as usize];
        for (at, numbers) in &self.lists {
            let words = out[*at as usize..].as_chunks_mut::<4>().0;
            for (number, to) in numbers.iter().zip(words.as_chunks_mut::<4>().0) {
                *to = encode(*number, data)?.map(u32::to_le_bytes);
            }
        }
        Ok(out)
    }
}

/// A number as four words.
fn encode(number: Number, data: &[Datum]) -> Result<[u32; 4]> {
    let datum =
        |i: usize| data.get(i).copied().ok_or_else(|| Error::internal(format!("the plan's data lacks number {i}")));
    match number {
        Number::Key(i) => match datum(i)? {
            Datum::Key { seed, offset } => Ok([seed as u32, (seed >> 32) as u32, offset as u32, (offset >> 32) as u32]),
            other => Err(Error::internal(format!("{other:?} was given where a random key is read"))),
        },
        Number::Word(word) => Ok([word, 0, 0, 0]),
        Number::Scalar(i, dtype) => {
            let value = datum(i)?;
            let word = match (dtype, value) {
                (DType::F32 | DType::F64, v) => (v.as_f64() as f32).to_bits(),
                (DType::I64, Datum::Int(v)) => i32::try_from(v).map_err(|_| {
                    Error::data(format!("i64 value {v} does not fit the GPU's 32-bit integers")).received(v.to_string())
                })? as u32,
                (DType::I32, Datum::Int(v)) => v as i32 as u32,
                (DType::I32 | DType::I64, v) => v.as_f64() as i32 as u32,
                (DType::U8, Datum::Int(v)) => u32::from(v as u8),
                (DType::U8, v) => u32::from(v.as_f64() as u8),
                (DType::Bool, v) => u32::from(v.as_f64() != 0.0),
            };
            Ok([word, 0, 0, 0])
        }
    }
}
