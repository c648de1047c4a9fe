//! Reducing nests: workgroups fold their share in registers, then as a tree in workgroup memory; where few outputs
//! have many elements, a second stage folds the shares.

mod monoid;
mod shape;

use crate::space::{Space, evaluate, write_stores};
use crate::wgsl::{Dispatch, Source, index, storage_type};
use fovea_core::DType;
use fovea_core::plan::{LoopNest, SlotId};
use monoid::Accumulator;
use shape::{INVOCATIONS, Sharing};

/// The accumulator of reduction `item`.
fn accumulator(nest: &LoopNest, item: usize) -> Accumulator {
    let reduce = &nest.reductions.items[item];
    Accumulator { monoid: reduce.monoid, dtype: nest.program.output_dtype(reduce.output) }
}

/// Storage buffers that the results in `items` need while they are reduced.
pub(crate) fn result_bindings(nest: &LoopNest, items: &[usize]) -> usize {
    let split = Sharing::of(&Space::new(nest)).splits > 1;
    items.iter().map(|&i| if split { accumulator(nest, i).parts().len() } else { 1 }).sum()
}

/// Kernels that do the reductions in `items` and the stores in `stores` of a nest. `temporary` makes a slot of so many
/// elements of a dtype that lives until the kernels are done.
pub(crate) fn reduce(
    nest: &LoopNest,
    items: &[usize],
    stores: &[usize],
    temporary: &mut dyn FnMut(usize, DType) -> SlotId,
) -> Vec<Dispatch> {
    let space = Space::new(nest);
    let sharing = Sharing::of(&space);
    let outputs = space.extent(false);
    let accumulators: Vec<Accumulator> = items.iter().map(|&i| accumulator(nest, i)).collect();
    let results: Vec<SlotId> = items.iter().map(|&i| nest.reductions.items[i].slot).collect();
    let split = sharing.splits > 1;
    let mut share_slots = |a: &Accumulator| -> Vec<SlotId> {
        a.parts().iter().map(|p| temporary(outputs * sharing.splits, p.1)).collect()
    };
    let shares: Vec<Vec<SlotId>> =
        accumulators.iter().map(|a| if split { share_slots(a) } else { Vec::new() }).collect();

    let mut kernel = Fold::new(sharing, outputs, space.extent(true), &accumulators);
    kernel.begin();
    if kernel.reduced > 0 {
        let kept: Vec<usize> = space.pick(false, &space.sizes).collect();
        let kept = index::coordinates(&mut kernel.source, "column", &kept);
        kernel.open_loop();
        let lifted = element(&mut kernel, nest, &space, kept, items, stores);
        kernel.close_loop(&lifted);
    }
    let mut kernels = vec![kernel.end(&results, &shares)];
    if split {
        kernels.push(second_stage(outputs, sharing.splits, &accumulators, &results, &shares));
    }
    kernels
}

/// Writes the evaluation of element `r` of an output, with its stores; returns what each accumulator takes in.
fn element(
    kernel: &mut Fold<'_>,
    nest: &LoopNest,
    space: &Space,
    kept: Vec<String>,
    items: &[usize],
    stores: &[usize],
) -> Vec<Vec<String>> {
    let source = &mut kernel.source;
    let reduced: Vec<usize> = space.pick(true, &space.sizes).collect();
    let mut places = index::coordinates(source, "r", &reduced).into_iter();
    let mut kept = kept.into_iter();
    let coordinates: Vec<String> = space
        .reduced
        .iter()
        .map(|&r| if r { places.next() } else { kept.next() }.expect("a coordinate for each dimension"))
        .collect();
    let mut position = "0u".to_owned();
    if nest.program.is_positional() {
        position = index::offset("0u", &coordinates, &space.position);
        position = source.bound("i", position);
    }
    let output_of = |item: usize| nest.reductions.items[item].output;
    let stored = stores.iter().map(|&s| nest.stores[s].output);
    let mut wanted: Vec<usize> = items.iter().map(|&i| output_of(i)).chain(stored).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let values = evaluate(source, nest, space, &coordinates, &position, &wanted);
    let value_of = |output: usize| values[wanted.iter().position(|&o| o == output).expect("evaluated")].clone();
    if !stores.is_empty() {
        source.line("if (inside) {");
        write_stores(source, nest, space, &coordinates, stores, &value_of);
        source.line("}");
    }
    items.iter().zip(kernel.accumulators).map(|(&i, a)| a.lift(source, &value_of(output_of(i)), "r")).collect()
}

/// Sums `splits` partial results laid out as [splits, outputs] into `result`.
pub(crate) fn sum_of_parts(outputs: usize, splits: usize, parts: SlotId, result: SlotId) -> Dispatch {
    let sum = Accumulator { monoid: fovea_core::op::Monoid::Sum, dtype: DType::F32 };
    second_stage(outputs, splits, &[sum], &[result], &[vec![parts]])
}

fn second_stage(
    outputs: usize,
    splits: usize,
    accumulators: &[Accumulator],
    results: &[SlotId],
    shares: &[Vec<SlotId>],
) -> Dispatch {
    let sharing = Sharing { splits: 1, ..Sharing::choose(outputs, splits, true) };
    let mut kernel = Fold::new(sharing, outputs, splits, accumulators);
    kernel.begin();
    kernel.open_loop();
    let mut values = Vec::new();
    for (accumulator, share) in accumulators.iter().zip(shares) {
        let parts = accumulator.parts().into_iter().zip(share);
        values.push(
            parts.map(|((_, d), &slot)| format!("{}[r * {outputs}u + column]", kernel.source.bind(slot, d))).collect(),
        );
    }
    kernel.close_loop(&values);
    kernel.end(results, &[])
}

