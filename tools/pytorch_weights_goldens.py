"""Small files of torch.save in every form, with their numbers: src/formats/pytorch/golden/weights.json. Run: python tools/pytorch_weights_goldens.py"""
import base64, io, json, warnings
from pathlib import Path

import torch
from torch import nn

warnings.filterwarnings("ignore")
torch.manual_seed(0)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 4)
        self.norm = nn.BatchNorm1d(4)
        self.second = nn.Linear(4, 2)

    def forward(self, x):
        return self.second(self.norm(self.first(x)))


net = Net().eval()
state = net.state_dict()
shared = torch.randn(4, 3)
views = {"whole": shared, "turned": shared.t(), "part": shared[1:3, 1:], "half": shared.half(), "brain": shared.bfloat16(), "long": torch.arange(5), "flag": torch.tensor([True, False]), "none": torch.zeros(0, 3), "one": torch.tensor(2.5)}


def saved(value, **options):
    buffer = io.BytesIO()
    torch.save(value, buffer, **options)
    return base64.b64encode(buffer.getvalue()).decode()


def script():
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.trace(net, torch.randn(1, 3)), buffer)
    return base64.b64encode(buffer.getvalue()).decode()


def numbers(tensors):
    return {k: {"dtype": str(v.dtype).removeprefix("torch."), "shape": list(v.shape), "values": v.double().reshape(-1).tolist()} for k, v in tensors.items()}


legacy = {"_use_new_zipfile_serialization": False}
files = {
    "zip": (saved(state), state),
    "legacy": (saved(state, **legacy), state),
    "views": (saved(views), views),
    "views legacy": (saved(views, **legacy), views),
    "checkpoint": (saved({"epoch": 3, "state_dict": {f"module.{k}": v for k, v in state.items()}, "lr": 0.1}), {f"module.{k}": v for k, v in state.items()}),
    "parameters": (saved(dict(net.named_parameters())), dict(net.named_parameters())),
    "protocol 4": (saved(state, pickle_protocol=4), state),
    "object": (saved(net), None),
    "script": (script(), None),
}
program = io.BytesIO()
torch.export.save(torch.export.export(net, (torch.randn(2, 3),)), program)
path = Path(__file__).parent.parent / "src/formats/pytorch/golden/weights.json"
path.write_text(json.dumps({k: {"file": f, "tensors": numbers(t) if t is not None else None} for k, (f, t) in files.items()}, separators=(",", ":")))
print(path.stat().st_size, "bytes")
