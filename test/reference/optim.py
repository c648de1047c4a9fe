"""Writes optim.json: optimizers and schedules as PyTorch computes them, LAMB and LARS as timm does.

    python test/reference/optim.py

Everything is f64. Running the tests needs only the JSON file.
"""

import timm
import timm.optim
import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import lr_scheduler

from stored import array, snake, state, write

SEED = 20260102
STEPS = 50
CLASSES = {"LAMB": timm.optim.Lamb, "LARS": timm.optim.Lars}


def optimizers():
    x, target = torch.randn(8, 3, dtype=torch.float64), torch.randn(8, 2, dtype=torch.float64)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()
    initial = {key: value.clone() for key, value in model.state_dict().items()}
    cases = []

    def add(name, options, clip=None, groups=None):
        """50 steps; `groups` gives the two linear layers options of their own, `clip` is [kind, limit, norm type]."""
        model.load_state_dict(initial)
        make = CLASSES.get(name) or getattr(torch.optim, name)
        parameters = model.parameters()
        if groups:
            layers = [model[0], model[2]]
            parameters = [{"params": list(m.parameters()), **snake(own)} for m, own in zip(layers, groups)]
        optimizer = make(parameters, **snake(options))
        losses = []
        for _ in range(STEPS):
            optimizer.zero_grad()
            loss = F.mse_loss(model(x), target)
            (-loss if options.get("maximize") else loss).backward()
            if clip and clip[0] == "norm":
                nn.utils.clip_grad_norm_(model.parameters(), clip[1], norm_type=clip[2])
            if clip and clip[0] == "value":
                nn.utils.clip_grad_value_(model.parameters(), clip[1])
            optimizer.step()
            losses.append(loss.item())
        if clip and clip[2] == float("inf"):
            clip = [clip[0], clip[1], "Infinity"]
        case = {"optimizer": name, "options": options, "clip": clip, "groups": groups}
        cases.append(case | {"losses": losses, "after": state(model)})

    add("SGD", {"lr": 0.1})
    add("SGD", {"lr": 0.05, "momentum": 0.9, "dampening": 0.2, "weightDecay": 0.01})
    add("SGD", {"lr": 0.05, "momentum": 0.8, "nesterov": True})
    add("SGD", {"lr": 0.05, "momentum": 0.8, "maximize": True, "weightDecay": 0.02})
    add("SGD", {"lr": 0.1, "momentum": 0.5}, groups=[{"lr": 0.02}, {"weightDecay": 0.1, "momentum": 0}])
    add("Adam", {"lr": 0.01})
    add("Adam", {"lr": 0.02, "betas": [0.8, 0.95], "eps": 1e-4, "weightDecay": 0.1})
    add("Adam", {"lr": 0.05, "amsgrad": True})
    add("Adam", {"lr": 0.02, "maximize": True, "weightDecay": 0.1})
    add("AdamW", {"lr": 0.01})
    add("AdamW", {"lr": 0.03, "weightDecay": 0.2})
    add("AdamW", {"lr": 0.05, "amsgrad": True, "weightDecay": 0.1})
    add("AdamW", {"lr": 0.02, "maximize": True})
    add("AdamW", {"lr": 0.03}, groups=[{"weightDecay": 0, "betas": [0.7, 0.9]}, {"lr": 0.01, "weightDecay": 0.3}])
    add("Adagrad", {"lr": 0.1})
    add("Adagrad", {"lr": 0.2, "lrDecay": 0.05, "weightDecay": 0.1, "initialAccumulatorValue": 0.3, "eps": 1e-3})
    add("Adagrad", {"lr": 0.1, "maximize": True})
    add("RMSprop", {"lr": 0.01})
    add("RMSprop", {"lr": 0.01, "alpha": 0.9, "centered": True, "eps": 1e-2})
    add("RMSprop", {"lr": 0.005, "momentum": 0.8, "weightDecay": 0.05})
    add("RMSprop", {"lr": 0.005, "momentum": 0.8, "centered": True, "maximize": True})
    add("LAMB", {"lr": 0.02})
    add("LAMB", {"lr": 0.05, "weightDecay": 0, "betas": [0.8, 0.99], "eps": 1e-4})
    add("LAMB", {"lr": 0.05, "weightDecay": 0.1, "maxGradNorm": None, "trustClip": True})
    add("LAMB", {"lr": 0.02, "weightDecay": 0, "alwaysAdapt": True, "maxGradNorm": 0.1})
    add("LARS", {"lr": 1})
    add("LARS", {"lr": 2, "momentum": 0.9, "weightDecay": 0.01, "trustCoeff": 0.02})
    add("LARS", {"lr": 0.5, "momentum": 0.8, "nesterov": True, "weightDecay": 0.1, "trustCoeff": 0.05})
    add("LARS", {"lr": 0.1, "trustCoeff": 0.3, "trustClip": True, "alwaysAdapt": True, "dampening": 0.1, "momentum": 0.6})
    add("SGD", {"lr": 0.1}, clip=["norm", 0.2, 2])
    add("SGD", {"lr": 0.1}, clip=["norm", 0.5, 1])
    add("SGD", {"lr": 0.1}, clip=["norm", 0.1, float("inf")])
    add("SGD", {"lr": 0.1}, clip=["norm", 0.2, 3])
    add("SGD", {"lr": 0.1}, clip=["value", 0.05, None])
    return {
        "x": array(x),
        "target": array(target),
        "initial": {k: array(v) for k, v in initial.items()},
        "cases": cases,
    }


