"""
ONNX Runtime's own tool on a decoder that Avocet wrote: weights of four bits in blocks of 32 by RTN, GPTQ or HQQ, for bench/language.mjs --other.

  python bench/peers/ort_four_bits.py MODEL.onnx OUT.onnx rtn|rtn-zero-points|default|gptq|gptq-order|hqq [TOKENS LENGTH FIRST]

TOKENS is a .npy of one long text, or FILE.json?KEY with a list of texts; as many texts (or windows of the text) as FIRST calibrate GPTQ. The
tool's GPTQ runs the whole model anew for every value that a layer reads; here one run of a sample answers for all of them.
"""
import json
import sys
import time

import numpy as np
import onnx
import onnxruntime as ort
from onnxruntime.quantization import neural_compressor
from onnxruntime.quantization.calibrate import CalibrationDataReader
from onnxruntime.quantization.matmul_nbits_quantizer import (
    DefaultWeightOnlyQuantConfig,
    GPTQWeightOnlyQuantConfig,
    HQQWeightOnlyQuantConfig,
    MatMulNBitsQuantizer,
    RTNWeightOnlyQuantConfig,
)


class Remembering(ort.InferenceSession):
    """Answers for one output from a run of all."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.known = {}

    def run(self, names, feeds, options=None):
        key = id(feeds)
        if key not in self.known:
            every = [output.name for output in self.get_outputs()]
            self.known[key] = dict(zip(every, super().run(every, feeds, options)))
        return [self.known[key][name] for name in names]


class Texts(CalibrationDataReader):
    def __init__(self, model, texts):
        self.feeds = iter([feeds_of(model, ids) for ids in texts])

    def get_next(self):
        return next(self.feeds, None)

    def __deepcopy__(self, memo):
        return self


def feeds_of(model, ids):
    feeds = {}
    for port in model.graph.input:
        dims = [d.dim_value for d in port.type.tensor_type.shape.dim]
        if port.name.startswith("past"):
            feeds[port.name] = np.zeros([1, dims[1], 0, dims[3]], np.float32)
    row = np.asarray(ids, np.int64)[None]
    return {
        **feeds,
        "input_ids": row,
        "attention_mask": np.ones_like(row),
        "position_ids": np.arange(row.shape[1], dtype=np.int64)[None],
    }


def texts_of(path, length, first):
    if path.endswith(".npy"):
        ids = np.load(path).reshape(-1)
        return [ids[i * length : (i + 1) * length] for i in range(first)]
    file, key = path.split("?")
    return [text[:length] for text in json.load(open(file))[key][:first]]


def main():
    source, target, method, *rest = sys.argv[1:]
    model = onnx.load(source)
    started = time.time()
    config, options = None, {"block_size": 32, "is_symmetric": True}
    if method in ("default", "default-zero-points"):
        options["is_symmetric"] = method == "default"
        config = DefaultWeightOnlyQuantConfig(block_size=32, is_symmetric=options["is_symmetric"])
    elif method in ("rtn", "rtn-zero-points"):
        options["is_symmetric"] = method == "rtn"
        config = RTNWeightOnlyQuantConfig()
    elif method == "hqq":
        config = HQQWeightOnlyQuantConfig(block_size=32)
    elif method.startswith("gptq"):
        options["is_symmetric"] = not method.endswith("zero-points")
        path, length, first = rest
        neural_compressor.weight_only.ort.InferenceSession = Remembering
        reader = Texts(model, texts_of(path, int(length), int(first)))
        config = GPTQWeightOnlyQuantConfig(calibration_data_reader=reader, actorder="order" in method)
    else:
        raise SystemExit(f"expected a method, got {method}")
    quantizer = MatMulNBitsQuantizer(model, algo_config=config, **options)
    quantizer.process()
    result = quantizer.model
    result = result.model if hasattr(result, "model") else result
    onnx.save(result, target)
    count = sum(node.op_type == "MatMulNBits" for node in result.graph.node)
    print(f"{method}: {count} products, {time.time() - started:.0f} s")


main()
