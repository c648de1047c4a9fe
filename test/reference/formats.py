"""Writes the files in test/reference/formats and what they hold (formats.json): PyTorch, NumPy, Pillow and safetensors.

    python test/reference/formats.py

Running the tests needs only what it wrote.
"""

import gzip
import json
import os
import pathlib

import numpy as np
import PIL
import safetensors
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn

SEED = 20260102
HERE = pathlib.Path(__file__).parent
OUT = HERE / "formats"


def numbers(x):
    """A tensor or array as {dtype, shape, data}; integers past 2^53 as strings."""
    x = x.detach() if isinstance(x, torch.Tensor) else torch.from_numpy(np.array(x, order="C"))
    wide = {torch.float16: torch.float32, torch.bfloat16: torch.float32, torch.int8: torch.int32, torch.int16: torch.int32,
            torch.uint16: torch.int32, torch.uint32: torch.int64}
    y = x.to(wide.get(x.dtype, x.dtype))
    data = [str(v) if y.dtype == torch.int64 else v for v in y.flatten().tolist()]
    return {"dtype": str(y.dtype).removeprefix("torch."), "shape": list(y.shape), "data": data}


def state_dicts():
    """Files that torch.save writes, and their tensors by path."""
    model = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(32, 3))
    x = torch.randn(2, 1, 4, 4)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    model(x).square().sum().backward()
    optimizer.step()
    model.eval()
    state = model.state_dict()
    torch.save(state, OUT / "model.pth")

    checkpoint = {"model": state, "optimizer": optimizer.state_dict(), "epoch": 3, "best": 0.5, "names": ["a", None, True]}
    torch.save(checkpoint, OUT / "checkpoint.pth")

    base = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    views = {
        "transposed": base.t(),
        "offset": base[1:3, ::2],
        "shared": base,
        "expanded": torch.tensor([7.0]).expand(3, 2),
        "scalar": torch.tensor(2.5, dtype=torch.float64),
        "empty": torch.zeros(0, 3),
        "half": torch.tensor([1.5, -65504.0], dtype=torch.float16),
        "brain": torch.tensor([1.5, 3e38], dtype=torch.bfloat16),
        "i8": torch.tensor([-128, 127], dtype=torch.int8),
        "i16": torch.tensor([-32768, 32767], dtype=torch.int16),
        "i32": torch.tensor([-(2**31), 2**31 - 1], dtype=torch.int32),
        "i64": torch.tensor([-(2**63), 2**63 - 1]),
        "u8": torch.tensor([0, 255], dtype=torch.uint8),
        "bool": torch.tensor([True, False]),
        "parameter": nn.Parameter(torch.tensor([1.0, 2.0])),
        "list": [torch.tensor([1.0]), (torch.tensor([2.0]),)],
        5: torch.tensor([3.0]),
    }
    torch.save(views, OUT / "views.pth")
    torch.save(torch.tensor([1.0, 2.0]), OUT / "bare.pth")
    torch.save(state, OUT / "legacy.pth", _use_new_zipfile_serialization=False)

    flat = {f"model.{k}": v for k, v in state.items()}
    for i, moments in optimizer.state_dict()["state"].items():
        flat |= {f"optimizer.state.{i}.{k}": v for k, v in moments.items()}
    flat_views = {str(k): v for k, v in views.items() if k != "list"}
    flat_views |= {"list.0": views["list"][0], "list.1.0": views["list"][1][0]}
    return {
        "model.pth": state,
        "checkpoint.pth": flat,
        "views.pth": flat_views,
        "bare.pth": {"": torch.tensor([1.0, 2.0])},
    }, {"input": numbers(x), "output": numbers(model(x))}


class Hostile:
    """What pickle would run if it were let."""

    def __reduce__(self):
        return os.system, ("echo this must never run",)


