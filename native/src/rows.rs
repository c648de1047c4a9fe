//! Batches of rows: items of tensors that lie in memory, put together on a thread of their own.

use crate::environment::{Call, Environment, device_from};
use crate::prepared::{Made, background};
use fovea_core::device::{BufferRef, Device, Runtime};
use fovea_core::{DType, Error, Result, Shape, TensorType};
use fovea_cpu::memory::Buffer;
use napi_sys::napi_value;
use std::sync::Arc;

pub const FUNCTIONS: &[(&str, Call)] = &[("gatherRows", gather_rows)];

/// A tensor of items along its first dimension.
struct Column {
    buffer: BufferRef,
    ty: TensorType,
    /// By which elements are multiplied, which makes them f32.
    scale: Option<f64>,
}

impl Column {
    fn bytes(&self) -> Result<&[u8]> {
        let buffer = self.buffer.as_any().downcast_ref::<Buffer>();
        let buffer = buffer.ok_or_else(|| Error::device("rows are taken from tensors on the CPU"))?;
        // SAFETY: the buffer has this length; it belongs to a leaf, which nothing writes, and is held meanwhile.
        Ok(unsafe { std::slice::from_raw_parts(buffer.as_ptr(), self.ty.bytes()) })
    }

    /// Elements of one item.
    fn step(&self) -> usize {
        self.ty.shape.iter().skip(1).product()
    }

    /// The items at `rows`, each of which exists, as a value of the shape `[rows.len(), ...item]`, or of one item alone.
    fn gather(&self, runtime: &dyn Runtime, rows: &[u32], stack: bool) -> Result<Made> {
        let mut dims: Vec<usize> = if stack { vec![rows.len()] } else { Vec::new() };
        dims.extend(self.ty.shape.iter().skip(1));
        let dtype = if self.scale.is_some() { DType::F32 } else { self.ty.dtype };
        let ty = TensorType { dtype, shape: Shape::checked(&dims)? };
        let (from, step) = (self.bytes()?, self.step());
        Made::written(runtime, ty, |out| {
            let Some(scale) = self.scale else {
                let row = step * dtype.size();
                for (&i, to) in rows.iter().zip(out.chunks_exact_mut(row.max(1))) {
                    to.copy_from_slice(&from[i as usize * row..][..row]);
                }
                return Ok(());
            };
            match self.ty.dtype {
                DType::F32 => scaled(from, rows, out, |v| (f64::from(f32::from_ne_bytes(v)) * scale) as f32),
                DType::F64 => scaled(from, rows, out, |v| (f64::from_ne_bytes(v) * scale) as f32),
                DType::I32 => scaled(from, rows, out, |v| (f64::from(i32::from_ne_bytes(v)) * scale) as f32),
                DType::U8 | DType::Bool => scaled(from, rows, out, |[v]| (f64::from(v) * scale) as f32),
                other => return Err(Error::dtype(format!("items of dtype {other} are not scaled")).at("scale")),
            }
            Ok(())
        })
    }
}

/// Writes `value` of the elements of `rows`, each of `N` bytes, as floats.
fn scaled<const N: usize>(from: &[u8], rows: &[u32], out: &mut [u8], value: impl Fn([u8; N]) -> f32) {
    let (from, out) = (from.as_chunks::<N>().0, out.as_chunks_mut::<4>().0);
    let step = out.len() / rows.len().max(1);
    for (&i, to) in rows.iter().zip(out.chunks_exact_mut(step.max(1))) {
        for (&element, to) in from[i as usize * step..][..step].iter().zip(to) {
            *to = value(element).to_ne_bytes();
        }
    }
}

/// Checks that every row is one of every column.
fn check(columns: &[Column], rows: &[u32]) -> Result<()> {
    for column in columns {
        let length = column.ty.shape.first().copied().unwrap_or(0);
        if let Some(row) = rows.iter().find(|&&row| row as usize >= length) {
            return Err(Error::argument(format!("there is no item {row} among {length}"))
                .at("index")
                .expected(format!("0 to {}", length.saturating_sub(1)))
                .received(row.to_string()));
        }
    }
    Ok(())
}

fn gather(columns: &[Column], rows: &[u32], runtime: &dyn Runtime, stack: bool) -> Result<Vec<Made>> {
    columns.iter().map(|column| column.gather(runtime, rows, stack)).collect()
}

fn column(e: &Environment, handle: u32, scale: f64) -> Result<Column> {
    let val = e.handles.get(handle)?;
    let value = e.graph.materialized(val).ok_or_else(|| Error::internal("rows of a value that was not computed"))?;
    let scale = (!scale.is_nan()).then_some(scale);
    if e.graph.device_of(val) != Device::Cpu {
        return Err(Error::device("rows are taken from tensors on the CPU"));
    }
    Ok(Column { buffer: value.cell.buffer()?, ty: e.graph.ty(val), scale })
}

fn gather_rows(e: &mut Environment, a: &[napi_value]) -> Result<napi_value> {
    let handles = e.js.to_u32s(a[0], "handles")?;
    let scales = e.js.to_list(a[1], "scales")?.into_iter().map(|v| e.js.to_number(v, "scales"));
    let scales = scales.collect::<Result<Vec<_>>>()?;
    let array = e.js.to_bytes(a[2], "indices")?;
    if array.length * size_of::<u32>() != array.bytes {
        return Err(Error::argument("indices must be 32-bit integers").at("indices").expected("an Int32Array"));
    }
    // SAFETY: the array's memory is live and unchanged during this call; negative numbers become too large ones.
    let rows =
        (0..array.length).map(|i| unsafe { array.data.cast::<u32>().add(i).read_unaligned() }).collect::<Vec<_>>();
    let device = device_from(e.js.to_u32(a[3], "device")?);
    let stack = e.js.to_bool(a[4], "stack")?;
    if scales.len() != handles.len() {
        return Err(Error::argument("handles and scales must be as many").at("scales"));
    }
    let columns = handles.into_iter().zip(scales).map(|(h, s)| column(e, h, s)).collect::<Result<Vec<_>>>()?;
    check(&columns, &rows)?;
    let runtime: Arc<dyn Runtime> = e.graph.runtime(device)?;
    if !stack {
        let values = gather(&columns, &rows, &*runtime, false)?;
        return e.js.number(f64::from(e.prepared.put(device, values)));
    }
    let prepared = e.prepared.clone();
    background(e, move || {
        let values = gather(&columns, &rows, &*runtime, true)?;
        // Whoever waits may dispose of the columns at once: nothing here holds them then.
        drop(columns);
        Ok(Some(prepared.delivery(device, values)))
    })
}
