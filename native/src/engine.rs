//! The engine: one a process. A thread runs jobs in order; a caller that must wait, or whose jobs are done sooner than
//! handed over, runs them itself when the engine is idle.

use fovea_core::graph::Job;
use fovea_core::{Error, Result};
use fovea_cpu::pool::look_for;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// Called on the engine's thread once a task's jobs have run.
pub type Completion = Box<dyn FnOnce(Result<()>) + Send>;

struct Task {
    jobs: Vec<Job>,
    done: Completion,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Task>,
    /// Somebody is running jobs.
    busy: bool,
    spawned: bool,
}

/// Whoever submitted a task that took no longer than this may well wait for it and submit the next at once; the engine
/// looks out for that for a moment before it sleeps, since being woken takes as long as such a task.
const SHORT: Duration = Duration::from_micros(500);

pub struct Engine {
    state: Mutex<State>,
    /// Tasks submitted, for looking without the lock.
    submitted: AtomicUsize,
    /// Signalled when work arrives, work ends or a waiter should look again.
    changed: Condvar,
}

/// The process's engine.
pub fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| Engine {
        state: Mutex::new(State::default()),
        submitted: AtomicUsize::new(0),
        changed: Condvar::new(),
    })
}

/// Runs jobs in order; the first error is the result, later jobs still run (they may not depend on it).
fn run(jobs: Vec<Job>) -> Result<()> {
    let mut result = Ok(());
    for job in jobs {
        let outcome = catch_unwind(AssertUnwindSafe(|| job.run()))
            .unwrap_or_else(|_| Err(Error::internal("an evaluation panicked; this is a bug in Fovea")));
        if result.is_ok() {
            result = outcome;
        }
    }
    result
}

impl Engine {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues jobs for the engine's thread.
    pub fn submit(&'static self, jobs: Vec<Job>, done: Completion) {
        let mut state = self.lock();
        if !state.spawned {
            let spawned = std::thread::Builder::new().name("fovea-engine".into()).spawn(move || self.serve());
            if spawned.is_err() {
                // No thread to be had: the caller does the work.
                drop(state);
                return done(run(jobs));
            }
            state.spawned = true;
        }
        state.queue.push_back(Task { jobs, done });
        self.submitted.fetch_add(1, Ordering::Release);
        drop(state);
        self.changed.notify_all();
    }

    /// Runs quick jobs on this thread where the engine is idle; gives others back.
    pub fn run_quick(&self, jobs: Vec<Job>) -> Result<Result<()>, Vec<Job>> {
        if jobs.iter().all(Job::is_quick) && self.claim() { Ok(self.run_claimed(jobs)) } else { Err(jobs) }
    }

    /// Makes the engine busy where it is idle.
    fn claim(&self) -> bool {
        let mut state = self.lock();
        let idle = state.queue.is_empty() && !state.busy;
        state.busy |= idle;
        idle
    }

    fn run_claimed(&self, jobs: Vec<Job>) -> Result<()> {
        let result = run(jobs);
        self.lock().busy = false;
        self.changed.notify_all();
        result
    }

    /// Runs jobs on this thread when the engine is idle, else behind what is queued; returns when they have run.
    pub fn run_now(&'static self, jobs: Vec<Job>) -> Result<()> {
        if self.claim() {
            return self.run_claimed(jobs);
        }
        let slot = Arc::new(OnceLock::new());
        let filled = slot.clone();
        let done = move |result| {
            let _ = filled.set(result);
        };
        self.submit(jobs, Box::new(done));
        self.wait_until(|| slot.get().is_some());
        slot.get().cloned().unwrap_or(Ok(()))
    }

    /// Waits until nothing is queued or running.
    pub fn drain(&self) {
        let mut state = self.lock();
        while state.busy || !state.queue.is_empty() {
            state = self.wait(state);
        }
    }

    /// Waits until `ready` holds; it is asked again whenever a task ends.
    pub fn wait_until(&self, ready: impl Fn() -> bool) {
        let mut state = self.lock();
        while !ready() {
            state = self.wait(state);
        }
    }

    fn serve(&self) {
        loop {
            let mut state = self.lock();
            let task = loop {
                if !state.busy
                    && let Some(task) = state.queue.pop_front()
                {
                    state.busy = true;
                    break task;
                }
                state = self.wait(state);
            };
            drop(state);
            let seen = self.submitted.load(Ordering::Acquire);
            let start = Instant::now();
            let result = run(task.jobs);
            let short = start.elapsed() < SHORT;
            (task.done)(result);
            self.lock().busy = false;
            self.changed.notify_all();
            if short {
                look_for(|| self.submitted.load(Ordering::Acquire) != seen);
            }
        }
    }
}
