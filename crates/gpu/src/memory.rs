//! Which of a plan's intermediates share memory: registers, reused by liveness.

use fovea_core::plan::SlotId;

/// The units of a plan that touch a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Life {
    pub slot: SlotId,
    pub bytes: u64,
    pub first: usize,
    pub last: usize,
}

/// Bytes of each register, and the register of each slot in the order of `lives`.
pub(crate) fn assign(lives: &[Life]) -> (Vec<u64>, Vec<usize>) {
    let mut order: Vec<usize> = (0..lives.len()).collect();
    order.sort_by_key(|&i| (lives[i].first, std::cmp::Reverse(lives[i].bytes)));
    let mut registers: Vec<u64> = Vec::new();
    // Last unit that uses each register.
    let mut busy: Vec<usize> = Vec::new();
    let mut out = vec![0; lives.len()];
    for i in order {
        let life = &lives[i];
        let free = (0..registers.len()).filter(|&r| busy[r] < life.first);
        // The tightest that is large enough, else the largest, which grows.
        let chosen = free.min_by_key(|&r| {
            let room = registers[r];
            if room >= life.bytes { (0, room) } else { (1, u64::MAX - room) }
        });
        let register = chosen.unwrap_or_else(|| {
            registers.push(0);
            busy.push(0);
            registers.len() - 1
        });
        registers[register] = registers[register].max(life.bytes);
        busy[register] = life.last;
        out[i] = register;
    }
    (registers, out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_that_live_together_are_apart() {
        let life = |slot, bytes, first, last| Life { slot, bytes, first, last };
        let lives = [life(0, 100, 0, 1), life(1, 50, 1, 2), life(2, 80, 2, 4), life(3, 20, 3, 4), life(4, 10, 5, 5)];
        let (registers, of) = assign(&lives);
        for (i, a) in lives.iter().enumerate() {
            assert!(registers[of[i]] >= a.bytes);
            for (j, b) in lives.iter().enumerate().filter(|(j, _)| *j != i) {
                assert!(of[i] != of[j] || a.last < b.first || b.last < a.first, "{i} {j}");
            }
        }
        assert_eq!(registers.len(), 2);
    }
}
