"""Makes src/autodiff/golden/*.json: gradients as PyTorch gives them, kinks and ties included.

Every case is a graph in ONNX text, its inputs, what flows back into its output, and PyTorch's gradient of each input.
Run: python tools/gradient_goldens.py (torch)
"""

import json
from collections import defaultdict
from pathlib import Path

import torch
import torch.nn.functional as F

ROOT = Path(__file__).resolve().parent.parent
FAMILIES = defaultdict(dict)


def numbers(tensor):
    return [float(f"{value:.7g}") for value in tensor.detach().double().flatten().tolist()]


def flowing(y):
    """What flows back into an output: no zeros, both signs."""
    return torch.tensor([((i * 37) % 11 - 5) / 4 + 0.125 for i in range(y.numel())], dtype=y.dtype).reshape(y.shape)


def case(family, name, call, function, inputs, constants="", dtype=torch.float64, opset=21, extra=()):
    """`inputs` are nested lists; those that `extra` names are integers and get no gradient."""
    tensors = {
        key: torch.tensor(value, dtype=torch.int64 if key in extra else dtype).requires_grad_(key not in extra)
        for key, value in inputs.items()
    }
    y = function(*tensors.values())
    seed = flowing(y)
    y.backward(seed)
    signature = ", ".join(
        f"{'int64' if key in extra else 'float'}{list(value.shape) if value.dim() else ''} {key}"
        for key, value in tensors.items()
    )
    FAMILIES[family][name] = {
        "text": f"f ({signature}) => (float y) {f'<{constants}> ' if constants else ''}{{ {call} }}",
        "opset": opset,
        "inputs": {key: [list(value.shape), numbers(value)] for key, value in tensors.items()},
        "flowsBack": [list(y.shape), numbers(seed)],
        "gradients": {key: numbers(value.grad) for key, value in tensors.items() if key not in extra},
    }


X12 = [[-5, -2.3, -1], [0, 0.3, 1.1], [2.7, 4, 9], [-0.125, 0.8, -9]]
X = [-6, -3, -1.5, -1, -0.5, 0, 0.25, 0.5, 1, 3, 6]


def activations():
    def one(name, call, function, x=X, **rest):
        case("activations", name, f"y = {call}", function, {"x": x}, **rest)

    one("Relu", "Relu(x)", F.relu)
    one("LeakyRelu", "LeakyRelu <alpha = 0.25> (x)", lambda x: F.leaky_relu(x, 0.25))
    one("LeakyRelu with a negative slope", "LeakyRelu <alpha = -0.5> (x)", lambda x: F.leaky_relu(x, -0.5))
    case("activations", "PRelu", "y = PRelu(x, s)", lambda x, s: F.prelu(x, s), {"x": [X], "s": [0.25] * len(X)})
    one("Elu", "Elu <alpha = 1.5> (x)", lambda x: F.elu(x, 1.5))
    one("Celu", "Celu <alpha = 0.7> (x)", lambda x: F.celu(x, 0.7))
    one("Selu", "Selu(x)", F.selu)
    one("Gelu", "Gelu(x)", F.gelu)
    one("Gelu by tanh", 'Gelu <approximate = "tanh"> (x)', lambda x: F.gelu(x, approximate="tanh"))
    one("Sigmoid", "Sigmoid(x)", torch.sigmoid)
    one("Tanh", "Tanh(x)", torch.tanh)
    one("HardSigmoid", "HardSigmoid <alpha = 0.16666667, beta = 0.5> (x)", F.hardsigmoid)
    one("HardSwish", "HardSwish(x)", F.hardswish)
    one("Mish", "Mish(x)", F.mish)
    one("Softplus", "Softplus(x)", F.softplus)
    one("Softsign", "Softsign(x)", F.softsign)
    one("Swish", "Swish(x)", F.silu, opset=24)
    one("Shrink, hard", "Shrink <lambd = 0.5> (x)", lambda x: F.hardshrink(x, 0.5))
    one("Shrink, soft", "Shrink <lambd = 0.5, bias = 0.5> (x)", lambda x: F.softshrink(x, 0.5))
    one("ThresholdedRelu", "ThresholdedRelu <alpha = 0.5> (x)", lambda x: F.threshold(x, 0.5, 0))
    one("Clip with fixed bounds", "Clip(x, low, high)", lambda x: torch.clamp(x, -1, 3), constants="float low = {-1}, float high = {3}")
    one("Clip as ReLU6", "Clip(x, low, high)", F.relu6, constants="float low = {0}, float high = {6}")
    bounds = {"x": X, "low": -1, "high": 3}
    case("activations", "Clip", "y = Clip(x, low, high)", lambda x, low, high: torch.clamp(x, low, high), bounds)
    crossed = {"x": X, "low": 3, "high": -1}
    case("activations", "Clip, crossed", "y = Clip(x, low, high)", lambda x, low, high: torch.clamp(x, low, high), crossed)


