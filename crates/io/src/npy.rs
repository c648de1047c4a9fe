//! NumPy's npy: a header that is a Python dictionary, then the elements.
//!
//! Format: <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>, versions 1 to 3.

use crate::array::{Array, ByteOrder, Element, Sink, byte_size};
use crate::file;
use fovea_core::{DType, Error, Result};
use std::io::Write;
use std::path::Path;

const MAGIC: &[u8; 6] = b"\x93NUMPY";

/// Headers of plain arrays take less than 128 bytes.
const MAX_HEADER: usize = 1 << 16;

/// Hands the only array of a file to `sink`; it has no name.
pub fn load(path: &Path, sink: Sink<'_>) -> Result<()> {
    file::mapped(path, "npy", |raw| sink(decode(raw, "")?))
}

/// Writes one array.
pub fn save(path: &Path, array: &Array) -> Result<()> {
    file::replace(path, |out| {
        out.write_all(&header(array))?;
        out.write_all(&array.bytes)
    })
}

/// Everything before the elements, a multiple of 64 bytes long.
pub fn header(array: &Array) -> Vec<u8> {
    let kind = match array.dtype {
        DType::F32 => "<f4",
        DType::F64 => "<f8",
        DType::I32 => "<i4",
        DType::I64 => "<i8",
        DType::U8 => "|u1",
        DType::Bool => "|b1",
    };
    let mut dims = array.shape.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if array.shape.len() == 1 {
        dims.push(',');
    }
    let mut text = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({dims}), }}");
    let length = (10 + text.len() + 1).next_multiple_of(64) - 10;
    text.push_str(&" ".repeat(length - text.len() - 1));
    text.push('\n');
    [MAGIC.as_slice(), &[1, 0], &(length as u16).to_le_bytes(), text.as_bytes()].concat()
}

/// The array of a file's content.
pub fn decode(raw: &[u8], name: &str) -> Result<Array> {
    if !raw.starts_with(MAGIC) || raw.len() < 10 {
        return Err(Error::format("its magic number is wrong").expected("\\x93NUMPY and a version"));
    }
    let (start, length) = match raw[6] {
        1 => (10, u16::from_le_bytes([raw[8], raw[9]]) as usize),
        2 | 3 if raw.len() >= 12 => (12, u32::from_le_bytes([raw[8], raw[9], raw[10], raw[11]]) as usize),
        version => {
            return Err(Error::format("its version is not known").expected("1, 2 or 3").received(version.to_string()));
        }
    };
    if length > MAX_HEADER {
        return Err(Error::format("its header is too long").expected(format!("at most {MAX_HEADER} bytes")));
    }
    let text = raw.get(start..start + length).ok_or_else(|| Error::format("it ends inside the header"))?;
    let text = std::str::from_utf8(text).map_err(|_| Error::format("its header is no text"))?;
    let header = Header::parse(text)?;
    let data = &raw[start + length..];
    let size = byte_size(&header.shape, header.element.size())?;
    if data.len() != size {
        return Err(Error::format("its length doesn't match its shape")
            .expected(format!("{size} bytes after the header for {:?}", header.shape))
            .received(format!("{} bytes", data.len())));
    }
    let (element, shape) = (header.element, header.shape);
    let mut bytes = element.decode(data, header.order)?;
    if header.fortran && shape.len() > 1 && !bytes.is_empty() {
        bytes = row_major(&bytes, &shape, element.dtype().size());
    }
    Ok(Array { name: name.to_owned(), dtype: element.dtype(), stored: element, shape, bytes })
}

/// Elements whose first dimension varies fastest, in the order where the last one does.
fn row_major(bytes: &[u8], shape: &[usize], size: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let strides: Vec<usize> = shape
        .iter()
        .scan(size, |next, &d| {
            let stride = *next;
            *next *= d;
            Some(stride)
        })
        .collect();
    let mut index = vec![0; shape.len()];
    let mut from = 0;
    while out.len() < bytes.len() {
        out.extend_from_slice(&bytes[from..from + size]);
        for dim in (0..shape.len()).rev() {
            index[dim] += 1;
            from += strides[dim];
            if index[dim] < shape[dim] {
                break;
            }
            from -= strides[dim] * shape[dim];
            index[dim] = 0;
        }
    }
    out
}

struct Header {
    element: Element,
    order: ByteOrder,
    fortran: bool,
    shape: Vec<usize>,
}