def arrays():
    rng = np.random.default_rng(SEED)
    whole = {
        "f2": rng.normal(size=(2, 3)).astype("f2"),
        "f4": rng.normal(size=(2, 3)).astype("f4"),
        "f8": rng.normal(size=()),
        "i1": np.array([-128, 127], "i1"),
        "u2": np.array([0, 65535], "u2"),
        "u4": np.array([0, 2**32 - 1], "u4"),
        "i8": np.array([[-(2**63)], [2**63 - 1]]),
        "b1": np.array([True, False]),
        "fortran": np.asfortranarray(np.arange(24, dtype="i4").reshape(2, 3, 4)),
        "big": np.arange(3, dtype=">f4"),
        "empty": np.zeros((0, 2), "f4"),
    }
    np.savez_compressed(OUT / "compressed.npz", **whole)
    np.savez(OUT / "stored.npz", **whole)
    np.save(OUT / "fortran.npy", whole["fortran"])
    np.save(OUT / "objects.npy", np.array([{"a": 1}], dtype=object))
    native = {k: v.astype(v.dtype.newbyteorder("=")) for k, v in whole.items()}
    return {"compressed.npz": native, "stored.npz": native, "fortran.npy": {"": native["fortran"]}}


def idx():
    """Labels as MNIST keeps them, plain and gzipped."""
    labels = np.arange(20, dtype="u1").reshape(4, 5)
    raw = bytes([0, 0, 8, 2]) + np.array(labels.shape, ">u4").tobytes() + labels.tobytes()
    (OUT / "labels.idx").write_bytes(raw)
    (OUT / "labels.idx.gz").write_bytes(gzip.compress(raw, mtime=0))


def pictures():
    """Small pictures of each kind and their pixels as RGB."""
    y, x = np.mgrid[0:16, 0:24]
    rgb = np.stack([x * 10, y * 15, (x + y) * 6], -1).astype("u1")
    image = Image.fromarray(rgb)
    image.save(OUT / "rgb.png")
    image.convert("L").save(OUT / "grey.png")
    image.convert("RGBA").save(OUT / "alpha.png")
    image.quantize(16).save(OUT / "palette.png")
    image.convert("1").save(OUT / "bits.png")
    Image.fromarray((np.asarray(image.convert("L")).astype("u2") * 257)).save(OUT / "deep.png")
    image.save(OUT / "baseline.jpg", quality=90)
    image.save(OUT / "progressive.jpg", quality=90, progressive=True)
    image.convert("L").save(OUT / "grey.jpg", quality=90)
    image.convert("CMYK").save(OUT / "cmyk.jpg", quality=90)
    image.convert("L").save(OUT / "grey.pgm")
    names = ["rgb.png", "grey.png", "alpha.png", "palette.png", "bits.png", "baseline.jpg", "progressive.jpg", "grey.jpg", "cmyk.jpg",
             "grey.pgm"]
    read = {name: np.asarray(Image.open(OUT / name).convert("RGB")) for name in names}
    small = image.resize((8, 6), Image.Resampling.BILINEAR)
    return read, np.asarray(small)


def main():
    torch.manual_seed(SEED)
    OUT.mkdir(exist_ok=True)
    dicts, model = state_dicts()
    torch.save({"a": Hostile()}, OUT / "hostile.pth")
    torch.save(nn.Linear(1, 1), OUT / "module.pth")
    halves = {"half": torch.tensor([1.5, -2.0]).half(), "brain": torch.tensor([1.5]).bfloat16()}
    save_file(halves, OUT / "halves.safetensors", metadata={"made": "by safetensors"})
    idx()
    images, small = pictures()
    files = {**dicts, **arrays(), "halves.safetensors": halves}
    content = {
        "torch": torch.__version__,
        "numpy": np.__version__,
        "pillow": PIL.__version__,
        "safetensors": safetensors.__version__,
        "seed": SEED,
        "files": {name: {key: numbers(value) for key, value in tensors.items()} for name, tensors in files.items()},
        "model": model,
        "images": {name: {"shape": list(pixels.shape), "data": pixels.flatten().tolist()} for name, pixels in images.items()},
        "resized": {"shape": list(small.shape), "data": small.flatten().tolist()},
    }
    (HERE / "formats.json").write_text(json.dumps(content, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
