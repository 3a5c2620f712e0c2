"""Small programs of torch.export, one for each family of cases, with inputs and outputs: src/formats/pytorch/golden/operators.json.gz.

Each program is written twice: as exported, and with PyTorch's decompositions into core ATen. What readers never look at (stack traces, call
graphs, sample inputs) is left out, so that the file stays small. Run: python tools/pytorch_operator_goldens.py [NAME ...]; with names only these
cases are written anew.
"""
import gzip, io, json, sys, warnings, zipfile
from pathlib import Path

import torch
import torchvision
from torch import nn
import torch.nn.functional as F

warnings.filterwarnings("ignore")
torch.manual_seed(0)


class Fn(nn.Module):
    def __init__(self, fn):
        super().__init__()
        self.fn = fn

    def forward(self, *xs):
        return self.fn(*xs)


def r(*shape):
    return torch.randn(*shape)


def pos(*shape):
    return torch.rand(*shape) + 0.1


B = lambda *s: torch.rand(*s) > 0.5
I = lambda high, *s: torch.randint(0, high, s)
N = torch.export.Dim

cases = {}


def case(name, fn, *inputs, dynamic=None):
    module = fn if isinstance(fn, nn.Module) else Fn(fn)
    cases[name] = (module.eval(), inputs, dynamic)


