"""Writes losses.json: losses and their gradients as PyTorch computes them, the sigmoid focal loss as torchvision does.

    python test/reference/losses.py

Everything is f32. The contrastive, hinge and focal losses, which PyTorch lacks, are their papers' formulas. Running
the tests needs only the JSON file.
"""

import torch
import torchvision
from torch.nn import functional as F

from stored import array, write

SEED = 20260103


def contrastive(a, b, target, margin=1.0, reduction="mean"):
    """Hadsell, Chopra and LeCun 2006, equation 4, with similar pairs as 1."""
    d = F.pairwise_distance(a, b)
    loss = (target * d**2 + (1 - target) * (margin - d).clamp(min=0) ** 2) / 2
    return reduced(loss, reduction)


def hinge(scores, target, margin=1.0, reduction="mean"):
    """Weston and Watkins 1999: one score at a time."""
    rows = []
    for row, y in zip(scores, target):
        rows.append(sum((row[j] - row[y] + margin).clamp(min=0) for j in range(len(row)) if j != y))
    return reduced(torch.stack(rows), reduction)


def focal(logits, target, gamma=2.0, reduction="mean"):
    """Lin et al. 2017, equation 4, with softmax."""
    p = torch.softmax(logits, 1).gather(1, target.unsqueeze(1)).squeeze(1)
    return reduced(-((1 - p) ** gamma) * torch.log(p), reduction)


def reduced(loss, reduction):
    return {"mean": loss.mean, "sum": loss.sum, "none": lambda: loss}[reduction]()


