//! Pictures in files, decoded on threads.

use crate::environment::{Call, Environment, device_from};
use crate::prepared::{Made, background};
use fovea_core::device::{Runtime, Threads};
use fovea_core::{DType, Error, Result, Shape, TensorType};
use fovea_cpu::pool::pool;
use fovea_io::image::{self, Image};
use napi_sys::napi_value;
use std::panic::catch_unwind;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

pub const FUNCTIONS: &[(&str, Call)] = &[("decodeImages", decode_images)];

/// The most threads that decode the pictures of one call.
const MAX_THREADS: usize = 8;

/// The most bytes of pixels that one call keeps; as floats they take four times as much.
const MAX_PIXEL_BYTES: usize = 1 << 30;

/// What is wanted of the pictures' pixels.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    /// Only whether the files are sound.
    Nothing,
    /// One picture [C, H, W].
    One,
    /// All pictures [N, C, H, W].
    Batch,
}

/// How pictures become floats.
struct Pictures {
    paths: Vec<String>,
    options: image::Options,
    mean: Vec<f32>,
    std: Vec<f32>,
    keep: Keep,
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
                if pictures.keep == Keep::Nothing {
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

/// The pictures as one value; `None` where one can't be read or they differ in size.
fn batch(images: &[Result<Image>], pictures: &Pictures, runtime: &dyn Runtime) -> Result<Option<Made>> {
    let Ok(images) = images.iter().map(Result::as_ref).collect::<std::result::Result<Vec<_>, _>>() else {
        return Ok(None);
    };
    let (height, width) = images.first().map_or((0, 0), |image| (image.height, image.width));
    if images.iter().any(|image| (image.height, image.width) != (height, width)) {
        return Ok(None);
    }
    let dims = [images.len(), pictures.options.channels, height, width];
    let shape = Shape::checked(if pictures.keep == Keep::One { &dims[1..] } else { &dims })?;
    let made = Made::written(runtime, TensorType { dtype: DType::F32, shape }, |out| {
        let item = pictures.options.channels * height * width * size_of::<f32>();
        for (image, own) in images.iter().zip(out.chunks_exact_mut(item.max(1))) {
            // SAFETY: buffers are aligned for floats, of which items are a whole number; all bit patterns are floats.
            let (_, floats, _) = unsafe { own.align_to_mut::<f32>() };
            image.planes(&pictures.mean, &pictures.std, floats);
        }
        Ok(())
    })?;
    Ok(Some(made))
}

fn decode_images(e: &mut Environment, a: &[napi_value]) -> Result<napi_value> {
    let paths = e.js.to_strings(a[0], "files")?;
    let numbers = e.js.to_list(a[1], "options")?.into_iter().map(|v| e.js.to_number(v, "options"));
    let numbers = numbers.collect::<Result<Vec<_>>>()?;
    let keep = match e.js.to_u32(a[2], "keep")? {
        0 => Keep::Nothing,
        1 if paths.len() == 1 => Keep::One,
        _ => Keep::Batch,
    };
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
    let device = device_from(e.js.to_u32(a[3], "device")?);
    let runtime = e.graph.runtime(device)?;
    let prepared = e.prepared.clone();
    background(e, move || {
        let images = decode_all(&pictures);
        let sizes: Vec<f64> = images
            .iter()
            .flat_map(|image| image.as_ref().map_or([0.0, 0.0], |i| [i.height as f64, i.width as f64]))
            .collect();
        let made = if keep == Keep::Nothing { None } else { batch(&images, &pictures, &*runtime)? };
        let errors: Vec<(usize, Error)> =
            images.into_iter().enumerate().filter_map(|(i, image)| image.err().map(|e| (i, e))).collect();
        Ok(Some(Box::new(move |js| {
            let object = js.object()?;
            js.set(object, "sizes", js.numbers(sizes)?)?;
            js.set(object, "failed", js.numbers(errors.iter().map(|(i, _)| *i as f64))?)?;
            let values = errors.iter().map(|(_, error)| js.error(error)).collect::<Result<Vec<_>>>()?;
            js.set(object, "errors", js.array(&values)?)?;
            if let Some(made) = made {
                js.set(object, "prepared", js.number(f64::from(prepared.put(device, vec![made])))?)?;
            }
            Ok(object)
        })))
    })
}
