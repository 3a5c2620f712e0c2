"""Makes the goldens of recurrent nets, attention, norms, pools and pictures in src/autodiff/golden/, as gradient_goldens.py does.

Run: python tools/gradient_goldens_sequence.py (torch)
"""

import torch
import torch.nn.functional as F
from gradient_goldens import case, write

STEPS, SAMPLES, INPUTS, HIDDEN = 4, 2, 3, 2
# Where PyTorch has the gates that ONNX has at 0, 1, …
ORDER = {"LSTM": [0, 2, 3, 1], "GRU": [1, 0, 2], "RNN": [0]}


def some(shape, start=0, scale=0.7):
    """Numbers that look random and are short."""
    count = 1
    for length in shape:
        count *= length
    values = [round((((i + start) * 61 + 17) % 97 - 48) / 48 * scale, 3) for i in range(count)]
    return torch.tensor(values).reshape(shape).tolist()


def reordered(value, kind):
    """ONNX's order of gates to PyTorch's."""
    parts = value.reshape(len(ORDER[kind]), HIDDEN, -1)
    return torch.stack([parts[i] for i in ORDER[kind]]).reshape(value.shape)


def net(kind, bidirectional, final):
    """A function of ONNX's inputs with PyTorch's own kernel inside. The steps come out as [T, D, B, H]."""
    directions = 2 if bidirectional else 1
    gates = len(ORDER[kind])
    module = getattr(torch.nn, kind)(INPUTS, HIDDEN, bidirectional=bidirectional).double()

    def run(x, w, r, b, *states):
        params = {}
        for d in range(directions):
            end = "_l0_reverse" if d else "_l0"
            params["weight_ih" + end] = reordered(w[d], kind)
            params["weight_hh" + end] = reordered(r[d], kind)
            params["bias_ih" + end] = reordered(b[d][: gates * HIDDEN], kind)
            params["bias_hh" + end] = reordered(b[d][gates * HIDDEN :], kind)
        first = tuple(states) if kind == "LSTM" else states[0]
        y, last = torch.func.functional_call(module, params, (x, first))
        if final:
            return last[1] if kind == "LSTM" else last
        return y.reshape(STEPS, SAMPLES, directions, HIDDEN).transpose(1, 2)

    return run


def recurrent():
    for kind in ORDER:
        for bidirectional in (False, True):
            for final in (False, True):
                d, gates = (2 if bidirectional else 1), len(ORDER[kind])
                inputs = {
                    "x": some([STEPS, SAMPLES, INPUTS]),
                    "w": some([d, gates * HIDDEN, INPUTS], 5),
                    "r": some([d, gates * HIDDEN, HIDDEN], 11),
                    "b": some([d, 2 * gates * HIDDEN], 23),
                    "h": some([d, SAMPLES, HIDDEN], 31),
                }
                if kind == "LSTM":
                    inputs["c"] = some([d, SAMPLES, HIDDEN], 43)
                direction = "bidirectional" if bidirectional else "forward"
                after = ", linear_before_reset = 1" if kind == "GRU" else ""
                outputs = {False: "y", True: ", , y" if kind == "LSTM" else ", y"}[final]
                given = "x, w, r, b, , h" + (", c" if kind == "LSTM" else "")
                call = f'{outputs} = {kind} <hidden_size = {HIDDEN}, direction = "{direction}"{after}> ({given})'
                name = f"{kind}, {direction}, {'the last state' if final else 'all steps'}"
                case("recurrent", name, call, net(kind, bidirectional, final), inputs)


def attention():
    q, k = some([1, 2, 3, 4]), some([1, 2, 3, 4], 7)
    inputs = {"q": q, "k": k, "v": some([1, 2, 3, 4], 19)}
    case("attention", "plain", "y = Attention(q, k, v)", F.scaled_dot_product_attention, inputs, opset=23)
    case(
        "attention",
        "causal",
        "y = Attention <is_causal = 1> (q, k, v)",
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True),
        inputs,
        opset=23,
    )


