"""Writes nn.json: layers as PyTorch computes them, in f32.

    python test/reference/nn.py

Running the tests needs only the JSON file.
"""

import torch
from torch import nn

from stored import layer, made, snake, write

SEED = 20260101


def activations():
    names = ["ReLU", "ReLU6", "GELU", "SiLU", "Mish", "SELU", "Tanh", "Sigmoid", "LogSigmoid", "Softplus", "Softsign"]
    names += ["Hardswish", "Hardsigmoid", "Hardtanh", "Softshrink", "Hardshrink", "Tanhshrink", "LeakyReLU", "ELU"]
    names += ["CELU", "PReLU", "Identity"]
    x = torch.linspace(-7.3, 7.1, 24).reshape(2, 3, 4)
    cases = [layer(name, [], x) for name in names]
    for name, args in [
        ("LeakyReLU", [0.3]),
        ("ELU", [0.7]),
        ("CELU", [1.7]),
        ("Hardtanh", [-2, 3.5]),
        ("Softplus", [0.5]),
        ("Softshrink", [1.5]),
        ("Hardshrink", [1.5]),
        ("Threshold", [0.3, -2]),
        ("GELU", [{"approximate": "tanh"}]),
        ("PReLU", [3, {"init": 0.4}]),
        ("Softmax", [1]),
        ("LogSoftmax", [-1]),
        ("Softmin", [2]),
        ("GLU", []),
    ]:
        cases.append(layer(name, args, x))
    return cases


