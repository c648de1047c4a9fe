//! What PyTorch computes from every op's samples: `test/reference/ops.safetensors`, written by `ops.py` beside it.

use crate::samples::{Case, Outcome, Typed};
use crate::values::{from_bytes, relative_error};
use fovea_core::op::OpDef;
use fovea_core::{DType, Error, Result, Shape};
use safetensors::{Dtype, SafeTensors};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// An array of the fixture, its numbers as f64.
#[derive(Clone, Debug)]
struct Array {
    shape: Vec<usize>,
    values: Vec<f64>,
}

/// The whole fixture.
pub struct Fixtures {
    /// PyTorch's version.
    pub torch: String,
    /// Samples that PyTorch has no twin of, `op/index`, with the reason.
    pub left_out: BTreeMap<String, String>,
    hashes: BTreeMap<String, String>,
    arrays: BTreeMap<String, Array>,
}

/// How far a sample is from the fixture.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Compared {
    /// The largest relative errors of values, gradients and second-order gradients.
    pub errors: [f64; 3],
    /// How many of each were compared.
    pub counts: [usize; 3],
}

/// What a list in [`Compared`] holds, in order.
const KINDS: [&str; 3] = ["value", "gradient", "second"];

impl Fixtures {
    pub fn load() -> Result<Fixtures> {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../test/reference/ops.safetensors");
        let bytes = std::fs::read(path).map_err(|e| wrong(&e))?;
        Fixtures::parse(&bytes)
    }

    fn parse(bytes: &[u8]) -> Result<Fixtures> {
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| wrong(&e))?;
        let file = SafeTensors::deserialize(bytes).map_err(|e| wrong(&e))?;
        let notes = header.metadata().clone().unwrap_or_default();
        let note = |name: &str| notes.get(name).cloned().unwrap_or_default();
        let map = |name: &str| serde_json::from_str(&note(name)).map_err(|e| wrong(&e));
        let mut arrays = BTreeMap::new();
        for (name, view) in file.iter() {
            let dtype = match view.dtype() {
                Dtype::F64 => DType::F64,
                Dtype::I32 => DType::I32,
                Dtype::I64 => DType::I64,
                Dtype::U8 => DType::U8,
                Dtype::BOOL => DType::Bool,
                other => return Err(wrong(&format!("{name} is {other:?}"))),
            };
            let array = Array { shape: view.shape().to_vec(), values: from_bytes(dtype, view.data()) };
            arrays.insert(name.to_owned(), array);
        }
        Ok(Fixtures { torch: note("torch"), left_out: map("leftOut")?, hashes: map("samples")?, arrays })
    }

    /// Number of ops that PyTorch has a twin of.
    pub fn ops(&self) -> usize {
        self.hashes.len()
    }

    pub fn has(&self, op: &str) -> bool {
        self.hashes.contains_key(op)
    }

    /// The first op of the fixture whose samples are no longer those that it was made from.
    pub fn stale(&self, ops: &[OpDef]) -> Option<String> {
        let current =
            |name: &str| ops.iter().find(|def| def.name == name).map(|def| format!("{:016x}", samples_hash(def)));
        self.hashes.iter().find(|(name, hash)| current(name).as_ref() != Some(hash)).map(|(name, _)| name.clone())
    }

    /// Whether the fixture holds this case.
    pub fn covers(&self, case: &Case) -> bool {
        self.has(case.op) && !self.left_out.contains_key(&format!("{}/{}", case.op, case.index))
    }

    /// Compares what a case came to with the fixture, as far as `outcome` was computed (`order` derivatives).
    /// The first excess of the tolerance is an error in words.
    pub fn compare(&self, case: &Case, outcome: &Outcome, order: usize) -> std::result::Result<Compared, String> {
        let mut compared = Compared::default();
        let values: Vec<Option<&Typed>> = outcome.values.iter().map(Some).collect();
        let lists = [values, refs(&outcome.gradients), refs(&outcome.second)];
        for (kind, list) in lists.iter().enumerate().take(order + 1) {
            for i in 0..list.len().max(case.sample.inputs.len()) {
                let what = format!("{} {i}", KINDS[kind]);
                let want = self.arrays.get(&format!("{}/{}/{}{i}", case.op, case.index, KINDS[kind]));
                let Some(error) = error(list.get(i).copied().flatten(), want).map_err(|e| format!("{what} {e}"))?
                else {
                    continue;
                };
                compared.counts[kind] += 1;
                compared.errors[kind] = compared.errors[kind].max(error);
                let dtype = list.get(i).copied().flatten().map_or(case.float, |got| got.0.dtype);
                let allowed = case.tolerance(dtype);
                if error > allowed {
                    return Err(format!("{what} is off by {error:.1e}, allowed {allowed:.1e}"));
                }
            }
        }
        Ok(compared)
    }
}

fn wrong(error: &dyn std::fmt::Display) -> Error {
    Error::internal(format!("test/reference/ops.safetensors: {error}"))
}

fn refs(list: &[Option<Typed>]) -> Vec<Option<&Typed>> {
    list.iter().map(Option::as_ref).collect()
}

/// The relative error of one value; `None` where neither side has it. A gradient that one side doesn't have is zero.
fn error(got: Option<&Typed>, want: Option<&Array>) -> std::result::Result<Option<f64>, String> {
    let numbers = |typed: &Typed| from_bytes(typed.0.dtype, &typed.1);
    let (got, want, dtype) = match (got, want) {
        (None, None) => return Ok(None),
        (Some(got), None) => (numbers(got), vec![0.0; got.0.shape.size()], got.0.dtype),
        (None, Some(want)) => (vec![0.0; want.values.len()], want.values.clone(), DType::F64),
        (Some(got), Some(want)) => {
            if want.shape[..] != got.0.shape[..] {
                let shape = Shape::from(&want.shape[..]);
                return Err(format!("has shape {}, PyTorch's {shape}", got.0.shape));
            }
            (numbers(got), want.values.clone(), got.0.dtype)
        }
    };
    // What f32 can't hold is infinite.
    let round = |v: f64| if dtype == DType::F32 && (v as f32).is_infinite() { f64::from(v as f32) } else { v };
    let want: Vec<f64> = want.into_iter().map(round).collect();
    Ok(Some(relative_error(&got, &want)))
}

/// FNV-1a over all that an op's values depend on, as `hash_samples` of `ops.py`.
pub fn samples_hash(def: &OpDef) -> u64 {
    let mut hash = Hash(0xcbf2_9ce4_8422_2325);
    hash.bytes(def.name.as_bytes());
    for (index, sample) in (def.samples)().iter().enumerate() {
        hash.bytes(sample.name.as_bytes());
        hash.bytes(&[u8::from(sample.differentiable)]);
        hash.number(sample.tolerance.unwrap_or(f64::NAN));
        sample.attributes.iter().for_each(|&v| hash.number(v));
        for (i, input) in sample.inputs.iter().enumerate() {
            hash.bytes(input.dtype.map_or("float", DType::name).as_bytes());
            input.shape.iter().for_each(|&d| hash.bytes(&(d as u64).to_le_bytes()));
            input.generate(def.name, index, i).into_iter().for_each(|v| hash.number(v));
        }
    }
    hash.0
}

struct Hash(u64);

impl Hash {
    fn bytes(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
    }

    fn number(&mut self, v: f64) {
        // Python's NaN.
        let bits = if v.is_nan() { 0x7ff8_0000_0000_0000 } else { v.to_bits() };
        self.bytes(&bits.to_le_bytes());
    }
}
