"""Makes src/train/golden/: steps of PyTorch's optimizers on given gradients, and values and gradients of its losses.

    python tools/training_goldens.py        (PyTorch and NumPy are needed)
"""

import json
from pathlib import Path

import torch
import torch.nn.functional as F

FOLDER = Path(__file__).resolve().parent.parent / "src" / "train" / "golden"


def listed(tensor):
    return [float(f"{v:.9g}") for v in tensor.detach().double().flatten().tolist()]


OPTIMIZERS = {
    "sgd": lambda p: torch.optim.SGD(p, 0.1),
    "sgd with momentum and decay": lambda p: torch.optim.SGD(p, 0.1, momentum=0.9, weight_decay=0.05),
    "sgd with nesterov": lambda p: torch.optim.SGD(p, 0.1, momentum=0.9, nesterov=True, weight_decay=0.05),
    "adam": lambda p: torch.optim.Adam(p, 0.05),
    "adam with decay": lambda p: torch.optim.Adam(p, 0.05, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.1),
    "adamw": lambda p: torch.optim.AdamW(p, 0.05),
}


def optimizers():
    torch.manual_seed(3)
    start = torch.randn(5)
    gradients = torch.randn(4, 5) * torch.tensor([1e-4, 0.1, 1, 10, 0])
    cases = {}
    for name, make in OPTIMIZERS.items():
        p = torch.nn.Parameter(start.clone())
        optimizer = make([p])
        steps = []
        for gradient in gradients:
            p.grad = gradient.clone()
            optimizer.step()
            steps.append(listed(p))
        cases[name] = steps
    # Two groups: other rates and decays; clipped together.
    p, q = torch.nn.Parameter(start[:2].clone()), torch.nn.Parameter(start[2:].clone())
    optimizer = torch.optim.SGD(
        [{"params": [p], "lr": 0.2, "weight_decay": 0.3}, {"params": [q]}], 0.1, momentum=0.5, weight_decay=0.01
    )
    steps = []
    for gradient in gradients:
        p.grad, q.grad = gradient[:2].clone(), gradient[2:].clone()
        torch.nn.utils.clip_grad_norm_([p, q], 1.5)
        optimizer.step()
        steps.append(listed(torch.cat([p, q])))
    cases["groups, clipped"] = steps
    return {"start": listed(start), "gradients": [listed(g) for g in gradients], "cases": cases}


def losses():
    torch.manual_seed(4)
    scores = torch.randn(3, 4) * 2
    pixels = torch.randn(2, 3, 2, 2) * 2
    teacher = torch.randn(3, 4) * 2
    target = torch.randn(3, 4)
    unit = torch.rand(3, 4)
    labels, pixel_labels = torch.tensor([2, 0, 3]), torch.tensor([[[0, 2], [9, 1]], [[9, 9], [2, 0]]])
    kl = lambda x, t: t * t * F.kl_div(
        F.log_softmax(x / t, 1), F.log_softmax(teacher / t, 1), reduction="batchmean", log_target=True
    )
    cases = {
        "cross-entropy": (scores, lambda x: F.cross_entropy(x, labels)),
        "cross-entropy, smoothed": (scores, lambda x: F.cross_entropy(x, labels, label_smoothing=0.1)),
        "cross-entropy of probabilities": (scores, lambda x: F.cross_entropy(x, unit / unit.sum(1, keepdim=True), label_smoothing=0.2)),
        "cross-entropy of pixels": (pixels, lambda x: F.cross_entropy(x, pixel_labels, ignore_index=9)),
        "cross-entropy of pixels, smoothed": (pixels, lambda x: F.cross_entropy(x, pixel_labels, ignore_index=9, label_smoothing=0.1)),
        "mean squared error": (scores, lambda x: F.mse_loss(x, target)),
        "mean absolute error": (scores, lambda x: F.l1_loss(x, target)),
        "binary cross-entropy of scores": (scores, lambda x: F.binary_cross_entropy_with_logits(x, unit)),
        "binary cross-entropy": (torch.sigmoid(scores), lambda x: F.binary_cross_entropy(x, unit)),
        "distillation": (scores, lambda x: kl(x, 1.0)),
        "distillation at temperature 4": (scores, lambda x: kl(x, 4.0)),
    }
    found = {}
    for name, (x, loss) in cases.items():
        x = x.clone().requires_grad_()
        value = loss(x)
        value.backward()
        found[name] = {"shape": list(x.shape), "outputs": listed(x), "value": float(f"{value.item():.9g}"), "gradient": listed(x.grad)}
    targets = {
        "labels": labels.tolist(),
        "pixelLabels": pixel_labels.flatten().tolist(),
        "teacher": listed(teacher),
        "target": listed(target),
        "unit": listed(unit),
        "probabilities": listed(unit / unit.sum(1, keepdim=True)),
    }
    return {"targets": targets, "cases": found}


def ctc():
    """Scores [T, N, classes] with blank 0; padded targets; lengths of their own."""
    torch.manual_seed(5)
    scores = torch.randn(6, 3, 4).requires_grad_()
    targets = torch.tensor([[1, 2, 0], [3, 3, 1], [2, 0, 0]])
    input_lengths, target_lengths = torch.tensor([6, 6, 4]), torch.tensor([2, 3, 1])
    value = F.ctc_loss(F.log_softmax(scores, 2), targets, input_lengths, target_lengths, reduction="mean")
    value.backward()
    return {
        "scores": listed(scores),
        "targets": targets.tolist(),
        "inputLengths": input_lengths.tolist(),
        "targetLengths": target_lengths.tolist(),
        "value": float(f"{value.item():.9g}"),
        "gradient": listed(scores.grad),
    }


def main():
    FOLDER.mkdir(exist_ok=True)
    for name, made in {"optimizers": optimizers(), "losses": losses(), "ctc": ctc()}.items():
        (FOLDER / f"{name}.json").write_text(json.dumps(made, indent=1) + "\n")


if __name__ == "__main__":
    main()