def layers():
    r = torch.randn
    cases = [
        layer("Linear", [5, 3], r(4, 5)),
        layer("Linear", [5, 3, {"bias": False}], r(2, 3, 5)),
        layer("Bilinear", [3, 4, 2], r(5, 3), r(5, 4)),
        layer("Bilinear", [2, 3, 4, {"bias": False}], r(2, 3, 2), r(2, 3, 3)),
        layer("Conv2d", [2, 3, 3], r(2, 2, 5, 6)),
        layer("Conv2d", [2, 4, [3, 2], {"stride": [2, 1], "padding": [1, 2], "bias": False}], r(2, 2, 6, 5)),
        layer("Conv2d", [4, 6, 3, {"padding": 2, "dilation": 2, "groups": 2}], r(1, 4, 6, 6)),
        layer("Conv2d", [1, 2, [4, 3], {"padding": "same", "dilation": [1, 2]}], r(1, 1, 6, 5)),
        layer("Conv1d", [2, 3, 3, {"stride": 2, "padding": 1}], r(2, 2, 7)),
        layer("Conv1d", [4, 4, 2, {"dilation": 3, "groups": 4, "bias": False}], r(1, 4, 8)),
        layer("Conv1d", [2, 3, 3, {"padding": 2, "paddingMode": "reflect"}], r(2, 2, 7)),
        layer("ConvTranspose2d", [2, 3, 3], r(2, 2, 4, 3)),
        layer("ConvTranspose2d", [4, 2, 4, {"stride": 2, "padding": 1}], r(1, 4, 3, 3)),
        layer(
            "ConvTranspose2d",
            [4, 6, [3, 2], {"stride": [2, 3], "padding": [1, 0], "outputPadding": [1, 2], "groups": 2, "dilation": 2}],
            r(1, 4, 3, 4),
        ),
    ]
    cases += [
        layer("ConvTranspose1d", [4, 6, 3, {"stride": 2, "padding": 1, "outputPadding": 1, "groups": 2}], r(2, 4, 4)),
        layer("Conv3d", [2, 3, 2], r(2, 2, 3, 3, 4)),
        layer(
            "Conv3d",
            [4, 2, [3, 2, 1], {"stride": [2, 1, 2], "padding": [1, 0, 2], "dilation": [2, 1, 1], "groups": 2}],
            r(1, 4, 6, 3, 3),
        ),
        layer("MaxPool3d", [2, {"stride": [1, 2, 2], "padding": 1}], r(1, 2, 3, 4, 5)),
        layer("AvgPool3d", [[2, 3, 2], {"padding": [1, 1, 0]}], r(1, 2, 4, 4, 5)),
        layer("AvgPool3d", [2, {"padding": 1, "countIncludePad": False}], r(1, 2, 3, 4, 4)),
        layer("Unfold", [[2, 3], {"padding": 1, "stride": [2, 1], "dilation": [1, 2]}], r(2, 2, 5, 6)),
        layer("Fold", [[5, 4], 2, {"stride": 2, "padding": 1}], r(2, 8, 9)),
        layer("ChannelShuffle", [2], r(1, 6, 2, 2)),
        layer("Softmax2d", [], r(2, 3, 2, 2)),
        layer("RReLU", [0.1, 0.4], r(3, 4), mode="eval"),
    ]
    for mode in ["reflect", "replicate", "circular"]:
        cases.append(layer("Conv2d", [2, 2, 3, {"padding": [1, 2], "paddingMode": mode}], r(1, 2, 4, 5)))
    for name in ["ZeroPad2d", "ReflectionPad2d", "ReplicationPad2d", "CircularPad2d"]:
        cases.append(layer(name, [2], r(1, 2, 4, 5)))
        cases.append(layer(name, [[1, 0, 2, 3]], r(1, 2, 4, 5)))
    cases += [
        layer("ConstantPad2d", [[1, -1, 0, 2], 0.5], r(1, 2, 4, 5)),
        layer("MaxPool1d", [3, {"stride": 2, "padding": 1}], r(2, 3, 8)),
        layer("MaxPool2d", [2], r(2, 2, 5, 4)),
        layer("MaxPool2d", [3, {"stride": 2, "padding": 1}], r(1, 2, 6, 7)),
        layer("AvgPool1d", [3, {"stride": 2, "padding": 1, "countIncludePad": False}], r(2, 3, 8)),
        layer("AvgPool2d", [2], r(2, 2, 4, 6)),
        layer("AvgPool2d", [3, {"stride": 2, "padding": 1}], r(1, 2, 6, 7)),
        layer("AvgPool2d", [3, {"padding": 1, "countIncludePad": False}], r(1, 2, 5, 4)),
        layer("AdaptiveAvgPool1d", [3], r(2, 3, 7)),
        layer("AdaptiveAvgPool2d", [1], r(2, 3, 4, 5)),
        layer("AdaptiveAvgPool2d", [[2, 3]], r(2, 3, 4, 6)),
        layer("AdaptiveAvgPool2d", [[3, 4]], r(1, 2, 5, 7)),
        layer("AdaptiveAvgPool2d", [4], r(1, 2, 3, 6)),
        layer("AdaptiveMaxPool2d", [[2, 4]], r(1, 2, 5, 6)),
        layer("Flatten", [], r(2, 3, 2, 2)),
        layer("Flatten", [2], r(2, 3, 2, 2)),
        layer("Unflatten", [1, [2, 3]], r(2, 6, 2)),
        layer("Embedding", [6, 3], torch.tensor([[0, 5, 2], [2, 2, 1]])),
        layer("Embedding", [6, 3, {"paddingIdx": 2}], torch.tensor([0, 2, 5, 2, 1])),
        layer("PixelShuffle", [2], r(2, 8, 3, 2)),
        layer("PixelUnshuffle", [3], r(1, 2, 6, 3)),
        layer("Upsample", [{"scaleFactor": 2}], r(1, 2, 3, 4)),
        layer("Upsample", [{"size": [5, 7]}], r(1, 2, 3, 4)),
        layer("Upsample", [{"scaleFactor": 1.7}], r(1, 2, 3, 4)),
        layer("Upsample", [{"scaleFactor": 2, "mode": "bilinear"}], r(1, 2, 3, 4)),
        layer("Upsample", [{"size": [2, 7], "mode": "bilinear"}], r(1, 2, 3, 4)),
        layer("Upsample", [{"scaleFactor": [2.5, 1.3], "mode": "bilinear"}], r(1, 2, 3, 4)),
        layer("Upsample", [{"scaleFactor": 3, "mode": "bilinear", "alignCorners": True}], r(1, 2, 3, 4)),
    ]
    return cases


def later():
    """Sequences pooled to a size; signals and volumes padded; bags of one length and bags that start at offsets, one of
    them empty; rows that don't count."""
    square = torch.tensor([[0, 5, 2], [2, 2, 1]])
    line, offsets = torch.tensor([4, 1, 5, 5, 0, 2, 3]), torch.tensor([0, 3, 3, 4])
    cases = [layer("AdaptiveMaxPool1d", [3], torch.randn(2, 3, 7))]
    for kind in ["ZeroPad", "ReflectionPad", "ReplicationPad", "CircularPad"]:
        cases.append(layer(f"{kind}1d", [[2, 1]], torch.randn(1, 2, 5)))
        cases.append(layer(f"{kind}3d", [[1, 0, 2, 1, 0, 1]], torch.randn(1, 1, 2, 3, 3)))
    cases.append(layer("ConstantPad1d", [1, 0.5], torch.randn(2, 1, 3)))
    cases.append(layer("ConstantPad3d", [[1, -1, 0, 2, 1, 0], -1], torch.randn(1, 1, 2, 3, 4)))
    for mode in ["sum", "mean", "max"]:
        of = {"mode": mode}
        cases.append(layer("EmbeddingBag", [6, 3, of], square))
        cases.append(layer("EmbeddingBag", [6, 3, of | {"paddingIdx": 2}], square))
        cases.append(layer("EmbeddingBag", [6, 3, of], line, options={"offsets": offsets}))
        cases.append(layer("EmbeddingBag", [6, 3, of | {"paddingIdx": 5}], line, options={"offsets": offsets}))
    ends = {"offsets": torch.tensor([0, 2, 7])}
    cases.append(layer("EmbeddingBag", [6, 3, {"includeLastOffset": True}], line, options=ends))
    summed = {"mode": "sum"}
    weights = lambda *shape: {"perSampleWeights": torch.randn(*shape)}
    cases.append(layer("EmbeddingBag", [6, 3, summed], square, options=weights(2, 3)))
    cases.append(layer("EmbeddingBag", [6, 3, summed], line, options=weights(7) | {"offsets": offsets}))
    return cases


