//! PyTorch's `.pth` files: a zip archive of a pickled state dict and the elements of its tensors.
//!
//! Nothing that a file says is executed: the pickle is read as data ([`pickle`]), and the few constructors that state
//! dicts call are rebuilt here ([`rebuild`]).

mod pickle;
mod rebuild;
mod write;

pub use write::save;

use crate::archive::{Archive, most};
use crate::array::{Array, ByteOrder, Sink, byte_size, refuse_duplicates};
use crate::file;
use fovea_core::{Error, Result};
use pickle::{Id, Machine, Value};
use rebuild::{Storage, TensorView};
use std::path::Path;

/// How deep dictionaries and lists may lie in each other.
const MAX_DEPTH: usize = 32;

/// The most tensors, and the most values on the way to them.
const MAX_VISITS: usize = 1 << 21;

/// How PyTorch's format before version 1.6 begins: a pickled magic number.
const LEGACY: &[u8] = &[0x80, 2, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9];

/// Hands every tensor of a file to `sink`. Its name is its path through the dictionaries, such as `model.conv1.weight`.
///
/// Errors: `DataError` where it can't be read; `FormatError` where it is no state dict, is damaged, or names anything
/// that a state dict doesn't need.
pub fn load(path: &Path, sink: Sink<'_>) -> Result<()> {
    file::mapped(path, "PyTorch", |raw| decode(raw, sink))
}

/// As [`load`], of a file's content.
pub fn decode(raw: &[u8], sink: Sink<'_>) -> Result<()> {
    let is_tar = raw.get(257..262) == Some(b"ustar");
    if raw.starts_with(LEGACY) || is_tar {
        return Err(Error::format(
            "it is in PyTorch's format from before version 1.6: load and save it once in PyTorch",
        )
        .expected("a zip archive, as torch.save writes since version 1.6")
        .received(if is_tar { "a tar archive" } else { "a bare pickle" }));
    }
    let mut archive = Archive::open(raw)?;
    let names = archive.names()?;
    let root = names.iter().find_map(|name| name.strip_suffix("data.pkl")).map(ToOwned::to_owned).ok_or_else(|| {
        Error::format("its archive holds no pickle").expected("an entry data.pkl, as torch.save writes it")
    })?;
    if names.contains(&format!("{root}constants.pkl")) {
        return Err(Error::format("it is a TorchScript program: save the state dict of the model in PyTorch instead")
            .expected("a state dict"));
    }
    let order = match names.contains(&format!("{root}byteorder")) {
        true if archive.read(&format!("{root}byteorder"))? == b"big" => ByteOrder::Big,
        _ => ByteOrder::Little,
    };
    let (machine, top) = Machine::run(&archive.read(&format!("{root}data.pkl"))?)?;
    let mut walk = Walk { machine: &machine, found: Vec::new(), visits: 0 };
    walk.visit(top, String::new(), 0)?;
    let found = walk.found;
    refuse_duplicates(found.iter().map(|(name, _)| name.as_str()))?;
    let mut storages = Storages { archive, root, order, current: None, left: most(raw.len()) };
    for (name, view) in found {
        sink(storages.tensor(name, view)?)?;
    }
    Ok(())
}

/// A walk through dictionaries and lists that collects tensors under their paths.
struct Walk<'a> {
    machine: &'a Machine,
    found: Vec<(String, &'a TensorView)>,
    visits: usize,
}

impl Walk<'_> {
    fn visit(&mut self, id: Id, path: String, depth: usize) -> Result<()> {
        self.visits += 1;
        if depth > MAX_DEPTH || self.visits > MAX_VISITS || path.len() > 4096 {
            return Err(Error::format("its dictionaries lie too deep in each other, or in themselves")
                .expected(format!("at most {MAX_DEPTH} levels")));
        }
        let join = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
        match self.machine.get(id) {
            Value::Tensor(view) => self.found.push((path, view)),
            Value::Dict(entries) => {
                for &(key, value) in entries {
                    let key = match self.machine.get(key) {
                        Value::Text(text) => join(text),
                        Value::Int(number) => join(&number.to_string()),
                        other => return Err(Error::format(format!("a key of its dictionaries is {}", other.kind()))),
                    };
                    self.visit(value, key, depth + 1)?;
                }
            }
            Value::List(items) | Value::Tuple(items) => {
                for (i, &item) in items.iter().enumerate() {
                    self.visit(item, join(&i.to_string()), depth + 1)?;
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// The elements in an archive; the storage read last is kept for the tensors that share it.
struct Storages<'a> {
    archive: Archive<'a>,
    root: String,
    order: ByteOrder,
    current: Option<(Storage, Vec<u8>)>,
    /// Bytes that tensors may still take: many may view one storage, and strides of 0 repeat elements.
    left: u64,
}

impl Storages<'_> {
    fn tensor(&mut self, name: String, view: &TensorView) -> Result<Array> {
        let of = |e: Error| {
            let mut out = Error::format(format!("tensor {name}: {e}"));
            if let Some(expected) = &e.fields().expected {
                out = out.expected(expected);
            }
            out
        };
        let dtype = view.storage.element.dtype();
        let size = byte_size(&view.shape, dtype.size()).map_err(of)? as u64;
        self.left = self.left.checked_sub(size).ok_or_else(|| {
            of(Error::format("it is larger than a file of this size can hold")
                .expected(format!("at most {} bytes", self.left)))
        })?;
        if self.current.as_ref().is_none_or(|(storage, _)| *storage != view.storage) {
            self.current = None;
            let bytes = self.storage(&view.storage).map_err(of)?;
            self.current = Some((view.storage.clone(), bytes));
        }
        let elements = self.current.as_ref().map_or(&[][..], |(_, bytes)| bytes);
        let bytes = if size == 0 { Vec::new() } else { view.gather(elements, dtype.size()) };
        Ok(Array { name, dtype, stored: view.storage.element, shape: view.shape.clone(), bytes })
    }

    fn storage(&mut self, storage: &Storage) -> Result<Vec<u8>> {
        let raw = self.archive.read(&format!("{}data/{}", self.root, storage.key))?;
        let size = storage.size.checked_mul(storage.element.size());
        if size != Some(raw.len()) {
            return Err(Error::format("its storage has another length than its pickle says")
                .expected(format!("{} elements of {} bytes", storage.size, storage.element.size()))
                .received(format!("{} bytes", raw.len())));
        }
        storage.element.decode(&raw, self.order)
    }
}

#[cfg(test)]
mod tests;
