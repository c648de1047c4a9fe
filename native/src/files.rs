//! Files: tensors in and out of them, archives. The work is done on threads of its own.

use crate::environment::{Call, Environment, device_from};
use crate::prepared::{Made, background};
use fovea_core::{Error, Result, Shape, TensorType};
use fovea_io::array::{Array, Element};
use fovea_io::{archive, file, idx, npy, npz, pth, safetensors};
use napi_sys::napi_value;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

pub const FUNCTIONS: &[(&str, Call)] = &[
    ("saveTensors", save_tensors),
    ("loadTensors", load_tensors),
    ("extractZip", extract_zip),
    ("replaceFile", replace_file),
];

fn unknown_format(format: String) -> Error {
    Error::argument(format!("there is no file format {format}")).at("format").received(format)
}

/// A copy of a value that exists.
fn copied(e: &Environment, name: String, handle: u32) -> Result<Array> {
    let val = e.handles.get(handle)?;
    let ty = e.graph.ty(val);
    let value = e
        .graph
        .materialized(val)
        .ok_or_else(|| Error::internal(format!("{name} was saved before it was evaluated")))?;
    let mut bytes = vec![0; ty.bytes()];
    let runtime = e.graph.runtime(e.graph.device_of(val))?;
    runtime.read(&value.cell.buffer()?, ty.dtype, &value.layout, &mut bytes)?;
    Ok(Array { name, dtype: ty.dtype, stored: Element::of(ty.dtype), shape: ty.shape.to_vec(), bytes })
}

fn save_tensors(e: &mut Environment, a: &[napi_value]) -> Result<napi_value> {
    let path = PathBuf::from(e.js.to_string(a[0], "file")?);
    let format = e.js.to_string(a[1], "format")?;
    let names = e.js.to_strings(a[2], "names")?;
    let handles = e.js.to_u32s(a[3], "handles")?;
    let metadata = e.js.to_strings(a[4], "metadata")?;
    if names.len() != handles.len() {
        return Err(Error::argument("names and handles must be as many").at("names"));
    }
    let tensors = names.into_iter().zip(handles).map(|(n, h)| copied(e, n, h)).collect::<Result<Vec<_>>>()?;
    let metadata: HashMap<_, _> = metadata.chunks_exact(2).map(|p| (p[0].clone(), p[1].clone())).collect();
    background(e, move || {
        match (format.as_str(), tensors.as_slice()) {
            ("safetensors", _) => safetensors::save(&path, &tensors, metadata)?,
            ("npz", _) => npz::save(&path, &tensors)?,
            ("pth", _) => pth::save(&path, &tensors)?,
            ("npy", [only]) => npy::save(&path, only)?,
            _ => return Err(unknown_format(format)),
        }
        Ok(None)
    })
}

/// The tensors of a file and what it says about itself; `take` is given one after the other.
fn read(path: &Path, format: &str, take: &mut dyn FnMut(Array) -> Result<()>) -> Result<HashMap<String, String>> {
    match format {
        "safetensors" => return safetensors::load(path, take),
        "npz" => npz::load(path, take)?,
        "pth" => pth::load(path, take)?,
        "npy" => npy::load(path, take)?,
        "idx" => take(idx::load(path)?)?,
        _ => return Err(unknown_format(format.into())),
    }
    Ok(HashMap::new())
}

fn load_tensors(e: &mut Environment, a: &[napi_value]) -> Result<napi_value> {
    let path = PathBuf::from(e.js.to_string(a[0], "file")?);
    let format = e.js.to_string(a[1], "format")?;
    let device = device_from(e.js.to_u32(a[2], "device")?);
    let runtime = e.graph.runtime(device)?;
    let prepared = e.prepared.clone();
    background(e, move || {
        let (mut names, mut stored, mut values) = (Vec::new(), Vec::new(), Vec::new());
        let metadata = read(&path, &format, &mut |array| {
            let ty = TensorType { dtype: array.dtype, shape: Shape::checked(&array.shape)? };
            values.push(Made::new(&*runtime, ty, &array.bytes)?);
            names.push(array.name);
            stored.push(array.stored.name().to_owned());
            Ok(())
        })?;
        Ok(Some(Box::new(move |js| {
            let object = js.object()?;
            js.set(object, "names", js.strings(&names)?)?;
            js.set(object, "stored", js.strings(&stored)?)?;
            let metadata: Vec<String> = metadata.into_iter().flat_map(|(key, value)| [key, value]).collect();
            js.set(object, "metadata", js.strings(&metadata)?)?;
            js.set(object, "prepared", js.number(f64::from(prepared.put(device, values)))?)?;
            Ok(object)
        })))
    })
}

fn extract_zip(e: &mut Environment, a: &[napi_value]) -> Result<napi_value> {
    let from = PathBuf::from(e.js.to_string(a[0], "file")?);
    let to = PathBuf::from(e.js.to_string(a[1], "dir")?);
    background(e, move || archive::extract(&from, &to).map(|()| None))
}

fn replace_file(e: &mut Environment, a: &[napi_value]) -> Result<napi_value> {
    let path = PathBuf::from(e.js.to_string(a[0], "file")?);
    let array = e.js.to_bytes(a[1], "data")?;
    let mut bytes = Vec::with_capacity(array.bytes);
    if array.bytes > 0 {
        // SAFETY: the array's memory is live and unchanged during this call.
        bytes.extend_from_slice(unsafe { std::slice::from_raw_parts(array.data, array.bytes) });
    }
    background(e, move || file::replace_with(&path, &bytes).map(|()| None))
}
