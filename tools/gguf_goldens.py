"""Makes src/formats/gguf/golden/blocks.{gguf,json}: random bytes as blocks of every type, and what the gguf package dequantizes them to."""

import base64
import json
from importlib.metadata import version
from pathlib import Path

import gguf
import numpy as np
from gguf.quants import dequantize

ROOT = Path(__file__).resolve().parent.parent / "src/formats/gguf/golden"
TYPES = ["F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"]
# Where the half floats of a block lie; the other bytes may be anything.
HALVES = {
    "F16": [0], "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q2_K": [80, 82],
    "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208],
}


def blocks(rng, kind, count):
    elements, size = gguf.GGML_QUANT_SIZES[kind]
    if kind.name == "F32":
        return rng.normal(size=count).astype("<f4").view(np.uint8)
    if kind.name == "BF16":
        return (rng.normal(size=count).astype("<f4").view(np.uint32) >> 16).astype("<u2").view(np.uint8)
    data = rng.integers(0, 256, size=(count // elements, size), dtype=np.uint8)
    for at in HALVES[kind.name]:
        data[:, at : at + 2] = rng.normal(size=len(data)).astype("<f2")[:, None].view(np.uint8)
    return data


if __name__ == "__main__":
    rng = np.random.default_rng(7)
    ROOT.mkdir(exist_ok=True)
    writer = gguf.GGUFWriter(ROOT / "blocks.gguf", "llama")
    writer.add_uint32("test.count", 7)
    writer.add_float32("test.float", 0.5)
    writer.add_bool("test.flag", True)
    writer.add_array("test.texts", ["a", "β", ""])
    writer.add_array("test.numbers", [1, -2, 3])
    expected = {}
    for name in TYPES:
        kind = gguf.GGMLQuantizationType[name]
        shape = (2, 512) if name.endswith("K") else (3, 64)
        shape = (2, 5) if name in ("F32", "F16", "BF16") else shape
        raw = blocks(rng, kind, int(np.prod(shape)))
        elements, size = gguf.GGML_QUANT_SIZES[kind]
        raw = raw.reshape(shape[0], shape[1] // elements * size)
        writer.add_tensor(name, raw.view("<f4") if name == "F32" else raw, raw_dtype=kind)
        values = dequantize(raw, kind).reshape(shape) if name != "F32" else raw.view("<f4")
        expected[name] = {"shape": list(shape), "float32": base64.b64encode(np.ascontiguousarray(values, "<f4").tobytes()).decode()}
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    golden = {"maker": f"gguf {version('gguf')}", "tensors": expected}
    (ROOT / "blocks.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")