/// The frame of a reduction kernel: which elements an invocation takes, and how the shares of a workgroup meet.
struct Fold<'a> {
    source: Source,
    sharing: Sharing,
    outputs: usize,
    reduced: usize,
    accumulators: &'a [Accumulator],
}

impl Fold<'_> {
    fn new(sharing: Sharing, outputs: usize, reduced: usize, accumulators: &[Accumulator]) -> Fold<'_> {
        Fold { source: Source::default(), sharing, outputs, reduced, accumulators }
    }

    fn names(&self, accumulator: usize, name: impl Fn(usize, usize) -> String) -> Vec<String> {
        (0..self.accumulators[accumulator].parts().len()).map(|part| name(accumulator, part)).collect()
    }

    /// Names `column` (the output, clamped), `inside` (whether it exists), `share` and the accumulators.
    fn begin(&mut self) {
        let Sharing { columns, lanes, splits } = self.sharing;
        let across = self.outputs.div_ceil(columns);
        let source = &mut self.source;
        source.line(format!("if (group >= {}u) {{ return; }}", across * splits));
        let (tile, share) = if splits > 1 {
            (format!("group % {across}u"), format!("group / {across}u"))
        } else {
            ("group".into(), "0u".into())
        };
        source.line(format!("let share = {share};"));
        source.line(format!("let wide = ({tile}) * {columns}u + lane % {columns}u;"));
        source.line(format!("let inside = wide < {}u;", self.outputs));
        source.line(format!("let column = min(wide, {}u);", self.outputs - 1));
        source.line(format!("let row = lane / {columns}u;"));
        for (a, accumulator) in self.accumulators.iter().enumerate() {
            for (p, (identity, (kind, _))) in accumulator.identity().iter().zip(accumulator.parts()).enumerate() {
                source.line(format!("var a{a}p{p}: {kind} = {identity};"));
                if lanes > 1 {
                    source.share(&format!("s{a}p{p}"), kind, 4, INVOCATIONS as u32);
                }
            }
        }
    }

    /// Opens the loop over `r`, the number of a reduced element.
    fn open_loop(&mut self) {
        let Sharing { lanes, splits, .. } = self.sharing;
        if splits > 1 {
            let chunk = self.reduced.div_ceil(splits);
            self.source.line(format!("let end = min((share + 1u) * {chunk}u, {}u);", self.reduced));
            self.source.line(format!("for (var r = share * {chunk}u + row; r < end; r += {lanes}u) {{"));
        } else {
            self.source.line(format!("for (var r = row; r < {}u; r += {lanes}u) {{", self.reduced));
        }
    }

    fn close_loop(&mut self, lifted: &[Vec<String>]) {
        for (a, parts) in lifted.iter().enumerate() {
            let into = self.names(a, |a, p| format!("a{a}p{p}"));
            self.accumulators[a].fold(&mut self.source, &into, parts);
        }
        self.source.line("}");
    }

    /// Folds the lanes as a tree and writes the results, or the shares where there are several for each output.
    fn end(mut self, results: &[SlotId], shares: &[Vec<SlotId>]) -> Dispatch {
        let Sharing { columns, lanes, splits } = self.sharing;
        let names = |fold: &Self, a: usize, text: &str| fold.names(a, |a, p| format!("{text}{a}p{p}"));
        if lanes > 1 {
            for a in 0..self.accumulators.len() {
                for (local, shared) in names(&self, a, "a").iter().zip(names(&self, a, "s")) {
                    self.source.line(format!("{shared}[lane] = {local};"));
                }
            }
            self.source.line("workgroupBarrier();");
            let mut step = lanes / 2;
            while step > 0 {
                self.source.line(format!("if (row < {step}u) {{"));
                for a in 0..self.accumulators.len() {
                    let mine: Vec<String> = names(&self, a, "s").iter().map(|s| format!("{s}[lane]")).collect();
                    let theirs: Vec<String> =
                        names(&self, a, "s").iter().map(|s| format!("{s}[lane + {}u]", step * columns)).collect();
                    self.accumulators[a].fold(&mut self.source, &mine, &theirs);
                }
                self.source.line("}");
                self.source.line("workgroupBarrier();");
                step /= 2;
            }
        }
        self.source.line("if (row == 0u && inside) {");
        for (a, accumulator) in self.accumulators.iter().enumerate() {
            let parts: Vec<String> = if lanes > 1 {
                names(&self, a, "s").iter().map(|s| format!("{s}[lane]")).collect()
            } else {
                names(&self, a, "a")
            };
            if splits > 1 {
                for ((part, slot), (_, dtype)) in parts.iter().zip(&shares[a]).zip(accumulator.parts()) {
                    let buffer = self.source.bind(*slot, dtype);
                    self.source.line(format!("{buffer}[share * {}u + column] = {part};", self.outputs));
                }
            } else {
                let value = accumulator.lower(&mut self.source, &parts);
                debug_assert_eq!(storage_type(accumulator.result()), result_type(accumulator));
                let buffer = self.source.bind(results[a], accumulator.result());
                self.source.line(format!("{buffer}[column] = {value};"));
            }
        }
        self.source.line("}");
        let groups = self.sharing.groups(self.outputs) as u64;
        self.source.finish(groups, INVOCATIONS as u32)
    }
}

/// WGSL type of what [`Accumulator::lower`] yields.
fn result_type(accumulator: &Accumulator) -> &'static str {
    if accumulator.is_arg() { "i32" } else { storage_type(accumulator.dtype) }
}
