//! The shapes at which products and convolutions are measured, by `gemm_speed` and by `cargo bench`.

/// Square matrices.
pub const SQUARES: [usize; 6] = [128, 256, 512, 768, 1024, 2048];

/// Linear layers: batch, inputs, outputs.
pub const LINEAR: [(usize, usize, usize); 4] = [(1, 1024, 1024), (128, 784, 512), (128, 512, 512), (128, 1024, 1024)];

/// Other products: batch, rows, columns, terms. Those that convolutions amount to, and batches.
pub const PRODUCTS: [(usize, usize, usize, usize); 8] = [
    (1, 64, 3136, 576),
    (1, 256, 196, 2304),
    (1, 512, 49, 4608),
    (1, 32, 1024, 1024),
    (12, 128, 64, 128),
    (96, 128, 128, 64),
    (64, 64, 64, 64),
    (1024, 8, 8, 8),
];

/// A convolution of square images and kernels with half a kernel's padding.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    pub batch: usize,
    /// Channels of all groups.
    pub input: usize,
    pub output: usize,
    pub size: usize,
    pub kernel: usize,
    pub stride: usize,
    pub groups: usize,
}

const fn square(batch: usize, channels: usize, size: usize) -> Window {
    Window { batch, input: channels, output: channels, size, kernel: 3, stride: 1, groups: 1 }
}

pub const CONVOLUTIONS: [Window; 5] =
    [square(64, 16, 28), square(4, 64, 56), square(4, 128, 28), square(8, 256, 14), square(8, 512, 7)];

/// A network's first layer on photographs.
pub const FIRST_LAYER: Window = Window { batch: 8, input: 3, output: 64, size: 224, kernel: 7, stride: 2, groups: 1 };

pub const STRIDED: Window = Window { batch: 8, input: 64, output: 128, size: 56, kernel: 3, stride: 2, groups: 1 };

pub const DEPTHWISE: Window = Window { groups: 144, ..square(16, 144, 28) };

/// The convolutions of a LeNet, which have fewer channels than a vector has lanes.
pub const FEW_CHANNELS: [Window; 2] = [
    Window { batch: 128, input: 1, output: 6, size: 28, kernel: 5, stride: 1, groups: 1 },
    Window { batch: 128, input: 6, output: 16, size: 14, kernel: 5, stride: 1, groups: 1 },
];
