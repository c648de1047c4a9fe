//! Arrays as files hold them, and their elements as tensors hold them.

use fovea_core::{DType, Error, Result, Shape};
use half::{bf16, f16};

/// A named array, row-major, in the byte order of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Array {
    pub name: String,
    pub dtype: DType,
    /// The type of its elements in the file.
    pub stored: Element,
    pub shape: Vec<usize>,
    pub bytes: Vec<u8>,
}

/// Takes the arrays of a file one by one.
pub type Sink<'a> = &'a mut dyn FnMut(Array) -> Result<()>;

/// An element type of files. Those that no tensor has are read as the nearest that holds all their values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    Bool,
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    I64,
    F16,
    BF16,
    F32,
    F64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteOrder {
    Little,
    Big,
}

impl Element {
    /// What a tensor's elements are in a file.
    pub const fn of(dtype: DType) -> Element {
        match dtype {
            DType::F32 => Element::F32,
            DType::F64 => Element::F64,
            DType::I32 => Element::I32,
            DType::I64 => Element::I64,
            DType::U8 => Element::U8,
            DType::Bool => Element::Bool,
        }
    }

    /// How files' users call it.
    pub const fn name(self) -> &'static str {
        match self {
            Element::Bool => "bool",
            Element::U8 => "u8",
            Element::I8 => "i8",
            Element::U16 => "u16",
            Element::I16 => "i16",
            Element::U32 => "u32",
            Element::I32 => "i32",
            Element::I64 => "i64",
            Element::F16 => "f16",
            Element::BF16 => "bf16",
            Element::F32 => "f32",
            Element::F64 => "f64",
        }
    }

    /// Bytes of one element in the file.
    pub const fn size(self) -> usize {
        match self {
            Element::Bool | Element::U8 | Element::I8 => 1,
            Element::U16 | Element::I16 | Element::F16 | Element::BF16 => 2,
            Element::U32 | Element::I32 | Element::F32 => 4,
            Element::I64 | Element::F64 => 8,
        }
    }

    /// The dtype that the elements become.
    pub const fn dtype(self) -> DType {
        match self {
            Element::Bool => DType::Bool,
            Element::U8 => DType::U8,
            Element::I8 | Element::U16 | Element::I16 | Element::I32 => DType::I32,
            Element::U32 | Element::I64 => DType::I64,
            Element::F16 | Element::BF16 | Element::F32 => DType::F32,
            Element::F64 => DType::F64,
        }
    }

    /// Elements of a file as the bytes of [`Element::dtype`]. Errors: bytes that are no booleans.
    pub fn decode(self, bytes: &[u8], order: ByteOrder) -> Result<Vec<u8>> {
        if self == Element::Bool
            && let Some(at) = bytes.iter().position(|&b| b > 1)
        {
            return Err(Error::format("it holds bytes that are no booleans")
                .expected("0 or 1")
                .received(format!("{} at element {at}", bytes[at])));
        }
        Ok(match self {
            Element::Bool | Element::U8 => bytes.to_vec(),
            Element::I8 => each(bytes, order, |[b]| i32::from(b.cast_signed()).to_ne_bytes()),
            Element::U16 => each(bytes, order, |b| i32::from(u16::from_le_bytes(b)).to_ne_bytes()),
            Element::I16 => each(bytes, order, |b| i32::from(i16::from_le_bytes(b)).to_ne_bytes()),
            Element::U32 => each(bytes, order, |b| i64::from(u32::from_le_bytes(b)).to_ne_bytes()),
            Element::F16 => each(bytes, order, |b| f16::from_le_bytes(b).to_f32().to_ne_bytes()),
            Element::BF16 => each(bytes, order, |b| bf16::from_le_bytes(b).to_f32().to_ne_bytes()),
            Element::I32 | Element::F32 => each(bytes, order, |b| u32::from_le_bytes(b).to_ne_bytes()),
            Element::I64 | Element::F64 => each(bytes, order, |b| u64::from_le_bytes(b).to_ne_bytes()),
        })
    }
}

/// `change` of every element, which it is given in little-endian order.
fn each<const N: usize, const M: usize>(
    bytes: &[u8],
    order: ByteOrder,
    change: impl Fn([u8; N]) -> [u8; M],
) -> Vec<u8> {
    let (elements, _) = bytes.as_chunks::<N>();
    let mut out = Vec::with_capacity(elements.len() * M);
    for &element in elements {
        let mut little = element;
        if order == ByteOrder::Big {
            little.reverse();
        }
        out.extend_from_slice(&change(little));
    }
    out
}

/// Bytes of this many elements of a shape, or an error where that overflows or the rank is past the largest.
pub fn byte_size(shape: &[usize], element: usize) -> Result<usize> {
    let too_large = || Error::format("its shape is too large").received(format!("{shape:?}"));
    Shape::checked(shape).map_err(|e| Error::format(format!("its shape is refused: {e}")))?;
    shape.iter().try_fold(element, |n, &d| n.checked_mul(d)).ok_or_else(too_large)
}

/// The error of a name that stands twice in a file, if there is one.
pub fn refuse_duplicates<'a>(names: impl Iterator<Item = &'a str>) -> Result<()> {
    let mut seen = std::collections::HashSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(Error::format(format!("it holds {name} twice")).expected("names that differ"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn f32s(bytes: &[u8]) -> Vec<f32> {
        bytes.as_chunks::<4>().0.iter().map(|&b| f32::from_ne_bytes(b)).collect()
    }

    #[test]
    fn elements_become_the_nearest_dtype_in_either_byte_order() {
        let halves = [f16::from_f32(1.5), f16::from_f32(-65504.0)];
        let little: Vec<u8> = halves.iter().flat_map(|h| h.to_le_bytes()).collect();
        let big: Vec<u8> = halves.iter().flat_map(|h| h.to_be_bytes()).collect();
        assert_eq!(f32s(&Element::F16.decode(&little, ByteOrder::Little).unwrap()), [1.5, -65504.0]);
        assert_eq!(f32s(&Element::F16.decode(&big, ByteOrder::Big).unwrap()), [1.5, -65504.0]);
        assert_eq!(f32s(&Element::BF16.decode(&[0x80, 0x3f], ByteOrder::Little).unwrap()), [1.0]);
        assert_eq!(Element::I8.decode(&[0xff], ByteOrder::Little).unwrap(), (-1i32).to_ne_bytes());
        assert_eq!(Element::U16.decode(&[0xff, 0xfe], ByteOrder::Big).unwrap(), 0xfffei32.to_ne_bytes());
        assert_eq!(Element::U32.decode(&[0xff; 4], ByteOrder::Little).unwrap(), 0xffff_ffffi64.to_ne_bytes());
        assert!(Element::Bool.decode(&[0, 1, 2], ByteOrder::Little).is_err());
        for dtype in DType::ALL {
            assert_eq!(Element::of(dtype).dtype(), dtype);
            assert_eq!(Element::of(dtype).size(), dtype.size());
        }
    }

    #[test]
    fn sizes_that_overflow_are_refused() {
        assert_eq!(byte_size(&[3, 2], 4).unwrap(), 24);
        assert_eq!(byte_size(&[3, 0], 4).unwrap(), 0);
        assert!(byte_size(&[usize::MAX, 2], 4).is_err());
        assert!(byte_size(&[1; 9], 4).is_err());
        assert!(byte_size(&[usize::MAX, usize::MAX, 0], 4).is_err());
    }
}
