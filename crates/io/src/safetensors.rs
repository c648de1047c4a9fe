//! safetensors files through the format's own crate: named tensors that PyTorch and others open.
//!
//! The crate refuses headers that are truncated, overlap, overflow or leave gaps.

use crate::array::{Array, ByteOrder, Element, Sink};
use crate::file;
use fovea_core::{Error, Result};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use std::collections::HashMap;
use std::path::Path;

/// Element types that are read; those of tensors are written.
const TYPES: [(Dtype, Element); 12] = [
    (Dtype::F32, Element::F32),
    (Dtype::F64, Element::F64),
    (Dtype::I32, Element::I32),
    (Dtype::I64, Element::I64),
    (Dtype::U8, Element::U8),
    (Dtype::BOOL, Element::Bool),
    (Dtype::F16, Element::F16),
    (Dtype::BF16, Element::BF16),
    (Dtype::I8, Element::I8),
    (Dtype::I16, Element::I16),
    (Dtype::U16, Element::U16),
    (Dtype::U32, Element::U32),
];

/// Writes tensors and metadata to `path`: all of the file or nothing.
pub fn save(path: &Path, tensors: &[Array], metadata: HashMap<String, String>) -> Result<()> {
    let shown = path.display();
    let kind = |array: &Array| {
        TYPES.iter().find(|(_, e)| *e == Element::of(array.dtype)).map(|(d, _)| *d).expect("every dtype is listed")
    };
    let views = tensors
        .iter()
        .map(|t| Ok((t.name.as_str(), TensorView::new(kind(t), t.shape.clone(), &t.bytes)?)))
        .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()
        .map_err(|e| Error::internal(format!("{shown} can't be written: {e}")))?;
    let bytes = safetensors::serialize(views, Some(metadata))
        .map_err(|e| Error::format(format!("{shown} can't be written: {e}")).at("names"))?;
    file::replace_with(path, &bytes)
}

/// Hands every tensor of a mapped file to `sink`, in the order of their names, and returns the file's metadata.
///
/// Errors: `DataError` where it can't be read, `FormatError` where it is no safetensors file.
pub fn load(path: &Path, sink: Sink<'_>) -> Result<HashMap<String, String>> {
    file::mapped(path, "safetensors", |raw| decode(raw, sink))
}

/// As [`load`], of a file's content.
pub fn decode(raw: &[u8], sink: Sink<'_>) -> Result<HashMap<String, String>> {
    let broken = |e: safetensors::SafeTensorError| Error::format(e.to_string()).expected("a safetensors file");
    let file = SafeTensors::deserialize(raw).map_err(broken)?;
    let (_, header) = SafeTensors::read_metadata(raw).map_err(broken)?;
    let mut views = file.tensors();
    views.sort_by(|(a, _), (b, _)| a.cmp(b));
    for (name, view) in views {
        let element = TYPES.iter().find(|(dtype, _)| *dtype == view.dtype()).map(|(_, e)| *e).ok_or_else(|| {
            Error::format(format!("tensor {name} has a dtype that is not supported"))
                .expected("floats of 16 to 64 bits, integers or booleans")
                .received(format!("{:?}", view.dtype()))
        })?;
        let bytes = element
            .decode(view.data(), ByteOrder::Little)
            .map_err(|e| Error::format(format!("tensor {name}: {e}")).expected("0 or 1"))?;
        sink(Array { name, dtype: element.dtype(), stored: element, shape: view.shape().to_vec(), bytes })?;
    }
    Ok(header.metadata().clone().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::tests::Folder;
    use fovea_core::{DType, ErrorKind};
    use std::fs;

    fn all(raw: &[u8]) -> Result<Vec<Array>> {
        let mut out = Vec::new();
        decode(raw, &mut |array| {
            out.push(array);
            Ok(())
        })?;
        Ok(out)
    }

    fn framed(header: &str, data: &[u8]) -> Vec<u8> {
        [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
    }

    #[test]
    fn round_trip_with_metadata_and_truncations() {
        let folder = Folder::new("safetensors");
        let path = folder.0.join("weights.safetensors");
        let tensors = vec![
            Array {
                name: "a.weight".into(),
                dtype: DType::F32,
                stored: Element::F32,
                shape: vec![2, 1],
                bytes: vec![0, 0, 128, 63, 0, 0, 0, 64],
            },
            Array {
                name: "b".into(),
                dtype: DType::I64,
                stored: Element::I64,
                shape: vec![],
                bytes: vec![7, 0, 0, 0, 0, 0, 0, 0],
            },
        ];
        let metadata = HashMap::from([("who".to_owned(), "test".to_owned())]);
        save(&path, &tensors, metadata.clone()).unwrap();
        let mut read = Vec::new();
        let found = load(&path, &mut |array| {
            read.push(array);
            Ok(())
        });
        assert_eq!((found.unwrap(), read), (metadata, tensors));
        let raw = fs::read(&path).unwrap();
        for cut in 0..raw.len() {
            assert_eq!(all(&raw[..cut]).unwrap_err().kind(), ErrorKind::Format, "cut at {cut}");
        }
    }

    #[test]
    fn overlapping_overflowing_and_gapped_headers_are_refused() {
        let entry = |shape: &str, from: &str, to: &str| {
            format!(r#"{{"dtype":"F32","shape":{shape},"data_offsets":[{from},{to}]}}"#)
        };
        let good = format!(r#"{{"a":{},"b":{}}}"#, entry("[1]", "0", "4"), entry("[1]", "4", "8"));
        assert_eq!(all(&framed(&good, &[0; 8])).unwrap().len(), 2);
        let max = u64::MAX.to_string();
        for bad in [
            format!(r#"{{"a":{},"b":{}}}"#, entry("[1]", "0", "4"), entry("[1]", "0", "4")),
            format!(r#"{{"a":{},"b":{}}}"#, entry("[1]", "0", "4"), entry("[2]", "2", "8")),
            format!(r#"{{"a":{}}}"#, entry("[2]", "0", "4")),
            format!(r#"{{"a":{}}}"#, entry("[1]", "4", "8")),
            format!(r#"{{"a":{}}}"#, entry("[4611686018427387905]", "0", "4")),
            format!(r#"{{"a":{}}}"#, entry(&format!("[{max},{max}]"), "0", "8")),
            format!(r#"{{"a":{}}}"#, entry("[2]", "0", &max)),
            format!(r#"{{"a":{}}}"#, entry("[1]", "8", "4")),
            r#"{"a":{"dtype":"F99","shape":[1],"data_offsets":[0,8]}}"#.to_owned(),
        ] {
            assert_eq!(all(&framed(&bad, &[0; 8])).unwrap_err().kind(), ErrorKind::Format, "{bad}");
        }
    }

    #[test]
    fn halves_are_read_as_f32() {
        let header = r#"{"h":{"dtype":"F16","shape":[2],"data_offsets":[0,4]}}"#;
        let read = all(&framed(header, &[0, 0x3c, 0, 0xc0])).unwrap();
        let ones: Vec<u8> = [1.0f32, -2.0].iter().flat_map(|v| v.to_ne_bytes()).collect();
        assert_eq!((read[0].dtype, &read[0].bytes), (DType::F32, &ones));
    }
}
