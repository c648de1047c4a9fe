//! The few constructors that PyTorch's state dicts call, as plain data.

use super::pickle::{Id, Machine, Value};
use crate::array::Element;
use fovea_core::{Error, Result};

/// What a pickle may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Global {
    OrderedDict,
    Size,
    Device,
    RebuildTensor,
    RebuildParameter,
    Storage(Element),
    /// A constant such as `torch.float32`.
    Constant,
}

/// Elements in an entry of the archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storage {
    pub element: Element,
    pub key: String,
    pub size: usize,
}

/// A tensor as a view of a storage; offset and strides count elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorView {
    pub storage: Storage,
    pub offset: usize,
    pub shape: Vec<usize>,
    pub strides: Vec<usize>,
}

const STORAGES: [(&str, Element); 10] = [
    ("FloatStorage", Element::F32),
    ("DoubleStorage", Element::F64),
    ("HalfStorage", Element::F16),
    ("BFloat16Storage", Element::BF16),
    ("LongStorage", Element::I64),
    ("IntStorage", Element::I32),
    ("ShortStorage", Element::I16),
    ("CharStorage", Element::I8),
    ("ByteStorage", Element::U8),
    ("BoolStorage", Element::Bool),
];

const CONSTANTS: [&str; 10] =
    ["float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool"];

impl Global {
    /// The constructor of this name. Errors: it is none of those that state dicts need; nothing else is ever called.
    pub fn of(module: &str, name: &str) -> Result<Global> {
        let storage =
            || STORAGES.iter().find(|(known, _)| *known == name).map(|(_, element)| Global::Storage(*element));
        let found = match (module, name) {
            ("collections", "OrderedDict") => Some(Global::OrderedDict),
            ("torch", "Size") => Some(Global::Size),
            ("torch", "device") => Some(Global::Device),
            ("torch._utils", "_rebuild_tensor_v2") => Some(Global::RebuildTensor),
            ("torch._utils", "_rebuild_parameter") => Some(Global::RebuildParameter),
            ("torch" | "torch.storage", _) if CONSTANTS.contains(&name) => Some(Global::Constant),
            ("torch" | "torch.storage", _) => storage(),
            _ => None,
        };
        found.ok_or_else(|| {
            let shown: String = format!("{module}.{name}").chars().take(80).collect();
            Error::format(format!("its pickle asks for {shown}, which is not read: only state dicts are"))
                .expected("tensors in dictionaries, lists and tuples, with strings and numbers")
                .received(shown)
        })
    }
}

fn wrong(what: &str) -> Error {
    Error::format(format!("its pickle is damaged: {what}")).expected("a pickled state dict")
}

/// A storage from its persistent id: ('storage', type, key, location, size).
pub fn storage(machine: &Machine, id: Id) -> Result<Storage> {
    let &[tag, kind, key, _location, size] = machine.items(id)? else {
        return Err(wrong("a storage is not described by five values"));
    };
    if machine.str(tag)? != "storage" {
        return Err(wrong("it refers to something that is no storage"));
    }
    let Value::Global(Global::Storage(element)) = *machine.get(kind) else {
        return Err(wrong("a storage has no element type"));
    };
    Ok(Storage { element, key: machine.str(key)?.to_owned(), size: machine.count(size)? })
}

/// What calling `function` with a tuple of arguments gives.
pub fn call(machine: &Machine, function: Id, arguments: Id) -> Result<Value> {
    let Value::Global(global) = *machine.get(function) else {
        return Err(wrong(&format!("it calls {}", machine.get(function).kind())));
    };
    let arguments = machine.items(arguments)?;
    match (global, arguments) {
        (Global::OrderedDict, []) => Ok(Value::Dict(Vec::new())),
        (Global::Size, &[items]) => Ok(Value::Tuple(machine.items(items)?.to_vec())),
        (Global::Device, _) => Ok(Value::None),
        (Global::RebuildTensor, &[storage, offset, shape, strides, ..]) => {
            tensor(machine, storage, offset, shape, strides)
        }
        (Global::RebuildParameter, &[data, ..]) => match machine.get(data) {
            Value::Tensor(tensor) => Ok(Value::Tensor(tensor.clone())),
            other => Err(wrong(&format!("a parameter holds {}", other.kind()))),
        },
        (global, arguments) => Err(wrong(&format!("it calls {global:?} with {} arguments", arguments.len()))),
    }
}

fn tensor(machine: &Machine, storage: Id, offset: Id, shape: Id, strides: Id) -> Result<Value> {
    let Value::Storage(storage) = machine.get(storage) else {
        return Err(wrong(&format!("a tensor views {}", machine.get(storage).kind())));
    };
    // A rank past the largest is refused here, before the sizes are copied.
    let counts = |id| {
        let items = machine.items(id)?;
        if items.len() > 64 {
            return Err(wrong("a tensor has more than 64 dimensions"));
        }
        items.iter().map(|&item| machine.count(item)).collect::<Result<Vec<_>>>()
    };
    let view = TensorView {
        storage: storage.clone(),
        offset: machine.count(offset)?,
        shape: counts(shape)?,
        strides: counts(strides)?,
    };
    view.check()?;
    Ok(Value::Tensor(view))
}

impl TensorView {
    /// Refuses a view that reaches past its storage.
    fn check(&self) -> Result<()> {
        if self.shape.len() != self.strides.len() {
            return Err(wrong("a tensor has another number of sizes than of strides"));
        }
        if self.shape.contains(&0) {
            return Ok(());
        }
        let last = self
            .shape
            .iter()
            .zip(&self.strides)
            .try_fold(self.offset, |sum, (&size, &stride)| sum.checked_add((size - 1).checked_mul(stride)?));
        if last.is_some_and(|last| last < self.storage.size) {
            return Ok(());
        }
        Err(wrong(&format!("a tensor of shape {:?} reaches past its storage of {}", self.shape, self.storage.size)))
    }

    /// Elements in row-major order, each `size` bytes, from those of the storage.
    pub fn gather(&self, storage: &[u8], size: usize) -> Vec<u8> {
        let count: usize = self.shape.iter().product();
        let start = self.offset * size;
        if self.is_contiguous() {
            return storage[start..start + count * size].to_vec();
        }
        let mut out = Vec::with_capacity(count * size);
        let mut index = vec![0; self.shape.len()];
        let mut at = start;
        for _ in 0..count {
            out.extend_from_slice(&storage[at..at + size]);
            for dim in (0..index.len()).rev() {
                index[dim] += 1;
                at += self.strides[dim] * size;
                if index[dim] < self.shape[dim] {
                    break;
                }
                at -= self.strides[dim] * size * self.shape[dim];
                index[dim] = 0;
            }
        }
        out
    }

    fn is_contiguous(&self) -> bool {
        let mut expected = 1;
        self.shape.iter().zip(&self.strides).rev().all(|(&size, &stride)| {
            let fits = size == 1 || stride == expected;
            expected *= size;
            fits
        })
    }
}
