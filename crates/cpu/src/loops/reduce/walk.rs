//! Which way a reduction walks its memory.

use super::super::Accesses;
use super::super::space::{Access, Space, order_by_steps};
use super::Strategy;
use super::tree::{LANES, Tree};
use fovea_core::Shape;

/// Operands by how many elements they have, largest first.
fn largest_first<'a>(shape: &Shape, accesses: &'a Accesses) -> Vec<&'a Access> {
    let elements = |a: &Access| -> usize { (0..shape.rank()).filter(|&i| a.steps[i] != 0).map(|i| shape[i]).product() };
    let mut list: Vec<&Access> = accesses.operands.iter().flatten().map(|&a| &accesses.list[a as usize]).collect();
    list.sort_by_key(|a| std::cmp::Reverse(elements(a)));
    list
}

/// The kept axes in the order of memory, split into those that a strip runs along (one dimension, merged) and others.
pub fn split_kept(shape: &Shape, kept: &[usize], accesses: &Accesses) -> (Vec<usize>, Vec<usize>) {
    let ranked: Vec<Access> = largest_first(shape, accesses)
        .into_iter()
        .chain(accesses.stores.iter().map(|s| &accesses.list[s.1 as usize]))
        .cloned()
        .collect();
    let order = order_by_steps(kept, &ranked);
    let one = |from: usize| Space::new(shape, &order[from..], &|_| 0, &accesses.list).dims.len() == 1;
    let from = (0..order.len()).find(|&from| one(from)).unwrap_or(order.len());
    (order[..from].to_vec(), order[from..].to_vec())
}

/// Runs along whatever lies closest together in the operands, the largest ones first.
pub fn choose(shape: &Shape, tree: Tree, accesses: &Accesses, reduced: &[usize], strip: &[usize]) -> Strategy {
    let cols: usize = strip.iter().map(|&a| shape[a]).product();
    let (Some(&run), Some(&strip)) = (reduced.last(), strip.last()) else {
        return if reduced.is_empty() { Strategy::Outer } else { Strategy::Inner };
    };
    // Runs that leave most lanes empty.
    if tree.size() <= LANES / 2 && cols >= LANES {
        return Strategy::Outer;
    }
    let operands = accesses.operands.iter().flatten().map(|&a| &accesses.list[a as usize]);
    let votes = operands.clone().chain(accesses.stores.iter().map(|s| &accesses.list[s.1 as usize])).find_map(|a| {
        let (along, across) = (a.steps[run].unsigned_abs(), a.steps[strip].unsigned_abs());
        (along != 0 && across != 0 && along != across).then_some(across < along)
    });
    if votes == Some(true) { Strategy::Outer } else { Strategy::Inner }
}
