"""Writes tensor.json: what PyTorch computes for the functions that are made of ops, and for indexing.

    python test/reference/tensor.py

Floats are f64. Of each case: the inputs, the outputs, and the gradients of Σ cos(i) · output[i] towards the float inputs.
Running the tests needs only the JSON file.
"""

import json
import math
import pathlib

import torch
from torch.nn import functional as F

SEED = 20260102
NAMES = {torch.float64: "f64", torch.float32: "f32", torch.int64: "i64", torch.int32: "i32", torch.uint8: "u8", torch.bool: "bool"}


def array(x):
    """{shape, dtype, data}: twelve digits, numbers that JSON lacks as strings."""
    number = lambda v: v if not isinstance(v, float) or math.isfinite(v) else str(v)
    data = [number(float(f"{v:.12g}")) if x.is_floating_point() else int(v) for v in x.detach().flatten().tolist()]
    return {"shape": list(x.shape), "dtype": NAMES[x.dtype], "data": data}


def case(name, function, *inputs):
    leaves = [x.clone().requires_grad_(x.is_floating_point()) for x in inputs]
    result = function(*leaves)
    outputs = list(result) if isinstance(result, (tuple, list)) else [result]
    live = [y for y in outputs if y.requires_grad]
    wanted = [x for x in leaves if x.requires_grad]
    gradients = [None] * len(leaves)
    if live and wanted:
        cotangents = [torch.cos(torch.arange(y.numel(), dtype=y.dtype)).reshape(y.shape) for y in live]
        found = torch.autograd.grad(live, wanted, cotangents, allow_unused=True)
        by_leaf = dict(zip(map(id, wanted), found))
        gradients = [by_leaf.get(id(x)) for x in leaves]
    return {
        "name": name,
        "inputs": [array(x) for x in inputs],
        "outputs": [array(y) for y in outputs],
        "gradients": [None if g is None else array(g) for g in gradients],
    }


def x(*shape):
    """Normal numbers of four decimals, which are short to write."""
    return torch.randn(*shape, dtype=torch.float64).mul(1e4).round() / 1e4


def i(*values):
    return torch.tensor(values, dtype=torch.int32)


def activations():
    a = x(3, 4) * 3
    return [
        case("leakyRelu", lambda t: F.leaky_relu(t), a),
        case("leakyRelu 0.2", lambda t: F.leaky_relu(t, 0.2), a),
        case("elu", lambda t: F.elu(t), a),
        case("elu 0.5", lambda t: F.elu(t, 0.5), a),
        case("celu 1.5", lambda t: F.celu(t, 1.5), a),
        case("selu", F.selu, a),
        case("hardtanh", lambda t: F.hardtanh(t), a),
        case("hardtanh -2, 0.5", lambda t: F.hardtanh(t, -2, 0.5), a),
        case("threshold 0.1, 20", lambda t: F.threshold(t, 0.1, 20), a),
        case("prelu, one weight", F.prelu, x(2, 3, 4), x(1)),
        case("prelu, a weight for each channel", F.prelu, x(2, 3, 4), x(3)),
        case("hardshrink", F.hardshrink, a),
        case("softshrink 0.3", lambda t: F.softshrink(t, 0.3), a),
        case("tanhshrink", F.tanhshrink, a),
        case("softmin", lambda t: F.softmin(t, 1), a),
        case("gelu tanh", lambda t: F.gelu(t, approximate="tanh"), a),
        case("softplus 2.5", lambda t: F.softplus(t, 2.5, 1000), a),
        case("maxout 2", lambda t: t.reshape(3, 2, 2).amax(2), a),
        case("maxout 3, dim 0", lambda t: t.reshape(1, 3, 4).amax(1), a),
        case("glu", lambda t: F.glu(t, 0), x(4, 3)),
        case(
            "nanToNum 1, 2, 3",
            lambda t: torch.nan_to_num(t, 1, 2, 3),
            torch.tensor([math.nan, math.inf, -math.inf, 5.0], dtype=torch.float64),
        ),
    ]


