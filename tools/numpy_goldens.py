"""Makes src/data/arrays/golden/arrays.json: small .npy and .npz files written by NumPy, and their elements in C order."""

import base64
import io
import json
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
TYPES = ["?", "i1", "u1", "<i2", ">i2", "<u2", "<i4", ">i4", "<u4", "<i8", ">i8", "<u8", "<f2", ">f2", "<f4", ">f4", "<f8", ">f8"]


def saved(array, version=None):
    out = io.BytesIO()
    np.lib.format.write_array(out, array, version=version)
    return base64.b64encode(out.getvalue()).decode()


def listed(array):
    return [int(v) if array.dtype.kind in "iub" else float(v) for v in array.ravel()]


def arrays():
    rng = np.random.default_rng(7)
    for code in TYPES:
        values = rng.normal(size=(3, 2, 4)) * 50
        array = values.astype(code) if code != "?" else values > 0
        array = np.abs(values).astype(code) if "u" in code else array
        for order in "CF":
            yield f"{code} {order}", np.asarray(array, order=order), None
    yield "version 2", np.arange(5, dtype="<f4"), (2, 0)
    yield "version 3", np.arange(6, dtype="<f4").reshape(2, 3), (3, 0)
    yield "scalar", np.array(2.5), None
    yield "empty", np.zeros((0, 3), "<f4"), None


if __name__ == "__main__":
    golden = {
        "maker": f"NumPy {np.__version__}",
        "npy": [
            {"name": name, "data": saved(array, version), "shape": list(array.shape), "values": listed(array)}
            for name, array, version in arrays()
        ],
        "refused": {
            "object": base64.b64encode((lambda out: (np.save(out, np.array([{}], object), allow_pickle=True), out.getvalue())[1])(io.BytesIO())).decode(),
            "structured": saved(np.zeros(2, [("a", "<i4"), ("b", "<f4")])),
            "text": saved(np.array(["cat", "dog"])),
        },
    }
    parts = {"image": np.arange(24, dtype="<f4").reshape(2, 3, 4), "mask": np.array([[1, 0], [0, 1]], "u1")}
    for kind, save in (("stored", np.savez), ("deflated", np.savez_compressed)):
        out = io.BytesIO()
        save(out, **parts)
        golden[kind] = base64.b64encode(out.getvalue()).decode()
    (ROOT / "src" / "data" / "arrays" / "golden" / "arrays.json").write_text(json.dumps(golden, indent=1) + "\n")
