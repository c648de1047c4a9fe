//! Files: tensors in and out of them, pictures, archives. What takes long runs on threads of its own.

use crate::environment::{Call, Environment, device_from};
use crate::promise::Ending;
use fovea_core::device::Threads;
use fovea_core::graph::Cell;
use fovea_core::{Error, Result, Shape, TensorType};
use fovea_cpu::pool::pool;
use fovea_io::array::Array;
use fovea_io::image::{self, Image};
use fovea_io::{archive, file, idx, npy, npz, pth, safetensors};
use napi_sys::napi_value;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};

pub const FUNCTIONS: &[(&str, Call)] = &[
    ("saveTensors", save_tensors),
    ("loadTensors", load_tensors),
    ("decodeImages", decode_images),
    ("extractZip", extract_zip),
    ("replaceFile", replace_file),
];

/// The most threads that decode the pictures of one call.
const MAX_THREADS: usize = 8;

/// The most bytes of pixels that one call keeps; as floats they take four times as much.
const MAX_PIXEL_BYTES: usize = 1 << 30;

/// Node-API's code of a Float32Array.
const FLOAT32_ARRAY: i32 = 7;

/// Runs `work` on a thread of its own; the promise settles with what it gives.
fn background(e: &Environment, work: impl FnOnce() -> Ending + Send + 'static) -> Result<napi_value> {
    // The promise is made once the thread runs: a promise that nothing settles would keep the process alive.
    let (hand_over, handed) = mpsc::channel::<Box<dyn FnOnce(Ending) + Send>>();
    let run = move || {
        let Ok(settle) = handed.recv() else { return };
        let outcome = catch_unwind(AssertUnwindSafe(work));
        settle(outcome.unwrap_or_else(|_| Err(Error::internal("work on a file panicked; this is a bug in Fovea"))));
    };
    std::thread::Builder::new()
        .name("fovea-files".into())
        .spawn(run)
        .map_err(|e| Error::internal(format!("a thread could not be started: {e}")))?;
    let (promise, settle) = e.promises.deliver(e.js)?;
    hand_over.send(Box::new(settle)).map_err(|_| Error::internal("a thread ended before its work"))?;
    Ok(promise)
}

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
    Ok(Array { name, dtype: ty.dtype, shape: ty.shape.to_vec(), bytes })
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

fn load_tensors(e: &mut Environment, a: &[napi_value]) -> Result<napi_value> {
    let path = e.js.to_string(a[0], "file")?;
    let format = e.js.to_string(a[1], "format")?;
    let path = Path::new(&path);
    let device = device_from(e.js.to_u32(a[2], "device")?);
    let (mut names, mut handles) = (Vec::new(), Vec::new());
    let mut take = |array: Array| {
        let runtime = e.graph.runtime(device)?;
        let ty = TensorType { dtype: array.dtype, shape: Shape::checked(&array.shape)? };
        let cell = Cell::ready(runtime.upload(&array.bytes, ty.dtype)?, ty.bytes(), e.graph.account());
        let val = e.graph.leaf(ty, cell, device, false)?;
        handles.push(e.handles.make(&mut e.graph, val)?);
        names.push(array.name);
        Ok(())
    };
    let outcome = match format.as_str() {
        "safetensors" => safetensors::load(path, &mut take),
        "npz" => npz::load(path, &mut take).map(|()| HashMap::new()),
        "pth" => pth::load(path, &mut take).map(|()| HashMap::new()),
        "npy" => npy::load(path, &mut take).map(|()| HashMap::new()),
        "idx" => idx::load(path).and_then(&mut take).map(|()| HashMap::new()),
        _ => Err(unknown_format(format)),
    };
    let metadata = match outcome {
        Ok(metadata) => metadata,
        Err(error) => {
            // What was read before the fault has no owner who would free it.
            for handle in handles {
                e.handles.free(e.js, &mut e.graph, handle, true)?;
            }
            return Err(error);
        }
    };
    e.report();
    let object = e.js.object()?;
    e.js.set(object, "names", e.js.strings(&names)?)?;
    e.js.set(object, "handles", e.js.numbers(handles.into_iter().map(f64::from))?)?;
    let metadata: Vec<String> = metadata.into_iter().flat_map(|(key, value)| [key, value]).collect();
    e.js.set(object, "metadata", e.js.strings(&metadata)?)?;
    Ok(object)
}

