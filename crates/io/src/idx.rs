//! IDX, the format of MNIST: a magic number, big-endian dimensions, then big-endian elements (plain or gzip).
//!
//! Format: <http://yann.lecun.com/exdb/mnist/>.

use crate::archive::most;
use crate::array::{Array, ByteOrder, Element, byte_size};
use crate::file;
use flate2::read::GzDecoder;
use fovea_core::{Error, Result};
use std::io::Read;
use std::path::Path;

/// Element types by the third byte of the file.
const TYPES: [(u8, Element); 6] = [
    (0x08, Element::U8),
    (0x09, Element::I8),
    (0x0b, Element::I16),
    (0x0c, Element::I32),
    (0x0d, Element::F32),
    (0x0e, Element::F64),
];

const MAX_RANK: usize = 8;

/// Reads a file; its array has no name.
///
/// Errors: `DataError` where it can't be read, `FormatError` where its content isn't IDX or is cut short; both name it.
pub fn load(path: &Path) -> Result<Array> {
    file::mapped(path, "IDX", decode)
}

/// Decodes the content of a file, plain or gzip.
pub fn decode(raw: &[u8]) -> Result<Array> {
    if !raw.starts_with(&[0x1f, 0x8b]) {
        return decode_plain(raw);
    }
    let broken =
        |e: std::io::Error| Error::format(format!("its gzip stream is broken ({e})")).expected("a gzip stream");
    let mut stream = GzDecoder::new(raw);
    let mut plain = Vec::new();
    (&mut stream).take((4 + 4 * MAX_RANK) as u64).read_to_end(&mut plain).map_err(broken)?;
    // The header tells how long the rest must be: more is neither read nor allocated.
    let expected = Header::parse(&plain)?.length()? as u64;
    if expected > most(raw.len()) {
        return Err(Error::format("its header asks for more than a file of its size holds")
            .expected(format!("at most {} bytes", most(raw.len())))
            .received(format!("{expected} bytes")));
    }
    (&mut stream).take((expected + 1).saturating_sub(plain.len() as u64)).read_to_end(&mut plain).map_err(broken)?;
    decode_plain(&plain)
}

struct Header {
    element: Element,
    dims: Vec<usize>,
    /// Bytes of the header.
    start: usize,
}

impl Header {
    fn parse(raw: &[u8]) -> Result<Header> {
        let short = |n: usize| {
            Error::format("it ends inside the header")
                .expected(format!("at least {n} bytes"))
                .received(format!("{} bytes", raw.len()))
        };
        let &[zero, one, code, rank] = raw.first_chunk::<4>().ok_or_else(|| short(4))?;
        let element = TYPES.iter().find(|(known, _)| *known == code).map(|(_, element)| *element);
        let rank = rank as usize;
        let (Some(element), [0, 0], 1..=MAX_RANK) = (element, [zero, one], rank) else {
            return Err(Error::format("its magic number is wrong")
                .expected(format!("00 00, a type from 08 to 0e, and a rank of 1 to {MAX_RANK}"))
                .received(format!("{zero:02x} {one:02x} {code:02x} {rank:02x}")));
        };
        let start = 4 + 4 * rank;
        let dims = raw.get(4..start).ok_or_else(|| short(start))?;
        let dims = dims.as_chunks::<4>().0.iter().map(|&b| u32::from_be_bytes(b) as usize).collect();
        Ok(Header { element, dims, start })
    }

    /// Bytes of the whole file.
    fn length(&self) -> Result<usize> {
        byte_size(&self.dims, self.element.size())?
            .checked_add(self.start)
            .ok_or_else(|| Error::format("its shape is too large").received(format!("{:?}", self.dims)))
    }
}

fn decode_plain(raw: &[u8]) -> Result<Array> {
    let header = Header::parse(raw)?;
    let length = header.length()?;
    if raw.len() != length {
        return Err(Error::format("its length doesn't match its dimensions")
            .expected(format!("{length} bytes for {:?}", header.dims))
            .received(format!("{} bytes", raw.len())));
    }
    let bytes = header.element.decode(&raw[header.start..], ByteOrder::Big)?;
    Ok(Array { name: String::new(), dtype: header.element.dtype(), stored: header.element, shape: header.dims, bytes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use fovea_core::DType;
    use std::io::Write;

    fn gzip(raw: &[u8]) -> Vec<u8> {
        let mut out = GzEncoder::new(Vec::new(), Compression::best());
        out.write_all(raw).unwrap();
        out.finish().unwrap()
    }

    #[test]
    fn reads_what_is_right_and_refuses_the_rest() {
        let good = [0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6];
        let array = decode(&good).unwrap();
        assert_eq!(
            (array.dtype, &array.shape[..], &array.bytes[..]),
            (DType::U8, &[2, 3][..], &[1, 2, 3, 4, 5, 6][..])
        );
        assert_eq!(decode(&gzip(&good)).unwrap(), array);
        for cut in 0..good.len() {
            assert!(decode(&good[..cut]).is_err(), "cut at {cut}");
            assert!(decode(&gzip(&good[..cut])).is_err(), "cut at {cut}");
        }
        assert!(decode(&gzip(&[&good[..], &[7]].concat())).is_err());
        assert!(decode(&[0, 0, 10, 1, 0, 0, 0, 0]).is_err());
        assert!(decode(&[0, 0, 8, 3, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255]).is_err());
        assert!(decode(&[0x1f, 0x8b, 8, 0, 1, 2, 3]).is_err());
    }

    #[test]
    fn wider_elements_are_big_endian() {
        assert_eq!(decode(&[0, 0, 0x0b, 1, 0, 0, 0, 1, 0xff, 0xfe]).unwrap().bytes, (-2i32).to_ne_bytes());
        let float = [&[0, 0, 0x0d, 1, 0, 0, 0, 1][..], &1.5f32.to_be_bytes()].concat();
        assert_eq!(decode(&float).unwrap().bytes, 1.5f32.to_ne_bytes());
    }

    #[test]
    fn a_gzip_bomb_is_refused_by_its_header() {
        let raw = gzip(&[&[0, 0, 8, 1, 0x7f, 0, 0, 0][..], &[0; 1000]].concat());
        assert!(decode(&raw).unwrap_err().to_string().contains("asks for more"));
    }
}