def arithmetic():
    def one(name, function, x):
        case("arithmetic", name, f"y = {name}(x)", function, {"x": x})

    def two(name, function, a, b, call=None):
        case("arithmetic", name, f"y = {call or name}(a, b)", function, {"a": a, "b": b})

    inner = [-0.75, -0.25, 0, 0.5]
    one("Abs", torch.abs, [-1.5, 0, 2])
    one("Sqrt", torch.sqrt, [0.25, 2])
    for name in ("Exp", "Erf", "Sin", "Cos", "Tan", "Asin", "Acos", "Atan", "Sinh", "Cosh", "Asinh", "Atanh"):
        one(name, getattr(torch, name.lower()), inner)
    one("Acosh", torch.acosh, [1.5, 3])
    one("Log", torch.log, [0.25, 2])
    one("Reciprocal", torch.reciprocal, [-0.5, 2])
    two("Add", torch.add, [[1, 2], [3, 4]], [0.5, 1])
    two("Sub", torch.sub, [[1], [3]], [0.5, 1])
    two("Mul", torch.mul, [[1, 2], [3, 4]], 0.5)
    two("Div", torch.div, [[1, -2], [3, 4]], [0.5, -1.5])
    two("Max with ties", torch.maximum, [-1, 0, 2, 2], [0, 0, 1, 2], "Max")
    two("Min with ties", torch.minimum, [-1, 0, 2, 2], [0, 0, 1, 2], "Min")
    two("Mod", torch.fmod, [2.5, -0.75, 3.1, -2], [1, 0.5, -0.75, -0.75], "Mod <fmod = 1> ")
    two("Pow", torch.pow, [0, 0, 0, 1.5, 2], [2, 1, 0, 0, -1.5])
    where = 'c = Greater(m, zero) y = Where(c, a, b)'
    case(
        "arithmetic", "Where", where, lambda m, a, b: torch.where(m > 0, a, b),
        {"m": [1, 0, 1], "a": [1, 2, 3], "b": [[4], [5]]}, "int64 zero = {0}", extra=("m",),
    )


def reductions():
    def one(name, function, x, call=None, keepdims=0):
        text = f"y = {call or name} <keepdims = {keepdims}> (x, axes)"
        case("reductions", name, text, function, {"x": x}, "int64[1] axes = {1}")

    table = [[1, -2, 3], [0.5, 4, -1]]
    zeros = [[2, 0, -1.5], [1, 3, 0.5], [0, 4, 0]]
    one("ReduceSum", lambda x: x.sum(1), table)
    one("ReduceMean", lambda x: x.mean(1), table)
    one("ReduceMax with ties", lambda x: x.amax(1), [[1, 3, 3], [2, 2, 2], [1, 0, -1]], "ReduceMax")
    one("ReduceMin with ties", lambda x: x.amin(1), [[1, 3, 1], [2, 2, 2], [1, 0, -1]], "ReduceMin")
    one("ReduceProd with zeros", lambda x: x.prod(1), zeros, "ReduceProd")
    one("ReduceL1 with a zero", lambda x: x.norm(1, 1), zeros, "ReduceL1")
    one("ReduceL2 with a row of zeros", lambda x: x.norm(2, 1), [[3, 4], [0, 0]], "ReduceL2")
    one("ReduceSumSquare", lambda x: (x * x).sum(1), table)
    one("ReduceLogSum", lambda x: x.sum(1).log(), [[1, 2], [0.5, 0.25]])
    one("ReduceLogSumExp", lambda x: x.logsumexp(1), table)


def along_axis():
    table = [[1, -2, 3], [0.5, 4, -1]]
    case("along-axis", "Softmax", "y = Softmax(x)", lambda x: x.softmax(1), {"x": table})
    case("along-axis", "LogSoftmax", "y = LogSoftmax <axis = 0> (x)", lambda x: x.log_softmax(0), {"x": table})
    case("along-axis", "CumSum", "y = CumSum(x, a)", lambda x: x.cumsum(1), {"x": table}, "int64 a = {1}")
    zeros = [[2, 0, -1.5], [1, 3, 0.5], [0, 4, 0]]
    case("along-axis", "CumProd", "y = CumProd(x, a)", lambda x: x.cumprod(1), {"x": zeros}, "int64 a = {1}", opset=26)


