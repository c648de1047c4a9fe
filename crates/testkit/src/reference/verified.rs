//! A runtime whose every plan is checked.

use super::verify;
use fovea_core::device::{BufferRef, Device, Executable, Runtime};
use fovea_core::plan::Plan;
use fovea_core::{DType, Layout, Result};
use std::sync::Arc;

/// Another runtime that panics at a plan which breaks its contract. An error would do too little: where every way of
/// evaluating refuses the same plan, nothing differs.
pub struct Verified(pub Arc<dyn Runtime>);

impl Runtime for Verified {
    fn device(&self) -> Device {
        self.0.device()
    }

    fn max_slots(&self) -> Option<usize> {
        self.0.max_slots()
    }

    fn channels_last(&self) -> bool {
        self.0.channels_last()
    }

    fn runs_bands(&self) -> bool {
        self.0.runs_bands()
    }

    fn compile(&self, plan: &Arc<Plan>) -> Result<Arc<dyn Executable>> {
        if let Err(error) = verify(plan) {
            panic!("{error}");
        }
        self.0.compile(plan)
    }

    fn upload(&self, bytes: &[u8], dtype: DType) -> Result<BufferRef> {
        self.0.upload(bytes, dtype)
    }

    fn read(&self, buffer: &BufferRef, dtype: DType, layout: &Layout, target: &mut [u8]) -> Result<()> {
        self.0.read(buffer, dtype, layout, target)
    }
}
