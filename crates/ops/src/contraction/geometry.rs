//! The sizes that a convolution's three directions share, and their errors.

use fovea_core::contraction::{Access, Contraction, Coord, Loop, Role};
use fovea_core::{Error, Result, Shape, TensorType};

/// Attributes of a convolution and its operands' shapes, checked against each other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Geometry {
    pub batch: usize,
    pub groups: usize,
    /// Channels of a group: of the input, of the output.
    pub channels: [usize; 2],
    pub input: [usize; 2],
    pub kernel: [usize; 2],
    pub output: [usize; 2],
    pub stride: [usize; 2],
    pub padding: [usize; 2],
    pub dilation: [usize; 2],
}

/// The attributes alone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Steps {
    pub stride: [usize; 2],
    pub padding: [usize; 2],
    pub dilation: [usize; 2],
    pub groups: usize,
}

/// `ty` must be a float of rank 4; `dims` says what its dimensions are.
pub(super) fn four(ty: &TensorType, name: &str, dims: &str) -> Result<[usize; 4]> {
    if !ty.dtype.is_float() {
        return Err(Error::dtype(format!(
            "a convolution takes f32 or f64, {name} is {}; cast it with to('f32')",
            ty.dtype
        ))
        .at(name)
        .expected("f32 or f64")
        .received(ty.dtype.name()));
    }
    <[usize; 4]>::try_from(&*ty.shape).map_err(|_| {
        Error::shape(format!("{name} must have the four dimensions {dims}, got shape {}", ty.shape))
            .at(name)
            .expected(dims)
            .received(ty.shape.to_string())
    })
}

/// Both operands must have one dtype.
pub(super) fn same_dtype(a: &TensorType, b: &TensorType, names: [&str; 2]) -> Result<()> {
    if a.dtype == b.dtype {
        return Ok(());
    }
    let [x, y] = names;
    Err(Error::dtype(format!("{x} is {} but {y} is {}; cast one with to('{0}')", a.dtype, b.dtype))
        .at(y)
        .expected(a.dtype.name())
        .received(b.dtype.name()))
}

impl Steps {
    fn check(&self) -> Result<()> {
        for (name, pair) in [("stride", self.stride), ("dilation", self.dilation)] {
            if pair.contains(&0) {
                return Err(Error::argument(format!("{name} must be at least 1, got {pair:?}"))
                    .at(name)
                    .expected("1 or more")
                    .received(format!("{pair:?}")));
            }
        }
        if self.groups == 0 {
            return Err(Error::argument("groups must be at least 1").at("groups").expected("1 or more").received("0"));
        }
        Ok(())
    }

    /// Channels `count` of `name` divided among the groups.
    fn divide(&self, count: usize, name: &str) -> Result<usize> {
        if count.is_multiple_of(self.groups) {
            return Ok(count / self.groups);
        }
        Err(Error::shape(format!("{name} has {count} channels, which {} groups do not divide", self.groups))
            .at(name)
            .expected(format!("a multiple of {} channels", self.groups))
            .received(count.to_string()))
    }

    /// Output sizes of a forward pass.
    fn output(&self, input: [usize; 2], kernel: [usize; 2]) -> Result<[usize; 2]> {
        let mut output = [0; 2];
        for d in 0..2 {
            let reach = if kernel[d] == 0 { 0 } else { self.dilation[d] * (kernel[d] - 1) + 1 };
            let padded = input[d] + 2 * self.padding[d];
            if kernel[d] == 0 || reach > padded {
                let size = |s: [usize; 2]| format!("{}×{}", s[0], s[1]);
                return Err(Error::shape(format!(
                    "a kernel of {} (dilation {:?}) does not fit into an input of {} with padding {:?}",
                    size(kernel),
                    self.dilation,
                    size(input),
                    self.padding
                ))
                .at("weight")
                .expected(format!("a kernel of at most {padded} along {}", ["height", "width"][d]))
                .received(format!("{reach}")));
            }
            output[d] = (padded - reach) / self.stride[d] + 1;
        }
        Ok(output)
    }

    /// From input `[N, C, H, W]` and weight `[K, C/groups, h, w]`.
    pub fn forward(&self, x: [usize; 4], weight: [usize; 4]) -> Result<Geometry> {
        self.check()?;
        let [batch, channels, height, width] = x;
        let [filters, per_group, kh, kw] = weight;
        if channels != per_group * self.groups {
            let each = if self.groups == 1 {
                String::new()
            } else {
                format!(" ({per_group} in each of {} groups)", self.groups)
            };
            return Err(Error::shape(format!(
                "weight expects {} channels{each}, x has {channels}",
                per_group * self.groups
            ))
            .at("x")
            .expected(format!("{} channels", per_group * self.groups))
            .received(channels.to_string()));
        }
        let filters = self.divide(filters, "weight")?;
        let (input, kernel) = ([height, width], [kh, kw]);
        Ok(Geometry {
            batch,
            groups: self.groups,
            channels: [per_group, filters],
            input,
            kernel,
            output: self.output(input, kernel)?,
            stride: self.stride,
            padding: self.padding,
            dilation: self.dilation,
        })
    }

