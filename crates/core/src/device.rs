//! What core asks of a device: buffers, threads, compiled plans. The runtimes implement these.

use crate::dtype::DType;
use crate::error::{Error, Result};
use crate::plan::Plan;
use crate::shape::Layout;
use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

/// Where a tensor lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Device {
    Cpu,
    Gpu(u16),
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Device::Cpu => f.write_str("cpu"),
            Device::Gpu(0) => f.write_str("gpu"),
            Device::Gpu(n) => write!(f, "gpu:{n}"),
        }
    }
}

/// Bytes on a device. Written only while one owner holds it.
pub trait DeviceBuffer: Send + Sync + Any {
    fn bytes(&self) -> usize;
    fn as_any(&self) -> &dyn Any;
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
}

/// A shared buffer; the sole owner may hand it on to be written again.
pub type BufferRef = Arc<dyn DeviceBuffer>;

/// A number that a plan reads as data, so that changing it keeps the plan.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Datum {
    Float(f64),
    Int(i64),
    /// State of a Philox 4×32-10 counter.
    Key {
        seed: u64,
        offset: u64,
    },
}

impl Datum {
    pub fn as_f64(self) -> f64 {
        match self {
            Datum::Float(v) => v,
            Datum::Int(v) => v as f64,
            Datum::Key { .. } => f64::NAN,
        }
    }
}

/// A failed run: what went wrong, and the externals handed back. `None` stands for one whose buffer the run had begun
/// to overwrite.
pub struct RunFailure {
    pub error: Error,
    pub survivors: Vec<Option<BufferRef>>,
}

/// A plan made ready for one device.
pub trait Executable: Send + Sync {
    /// Runs the plan. An external that comes as the sole owner of its buffer (`Arc::strong_count` 1) and that the
    /// plan lists as a donation may be overwritten. Returns one buffer for each output.
    fn run(&self, externals: Vec<BufferRef>, data: &[Datum]) -> Result<Vec<BufferRef>, RunFailure>;

    /// The same, telling when each step began and ended; a device whose steps can't be told apart says nothing.
    fn run_timed(
        &self,
        externals: Vec<BufferRef>,
        data: &[Datum],
        _told: &dyn Fn(usize, Instant, Instant),
    ) -> Result<Vec<BufferRef>, RunFailure> {
        self.run(externals, data)
    }
}

/// A device that runs plans.
pub trait Runtime: Send + Sync {
    fn device(&self) -> Device;
    /// The most slots that one loop may touch, where there is such a limit.
    fn max_slots(&self) -> Option<usize> {
        None
    }
    /// Whether convolutions run best on images whose channels are neighbours.
    fn channels_last(&self) -> bool {
        false
    }
    /// Whether loops run part by part where a plan says that they may ([`crate::plan::Band`]).
    fn runs_bands(&self) -> bool {
        false
    }
    fn compile(&self, plan: &Arc<Plan>) -> Result<Arc<dyn Executable>>;
    /// A buffer holding these bytes.
    fn upload(&self, bytes: &[u8], dtype: DType) -> Result<BufferRef>;
    /// Copies `layout`'s elements, in row-major order, into `target`.
    fn read(&self, buffer: &BufferRef, dtype: DType, layout: &Layout, target: &mut [u8]) -> Result<()>;
}

/// A parallel loop over `0..tasks`. Which thread runs a task never changes a result.
pub trait Threads: Sync {
    fn count(&self) -> usize;
    fn run(&self, tasks: usize, body: &(dyn Fn(usize) + Sync));
}

/// The calling thread by itself.
pub struct Alone;

impl Threads for Alone {
    fn count(&self) -> usize {
        1
    }

    fn run(&self, tasks: usize, body: &(dyn Fn(usize) + Sync)) {
        (0..tasks).for_each(body);
    }
}

/// A strided input of a hand-written CPU kernel.
#[derive(Clone, Copy)]
pub struct CpuInput<'a> {
    pub dtype: DType,
    /// `offset` counts from the start of `bytes`.
    pub layout: Layout,
    pub bytes: &'a [u8],
}

/// An output of a hand-written CPU kernel; uninitialised before.
pub struct CpuOutput<'a> {
    pub dtype: DType,
    /// Row-major, or channels-last for ops that keep it.
    pub layout: Layout,
    pub bytes: &'a mut [u8],
}

/// What a hand-written CPU kernel gets. An output that nobody wants is `None`.
pub struct CpuArgs<'a> {
    pub inputs: &'a [CpuInput<'a>],
    pub outputs: &'a mut [Option<CpuOutput<'a>>],
    pub threads: &'a dyn Threads,
}

/// Element types that kernels read and write.
///
/// # Safety
/// `DTYPE` must describe the type's size, and every bit pattern that a buffer of that dtype may hold must be valid.
pub unsafe trait Element: Copy + Send + Sync + 'static + Default + PartialOrd {
    const DTYPE: DType;
}
macro_rules! elements { ($($t:ty => $d:ident),*) => { $(
    // SAFETY: plain numbers; bool buffers are read as u8.
    unsafe impl Element for $t { const DTYPE: DType = DType::$d; }
)* } }
elements!(f32 => F32, f64 => F64, i32 => I32, i64 => I64, u8 => U8);

impl<'a> CpuInput<'a> {
    /// All elements of the buffer; index them through `layout`.
    pub fn elements<T: Element>(&self) -> &'a [T] {
        debug_assert!(T::DTYPE == self.dtype || (T::DTYPE == DType::U8 && self.dtype == DType::Bool));
        let size = size_of::<T>();
        assert_eq!(self.bytes.as_ptr() as usize % align_of::<T>(), 0);
        // SAFETY: aligned (asserted), in bounds, and `Element` promises that any bits are valid.
        unsafe { std::slice::from_raw_parts(self.bytes.as_ptr().cast(), self.bytes.len() / size) }
    }

    /// The elements in row-major order, where the layout has no gaps.
    pub fn contiguous<T: Element>(&self) -> Option<&'a [T]> {
        self.layout
            .is_contiguous()
            .then(|| &self.elements::<T>()[self.layout.offset..self.layout.offset + self.layout.shape.size()])
    }
}

impl CpuOutput<'_> {
    pub fn elements<T: Element>(&mut self) -> &mut [T] {
        debug_assert!(T::DTYPE == self.dtype || (T::DTYPE == DType::U8 && self.dtype == DType::Bool));
        assert_eq!(self.bytes.as_ptr() as usize % align_of::<T>(), 0);
        // SAFETY: as for inputs; the borrow is unique.
        unsafe { std::slice::from_raw_parts_mut(self.bytes.as_mut_ptr().cast(), self.bytes.len() / size_of::<T>()) }
    }
}
