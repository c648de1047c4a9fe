//! Contractions by one GEMM template: tiles of both operands in workgroup memory, named vec4 accumulators in
//! registers, operands read through their accesses (virtual im2col), long sums of few results split among workgroups.

mod access;
#[cfg(test)]
mod tests;
mod tile;

use crate::loops::fill;
use crate::reductions::sum_of_parts;
use crate::wgsl::{Dispatch, Source, index};
use access::{Operand, Part};
use fovea_core::DType;
use fovea_core::contraction::{Contraction, Role};
use fovea_core::plan::{SlotId, View};
use std::fmt::Write;
#[cfg(test)]
pub(crate) use tile::TILES;
pub(crate) use tile::Tile;

/// Extents of a contraction: results are `batch` matrices of `rows` × `cols`, each a sum of `sum` products.
#[derive(Clone, Copy, Debug)]
struct Extents {
    batch: usize,
    rows: usize,
    cols: usize,
    sum: usize,
}

/// Kernels that compute a contraction of non-zero extents. `temporary` makes a slot of so many f32 elements.
pub(crate) fn contract(
    contraction: &Contraction,
    a: &View,
    b: &View,
    out: SlotId,
    tile: Option<Tile>,
    temporary: &mut dyn FnMut(usize, DType) -> SlotId,
) -> Vec<Dispatch> {
    let [batch, rows, cols, sum] = [Role::Batch, Role::Row, Role::Col, Role::Sum].map(|role| contraction.extent(role));
    if sum == 0 {
        return vec![fill(out, batch * rows * cols, 0.0)];
    }
    let tile = tile.unwrap_or_else(|| Tile::choose(batch, rows, cols, sum));
    let extents = Extents { batch, rows, cols, sum };
    let splits = tile.splits(batch, rows, cols, sum);
    if splits == 1 {
        return vec![kernel(contraction, a, b, out, tile, extents, sum)];
    }
    // A share ends at a multiple of the depth.
    let share = sum.div_ceil(splits).next_multiple_of(tile.depth);
    let splits = sum.div_ceil(share);
    let results = batch * rows * cols;
    let parts = temporary(results * splits, DType::F32);
    vec![kernel(contraction, a, b, parts, tile, extents, share), sum_of_parts(results, splits, parts, out)]
}

/// Strides of the result's dimensions by loop.
fn out_strides(contraction: &Contraction) -> Vec<isize> {
    let mut strides = vec![0isize; contraction.loops.len()];
    let mut step = 1;
    for &l in contraction.out.iter().rev() {
        strides[l] = step;
        step *= contraction.loops[l].size as isize;
    }
    strides
}

/// Computes `share` terms of each result; with several shares the results of each lie one after another.
fn kernel(
    contraction: &Contraction,
    a: &View,
    b: &View,
    out: SlotId,
    tile: Tile,
    extents: Extents,
    share: usize,
) -> Dispatch {
    let Extents { batch, rows, cols, sum } = extents;
    let splits = sum.div_ceil(share).max(1);
    let (tiles_m, tiles_n) = (rows.div_ceil(tile.rows), cols.div_ceil(tile.cols));
    let groups = batch * tiles_m * tiles_n * splits;
    let mut source = Source::default();
    let s = &mut source;
    s.line(format!("if (group >= {groups}u) {{ return; }}"));
    let place = index::coordinates(s, "group", &[splits, batch, tiles_m, tiles_n]);
    let [split, z, tile_m, tile_n] = [0, 1, 2, 3].map(|i| place[i].clone());
    let threads_n = tile.cols / tile.micro_cols;
    s.line(format!("let tx = lane % {threads_n}u;"));
    s.line(format!("let ty = lane / {threads_n}u;"));
    s.line(format!("let m0 = {tile_m} * {}u;", tile.rows));
    s.line(format!("let n0 = {tile_n} * {}u;", tile.cols));
    s.line(format!("let k0 = {split} * {share}u;"));
    s.line(if splits > 1 { format!("let k1 = min(k0 + {share}u, {sum}u);") } else { format!("let k1 = {sum}u;") });

    let sides = [
        Side::new(s, Operand::new(contraction, &contraction.a, a, Role::Row), a.slot, "a", tile.rows, rows, &tile),
        Side::new(s, Operand::new(contraction, &contraction.b, b, Role::Col), b.slot, "b", tile.cols, cols, &tile),
    ];
    let ragged = !sum.is_multiple_of(tile.depth);
    let parts: Vec<Vec<Part>> =
        sides.iter().zip(["m0", "n0"]).map(|(side, base)| side.outer_parts(s, &z, base)).collect();
    for i in 0..tile.micro_rows {
        for q in 0..tile.micro_cols / 4 {
            s.line(format!("var c{i}q{q} = vec4<f32>();"));
        }
    }
    s.line(format!("for (var k = k0; k < k1; k += {}u) {{", tile.depth));
    for (side, parts) in sides.iter().zip(&parts) {
        side.fill(s, parts, ragged);
    }
    s.line("workgroupBarrier();");
    multiply(s, &sides, &tile);
    s.line("workgroupBarrier();");
    s.line("}");
    write_results(s, contraction, out, &tile, extents, (&split, &z));
    source.finish(groups as u64, tile.invocations() as u32)
}

