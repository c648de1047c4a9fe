"""Runs the cases of benches/cases in PyTorch and NumPy for benches/compare/server.ts.

One JSON object a line on stdin, one on stdout for each:
  {"make": {"kind": ..., ...}, "form": FORM}   makes a case ready                    {"ok": true} or {"error": why}
  {"run": CALLS, "form": FORM}                 runs it that often                    {"ms": of all calls together}
  {"forget": true}                             lets go of what was made              {"ok": true}
  {"memory": CALLS, "spec": {...}, ...}        makes and runs it in this process     {"mib": peak less what was there}
The first line on stdout is {"libraries": {name: version}}. PEER_THREADS says how many threads.
"""
import gc
import json
import os
import sys
import time

THREADS = int(os.environ.get("PEER_THREADS", "1"))
for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = str(THREADS)

LIBRARIES = {}
try:
    import torch
    import torch.nn.functional as F
    torch.set_num_threads(THREADS)
    LIBRARIES["torch"] = torch.__version__.split("+")[0]
except ImportError:
    torch = None
try:
    import numpy
    LIBRARIES["numpy"] = numpy.__version__
except ImportError:
    numpy = None

FORMATS = {"channels_last": "channels_last", "contiguous": "contiguous_format"}


def as_form(x, form):
    return x.contiguous(memory_format=getattr(torch, FORMATS[form])) if x.dim() == 4 else x


def gemm(spec, form):
    if form == "numpy":
        if numpy is None:
            raise ImportError("there is no numpy")
        random = numpy.random.default_rng(0)
        a, b = (random.standard_normal(spec[k], dtype=numpy.float32) for k in "ab")
        out = numpy.empty(spec["out"], dtype=numpy.float32)
        return lambda: numpy.matmul(a, b, out=out)
    a, b, out = torch.randn(spec["a"]), torch.randn(spec["b"]), torch.empty(spec["out"])
    return lambda: torch.matmul(a, b, out=out)


def convolution(spec, form):
    n, size, kernel, groups = spec["n"], spec["size"], spec["kernel"], spec["groups"]
    across = [spec["input"], spec["output"] // groups] if spec["transposed"] else [spec["output"], spec["input"] // groups]
    x = as_form(torch.randn(n, spec["input"], size, size), form)
    w = as_form(torch.randn(*across, kernel, kernel), form)
    where = ([spec["stride"]] * 2, [spec["padding"]] * 2, [1, 1], spec["transposed"], [0, 0], groups)
    forward = torch.ops.aten.convolution
    if spec["direction"] == "fwd":
        def call():
            with torch.inference_mode():
                forward(x, w, None, *where)
        return call
    g = torch.randn_like(forward(x, w, None, *where))
    wanted = [spec["direction"] == "bwd-data", spec["direction"] == "bwd-weights", False]
    return lambda: torch.ops.aten.convolution_backward(g, x, w, None, *where, wanted)


def backward_of(f, leaves, gradient):
    """Forward and backward; gradients start anew in each call."""
    def call():
        for leaf in leaves:
            leaf.grad = None
        f().backward(gradient)
    return call


def chain(spec, form):
    x = torch.randn(spec["n"], requires_grad=spec["backward"])

    def forward():
        return F.gelu(1.5 * x + 0.25) + x
    if spec["backward"]:
        return backward_of(forward, [x], torch.randn(spec["n"]))

    def call():
        with torch.no_grad():
            forward()
    return call


def sum_(spec, form):
    x, dim = torch.randn(spec["shape"]), spec["dim"]
    return (lambda: torch.sum(x)) if dim is None else (lambda: torch.sum(x, dim))


def softmax(spec, form):
    x = torch.randn(spec["shape"])
    out = torch.empty_like(x)
    return lambda: torch.softmax(x, -1, out=out)


def cross_entropy(spec, form):
    rows, classes = spec["shape"]
    x, target = torch.randn(rows, classes, requires_grad=True), torch.randint(0, classes, (rows,))
    return backward_of(lambda: F.cross_entropy(x, target), [x], None)


def norm(layer, spec, form):
    x = as_form(torch.randn(spec["shape"]), form).requires_grad_()
    g = as_form(torch.randn(spec["shape"]), form)
    return backward_of(lambda: layer(x), [x, *layer.parameters()], g)


def layer_norm(spec, form):
    return norm(torch.nn.LayerNorm(spec["shape"][-1]), spec, form)


def batch_norm(spec, form):
    return norm(torch.nn.BatchNorm2d(spec["shape"][1]).train(), spec, form)


def optimizer(spec, form):
    parameters = [torch.nn.Parameter(torch.randn(shape)) for shape in spec["shapes"]]
    for p in parameters:
        p.grad = torch.randn_like(p)
    fused = {"fused": True} if form == "fused" else {}
    make = {
        "sgd-momentum": lambda: torch.optim.SGD(parameters, lr=1e-3, momentum=0.9, **fused),
        "adam": lambda: torch.optim.Adam(parameters, **fused),
        "adamw": lambda: torch.optim.AdamW(parameters, **fused),
    }
    return make[spec["name"]]().step


def training(spec, form):
    from models import MODELS
    torch.manual_seed(0)
    model = MODELS[spec["model"]]().train()
    x = torch.randn(spec["input"])
    if form == "channels_last":
        model, x = model.to(memory_format=torch.channels_last), as_form(x, form)
    shape = [x.shape[0], *x.shape[2:]] if spec["pixels"] else [x.shape[0]]
    target = torch.randint(0, spec["classes"], shape)
    step = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9, fused=True)

    def call():
        step.zero_grad(set_to_none=True)
        F.cross_entropy(model(x), target).backward()
        step.step()
    return call


KINDS = {f.__name__.strip("_"): f for f in (
    gemm, convolution, chain, sum_, softmax, cross_entropy, layer_norm, batch_norm, optimizer, training)}


def resident(what):
    """MiB of /proc/self/status: VmRSS now, VmHWM the most since the last reset."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith(what))


def memory(spec, form, calls):
    before = resident("VmRSS")
    with open("/proc/self/clear_refs", "w") as reset:
        reset.write("5")
    call = KINDS[spec["kind"]](spec, form)
    for _ in range(calls):
        call()
    return {"mib": resident("VmHWM") - before}


def answer(request, made):
    form = request.get("form")
    if "memory" in request:
        return memory(request["spec"], form, request["memory"])
    if "make" in request:
        made[form] = KINDS[request["make"]["kind"]](request["make"], form)
    elif "run" in request:
        call, calls = made[form], request["run"]
        gc.disable()
        began = time.perf_counter_ns()
        for _ in range(calls):
            call()
        spent = time.perf_counter_ns() - began
        gc.enable()
        return {"ms": spent / 1e6}
    else:
        made.clear()
        gc.collect()
    return {"ok": True}


def main():
    made = {}
    print(json.dumps({"libraries": LIBRARIES}), flush=True)
    for line in sys.stdin:
        try:
            reply = answer(json.loads(line), made)
        except Exception as error:  # the next case may work
            reply = {"error": f"{type(error).__name__}: {error}".splitlines()[0][:300]}
        print(json.dumps(reply), flush=True)


if __name__ == "__main__":
    main()
