//! Elements between host memory and 32-bit words on the device.
//!
//! f32 and i32 travel as they are; i64 is held as i32, u8 and bool as u32.

use crate::buffers::{Buffer, Purpose};
use crate::context::Gpu;
use fovea_core::shape::{Layout, Shape};
use fovea_core::{DType, Error, Result};
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Bytes of one element on the device.
pub(crate) const WORD: u64 = 4;

/// Uploaded bytes after which a submission hands wgpu's staging memory back.
const UPLOAD_BATCH: u64 = 64 << 20;

/// Whether the device holds values of this dtype.
pub(crate) fn is_native(dtype: DType) -> bool {
    dtype != DType::F64
}

/// The words that hold these elements.
pub(crate) fn to_words(bytes: &[u8], dtype: DType) -> Result<Cow<'_, [u8]>> {
    match dtype {
        DType::F32 | DType::I32 => Ok(Cow::Borrowed(bytes)),
        DType::U8 => Ok(Cow::Owned(bytes.iter().flat_map(|&b| u32::from(b).to_le_bytes()).collect())),
        DType::Bool => Ok(Cow::Owned(bytes.iter().flat_map(|&b| u32::from(b != 0).to_le_bytes()).collect())),
        DType::I64 => {
            let mut out = Vec::with_capacity(bytes.len() / 2);
            for (i, chunk) in bytes.as_chunks::<8>().0.iter().enumerate() {
                let value = i64::from_le_bytes(*chunk);
                let narrow = i32::try_from(value).map_err(|_| {
                    Error::data(format!("i64 value {value} at element {i} does not fit the GPU's 32-bit integers"))
                        .expected("-2147483648 to 2147483647")
                        .received(value.to_string())
                })?;
                out.extend_from_slice(&narrow.to_le_bytes());
            }
            Ok(Cow::Owned(out))
        }
        DType::F64 => Err(Error::dtype("f64 is not supported on the GPU; use the CPU or f32")
            .expected("f32, i32, i64, u8 or bool")
            .received("f64")),
    }
}

/// Writes elements to a fresh buffer.
pub(crate) fn upload(gpu: &Arc<Gpu>, bytes: &[u8], dtype: DType) -> Result<Buffer> {
    let words = to_words(bytes, dtype)?;
    let buffer = Buffer::take(gpu, Purpose::Storage, words.len() as u64)?;
    write(gpu, &buffer, &words)?;
    Ok(buffer)
}

/// Overwrites the start of a buffer, after all work submitted so far and before all later work.
pub(crate) fn write(gpu: &Gpu, buffer: &Buffer, words: &[u8]) -> Result<()> {
    if words.is_empty() {
        return gpu.alive();
    }
    gpu.guarded("uploading", || gpu.queue.write_buffer(buffer.raw(), 0, words))?;
    let bytes = words.len() as u64;
    if gpu.pending_upload.fetch_add(bytes, Ordering::Relaxed) + bytes >= UPLOAD_BATCH {
        gpu.submit(None)?;
    }
    Ok(())
}

/// The element range that a layout touches.
fn touched(layout: &Layout) -> Range<usize> {
    if layout.shape.size() == 0 {
        return layout.offset..layout.offset;
    }
    let back: isize = (0..layout.shape.rank()).map(|i| layout.strides[i].min(0) * (layout.shape[i] as isize - 1)).sum();
    (layout.offset as isize + back) as usize..layout.end()
}

