//! NumPy's npz: a zip archive of npy files.

use crate::archive::{self, Archive};
use crate::array::{Array, Sink, refuse_duplicates};
use crate::{file, npy};
use fovea_core::{Error, Result};
use std::path::Path;

/// Hands every array of an archive to `sink`, in the order of their names.
pub fn load(path: &Path, sink: Sink<'_>) -> Result<()> {
    file::mapped(path, "npz", |raw| decode(raw, sink))
}

/// As [`load`], of a file's content.
pub fn decode(raw: &[u8], sink: Sink<'_>) -> Result<()> {
    let mut archive = Archive::open(raw)?;
    let mut entries = archive.names()?;
    entries.sort();
    refuse_duplicates(entries.iter().map(String::as_str))?;
    for entry in entries {
        let name = entry.strip_suffix(".npy").ok_or_else(|| {
            Error::format(format!("its entry {entry} is no array")).expected("entries whose names end in .npy")
        })?;
        let raw = archive.read(&entry)?;
        sink(npy::decode(&raw, name).map_err(|e| {
            Error::format(format!("array {name}: {e}")).received(e.fields().received.clone().unwrap_or_default())
        })?)?;
    }
    Ok(())
}

/// Writes arrays under their names, uncompressed.
pub fn save(path: &Path, arrays: &[Array]) -> Result<()> {
    let headers: Vec<Vec<u8>> = arrays.iter().map(npy::header).collect();
    let entries: Vec<_> = arrays
        .iter()
        .zip(&headers)
        .map(|(array, header)| (format!("{}.npy", array.name), vec![header.as_slice(), array.bytes.as_slice()]))
        .collect();
    archive::save(path, &entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::Element;
    use crate::file::tests::Folder;
    use fovea_core::DType;

    #[test]
    fn arrays_round_trip_and_cut_files_are_refused() {
        let folder = Folder::new("npz");
        let path = folder.0.join("a.npz");
        let arrays = vec![
            Array { name: "a.b".into(), dtype: DType::U8, stored: Element::U8, shape: vec![3], bytes: vec![1, 2, 3] },
            Array { name: "c".into(), dtype: DType::Bool, stored: Element::Bool, shape: vec![], bytes: vec![1] },
        ];
        save(&path, &arrays).unwrap();
        let raw = std::fs::read(&path).unwrap();
        let all = |raw: &[u8]| {
            let mut out = Vec::new();
            decode(raw, &mut |array| {
                out.push(array);
                Ok(())
            })
            .map(|()| out)
        };
        assert_eq!(all(&raw).unwrap(), arrays);
        for cut in 0..raw.len() {
            assert!(all(&raw[..cut]).is_err(), "cut at {cut}");
        }
    }
}