impl Header {
    fn parse(text: &str) -> Result<Header> {
        let wrong =
            || Error::format("its header is not understood").expected("a dictionary of descr, fortran_order, shape");
        let mut rest = text.trim().strip_prefix('{').and_then(|t| t.strip_suffix('}')).ok_or_else(wrong)?.trim();
        let (mut kind, mut fortran, mut shape) = (None, None, None);
        while !rest.is_empty() {
            let (key, after) = quoted(rest).ok_or_else(wrong)?;
            let value = after.trim_start().strip_prefix(':').ok_or_else(wrong)?.trim_start();
            let after = match key {
                "descr" => {
                    let (text, after) = quoted(value).ok_or_else(|| {
                        Error::format("its elements are records").expected("elements that are numbers or booleans")
                    })?;
                    kind = Some(element(text)?);
                    after
                }
                "fortran_order" => {
                    let (value, after) = [("True", true), ("False", false)]
                        .iter()
                        .find_map(|(word, on)| value.strip_prefix(word).map(|after| (*on, after)))
                        .ok_or_else(wrong)?;
                    fortran = Some(value);
                    after
                }
                "shape" => {
                    let (inside, after) = value.strip_prefix('(').and_then(|v| v.split_once(')')).ok_or_else(wrong)?;
                    let dims = inside.split(',').map(str::trim).filter(|d| !d.is_empty());
                    shape = Some(dims.map(str::parse).collect::<Result<Vec<usize>, _>>().map_err(|_| wrong())?);
                    after
                }
                _ => return Err(wrong()),
            };
            rest = after.trim_start();
            rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
        }
        let ((element, order), Some(fortran), Some(shape)) = (kind.ok_or_else(wrong)?, fortran, shape) else {
            return Err(wrong());
        };
        Ok(Header { element, order, fortran, shape })
    }
}

/// The text between the quotes that `text` starts with, and what follows.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    text[1..].split_once(quote)
}

fn element(kind: &str) -> Result<(Element, ByteOrder)> {
    let known = [
        ("b1", Element::Bool),
        ("u1", Element::U8),
        ("i1", Element::I8),
        ("u2", Element::U16),
        ("i2", Element::I16),
        ("u4", Element::U32),
        ("i4", Element::I32),
        ("i8", Element::I64),
        ("f2", Element::F16),
        ("f4", Element::F32),
        ("f8", Element::F64),
    ];
    let order = if kind.starts_with('>') { ByteOrder::Big } else { ByteOrder::Little };
    let name = kind.trim_start_matches(['<', '>', '|', '=']);
    let found = known.iter().find(|(known, _)| *known == name).map(|(_, element)| (*element, order));
    found.ok_or_else(|| {
        let what = if name == "O" { "its elements are pickled objects" } else { "its element type is not supported" };
        Error::format(what).expected("floats of 16 to 64 bits, integers or booleans").received(kind.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str, data: &[u8]) -> Vec<u8> {
        [MAGIC.as_slice(), &[1, 0], &(text.len() as u16).to_le_bytes(), text.as_bytes(), data].concat()
    }

    #[test]
    fn every_dtype_and_rank_round_trips() {
        for dtype in DType::ALL {
            for shape in [vec![], vec![3], vec![2, 0], vec![2, 3, 1]] {
                let size: usize = shape.iter().product::<usize>() * dtype.size();
                let bytes = (0..size).map(|i| (i % 2) as u8).collect();
                let array = Array { name: String::new(), dtype, stored: Element::of(dtype), shape, bytes };
                let raw = [header(&array), array.bytes.clone()].concat();
                assert_eq!(header(&array).len() % 64, 0);
                assert_eq!(decode(&raw, "").unwrap(), array);
                for cut in 0..raw.len() {
                    assert!(decode(&raw[..cut], "").is_err(), "{dtype} cut at {cut}");
                }
            }
        }
    }

    #[test]
    fn fortran_order_and_big_endian_are_turned() {
        let raw = file("{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3), }", &[1, 4, 2, 5, 3, 6]);
        assert_eq!(decode(&raw, "").unwrap().bytes, [1, 2, 3, 4, 5, 6]);
        let raw = file("{'descr': '>i2', 'fortran_order': False, 'shape': (1,), }", &[0xff, 0xfe]);
        assert_eq!(decode(&raw, "").unwrap().bytes, (-2i32).to_ne_bytes());
    }

    #[test]
    fn what_is_no_plain_array_is_refused() {
        let max = usize::MAX;
        for text in [
            "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }",
            "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }",
            "{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }",
            "{'descr': '<f4', 'fortran_order': Maybe, 'shape': (1,), }",
            "{'descr': '<f4', 'shape': (1,), }",
            "{'descr': '<f4'",
            "",
            &format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({max}, {max}), }}"),
            &format!("{{'descr': '<f8', 'fortran_order': True, 'shape': ({max}, 0), }}"),
        ] {
            assert!(decode(&file(text, &[0; 8]), "").is_err(), "{text}");
        }
    }
}