    /// From what lies where the output does, `[N, K, H', W']`, the weight and the input's sizes.
    pub fn towards_input(&self, x: [usize; 4], weight: [usize; 4], size: [usize; 2]) -> Result<Geometry> {
        let geometry = self.forward([x[0], weight[1] * self.groups, size[0], size[1]], weight)?;
        let expected = geometry.output_shape();
        if *expected != x {
            return Err(Error::shape(format!("a result of size {size:?} needs x of shape {expected}, got {x:?}"))
                .at("x")
                .expected(expected.to_string())
                .received(format!("{x:?}")));
        }
        Ok(geometry)
    }

    /// From the input, the output's gradient and the kernel's sizes.
    pub fn towards_weight(&self, x: [usize; 4], g: [usize; 4], kernel: [usize; 2]) -> Result<Geometry> {
        self.check()?;
        let per_group = self.divide(x[1], "x")?;
        let geometry = self.forward(x, [g[1], per_group, kernel[0], kernel[1]])?;
        geometry.check_gradient(g)?;
        Ok(geometry)
    }
}

impl Geometry {
    fn check_gradient(&self, g: [usize; 4]) -> Result<()> {
        let expected = self.output_shape();
        if *expected == g {
            return Ok(());
        }
        Err(Error::shape(format!("the gradient of this convolution's result has shape {expected}, got {g:?}"))
            .at("g")
            .expected(expected.to_string())
            .received(format!("{g:?}")))
    }

    pub fn input_shape(&self) -> Shape {
        Shape::from([self.batch, self.groups * self.channels[0], self.input[0], self.input[1]])
    }

    pub fn weight_shape(&self) -> Shape {
        Shape::from([self.groups * self.channels[1], self.channels[0], self.kernel[0], self.kernel[1]])
    }

    pub fn output_shape(&self) -> Shape {
        Shape::from([self.batch, self.groups * self.channels[1], self.output[0], self.output[1]])
    }
}

/// Loops of all three directions, by their place in the list. `P` runs over positions of what is written, or of the
/// result where the weight's gradient sums over them.
/// Channels come last: sums run along what lies side by side in channels-last images.
const N: usize = 0;
const G: usize = 1;
const P: [usize; 2] = [2, 3];
const W: [usize; 2] = [4, 5];
const K: usize = 6;
const C: usize = 7;

impl Geometry {
    fn loops(&self, positions: [usize; 2], roles: [Role; 4]) -> Vec<Loop> {
        let [batch, filters, channels, window] = roles;
        let position = batch;
        let sizes = [
            (self.batch, batch),
            (self.groups, Role::Batch),
            (positions[0], position),
            (positions[1], position),
            (self.kernel[0], window),
            (self.kernel[1], window),
            (self.channels[1], filters),
            (self.channels[0], channels),
        ];
        sizes.into_iter().map(|(size, role)| Loop { size, role }).collect()
    }

    /// Channel `inner` of group `G`, out of `per_group`.
    fn channel(inner: usize, per_group: usize) -> Coord {
        Coord { terms: vec![(G, per_group as isize), (inner, 1)], offset: 0, divisor: 1 }
    }

    /// Where the window's tap lies in the input: `p · stride + w · dilation − padding`.
    fn tap(&self, d: usize) -> Coord {
        let terms = vec![(P[d], self.stride[d] as isize), (W[d], self.dilation[d] as isize)];
        Coord { terms, offset: -(self.padding[d] as isize), divisor: 1 }
    }

    /// The inverse of [`Geometry::tap`]: the output position whose tap `w` is input position `p`.
    fn origin(&self, d: usize) -> Coord {
        let terms = vec![(P[d], 1), (W[d], -(self.dilation[d] as isize))];
        Coord { terms, offset: self.padding[d] as isize, divisor: self.stride[d] }
    }

    fn input_access(&self) -> Access {
        vec![Coord::index(N), Geometry::channel(C, self.channels[0]), self.tap(0), self.tap(1)]
    }

    fn weight_access(&self) -> Access {
        let [h, w] = W;
        vec![Geometry::channel(K, self.channels[1]), Coord::index(C), Coord::index(h), Coord::index(w)]
    }

    /// `out[n, k, p] = Σ_{c, w} x[n, c, p · stride + w · dilation − padding] · weight[k, c, w]`.
    pub fn forward(&self) -> Contraction {
        Contraction {
            loops: self.loops(self.output, [Role::Row, Role::Col, Role::Sum, Role::Sum]),
            a: self.input_access(),
            b: self.weight_access(),
            out: vec![N, G, K, P[0], P[1]],
        }
    }

    /// `out[n, c, p] = Σ_{k, w} g[n, k, (p + padding − w · dilation) / stride] · weight[k, c, w]`.
    pub fn towards_input(&self) -> Contraction {
        Contraction {
            loops: self.loops(self.input, [Role::Row, Role::Sum, Role::Col, Role::Sum]),
            a: vec![Coord::index(N), Geometry::channel(K, self.channels[1]), self.origin(0), self.origin(1)],
            b: self.weight_access(),
            out: vec![N, G, C, P[0], P[1]],
        }
    }

    /// `out[k, c, w] = Σ_{n, p} x[n, c, p · stride + w · dilation − padding] · g[n, k, p]`.
    pub fn towards_weight(&self) -> Contraction {
        Contraction {
            loops: self.loops(self.output, [Role::Sum, Role::Col, Role::Row, Role::Row]),
            a: self.input_access(),
            b: vec![Coord::index(N), Geometry::channel(K, self.channels[1]), Coord::index(P[0]), Coord::index(P[1])],
            out: vec![G, K, C, W[0], W[1]],
        }
    }
}
