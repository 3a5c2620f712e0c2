"""Makes small quantized files with ONNX Runtime's own quantizer, for test/goldens/ort-quantizer.

    pip install onnx onnxruntime
    python tools/ort_quantizer_goldens.py

Networks have random weights from a seed. `quantize_static` writes the operators of integers (QuantFormat.QOperator), `quantize_dynamic` the dynamic
ones; what `optimized` names was saved by a session at its highest level of optimisation, which fuses some of them further.
"""

import os
import re
import tempfile

import numpy as np
import onnx
import onnx.parser
import onnxruntime as ort
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static

FOLDER = os.path.join(os.path.dirname(__file__), "..", "test", "goldens", "ort-quantizer")

HEAD = '<ir_version: 8, opset_import: ["" : 17]>\n'
NETS = {
    "convolutions": "g (float[N,3,8,8] x) => (float[N,5] y)\n"
    "<float[8,3,3,3] w, float[8] b, float[8,1,3,3] d, float[8,8,1,1] v, float[8] c, float[8,5] g, float[5] h> {\n"
    "  a = Conv <pads = [1,1,1,1]> (x, w, b)\n  r = Relu(a)\n  e = Conv <group = 8, pads = [1,1,1,1]> (r, d)\n  p = Conv(e, v, c)\n  s = Add(p, r)\n"
    "  m = MaxPool <kernel_shape = [2,2], strides = [2,2]> (s)\n  q = AveragePool <kernel_shape = [2,2], strides = [2,2]> (m)\n"
    "  o = GlobalAveragePool(q)\n  f = Flatten(o)\n  y = Gemm(f, g, h)\n}",
    "arithmetic": "g (float[2,6,8] x, float[2,6,8] z) => (float[2,96] y)\n<float[8,8] w, float[8,8] v, int64[2] n = {2, 96}> {\n"
    "  a = MatMul(x, w)\n  b = Sigmoid(a)\n  c = Mul(a, b)\n  d = LeakyRelu <alpha = 0.1> (c)\n  k = MatMul(z, v)\n  t = Transpose <perm = [0,2,1]> (k)\n"
    "  u = MatMul(d, t)\n  s = Softmax(u)\n  o = MatMul(s, z)\n  l = Concat <axis = 2> (o, d)\n  y = Reshape(l, n)\n}",
    "lookup": "g (int64[2,5] i) => (float[2,5,6] y)\n<float[20,8] e, float[8,6] w, float[6] b> {\n  h = Gather(e, i)\n  m = MatMul(h, w)\n  y = Add(m, b)\n}",
    "recurrent": "g (float[5,2,8] x) => (float[5,1,2,6] y)\n<float[1,24,8] w, float[1,24,6] r, float[1,48] b> {\n"
    "  y, h, c = LSTM <hidden_size = 6> (x, w, r, b)\n}",
    "both-ways": "g (float[5,2,8] x) => (float[5,2,2,6] y)\n<float[2,24,8] w, float[2,24,6] r, float[2,48] b> {\n"
    '  y, h, c = LSTM <hidden_size = 6, direction = "bidirectional"> (x, w, r, b)\n}',
}


def feeds_of(model, rng):
    made = {}
    for one in model.graph.input:
        shape = [d.dim_value or 2 for d in one.type.tensor_type.shape.dim]
        whole = one.type.tensor_type.elem_type == onnx.TensorProto.INT64
        made[one.name] = rng.integers(0, 20, shape) if whole else rng.normal(0, 1, shape).astype(np.float32)
    return made


def model_of(name):
    model = onnx.parser.parse_model(HEAD + NETS[name])
    rng = np.random.default_rng(7)
    weights = NETS[name].split("<", 1)[1].split(">", 1)[0]
    for shape, weight in re.findall(r"float\[([\d,]+)\] (\w+)", weights):
        values = rng.normal(0, 0.4, [int(n) for n in shape.split(",")]).astype(np.float32)
        model.graph.initializer.append(onnx.numpy_helper.from_array(values, weight))
    onnx.checker.check_model(model)
    return model


class Reader(CalibrationDataReader):
    def __init__(self, model):
        rng = np.random.default_rng(3)
        self.left = [feeds_of(model, rng) for _ in range(4)]

    def get_next(self):
        return self.left.pop() if self.left else None


def main():
    os.makedirs(FOLDER, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for name in NETS:
            model = model_of(name)
            source = os.path.join(folder, f"{name}.onnx")
            onnx.save(model, source)
            out = lambda form: os.path.join(FOLDER, f"{name}.{form}.onnx")
            if name not in ("recurrent", "both-ways", "lookup"):
                for form, options in {
                    "static": dict(activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, per_channel=True),
                    "static-tensor": dict(activation_type=QuantType.QUInt8, weight_type=QuantType.QUInt8),
                    "static-signed": dict(activation_type=QuantType.QInt8, weight_type=QuantType.QInt8),
                }.items():
                    quantize_static(source, out(form), Reader(model), quant_format=QuantFormat.QOperator, **options)
            quantize_dynamic(source, out("dynamic"), weight_type=QuantType.QInt8, per_channel=name == "arithmetic")
            quantize_dynamic(source, out("dynamic-unsigned"), weight_type=QuantType.QUInt8)
            if name in ("arithmetic", "lookup"):
                options = ort.SessionOptions()
                options.optimized_model_filepath = out("dynamic-optimized")
                options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
                ort.InferenceSession(out("dynamic"), options)


main()
for file in sorted(os.listdir(FOLDER)):
    model = onnx.load(os.path.join(FOLDER, file))
    print(file, os.path.getsize(os.path.join(FOLDER, file)), [n.op_type for n in model.graph.node])
