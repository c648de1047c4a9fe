"""What names an op's samples, and the numbers that gradients are weighed with, as `fovea-testkit` has them."""

import math
import struct

import numpy as np
import torch


def hash_bytes(data, state=0xCBF29CE484222325):
    """FNV-1a, as `fovea_testkit::fixtures::samples_hash`."""
    for byte in data:
        state = ((state ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return state


def hash_samples(op):
    """What names an op's samples: everything that the values depend on."""
    number = lambda v: struct.pack("<d", math.nan if v is None else float(v))
    data = bytearray(op["op"].encode())
    for sample in op["samples"]:
        data += sample["name"].encode() + bytes([sample["differentiable"]]) + number(sample["tolerance"])
        data += b"".join(number(v) for v in sample["encoded"])
        for x in sample["inputs"]:
            data += (x["dtype"] or "float").encode() + b"".join(struct.pack("<Q", d) for d in x["shape"])
            data += b"".join(number(v) for v in x["values"])
    return f"{hash_bytes(data):016x}"


def numbers(op, sample, number, shape):
    """Numbers in -1..1, as `SampleInput::float(shape).generate(op, sample, number)`."""
    seed = hash_bytes(op.encode()) ^ (sample << 32) ^ number
    count = math.prod(shape)
    z = np.uint64(seed) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    unit = (z >> np.uint64(11)).astype(np.float64) / 2.0**53
    return torch.from_numpy((-1.0 + unit * 2.0).astype(np.float32).astype(np.float64)).reshape(list(shape))