def norms():
    affine = {"x": some([2, 4, 3]), "g": some([3], 3), "b": some([3], 9)}
    case(
        "normalizations",
        "LayerNormalization",
        "y = LayerNormalization(x, g, b)",
        lambda x, g, b: F.layer_norm(x, [3], g, b),
        affine,
    )
    channels = {"x": some([2, 4, 3]), "g": some([4], 3), "b": some([4], 9)}
    case(
        "normalizations",
        "GroupNormalization",
        "y = GroupNormalization <num_groups = 2> (x, g, b)",
        lambda x, g, b: F.group_norm(x, 2, g, b),
        channels,
    )
    case(
        "normalizations",
        "InstanceNormalization",
        "y = InstanceNormalization(x, g, b)",
        lambda x, g, b: F.instance_norm(x, weight=g, bias=b),
        channels,
    )
    case("normalizations", "LRN", "y = LRN <size = 3, alpha = 0.6> (x)", lambda x: F.local_response_norm(x, 3, 0.6), {"x": some([1, 4, 3, 1])})


def pools():
    x = {"x": some([1, 2, 6, 5], scale=2)}
    flat = {"x": [[[[1, 1, 1, 2], [1, 1, 2, 2], [0, 0, 3, 3], [0, 0, 3, 1]]]]}
    spec = "kernel_shape = [3,3], strides = [2,2], pads = [1,1,1,1]"
    case("pooling", "MaxPool", f"y = MaxPool <{spec}> (x)", lambda x: F.max_pool2d(x, 3, 2, 1), x)
    case("pooling", "MaxPool of equal elements", "y = MaxPool <kernel_shape = [2,2], strides = [2,2]> (x)", lambda x: F.max_pool2d(x, 2), flat)
    case(
        "pooling",
        "AveragePool, padding counts",
        f"y = AveragePool <{spec}, count_include_pad = 1> (x)",
        lambda x: F.avg_pool2d(x, 3, 2, 1),
        x,
    )
    case(
        "pooling",
        "AveragePool, padding does not count",
        f"y = AveragePool <{spec}> (x)",
        lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False),
        x,
    )
    case("pooling", "GlobalMaxPool", "y = GlobalMaxPool(x)", lambda x: F.adaptive_max_pool2d(x, 1), x)


def pictures():
    x = {"x": some([1, 1, 3, 4])}
    for mode, name in (("linear", "bilinear"), ("cubic", "bicubic")):
        case(
            "pictures",
            f"Resize, {mode}",
            f'y = Resize <mode = "{mode}", cubic_coeff_a = -0.75> (x, , s)',
            lambda x, name=name: F.interpolate(x, scale_factor=(2, 1.5), mode=name),
            x,
            constants="float[4] s = {1.0, 1.0, 2.0, 1.5}",
        )
    case(
        "pictures",
        "Resize, nearest",
        'y = Resize <mode = "nearest", coordinate_transformation_mode = "asymmetric", nearest_mode = "floor"> (x, , s)',
        lambda x: F.interpolate(x, scale_factor=(2, 1.5), mode="nearest"),
        x,
        constants="float[4] s = {1.0, 1.0, 2.0, 1.5}",
    )
    grid = {"x": some([1, 2, 4, 4]), "g": some([1, 2, 3, 2], 3, 1.3)}
    for padding in ("zeros", "border", "reflection"):
        case(
            "pictures",
            f"GridSample, {padding}",
            f'y = GridSample <mode = "linear", padding_mode = "{padding}"> (x, g)',
            lambda x, g, padding=padding: F.grid_sample(x, g, padding_mode=padding, align_corners=False),
            grid,
        )


def main():
    for family in (recurrent, attention, norms, pools, pictures):
        family()
    write()


if __name__ == "__main__":
    main()
