"""What ONNX Runtime's quantize_dynamic and AIMET-onnx 2.42 make of english_g2, as it is and with its constants folded.

    python bench/peers/recurrent_peers.py EASYOCR_FOLDER RENDERED OUT [dynamic|folded|aimet]

RENDERED is what ocr_lines.py wrote: 64 lines calibrate AIMET. Prints word and character error rates on the 200 lines of the folder.
Needs numpy, Pillow, onnx, onnxruntime, and aimet_onnx for "aimet".
"""

import io
import json
import os
import sys

import numpy as np
import onnx
import onnxruntime as ort
from PIL import Image

folder, rendered, out = sys.argv[1:4]
which = sys.argv[4:] or ["dynamic", "folded", "aimet"]
ort.set_default_logger_severity(3)
index = json.load(open(f"{folder}/lines.json"))
pack = open(f"{folder}/lines.pngpack", "rb").read()
source = f"{folder}/english_g2.onnx"
normal = lambda grey: ((grey.astype(np.float32) / 255 - 0.5) / 0.5)[None, None]


def distance(a, b):
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, row[0] = row[:], i
        for j, y in enumerate(b, 1):
            row[j] = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (x != y))
    return row[-1]


def text_of(logits):
    text, last = "", 0
    for c in logits.argmax(1):
        if c not in (last, 0):
            text += index["charset"][c - 1]
        last = c
    return text


def judge(name, session, path):
    words = of_words = characters = of_characters = 0
    for line in index["images"]:
        grey = np.asarray(Image.open(io.BytesIO(pack[line["offset"] : line["offset"] + line["length"]])).convert("L"))
        found = text_of(session.run(None, {"image": normal(grey)})[0][0])
        words += distance(found.split(), line["text"].split())
        of_words += len(line["text"].split())
        characters += distance(found, line["text"])
        of_characters += len(line["text"])
    print(f"| {name} | {100 * words / of_words:.2f} | {100 * characters / of_characters:.2f} | {os.path.getsize(path) if path else ''} |", flush=True)


def folded():
    """ONNX Runtime's own basic optimisation: the Slices and Concats of the LSTMs' weights become constants."""
    path = f"{out}/g2-folded.onnx"
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = path
    ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    return path


if "dynamic" in which or "folded" in which:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    files = {"dynamic": ("as it is", source), "folded": ("folded", folded())}
    for name, path in [files[one] for one in which if one in files]:
        made = f"{out}/g2-dynamic-{name.replace(' ', '-')}.onnx"
        quantize_dynamic(path, made, weight_type=QuantType.QInt8)
        judge(f"quantize_dynamic, {name}", ort.InferenceSession(made, providers=["CPUExecutionProvider"]), made)
        quantize_dynamic(path, made, weight_type=QuantType.QInt8, op_types_to_quantize=["LSTM", "MatMul", "Gemm"])
        judge(f"quantize_dynamic of LSTM, MatMul, Gemm, {name}", ort.InferenceSession(made, providers=["CPUExecutionProvider"]), made)

if "aimet" in which:
    from aimet_onnx import QuantizationSimModel

    count = 64
    lines = np.fromfile(f"{rendered}.u8", np.uint8, count * 64 * 800).reshape(count, 64, 800)
    for weights in (8, 4):
        sim = QuantizationSimModel(onnx.load(folded()), param_type=f"int{weights}", activation_type="int8", config_file="default", providers=["CPUExecutionProvider"])
        sim.compute_encodings([{"image": normal(line)} for line in lines])
        judge(f"AIMET-onnx W{weights}A8, simulated", sim.session, None)