/// One operand's tile in workgroup memory: vec4s along the result's index, a row for each summed index.
struct Side {
    operand: Operand,
    buffer: String,
    name: &'static str,
    /// vec4s in a row, and those between rows: one more, so that a column doesn't meet one memory bank.
    quads: usize,
    pitch: usize,
    extent: usize,
    exact: bool,
    depth: usize,
    invocations: usize,
    /// Neighbouring invocations take neighbouring summed indices.
    along_sum: bool,
}

impl Side {
    fn new(
        s: &mut Source,
        operand: Operand,
        slot: SlotId,
        name: &'static str,
        size: usize,
        extent: usize,
        tile: &Tile,
    ) -> Side {
        let (quads, pitch) = (size / 4, size / 4 + 1);
        s.share(&format!("tile_{name}"), "vec4<f32>", 16, (pitch * tile.depth) as u32);
        let buffer = s.bind(slot, DType::F32);
        let along_sum = operand.sum_is_fastest();
        let exact = extent.is_multiple_of(size);
        let (depth, invocations) = (tile.depth, tile.invocations());
        Side { operand, buffer, name, quads, pitch, extent, exact, depth, invocations, along_sum }
    }

    /// vec4s that each invocation loads.
    fn loads(&self) -> usize {
        self.quads * self.depth / self.invocations
    }

    /// Quad and depth of an invocation's load number `i`, as expressions.
    fn place(&self, i: usize) -> (String, String) {
        let step = |name: &str, by: usize| if i == 0 { name.to_owned() } else { format!("({name} + {}u)", i * by) };
        if self.along_sum {
            (step(&format!("q_{}", self.name), self.invocations / self.depth), format!("d_{}", self.name))
        } else {
            (format!("q_{}", self.name), step(&format!("d_{}", self.name), self.invocations / self.quads))
        }
    }

    /// The parts of the row or column indices that this invocation loads: four for each distinct quad.
    fn outer_parts(&self, s: &mut Source, z: &str, base: &str) -> Vec<Part> {
        let (q, d) = (format!("q_{}", self.name), format!("d_{}", self.name));
        if self.along_sum {
            s.line(format!("let {d} = lane % {}u;", self.depth));
            s.line(format!("let {q} = lane / {}u;", self.depth));
        } else {
            s.line(format!("let {q} = lane % {}u;", self.quads));
            s.line(format!("let {d} = lane / {}u;", self.quads));
        }
        let batch = self.operand.batch_part(s, z);
        let distinct = if self.along_sum { self.loads() } else { 1 };
        let mut parts = Vec::new();
        for i in 0..distinct {
            let quad = self.place(i).0;
            for j in 0..4 {
                let number = s.bound("n", format!("{base} + {quad} * 4u + {j}u"));
                parts.push(self.operand.outer_part(s, &number, &batch, (!self.exact).then_some(self.extent)));
            }
        }
        parts
    }

