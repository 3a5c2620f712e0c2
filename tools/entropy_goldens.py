"""Makes src/quant/observers/golden/entropy.json: divergences that ONNX Runtime's calibrator finds on synthetic histograms.

Windows of 255 · k bins only: between those ONNX Runtime leaves the bins of the remainder out of what it compares.
Run: python tools/entropy_goldens.py (onnxruntime, numpy)
"""

import json
from pathlib import Path

import numpy as np
import onnxruntime
from onnxruntime.quantization import calibrate

LEVELS = 255
BINS = LEVELS * 7
ROOT = Path(__file__).resolve().parent.parent

# Counts by formula, which the test makes too; x is the distance from the middle bin.
SHAPES = {
    "normal": lambda x: 1e6 * np.exp(-((x / 150) ** 2) / 2),
    "laplace": lambda x: 1e6 * np.exp(-np.abs(x) / 60),
    "uniform with a tail": lambda x: np.where(np.abs(x) < 300, 1e5, 50),
}


def divergences(counts):
    """What get_entropy_threshold compares, by size of window, and the window that it takes."""
    found = []
    original = calibrate.entropy
    calibrate.entropy = lambda p, q: found.append((len(p), float(original(p, q)))) or np.float32(found[-1][1])
    edges = np.arange(BINS + 1, dtype=np.float32) - BINS / 2
    collector = calibrate.HistogramCollector("entropy", True, BINS, LEVELS, None, None)
    collector.get_entropy_threshold((counts, edges, edges[0], edges[-1]), LEVELS)
    calibrate.entropy = original
    return {size: value for size, value in found if size % LEVELS == 0}


def main():
    x = np.arange(BINS) - BINS // 2
    histograms = {name: divergences(np.rint(shape(x)).astype(np.int64)) for name, shape in SHAPES.items()}
    out = ROOT / "src" / "quant" / "observers" / "golden" / "entropy.json"
    out.parent.mkdir(exist_ok=True)
    golden = {"onnxruntime": onnxruntime.__version__, "levels": LEVELS, "bins": BINS, "divergences": histograms}
    out.write_text(json.dumps(golden, indent=1) + "\n")


main()