def movement():
    x = [[[1, 2, 3, 4], [5, 6, 7, 8]]]
    for mode, torch_mode in (("reflect", "reflect"), ("edge", "replicate"), ("wrap", "circular")):
        text = f'y = Pad <mode = "{mode}"> (x, p)'
        case("movement", f"Pad, {mode}", text, lambda x: F.pad(x, (2, 1), mode=torch_mode), {"x": x}, "int64[6] p = {0,0,2,0,0,1}")
    table = [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
    twice = [0, 2, 2, 0, 2]
    case("movement", "Gather", "y = Gather(x, i)", lambda x, i: x[i], {"x": table, "i": twice}, extra=("i",))
    places = [[0, 0, 2], [1, 1, 1]]
    case(
        "movement", "GatherElements", "y = GatherElements <axis = 1> (x, i)", lambda x, i: x.gather(1, i),
        {"x": table, "i": places}, extra=("i",),
    )
    case("movement", "Slice", "y = Slice(x, s, e, a, t)", lambda x: x[:, 1:].flip(0)[::2], {"x": table},
         "int64[2] s = {-1,1}, int64[2] e = {-9,9}, int64[2] a = {0,1}, int64[2] t = {-2,1}")
    case("movement", "TopK", "y, i = TopK(x, k)", lambda x: x.topk(2).values, {"x": [[1, 5, 3], [9, 2, 4]]}, "int64[1] k = {2}")
    case("movement", "Tile", "y = Tile(x, r)", lambda x: x.tile(2, 3), {"x": [[1, 2]]}, "int64[2] r = {2,3}")
    case("movement", "Trilu", "y = Trilu <upper = 0> (x)", torch.tril, {"x": table})
    cube = torch.arange(16.0).reshape(1, 8, 1, 2).tolist()
    shuffle = 'y = DepthToSpace <blocksize = 2, mode = "CRD"> (x)'
    case("movement", "DepthToSpace", shuffle, lambda x: F.pixel_shuffle(x, 2), {"x": cube})


def placement():
    data = [[1, 2, 3], [0, -1, 2]]
    rows = [[0, 1, 0], [0, 1, 1]]
    updates = [[1, -1, 3], [2, 0, 2]]
    for mode, torch_mode in (("add", "sum"), ("mul", "prod"), ("max", "amax"), ("min", "amin")):
        text = f'y = ScatterElements <axis = 0, reduction = "{mode}"> (x, i, u)'
        function = lambda x, i, u: x.scatter_reduce(0, i, u, torch_mode)
        inputs = {"x": data, "i": rows, "u": updates}
        case("placement", f"ScatterElements, {mode}", text, function, inputs, extra=("i",))
    case(
        "placement", "ScatterND, add", 'y = ScatterND <reduction = "add"> (x, i, u)',
        lambda x, i, u: x.index_put((i[:, 0],), u, accumulate=True),
        {"x": data, "i": [[1], [1], [0]], "u": [[1, 2, 3], [4, 5, 6], [7, 8, 9]]}, extra=("i",),
    )
    columns = torch.arange(1.0, 33).reshape(1, 8, 4).tolist()
    fold = "y = Col2Im <pads = [0,0,1,1], strides = [2,2]> (x, s, k)"
    case(
        "placement", "Col2Im", fold, lambda x: F.fold(x, (4, 4), (2, 2), stride=2)[..., :3, :3],
        {"x": columns}, "int64[2] s = {3,3}, int64[2] k = {2,2}",
    )


def losses():
    scores = [[1, -1, 0.5], [0, 2, 1], [-0.5, 0.25, 3], [1, 1, 1]]
    labels = [0, 2, 1, 1]
    weight = torch.tensor([1, 0.5, 2], dtype=torch.float64)
    inputs = {"x": scores, "t": labels}
    constants = "float[3] w = {1, 0.5, 2}"
    for reduction in ("mean", "sum", "none"):
        attributes = f'ignore_index = 2, reduction = "{reduction}"'
        rest = {"weight": weight, "ignore_index": 2, "reduction": reduction}
        for op, function in (("SoftmaxCrossEntropyLoss", F.cross_entropy), ("NegativeLogLikelihoodLoss", F.nll_loss)):
            call = lambda x, t: function(x, t, **rest)
            case("losses", f"{op}, {reduction}", f"y = {op} <{attributes}> (x, t, w)", call, inputs, constants, extra=("t",))


def signals():
    real = torch.view_as_real
    signal = [[[1], [-2], [0.5], [3], [2]]]
    case("signals", "DFT, half", "y = DFT <onesided = 1> (x)", lambda x: real(torch.fft.rfft(x[..., 0])), {"x": signal})
    twice = [[[1, 2], [-2, 0.5], [0.5, -1], [3, 1]]]
    inverse = lambda x: real(torch.fft.ifft(torch.view_as_complex(x)))
    case("signals", "DFT, inverse", "y = DFT <inverse = 1> (x)", inverse, {"x": twice})
    stft = lambda x, w: real(torch.stft(x[..., 0], 4, 2, window=w, center=False, return_complex=True)).transpose(1, 2)
    long = [[[1], [-2], [0.5], [3], [2], [-1], [0.25], [4]]]
    case("signals", "STFT", "y = STFT(x, s, w)", stft, {"x": long, "w": [0.5, 1, 2, 0.25]}, "int64 s = {2}")


def einsum():
    def one(equation, **inputs):
        text = f'y = Einsum <equation = "{equation}"> ({", ".join(inputs)})'
        case("einsum", equation, text, lambda *operands: torch.einsum(equation, *operands), inputs)

    table = [[1, -2, 3], [0.5, 4, -1]]
    square = [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
    one("ij,jk->ik", a=table, b=square)
    one("ii->i", a=square)
    one("iij,ij->j", a=[[[1, 2], [3, 4]], [[5, 6], [7, 8]]], b=[[0.5, 1], [-1, 2]])
    one("...i,...i->...", a=table, b=table)
    one("ij,k->i", a=table, b=[1, -2])


def quantizers():
    """Scales are powers of two, so that no quotient is rounded. A negative zero point of a tensor is rounded differently
    by PyTorch's backward pass (-100 becomes -99), so there is none."""

    fake_quantize = torch._fake_quantize_learnable_per_channel_affine

    def one(name, function, scale, zero, attributes="", x=X12):
        x, s, z = [torch.tensor(value, dtype=torch.float32, requires_grad=True) for value in (x, scale, zero)]
        y = function(x, s, z)
        seed = flowing(y)
        y.backward(seed)
        size = str(list(s.shape)) if s.dim() else ""
        constants = [", ".join(str(v) for v in t.flatten().tolist()) for t in (s, z.int())]
        pair = f"q = QuantizeLinear {attributes}(x, s, z) y = DequantizeLinear {attributes}(q, s, z)"
        FAMILIES["quantizers"][name] = {
            "text": f"f (float{list(x.shape)} x) => (float y) <float{size} s = {{{constants[0]}}}, "
            f"int8{size} z = {{{constants[1]}}}> {{ {pair} }}",
            "opset": 21,
            "inputs": {"x": [list(x.shape), numbers(x)]},
            "flowsBack": [list(y.shape), numbers(seed)],
            "gradients": {"x": numbers(x.grad), "s": numbers(s.grad), "z": numbers(z.grad)},
        }

    def whole(x, s, z):
        return torch._fake_quantize_learnable_per_tensor_affine(x, s.reshape(1), z.reshape(1), -128, 127)

    def channels(axis):
        return lambda x, s, z: fake_quantize(x, s, z, axis, -128, 127)

    def blocks(x, s, z):
        rows = F.pad(x, (0, 1)).reshape(4, 3)
        return fake_quantize(rows, s.flatten(), z.flatten(), 0, -128, 127).reshape(2, 6)[:, :5]

    one("per tensor", whole, 0.03125, 0)
    one("per tensor, a zero point", whole, 0.03125, 100)
    one("per channel", channels(1), [0.03125, 0.0625, 0.015625], [0, 20, -30], "<axis = 1> ")
    one("per channel, first axis", channels(0), [0.03125, 0.0625, 0.015625, 0.125], [0, 20, -30, 0], "<axis = -2> ")
    short = [[-5, -2.3, -1, 0, 0.3], [1.1, 2.7, 4, 9, -9]]
    scales = [[0.03125, 0.0625], [0.015625, 0.125]]
    one("in blocks, the last one short", blocks, scales, [[0, 20], [-30, 0]], "<axis = 1, block_size = 3> ", short)


def write():
    """One file for each family that has cases."""
    folder = ROOT / "src" / "autodiff" / "golden"
    folder.mkdir(exist_ok=True)
    for family, cases in FAMILIES.items():
        lines = [f"{json.dumps(name)}: {json.dumps(one)}" for name, one in cases.items()]
        body = ",\n".join(lines)
        (folder / f"{family}.json").write_text("{\n" + body + "\n}\n")


def main():
    for family in (activations, arithmetic, reductions, along_axis, movement, placement, losses, signals, einsum, quantizers):
        family()
    write()


if __name__ == "__main__":
    main()
