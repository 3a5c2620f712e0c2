"""One program as each version of PyTorch archives it: src/formats/pytorch/golden/archives.json.gz.

Run by the Python of every version in turn: python tools/pytorch_archive_goldens.py; the entry of that version is written anew, the others stay.
The archive is kept as it is, so that the layout is the version's own; only stack traces are cut out of the program.
"""
import gzip, io, json, re, warnings, zipfile
from pathlib import Path

import torch
from torch import nn

warnings.filterwarnings("ignore")


class Net(nn.Module):
    """A convolution with its norm, a buffer, a constant, a tied weight, a strided parameter, and a length that is symbolic."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)
        self.second.weight = self.first.weight
        self.turned = nn.Parameter(torch.randn(3, 4).t())
        self.wide = nn.Linear(4, 300, bias=False)
        self.wide.weight.data = torch.arange(1200.0).view(300, 4) % 7 / 8  # long enough to be left in the file, and short when compressed
        self.register_buffer("scale", torch.tensor([0.5, 2.0, 1.0, -1.0]))
        self.register_buffer("passing", torch.tensor([1.0, 0.5, 0.25]), persistent=False)

    def forward(self, x):
        y = torch.relu(self.norm(self.conv(x))).mean((2, 3)) * self.scale
        y = self.second(torch.tanh(self.first(y))) + torch.tensor([0.1, 0.2, 0.3, 0.4])
        return y @ self.turned * self.passing + self.wide(y).mean(), x.flatten(2).sum(2)


def main():
    torch.manual_seed(0)
    net, x = Net().eval(), torch.randn(3, 2, 5, 6)
    net.norm.running_mean.uniform_(-0.5, 0.5)
    net.norm.running_var.uniform_(0.5, 1.5)
    program = torch.export.export(net, (x,), dynamic_shapes={"x": {0: torch.export.Dim("batch")}})
    buffer = io.BytesIO()
    torch.export.save(program, buffer)
    source, out = zipfile.ZipFile(buffer), io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as target:
        for name in source.namelist():
            raw = source.read(name)
            if name.endswith(".json"):
                raw = re.sub(rb'"(stack_trace|torch_fn|source_fn_stack)": "(\\.|[^"\\])*"', rb'"\1": ""', raw)
            target.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), raw)
            print(len(raw), name)
    path = Path(__file__).parent.parent / "src/formats/pytorch/golden/archives.json.gz"
    rows = json.loads(gzip.decompress(path.read_bytes())) if path.exists() else {}
    pack = lambda t: {"shape": list(t.shape), "values": [float(f"{v:.8g}") for v in t.detach().double().reshape(-1).tolist()]}
    rows[torch.__version__.split("+")[0]] = {"program": out.getvalue().hex(), "input": pack(x), "outputs": [pack(t) for t in net(x)]}
    path.write_bytes(gzip.compress(json.dumps(dict(sorted(rows.items())), separators=(",", ":")).encode(), 9, mtime=0))
    print(torch.__version__, path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
