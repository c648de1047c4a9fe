"""Tensors and calls of modules as the fixtures store them."""

import json
import pathlib
import re

import torch
from torch import nn


def array(x):
    """A tensor as {shape, data} (bool: and dtype); f32 numbers keep nine digits, which name them exactly."""
    digits = 17 if x.dtype == torch.float64 else 9
    data = [float(f"{v:.{digits}g}") if x.dtype.is_floating_point else int(v) for v in x.detach().flatten().tolist()]
    return {"shape": list(x.shape), "data": data} | ({"dtype": "bool"} if x.dtype == torch.bool else {})


def option(x):
    """An option of a call; integer tensors say so."""
    if not isinstance(x, torch.Tensor):
        return x
    return array(x) | ({"dtype": "i32"} if x.dtype in (torch.int32, torch.int64) else {})


def state(module):
    return {key: array(value) for key, value in module.state_dict().items()}


def snake(options):
    """The options under Python's names."""
    return {re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower(): value for name, value in options.items()}


def made(name, args):
    """torch.nn's module of this name; a dict at the end of `args` is keywords, lists are tuples."""
    positional, options = (args[:-1], args[-1]) if args and isinstance(args[-1], dict) else (args, {})
    tuples = [tuple(a) if isinstance(a, list) else a for a in positional]
    return getattr(nn, name)(*tuples, **{k: tuple(v) if isinstance(v, list) else v for k, v in snake(options).items()})


def flat(nested):
    return [nested] if isinstance(nested, torch.Tensor) else [x for part in nested if part is not None for x in flat(part)]


def layer(name, args, *inputs, module=None, mode="train", options=None, call=None, wrap=None):
    """
    One call of a module: what it gives, the gradients of the sum of its outputs' cubes, its state before and after.

    `module` is made from name and args where it is left out. Inputs may be tuples of tensors; `options` are those of
    the call, and `call` makes it where PyTorch's way differs. `wrap` names what the module is given to first, and its
    options.
    """
    module = made(name, args) if module is None else module
    module.zero_grad()
    module.train(mode == "train")
    before = state(module)
    ask = lambda x: x.clone().requires_grad_(x.dtype.is_floating_point)
    given = [ask(x) if isinstance(x, torch.Tensor) else tuple(ask(part) for part in x) for x in inputs]
    outputs = flat(call(module, *given) if call else module(*given, **snake(options or {})))
    total = sum((y * y * y).sum() for y in outputs)
    total.backward() if total.requires_grad else None
    after = state(module)
    places = iter(range(len(flat(given))))
    return {
        "module": name,
        "args": args,
        "wrap": wrap,
        "mode": mode,
        "before": before,
        "inputs": [array(x) for x in flat(given)],
        "integers": [not x.dtype.is_floating_point for x in flat(given)],
        "arguments": [next(places) if isinstance(x, torch.Tensor) else [next(places) for _ in x] for x in given],
        "options": {k: option(v) for k, v in options.items()} if options else None,
        "outputs": [array(y) for y in outputs],
        "inputGradients": [None if x.grad is None else array(x.grad) for x in flat(given)],
        "gradients": {k: array(p.grad) for k, p in module.named_parameters() if p.grad is not None},
        "after": None if after == before else after,
    }


def write(script, result):
    """Writes `result` to the JSON file beside `script`."""
    pathlib.Path(script).with_suffix(".json").write_text(json.dumps(result, separators=(",", ":")) + "\n")
