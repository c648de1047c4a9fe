//! The thread pool: one a process, caller takes part, idle threads sleep.
//!
//! To wake a sleeping thread takes as long as many a step of a plan. So helpers look for the next loop for a moment
//! before they sleep: between the steps of a plan, and between plans that follow each other closely.

use fovea_core::device::Threads;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::time::{Duration, Instant};

/// How long a thread looks for work, or for the end of a loop, before it sleeps.
const PATIENCE: Duration = Duration::from_micros(100);
/// Looks between two looks at the clock.
const LOOKS: usize = 64;

/// One parallel loop in progress.
struct Job {
    /// The loop body; only called while `run` waits, which keeps it alive.
    body: *const (dyn Fn(usize) + Sync),
    tasks: usize,
    next: AtomicUsize,
    /// Threads still inside the loop, the caller not counted.
    active: AtomicUsize,
    panicked: AtomicBool,
}

// SAFETY: `body` is `Sync` and outlives the job's use (see `Pool::run`).
unsafe impl Send for Job {}
// SAFETY: as above.
unsafe impl Sync for Job {}

impl Job {
    fn work(&self) {
        loop {
            let task = self.next.fetch_add(1, Ordering::Relaxed);
            if task >= self.tasks {
                return;
            }
            // SAFETY: `run` doesn't return before every thread has left this function.
            let body = unsafe { &*self.body };
            if catch_unwind(AssertUnwindSafe(|| body(task))).is_err() {
                self.panicked.store(true, Ordering::Relaxed);
            }
        }
    }
}

#[derive(Default)]
struct State {
    job: Option<Arc<Job>>,
    /// Helpers that may still join the job.
    seats: usize,
    spawned: usize,
    /// Helpers that must be woken.
    asleep: usize,
    /// The caller sleeps until the last helper has left its loop.
    caller_asleep: bool,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    wake: Condvar,
    done: Condvar,
    /// Loops begun, for helpers that look without the lock.
    begun: AtomicUsize,
}

/// Waits a moment for `ready`; false where it is better to sleep.
pub fn look_for(ready: impl Fn() -> bool) -> bool {
    let mut until = None;
    loop {
        for _ in 0..LOOKS {
            if ready() {
                return true;
            }
            std::hint::spin_loop();
        }
        let now = Instant::now();
        if now >= *until.get_or_insert(now + PATIENCE) {
            return false;
        }
    }
}

/// The process's thread pool.
pub struct Pool {
    shared: Arc<Shared>,
    /// Threads a loop may use, the caller included.
    threads: AtomicUsize,
    /// Held while a loop runs: a second one, from another thread or nested, runs on its caller alone.
    busy: Mutex<()>,
}

thread_local! {
    static INSIDE: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// The pool; made on first use with one thread for each core (`FOVEA_THREADS` sets another number).
pub fn pool() -> &'static Pool {
    static POOL: OnceLock<Pool> = OnceLock::new();
    POOL.get_or_init(|| {
        let cores = std::thread::available_parallelism().map_or(1, |n| n.get());
        let threads = std::env::var("FOVEA_THREADS").ok().and_then(|v| v.parse().ok()).unwrap_or(cores).max(1);
        Pool { shared: Arc::default(), threads: AtomicUsize::new(threads), busy: Mutex::new(()) }
    })
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Pool {
    /// Sets how many threads a loop may use; at least one.
    pub fn set_threads(&self, threads: usize) {
        self.threads.store(threads.max(1), Ordering::Relaxed);
    }

    fn helper(shared: &Shared) {
        INSIDE.set(true);
        loop {
            let begun = shared.begun.load(Ordering::Acquire);
            let job = {
                let mut state = lock(&shared.state);
                if state.seats == 0 {
                    drop(state);
                    let another = look_for(|| shared.begun.load(Ordering::Acquire) != begun);
                    state = lock(&shared.state);
                    if !another && state.seats == 0 {
                        state.asleep += 1;
                        state = shared.wake.wait(state).unwrap_or_else(std::sync::PoisonError::into_inner);
                        state.asleep -= 1;
                    }
                }
                match &state.job {
                    Some(job) if state.seats > 0 => {
                        let job = job.clone();
                        state.seats -= 1;
                        job.active.fetch_add(1, Ordering::Relaxed);
                        job
                    }
                    _ => continue,
                }
            };
            job.work();
            if job.active.fetch_sub(1, Ordering::Release) == 1 && lock(&shared.state).caller_asleep {
                shared.done.notify_all();
            }
        }
    }
}

impl Threads for Pool {
    fn count(&self) -> usize {
        self.threads.load(Ordering::Relaxed)
    }

    /// Runs `body(0..tasks)`. Panics of the body are raised again here, once every thread has stopped.
    fn run(&self, tasks: usize, body: &(dyn Fn(usize) + Sync)) {
        let helpers = self.count().min(tasks).saturating_sub(1);
        let guard = if helpers == 0 || INSIDE.get() { None } else { self.busy.try_lock().ok() };
        let Some(_guard) = guard else {
            (0..tasks).for_each(body);
            return;
        };
        // SAFETY: only the lifetime changes; this function waits for every thread before it returns.
        let body: *const (dyn Fn(usize) + Sync) =
            unsafe { std::mem::transmute::<&(dyn Fn(usize) + Sync), *const (dyn Fn(usize) + Sync)>(body) };
        let job = Arc::new(Job {
            body,
            tasks,
            next: AtomicUsize::new(0),
            active: AtomicUsize::new(0),
            panicked: AtomicBool::new(false),
        });
        {
            let mut state = lock(&self.shared.state);
            while state.spawned < helpers {
                let shared = self.shared.clone();
                if std::thread::Builder::new().name("fovea-worker".into()).spawn(move || Pool::helper(&shared)).is_err()
                {
                    break;
                }
                state.spawned += 1;
            }
            state.job = Some(job.clone());
            state.seats = helpers;
            self.shared.begun.fetch_add(1, Ordering::Release);
            (0..helpers.min(state.asleep)).for_each(|_| self.shared.wake.notify_one());
        }
        INSIDE.set(true);
        job.work();
        INSIDE.set(false);
        let mut state = lock(&self.shared.state);
        state.job = None;
        state.seats = 0;
        drop(state);
        let left = || job.active.load(Ordering::Acquire) == 0;
        if !look_for(left) {
            state = lock(&self.shared.state);
            state.caller_asleep = true;
            while !left() {
                state = self.shared.done.wait(state).unwrap_or_else(std::sync::PoisonError::into_inner);
            }
            state.caller_asleep = false;
        }
        if job.panicked.load(Ordering::Relaxed) {
            resume_unwind(Box::new("a task of a parallel loop panicked"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_every_task_once_also_nested_and_after_a_panic() {
        let hits: Vec<AtomicUsize> = (0..1000).map(|_| AtomicUsize::new(0)).collect();
        pool().run(10, &|i| {
            pool().run(100, &|j| {
                hits[i * 100 + j].fetch_add(1, Ordering::Relaxed);
            });
        });
        assert!(hits.iter().all(|h| h.load(Ordering::Relaxed) == 1));
        assert!(catch_unwind(|| pool().run(4, &|i| assert!(i != 2))).is_err());
        let count = AtomicUsize::new(0);
        pool().run(7, &|_| {
            count.fetch_add(1, Ordering::Relaxed);
        });
        assert_eq!(count.load(Ordering::Relaxed), 7);
    }
}