def camel(name):
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def losses():
    cases = []

    def add(name, module, fn, inputs, options=None, still=(), reductions=("mean", "sum", "none")):
        """`inputs` in order; all floats but those at the places in `still` ask for a gradient."""
        for reduction in reductions:
            given = [x.clone().requires_grad_(x.dtype.is_floating_point and i not in still) for i, x in enumerate(inputs)]
            y = fn(*given, reduction=reduction, **(options or {}))
            (y * y).sum().backward()
            named = {camel(k): v for k, v in (options or {}).items()}
            tensors = {k: array(v) for k, v in named.items() if isinstance(v, torch.Tensor)}
            plain = {k: v for k, v in named.items() if not isinstance(v, torch.Tensor)}
            plain = {k: "Infinity" if v == float("inf") else v for k, v in plain.items()}
            case = {"loss": name, "module": module, "inputs": [array(x) for x in inputs]}
            case |= {"integers": [not x.dtype.is_floating_point for x in inputs], "tensors": tensors}
            case |= {"options": plain | {"reduction": camel({"batchmean": "batch_mean"}.get(reduction, reduction))}}
            case |= {"output": array(y), "gradients": [None if x.grad is None else array(x.grad) for x in given]}
            cases.append(case)

    r = torch.randn
    logits, classes = r(4, 5), torch.tensor([1, 0, 4, 2])
    dense, dense_classes = r(2, 5, 3), torch.tensor([[1, 0, 3], [4, 3, 2]])
    weight = torch.rand(5) + 0.5
    entropy = ("crossEntropy", "CrossEntropyLoss", F.cross_entropy)
    add(*entropy, [logits, classes])
    add(*entropy, [dense, dense_classes], {"weight": weight})
    add(*entropy, [dense, dense_classes], {"ignore_index": 3, "label_smoothing": 0.1, "weight": weight})
    add(*entropy, [logits, torch.softmax(r(4, 5), 1)], still=(1,))
    add(*entropy, [dense, torch.softmax(r(2, 5, 3), 1)], {"label_smoothing": 0.2, "weight": weight})
    nll = ("nllLoss", "NLLLoss", F.nll_loss)
    add(*nll, [F.log_softmax(logits, 1), classes])
    add(*nll, [F.log_softmax(dense, 1), dense_classes], {"weight": weight, "ignore_index": 3})
    margin = ("multiMarginLoss", "MultiMarginLoss", F.multi_margin_loss)
    add(*margin, [logits, classes])
    add(*margin, [logits, classes], {"p": 2, "margin": 0.5, "weight": weight})
    add("hingeLoss", None, hinge, [logits, classes])
    add("hingeLoss", None, hinge, [logits, classes], {"margin": 0.3})
    add("focalLoss", None, focal, [logits, classes])
    add("focalLoss", None, focal, [dense, dense_classes], {"gamma": 0.7})

    scores, targets = r(3, 4) * 3, torch.rand(3, 4)
    add("mseLoss", "MSELoss", F.mse_loss, [scores, targets])
    add("l1Loss", "L1Loss", F.l1_loss, [scores, targets])
    add("smoothL1Loss", "SmoothL1Loss", F.smooth_l1_loss, [scores, targets])
    add("smoothL1Loss", "SmoothL1Loss", F.smooth_l1_loss, [scores, targets], {"beta": 2.5})
    add("smoothL1Loss", "SmoothL1Loss", F.smooth_l1_loss, [scores, targets], {"beta": 0.0}, reductions=["mean"])
    add("huberLoss", "HuberLoss", F.huber_loss, [scores, targets])
    add("huberLoss", "HuberLoss", F.huber_loss, [scores, targets], {"delta": 2.5})
    kl = ("klDiv", "KLDivLoss", F.kl_div)
    log, truth = F.log_softmax(r(3, 4), 1), torch.softmax(r(3, 4), 1)
    truth[0, 1] = 0
    all_reductions = ["mean", "sum", "none", "batchmean"]
    add(*kl, [log, truth], still=(1,), reductions=all_reductions)
    add(*kl, [log, F.log_softmax(r(3, 4), 1)], {"log_target": True}, reductions=all_reductions)
    counts = torch.tensor([[0.0, 1, 2, 5], [3, 0, 1, 7], [2, 2, 9, 1]])
    poisson = ("poissonNLLLoss", "PoissonNLLLoss", F.poisson_nll_loss)
    add(*poisson, [r(3, 4), counts], still=(1,))
    add(*poisson, [torch.rand(3, 4) + 0.1, counts], {"log_input": False, "full": True, "eps": 1e-3}, still=(1,))
    gaussian = lambda x, t, v, **k: F.gaussian_nll_loss(x, t, v, **k)
    variance = torch.rand(3, 4) + 0.1
    variance[1, 2] = 0.01
    add("gaussianNLLLoss", "GaussianNLLLoss", gaussian, [scores, targets, variance])
    add("gaussianNLLLoss", "GaussianNLLLoss", gaussian, [scores, targets, variance], {"full": True, "eps": 0.05})

    bce, probabilities = F.binary_cross_entropy, torch.rand(3, 4)
    add("bceLoss", "BCELoss", bce, [probabilities, targets])
    add("bceLoss", "BCELoss", bce, [probabilities, targets], {"weight": torch.rand(3, 4)}, still=(1,))
    logistic = ("bceWithLogits", "BCEWithLogitsLoss", F.binary_cross_entropy_with_logits)
    add(*logistic, [scores, targets])
    options = {"weight": torch.rand(3, 4), "pos_weight": torch.rand(4) + 0.5}
    add(*logistic, [scores, targets], options, still=(1,))
    several = ("multiLabelSoftMarginLoss", "MultiLabelSoftMarginLoss", F.multilabel_soft_margin_loss)
    add(*several, [scores, targets], still=(1,))
    add(*several, [scores, targets], {"weight": torch.rand(4)}, still=(1,))
    sigmoid = torchvision.ops.sigmoid_focal_loss
    add("sigmoidFocalLoss", None, sigmoid, [scores, targets], still=(1,))
    add("sigmoidFocalLoss", None, sigmoid, [scores, targets], {"alpha": -1, "gamma": 0.5}, still=(1,))
    signs = torch.tensor([1.0, -1, -1, 1])
    add("softMarginLoss", "SoftMarginLoss", F.soft_margin_loss, [scores, signs.expand(3, 4)], still=(1,))

    a, b, c = r(4, 3), r(4, 3), r(4, 3)
    cosine = ("cosineEmbeddingLoss", "CosineEmbeddingLoss", F.cosine_embedding_loss)
    add(*cosine, [a, b, signs], still=(2,))
    add(*cosine, [a, b, signs], {"margin": 0.3}, still=(2,))
    triplet = ("tripletMarginLoss", "TripletMarginLoss", F.triplet_margin_loss)
    add(*triplet, [a, b, c])
    add(*triplet, [a, b, c], {"margin": 2.0, "p": 1.0, "swap": True})
    add(*triplet, [a, b, c], {"margin": 0.5, "p": 3.0, "eps": 1e-3})
    add("contrastiveLoss", None, contrastive, [a, b, (signs + 1) / 2], still=(2,))
    add("contrastiveLoss", None, contrastive, [a, b, (signs + 1) / 2], {"margin": 3.0}, still=(2,))
    ranking = ("marginRankingLoss", "MarginRankingLoss", F.margin_ranking_loss)
    add(*ranking, [a[:, 0], b[:, 0], signs], still=(2,))
    add(*ranking, [a[:, 0], b[:, 0], signs], {"margin": 0.7}, still=(2,))
    embedding = ("hingeEmbeddingLoss", "HingeEmbeddingLoss", F.hinge_embedding_loss)
    add(*embedding, [a[:, 0], signs], still=(1,))
    add(*embedding, [a[:, 0], signs], {"margin": 0.4}, still=(1,))
    similarity = lambda x, y, reduction, **k: F.cosine_similarity(x, y, **k)
    add("cosineSimilarity", "CosineSimilarity", similarity, [a, b], reductions=["none"])
    add("cosineSimilarity", "CosineSimilarity", similarity, [a, b], {"dim": 0, "eps": 0.1}, reductions=["none"])
    distance = lambda x, y, reduction, **k: F.pairwise_distance(x, y, **k)
    add("pairwiseDistance", "PairwiseDistance", distance, [a, b], reductions=["none"])
    add("pairwiseDistance", "PairwiseDistance", distance, [a, b], {"p": float("inf"), "eps": 0.1}, reductions=["none"])
    return cases


torch.manual_seed(SEED)
versions = {"torch": torch.__version__.split("+")[0], "torchvision": torchvision.__version__.split("+")[0]}
write(__file__, versions | {"seed": SEED, "losses": losses()})