    /// Statements that load this invocation's share of the tile.
    fn fill(&self, s: &mut Source, parts: &[Part], ragged: bool) {
        let mut sum: Option<Part> = None;
        for i in 0..self.loads() {
            let (quad, depth) = self.place(i);
            if !self.along_sum || sum.is_none() {
                let number = s.bound("n", format!("k + {depth}"));
                sum = Some(self.operand.sum_part(s, &number, ragged.then_some("k1")));
            }
            let sum = sum.as_ref().expect("made above");
            let first = if self.along_sum { i * 4 } else { 0 };
            let e: Vec<String> =
                (first..first + 4).map(|j| self.operand.load(s, &self.buffer, &parts[j], sum)).collect();
            s.line(format!("tile_{}[{depth} * {}u + {quad}] = vec4<f32>({});", self.name, self.pitch, e.join(", ")));
        }
    }
}

/// The inner product of the two tiles.
fn multiply(s: &mut Source, sides: &[Side; 2], tile: &Tile) {
    let (threads_m, threads_n) = (tile.rows / tile.micro_rows, tile.cols / tile.micro_cols);
    s.line(format!("for (var d = 0u; d < {}u; d++) {{", tile.depth));
    for p in 0..tile.micro_rows / 4 {
        s.line(format!("let x{p} = tile_a[d * {}u + ty + {}u];", sides[0].pitch, p * threads_m));
    }
    for q in 0..tile.micro_cols / 4 {
        s.line(format!("let y{q} = tile_b[d * {}u + tx + {}u];", sides[1].pitch, q * threads_n));
    }
    for i in 0..tile.micro_rows {
        for q in 0..tile.micro_cols / 4 {
            let component = ["x", "y", "z", "w"][i % 4];
            s.line(format!("c{i}q{q} += x{}.{component} * y{q};", i / 4));
        }
    }
    s.line("}");
}

/// Stores of this invocation's accumulators.
fn write_results(
    s: &mut Source,
    contraction: &Contraction,
    out: SlotId,
    tile: &Tile,
    extents: Extents,
    at: (&str, &str),
) {
    let Extents { batch, rows, cols, .. } = extents;
    let buffer = s.bind(out, DType::F32);
    let strides = out_strides(contraction);
    let (threads_m, threads_n) = (tile.rows / tile.micro_rows, tile.cols / tile.micro_cols);
    let part = |s: &mut Source, role: Role, number: &str| {
        let loops = contraction.loops_of(role);
        let sizes: Vec<usize> = loops.iter().map(|&l| contraction.loops[l].size).collect();
        let names = index::coordinates(s, number, &sizes);
        index::offset("0u", &names, &loops.iter().map(|&l| strides[l]).collect::<Vec<_>>())
    };
    let z = part(s, Role::Batch, at.1);
    let z = s.bound("z", format!("{} * {}u + {z}", at.0, batch * rows * cols));
    let columns: Vec<(String, String)> = (0..tile.micro_cols)
        .map(|j| {
            let n = s.bound("n", format!("n0 + (tx + {}u) * 4u + {}u", j / 4 * threads_n, j % 4));
            let offset = part(s, Role::Col, &n);
            (s.bound("o", offset), n)
        })
        .collect();
    for i in 0..tile.micro_rows {
        let m = s.bound("m", format!("m0 + (ty + {}u) * 4u + {}u", i / 4 * threads_m, i % 4));
        if !rows.is_multiple_of(tile.rows) {
            s.line(format!("if ({m} < {rows}u) {{"));
        }
        let row = part(s, Role::Row, &m);
        let row = s.bound("o", format!("{z} + {row}"));
        for (j, (column, n)) in columns.iter().enumerate() {
            let mut text = String::new();
            if !cols.is_multiple_of(tile.cols) {
                let _ = write!(text, "if ({n} < {cols}u) {{ ");
            }
            let component = ["x", "y", "z", "w"][j % 4];
            let _ = write!(text, "{buffer}[{row} + {column}] = c{i}q{}.{component};", j / 4);
            if !cols.is_multiple_of(tile.cols) {
                text.push_str(" }");
            }
            s.line(text);
        }
        if !rows.is_multiple_of(tile.rows) {
            s.line("}");
        }
    }
}