def parameters():
    return [nn.Parameter(torch.ones(1))]


def schedules():
    """The learning rate and momentum of each step. `build` is what the tests make: [name, options] or a sequence."""
    cases = []

    def add(name, options, optimizer, make, steps=60, metrics=None, schedules=None):
        """`schedules` are the parts of a SequentialLR; a plateau's step takes the metrics one by one."""
        kind, own = optimizer
        chosen = getattr(torch.optim, kind)(parameters(), **snake(own))
        schedule = make(chosen)
        group = chosen.param_groups[0]
        rows = []
        for i in range(steps if metrics is None else len(metrics)):
            momentum = group["betas"][0] if "betas" in group else group.get("momentum", 0)
            rows.append([group["lr"], momentum])
            chosen.step()
            schedule.step() if metrics is None else schedule.step(metrics[i])
        case = {"schedule": name, "options": options, "optimizer": kind, "optimizerOptions": own, "rows": rows}
        cases.append(case | {"metrics": metrics, "schedules": schedules})

    s = lr_scheduler
    sgd = ["SGD", {"lr": 0.5}]
    moving = ["SGD", {"lr": 0.1, "momentum": 0.9}]
    add("StepLR", {"stepSize": 4, "gamma": 0.3}, sgd, lambda o: s.StepLR(o, 4, 0.3))
    add("MultiStepLR", {"milestones": [5, 20, 21, 50]}, sgd, lambda o: s.MultiStepLR(o, [5, 20, 21, 50]))
    add("MultiStepLR", {"milestones": [3, 3, 9], "gamma": 0.5}, sgd, lambda o: s.MultiStepLR(o, [3, 3, 9], 0.5))
    add("ExponentialLR", {"gamma": 0.95}, sgd, lambda o: s.ExponentialLR(o, 0.95))
    add("ConstantLR", {}, sgd, lambda o: s.ConstantLR(o))
    add("ConstantLR", {"factor": 0.2, "totalIters": 11}, sgd, lambda o: s.ConstantLR(o, 0.2, 11))
    add("LinearLR", {}, sgd, lambda o: s.LinearLR(o))
    options = {"startFactor": 0.1, "endFactor": 0.7, "totalIters": 40}
    add("LinearLR", options, sgd, lambda o: s.LinearLR(o, 0.1, 0.7, 40))
    add("PolynomialLR", {}, sgd, lambda o: s.PolynomialLR(o))
    add("PolynomialLR", {"totalIters": 45, "power": 2.5}, sgd, lambda o: s.PolynomialLR(o, 45, 2.5))
    add("CosineAnnealingLR", {"tMax": 12, "etaMin": 0.05}, sgd, lambda o: s.CosineAnnealingLR(o, 12, eta_min=0.05))
    add("CosineAnnealingLR", {"tMax": 70}, sgd, lambda o: s.CosineAnnealingLR(o, 70))
    restarts = s.CosineAnnealingWarmRestarts
    add("CosineAnnealingWarmRestarts", {"t0": 7}, sgd, lambda o: restarts(o, 7))
    options = {"t0": 5, "tMult": 2, "etaMin": 0.01}
    add("CosineAnnealingWarmRestarts", options, sgd, lambda o: restarts(o, 5, T_mult=2, eta_min=0.01))
    add("OneCycleLR", {"maxLr": 0.01, "totalSteps": 60}, ["AdamW", {"lr": 1e-3}], lambda o: s.OneCycleLR(o, 0.01, 60))
    options = {"maxLr": 0.4, "totalSteps": 57, "pctStart": 0.25, "anneal": "linear", "divFactor": 10}
    make = lambda o: s.OneCycleLR(o, 0.4, 57, pct_start=0.25, anneal_strategy="linear", div_factor=10)
    add("OneCycleLR", options, moving, make, 57)
    options = {"maxLr": 0.4, "totalSteps": 9, "cycleMomentum": False, "finalDivFactor": 100}
    make = lambda o: s.OneCycleLR(o, 0.4, 9, cycle_momentum=False, final_div_factor=100)
    add("OneCycleLR", options, moving, make, 9)
    options = {"maxLr": 0.4, "totalSteps": 60, "threePhase": True, "baseMomentum": 0.8, "maxMomentum": 0.93}
    make = lambda o: s.OneCycleLR(o, 0.4, 60, three_phase=True, base_momentum=0.8, max_momentum=0.93)
    add("OneCycleLR", options, moving, make)
    options = {"baseLr": 0.01, "maxLr": 0.1, "stepSizeUp": 7}
    add("CyclicLR", options, moving, lambda o: s.CyclicLR(o, 0.01, 0.1, 7))
    options = {"baseLr": 0.01, "maxLr": 0.1, "stepSizeUp": 5, "stepSizeDown": 9, "mode": "triangular2"}
    make = lambda o: s.CyclicLR(o, 0.01, 0.1, 5, 9, mode="triangular2")
    add("CyclicLR", options, ["AdamW", {"lr": 1e-3}], make)
    options = {"baseLr": 0.01, "maxLr": 0.1, "stepSizeUp": 4, "mode": "expRange", "gamma": 0.97, "cycleMomentum": False}
    make = lambda o: s.CyclicLR(o, 0.01, 0.1, 4, mode="exp_range", gamma=0.97, cycle_momentum=False)
    add("CyclicLR", options, moving, make)

    # Vaswani et al. 2017, section 5.3, and the same shape with the group's learning rate as its peak.
    paper = lambda n: 512**-0.5 * min((n + 1) ** -0.5, (n + 1) * 20**-1.5)
    options = {"warmupSteps": 20, "dModel": 512}
    add("WarmupInverseSqrt", options, ["Adam", {"lr": 1}], lambda o: s.LambdaLR(o, paper))
    peak = lambda n: min((n + 1) / 10, (10 / (n + 1)) ** 0.5)
    add("WarmupInverseSqrt", {"warmupSteps": 10}, ["Adam", {"lr": 0.02}], lambda o: s.LambdaLR(o, peak))
    make = lambda o: s.SequentialLR(o, [s.LinearLR(o, 0.01, 1, 15), s.ExponentialLR(o, 0.9)], [15])
    add("WarmupExponential", {"warmupSteps": 15, "gamma": 0.9, "startFactor": 0.01}, sgd, make)

    parts = [["ConstantLR", {"factor": 0.1, "totalIters": 50}], ["StepLR", {"stepSize": 6, "gamma": 0.5}]]
    parts.append(["CosineAnnealingLR", {"tMax": 20}])
    sequence = lambda o: [s.ConstantLR(o, 0.1, 50), s.StepLR(o, 6, 0.5), s.CosineAnnealingLR(o, 20)]
    make = lambda o: s.SequentialLR(o, sequence(o), [10, 35])
    add("SequentialLR", {"milestones": [10, 35]}, sgd, make, schedules=parts)

    # Falls, stays, falls by less than the threshold, rises.
    metrics = [1 / (i + 1) for i in range(10)] + [0.1] * 12 + [0.1 - 1e-7 * i for i in range(12)]
    metrics += [0.05, 0.06, 0.05] * 4 + [0.2] * 12
    plateau = s.ReduceLROnPlateau
    add("ReduceLROnPlateau", {"patience": 3}, sgd, lambda o: plateau(o, patience=3), metrics=metrics)
    options = {"mode": "max", "factor": 0.5, "patience": 2, "threshold": 0.01, "thresholdMode": "abs"}
    make = lambda o: plateau(o, "max", 0.5, 2, 0.01, "abs", cooldown=4, min_lr=0.02, eps=0.01)
    options |= {"cooldown": 4, "minLr": 0.02, "eps": 0.01}
    add("ReduceLROnPlateau", options, sgd, make, metrics=[-m for m in metrics])
    options = {"mode": "max", "patience": 0, "factor": 0.7}
    add("ReduceLROnPlateau", options, sgd, lambda o: plateau(o, "max", 0.7, 0), metrics=metrics)
    return cases


torch.manual_seed(SEED)
versions = {"torch": torch.__version__.split("+")[0], "timm": timm.__version__}
write(__file__, versions | {"seed": SEED, "optimizers": optimizers(), "schedules": schedules()})
