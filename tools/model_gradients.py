"""Makes test/golden-model-gradients.json: gradients of whole models as PyTorch gives them.

The models are the fixtures. Their graphs are run by a small interpreter over torch functions, so that autograd sees them.
Inputs and what flows back into the outputs come from a hash, which the test repeats. Of each parameter's gradient g the file
has its norm, 16 projections on vectors of ±1 (the mean square of a difference of projections estimates the square of the
difference of gradients), and how far PyTorch moves from itself, at most, in four draws of a change of every input by 1e-6 of itself.

Run: python tools/model_gradients.py ../shared/fixtures (torch, onnx)
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import numpy_helper

torch.set_num_threads(1)
PROJECTIONS = 16

MODELS = {
    "ResNet-20": ("cifar10/resnet20_cifar10jpeg_finetuned.onnx", {"input": [4, 3, 32, 32]}),
    "MobileNetV1-0.25": ("mobilenetv1-025-imagenet/mobilenet_v1_0.25_224.onnx", {"input": [1, 3, 224, 224]}),
    "MNIST": ("mnist/mnist-8.onnx", {"Input3": [1, 1, 28, 28]}),
    "stories260k": ("llama-stories260k/stories260k_T256_dynamo.onnx", {"input_ids": [1, 256]}),
    "DTLN 1": ("dtln-speech-enhancement/model_1.onnx", {"input_2": [1, 1, 257], "input_3": [1, 2, 128, 2]}),
    "ESPNet": ("espnet-camvid/espnet_camvid.onnx", {"input": [1, 3, 360, 480]}),
    "FastestDet": ("fastestdet-coco/FastestDet.onnx", {"input.1": [1, 3, 352, 352]}),
    "Basic Pitch": ("basic-pitch/nmp.onnx", {"serving_default_input_2:0": [1, 43844, 1]}),
    "DTLN 2": ("dtln-speech-enhancement/model_2.onnx", {"input_4": [1, 1, 512], "input_5": [1, 2, 128, 2]}),
}


def hashed(count, salt):
    """The numbers that test/model-gradients.test.ts makes, too: 32 bits each."""
    with np.errstate(over="ignore"):
        h = (np.arange(count, dtype=np.uint32) + np.uint32(1 + salt * 7919)) * np.uint32(2654435761)
        h ^= h >> np.uint32(15)
        h *= np.uint32(2246822519)
        h ^= h >> np.uint32(13)
    return h


def uniform(shape, salt):
    """Numbers in [-1, 1)."""
    values = (hashed(int(np.prod(shape)), salt) >> np.uint32(8)).astype(np.float64) / 2**23 - 1
    return torch.tensor(values.astype(np.float32)).reshape(shape)


def projections(gradient):
    flat = gradient.double().flatten().numpy()
    bits = hashed(flat.size, 0)
    signs = [np.where((bits >> np.uint32(j)) & np.uint32(1), 1.0, -1.0) for j in range(PROJECTIONS)]
    return [float(np.dot(sign, flat)) for sign in signs]


def pads_of(attributes, x, kernel, strides, dilations):
    """Pads at the begin and the end of each spatial axis."""
    if attributes.get("auto_pad", b"NOTSET") in (b"NOTSET", b"VALID"):
        given = attributes.get("pads", [0] * (2 * len(kernel)))
        return list(zip(given[: len(kernel)], given[len(kernel) :]))
    pairs = []
    for length, k, s, d in zip(x.shape[2:], kernel, strides, dilations):
        total = max(0, (-(-length // s) - 1) * s + d * (k - 1) + 1 - length)
        pairs.append((total // 2, total - total // 2) if attributes["auto_pad"] == b"SAME_UPPER" else (total - total // 2, total // 2))
    return pairs


def padded(x, pairs, value=0.0):
    flat = [p for pair in reversed(pairs) for p in pair]
    return F.pad(x, flat, value=value) if any(flat) else x


def conv(a, x, w, b=None):
    kernel = list(w.shape[2:])
    ones = [1] * len(kernel)
    strides, dilations = a.get("strides", ones), a.get("dilations", ones)
    x = padded(x, pads_of(a, x, kernel, strides, dilations))
    f = {1: F.conv1d, 2: F.conv2d}[len(kernel)]
    return f(x, w, b, strides, 0, dilations, a.get("group", 1))


def max_pool(a, x):
    ones = [1] * len(a["kernel_shape"])
    pairs = pads_of(a, x, a["kernel_shape"], a.get("strides", ones), ones)
    return F.max_pool2d(padded(x, pairs, -float("inf")), a["kernel_shape"], a.get("strides", ones))


def average_pool(a, x):
    pads = a.get("pads", [0, 0, 0, 0])
    assert pads[:2] == pads[2:]
    return F.avg_pool2d(x, a["kernel_shape"], a.get("strides", [1, 1]), pads[:2], bool(a.get("ceil_mode", 0)), bool(a.get("count_include_pad", 0)))


def slices(x, starts, ends, axes=None, steps=None):
    axes = range(len(starts)) if axes is None else axes.tolist()
    steps = [1] * len(starts) if steps is None else steps.tolist()
    for axis, start, end, step in zip(axes, starts.tolist(), ends.tolist(), steps):
        x = x.index_select(axis, torch.tensor(list(range(*slice(start, end, step).indices(x.shape[axis]))), dtype=torch.int64))
    return x


def lstm(a, x, w, r, b, lens, h, c, p=None):
    """ONNX's gates are i, o, f, c; PyTorch's are i, f, c, o."""
    hidden = a["hidden_size"]

    def order(value):
        i, o, f, g = value.split(hidden)
        return torch.cat([i, f, g, o])

    weights = [order(w[0]), order(r[0]), order(b[0][: 4 * hidden]), order(b[0][4 * hidden :])]
    y, h1, c1 = torch._VF.lstm(x, (h, c), weights, True, 1, 0.0, False, False, False)
    return y.unsqueeze(1), h1, c1


def reduce(function):
    def run(a, x, axes=None):
        axes = a.get("axes") if axes is None else axes.tolist()
        return function(x, tuple(axes), bool(a.get("keepdims", 1)))

    return run


def axes_of(a, given):
    return list(a["axes"]) if given is None else given.tolist()


def squeezed(a, x, axes=None):
    for axis in sorted((i % x.dim() for i in axes_of(a, axes)), reverse=True):
        x = x.squeeze(axis)
    return x


def unsqueezed(a, x, axes=None):
    rank = x.dim() + len(axes_of(a, axes))
    for axis in sorted(i % rank for i in axes_of(a, axes)):
        x = x.unsqueeze(axis)
    return x


def split(a, x, sizes=None):
    sizes = a.get("split") if sizes is None else sizes.tolist()
    if sizes is None:
        sizes = [x.shape[a.get("axis", 0)] // a["outputs"]] * a["outputs"]
    return x.split(list(sizes), a.get("axis", 0))


def pad(a, x, pads=None, value=None):
    pads = pads.tolist()
    half = len(pads) // 2
    if a.get("mode") == b"reflect":
        for axis, (before, after) in enumerate(zip(pads[:half], pads[half:])):
            last = x.shape[axis] - 1
            index = torch.arange(-before, last + 1 + after).abs()
            x = x.index_select(axis, torch.where(index > last, 2 * last - index, index)) if before or after else x
        return x
    return padded(x, list(zip(pads[:half], pads[half:])), 0.0 if value is None else float(value))


def gather(a, x, index):
    axis = a.get("axis", 0)
    picked = x.index_select(axis, index.flatten() % x.shape[axis])
    return picked.reshape([*x.shape[:axis], *index.shape, *x.shape[axis + 1 :]])


def reshape(a, x, shape):
    return x.reshape([x.shape[i] if n == 0 else n for i, n in enumerate(shape.tolist())])


def conv_transpose(a, x, w, b=None):
    assert a.get("auto_pad", b"NOTSET") == b"NOTSET" and not any(a.get("pads", [0]))
    return F.conv_transpose2d(x, w, b, a["strides"], 0, 0, a.get("group", 1), a["dilations"])


def resize(a, x, roi, scales):
    """Nearest, by whole factors: every element is repeated."""
    assert a["mode"] == b"nearest" and a["coordinate_transformation_mode"] == b"asymmetric" and a["nearest_mode"] == b"floor"
    for axis, scale in enumerate(scales.tolist()):
        x = x.repeat_interleave(int(scale), axis)
    return x


def prelu(a, x, slope):
    return torch.where(x < 0, slope * x, x)


def constant(a):
    return torch.tensor(numpy_helper.to_array(a["value"]).copy())


def gemm(a, x, w, b):
    assert a.get("alpha", 1.0) == 1.0 and a.get("beta", 1.0) == 1.0 and not a.get("transA", 0)
    return x @ (w.T if a.get("transB", 0) else w) + b


def clip(a, x, low=None, high=None):
    return torch.clamp(x, low if low is not None else a.get("min"), high if high is not None else a.get("max"))


TYPES = {1: torch.float32, 6: torch.int32, 7: torch.int64, 9: torch.bool}
OPERATORS = {
    "Add": lambda a, x, y: x + y,
    "AveragePool": average_pool,
    "BatchNormalization": lambda a, x, g, b, m, v: F.batch_norm(x, m.detach(), v.detach(), g, b, eps=a.get("epsilon", 1e-5)),
    "Cast": lambda a, x: x.to(TYPES[a["to"]]),
    "Clip": clip,
    "Concat": lambda a, *xs: torch.cat(xs, a["axis"]),
    "Constant": constant,
    "ConstantOfShape": lambda a, shape: torch.full(shape.tolist(), constant(a).item(), dtype=constant(a).dtype),
    "Conv": conv,
    "ConvTranspose": conv_transpose,
    "Div": lambda a, x, y: x / y if x.is_floating_point() else x // y,
    "Equal": lambda a, x, y: x == y,
    "Expand": lambda a, x, shape: x * torch.ones(shape.tolist(), dtype=x.dtype),
    "Flatten": lambda a, x: x.flatten(a.get("axis", 1)),
    "Gather": gather,
    "Gemm": gemm,
    "GlobalAveragePool": lambda a, x: x.mean((2, 3), keepdim=True),
    "LSTM": lstm,
    "Log": lambda a, x: torch.log(x),
    "MatMul": lambda a, x, y: x @ y,
    "MaxPool": max_pool,
    "Mul": lambda a, x, y: x * y,
    "Neg": lambda a, x: -x,
    "PRelu": prelu,
    "Pad": pad,
    "Pow": lambda a, x, y: x**y,
    "Reciprocal": lambda a, x: 1 / x,
    "ReduceMax": reduce(torch.amax),
    "ReduceMean": reduce(torch.mean),
    "ReduceMin": reduce(torch.amin),
    "ReduceSum": reduce(torch.sum),
    "Relu": lambda a, x: F.relu(x),
    "Reshape": reshape,
    "Resize": resize,
    "Shape": lambda a, x: torch.tensor(x.shape),
    "Sigmoid": lambda a, x: torch.sigmoid(x),
    "Slice": lambda a, x, *given: slices(x, *given),
    "Softmax": lambda a, x: F.softmax(x, a.get("axis", -1)),
    "Split": split,
    "Sqrt": lambda a, x: torch.sqrt(x),
    "Squeeze": squeezed,
    "Sub": lambda a, x, y: x - y,
    "Tanh": lambda a, x: torch.tanh(x),
    "Transpose": lambda a, x: x.permute(a["perm"]),
    "Unsqueeze": unsqueezed,
    "Where": lambda a, c, x, y: torch.where(c, x, y),
}


def run(graph, values):
    for node in graph.node:
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        attributes["outputs"] = len(node.output)
        inputs = [values[name] if name else None for name in node.input]
        while inputs and inputs[-1] is None:
            inputs.pop()
        result = OPERATORS[node.op_type](attributes, *inputs)
        results = result if isinstance(result, (tuple, list)) else [result]
        values.update(zip(node.output, results))
    return [values[output.name] for output in graph.output]


def trained(graph):
    """Constants of floats with more than one element, without the statistics of batch norms."""
    statistics = {name for node in graph.node if node.op_type == "BatchNormalization" for name in node.input[3:5]}
    return [t.name for t in graph.initializer if t.data_type == 1 and np.prod(t.dims) > 1 and t.name not in statistics]


def changed(x, change):
    """Every number a little up or down; `change` is how much, and which one of several draws."""
    amount, draw = change
    return x * (1 + amount * torch.sign(uniform(list(x.shape), 50 + draw)))


def gradients(graph, inputs, names, change):
    values = {t.name: torch.tensor(numpy_helper.to_array(t).copy()) for t in graph.initializer}
    for name in names:
        values[name].requires_grad_()
    fed = {name: changed(x, change) if x.is_floating_point() else x for name, x in inputs.items()}
    if change[0] and not any(x.is_floating_point() for x in inputs.values()):
        # Tokens cannot change a little; what they are looked up in can.
        table = next(node.input[0] for node in graph.node if node.op_type == "Gather" and node.input[0] in names)
        with torch.no_grad():
            values[table].copy_(changed(values[table], change))
    outputs = run(graph, {**values, **fed})
    seeds = [uniform(list(y.shape), 100 + i) for i, y in enumerate(outputs)]
    torch.autograd.backward(outputs, seeds)
    return {name: values[name].grad for name in names if values[name].grad is not None}


def rounded(value):
    return float(f"{value:.7g}")


def main():
    fixtures = Path(sys.argv[1])
    lines = []
    for name, (file, shapes) in MODELS.items():
        graph = onnx.load(fixtures / file).graph
        floats = {i.name: i.type.tensor_type.elem_type == 1 for i in graph.input}
        inputs = {
            key: uniform(shape, 1 + i) if floats[key] else torch.tensor((hashed(int(np.prod(shape)), 1 + i) % 512).astype(np.int64)).reshape(shape)
            for i, (key, shape) in enumerate(shapes.items())
        }
        names = trained(graph)
        plain = gradients(graph, inputs, names, (0, 0))
        moved = [gradients(graph, inputs, names, (1e-6, draw)) for draw in range(4)]
        parameters = {
            key: {
                "norm": rounded(g.double().norm()),
                "self": rounded(max(float((m[key].double() - g.double()).norm()) for m in moved)),
                "on": [rounded(p) for p in projections(g)],
            }
            for key, g in plain.items()
        }
        ratios = [p["self"] / p["norm"] for p in parameters.values() if p["norm"] > 0]
        print(name, len(parameters), "parameters; from itself up to", max(ratios), "median", sorted(ratios)[len(ratios) // 2], file=sys.stderr)
        lines.append(f"{json.dumps(name)}: {json.dumps({'file': file, 'inputs': shapes, 'parameters': parameters})}")
    target = Path(__file__).resolve().parent.parent / "test" / "golden-model-gradients.json"
    target.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
