//! Which reductions share a loop although neither reads the other.

use super::group::{Levels, iteration};
use super::merge::type_of;
use super::segment::Source;
use crate::op::Work;
use rustc_hash::FxHashMap;

/// Small values that are followed to find out what waits for a reduction.
const MOST_FOLLOWED: usize = 16;

impl Levels<'_> {
    /// Reductions over the same axes that read the same value, in pairs, the lower one lifted to the level of the other
    /// where nothing large needs it before.
    pub fn pair(&mut self) -> Vec<(u32, u32)> {
        let mut pairs = Vec::new();
        if !self.options.fusion || self.options.max_slots.is_some() {
            return pairs;
        }
        let merged = self.merged;
        // The last reduction of each kind by what it reads.
        let mut seen: FxHashMap<(Source, &[usize]), usize> = FxHashMap::default();
        let mut readers: Option<Vec<Vec<u32>>> = None;
        for i in (0..self.level.len()).rev().filter(|&i| merged.used[i] != 0) {
            let Some(Work::Reduction { axes, .. }) = &merged.work[i] else { continue };
            let read = self.read_whole(i);
            let found = read.iter().filter_map(|&source| seen.get(&(source, &axes[..])).copied());
            if let Some(j) = found.max_by_key(|&j| self.level[j]) {
                let (low, high) = if self.level[i] <= self.level[j] { (i, j) } else { (j, i) };
                let readers = readers.get_or_insert_with(|| self.readers());
                if self.lift(low, self.level[high], readers) {
                    pairs.push((low as u32, high as u32));
                }
            }
            for source in read {
                seen.entry((source, &axes[..])).or_insert(i);
            }
        }
        pairs
    }

    /// Lifts a reduction, with what it alone reads, unless that would make others wait or store more.
    fn lift(&mut self, i: usize, level: u32, readers: &[Vec<u32>]) -> bool {
        if level == self.level[i] {
            return true;
        }
        let producer = self.producer(i);
        if producer.is_some_and(|p| self.merged.only_reader(p) != Some(i)) || self.limit(i, readers) <= level {
            return false;
        }
        producer.into_iter().chain([i]).for_each(|n| self.level[n] = self.level[n].max(level));
        true
    }

    fn readers(&self) -> Vec<Vec<u32>> {
        let mut readers = vec![Vec::new(); self.level.len()];
        for i in (0..self.level.len()).filter(|&i| self.merged.used[i] != 0) {
            for &source in &self.merged.inputs[i] {
                if let Source::Node(p, _) = source {
                    readers[p as usize].push(i as u32);
                }
            }
        }
        readers
    }

    /// The lowest level of what waits for a reduction, also through views and loops no larger than its result.
    fn limit(&self, i: usize, readers: &[Vec<u32>]) -> u32 {
        let size = self.segment.nodes[i].types[0].shape.size();
        let (mut limit, mut stack, mut followed) = (u32::MAX, vec![i as u32], 0);
        while let Some(n) = stack.pop() {
            for &reader in &readers[n as usize] {
                let r = reader as usize;
                let small = iteration(self.segment, self.merged, r).is_some_and(|shape| shape.size() <= size);
                if (small || matches!(self.merged.work[r], Some(Work::View))) && followed < MOST_FOLLOWED {
                    followed += 1;
                    stack.push(reader);
                } else {
                    limit = limit.min(self.level[r]);
                }
            }
        }
        limit
    }

    /// The elementwise node that a reduction may share a loop with.
    fn producer(&self, i: usize) -> Option<usize> {
        self.partners(i).next().map(|p| p as usize)
    }

    /// Values of the iteration space's shape that a reduction, or the elementwise node before it, reads.
    fn read_whole(&self, i: usize) -> Vec<Source> {
        let space = iteration(self.segment, self.merged, i);
        let of = |n: usize| self.merged.inputs[n].iter().copied();
        of(i)
            .chain(self.producer(i).into_iter().flat_map(of))
            .filter(|&s| !self.is_free(s) && Some(type_of(self.segment, s).shape) == space)
            .collect()
    }
}
