"""Writes sequence.json: recurrent networks, attention and transformers as PyTorch computes them, in f32.

    python test/reference/sequence.py

Running the tests needs only the JSON file.
"""

import torch
from torch import nn
from torch.nn import functional as F

from stored import array, layer, made, write

SEED = 20260104


def recurrent():
    r, cases = torch.randn, []
    first = {"batchFirst": True}
    for name, args in [
        ("RNN", [3, 4, first]),
        ("RNN", [3, 4, {"nonlinearity": "relu", "bias": False, "batchFirst": False}]),
        ("LSTM", [3, 4, first]),
        ("LSTM", [3, 2, first | {"numLayers": 2, "bidirectional": True}]),
        ("GRU", [3, 4, first | {"bias": False}]),
        ("GRU", [3, 2, {"numLayers": 3, "bidirectional": True, "batchFirst": False}]),
    ]:
        module = made(name, args)
        layers = module.num_layers * (2 if module.bidirectional else 1)
        shape = (2, 5, 3) if module.batch_first else (5, 2, 3)
        state = lambda: r(layers, 2, module.hidden_size)
        cases.append(layer(name, args, r(*shape), module=module))
        given = (state(), state()) if name == "LSTM" else state()
        cases.append(layer(name, args, r(*shape), given, module=module))
    cases.append(layer("LSTM", [2, 3, first | {"numLayers": 2, "dropout": 0.5}], r(1, 4, 2), mode="eval"))
    for name, args in [("RNNCell", [3, 4]), ("LSTMCell", [3, 4]), ("GRUCell", [3, 4, {"bias": False}])]:
        cases.append(layer(name, args, r(2, 3)))
        cases.append(layer(name, args, r(2, 3), (r(2, 4), r(2, 4)) if name == "LSTMCell" else r(2, 4)))
    return cases


def packed():
    """Sequences of several lengths, through PyTorch's packed sequences."""
    r, cases = torch.randn, []
    lengths = torch.tensor([3, 5, 1])

    def call(module, x, state=None):
        sequence = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        y, last = module(sequence, state)
        return nn.utils.rnn.pad_packed_sequence(y, batch_first=True)[0], last

    for name, more in [("RNN", {}), ("LSTM", {"bidirectional": True, "numLayers": 2}), ("GRU", {"bidirectional": True})]:
        args = [2, 3, {"batchFirst": True} | more]
        module = made(name, args)
        layers = module.num_layers * (2 if module.bidirectional else 1)
        state = lambda: r(layers, 3, 3)
        given = (state(), state()) if name == "LSTM" else state()
        options = {"lengths": lengths.tolist()}
        cases.append(layer(name, args, r(3, 5, 2), given, module=module, options=options, call=call))
    return cases


def renamed(call):
    """The options of a call under the names that PyTorch gives them in its own modules."""
    names = {"mask": "attn_mask", "keyPaddingMask": "key_padding_mask", "needWeights": "need_weights"}
    names |= {"averageWeights": "average_attn_weights"}
    return {names[k]: v for k, v in call.items()}


def triangle(size):
    return torch.triu(torch.ones(size, size, dtype=torch.bool), 1)


def attention():
    r, cases = torch.randn, []
    padding = torch.tensor([[False, False, True, True], [False, False, False, False]])

    def add(args, inputs, options, mode="train"):
        """PyTorch asks for query, key and value each; ours takes what is left out from before."""
        module = made("MultiheadAttention", args)
        for name, parameter in module.named_parameters():
            nn.init.normal_(parameter, std=0.5)
        causal = {"is_causal": True, "attn_mask": triangle(inputs[0].shape[1])} if options.get("causal") else {}
        own = renamed({k: v for k, v in options.items() if k != "causal"}) | causal

        def call(m, *given):
            return m(*(list(given) + [given[-1]] * (3 - len(given))), **own)

        case = layer("MultiheadAttention", args, *inputs, module=module, mode=mode, options=options or None, call=call)
        case["arguments"] += [case["arguments"][-1]] * (3 - len(inputs)) if options else []
        cases.append(case)

    first = {"batchFirst": True}
    add([4, 2, first], [r(2, 4, 4)], {})
    add([4, 2, first], [r(2, 3, 4), r(2, 4, 4)], {"keyPaddingMask": padding})
    add([4, 2, first], [r(2, 4, 4)], {"mask": triangle(4), "keyPaddingMask": padding, "averageWeights": False})
    add([4, 2, first], [r(2, 3, 4), r(2, 4, 4), r(2, 4, 4)], {"mask": r(3, 4)})
    add([4, 2, first], [r(2, 3, 4), r(2, 4, 4), r(2, 4, 4)], {"mask": r(4, 3, 4), "keyPaddingMask": padding})
    add([4, 2, first], [r(2, 4, 4)], {"causal": True, "needWeights": False})
    add([4, 1, first | {"bias": False}], [r(1, 2, 4)], {})
    add([4, 2, first | {"kdim": 3, "vdim": 5}], [r(2, 2, 4), r(2, 4, 3), r(2, 4, 5)], {})
    add([4, 2, {"batchFirst": False}], [r(3, 2, 4), r(4, 2, 4)], {"keyPaddingMask": padding})
    add([4, 2, first | {"dropout": 0.5}], [r(2, 4, 4)], {}, mode="eval")
    return cases


