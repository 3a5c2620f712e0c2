"""Writes test/goldens/dynamic-int8.json: what ONNX Runtime's quantize_dynamic makes of a small network, and what that computes.

    pip install onnx onnxruntime numpy
    python tools/dynamic_golden.py > test/goldens/dynamic-int8.json

Numbers are multiples of 1/256, so that JSON holds them exactly. Weights are uint8: products of uint8 and int8 saturate on processors without VNNI.
"""
import json
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

random = np.random.default_rng(7)


def numbers(*shape):
    return (np.round(random.normal(size=shape) * 256) / 256).astype(np.float32)


constants = {
    "w1": numbers(4, 3, 3, 3), "b1": numbers(4), "w2": numbers(4, 4, 1, 1), "w3": numbers(5, 144), "b3": numbers(5),
    "w4": numbers(8, 6),
}
inputs = {"x": numbers(2, 3, 6, 6), "z": numbers(2, 3, 8)}
nodes = [
    helper.make_node("Conv", ["x", "w1", "b1"], ["c1"], "one", pads=[1, 1, 1, 1]),
    helper.make_node("Relu", ["c1"], ["r1"], "relu"),
    helper.make_node("Conv", ["r1", "w2"], ["c2"], "two"),
    helper.make_node("Flatten", ["c2"], ["f"], "flat"),
    helper.make_node("Gemm", ["f", "w3", "b3"], ["y"], "three", transB=1),
    helper.make_node("MatMul", ["z", "w4"], ["v"], "four"),
]
value = lambda name, *shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
graph = helper.make_graph(
    nodes, "dynamic", [value("x", 2, 3, 6, 6), value("z", 2, 3, 8)], [value("y", 2, 5), value("v", 2, 3, 6)],
    [numpy_helper.from_array(array, name) for name, array in constants.items()],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
onnx.checker.check_model(model)
with tempfile.TemporaryDirectory() as folder:
    onnx.save(model, f"{folder}/float.onnx")
    quantize_dynamic(f"{folder}/float.onnx", f"{folder}/int8.onnx", weight_type=QuantType.QUInt8)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(f"{folder}/int8.onnx", options, providers=["CPUExecutionProvider"])
    outputs = dict(zip(["y", "v"], session.run(["y", "v"], inputs)))
    quantized = onnx.load(f"{folder}/int8.onnx")
flat = lambda arrays: {name: {"shape": list(a.shape), "data": [float(x) for x in a.ravel()]} for name, a in arrays.items()}
scales = {t.name.removesuffix("_scale"): float(numpy_helper.to_array(t).ravel()[0])
          for t in quantized.graph.initializer if t.name in {f"{name}_scale" for name in constants}}
json.dump({"onnxruntime": onnxruntime.__version__, "constants": flat(constants), "inputs": flat(inputs),
           "outputs": flat(outputs), "scales": scales}, sys.stdout)
sys.stdout.write("\n")
