"""Writes nn.json: layers as PyTorch computes them, in f32.

    python test/reference/nn.py

Running the tests needs only the JSON file.
"""

import torch
from torch import nn

from stored import array, state, write

SEED = 20260101


def layer(name, args, module, inputs, mode="train"):
    """One call of `module`: what it gives, the gradients of the sum of its cubes, and its state before and after."""
    module.train(mode == "train")
    before = state(module)
    floats = inputs.dtype.is_floating_point
    x = inputs.clone().requires_grad_(floats)
    y = module(x)
    (y * y * y).sum().backward() if y.requires_grad else None
    return {
        "module": name,
        "args": args,
        "mode": mode,
        "before": before,
        "input": array(inputs),
        "integers": not floats,
        "output": array(y),
        "inputGradient": array(x.grad) if floats else None,
        "gradients": {k: array(p.grad) for k, p in module.named_parameters() if p.grad is not None},
        "after": state(module),
    }


def layers():
    images = lambda *shape: torch.randn(*shape)
    cases = [
        layer("Linear", [5, 3], nn.Linear(5, 3), images(4, 5)),
        layer("Linear", [5, 3, {"bias": False}], nn.Linear(5, 3, bias=False), images(2, 3, 5)),
        layer("Conv2d", [2, 3, 3], nn.Conv2d(2, 3, 3), images(2, 2, 5, 6)),
        layer(
            "Conv2d",
            [2, 4, [3, 2], {"stride": [2, 1], "padding": [1, 2], "bias": False}],
            nn.Conv2d(2, 4, (3, 2), stride=(2, 1), padding=(1, 2), bias=False),
            images(2, 2, 6, 5),
        ),
        layer(
            "Conv2d",
            [4, 6, 3, {"padding": 2, "dilation": 2, "groups": 2}],
            nn.Conv2d(4, 6, 3, padding=2, dilation=2, groups=2),
            images(1, 4, 6, 6),
        ),
        layer("MaxPool2d", [2], nn.MaxPool2d(2), images(2, 2, 5, 4)),
        layer(
            "MaxPool2d", [3, {"stride": 2, "padding": 1}], nn.MaxPool2d(3, stride=2, padding=1), images(1, 2, 6, 7)
        ),
        layer("AvgPool2d", [2], nn.AvgPool2d(2), images(2, 2, 4, 6)),
        layer(
            "AvgPool2d", [3, {"stride": 2, "padding": 1}], nn.AvgPool2d(3, stride=2, padding=1), images(1, 2, 6, 7)
        ),
        layer("AdaptiveAvgPool2d", [1], nn.AdaptiveAvgPool2d(1), images(2, 3, 4, 5)),
        layer("ReLU", [], nn.ReLU(), images(3, 4)),
        layer("GELU", [], nn.GELU(), images(3, 4)),
        layer("Tanh", [], nn.Tanh(), images(3, 4)),
        layer("Sigmoid", [], nn.Sigmoid(), images(3, 4)),
        layer("Hardswish", [], nn.Hardswish(), torch.linspace(-4.5, 4.5, 12).reshape(3, 4)),
        layer("Identity", [], nn.Identity(), images(3, 4)),
        layer("Flatten", [], nn.Flatten(), images(2, 3, 2, 2)),
        layer("Flatten", [2], nn.Flatten(2), images(2, 3, 2, 2)),
        layer("Embedding", [6, 3], nn.Embedding(6, 3), torch.tensor([[0, 5, 2], [2, 2, 1]])),
        layer(
            "Embedding", [6, 3, {"paddingIdx": 2}], nn.Embedding(6, 3, padding_idx=2), torch.tensor([0, 2, 5, 2, 1])
        ),
    ]
    for args, module in [
        ([3], nn.BatchNorm2d(3)),
        ([3, {"momentum": 0.3, "eps": 1e-3}], nn.BatchNorm2d(3, momentum=0.3, eps=1e-3)),
        ([3, {"momentum": None}], nn.BatchNorm2d(3, momentum=None)),
        ([3, {"affine": False}], nn.BatchNorm2d(3, affine=False)),
        ([3, {"trackRunningStats": False}], nn.BatchNorm2d(3, track_running_stats=False)),
    ]:
        if module.affine:
            nn.init.normal_(module.weight)
            nn.init.normal_(module.bias)
        for mode in ["train", "train", "eval"]:
            module.zero_grad()
            cases.append(layer("BatchNorm2d", args, module, 2 * images(4, 3, 3, 2) + 1, mode))
    return cases


torch.manual_seed(SEED)
write(__file__, {"torch": torch.__version__.split("+")[0], "seed": SEED, "layers": layers()})
