"""Writes ops.safetensors and ops.json: every op's samples as PyTorch computes them.

    cargo run --release -p xtask -- samples > samples.json
    python test/reference/ops.py samples.json

Float inputs are f64. For each sample: its values; the gradients of sum(cotangent * value) towards every float input;
the gradients of sum(direction * gradient). Running the tests needs only the two files, not PyTorch.
"""

import json
import math
import pathlib
import sys
import warnings

import torch
from safetensors.numpy import save_file
from torch.nn import functional as F

from by_hand import celu, check_by_hand, copysign, elu, leaky_relu, lerp, piecewise, real, reals
from samples import hash_samples, numbers

COTANGENT, SECOND_COTANGENT = 100, 200

DTYPES = {
    None: torch.float64,
    "f32": torch.float32,
    "f64": torch.float64,
    "i32": torch.int32,
    "i64": torch.int64,
    "u8": torch.uint8,
    "bool": torch.bool,
}

# Ops that are compared with something else than PyTorch.
CLOSED_FORM = {
    "uniform": "a counter-based generator of its own; known answers of Philox 4x32-10, mean and variance",
    "normal": "draws from the generator; mean and variance",
    "bernoulli": "draws from the generator; mean",
    "randint": "draws from the generator; mean and range",
    "dropout": "draws from the generator; the share that is dropped",
}

# Samples that PyTorch refuses or defines otherwise: op and sample, with the reason.
NO_TWIN = {("sign", "non-finite"): "the sign of NaN is NaN here and 0 in PyTorch"}


def dims(a, x):
    return list(range(x.dim())) if a["dim"] is None else [d % x.dim() if x.dim() else 0 for d in a["dim"]]


def flattened(x, a):
    """The reduced dimensions as one, at the end, and the shape of the result."""
    over = dims(a, x) if x.dim() else []
    kept = [d for d in range(x.dim()) if d not in over]
    sizes = [x.shape[d] for d in kept]
    shape = [1 if d in over else x.shape[d] for d in range(x.dim())] if a["keep_dim"] else sizes
    return x.permute(kept + sorted(over)).reshape(sizes + [math.prod(x.shape[d] for d in over)]), shape


def along(function):
    """An op over the reduced dimensions as one."""

    def op(x, a):
        flat, shape = flattened(x, a)
        return function(flat).reshape(shape)

    return op


def total(x):
    return x if x.is_floating_point() else x.long()


def floats(function):
    """A float function of two."""
    return lambda t, a: function(*reals(t, "a", "b"))


def unary(function):
    return lambda t, a: function(t["x"])


def floating(function):
    """A float function: integers and bool give f32."""
    return lambda t, a: function(real(t["x"]))


def integral(function):
    """Rounding: integers stay what they are."""
    return lambda t, a: function(t["x"]) if t["x"].is_floating_point() else t["x"].clone()


def binary(function):
    return lambda t, a: function(t["a"], t["b"])


def reduction(function):
    return lambda t, a: along(function)(t["x"], a)


def cast(t, a):
    x, to = t["x"], DTYPES[a["dtype"]]
    if x.is_floating_point() and to not in (torch.bool, torch.float32, torch.float64):
        info = torch.iinfo(to)
        return x.nan_to_num(0.0, math.inf, -math.inf).trunc().clamp(info.min, info.max).to(to)
    return x.to(to)


def slice_(t, a):
    x = t["x"]
    for d, (start, length, step) in enumerate(zip(a["starts"], a["lengths"], a["steps"])):
        first = start + x.shape[d] if start < 0 else start
        x = x.index_select(d, torch.tensor([first + i * step for i in range(length)], dtype=torch.int64))
    return x


def pad(t, a):
    pairs = [a["padding"][2 * d : 2 * d + 2] for d in range(t["x"].dim())]
    return F.pad(t["x"], [n for pair in reversed(pairs) for n in pair], value=a["value"]) if pairs else t["x"].clone()


def concat(t, a):
    return torch.cat(list(t.values()), a["dim"])


def convolution(a):
    return {k: a[k] for k in ("stride", "padding", "dilation", "groups")}


def conv_transpose2d(t, a):
    x, w = t["x"], t["weight"]
    options = convolution(a)
    least = F.conv_transpose2d(x[:0], w, **options).shape[2:]
    output_padding = [wanted - given for wanted, given in zip(a["output_size"], least)]
    return F.conv_transpose2d(x, w, output_padding=output_padding, **options)


