//! How a reduction's work is shared out.

use crate::space::Space;

/// Invocations of a workgroup.
pub(crate) const INVOCATIONS: usize = 256;

/// Workgroups below which a long reduction is split.
const ENOUGH_GROUPS: usize = 128;

/// Elements that an invocation should sum at least before a reduction is split further.
const WORTHWHILE: usize = 16;

/// A workgroup takes `columns` outputs side by side, with `lanes` invocations for each; `splits` workgroups share the
/// elements of one output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sharing {
    pub columns: usize,
    pub lanes: usize,
    pub splits: usize,
}

impl Sharing {
    /// For `outputs` results of `reduced` elements each. Where the innermost dimension is kept, neighbouring
    /// invocations take neighbouring outputs, so that they read neighbouring memory.
    pub fn choose(outputs: usize, reduced: usize, innermost_kept: bool) -> Sharing {
        let wanted_lanes = reduced.div_ceil(4).next_power_of_two().min(INVOCATIONS);
        let mut columns = INVOCATIONS / wanted_lanes;
        if innermost_kept {
            columns = columns.max(outputs.next_power_of_two().min(32));
        }
        let lanes = INVOCATIONS / columns;
        let groups = outputs.div_ceil(columns).max(1);
        let splits = if groups >= ENOUGH_GROUPS {
            1
        } else {
            (2 * ENOUGH_GROUPS).div_ceil(groups).min(reduced / (lanes * WORTHWHILE)).max(1)
        };
        Sharing { columns, lanes, splits }
    }

    pub fn of(space: &Space) -> Sharing {
        Sharing::choose(space.extent(false), space.extent(true), space.reduced.last() == Some(&false))
    }

    pub fn groups(self, outputs: usize) -> usize {
        outputs.div_ceil(self.columns) * self.splits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_by_shape() {
        // A softmax over ten classes: a few lanes an output.
        assert_eq!(Sharing::choose(128, 10, false), Sharing { columns: 64, lanes: 4, splits: 1 });
        // A loss: everything into one number.
        let all = Sharing::choose(1, 1 << 20, false);
        assert_eq!((all.columns, all.lanes, all.splits), (1, 256, 256));
        // A bias gradient of channels-last activations.
        let bias = Sharing::choose(64, 100_000, true);
        assert_eq!((bias.columns, bias.lanes, bias.splits), (32, 8, 128));
        // Nothing to reduce.
        assert_eq!(Sharing::choose(5, 0, false).splits, 1);
    }
}