def movement():
    m = x(2, 3, 4)
    pads = {
        "constant [1, 2]": lambda t: F.pad(t, [1, 2]),
        "constant [1, -1, 0, 2], value 5": lambda t: F.pad(t, [1, -1, 0, 2], value=5),
        "constant, all dimensions": lambda t: F.pad(t, [0, 1, 2, 0, 1, 1]),
        "reflect [2, 1]": lambda t: F.pad(t, [2, 1], mode="reflect"),
        "reflect [3, 0, 1, 2]": lambda t: F.pad(t[None], [3, 0, 1, 2], mode="reflect")[0],
        "replicate [2, 3]": lambda t: F.pad(t, [2, 3], mode="replicate"),
        "replicate [1, 0, 4, 1]": lambda t: F.pad(t[None], [1, 0, 4, 1], mode="replicate")[0],
        "circular [4, 1]": lambda t: F.pad(t, [4, 1], mode="circular"),
        "circular [1, 2, 3, 0]": lambda t: F.pad(t[None], [1, 2, 3, 0], mode="circular")[0],
        "replicate [-1, 2]": lambda t: F.pad(t, [-1, 2], mode="replicate"),
    }
    return [
        *(case(f"pad {name}", function, m) for name, function in pads.items()),
        case("narrow", lambda t: t.narrow(1, -2, 2), m),
        case("movedim", lambda t: t.movedim(0, -1), m),
        case("movedim of two", lambda t: t.movedim([0, 2], [1, 0]), m),
        case("unbind", lambda t: t.unbind(1), m),
        case("split 2", lambda t: t.split(2, 1), m),
        case("split [1, 3]", lambda t: t.split([1, 3], -1), m),
        case("chunk 3", lambda t: t.chunk(3, 2), m),
        case("chunk 5", lambda t: t.chunk(5), m),
        case("repeat", lambda t: t.repeat(2, 1, 3), m),
        case("repeat, more dimensions", lambda t: t.repeat(2, 1, 2, 1), m),
        case("repeat, none", lambda t: t.repeat(2, 0, 1), m),
        case("tile", lambda t: t.tile(2, 3), m),
        case("repeatInterleave 2, dim 1", lambda t: t.repeat_interleave(2, 1), m),
        case("repeatInterleave 3", lambda t: t.repeat_interleave(3), m),
        case("repeatInterleave [0, 2, 1], dim 1", lambda t: t.repeat_interleave(torch.tensor([0, 2, 1]), 1), m),
        case("roll 1", lambda t: t.roll(1), m),
        case("roll [-1, 5], dims [1, 2]", lambda t: t.roll([-1, 5], [1, 2]), m),
        case("rot90", lambda t: t.rot90(), m),
        case("rot90 -1, dims [1, 2]", lambda t: t.rot90(-1, [1, 2]), m),
        case("rot90 2, dims [2, 0]", lambda t: t.rot90(2, [2, 0]), m),
        case("meshgrid", lambda a, b: torch.meshgrid(a, b, indexing="ij"), x(3), x(2)),
        case("meshgrid xy", lambda a, b, c: torch.meshgrid(a, b, c, indexing="xy"), x(3), x(2), x(2)),
        case("tril", torch.tril, m),
        case("tril 1", lambda t: t.tril(1), m),
        case("triu -1", lambda t: t.triu(-1), m),
        case("diag of a vector", torch.diag, x(3)),
        case("diag of a vector, 2", lambda t: t.diag(2), x(3)),
        case("diag of a vector, -1", lambda t: t.diag(-1), x(3)),
        case("diag of a matrix", torch.diag, x(3, 4)),
        case("diagonal 1", lambda t: t.diagonal(1, -2, -1), m),
        case("diagonal -2", lambda t: t.diagonal(-2, -2, -1), m),
        case("diagonal 4", lambda t: t.diagonal(4, -2, -1), m),
        case("trace", torch.trace, x(3, 4)),
        case("oneHot", lambda t: F.one_hot(t, 4), torch.tensor([[0, 3], [2, 2]])),
    ]


