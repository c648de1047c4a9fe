"""What PyTorch has for numbers only, or differentiates once: the same for tensors, checked against PyTorch's own."""

import torch
from torch.nn import functional as F


def real(x):
    return x if x.is_floating_point() else x.float()


def reals(t, *names):
    """Operands in the float type that they are promoted to."""
    operands = [real(t[name]) for name in names]
    dtype = torch.float64 if any(x.dtype == torch.float64 for x in operands) else torch.float32
    return [x.to(dtype) for x in operands]


def piecewise(x, at, above, below):
    """An activation that PyTorch has for one number only: by hand, for tensors of them."""
    return torch.where(x > at, above, below)


def elu(t, a):
    x, alpha = reals(t, "x", "alpha")
    return piecewise(x, 0, x, alpha * x.clamp(max=0).expm1())


def celu(t, a):
    x, alpha = reals(t, "x", "alpha")
    return piecewise(x, 0, x, alpha * (x.clamp(max=0) / alpha).expm1())


def leaky_relu(t, a):
    x, slope = reals(t, "x", "slope")
    return piecewise(x, 0, x, x * slope)


def check_by_hand():
    """What is written by hand against PyTorch, where it has it."""
    x = torch.linspace(-4, 4, 101, dtype=torch.float64)
    n = lambda v: torch.tensor(v, dtype=torch.float64)
    for ours, theirs in [
        (elu({"x": x, "alpha": n(0.7)}, None), F.elu(x, 0.7)),
        (celu({"x": x, "alpha": n(0.7)}, None), F.celu(x, 0.7)),
        (leaky_relu({"x": x, "slope": n(0.1)}, None), F.leaky_relu(x, 0.1)),
        (piecewise(x, n(0.3), x, n(9.0)), F.threshold(x, 0.3, 9.0)),
        (lerp({"a": x, "b": x.flip(0), "weight": n(0.8)}, None), torch.lerp(x, x.flip(0), 0.8)),
        (copysign({"a": x, "b": n(-0.0)}, None), torch.copysign(x, n(-0.0))),
    ]:
        torch.testing.assert_close(ours, theirs)


def lerp(t, a):
    x, y, weight = reals(t, "a", "b", "weight")
    return torch.where(weight < 0.5, x + weight * (y - x), y - (y - x) * (1 - weight))


def copysign(t, a):
    """By hand: PyTorch's gradient is NaN next to integers."""
    x, y = reals(t, "a", "b")
    return torch.where(torch.signbit(y), -x.abs(), x.abs())
