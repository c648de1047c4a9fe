//! Rates against the multiply-add peak. Run with
//! `cargo test --release -p fovea-cpu --lib -- --ignored --nocapture gemm_speed`.

use super::super::operand::{Reading, Vectors, Way};
use super::shapes::{Conv, matmul};
use super::table::{CONVOLUTIONS, DEPTHWISE, FEW_CHANNELS, FIRST_LAYER, LINEAR, PRODUCTS, SQUARES, STRIDED, Window};
use super::*;
use crate::memory::Buffer;
use crate::pool::pool;
use std::hint::black_box;
use std::time::Instant;

/// Seconds that this thread has run, where the system tells; one thread is measured by it, since others may run too.
fn processor_time() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|nanoseconds| nanoseconds.parse::<f64>().ok()).unwrap_or(0.0) * 1e-9
}

/// Seconds for one pass: the best of several, or the mean of one thread's processor time.
fn best(mut body: impl FnMut()) -> f64 {
    let mut least = f64::INFINITY;
    let begin = (Instant::now(), processor_time());
    let mut passes = 0;
    while passes < 3 || (begin.0.elapsed().as_millis() < 400 && passes < 2000) {
        let start = Instant::now();
        body();
        least = least.min(start.elapsed().as_secs_f64());
        passes += 1;
    }
    let busy = processor_time() - begin.1;
    if pool().count() == 1 && busy > 0.1 { busy / passes as f64 } else { least }
}

/// Multiply-adds a second of f32 on all threads of the pool, from registers.
fn peak() -> f64 {
    const STEPS: usize = 1 << 17;
    let engine = <f32 as super::super::kernel::Kernels>::engine(isa());
    let tasks = pool().count();
    let seconds = best(|| {
        pool().run(tasks, &|_| {
            // One line of each operand, over and over: loads never leave the L1 cache.
            let mut tile = [0f32; super::super::kernel::TILE_MAX];
            let panel = vec![1.0f32; 256 * engine.nr()];
            let rows = vec![1.0f32; 256 * 16];
            for _ in 0..STEPS / 256 {
                // SAFETY: the panels hold 256 steps, the tile a whole tile.
                unsafe {
                    (engine.tile)(&super::super::kernel::Tile {
                        m: engine.mr,
                        vectors: 2,
                        terms: &[super::super::kernel::Terms { offset: 0, count: 64 }],
                        by_rows: false,
                        step: engine.mr,
                        a: rows.as_ptr(),
                        b: panel.as_ptr(),
                        b_step: engine.nr(),
                        panel: None,
                        to: super::super::kernel::Target::Tile(tile.as_mut_ptr()),
                    });
                }
            }
            black_box(&tile);
        });
    });
    (tasks * STEPS / 4 * engine.mr * engine.nr()) as f64 / seconds
}

fn measure(name: &str, case: &Case, peak: f64) {
    let (la, lb) = (Layout::contiguous(Shape::new(&case.a)), Layout::contiguous(Shape::new(&case.b)));
    measure_with(name, case, &la, &lb, peak);
}

fn measure_with(name: &str, case: &Case, la: &Layout, lb: &Layout, peak: f64) {
    if std::env::var("FOVEA_CASE").is_ok_and(|part| !name.contains(&part)) {
        return;
    }
    let mut random = Random(3);
    // Aligned as the runtime's own memory is.
    let mut buffer = |elements: usize| {
        let bytes: Vec<u8> = (0..elements).flat_map(|_| (random.unit() as f32).to_ne_bytes()).collect();
        Buffer::from_bytes(&bytes).unwrap()
    };
    let (a, b, out) = (buffer(la.end()), buffer(lb.end()), buffer(case.out()));
    let compiled = CompiledContraction::compile(&case.c, DType::F32, la, lb).unwrap();
    measure_compiled(name, &compiled, (&a, &b), &out, peak);
    // All ways of running it, for the estimate of their costs to be judged by.
    for index in (0..).take_while(|_| std::env::var_os("FOVEA_WAYS").is_some()) {
        let Some(compiled) = case.way::<f32>(index, la, lb) else { break };
        measure_compiled("", &compiled, (&a, &b), &out, peak);
    }
}

