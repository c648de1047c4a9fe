"""Tensors and modules as the fixtures store them."""

import json
import pathlib

import torch


def array(x):
    """A tensor as {shape, data}; f32 numbers keep nine digits, which name them exactly."""
    digits = 17 if x.dtype == torch.float64 else 9
    data = [float(f"{v:.{digits}g}") if x.dtype.is_floating_point else int(v) for v in x.detach().flatten().tolist()]
    return {"shape": list(x.shape), "data": data}


def state(module):
    return {key: array(value) for key, value in module.state_dict().items()}


def write(script, result):
    """Writes `result` to the JSON file beside `script`."""
    pathlib.Path(script).with_suffix(".json").write_text(json.dumps(result, separators=(",", ":")) + "\n")