def reductions():
    m = x(3, 4, 2)
    withzeros = torch.tensor([[1.5, 0.0, -2.0, 3.0], [0.0, 2.0, 0.0, 1.0], [0.5, -1.0, 2.0, 4.0]], dtype=torch.float64)
    infinite = torch.tensor([[-math.inf, -math.inf], [math.inf, 1.0], [0.0, 2.0]], dtype=torch.float64)
    norm = torch.linalg.vector_norm
    return [
        case("norm", lambda t: norm(t), m),
        case("norm of zeros", lambda t: norm(t, dim=0), torch.zeros(2, 3, dtype=torch.float64)),
        case("norm 1", lambda t: norm(t, 1, dim=(0, 2)), m),
        case("norm 3", lambda t: norm(t, 3, dim=1, keepdim=True), m),
        case("norm inf", lambda t: norm(t, math.inf, dim=-1), m),
        case("norm -inf", lambda t: norm(t, -math.inf, dim=-1), m),
        case("norm 0", lambda t: norm(t, 0, dim=1), withzeros),
        case("logsumexp", lambda t: t.logsumexp((0, 2)), m),
        case("logsumexp of infinities", lambda t: t.detach().logsumexp(1), infinite),
        case("std", lambda t: t.std((0, 1)), m),
        case("countNonzero", lambda t: t.count_nonzero(1), withzeros),
        case("cumsum", lambda t: t.cumsum(1), m),
        case("cumprod", lambda t: t.cumprod(1), m),
        case("cumprod with zeros", lambda t: t.cumprod(-1), withzeros),
        case("logcumsumexp", lambda t: t.logcumsumexp(1), 30 * m),
        case("cummax", lambda t: t.cummax(1).values, m),
        case("cummin", lambda t: t.cummin(0).values, m),
        case("cumprod of integers", lambda t: t.cumprod(0), i(1, 2, -3, 4, 5)),
        case("median", lambda t: t.median(1).values, m),
        case("median of all", lambda t: t.median(), m),
        case("median with NaN", lambda t: t.detach().median(1).values, torch.tensor([[1.0, math.nan, 2.0], [3.0, 1.0, 2.0]]).double()),
        case("median of integers", lambda t: t.median(), i(5, 1, 4, 2)),
        case("quantile 0.3", lambda t: t.quantile(0.3, 1), m),
        case("quantile [0, 0.5, 0.9, 1]", lambda t: t.quantile(torch.tensor([0, 0.5, 0.9, 1], dtype=torch.float64), 0, True), m),
        *(
            case(f"quantile {way}", lambda t, way=way: t.quantile(0.4, 1, interpolation=way), m)
            for way in ("lower", "higher", "midpoint", "nearest")
        ),
        case("sort", lambda t: tuple(v if k == 0 else v.int() for k, v in enumerate(t.sort(1, True))), m),
        case("argsort", lambda t: t.argsort(0).int(), m),
        case("topk 2", lambda t: tuple(v if k == 0 else v.int() for k, v in enumerate(t.topk(2, 1))), m),
        case(
            "topk 3, smallest",
            lambda t: tuple(v if k == 0 else v.int() for k, v in enumerate(t.topk(3, 0, largest=False))),
            m,
        ),
        case(
            "isClose",
            lambda a, b: torch.isclose(a, b, rtol=1e-3),
            torch.tensor([1.0, 1.0, math.inf, math.nan, math.inf], dtype=torch.float64),
            torch.tensor([1.0005, 1.005, math.inf, math.nan, 1.0], dtype=torch.float64),
        ),
    ]


def images():
    m = x(1, 2, 6, 8)
    up = lambda **options: lambda t: F.interpolate(t, **options)
    return [
        case("adaptiveAvgPool2d [3, 4]", lambda t: F.adaptive_avg_pool2d(t, (3, 4)), m),
        case("adaptiveAvgPool2d [4, 5]", lambda t: F.adaptive_avg_pool2d(t, (4, 5)), m),
        case("adaptiveAvgPool2d [1, null]", lambda t: F.adaptive_avg_pool2d(t, (1, None)), m),
        case("adaptiveAvgPool2d 1", lambda t: F.adaptive_avg_pool2d(t, 1), m),
        case("adaptiveAvgPool2d, larger", lambda t: F.adaptive_avg_pool2d(t, (7, 10)), m),
        case("adaptiveMaxPool2d [2, 4]", lambda t: F.adaptive_max_pool2d(t, (2, 4)), m),
        case("adaptiveMaxPool2d [4, 3]", lambda t: F.adaptive_max_pool2d(t, (4, 3)), m),
        case("adaptiveMaxPool2d 1", lambda t: F.adaptive_max_pool2d(t, 1), m[0]),
        case("nearest, size 9", up(size=9), m),
        case("nearest, scale 2", up(scale_factor=2), m),
        case("nearest, scale [0.6, 1.7]", up(scale_factor=(0.6, 1.7)), m),
        case("nearest-exact, size [4, 5]", up(size=(4, 5), mode="nearest-exact"), m),
        case("linear, size 11", up(size=11, mode="linear"), m[0]),
        case("bilinear, size [9, 5]", up(size=(9, 5), mode="bilinear"), m),
        case("bilinear, scale 2", up(scale_factor=2, mode="bilinear"), m),
        case("bilinear, scale 0.7", up(scale_factor=0.7, mode="bilinear"), m),
        case("bilinear, corners aligned", up(size=(11, 3), mode="bilinear", align_corners=True), m),
        case("bilinear, corners aligned, size 1", up(size=1, mode="bilinear", align_corners=True), m),
        case("unfold 2", lambda t: F.unfold(t, 2), m),
        case("unfold [3, 2]", lambda t: F.unfold(t, (3, 2), dilation=(1, 2), padding=(1, 0), stride=(2, 1)), m),
        case("fold 2", lambda t: F.fold(t, (3, 4), 2), x(1, 8, 6)),
        case("fold [3, 2]", lambda t: F.fold(t, (6, 8), (3, 2), dilation=(1, 2), padding=(1, 0), stride=(2, 1)), x(1, 12, 18)),
    ]


