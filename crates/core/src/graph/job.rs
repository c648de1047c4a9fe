//! Jobs: plans bound to their inputs, ready to run on any thread.

use super::cell::{Cell, Value};
use crate::device::{BufferRef, Datum, Device, Executable, RunFailure, Runtime};
use crate::dtype::DType;
use crate::error::{Error, Result};
use crate::plan::{CachedPlan, Plan};
use crate::profile::Profile;
use crate::shape::Layout;
use std::sync::Arc;
use std::time::Instant;

/// Work that fills cells. Jobs of one graph run in the order in which they were made.
pub enum Job {
    Run(Run),
    Transfer(Transfer),
    /// Stands where work should that could not be planned, so that whoever waits for it is told. Its values have the
    /// error already.
    Refused(Error),
}

/// One run of a plan.
pub struct Run {
    pub(crate) plan: Arc<CachedPlan>,
    pub(crate) runtime: Arc<dyn Runtime>,
    pub(crate) externals: Vec<Arc<Cell>>,
    pub(crate) data: Vec<Datum>,
    pub(crate) outputs: Vec<Arc<Cell>>,
    pub(crate) versions: Vec<NewVersion>,
    /// Where to book its steps, and the module of each.
    pub(crate) profile: Option<(Arc<Profile>, Vec<Arc<str>>)>,
}

/// An output that is the new version of a variable.
pub(crate) struct NewVersion {
    pub output: usize,
    pub new: Value,
    pub dtype: DType,
    /// Of the variable.
    pub name: String,
    pub old: Old,
}

/// Where the version before the one that a job writes can be found, should the job fail.
pub(crate) enum Old {
    External(usize, Layout),
    Cell(Value),
    Gone,
}

/// A copy from one device to another.
pub struct Transfer {
    pub(crate) from: Arc<dyn Runtime>,
    pub(crate) to: Arc<dyn Runtime>,
    pub(crate) source: Arc<Cell>,
    pub(crate) layout: Layout,
    pub(crate) dtype: DType,
    pub(crate) target: Arc<Cell>,
}

impl Job {
    /// Whether the thread at hand had better run it itself.
    pub fn is_quick(&self) -> bool {
        match self {
            Job::Run(run) => run.plan.quick && run.runtime.device() == Device::Cpu,
            Job::Transfer(_) => false,
            Job::Refused(_) => true,
        }
    }

    /// Runs the job and fills its cells; on failure they hold the error, and variables that had not begun to be
    /// written keep their old version.
    pub fn run(self) -> Result<()> {
        match self {
            Job::Run(run) => run.run(),
            Job::Refused(error) => Err(error),
            Job::Transfer(transfer) => match transfer.copy() {
                Ok(buffer) => {
                    transfer.target.fill(buffer);
                    Ok(())
                }
                Err(error) => {
                    transfer.target.fail(error.clone());
                    Err(error)
                }
            },
        }
    }
}

impl Transfer {
    fn copy(&self) -> Result<BufferRef> {
        let mut bytes = vec![0u8; self.layout.shape.size() * self.dtype.size()];
        self.from.read(&self.source.buffer()?, self.dtype, &self.layout, &mut bytes)?;
        self.to.upload(&bytes, self.dtype)
    }
}

impl Run {
    fn run(self) -> Result<()> {
        let Run { plan, runtime, externals, data, outputs, versions, profile } = self;
        let mut error = None;
        let executable = plan.executable(&*runtime).map_err(|e| error = Some(e)).ok();
        let mut buffers = Vec::with_capacity(externals.len());
        for cell in externals {
            let buffer = cell.into_buffer().map_err(|e| error.get_or_insert(e).clone());
            buffers.push(buffer.ok());
        }
        let failure = match (error, executable) {
            (None, Some(executable)) => match run_booked(&*executable, &plan.plan, buffers, &data, profile) {
                Ok(results) => {
                    for version in versions {
                        version.new.cell.fill(results[version.output].clone());
                    }
                    for (cell, buffer) in outputs.iter().zip(results) {
                        cell.fill(buffer);
                    }
                    return Ok(());
                }
                Err(failure) => (failure.error, failure.survivors),
            },
            (error, _) => (error.unwrap_or_else(|| Error::internal("a plan could not be compiled")), buffers),
        };
        let (error, survivors) = failure;
        for cell in &outputs {
            cell.fail(error.clone());
        }
        for version in versions {
            match version.restored(&*runtime, &survivors) {
                Some(buffer) => version.new.cell.fill(buffer),
                None => version.new.cell.fail(lost(&version.name, &error)),
            }
        }
        Err(error)
    }
}

/// Runs a plan; books its steps where a profile is taken.
fn run_booked(
    executable: &dyn Executable,
    plan: &Plan,
    buffers: Vec<Option<BufferRef>>,
    data: &[Datum],
    profile: Option<(Arc<Profile>, Vec<Arc<str>>)>,
) -> Result<Vec<BufferRef>, RunFailure> {
    let buffers = buffers.into_iter().flatten().collect();
    let Some((profile, modules)) = profile else { return executable.run(buffers, data) };
    let told = std::cell::Cell::new(false);
    let begin = Instant::now();
    let result = executable.run_timed(buffers, data, &|step, start, end| {
        told.set(true);
        profile.add(plan, Some(step), &modules, start, end);
    });
    if !told.get() && !plan.steps.is_empty() {
        profile.add(plan, None, &modules, begin, Instant::now());
    }
    result
}

impl NewVersion {
    /// The old version's buffer, laid out as the new one would have been.
    fn restored(&self, runtime: &dyn Runtime, survivors: &[Option<BufferRef>]) -> Option<BufferRef> {
        let (buffer, from) = match &self.old {
            Old::External(index, layout) => (survivors.get(*index).cloned().flatten()?, layout),
            Old::Cell(value) => (value.cell.buffer().ok()?, &value.layout),
            Old::Gone => return None,
        };
        let to = &self.new.layout;
        if from == to {
            return Some(buffer);
        }
        let size = self.dtype.size();
        let mut elements = vec![0u8; to.shape.size() * size];
        runtime.read(&buffer, self.dtype, from, &mut elements).ok()?;
        let mut bytes = vec![0u8; to.end() * size];
        for (i, element) in elements.chunks_exact(size).enumerate() {
            let (mut rest, mut at) = (i, to.offset as isize);
            for d in (0..to.shape.rank()).rev() {
                at += (rest % to.shape[d]) as isize * to.strides[d];
                rest /= to.shape[d];
            }
            let at = at as usize * size;
            bytes[at..at + size].copy_from_slice(element);
        }
        runtime.upload(&bytes, self.dtype).ok()
    }
}

/// What is said of a variable whose old value is gone and whose new one never came.
pub(crate) fn lost(name: &str, error: &Error) -> Error {
    let text =
        format!("the value of {name} was lost when an evaluation failed while writing it ({error}); load it again");
    Error::new(error.kind(), text).at(name)
}
