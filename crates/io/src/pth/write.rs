//! State dicts as `torch.save` writes them, so that `torch.load` opens them.

use crate::archive;
use crate::array::Array;
use fovea_core::{DType, Result};
use std::path::Path;

/// Writes tensors as one ordered dictionary: all of the file or nothing.
pub fn save(path: &Path, tensors: &[Array]) -> Result<()> {
    let pickle = pickled(tensors);
    let mut entries = vec![
        ("archive/data.pkl".to_owned(), vec![pickle.as_slice()]),
        ("archive/byteorder".to_owned(), vec![if cfg!(target_endian = "big") { b"big".as_slice() } else { b"little" }]),
        ("archive/version".to_owned(), vec![b"3\n".as_slice()]),
    ];
    for (i, tensor) in tensors.iter().enumerate() {
        entries.push((format!("archive/data/{i}"), vec![tensor.bytes.as_slice()]));
    }
    archive::save(path, &entries)
}

/// The dictionary's pickle, protocol 2.
fn pickled(tensors: &[Array]) -> Vec<u8> {
    let mut out = Pickle(vec![0x80, 2]);
    out.ordered_dict();
    out.raw(b"(");
    for (i, tensor) in tensors.iter().enumerate() {
        out.text(&tensor.name);
        out.raw(b"ctorch._utils\n_rebuild_tensor_v2\n((");
        out.text("storage");
        out.raw(format!("ctorch\n{}\n", storage_name(tensor.dtype)).as_bytes());
        out.text(&i.to_string());
        out.text("cpu");
        out.int(tensor.shape.iter().product());
        out.raw(b"tQK\0");
        out.ints(&tensor.shape);
        out.ints(&row_major(&tensor.shape));
        out.raw(b"\x89");
        out.ordered_dict();
        out.raw(b"tR");
    }
    out.raw(b"u.");
    out.0
}

const fn storage_name(dtype: DType) -> &'static str {
    match dtype {
        DType::F32 => "FloatStorage",
        DType::F64 => "DoubleStorage",
        DType::I32 => "IntStorage",
        DType::I64 => "LongStorage",
        DType::U8 => "ByteStorage",
        DType::Bool => "BoolStorage",
    }
}

fn row_major(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for dim in (1..shape.len()).rev() {
        strides[dim - 1] = strides[dim] * shape[dim].max(1);
    }
    strides
}

struct Pickle(Vec<u8>);

impl Pickle {
    fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn ordered_dict(&mut self) {
        self.raw(b"ccollections\nOrderedDict\n)R");
    }

    fn text(&mut self, text: &str) {
        self.raw(b"X");
        self.raw(&(text.len() as u32).to_le_bytes());
        self.raw(text.as_bytes());
    }

    fn int(&mut self, value: usize) {
        // No element count reaches the sign bit: a tensor's bytes are in memory.
        self.raw(&[0x8a, 8]);
        self.raw(&(value as u64).to_le_bytes());
    }

    fn ints(&mut self, values: &[usize]) {
        self.raw(b"(");
        for &value in values {
            self.int(value);
        }
        self.raw(b"t");
    }
}