def conv2d_weight_gradient(t, a):
    g, x = t["g"], t["x"]
    shape = (g.shape[1], x.shape[1] // a["groups"], *a["kernel_size"])
    w = torch.zeros(shape, dtype=g.dtype, requires_grad=True)
    return torch.autograd.grad(F.conv2d(x, w, **convolution(a)), w, g, create_graph=True)[0]


def pooling(a):
    stride = None if a["stride"] == [0, 0] else a["stride"]
    return {"kernel_size": a["kernel_size"], "stride": stride, "padding": a["padding"]}


def max_pool2d(t, a):
    return F.max_pool2d(t["x"], return_indices=True, **pooling(a))


def max_pool2d_backward(t, a):
    g, places = t["g"], t["indices"].long().flatten(-2)
    lead = g.shape[:-2]
    out = torch.zeros(*lead, math.prod(a["input_size"]), dtype=g.dtype)
    return out.scatter_add(-1, places, g.flatten(-2)).reshape(*lead, *a["input_size"])


def avg_pool2d(t, a):
    return F.avg_pool2d(t["x"], count_include_pad=a["count_include_pad"], **pooling(a))


def avg_pool2d_backward(t, a):
    g = t["g"]
    x = torch.zeros(*g.shape[:-2], *a["input_size"], dtype=g.dtype, requires_grad=True)
    return torch.autograd.grad(avg_pool2d({"x": x}, a), x, g, create_graph=True)[0]


def batch_norm(t, a):
    x, weight, bias = t["x"], t.get("weight"), t.get("bias")
    if a["training"]:
        over = [d for d in range(x.dim()) if d != 1]
        y = F.batch_norm(x, None, None, weight, bias, True, 0.0, a["eps"])
        return y, x.mean(over), x.var(over, correction=0)
    # By hand: PyTorch has no gradient towards running statistics.
    shape = [1, -1] + [1] * (x.dim() - 2)
    mean, variance = t["running_mean"], t["running_var"]
    y = (x - mean.reshape(shape)) / (variance.reshape(shape) + a["eps"]).sqrt()
    y = y if weight is None else y * weight.reshape(shape)
    return y if bias is None else y + bias.reshape(shape), mean, variance


def layer_norm(t, a):
    # The bias added afterwards: PyTorch has no second order of a bias without a weight.
    y = F.layer_norm(t["x"], a["normalized_shape"], t.get("weight"), None, a["eps"])
    return y + t["bias"] if "bias" in t else y


def cross_entropy(t, a):
    logits, target, weight = t["logits"], t["target"].long(), t.get("weight")
    ignore = -100 if a["ignore_index"] is None else a["ignore_index"]
    smoothing, reduction = a["label_smoothing"], ("none", "mean", "sum")[a["reduction"]]
    rest = {"ignore_index": ignore, "reduction": reduction, "label_smoothing": smoothing}
    if weight is None:
        return F.cross_entropy(logits, target, **rest)
    # By hand: PyTorch has no gradient towards the weights.
    classes = 1 if logits.dim() > 1 else 0
    logs, counted = F.log_softmax(logits, classes).movedim(classes, -1), target != ignore
    places = target.where(counted, 0)
    share = F.one_hot(places, logs.shape[-1]).to(logs.dtype) * (1 - smoothing) + smoothing / logs.shape[-1]
    loss = -(share * weight * logs).sum(-1) * counted
    loss = {"none": loss, "sum": loss.sum(), "mean": loss.sum() / (weight[places] * counted).sum()}[reduction]
    torch.testing.assert_close(loss, F.cross_entropy(logits, target, weight.detach(), **rest), equal_nan=True)
    return loss


def embedding_backward(t, a):
    g, indices = t["g"], t["indices"].long().flatten()
    rows = g.reshape(indices.numel(), g.shape[-1])
    if a["padding_idx"] is not None:
        rows = rows * (indices != a["padding_idx"]).unsqueeze(1)
    return torch.zeros(a["rows"], g.shape[-1], dtype=g.dtype).index_add(0, indices, rows)


def clamp(t, a):
    return torch.clamp(t["x"], t.get("min"), t.get("max"))


BINARY = "add sub mul pow remainder fmod floor_divide maximum minimum eq ne lt le gt ge logical_and logical_or logical_xor bitwise_and bitwise_or bitwise_xor bitwise_left_shift bitwise_right_shift matmul".split()
UNARY = "logical_not bitwise_not neg abs square relu".split()
FLOATING = (
    "sqrt rsqrt reciprocal exp expm1 exp2 log log2 log10 log1p sin cos tan asin acos atan sinh cosh asinh acosh "
    "atanh tanh erf erfc logit sigmoid frac"
).split()
INTEGRAL = "floor ceil round trunc".split()

def arange(t, a):
    start, step, dtype = t["start"].detach(), t["step"].detach(), DTYPES[a["dtype"]]
    return start.to(dtype) + step.to(dtype) * torch.arange(a["length"], dtype=dtype)


OPS = {
    **{name: binary(getattr(torch, name)) for name in BINARY},
    **{name: unary(getattr(torch, name)) for name in UNARY},
    **{name: floating(getattr(torch, name)) for name in FLOATING},
    **{name: integral(getattr(torch, name)) for name in INTEGRAL},
    "div": binary(torch.true_divide),
    "sign": unary(torch.sgn),
    "gelu": floating(F.gelu),
    "gelu_tanh": floating(lambda x: F.gelu(x, approximate="tanh")),
    "silu": floating(F.silu),
    "softplus": floating(lambda x: F.softplus(x, threshold=1000.0)),
    "hardswish": floating(F.hardswish),
    "atan2": floats(torch.atan2),
    "hypot": floats(torch.hypot),
    "copysign": copysign,
    "logaddexp": floats(torch.logaddexp),
    "xlogy": floats(torch.xlogy),
    "relu6": lambda t, a: F.relu6(t["x"]) if t["x"].is_floating_point() else t["x"].clamp(0, 6),
    "leaky_relu": leaky_relu,
    "elu": elu,
    "selu": floating(F.selu),
    "celu": celu,
    "mish": floating(F.mish),
    "softsign": floating(F.softsign),
    "logsigmoid": floating(F.logsigmoid),
    "hardsigmoid": floating(lambda x: (x + 3).clamp(0, 6) / 6),  # PyTorch has no second order of its own
    "hardtanh": lambda t, a: torch.clamp(t["x"], t["min"], t["max"]),
    "threshold": lambda t, a: piecewise(t["x"], t["threshold"], t["x"], t["value"]),
    "lerp": lerp,
    "is_inf": unary(torch.isinf),
    "is_nan": unary(torch.isnan),
    "is_finite": unary(torch.isfinite),
    "where": lambda t, a: torch.where(t["condition"] != 0, t["a"], t["b"]),
    "clamp_min": lambda t, a: torch.clamp(t["x"], min=t["min"]),
    "clamp_max": lambda t, a: torch.clamp(t["x"], max=t["max"]),
    "clamp": clamp,
    "cast": cast,
    "reshape": lambda t, a: t["x"].reshape(a["shape"]),
    "permute": lambda t, a: t["x"].permute(a["dims"]),
    "expand": lambda t, a: t["x"].expand(a["shape"]),
    "slice": slice_,
    "flip": lambda t, a: t["x"].flip(a["dims"]),
    "pad": pad,
    "concat": concat,
    "full": lambda t, a: t["value"].to(DTYPES[a["dtype"]]).expand(a["shape"]),
    "arange": arange,
    "sum": reduction(lambda x: total(x).sum(-1)),
    "prod": reduction(lambda x: total(x).prod(-1)),
    "max": reduction(lambda x: x.amax(-1)),
    "min": reduction(lambda x: x.amin(-1)),
    "mean": reduction(lambda x: real(x).mean(-1)),
    "variance": lambda t, a: along(lambda x: real(x).var(-1, correction=a["correction"]))(t["x"], a),
    "argmax": reduction(lambda x: (x.byte() if x.dtype == torch.bool else x).argmax(-1)),
    "argmin": reduction(lambda x: (x.byte() if x.dtype == torch.bool else x).argmin(-1)),
    "any": reduction(lambda x: (x != 0).any(-1)),
    "all": reduction(lambda x: (x != 0).all(-1)),
    "conv2d": lambda t, a: F.conv2d(t["x"], t["weight"], **convolution(a)),
    "conv_transpose2d": conv_transpose2d,
    "conv2d_weight_gradient": conv2d_weight_gradient,
    "max_pool2d": max_pool2d,
    "max_pool2d_backward": max_pool2d_backward,
    "avg_pool2d": avg_pool2d,
    "avg_pool2d_backward": avg_pool2d_backward,
    "softmax": lambda t, a: torch.softmax(t["x"], a["dim"]),
    "log_softmax": lambda t, a: torch.log_softmax(t["x"], a["dim"]),
    "batch_norm": batch_norm,
    "layer_norm": layer_norm,
    "cross_entropy": cross_entropy,
    "gather": lambda t, a: torch.gather(t["x"], a["dim"], t["index"].long()),
    "scatter": lambda t, a: t["x"].scatter(a["dim"], t["index"].long(), t["source"]),
    "scatter_add": lambda t, a: t["x"].scatter_add(a["dim"], t["index"].long(), t["source"]),
    "index_select": lambda t, a: t["x"].index_select(a["dim"], t["index"].long()),
    "index_add": lambda t, a: t["x"].index_add(a["dim"], t["index"].long(), t["source"]),
    "cummax": lambda t, a: tuple(torch.cummax(t["x"], a["dim"])),
    "cummin": lambda t, a: tuple(torch.cummin(t["x"], a["dim"])),
    "cumsum": lambda t, a: total(t["x"]).cumsum(a["dim"]),
    "sort": lambda t, a: tuple(torch.sort(t["x"], dim=a["dim"], descending=a["descending"], stable=True)),
    "embedding": lambda t, a: F.embedding(t["indices"].long(), t["weight"], a["padding_idx"]),
    "embedding_backward": embedding_backward,
}


def tensor(x):
    if x["dtype"] in (None, "f32", "f64"):
        values = torch.tensor([float(v) for v in x["values"]], dtype=torch.float64).to(DTYPES[x["dtype"]])
    else:
        values = torch.tensor(x["values"], dtype=torch.int64).to(DTYPES[x["dtype"]])
    return values.reshape(x["shape"])


def towards(op, sample, roots, inputs, first):
    """Gradients of sum(numbers * root) over the roots that depend on an input."""
    live = [(i, r) for i, r in enumerate(roots) if r is not None and r.requires_grad and r.is_floating_point()]
    if not live or not inputs:
        return [None] * len(inputs)
    cotangents = [numbers(op, sample, first + i, r.shape).to(r.dtype) for i, r in live]
    return torch.autograd.grad([r for _, r in live], inputs, cotangents, create_graph=True, allow_unused=True)


def run(op, sample):
    """A sample's values and gradients, by name."""
    t = {x["name"]: tensor(x) for x in sample["inputs"]}
    floats = [i for i, x in enumerate(t.values()) if x.is_floating_point()]
    leaves = [x.requires_grad_() for x in t.values() if x.is_floating_point()]
    values = OPS[op](t, sample["attributes"])
    values = values if isinstance(values, tuple) else (values,)
    found = {f"value{i}": v for i, v in enumerate(values)}
    if sample["differentiable"]:
        by_input = lambda list: [list[floats.index(i)] if i in floats else None for i in range(len(t))]
        first = by_input(towards(op, sample["index"], values, leaves, COTANGENT))
        second = by_input(towards(op, sample["index"], first, leaves, SECOND_COTANGENT))
        found |= {f"gradient{i}": g for i, g in enumerate(first) if g is not None}
        found |= {f"second{i}": g for i, g in enumerate(second) if g is not None}
    return found


def array(x):
    """Floats as f64, integers as i32 where they fit."""
    if x.is_floating_point():
        return x.detach().double().contiguous().numpy(force=True).copy()
    x = x.contiguous()
    return (x.int() if x.dtype == torch.int64 and bool((x.abs() < 2**31).all()) else x).numpy().copy()


def main(path):
    check_by_hand()
    ops = json.loads(pathlib.Path(path).read_text())["ops"]
    arrays, hashes, left_out = {}, {}, {}
    for op in ops:
        name = op["op"]
        if name in CLOSED_FORM:
            continue
        hashes[name] = hash_samples(op)
        for sample in op["samples"]:
            reason = NO_TWIN.get((name, sample["name"]))
            if reason:
                left_out[f"{name}/{sample['index']}"] = reason
                continue
            try:
                found = run(name, sample)
            except (RuntimeError, IndexError, TypeError) as e:
                raise SystemExit(f"{name}, sample {sample['name']!r}: {e}")
            arrays |= {f"{name}/{sample['index']}/{key}": array(value) for key, value in found.items()}
    folder = pathlib.Path(__file__).parent
    version = torch.__version__.split("+")[0]
    metadata = {"torch": version, "samples": json.dumps(hashes), "leftOut": json.dumps(left_out)}
    save_file(arrays, folder / "ops.safetensors", metadata)
    index = {"torch": version, "ops": list(hashes), "closedForm": CLOSED_FORM}
    (folder / "ops.safetensors").chmod(0o644)
    (folder / "ops.json").write_text(json.dumps(index, indent=2) + "\n")
    print(f"{len(hashes)} ops, {len(arrays)} arrays, {len(left_out)} samples left out")


if __name__ == "__main__":
    warnings.filterwarnings("ignore", "var")  # of too few elements: NaN is what is wanted
    main(sys.argv[1])