x4 = r(2, 6, 7, 8)
case("unary", lambda x: (x.relu(), x.sigmoid(), x.tanh(), x.exp(), x.abs(), -x, x.floor(), x.ceil(), x.round(), x.sign(), x.sin(), x.cos(), x.erf(), x.square(), torch.trunc(x), torch.frac(x), torch.round(x, decimals=1)), r(3, 4))
case("unary-more", lambda x: (x.log(), x.sqrt(), x.rsqrt(), x.reciprocal(), x.log2(), x.log10(), x.log1p(), x.expm1(), x.tan(), x.asin(), x.acos(), x.atan(), x.sinh(), x.cosh(), x.asinh(), x.atanh(), torch.exp2(x)), pos(3, 4).clamp(max=0.9))
case("activations", lambda x: (F.silu(x), F.gelu(x), F.gelu(x, approximate="tanh"), F.elu(x), F.selu(x), F.celu(x, 2.0), F.leaky_relu(x, 0.2), F.hardtanh(x), F.relu6(x), F.hardswish(x), F.hardsigmoid(x), F.mish(x), F.softplus(x), F.softplus(x, 2.0), F.logsigmoid(x), F.softsign(x), F.hardshrink(x), F.softshrink(x), F.threshold(x, 0.1, 2.0), F.softmax(x, 1), F.log_softmax(x, -1), F.glu(x, 1), F.softmin(x, 1), F.tanhshrink(x)), r(3, 4))
case("prelu", nn.Sequential(nn.PReLU(6), nn.PReLU()), x4)
case("binary", lambda a, b: (a + b, a - b, a * b, a / b, torch.add(a, b, alpha=2), torch.sub(a, b, alpha=0.5), torch.maximum(a, b), torch.minimum(a, b), a ** 2, a.abs() ** b, 2 - a, 1 / a, a % b, torch.fmod(a, b), torch.div(a, b, rounding_mode="floor"), torch.div(a, b, rounding_mode="trunc"), a // 0.7), r(3, 4), r(4))
case("integers", lambda a, b: (a + b, a * b, a / b, a // b, a % b, torch.div(a, b, rounding_mode="trunc"), a + 1.5, a * 2, a > b, a & b, a | b, a ^ b, ~a, a.float().mean()), I(20, 3, 4) - 10, I(5, 4) + 1)
case("comparisons", lambda a, b: (a == b, a != b, a < b, a <= b, a > 0, a >= 0.5, (a > 0) & (b > 0), (a > 0) | (b > 0), torch.logical_not(a > 0), torch.logical_xor(a > 0, b > 0), torch.where(a > b, a, b), torch.where(a > b, a, 0.0), a.masked_fill(b > 0, -1.0), torch.isnan(a), torch.isinf(a)), r(3, 4), r(3, 4))
case("clamp", lambda a, b: (a.clamp(-0.5, 0.5), a.clamp(min=0), a.clamp(max=0.2), a.clamp(min=b), torch.clamp(a, max=b), torch.lerp(a, b, 0.3), torch.addcmul(a, a, b, value=0.5), torch.addcdiv(a, a, b, value=2.0)), r(3, 4), r(3, 4))
case("reductions", lambda x: (x.mean(), x.mean(1), x.mean((1, 2), keepdim=True), x.sum(), x.sum(-1), x.prod(1), x.amax(1), x.amin((0, 2)), x.max(), x.min(), *x.max(1), *x.min(2, keepdim=True), x.argmax(), x.argmax(1), x.argmin(2), (x > 0).any(), (x > 0).all(1), x.var(1), x.std((1, 2), unbiased=False), torch.var_mean(x, 2), x.logsumexp(1), x.cumsum(1), x.norm(dim=1), torch.linalg.vector_norm(x, 1, dim=2), F.normalize(x, dim=1)), r(3, 4, 5))
case("sorting", lambda x: (*x.topk(3, 1), *x.topk(2, dim=2, largest=False), *x.sort(1), *x.sort(2, descending=True), x.argsort(1)), torch.randperm(60).reshape(3, 4, 5).float())
case("views", lambda x: (x.view(4, 3, 56), x.reshape(-1, 8), x.flatten(1), x.flatten(2, 3), x.unflatten(1, (2, 3)), x.unsqueeze(1), x[:, :1].squeeze(1), x.permute(0, 2, 3, 1), x.transpose(1, 2), x.transpose(-1, -2).reshape(2, -1), x[:, 2], x[:, 1:5:2], x[..., -3:], x[:, :, None], x.narrow(2, 1, 4), x.movedim(1, -1), x.flip(2), x.roll(2, 3), x.roll((1, 2), (2, 3)), x.expand(3, 2, 6, 7, 8)[1], x.repeat(1, 2, 1, 1), x.tile(2, 1), x.repeat_interleave(2, 1), x.unfold(2, 3, 2), x.mT, x[0].T.mean(0)), x4)
case("parts", lambda x: (*x.split(2, 1), *x.chunk(3, 1), *x.split([1, 5], 1), *x.unbind(0), torch.cat([x, x], 1), torch.stack([x, x], -1), *torch.meshgrid(x[0, 0, :, 0], x[0, 0, 0], indexing="ij")), x4)
case("shuffles", lambda x: (F.pixel_shuffle(x, 2), F.pixel_unshuffle(x, 2), F.channel_shuffle(x, 4)), r(1, 8, 4, 6))
case("triangles", lambda x: (x.tril(), x.triu(1), x.tril(-1), (x > 0).tril()), r(4, 5))
case("indexing", lambda x, i, j: (x[i], x[:, j], x[i, j], x[:, i, j], x[i, :, j], x[:, :, i, j], x.index_select(1, i), x[..., i]), r(4, 4, 5, 4), I(4, 3), I(4, 3))
case("gather", lambda x, i: (x.gather(1, i), torch.take_along_dim(x, i, 1), x.scatter(1, i, 2.0), x.scatter(1, i, x), x.scatter_add(1, i, x)), r(3, 4), torch.argsort(r(3, 4), 1))
case("writes", lambda x, v, i: (x.index_put((i,), v), x.index_put((i, i), v[:, 0]), torch.select_scatter(x, v[0], 0, 1), torch.slice_scatter(x, v, 0, 1, 3)), r(4, 5), r(2, 5), torch.tensor([0, 2]))
case("diff", lambda x, y: (x.diff(), x.diff(dim=0), torch.diff(x, dim=1, prepend=y), torch.diff(x, dim=1, append=y)), I(9, 3, 4), I(9, 3, 1))
case("embedding", nn.Embedding(10, 4), I(10, 2, 3))
case("one-hot", lambda i: F.one_hot(i, 5).float(), I(5, 2, 3))
case("creation", lambda x: (x + torch.arange(4), x + torch.arange(1, 5), x + torch.arange(0, 2, 0.5), x + torch.ones(4), torch.zeros_like(x) + x, torch.full_like(x, 2.5) * x, x.new_zeros(2) + x[0, :2], torch.full((2, 3), 1.5) * x[:2, :3], torch.eye(4) @ x.T, torch.linspace(0, 1, 4) + x, torch.tensor(2.0) * x, torch.empty_like(x).fill_(3.0) + x), r(3, 4))
case("casts", lambda x: (x.to(torch.int64), x.double(), x.bool(), x.half().float(), x.int().float(), (x > 0).float(), (x > 0).long(), x.type_as(x.double())), r(3, 4) * 3)
case("conv1d", nn.Sequential(nn.Conv1d(3, 6, 3, padding=1), nn.Conv1d(6, 6, 3, groups=2, dilation=2, bias=False), nn.Conv1d(6, 4, 2, stride=2)), r(2, 3, 16))
case("conv2d", nn.Sequential(nn.Conv2d(6, 8, 3, stride=2, padding=1), nn.Conv2d(8, 8, (1, 3), groups=8, padding="same"), nn.Conv2d(8, 4, (3, 2), padding=(1, 0), dilation=(1, 2)), nn.Conv2d(4, 4, 2, padding="valid")), x4)
case("conv3d", nn.Conv3d(2, 3, (2, 3, 3), padding=(0, 1, 1)), r(1, 2, 4, 5, 6))
case("conv-transpose", nn.Sequential(nn.ConvTranspose2d(6, 4, 3, stride=2, padding=1, output_padding=1), nn.ConvTranspose2d(4, 4, 2, stride=2, groups=2, bias=False)), r(1, 6, 4, 5))
case("conv-transpose1d", nn.ConvTranspose1d(3, 4, 4, stride=2, padding=1), r(1, 3, 7))
case("conv-single", nn.Conv2d(3, 4, 3), r(3, 8, 8))
case("linear", nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 3, bias=False)), r(2, 5))
case("linear-3d", nn.Sequential(nn.Linear(5, 7), nn.Linear(7, 3, bias=False)), r(2, 4, 5))
case("products", lambda a, b, v: (a @ b, torch.bmm(a, b), a[0] @ b[0], torch.mm(a[0], b[0]), torch.addmm(v, a[0], b[0], beta=0.5, alpha=2.0), torch.baddbmm(a @ b, a, b), torch.einsum("bij,bjk->bik", a, b), torch.einsum("bij,bjk->ik", a, b), torch.mv(a[0], b[0, :, 0]), torch.dot(b[0, :, 0], b[0, :, 1]), torch.outer(v, v)), r(2, 3, 4), r(2, 4, 5), r(5))
case("batch-norm", nn.Sequential(nn.BatchNorm2d(6), nn.Conv2d(6, 4, 1), nn.BatchNorm2d(4, affine=False)), x4)
case("batch-norm1d", nn.Sequential(nn.BatchNorm1d(5), nn.Linear(5, 3), nn.BatchNorm1d(3)), r(4, 5))
case("norms", nn.Sequential(nn.GroupNorm(3, 6), nn.InstanceNorm2d(6, affine=True), nn.InstanceNorm2d(6), nn.GroupNorm(2, 6, affine=False), nn.LayerNorm(8), nn.LayerNorm([7, 8], elementwise_affine=False)), x4)
case("layer-norm-without-bias", nn.LayerNorm(8, bias=False), x4)
case("rms-norm", nn.Sequential(nn.RMSNorm(8), nn.RMSNorm(8, eps=1e-5)), x4)
case("local-response-norm", nn.LocalResponseNorm(3), x4)
case("pools", lambda x: (F.max_pool2d(x, 3, 2, 1), F.max_pool2d(x, 2), F.max_pool2d(x, 3, 2, ceil_mode=True), F.max_pool2d(x, (2, 3), dilation=(1, 2)), F.avg_pool2d(x, 2), F.avg_pool2d(x, 3, 2, 1), F.avg_pool2d(x, 3, 2, 1, count_include_pad=False), F.adaptive_avg_pool2d(x, 1), F.adaptive_avg_pool2d(x, (3, 1)), F.adaptive_avg_pool2d(x, (4, 5)), F.adaptive_max_pool2d(x, 1), F.adaptive_avg_pool2d(x, (None, 1))), x4)
case("pools-1d", lambda x: (F.max_pool1d(x, 3, 2), F.avg_pool1d(x, 2), F.adaptive_avg_pool1d(x, 1), F.adaptive_avg_pool1d(x, 5), F.adaptive_max_pool1d(x, 4)), r(2, 3, 12))
case("pools-3d", lambda x: (F.max_pool3d(x, 2), F.avg_pool3d(x, 2), F.adaptive_avg_pool3d(x, 1)), r(1, 2, 4, 6, 6))
case("pads", lambda x: (F.pad(x, (1, 2)), F.pad(x, (1, 2, 0, 3), value=1.5), F.pad(x, (1, 1, 2, 2), mode="reflect"), F.pad(x, (1, 1, 2, 2), mode="replicate"), F.pad(x, (-1, 0, 1, -2))), x4)
case("pad-circular", lambda x: F.pad(x, (1, 1, 2, 2), mode="circular"), x4)
case("resize", lambda x: (F.interpolate(x, scale_factor=2), F.interpolate(x, size=(5, 20)), F.interpolate(x, scale_factor=2, mode="bilinear"), F.interpolate(x, size=(13, 7), mode="bilinear"), F.interpolate(x, size=(13, 7), mode="bilinear", align_corners=True), F.interpolate(x, scale_factor=1.5, mode="bicubic"), F.interpolate(x, scale_factor=1.7, mode="bilinear", recompute_scale_factor=True)), r(1, 2, 6, 8))
case("resize-1d", lambda x: (F.interpolate(x, scale_factor=2), F.interpolate(x, size=9, mode="linear")), r(1, 2, 6))
case("resize-antialias", lambda x: (F.interpolate(x, size=(4, 5), mode="bilinear", antialias=True),), r(1, 2, 9, 12))
case("grid-sample", lambda x, g: (F.grid_sample(x, g, align_corners=False), F.grid_sample(x, g, mode="nearest", padding_mode="border", align_corners=True)), r(1, 2, 6, 8), torch.rand(1, 4, 5, 2) * 2 - 1)
case("attention", lambda q, k, v, m: (F.scaled_dot_product_attention(q, k, v), F.scaled_dot_product_attention(q, k, v, is_causal=True), F.scaled_dot_product_attention(q, k, v, attn_mask=m), F.scaled_dot_product_attention(q, k, v, attn_mask=m.float(), scale=0.3)), r(2, 3, 5, 4), r(2, 3, 5, 4), r(2, 3, 5, 4), torch.ones(5, 5).tril().bool())
case("attention-grouped", lambda q, k, v: F.scaled_dot_product_attention(q, k, v, enable_gqa=True), r(2, 4, 5, 4), r(2, 2, 5, 4), r(2, 2, 5, 4))
case("multi-head", nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, dropout=0.0), r(2, 5, 8))


class First(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, *xs):
        y, h = self.inner(*xs)
        return (y, *(h if isinstance(h, tuple) else (h,)))


case("lstm", First(nn.LSTM(4, 5, batch_first=True)), r(2, 6, 4))
case("lstm-stack", First(nn.LSTM(4, 5, 2, bidirectional=True)), r(6, 2, 4))
case("lstm-states", First(nn.LSTM(4, 5, bias=False)), r(6, 2, 4), (r(1, 2, 5), r(1, 2, 5)))
case("gru", First(nn.GRU(4, 5, 2, bidirectional=True, batch_first=True)), r(2, 6, 4))
case("rnn", First(nn.RNN(4, 5, nonlinearity="relu")), r(6, 2, 4))


class InPlace(nn.Module):
    def forward(self, x):
        y = F.relu(x + 1, inplace=True)
        y += 1
        y.mul_(2)
        return y, y - 1


case("in-place", InPlace(), r(3, 4))


class IntoViews(nn.Module):
    """Writes into parts: what they are parts of, and other parts, see them."""

    def forward(self, x):
        y = x + 1
        part, row, turned = y[:, 1:3], y[0], y.t()
        part.mul_(2)
        y[1, :2] = 5.0
        y.view(2, 6)[:, 3].zero_()
        turned[0] = x[:, 0]
        return y, part, row, turned + 0


class Modes(nn.Module):
    """PyTorch writes such parts of a program as graphs of their own."""

    def forward(self, x):
        y = x * 2
        with torch.no_grad():
            z = y.tanh() + x
        with torch.autocast("cpu", enabled=False):
            w = z @ x.t()
        return w.relu(), z


class Cells(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm, self.gru, self.rnn, self.plain = nn.LSTMCell(4, 5), nn.GRUCell(4, 5), nn.RNNCell(4, 5), nn.GRUCell(5, 5, bias=False)

    def forward(self, x):
        h, c = self.lstm(x)
        h, c = self.lstm(x, (h, c))
        return h, c, self.gru(x, h), self.plain(self.rnn(x, c))


case("into-views", IntoViews(), r(3, 4))
case("modes", Modes(), r(3, 4))
case("cells", Cells(), r(2, 4))
case("weight-norm", nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Conv1d(3, 4, 3)), nn.utils.parametrizations.weight_norm(nn.Conv1d(4, 2, 2), dim=2)), r(2, 3, 8))
case("swaps", lambda x: (x.swapaxes(0, 2), x.swapdims(-1, 1), x.swapaxes(-2, -3)), r(2, 3, 4))
case("patches", lambda x: (F.unfold(x, (2, 3)), F.unfold(x, 3, dilation=2, padding=1, stride=2)), r(2, 3, 7, 8))
case("own-statistics", lambda x, w: (F.batch_norm(x, None, None, training=True), F.batch_norm(x, None, None, w, w, training=True, eps=1e-3)), r(1, 6, 12), r(6))
case("boxes", lambda b, s: (torchvision.ops.nms(torch.cat([b, b + 0.3], 1), s, 0.4),), pos(9, 2), torch.randperm(9).float())
case("regions", lambda x, b: (torchvision.ops.roi_align(x, b, (3, 2), 0.5, 2, True), torchvision.ops.roi_align(x, b, 2, 0.5, 3, False), torchvision.ops.roi_align(x, b, 2, 0.5)), r(2, 3, 8, 9), torch.tensor([[0, 1.0, 2, 9, 11], [1, 0, 0, 15, 14], [1, 3.5, 4, 6, 7]]))


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(7, 4)
        self.head = nn.Linear(4, 7, bias=False)
        self.head.weight = self.table.weight
        self.register_buffer("scale", torch.tensor([2.0]))

    def forward(self, ids, x=None):
        return self.head(self.table(ids) * self.scale)


