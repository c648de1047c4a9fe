//! Matrix products and convolutions in all three directions; throughput in multiply-adds.

use crate::case::{Leaf, case};
use crate::table::{CONVOLUTIONS, DEPTHWISE, FEW_CHANNELS, FIRST_LAYER, LINEAR, PRODUCTS, SQUARES, STRIDED, Window};
use criterion::{Criterion, Throughput};
use fovea_ops::contraction::{Conv2d, Conv2dWeightGradient, ConvTranspose2d, Matmul};

fn product(c: &mut Criterion, name: &str, terms: usize, a: Leaf<'_>, b: Leaf<'_>) {
    case(c, name, Throughput::Elements(terms as u64), &[a, b], |s, x| Ok(vec![s.apply(Matmul {}, x)?]));
}

pub fn gemm(c: &mut Criterion) {
    for n in SQUARES {
        let square = [n, n];
        product(c, &format!("gemm/square {n}"), n * n * n, Leaf::Floats(&square), Leaf::Floats(&square));
        if n == 512 {
            for (name, a, b) in [
                ("left turned", Leaf::Turned(square), Leaf::Floats(&square)),
                ("right turned", Leaf::Floats(&square), Leaf::Turned(square)),
                ("both turned", Leaf::Turned(square), Leaf::Turned(square)),
            ] {
                product(c, &format!("gemm/{n} {name}"), n * n * n, a, b);
            }
        }
    }
    for (batch, inputs, outputs) in LINEAR {
        let terms = batch * inputs * outputs;
        let kind = if batch == 1 { "gemv" } else { "gemm" };
        let name = |what: &str| format!("{kind}/linear {batch}×{inputs}→{outputs} {what}");
        let (x, g) = ([batch, inputs], [batch, outputs]);
        product(c, &name("forward"), terms, Leaf::Floats(&x), Leaf::Turned([inputs, outputs]));
        product(c, &name("data"), terms, Leaf::Floats(&g), Leaf::Floats(&[outputs, inputs]));
        product(c, &name("weights"), terms, Leaf::Turned([inputs, batch]), Leaf::Floats(&g));
    }
    for (batch, m, n, k) in PRODUCTS {
        let (a, b) = ([batch, m, k], [batch, k, n]);
        let name = format!("gemm/{batch} × {m}×{n}×{k}");
        product(c, &name, batch * m * n * k, Leaf::Floats(&a), Leaf::Floats(&b));
    }
}

/// All three directions of a convolution whose images lie as `image` says.
fn directions(c: &mut Criterion, name: &str, window: Window, image: fn([usize; 4]) -> Leaf<'static>) {
    let Window { batch, input, output, size, kernel, stride, groups } = window;
    let out = (size - 1) / stride + 1;
    let (x, y) = (image([batch, input, size, size]), image([batch, output, out, out]));
    let w = Leaf::Planes([output, input / groups, kernel, kernel]);
    let terms = batch * output * out * out * (input / groups) * kernel * kernel;
    let work = || Throughput::Elements(terms as u64);
    let (stride, padding, dilation) = ([stride; 2], [kernel / 2; 2], [1; 2]);
    let forward = Conv2d { stride, padding, dilation, groups };
    case(c, &format!("{name} forward"), work(), &[x, w], |s, v| Ok(vec![s.apply(forward.clone(), v)?]));
    let data = ConvTranspose2d { output_size: [size; 2], stride, padding, dilation, groups };
    case(c, &format!("{name} data"), work(), &[y, w], |s, v| Ok(vec![s.apply(data.clone(), v)?]));
    let weights = Conv2dWeightGradient { kernel_size: [kernel; 2], stride, padding, dilation, groups };
    case(c, &format!("{name} weights"), work(), &[x, y], |s, v| Ok(vec![s.apply(weights.clone(), v)?]));
}

/// Images channels-last, as they are inside of plans, but for the first layer, which reads them as they come.
pub fn convolution(c: &mut Criterion) {
    for window in CONVOLUTIONS {
        let name = format!("convolution/{}×{}²", window.input, window.size);
        directions(c, &name, window, Leaf::Images);
    }
    directions(c, "convolution/first layer", FIRST_LAYER, Leaf::Planes);
    directions(c, "convolution/strided", STRIDED, Leaf::Images);
    directions(c, "convolution/depthwise", DEPTHWISE, Leaf::Images);
    for window in FEW_CHANNELS {
        directions(c, &format!("convolution/few channels {}→{}", window.input, window.output), window, Leaf::Planes);
    }
}

/// The general path, which packs panels through virtual im2col: planes, and channels in odd numbers.
pub fn im2col_gemm(c: &mut Criterion) {
    for (batch, input, output, size) in [(8, 5, 7, 56), (8, 33, 31, 28), (4, 64, 64, 56)] {
        let window = Window { batch, input, output, size, kernel: 3, stride: 1, groups: 1 };
        directions(c, &format!("im2col_gemm/{input}→{output} {size}²"), window, Leaf::Planes);
    }
}
