//! safetensors files through the format's own crate: named tensors that PyTorch and others open.

use fovea_core::{DType, Error, Result};
use safetensors::tensor::{Dtype, TensorView};
use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::path::Path;

/// A tensor of a file, row-major.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    pub name: String,
    pub dtype: DType,
    pub shape: Vec<usize>,
    pub bytes: Vec<u8>,
}

fn to_file(dtype: DType) -> Dtype {
    match dtype {
        DType::F32 => Dtype::F32,
        DType::F64 => Dtype::F64,
        DType::I32 => Dtype::I32,
        DType::I64 => Dtype::I64,
        DType::U8 => Dtype::U8,
        DType::Bool => Dtype::BOOL,
    }
}

fn from_file(dtype: Dtype) -> Option<DType> {
    DType::ALL.into_iter().find(|&d| to_file(d) == dtype)
}

/// Writes tensors to `path` through a temporary file beside it, so that a crash or a full disk leaves the old file.
pub fn save(path: &Path, tensors: &[Named], metadata: HashMap<String, String>) -> Result<()> {
    let shown = path.display();
    let views = tensors
        .iter()
        .map(|t| Ok((t.name.as_str(), TensorView::new(to_file(t.dtype), t.shape.clone(), &t.bytes)?)))
        .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()
        .map_err(|e| Error::internal(format!("{shown} can't be written: {e}")))?;
    let bytes = safetensors::serialize(views, Some(metadata))
        .map_err(|e| Error::format(format!("{shown} can't be written: {e}")).at("names"))?;
    let failed = |e: std::io::Error| Error::data(format!("{shown} can't be written: {e}")).at("path");
    if let Some(folder) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(name);
    let write = || {
        let mut file = fs::File::create(&temporary)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    };
    write().map_err(|e| {
        let _ = fs::remove_file(&temporary);
        failed(e)
    })
}

/// Reads every tensor of a file, in the order of their names.
pub fn load(path: &Path) -> Result<Vec<Named>> {
    let shown = path.display();
    let raw = fs::read(path).map_err(|e| Error::data(format!("{shown} can't be read: {e}")).at("path"))?;
    let file = safetensors::SafeTensors::deserialize(&raw)
        .map_err(|e| Error::format(format!("{shown} is not a valid safetensors file: {e}")).at("path"))?;
    let mut out = Vec::with_capacity(file.len());
    for (name, view) in file.tensors() {
        let dtype = from_file(view.dtype()).ok_or_else(|| {
            Error::format(format!("{shown}: tensor {name} has a dtype that is not supported"))
                .at("path")
                .expected("f32, f64, i32, i64, u8 or bool")
                .received(format!("{:?}", view.dtype()))
        })?;
        if dtype == DType::Bool && view.data().iter().any(|&b| b > 1) {
            return Err(Error::format(format!("{shown}: tensor {name} holds bytes that are no booleans")).at("path"));
        }
        out.push(Named { name, dtype, shape: view.shape().to_vec(), bytes: view.data().to_vec() });
    }
    out.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_and_refusals() {
        let folder = std::env::temp_dir().join(format!("fovea-safetensors-{}", std::process::id()));
        let path = folder.join("weights.safetensors");
        let tensors = vec![
            Named {
                name: "a.weight".into(),
                dtype: DType::F32,
                shape: vec![2, 1],
                bytes: vec![0, 0, 128, 63, 0, 0, 0, 64],
            },
            Named { name: "b".into(), dtype: DType::I64, shape: vec![], bytes: vec![7, 0, 0, 0, 0, 0, 0, 0] },
        ];
        save(&path, &tensors, HashMap::new()).unwrap();
        assert_eq!(load(&path).unwrap(), tensors);
        let raw = fs::read(&path).unwrap();
        for cut in [0, 4, 8, 20, raw.len() - 1] {
            fs::write(&path, &raw[..cut]).unwrap();
            assert_eq!(load(&path).unwrap_err().kind(), fovea_core::ErrorKind::Format, "cut at {cut}");
        }
        fs::remove_dir_all(&folder).unwrap();
    }
}