def indexing():
    m = x(3, 4, 5)
    rows, columns = i(2, 0, -1), i(1, 3, 0)
    grid = torch.tensor([[0, 1], [2, -3]])
    mask = torch.tensor([True, False, True, True])
    by = lambda *index: lambda t, *_: t[index if len(index) != 1 else index[0]]

    def put(*index):
        def changed(t, value):
            t = t.clone()
            t[index] = value
            return t

        return changed

    return [
        case("at 1", by(1), m),
        case("at -1, 2", by(-1, 2), m),
        case("at [1, 3]", by(slice(1, 3)), m),
        case("at ..., -1", by(..., -1), m),
        case("at [], null, 0", by(slice(None), None, 0), m),
        case("at [0, 4, 2] of the last", by(..., slice(0, 4, 2)), m),
        case("at [5, 1, -2] of the last", lambda t: t.flip(2)[..., 0:3:2], m),
        case("at integers", lambda t, a: t[a], m, rows),
        case("at a grid of integers", lambda t, a: t[:, a[:, :]], m, grid),
        case("at integers in the middle", lambda t, a: t[:, a], m, columns),
        case("at two of integers", lambda t, a, b: t[a, b], m, rows, columns),
        case("at two of integers, apart", lambda t, a, b: t[a, :, b], m, rows, columns),
        case("at integers that broadcast", lambda t, a, b: t[a[:, None], b[None, :], 1:4], m, rows, columns),
        case("at a number between integers", lambda t, a, b: t[a, 1, b], m, rows, columns),
        case("at a range and integers at the end", lambda t, a, b: t[0:2, a[:2], b[:2]], m, columns, rows),
        case("at one integer as a tensor", lambda t, a: t[a], m, torch.tensor(2)),
        case("at new dimensions around integers", lambda t, a: t[None, a, None], m, rows),
        case("at a mask", lambda t, a: t[:, a], m, mask),
        case("at a mask of several dimensions", lambda t: t[t > 0], m),
        case("at a mask of the first two", lambda t: t[t[..., 0] > 0], m),
        case("at a mask and integers", lambda t, a, b: t[a, b], m, torch.tensor([True, False, True]), i(3, 1)),
        case("with 1, 2", put(1, 2), m, x(5)),
        case("with a range", put(slice(0, 2), slice(1, 4, 2)), m, x(2, 1, 5)),
        case("with a number", lambda t: put(..., 0)(t, 7.0), m),
        case("with integers", lambda t, v, a: put(a)(t, v), m, x(2, 4, 5), i(2, 0)),
        case("with two of integers", lambda t, v, a, b: put(a, slice(None), b)(t, v), m, x(3, 4), rows, columns),
        case("with a mask", lambda t, v: put(t > 0)(t, v), m, x(1)),
        case("with a mask of rows", lambda t, v, a: put(slice(None), a)(t, v), m, x(3, 3, 5), mask),
        case("scatter", lambda t, a, v: t.scatter(1, a.long(), v), x(2, 4), torch.tensor([[0, 3], [2, 1]]), x(2, 2)),
    ]


def sized():
    holes = torch.tensor([[0.0, 2.0, -1.0], [3.0, 0.0, 0.0]], dtype=torch.float64)
    different = lambda t: tuple(
        v if k == 0 else v.int() for k, v in enumerate(t.detach().unique(return_inverse=True, return_counts=True))
    )
    return [
        case("nonzero", lambda t: t.nonzero().int(), holes),
        case("nonzero of nothing", lambda t: t.nonzero().int(), torch.zeros(2, 0, 3, dtype=torch.float64)),
        case("nonzero of a scalar", lambda t: t.nonzero().int(), torch.tensor(4)),
        case("unique", different, holes),
        case("unique of integers", different, i(5, -2, 5, 5, 0)),
        case("unique of booleans", different, torch.tensor([True, False, True])),
        case("unique of nothing", different, torch.zeros(0, dtype=torch.float64)),
    ]


