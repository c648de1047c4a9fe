"""Writes nn.json: layers, losses, optimizers and schedules as PyTorch computes them.

    python test/reference/nn.py

Layers and losses are f32, optimizers f64. Running the tests needs only the JSON file.
"""

import json
import pathlib

import torch
from torch import nn
from torch.nn import functional as F

SEED = 20260101


def array(x):
    """A tensor as {shape, data}; f32 numbers keep nine digits, which name them exactly."""
    digits = 17 if x.dtype == torch.float64 else 9
    data = [float(f"{v:.{digits}g}") if x.dtype.is_floating_point else int(v) for v in x.detach().flatten().tolist()]
    return {"shape": list(x.shape), "data": data}


def state(module):
    return {key: array(value) for key, value in module.state_dict().items()}


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


def losses():
    logits = torch.randn(4, 5)
    classes = torch.tensor([1, 0, 4, 2])
    dense = torch.randn(2, 5, 3)
    dense_classes = torch.tensor([[1, 0, 3], [4, 3, 2]])
    weight = torch.rand(5) + 0.5
    scores, targets = torch.randn(3, 4) * 3, torch.rand(3, 4)
    element, positive = torch.rand(3, 4), torch.rand(4) + 0.5
    cases = []

    def add(name, fn, prediction, target, options, torch_options):
        for reduction in ["mean", "sum", "none"]:
            x = prediction.clone().requires_grad_()
            y = fn(x, target, reduction=reduction, **torch_options)
            y.sum().backward()
            cases.append(
                {
                    "loss": name,
                    "prediction": array(prediction),
                    "target": array(target),
                    "integers": not target.dtype.is_floating_point,
                    "tensors": {k: array(v) for k, v in options.items() if isinstance(v, torch.Tensor)},
                    "options": {k: v for k, v in options.items() if not isinstance(v, torch.Tensor)}
                    | {"reduction": reduction},
                    "output": array(y),
                    "gradient": array(x.grad),
                }
            )

    add("crossEntropy", F.cross_entropy, logits, classes, {}, {})
    add("crossEntropy", F.cross_entropy, dense, dense_classes, {"weight": weight}, {"weight": weight})
    options = {"ignoreIndex": 3, "labelSmoothing": 0.1, "weight": weight}
    torch_options = {"ignore_index": 3, "label_smoothing": 0.1, "weight": weight}
    add("crossEntropy", F.cross_entropy, dense, dense_classes, options, torch_options)
    log = F.log_softmax(dense, 1)
    add("nllLoss", F.nll_loss, F.log_softmax(logits, 1), classes, {}, {})
    add(
        "nllLoss",
        F.nll_loss,
        log,
        dense_classes,
        {"weight": weight, "ignoreIndex": 3},
        {"weight": weight, "ignore_index": 3},
    )
    add("mseLoss", F.mse_loss, scores, targets, {}, {})
    add("l1Loss", F.l1_loss, scores, targets, {}, {})
    bce = F.binary_cross_entropy_with_logits
    add("bceWithLogits", bce, scores, targets, {}, {})
    add(
        "bceWithLogits",
        bce,
        scores,
        targets,
        {"weight": element, "posWeight": positive},
        {"weight": element, "pos_weight": positive},
    )
    return cases


