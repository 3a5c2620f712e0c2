"""Which integer kernels of ONNX Runtime saturate on this processor, and by how much a file suffers from it.

    python tools/saturation.py                              one operator each, weights and data at their ends
    python tools/saturation.py MODEL.onnx SAMPLES.npy N     a Q/DQ file in a stock session against optimisation off

A processor with VNNI shows nothing. An emulated one without it does (Debian: apt install qemu-user):

    qemu-x86_64 -cpu Haswell python tools/saturation.py
"""

import sys

import numpy as np
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper


def session(model, off):
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    if off:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def single(op, shape, weight, dtype, scale, **attributes):
    """One operator between quantizers; every weight has the same value."""
    zero = dtype(0 if dtype == np.int8 else 128)
    stored = np.full(weight["shape"], weight["value"] + int(zero), dtype)
    constants = dict(w=stored, sx=np.float32(1), zx=np.uint8(0), sw=np.float32(1), zw=zero, sy=np.float32(scale), zy=np.uint8(0))
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "sx", "zx"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "sx", "zx"], ["d"]),
        helper.make_node("DequantizeLinear", ["w", "sw", "zw"], ["wd"]),
        helper.make_node(op, ["d", "wd"], ["c"], **attributes),
        helper.make_node("QuantizeLinear", ["c", "sy", "zy"], ["q2"]),
        helper.make_node("DequantizeLinear", ["q2", "sy", "zy"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(a, n) for n, a in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8).SerializeToString()


def operators():
    cases = [
        ("Conv 1x1", "Conv", [1, 8, 8, 8], (8, 8, 1, 1), {}),
        ("Conv 3x3 of 3", "Conv", [1, 3, 8, 8], (8, 3, 3, 3), {}),
        ("depthwise", "Conv", [1, 8, 8, 8], (8, 1, 3, 3), {"group": 8}),
        ("2 groups", "Conv", [1, 16, 8, 8], (8, 8, 1, 1), {"group": 2}),
        ("MatMul", "MatMul", [8, 32], (32, 8), {}),
    ]
    for name, op, shape, weights, attributes in cases:
        terms = int(np.prod(weights[1:])) if op == "Conv" else weights[0]
        for dtype in (np.int8, np.uint8):
            for value in (127, 65, 64):
                model = single(op, shape, {"shape": weights, "value": value}, dtype, terms * 130, **attributes)
                x = np.full(shape, 255, np.float32)
                kernel, reference = (float(session(model, off).run(None, {"x": x})[0].max()) for off in (False, True))
                print(f"{name:14s} {dtype.__name__:5s} weights {value:3d}: {'saturates' if kernel != reference else 'exact'}", flush=True)


def file(path, samples, count):
    x = np.load(samples)[:count]

    def run(off):
        one = session(path, off)
        name = one.get_inputs()[0].name
        return np.concatenate([one.run(None, {name: sample[None]})[0] for sample in x])

    a, b = run(False), run(True)
    print(f"largest difference / range {np.abs(a - b).max() / (b.max() - b.min()):.4f}, agreement {(a.argmax(1) == b.argmax(1)).mean():.3f}")


if __name__ == "__main__":
    if len(sys.argv) > 3:
        file(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    else:
        operators()
