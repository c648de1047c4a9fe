//! A kernel's outputs split into parts that threads write.

use fovea_core::device::Threads;
use std::marker::PhantomData;

/// Elements that a task should touch at least, so that handing it out costs nothing by comparison.
const TASK: usize = 1 << 14;

/// A slice whose parts are handed to different threads.
struct Parts<'a, T> {
    start: *mut T,
    length: usize,
    part: usize,
    slice: PhantomData<&'a mut [T]>,
}

// SAFETY: parts are disjoint, and `get` is called for each of them by one thread only.
unsafe impl<T: Send> Sync for Parts<'_, T> {}

impl<'a, T> Parts<'a, T> {
    fn new(slice: &'a mut [T], part: usize) -> Parts<'a, T> {
        Parts { start: slice.as_mut_ptr(), length: slice.len(), part, slice: PhantomData }
    }

    /// Part `index`.
    ///
    /// # Safety
    /// No part may be borrowed twice at a time.
    #[allow(clippy::mut_from_ref)]
    unsafe fn get(&self, index: usize) -> &mut [T] {
        let from = (index * self.part).min(self.length);
        let to = (from + self.part).min(self.length);
        // SAFETY: the range lies in the slice, which `self` borrows, and parts don't overlap.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(from), to - from) }
    }
}

/// Calls `body` with every part of `part` elements of `out`, several of which may be written at a time. `work` is how
/// many elements a part touches, for sharing out.
pub fn each<T: Send>(
    threads: &dyn Threads,
    out: &mut [T],
    part: usize,
    work: usize,
    body: impl Fn(usize, &mut [T]) + Sync,
) {
    each_pair(threads, (out, part), (&mut [] as &mut [u8], 0), work, |i, part, _| body(i, part));
}

/// As [`each`], with the matching part of a second slice, which may be empty.
pub fn each_pair<T: Send, U: Send>(
    threads: &dyn Threads,
    first: (&mut [T], usize),
    second: (&mut [U], usize),
    work: usize,
    body: impl Fn(usize, &mut [T], &mut [U]) + Sync,
) {
    let count = |length: usize, part: usize| if part == 0 { 0 } else { length.div_ceil(part) };
    let parts = count(first.0.len(), first.1).max(count(second.0.len(), second.1));
    let first = Parts::new(first.0, first.1);
    let second = Parts::new(second.0, second.1);
    let run = (TASK / work.max(1)).max(1);
    let all = |task: usize| {
        for i in task * run..(task * run + run).min(parts) {
            // SAFETY: part `i` belongs to this task alone, and the borrows end with the call.
            let (a, b) = unsafe { (first.get(i), second.get(i)) };
            body(i, a, b);
        }
    };
    match parts.div_ceil(run) {
        0 => {}
        1 => all(0),
        tasks => threads.run(tasks, &all),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Scoped;

    impl Threads for Scoped {
        fn count(&self) -> usize {
            4
        }
        fn run(&self, tasks: usize, body: &(dyn Fn(usize) + Sync)) {
            std::thread::scope(|scope| {
                for task in 0..tasks {
                    scope.spawn(move || body(task));
                }
            });
        }
    }

    #[test]
    fn every_part_is_written_once() {
        let mut values = vec![0usize; 1003];
        let mut marks = vec![0u8; 101];
        each_pair(&Scoped, (&mut values, 10), (&mut marks, 1), TASK, |i, part, mark| {
            part.iter_mut().for_each(|v| *v += i + 1);
            mark.iter_mut().for_each(|m| *m += 1);
        });
        assert!(values.iter().enumerate().all(|(i, &v)| v == i / 10 + 1));
        assert!(marks.iter().all(|&m| m == 1));
        each(&Scoped, &mut [] as &mut [f32], 5, 1, |_, _| panic!("there are no parts"));
    }
}