def optimizers():
    x, target = torch.randn(8, 3, dtype=torch.float64), torch.randn(8, 2, dtype=torch.float64)
    start = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()
    initial = {k: v.clone() for k, v in start.state_dict().items()}
    cases = []

    def add(name, options, make, clip=None):
        start.load_state_dict(initial)
        optimizer = make(start.parameters())
        losses = []
        for _ in range(50):
            optimizer.zero_grad()
            loss = F.mse_loss(start(x), target)
            loss.backward()
            if clip:
                nn.utils.clip_grad_norm_(start.parameters(), clip)
            optimizer.step()
            losses.append(loss.item())
        cases.append({"optimizer": name, "options": options, "clip": clip, "losses": losses, "after": state(start)})

    o = torch.optim
    add("SGD", {"lr": 0.1}, lambda p: o.SGD(p, lr=0.1))
    add(
        "SGD",
        {"lr": 0.05, "momentum": 0.9, "dampening": 0.2, "weightDecay": 0.01},
        lambda p: o.SGD(p, lr=0.05, momentum=0.9, dampening=0.2, weight_decay=0.01),
    )
    add(
        "SGD",
        {"lr": 0.05, "momentum": 0.8, "nesterov": True},
        lambda p: o.SGD(p, lr=0.05, momentum=0.8, nesterov=True),
    )
    add("Adam", {"lr": 0.01}, lambda p: o.Adam(p, lr=0.01))
    add(
        "Adam",
        {"lr": 0.02, "betas": [0.8, 0.95], "eps": 1e-4, "weightDecay": 0.1},
        lambda p: o.Adam(p, lr=0.02, betas=(0.8, 0.95), eps=1e-4, weight_decay=0.1),
    )
    add("AdamW", {"lr": 0.01}, lambda p: o.AdamW(p, lr=0.01))
    add("AdamW", {"lr": 0.03, "weightDecay": 0.2}, lambda p: o.AdamW(p, lr=0.03, weight_decay=0.2))
    add("SGD", {"lr": 0.1}, lambda p: o.SGD(p, lr=0.1), clip=0.2)
    return {
        "x": array(x),
        "target": array(target),
        "initial": {k: array(v) for k, v in initial.items()},
        "cases": cases,
    }


def schedules():
    o, s = torch.optim, torch.optim.lr_scheduler
    cases = []

    def add(name, options, optimizer_name, optimizer_options, optimizer, schedule, steps):
        group = optimizer.param_groups[0]
        rows = []
        for _ in range(steps):
            rows.append([group["lr"], group["betas"][0] if "betas" in group else group.get("momentum", 0)])
            optimizer.step()
            schedule.step()
        cases.append(
            {
                "schedule": name,
                "options": options,
                "optimizer": optimizer_name,
                "optimizerOptions": optimizer_options,
                "rows": rows,
            }
        )

    p = lambda: [nn.Parameter(torch.ones(1))]
    sgd = lambda **k: o.SGD(p(), **k)
    x = sgd(lr=0.5)
    add("StepLR", {"stepSize": 4, "gamma": 0.3}, "SGD", {"lr": 0.5}, x, s.StepLR(x, 4, 0.3), 15)
    x = sgd(lr=0.5)
    add(
        "CosineAnnealingLR",
        {"tMax": 12, "etaMin": 0.05},
        "SGD",
        {"lr": 0.5},
        x,
        s.CosineAnnealingLR(x, 12, eta_min=0.05),
        13,
    )
    x = o.AdamW(p(), lr=1e-3)
    add(
        "OneCycleLR",
        {"maxLr": 0.01, "totalSteps": 20},
        "AdamW",
        {"lr": 1e-3},
        x,
        s.OneCycleLR(x, 0.01, total_steps=20),
        20,
    )
    x = sgd(lr=0.1, momentum=0.9)
    options = {"maxLr": 0.4, "totalSteps": 17, "pctStart": 0.25, "anneal": "linear", "divFactor": 10}
    schedule = s.OneCycleLR(x, 0.4, total_steps=17, pct_start=0.25, anneal_strategy="linear", div_factor=10)
    add("OneCycleLR", options, "SGD", {"lr": 0.1, "momentum": 0.9}, x, schedule, 17)
    x = sgd(lr=0.1, momentum=0.9)
    options = {"maxLr": 0.4, "totalSteps": 9, "cycleMomentum": False, "finalDivFactor": 100}
    schedule = s.OneCycleLR(x, 0.4, total_steps=9, cycle_momentum=False, final_div_factor=100)
    add("OneCycleLR", options, "SGD", {"lr": 0.1, "momentum": 0.9}, x, schedule, 9)
    return cases


torch.manual_seed(SEED)
result = {
    "torch": torch.__version__.split("+")[0],
    "seed": SEED,
    "layers": layers(),
    "losses": losses(),
    "optimizers": optimizers(),
    "schedules": schedules(),
}
pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(result, separators=(",", ":")) + "\n")