def derivatives():
    from torch.autograd.functional import hessian, jacobian

    a, b = x(2, 3), x(3)
    bilinear = lambda p, q: torch.tanh(p @ q)
    scalar = lambda p, q: (p.exp() @ q).pow(3).sum() + p[0, 0] * q.square().sum()
    return [
        case("jacobian", lambda t: jacobian(lambda p: torch.stack([p.prod(), p.sin().sum()]), t, create_graph=True), b),
        case("jacobian of two", lambda p, q: jacobian(bilinear, (p, q), create_graph=True), a, b),
        case("jacobian of a matrix", lambda t: jacobian(lambda p: p @ p.T, t, create_graph=True), a),
        case("jacobian of a constant", lambda t: jacobian(lambda p: torch.ones(2).double(), t.detach()), b),
        case("hessian", lambda t: hessian(lambda p: p.pow(3).sum() + p.prod(), t, create_graph=True), b),
        case("hessian of two", lambda p, q: sum(hessian(scalar, (p, q), create_graph=True), ()), a, b),
        case("hessian of a sum", lambda t: hessian(lambda p: p.sum(), t.detach()), b),
    ]


def products():
    a, b, c, m = x(2, 3, 4), x(2, 4, 5), x(3, 4), x(4, 4)
    e = lambda equation: lambda *t: torch.einsum(equation, *t)
    equations = [
        ("bij,bjk->bik", a, b),
        ("bij,bjk->ikb", a, b),
        ("bij,bjk", a, b),
        ("bij,bjk->k", a, b),
        ("ij,kj->ik", c, m),
        ("ij,ij->", c, x(3, 4)),
        ("i,j->ij", x(3), x(4)),
        ("i,i->i", x(3), x(3)),
        ("bij->bji", a),
        ("bij->b", a),
        ("ba", c),
        ("ii->i", m),
        ("ii", m),
        ("bii,i->b", x(2, 3, 3), x(3)),
        ("...ij,...jk->...ik", x(3, 1, 2, 4), x(2, 4, 5)),
        ("...ij,jk", a, x(4, 2)),
        ("b...,b->...", a, x(2)),
        ("bij,bjk,kl,b->il", a, b, x(5, 2), x(2)),
        ("ij,j->i", x(0, 3), x(3)),
        ("ij,jk->ik", x(2, 0), x(0, 3)),
        ("ij,jk->ik", i(1, 2, 3, 4).reshape(2, 2), i(5, 6, 7, 8).reshape(2, 2)),
    ]
    near = x(4, 3)
    return [
        *(case(f"einsum {equation} of {', '.join(str(list(t.shape)) for t in ts)}", e(equation), *ts) for equation, *ts in equations),
        case("cdist", torch.cdist, x(5, 3), near),
        case("cdist, batches", torch.cdist, x(2, 5, 3), near),
        case("cdist 1", lambda s, t: torch.cdist(s, t, p=1), x(5, 3), near),
        case("cdist of equal rows", torch.cdist, near, near.clone()),
        case("bincount", lambda t: torch.bincount(t).int(), i(1, 4, 1, 0)),
        case("bincount, weights", lambda t, w: torch.zeros(7, dtype=w.dtype).index_add(0, t, w), i(1, 4, 1, 0), x(4)),
        case("bincount of nothing", lambda t: torch.bincount(t, minlength=2).int(), torch.zeros(0, dtype=torch.int32)),
    ]


def promotion():
    """The dtype of a sum of tensors of each two dtypes, the second also without dimensions, and with numbers."""
    dtypes = [torch.float32, torch.float64, torch.int32, torch.int64, torch.uint8, torch.bool]
    one = lambda dtype: torch.ones(2, dtype=dtype)
    return {
        NAMES[a]: {
            **{NAMES[b]: NAMES[(one(a) + one(b)).dtype] for b in dtypes},
            **{f"scalar {NAMES[b]}": NAMES[(one(a) + torch.ones((), dtype=b)).dtype] for b in dtypes},
            "2": NAMES[(one(a) + 2).dtype],
            "1.5": NAMES[(one(a) + 1.5).dtype],
        }
        for a in dtypes
    }


def main():
    torch.manual_seed(SEED)
    groups = {f.__name__: f() for f in (activations, movement, reductions, images, indexing, sized, derivatives, products)}
    data = {"torch": torch.__version__.split("+")[0], "seed": SEED, "promotion": promotion(), "groups": groups}
    path = pathlib.Path(__file__).parent / "tensor.json"
    path.write_text(json.dumps(data, separators=(",", ":")) + "\n")
    print({name: len(cases) for name, cases in groups.items()}, path.stat().st_size)


if __name__ == "__main__":
    main()