/// How pictures become floats.
struct Pictures {
    paths: Vec<String>,
    options: image::Options,
    mean: Vec<f32>,
    std: Vec<f32>,
    /// Whether the pixels are wanted, or only whether the files are sound.
    keep: bool,
}

fn too_many_pixels(path: &str) -> Error {
    Error::data(format!("{path} and the pictures before it take more than {MAX_PIXEL_BYTES} bytes: give a size"))
        .at("size")
        .expected("smaller pictures or a smaller batch")
}

/// The pictures of a call, or why one can't be read.
fn decode_all(pictures: &Pictures) -> Vec<Result<Image>> {
    let Pictures { paths, options, .. } = pictures;
    let threads = pool().count().min(MAX_THREADS).min(paths.len().max(1));
    let next = AtomicUsize::new(0);
    let kept = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(paths.len()));
    let work = || {
        loop {
            let i = next.fetch_add(1, Ordering::Relaxed);
            let Some(path) = paths.get(i) else { break };
            let mut image = catch_unwind(|| image::load(Path::new(path), options))
                .unwrap_or_else(|_| Err(Error::internal(format!("decoding {path} panicked; this is a bug in Fovea"))));
            if let Ok(decoded) = &mut image {
                if !pictures.keep {
                    decoded.data = Vec::new();
                } else if kept.fetch_add(decoded.data.len(), Ordering::Relaxed) + decoded.data.len() > MAX_PIXEL_BYTES {
                    image = Err(too_many_pixels(path));
                }
            }
            done.lock().unwrap_or_else(PoisonError::into_inner).push((i, image));
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(i, _)| *i);
    done.into_iter().map(|(_, image)| image).collect()
}

fn decode_images(e: &mut Environment, a: &[napi_value]) -> Result<napi_value> {
    let paths = e.js.to_strings(a[0], "files")?;
    let numbers = e.js.to_list(a[1], "options")?.into_iter().map(|v| e.js.to_number(v, "options"));
    let numbers = numbers.collect::<Result<Vec<_>>>()?;
    let keep = e.js.to_bool(a[2], "keep")?;
    let wrong = || Error::argument("the options of pictures are incomplete").at("options");
    let (&[channels, height, width, max_pixels], rest) = numbers.split_first_chunk::<4>().ok_or_else(wrong)?;
    let channels = channels as usize;
    if !matches!(channels, 1 | 3) || rest.len() != 2 * channels {
        return Err(wrong());
    }
    let size = (height > 0.0 && width > 0.0).then_some((height as usize, width as usize));
    let options = image::Options { channels, size, max_pixels: max_pixels as usize };
    let floats = |list: &[f64]| list.iter().map(|&v| v as f32).collect();
    let pictures = Pictures { paths, options, mean: floats(&rest[..channels]), std: floats(&rest[channels..]), keep };
    background(e, move || {
        let images = decode_all(&pictures);
        let sizes: Vec<f64> = images
            .iter()
            .flat_map(|image| image.as_ref().map_or([0.0, 0.0], |i| [i.height as f64, i.width as f64]))
            .collect();
        let length = images.iter().flatten().map(|image| image.data.len()).sum();
        let mut data = vec![0.0f32; length];
        let mut rest = data.as_mut_slice();
        for image in images.iter().flatten().filter(|image| !image.data.is_empty()) {
            let (own, after) = rest.split_at_mut(image.data.len());
            image.planes(&pictures.mean, &pictures.std, own);
            rest = after;
        }
        let errors: Vec<(usize, Error)> =
            images.into_iter().enumerate().filter_map(|(i, image)| image.err().map(|e| (i, e))).collect();
        Ok(Some(Box::new(move |js| {
            let object = js.object()?;
            let (array, memory) = js.typed_array(FLOAT32_ARRAY, data.len(), size_of::<f32>())?;
            if !data.is_empty() {
                // SAFETY: the fresh array has room for exactly these floats.
                unsafe { std::ptr::copy_nonoverlapping(data.as_ptr(), memory.cast(), data.len()) };
            }
            js.set(object, "data", array)?;
            js.set(object, "sizes", js.numbers(sizes)?)?;
            js.set(object, "failed", js.numbers(errors.iter().map(|(i, _)| *i as f64))?)?;
            let values = errors.iter().map(|(_, error)| js.error(error)).collect::<Result<Vec<_>>>()?;
            js.set(object, "errors", js.array(&values)?)?;
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
