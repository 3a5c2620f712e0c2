"""Makes src/formats/safetensors/golden/types.{safetensors,json}: a file of every element type, by the safetensors package and PyTorch."""

import json
from pathlib import Path

import safetensors
import torch
from safetensors.torch import save_file

ROOT = Path(__file__).resolve().parent.parent / "src/formats/safetensors/golden"
TYPES = [
    "bool", "uint8", "int8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float16", "bfloat16", "float32",
    "float64", "float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu",
]

if __name__ == "__main__":
    torch.manual_seed(7)
    tensors = {}
    for name in TYPES:
        dtype = getattr(torch, name)
        values = torch.randn(3, 5) * 20
        if not dtype.is_floating_point:
            values = values.abs() if name.startswith("u") else values
        if name == "float8_e8m0fnu":
            values = 2.0 ** torch.arange(-7, 8).reshape(3, 5)
        tensors[name] = (values > 0) if name == "bool" else values.to(dtype)
    tensors["scalar"] = torch.tensor(2.5)
    tensors["empty"] = torch.zeros(0, 4)
    ROOT.mkdir(exist_ok=True)
    save_file(tensors, ROOT / "types.safetensors", metadata={"format": "pt"})
    listed = {
        name: {
            "shape": list(t.shape),
            "values": [float(v) for v in (t.to(torch.float64) if t.is_floating_point() else t.to(torch.int64)).flatten()],
        }
        for name, t in tensors.items()
    }
    golden = {"maker": f"safetensors {safetensors.__version__}, PyTorch {torch.__version__}", "tensors": listed}
    (ROOT / "types.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")