def drawn(module):
    """`module` with weights drawn anew, so that no factor is 1 and no shift 0."""
    for parameter in module.parameters():
        nn.init.normal_(parameter)
    return module


def normalization():
    r, cases = torch.randn, []
    shapes = {"BatchNorm1d": (5, 3), "BatchNorm2d": (4, 3, 3, 2), "BatchNorm3d": (2, 3, 2, 3, 2)}
    for name, args in [
        ("BatchNorm2d", [3]),
        ("BatchNorm2d", [3, {"momentum": 0.3, "eps": 1e-3}]),
        ("BatchNorm2d", [3, {"momentum": None}]),
        ("BatchNorm2d", [3, {"affine": False}]),
        ("BatchNorm2d", [3, {"trackRunningStats": False}]),
        ("BatchNorm1d", [3]),
        ("BatchNorm3d", [3]),
    ]:
        module = drawn(made(name, args))
        for mode in ["train", "train", "eval"]:
            cases.append(layer(name, args, 2 * r(*shapes[name]) + 1, module=module, mode=mode))
    cases.append(layer("BatchNorm1d", [3], r(2, 3, 4)))
    for name, args, shape in [
        ("LayerNorm", [6], (2, 3, 6)),
        ("LayerNorm", [[3, 6], {"eps": 1e-2}], (2, 3, 6)),
        ("LayerNorm", [6, {"bias": False}], (2, 6)),
        ("LayerNorm", [6, {"elementwiseAffine": False}], (2, 6)),
        ("RMSNorm", [6], (2, 3, 6)),
        ("RMSNorm", [[3, 6], {"eps": 1e-2}], (2, 3, 6)),
        ("RMSNorm", [6, {"elementwiseAffine": False}], (2, 6)),
        ("GroupNorm", [2, 6], (2, 6, 3, 2)),
        ("GroupNorm", [3, 6, {"eps": 1e-2, "affine": False}], (2, 6, 4)),
        ("InstanceNorm2d", [3], (2, 3, 4, 2)),
        ("InstanceNorm1d", [3, {"affine": True, "eps": 1e-3}], (2, 3, 5)),
        ("LocalResponseNorm", [3], (2, 5, 2, 2)),
        ("LocalResponseNorm", [4, {"alpha": 0.5, "beta": 0.6, "k": 2}], (2, 5, 3)),
    ]:
        cases.append(layer(name, args, 2 * r(*shape) + 1, module=drawn(made(name, args))))
    args = [3, {"trackRunningStats": True, "affine": True}]
    module = drawn(made("InstanceNorm2d", args))
    for mode in ["train", "train", "eval"]:
        cases.append(layer("InstanceNorm2d", args, 2 * r(2, 3, 3, 2) + 1, module=module, mode=mode))
    return cases


def reparametrized():
    r, cases = torch.randn, []
    utils = {"weightNorm": nn.utils.weight_norm, "spectralNorm": nn.utils.spectral_norm}
    for wrap, options, name, args, shape in [
        ("weightNorm", {}, "Linear", [4, 3], (2, 4)),
        ("weightNorm", {"dim": None}, "Linear", [4, 3], (2, 4)),
        ("weightNorm", {"dim": 1}, "Conv2d", [2, 3, 3, {"bias": False}], (1, 2, 4, 4)),
        ("spectralNorm", {}, "Linear", [4, 3], (2, 4)),
        ("spectralNorm", {"nPowerIterations": 3, "dim": 1}, "Conv2d", [2, 3, 3], (1, 2, 4, 4)),
    ]:
        module = utils[wrap](made(name, args), **snake(options))
        for mode in ["train", "eval"]:
            cases.append(layer(name, args, r(*shape), module=module, mode=mode, wrap=[wrap, options]))
    return cases


def main():
    torch.manual_seed(SEED)
    cases = activations() + layers() + normalization() + reparametrized() + later()
    write(__file__, {"torch": torch.__version__.split("+")[0], "seed": SEED, "layers": cases})


main()
