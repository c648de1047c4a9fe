//! Steps in flight and their failures (S18, S19): a failure is told to whoever waits, else to the next call.

use fovea_core::{Error, Result};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Settles the promise of somebody who waits for a step.
pub type Waiter = Box<dyn FnOnce(Result<()>) + Send>;

/// Failures that have been told and are remembered for those who ask late.
const REMEMBERED: usize = 16;

#[derive(Default)]
struct State {
    /// Failures that nobody has been told of.
    untold: VecDeque<(u64, Error)>,
    told: VecDeque<(u64, Error)>,
    waiters: Vec<(u64, Waiter)>,
}

impl State {
    /// The result for one who waits for step `number`: the first failure up to it that nobody has heard of. Those behind
    /// it count as heard, since most follow from the first.
    fn result(&mut self, number: u64) -> Result<()> {
        let mut first = None;
        while self.untold.front().is_some_and(|(step, _)| *step <= number)
            && let Some((step, error)) = self.untold.pop_front()
        {
            self.tell(step, &error);
            first.get_or_insert(error);
        }
        if let Some(error) = first {
            return Err(error);
        }
        match self.told.iter().find(|(step, _)| *step == number) {
            Some((_, error)) => Err(error.clone()),
            None => Ok(()),
        }
    }

    fn tell(&mut self, step: u64, error: &Error) {
        self.told.push_back((step, error.clone()));
        if self.told.len() > REMEMBERED {
            self.told.pop_front();
        }
    }

    /// The first failure that no waiter will be told.
    fn orphan(&self) -> Option<usize> {
        self.untold.iter().position(|(step, _)| !self.waiters.iter().any(|(number, _)| number >= step))
    }
}

/// The steps of one environment.
#[derive(Default)]
pub struct Steps {
    /// The last step begun and the last one finished; they finish in order.
    begun: AtomicU64,
    finished: AtomicU64,
    /// Whether there is a failure that the next call must throw.
    orphaned: AtomicBool,
    state: Mutex<State>,
}

impl Steps {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of a new step.
    pub fn begin(&self) -> u64 {
        self.begun.fetch_add(1, Ordering::AcqRel) + 1
    }

    pub fn in_flight(&self) -> u64 {
        self.begun.load(Ordering::Acquire) - self.finished.load(Ordering::Acquire)
    }

    /// Step `number` has run.
    pub fn finish(&self, number: u64, result: Result<()>) {
        let mut state = self.lock();
        if let Err(error) = result {
            state.untold.push_back((number, error));
        }
        self.finished.store(number, Ordering::Release);
        let mut due = Vec::new();
        let mut i = 0;
        while i < state.waiters.len() {
            if state.waiters[i].0 <= number {
                let (waited, waiter) = state.waiters.remove(i);
                let outcome = state.result(waited);
                due.push((waiter, outcome));
            } else {
                i += 1;
            }
        }
        self.orphaned.store(state.orphan().is_some(), Ordering::Release);
        drop(state);
        for (waiter, outcome) in due {
            waiter(outcome);
        }
    }

    /// Jobs that belong to no step failed and nobody waits for them.
    pub fn fail(&self, error: Error) {
        let mut state = self.lock();
        let step = self.begun.load(Ordering::Acquire);
        state.untold.push_back((step, error));
        self.orphaned.store(state.orphan().is_some(), Ordering::Release);
    }

    /// Somebody who read a value was told of this failure.
    pub fn heard(&self, error: &Error) {
        let mut state = self.lock();
        let message = &error.fields().message;
        state.untold.retain(|(_, untold)| untold.fields().message != *message);
        self.orphaned.store(state.orphan().is_some(), Ordering::Release);
    }

    /// The result of step `number` where it has finished.
    pub fn outcome(&self, number: u64) -> Option<Result<()>> {
        let mut state = self.lock();
        if number > self.finished.load(Ordering::Acquire) {
            return None;
        }
        let result = state.result(number);
        self.orphaned.store(state.orphan().is_some(), Ordering::Release);
        Some(result)
    }

    /// Lets `waiter` know of the result of step `number`, at once where it has finished.
    pub fn wait(&self, number: u64, waiter: Waiter) {
        let mut state = self.lock();
        if number > self.finished.load(Ordering::Acquire) {
            state.waiters.push((number, waiter));
            self.orphaned.store(state.orphan().is_some(), Ordering::Release);
            return;
        }
        let result = state.result(number);
        self.orphaned.store(state.orphan().is_some(), Ordering::Release);
        drop(state);
        waiter(result);
    }

    /// A failure that nobody waits for, once.
    pub fn take_orphan(&self) -> Option<Error> {
        if !self.orphaned.load(Ordering::Acquire) {
            return None;
        }
        let mut state = self.lock();
        let orphan = state.orphan();
        let taken = orphan.and_then(|at| state.untold.remove(at));
        self.orphaned.store(state.orphan().is_some(), Ordering::Release);
        taken.map(|(step, error)| {
            state.tell(step, &error);
            error
        })
    }
}
