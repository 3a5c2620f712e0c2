"""TF-Enhanced encodings of AIMET's own analyzer, for src/quant/observers/tf-enhanced.test.ts.

    python tools/tf_enhanced_goldens.py        (AIMET-onnx 2.42)
"""
import json
import os

import numpy as np
from aimet_onnx.common import libpymo


def numbers(count, seed, spread, shift):
    """The same in float64 in every language: cubes of a sequence that fills (-1, 1), wider and moved."""
    i = np.arange(count)
    u = ((i * 7919 + seed * 104729) % 2003 - 1001) / 1001
    return (u * u * u * spread + shift).astype(np.float32)


batches = {
    "both signs": [[3000, 1, 4.0, 0.0]],
    "from zero on": [[2000, 2, 3.0, 3.0]],
    "below zero": [[2000, 3, 1.5, -2.0]],
    "far from zero": [[500, 4, 0.01, 7.0]],
    "mostly one side": [[1500, 5, 2.0, 1.25]],
    "three batches, the first one narrow": [[1000, 6, 1.0, 0.1], [1500, 7, 9.0, -0.5], [700, 8, 2.0, 2.0]],
    "zeros first": [[100, 9, 0.0, 0.0], [900, 10, 5.0, -1.0]],
    "a constant": [[64, 11, 0.0, 4.0]],
    "a constant below zero": [[64, 12, 0.0, -0.3]],
    "large": [[800, 13, 1e30, 0.0]],
    "small": [[800, 14, 1e-6, 0.0]],
}
rows = {}
for name, parts in batches.items():
    found = []
    for bits in (4, 8, 16):
        for symmetric, strict, unsigned in ((0, 0, 0), (1, 0, 0), (1, 1, 0), (1, 0, 1)):
            quantizer = libpymo.BlockTensorQuantizer([], bits, libpymo.QuantizationMode.QUANTIZATION_TF_ENHANCED)
            quantizer.setStrictSymmetric(bool(strict))
            quantizer.setUnsignedSymmetric(bool(unsigned))
            for part in parts:
                quantizer.updateStats(numbers(*part))
            (encoding,) = quantizer.computeEncodings(bool(symmetric))
            found.append([bits, symmetric, strict, unsigned, encoding.delta, encoding.offset])
    rows[name] = {"batches": parts, "encodings": found}

path = os.path.join(os.path.dirname(__file__), "../src/quant/observers/golden/tf-enhanced.json")
with open(path, "w") as f:
    f.write("{\n" + ",\n".join(f"{json.dumps(name)}: {json.dumps(row, separators=(',', ':'))}" for name, row in rows.items()) + "\n}\n")