case("tied", Tied(), I(7, 2, 3))
case("several", lambda a, b: {"sum": a + b, "both": (a, b * 2)}, r(2, 3), r(2, 3))


class Dynamic(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        y = self.conv(x)
        n, c, h, w = y.shape
        z = y.view(n, c, h * w).transpose(1, 2)
        return self.head(z).mean(1), F.interpolate(y, scale_factor=2), z + torch.zeros(n, h * w, c), y[:, :, : h // 2]


case("dynamic", Dynamic(), r(2, 3, 6, 8), dynamic=({0: N("n"), 2: 2 * N("h"), 3: N("w")},))
case("dynamic-tokens", nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, dropout=0.0), r(2, 5, 8), dynamic=({0: N("n"), 1: N("t")},))
case("noncontiguous", (lambda: (lambda m: (setattr(m, "w", nn.Parameter(torch.randn(4, 3).t())) or m))(type("T", (nn.Module,), {"forward": lambda s, x: x @ s.w})()))(), r(2, 3))

SKIP = {"stack_trace", "torch_fn", "source_fn_stack"}


def slim(data):
    """The archive without what no reader looks at; the golden file is compressed as a whole."""
    source = zipfile.ZipFile(io.BytesIO(data))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as target:
        for name in source.namelist():
            inner = name.split("/", 1)[1]
            if inner.startswith(("data/sample_inputs", ".data")):
                continue
            raw = source.read(name)
            if inner.startswith("models/") and name.endswith(".json"):
                program = json.loads(raw)
                program["graph_module"]["module_call_graph"] = []
                for node in program["graph_module"]["graph"]["nodes"]:
                    node["metadata"] = {k: v for k, v in node["metadata"].items() if k not in SKIP}
                for meta in program["graph_module"]["graph"]["tensor_values"].values():
                    for key in ("device", "strides", "layout", "storage_offset", "requires_grad"):
                        meta.pop(key, None)
                raw = json.dumps(program, separators=(",", ":")).encode()
            target.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), raw, zipfile.ZIP_STORED)
    return out.getvalue()