def transformers():
    r, cases = torch.randn, []
    common = {"dimFeedforward": 6, "dropout": 0, "batchFirst": True}
    padding = torch.tensor([[False, False, True], [False, False, False]])

    def drawn(name, args):
        module = made(name, args)
        for parameter in module.parameters():
            nn.init.normal_(parameter, std=0.5)
        return module

    for options in [{}, {"activation": "gelu", "normFirst": True, "layerNormEps": 1e-3}, {"bias": False}]:
        args = [4, 2, common | options]
        cases.append(layer("TransformerEncoderLayer", args, r(2, 3, 4), module=drawn("TransformerEncoderLayer", args)))
        module = drawn("TransformerDecoderLayer", args)
        cases.append(layer("TransformerDecoderLayer", args, r(2, 3, 4), r(2, 2, 4), module=module))
    args = [4, 2, common]
    encoder = lambda m, x: m(x, src_mask=triangle(3), src_key_padding_mask=padding)
    module = drawn("TransformerEncoderLayer", args)
    options = {"mask": triangle(3), "keyPaddingMask": padding}
    cases.append(layer("TransformerEncoderLayer", args, r(2, 3, 4), module=module, options=options, call=encoder))
    decoder = lambda m, x, y: m(x, y, tgt_mask=triangle(3), memory_key_padding_mask=padding)
    module = drawn("TransformerDecoderLayer", args)
    options = {"causal": True, "memoryKeyPaddingMask": padding}
    call = layer("TransformerDecoderLayer", args, r(2, 3, 4), r(2, 3, 4), module=module, options=options, call=decoder)
    cases.append(call)
    for extra in [{}, {"normFirst": True, "activation": "gelu", "batchFirst": False}]:
        sizes = {"dModel": 4, "nhead": 2, "numEncoderLayers": 2, "numDecoderLayers": 2}
        args = [common | sizes | extra]
        shapes = [(2, 3, 4), (2, 2, 4)] if (common | extra)["batchFirst"] else [(3, 2, 4), (2, 2, 4)]
        options = {"tgtMask": triangle(2), "srcKeyPaddingMask": padding, "memoryKeyPaddingMask": padding}
        inputs = [r(*shape) for shape in shapes]
        cases.append(layer("Transformer", args, *inputs, module=drawn("Transformer", args), options=options))
    return cases


def products():
    """Scaled dot-product attention as a function: inputs, options, output and gradients."""
    r, cases = torch.randn, []
    for shapes, options in [
        ([(2, 3, 4)] * 3, {}),
        ([(2, 2, 3, 4), (2, 2, 5, 4), (2, 2, 5, 6)], {"scale": 0.3}),
        ([(2, 3, 4), (2, 5, 4), (2, 5, 4)], {"causal": True}),
        ([(2, 3, 4), (2, 5, 4), (2, 5, 4)], {"mask": torch.rand(3, 5) > 0.4}),
        ([(2, 3, 4), (2, 5, 4), (2, 5, 4)], {"mask": r(2, 3, 5)}),
        # The second query sees nothing.
        ([(1, 2, 3)] * 3, {"mask": torch.tensor([[True, False], [False, False]])}),
    ]:
        given = [r(*shape).requires_grad_() for shape in shapes]
        names = {"mask": "attn_mask", "causal": "is_causal", "scale": "scale"}
        y = F.scaled_dot_product_attention(*given, **{names[k]: v for k, v in options.items()})
        (y * y).sum().backward()
        stored = {k: array(v) if isinstance(v, torch.Tensor) else v for k, v in options.items()}
        case = {"inputs": [array(x) for x in given], "options": stored, "output": array(y)}
        cases.append(case | {"gradients": [array(x.grad) for x in given]})
    return cases


def main():
    torch.manual_seed(SEED)
    layers = recurrent() + packed() + attention() + transformers()
    version = torch.__version__.split("+")[0]
    write(__file__, {"torch": version, "seed": SEED, "layers": layers, "products": products()})


main()