fn measure_compiled(name: &str, compiled: &CompiledContraction, (a, b): (&Buffer, &Buffer), out: &Buffer, peak: f64) {
    let seconds = best(|| {
        // SAFETY: the buffers hold their layouts, `out` the result.
        unsafe { compiled.run(a.as_ptr(), b.as_ptr(), out.as_mut_ptr(), pool()).unwrap() };
    });
    let products: usize = compiled.products.iter().map(|p| p.batches * p.m * p.n * p.k).sum();
    let rate = products as f64 / seconds;
    let ways: Vec<String> = compiled
        .products
        .iter()
        .take(1)
        .map(|p| {
            let way = |across| if across { "across" } else { "along" };
            format!(
                "{}{}m {} n {} k {} {}/{}{}",
                match p.reading {
                    _ if matches!(p.way, Way::Lanes(_)) => "lanes ",
                    _ if matches!(p.way, Way::Depthwise(_)) => "depthwise ",
                    _ if matches!(p.way, Way::Stencil(_)) => "stencil ",
                    _ if matches!(p.way, Way::Gemv(_)) => "gemv ",
                    Reading::Packed => "",
                    Reading::InPlace(_) => "in place ",
                    Reading::Boxes(_) => "boxes ",
                },
                if p.swapped { "swapped " } else { "" },
                p.m,
                p.n,
                p.k,
                way(p.left.across),
                way(p.right.across),
                match p.vectors {
                    Vectors::Packed => "",
                    Vectors::InPlace => " in place",
                    Vectors::Panels => " panels",
                }
            )
        })
        .collect();
    println!(
        "{name:28} {:8.3} ms  {:6.1} GFLOP/s  {:3.0} %   {}",
        seconds * 1e3,
        2e-9 * rate,
        100.0 * rate / peak,
        ways[0]
    );
}

/// A linear layer of `[outputs, inputs]`: forward, towards its input and towards its weight.
fn linear(batch: usize, inputs: usize, outputs: usize, peak: f64) {
    let of = |m: usize, n: usize| Layout::contiguous(Shape::from([1, m, n]));
    let turned = |layout: Layout| layout.permute(&[0, 2, 1]);
    let (x, g, w) = (of(batch, inputs), of(batch, outputs), of(outputs, inputs));
    let name = |what: &str| format!("linear {batch}×{inputs}→{outputs} {what}");
    measure_with(&name("forward"), &matmul(1, batch, outputs, inputs, false), &x, &turned(w), peak);
    measure_with(&name("data"), &matmul(1, batch, inputs, outputs, false), &g, &w, peak);
    // The gradient of the turned weight, written as the weight lies.
    let mut weights = matmul(1, inputs, outputs, batch, false);
    weights.c.out = vec![0, 2, 1];
    measure_with(&name("weights"), &weights, &turned(x), &g, peak);
}

fn conv(window: &Window) -> Conv {
    let &Window { batch, input, output, size, kernel, stride, groups } = window;
    let (input, output) = (input / groups, output / groups);
    let padding = (kernel / 2) as isize;
    Conv { batch, groups, input, output, size: [size; 2], kernel: [kernel; 2], stride, padding, dilation: 1 }
}

#[test]
#[ignore = "a measurement"]
fn gemm_speed() {
    let peak = peak();
    println!("peak {:.1} GFLOP/s on {} threads, {}", 2e-9 * peak, pool().count(), isa().name());
    for n in SQUARES {
        measure(&format!("square {n}"), &matmul(1, n, n, n, false), peak);
    }
    for (batch, inputs, outputs) in LINEAR {
        linear(batch, inputs, outputs, peak);
    }
    for (batch, m, n, k) in PRODUCTS {
        measure(&format!("{batch} × {m}×{n}×{k}"), &matmul(batch, m, n, k, false), peak);
    }
    for window in CONVOLUTIONS.into_iter().chain([DEPTHWISE]) {
        let (c, s, groups, conv) = (window.input, window.size, window.groups, conv(&window));
        for (what, case) in
            [("forward", conv.forward()), ("data", conv.backward_data()), ("weights", conv.backward_weights())]
        {
            let what = if groups == 1 { what.to_owned() } else { format!("depthwise {what}") };
            measure(&format!("{c}×{s}² NCHW {what}"), &case, peak);
            // Images channels-last, and so their gradients.
            let last = |shape: &[usize]| {
                let [n, g, c, h, w] = [0, 1, 2, 3, 4].map(|i| shape[i]);
                Layout::contiguous(Shape::from([n, h, w, g, c])).permute(&[0, 3, 4, 1, 2])
            };
            let image_b = what.ends_with("weights");
            let b = if image_b { last(&case.b) } else { Layout::contiguous(Shape::new(&case.b)) };
            let mut case = case;
            if !image_b {
                let [n, g, o, h, w] = [1, 0, 4, 2, 3];
                case.c.out = vec![n, h, w, g, o];
            }
            measure_with(&format!("{c}×{s}² NHWC {what}"), &case, &last(&case.a), &b, peak);
        }
    }
    let first = conv(&FIRST_LAYER);
    measure("7×7/2 first layer", &first.forward(), peak);
    measure("7×7/2 weights", &first.backward_weights(), peak);
    for window in FEW_CHANNELS {
        let (few, name) = (conv(&window), format!("5×5 {}→{}", window.input, window.output));
        measure(&format!("{name} forward"), &few.forward(), peak);
        measure(&format!("{name} data"), &few.backward_data(), peak);
        measure(&format!("{name} weights"), &few.backward_weights(), peak);
    }
    measure("7×7/2 data", &first.backward_data(), peak);
    let strided = conv(&STRIDED);
    measure("3×3/2 forward", &strided.forward(), peak);
    measure("3×3/2 data", &strided.backward_data(), peak);
    measure("3×3/2 weights", &strided.backward_weights(), peak);
}