def flat(value):
    return torch.utils._pytree.tree_leaves(value)


def packed(tensor):
    t = tensor.detach()
    kind = str(t.dtype).removeprefix("torch.")
    values = t.double() if t.is_floating_point() else t
    return {"dtype": kind, "shape": list(t.shape), "values": [float(f"{v:.8g}") if isinstance(v, float) else int(v) for v in values.reshape(-1).tolist()]}


def save(program):
    buffer = io.BytesIO()
    torch.export.save(program, buffer)
    return slim(buffer.getvalue())


def main():
    path = Path(__file__).parent.parent / "src/formats/pytorch/golden/operators.json.gz"
    only = sys.argv[1:]
    rows = [row for row in json.loads(gzip.decompress(path.read_bytes())) if row["name"] in cases and row["name"] not in only] if only else []
    for name, (module, inputs, dynamic) in cases.items():
        if only and name not in only:
            continue
        try:
            program = torch.export.export(module, inputs, dynamic_shapes=({"xs": dynamic} if isinstance(module, Fn) else dynamic) if dynamic else None)
            outputs = [packed(t) for t in flat(module(*inputs)) if isinstance(t, torch.Tensor)]
            variants = [("", program)]
            try:
                variants.append(("in core ATen", program.run_decompositions()))
            except Exception as error:
                print("no decomposition", name, str(error)[:100])
            programs = {kind or "as exported": save(one).hex() for kind, one in variants}
            rows.append({"name": name, "programs": programs, "inputs": [packed(t) for t in flat(inputs)], "outputs": outputs})
        except Exception as error:
            print("FAILED", name, str(error)[:300])
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(gzip.compress(json.dumps(rows, separators=(",", ":")).encode(), 9, mtime=0))
    print(len(rows), "cases,", path.stat().st_size, "bytes, torch", torch.__version__)


if __name__ == "__main__":
    main()