/// Copies `layout`'s elements of a device buffer into `target`, in row-major order.
pub(crate) fn read(gpu: &Arc<Gpu>, buffer: &Buffer, dtype: DType, layout: &Layout, target: &mut [u8]) -> Result<()> {
    let range = touched(layout);
    if target.len() != layout.shape.size() * dtype.size() {
        return Err(Error::internal(format!(
            "a read of {} {dtype} elements was given {} bytes",
            layout.shape.size(),
            target.len()
        )));
    }
    if range.is_empty() {
        return gpu.alive();
    }
    let bytes = range.len() as u64 * WORD;
    if range.end as u64 * WORD > buffer.size() {
        return Err(Error::internal(format!("a read past the end of a buffer: element {}", range.end)));
    }
    let staging = Buffer::take(gpu, Purpose::Staging, bytes)?;
    let commands = gpu.guarded("reading", || {
        let mut encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        encoder.copy_buffer_to_buffer(buffer.raw(), range.start as u64 * WORD, staging.raw(), 0, bytes);
        encoder.finish()
    })?;
    let submission = gpu.submit(Some(commands))?;
    let (sender, receiver) = std::sync::mpsc::channel();
    gpu.guarded("mapping", || {
        staging.raw().map_async(wgpu::MapMode::Read, 0..bytes, move |result| {
            let _ = sender.send(result);
        });
    })?;
    gpu.wait(Some(submission))?;
    let mapped = receiver.recv().map_err(|_| Error::internal("the GPU never answered a read"))?;
    mapped.map_err(|e| Error::internal(format!("mapping device memory failed: {e}")))?;
    {
        let view = staging
            .raw()
            .get_mapped_range(0..bytes)
            .map_err(|e| Error::internal(format!("mapping device memory failed: {e}")))?;
        let layout = Layout { offset: layout.offset - range.start, ..*layout };
        gather(&view, dtype, &layout, target);
    }
    staging.raw().unmap();
    Ok(())
}

/// Copies elements from words into host memory in row-major order.
fn gather(words: &[u8], dtype: DType, layout: &Layout, target: &mut [u8]) {
    let words = words.as_chunks::<4>().0;
    match dtype {
        DType::F32 | DType::I32 => each(words, layout, target.as_chunks_mut::<4>().0, |w| w),
        DType::I64 => {
            each(words, layout, target.as_chunks_mut::<8>().0, |w| i64::from(i32::from_le_bytes(w)).to_le_bytes())
        }
        DType::U8 | DType::Bool => each(words, layout, target, |w| w[0]),
        DType::F64 => unreachable!("the device holds no f64"),
    }
}

fn each<T: Copy>(words: &[[u8; 4]], layout: &Layout, target: &mut [T], convert: impl Fn([u8; 4]) -> T) {
    if layout.is_contiguous() {
        for (to, word) in target.iter_mut().zip(&words[layout.offset..]) {
            *to = convert(*word);
        }
        return;
    }
    let mut at = Odometer::new(layout.shape);
    for to in target {
        *to = convert(words[at.offset(layout)]);
        at.advance();
    }
}

/// Counts through a shape's indices in row-major order.
struct Odometer {
    shape: Shape,
    index: [usize; fovea_core::shape::MAX_RANK],
}

impl Odometer {
    fn new(shape: Shape) -> Odometer {
        Odometer { shape, index: [0; fovea_core::shape::MAX_RANK] }
    }

    fn offset(&self, layout: &Layout) -> usize {
        let steps: isize = (0..self.shape.rank()).map(|i| self.index[i] as isize * layout.strides[i]).sum();
        (layout.offset as isize + steps) as usize
    }

    fn advance(&mut self) {
        for i in (0..self.shape.rank()).rev() {
            self.index[i] += 1;
            if self.index[i] < self.shape[i] {
                return;
            }
            self.index[i] = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i64_out_of_range_names_the_value() {
        let bytes: Vec<u8> = [1i64, 1 << 31].iter().flat_map(|v| v.to_le_bytes()).collect();
        let error = to_words(&bytes, DType::I64).unwrap_err();
        assert_eq!(error.kind(), fovea_core::ErrorKind::Data);
        assert!(error.to_string().contains("2147483648 at element 1"), "{error}");
    }

    #[test]
    fn f64_is_a_dtype_error() {
        assert_eq!(to_words(&[0; 8], DType::F64).unwrap_err().kind(), fovea_core::ErrorKind::DType);
    }

    #[test]
    fn gathers_through_negative_strides() {
        let words: Vec<u8> = (0..6i32).flat_map(i32::to_le_bytes).collect();
        let layout = Layout::contiguous(Shape::from([2, 3])).slice(1, 2, -1, 3);
        assert_eq!(touched(&layout), 0..6);
        let mut out = [0u8; 24];
        gather(&words, DType::I32, &layout, &mut out);
        let got: Vec<i32> = out.as_chunks::<4>().0.iter().map(|c| i32::from_le_bytes(*c)).collect();
        assert_eq!(got, [2, 1, 0, 5, 4, 3]);
    }
}
