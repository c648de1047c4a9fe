//! IDX, the format of MNIST: a magic number, big-endian dimensions, then bytes (plain or gzip).
//!
//! Format: <http://yann.lecun.com/exdb/mnist/>, only the element type `0x08` (unsigned byte).

use fovea_core::{Error, Result};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The largest payload that is read, 1 GiB: a hostile header can't ask for more.
const MAX_BYTES: u64 = 1 << 30;

/// Dimensions and row-major bytes of an IDX file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idx {
    pub dims: Vec<usize>,
    pub data: Vec<u8>,
}

/// Reads a file.
///
/// Errors: `DataError` where it can't be read, `FormatError` where its content isn't IDX or is cut short; both name it.
pub fn read(path: &Path) -> Result<Idx> {
    let shown = path.display();
    let data_error = |e: std::io::Error| Error::data(format!("{shown} can't be read: {e}")).at("path");
    let mut raw = Vec::new();
    File::open(path).map_err(data_error)?.take(MAX_BYTES).read_to_end(&mut raw).map_err(data_error)?;
    decode(&raw).map_err(|e| {
        let fields = e.fields();
        Error::format(format!("{shown} is not a valid IDX file: {fields}", fields = fields.message))
            .at("path")
            .expected(fields.expected.clone().unwrap_or_default())
            .received(fields.received.clone().unwrap_or_default())
    })
}

/// Decodes the bytes of a file.
pub fn decode(raw: &[u8]) -> Result<Idx> {
    if raw.starts_with(&[0x1f, 0x8b]) {
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(raw)
            .take(MAX_BYTES)
            .read_to_end(&mut plain)
            .map_err(|e| Error::format(format!("its gzip stream is broken ({e})")).expected("a gzip stream"))?;
        return decode_plain(&plain);
    }
    decode_plain(raw)
}

fn decode_plain(raw: &[u8]) -> Result<Idx> {
    let header = raw.get(..4).ok_or_else(|| {
        Error::format("it ends inside the header").expected("at least 4 bytes").received(format!("{} bytes", raw.len()))
    })?;
    let rank = header[3] as usize;
    if header[..3] != [0, 0, 8] || rank == 0 || rank > 8 {
        return Err(Error::format("its magic number is wrong")
            .expected("00 00 08 and a rank of 1 to 8")
            .received(format!("{:02x} {:02x} {:02x} {:02x}", header[0], header[1], header[2], header[3])));
    }
    let start = 4 + 4 * rank;
    let dims: Vec<usize> = raw
        .get(4..start)
        .ok_or_else(|| Error::format("it ends inside the header").expected(format!("at least {start} bytes")))?
        .chunks_exact(4)
        .map(|c| u32::from_be_bytes([c[0], c[1], c[2], c[3]]) as usize)
        .collect();
    let size = dims.iter().try_fold(1usize, |n, &d| n.checked_mul(d)).filter(|&n| n as u64 <= MAX_BYTES);
    match size {
        Some(size) if raw.len() - start == size => Ok(Idx { dims, data: raw[start..].to_vec() }),
        _ => Err(Error::format("its length doesn't match its dimensions")
            .expected(format!(
                "{} bytes after the header",
                dims.iter().map(ToString::to_string).collect::<Vec<_>>().join(" × ")
            ))
            .received(format!("{} bytes", raw.len() - start))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_is_right_and_refuses_the_rest() {
        let good = [0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6];
        assert_eq!(decode(&good).unwrap(), Idx { dims: vec![2, 3], data: vec![1, 2, 3, 4, 5, 6] });
        for cut in 0..good.len() {
            assert!(decode(&good[..cut]).is_err(), "cut at {cut}");
        }
        assert!(decode(&[0, 0, 9, 1, 0, 0, 0, 0]).is_err());
        assert!(decode(&[0, 0, 8, 3, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255]).is_err());
        assert!(decode(&[0x1f, 0x8b, 8, 0, 1, 2, 3]).is_err());
    }
}
