"""Architectures that no library of models has, narrow: detection heads with their suppression, U-Nets, audio, recurrent nets and others.

`nets` maps a name to what makes the module and what makes its inputs; tools/pytorch_architectures.py exports them.
"""
import torch
import torch.nn.functional as F
import torchvision
from torch import nn


def conv(i, o, k=3, s=1, groups=1, act=nn.ReLU):
    return nn.Sequential(nn.Conv2d(i, o, k, s, k // 2, groups=groups, bias=False), nn.BatchNorm2d(o), act())


def separable(i, o, s=1):
    return nn.Sequential(conv(i, i, s=s, groups=i), conv(i, o, 1))


class UNet(nn.Module):
    def __init__(self, transposed=True):
        super().__init__()
        self.down = nn.ModuleList([conv(3, 8), conv(8, 16), conv(16, 32)])
        self.up = nn.ModuleList([nn.ConvTranspose2d(32, 16, 2, 2) if transposed else nn.Conv2d(32, 16, 1), nn.ConvTranspose2d(16, 8, 2, 2) if transposed else nn.Conv2d(16, 8, 1)])
        self.join = nn.ModuleList([conv(32, 16), conv(16, 8)])
        self.head = nn.Conv2d(8, 2, 1)
        self.transposed = transposed

    def forward(self, x):
        a = self.down[0](x)
        b = self.down[1](F.max_pool2d(a, 2))
        y = self.down[2](F.max_pool2d(b, 2))
        for up, join, skip in zip(self.up, self.join, (b, a)):
            y = up(y) if self.transposed else up(F.interpolate(y, scale_factor=2, mode="bilinear", align_corners=True))
            y = join(torch.cat([skip, y], 1))
        return self.head(y)


class SSDHead(nn.Module):
    """Two scales, boxes decoded from anchors, suppression by class."""

    def __init__(self, classes=3, anchors=2):
        super().__init__()
        self.body = nn.Sequential(separable(3, 8, 2), separable(8, 16, 2), separable(16, 24, 2))
        self.next = separable(24, 32, 2)
        self.boxes = nn.ModuleList([nn.Conv2d(24, 4 * anchors, 3, 1, 1), nn.Conv2d(32, 4 * anchors, 3, 1, 1)])
        self.scores = nn.ModuleList([nn.Conv2d(24, classes * anchors, 3, 1, 1), nn.Conv2d(32, classes * anchors, 3, 1, 1)])
        count = (8 * 8 + 4 * 4) * anchors
        self.register_buffer("anchors", torch.rand(count, 4) * torch.tensor([48.0, 48, 8, 8]) + torch.tensor([0, 0, 12.0, 12]))
        self.classes = classes

    def forward(self, x):
        a = self.body(x)
        levels = (a, self.next(a))
        boxes = torch.cat([h(y).permute(0, 2, 3, 1).reshape(-1, 4) for h, y in zip(self.boxes, levels)])
        scores = torch.cat([h(y).permute(0, 2, 3, 1).reshape(-1, self.classes) for h, y in zip(self.scores, levels)]).softmax(-1)
        centre = self.anchors[:, :2] + boxes[:, :2] * self.anchors[:, 2:] * 0.1
        size = self.anchors[:, 2:] * torch.exp(boxes[:, 2:] * 0.2)
        corners = torch.cat([centre - size / 2, centre + size / 2], 1).clamp(0, 64)
        best, label = scores.max(1)
        top, index = best.topk(40)
        kept = torchvision.ops.batched_nms(corners[index], top, label[index], 0.5)
        return corners[index][kept], top[kept], label[index][kept]


class RetinaHead(nn.Module):
    """A pyramid of features, focal heads shared by its levels, suppression over all."""

    def __init__(self, classes=4):
        super().__init__()
        self.stages = nn.ModuleList([conv(3, 16, s=4), conv(16, 24, s=2), conv(24, 32, s=2)])
        self.lateral = nn.ModuleList([nn.Conv2d(c, 16, 1) for c in (16, 24, 32)])
        self.box = nn.Sequential(conv(16, 16), nn.Conv2d(16, 4, 3, 1, 1))
        self.score = nn.Sequential(conv(16, 16), nn.Conv2d(16, classes, 3, 1, 1))

    def forward(self, x):
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        pyramid = [lateral(f) for lateral, f in zip(self.lateral, features)]
        for i in (1, 0):
            pyramid[i] = pyramid[i] + F.interpolate(pyramid[i + 1], size=pyramid[i].shape[-2:], mode="nearest")
        boxes = torch.cat([self.box(p).flatten(2).transpose(1, 2) for p in pyramid], 1)[0]
        scores = torch.cat([self.score(p).flatten(2).transpose(1, 2) for p in pyramid], 1)[0].sigmoid()
        corners = torch.cat([boxes[:, :2].sigmoid() * 64, boxes[:, :2].sigmoid() * 64 + boxes[:, 2:].exp() * 8], 1)
        top, index = scores.max(1)[0].topk(30)
        kept = torchvision.ops.nms(corners[index], top, 0.4)
        return corners[index[kept]], scores[index[kept]]


class FasterHead(nn.Module):
    """Features of regions by RoIAlign, classified."""

    def __init__(self, aligned=True):
        super().__init__()
        self.body, self.head, self.aligned = nn.Sequential(conv(3, 8, s=2), conv(8, 16, s=2)), nn.Linear(16 * 9, 5), aligned

    def forward(self, x, rois):
        y = torchvision.ops.roi_align(self.body(x), rois, (3, 3), 0.25, 2, self.aligned)
        return self.head(y.flatten(1)).softmax(1)


class Yolo(nn.Module):
    """Blocks of C2f and SPPF with a decoded, anchor-free head."""

    class C2f(nn.Module):
        def __init__(self, c):
            super().__init__()
            self.enter, self.inner, self.leave = conv(c, c, 1, act=nn.SiLU), conv(c // 2, c // 2, act=nn.SiLU), conv(c + c // 2, c, 1, act=nn.SiLU)

        def forward(self, x):
            a, b = self.enter(x).chunk(2, 1)
            return self.leave(torch.cat([a, b, b + self.inner(b)], 1))

    def __init__(self, classes=3, bins=8):
        super().__init__()
        act = nn.SiLU
        self.stem, self.deep = nn.Sequential(conv(3, 8, s=2, act=act), conv(8, 16, s=2, act=act), self.C2f(16)), nn.Sequential(conv(16, 32, s=2, act=act), self.C2f(32))
        self.pooled, self.up = conv(128, 32, 1, act=act), self.C2f(48)
        self.heads = nn.ModuleList([nn.Conv2d(48, 4 * bins + classes, 1), nn.Conv2d(32, 4 * bins + classes, 1)])
        self.register_buffer("steps", torch.arange(bins, dtype=torch.float32))
        self.bins, self.classes = bins, classes

    def forward(self, x):
        a = self.stem(x)
        y = self.deep(a)
        pools = [y]
        for _ in range(3):
            pools.append(F.max_pool2d(pools[-1], 5, 1, 2))
        y = self.pooled(torch.cat(pools, 1))
        levels = (self.up(torch.cat([F.interpolate(y, scale_factor=2), a], 1)), y)
        found = torch.cat([h(f).flatten(2) for h, f in zip(self.heads, levels)], 2)
        box, score = found.split([4 * self.bins, self.classes], 1)
        box = (box.view(1, 4, self.bins, -1).softmax(2) * self.steps.view(1, 1, -1, 1)).sum(2)
        return torch.cat([box, score.sigmoid()], 1)


class CenterNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(conv(3, 8, s=2), conv(8, 16, s=2), nn.ConvTranspose2d(16, 8, 4, 2, 1), nn.BatchNorm2d(8), nn.ReLU())
        self.heat, self.size = nn.Conv2d(8, 2, 1), nn.Conv2d(8, 2, 1)

    def forward(self, x):
        y = self.body(x)
        heat = self.heat(y).sigmoid()
        peaks = heat * (F.max_pool2d(heat, 3, 1, 1) == heat)
        score, index = peaks.flatten(1).topk(5)
        place = index % (y.shape[2] * y.shape[3])
        size = self.size(y).flatten(2).gather(2, place.unsqueeze(1).expand(-1, 2, -1))
        return score, index // (y.shape[2] * y.shape[3]), size


class ConvTasNet(nn.Module):
    def __init__(self, n=16, hidden=24, sources=2):
        super().__init__()
        block = lambda d: nn.Sequential(nn.Conv1d(n, hidden, 1), nn.PReLU(), nn.GroupNorm(1, hidden), nn.Conv1d(hidden, hidden, 3, padding=d, dilation=d, groups=hidden), nn.PReLU(), nn.GroupNorm(1, hidden), nn.Conv1d(hidden, n, 1))
        self.encode, self.norm = nn.Conv1d(1, n, 16, 8, bias=False), nn.GroupNorm(1, n)
        self.blocks = nn.ModuleList([block(2**i) for i in range(4)])
        self.mask, self.decode, self.sources = nn.Conv1d(n, n * sources, 1), nn.ConvTranspose1d(n, 1, 16, 8, bias=False), sources

    def forward(self, x):
        w = F.relu(self.encode(x.unsqueeze(1)))
        y = self.norm(w)
        for block in self.blocks:
            y = y + block(y)
        masks = self.mask(y).view(x.shape[0], self.sources, -1, w.shape[-1]).sigmoid()
        return self.decode((masks * w.unsqueeze(1)).flatten(0, 1)).view(x.shape[0], self.sources, -1)


class Recurrent(nn.Module):
    def __init__(self, kind, **options):
        super().__init__()
        self.inner = kind(8, 12, batch_first=True, **options)
        self.head = nn.Linear(24 if options.get("bidirectional") else 12, 3)

    def forward(self, x):
        return self.head(self.inner(x)[0])


class CRNN(nn.Module):
    """Convolutions, then a bidirectional LSTM over the width: text lines."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(conv(1, 8), nn.MaxPool2d(2), conv(8, 16), nn.MaxPool2d((2, 1)), conv(16, 24), nn.AdaptiveAvgPool2d((1, None)))
        self.lstm, self.head = nn.LSTM(24, 16, bidirectional=True, batch_first=True), nn.Linear(32, 11)

    def forward(self, x):
        return self.head(self.lstm(self.body(x).squeeze(2).transpose(1, 2))[0]).log_softmax(-1)


class TCN(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Conv1d(4 if i == 0 else 12, 12, 3, dilation=2**i) for i in range(4)])
        self.head = nn.Linear(12, 2)

    def forward(self, x):
        for i, layer in enumerate(self.layers):
            y = F.gelu(layer(F.pad(x, (2 * 2**i, 0))))
            x = y if i == 0 else x + y
        return self.head(x[:, :, -1])


class WaveNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.enter = nn.Conv1d(1, 8, 1)
        self.gates = nn.ModuleList([nn.Conv1d(8, 16, 2, dilation=2**i) for i in range(4)])
        self.skips = nn.ModuleList([nn.Conv1d(8, 8, 1) for _ in range(4)])

    def forward(self, x):
        x, out = self.enter(x), 0
        for i, (gate, skip) in enumerate(zip(self.gates, self.skips)):
            a, b = gate(F.pad(x, (2**i, 0))).chunk(2, 1)
            y = skip(a.tanh() * b.sigmoid())
            x, out = x + y, out + y
        return out.relu()


class Seq2Seq(nn.Module):
    """A GRU that reads, and additive attention over what it read."""

    def __init__(self):
        super().__init__()
        self.table, self.reader, self.writer = nn.Embedding(20, 8), nn.GRU(8, 12, batch_first=True), nn.GRUCell(8, 12)
        self.key, self.query, self.score, self.head = nn.Linear(12, 8), nn.Linear(12, 8), nn.Linear(8, 1), nn.Linear(24, 20)

    def forward(self, source, target):
        read, state = self.reader(self.table(source))
        state, steps = state[0], []
        for token in self.table(target).unbind(1):
            state = self.writer(token, state)
            weight = self.score(torch.tanh(self.key(read) + self.query(state).unsqueeze(1))).softmax(1)
            steps.append(self.head(torch.cat([state, (weight * read).sum(1)], 1)))
        return torch.stack(steps, 1)


class PointNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.turn = nn.Sequential(nn.Conv1d(3, 16, 1), nn.ReLU(), nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Linear(16, 9))
        self.body = nn.Sequential(nn.Conv1d(3, 16, 1), nn.BatchNorm1d(16), nn.ReLU(), nn.Conv1d(16, 32, 1))
        self.head = nn.Linear(32, 5)

    def forward(self, x):
        turn = self.turn(x).view(-1, 3, 3) + torch.eye(3)
        return self.head(self.body(torch.bmm(turn, x)).max(2)[0])


class Diffusion(nn.Module):
    """A denoiser: embedded time, blocks with group norms, attention in the middle."""

    class Block(nn.Module):
        def __init__(self, i, o):
            super().__init__()
            self.first, self.second, self.time = nn.Conv2d(i, o, 3, 1, 1), nn.Conv2d(o, o, 3, 1, 1), nn.Linear(16, 2 * o)
            self.norms, self.skip = nn.ModuleList([nn.GroupNorm(4, i), nn.GroupNorm(4, o)]), nn.Conv2d(i, o, 1)

        def forward(self, x, t):
            scale, shift = self.time(F.silu(t))[:, :, None, None].chunk(2, 1)
            y = self.norms[1](self.first(F.silu(self.norms[0](x)))) * (1 + scale) + shift
            return self.skip(x) + self.second(F.silu(y))

    def __init__(self):
        super().__init__()
        self.enter, self.a, self.b, self.c = nn.Conv2d(3, 8, 3, 1, 1), self.Block(8, 16), self.Block(16, 16), self.Block(24, 8)
        self.attend, self.norm, self.leave = nn.MultiheadAttention(16, 2, batch_first=True), nn.GroupNorm(4, 16), nn.Conv2d(8, 3, 3, 1, 1)
        self.time = nn.Sequential(nn.Linear(16, 16), nn.SiLU(), nn.Linear(16, 16))

    def forward(self, x, t):
        rates = torch.exp(torch.arange(8) * -0.5)
        angle = t.float()[:, None] * rates[None]
        time = self.time(torch.cat([angle.sin(), angle.cos()], 1))
        a = self.enter(x)
        y = self.a(F.avg_pool2d(a, 2), time)
        flat = self.norm(y).flatten(2).transpose(1, 2)
        y = y + self.attend(flat, flat, flat, need_weights=False)[0].transpose(1, 2).view_as(y)
        y = F.interpolate(self.b(y, time), scale_factor=2)
        return self.leave(self.c(torch.cat([y, a], 1), time))


class Spectral(nn.Module):
    """Frames by a convolution with sines and cosines, then a net over their logarithm."""

    def __init__(self, size=32, step=16):
        super().__init__()
        n = torch.arange(size)
        angle = 2 * torch.pi * torch.outer(torch.arange(size // 2 + 1), n) / size
        self.register_buffer("basis", torch.cat([angle.cos(), angle.sin()]).unsqueeze(1) * torch.hann_window(size))
        self.step, self.body = step, nn.Sequential(nn.Conv1d(size // 2 + 1, 12, 3, padding=1), nn.ReLU(), nn.Conv1d(12, 4, 1))

    def forward(self, x):
        real, imaginary = F.conv1d(F.pad(x.unsqueeze(1), (16, 16), mode="reflect"), self.basis, stride=self.step).chunk(2, 1)
        return self.body(torch.log(real.square() + imaginary.square() + 1e-5)).mean(2)


class Recommender(nn.Module):
    def __init__(self):
        super().__init__()
        self.tables = nn.ModuleList([nn.Embedding(n, 6) for n in (5, 9, 17)])
        self.deep, self.wide = nn.Sequential(nn.Linear(22, 16), nn.ReLU(), nn.Linear(16, 1)), nn.Linear(4, 1)

    def forward(self, numbers, ids):
        rows = torch.stack([table(ids[:, i]) for i, table in enumerate(self.tables)], 1)
        pairs = 0.5 * (rows.sum(1).square() - rows.square().sum(1)).sum(1, keepdim=True)
        return (self.wide(numbers) + pairs + self.deep(torch.cat([numbers, rows.flatten(1)], 1))).sigmoid()


class Restorer(nn.Module):
    """EDSR's blocks with a shuffle of pixels."""

    def __init__(self):
        super().__init__()
        self.enter, self.body = nn.Conv2d(3, 8, 3, 1, 1), nn.ModuleList([nn.Sequential(nn.Conv2d(8, 8, 3, 1, 1), nn.ReLU(), nn.Conv2d(8, 8, 3, 1, 1)) for _ in range(2)])
        self.leave = nn.Sequential(nn.Conv2d(8, 12, 3, 1, 1), nn.PixelShuffle(2))

    def forward(self, x):
        y = first = self.enter(x)
        for block in self.body:
            y = y + 0.1 * block(y)
        return self.leave(y + first).clamp(0, 1)


class Style(nn.Module):
    def __init__(self):
        super().__init__()
        c = lambda i, o, k, s: nn.Sequential(nn.ReflectionPad2d(k // 2), nn.Conv2d(i, o, k, s), nn.InstanceNorm2d(o, affine=True), nn.ReLU())
        self.net = nn.Sequential(c(3, 8, 9, 1), c(8, 16, 3, 2), nn.Upsample(scale_factor=2), c(16, 8, 3, 1), nn.Conv2d(8, 3, 1))

    def forward(self, x):
        return self.net(x).tanh()


class Mobile(nn.Module):
    """MobileNetV1, and with a first layer for spectra DS-CNN."""

    def __init__(self, channels=3, classes=10):
        super().__init__()
        self.net = nn.Sequential(conv(channels, 8, s=2), separable(8, 16), separable(16, 24, 2), separable(24, 32), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, classes))

    def forward(self, x):
        return self.net(x)


class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.encode, self.decode = nn.Sequential(nn.Flatten(), nn.Linear(64, 24), nn.ReLU(), nn.Linear(24, 8)), nn.Sequential(nn.Linear(4, 24), nn.ReLU(), nn.Linear(24, 64))

    def forward(self, x):
        mean, variance = self.encode(x).chunk(2, 1)
        return self.decode(mean).sigmoid().view_as(x), mean, F.softplus(variance)


class Translator(nn.Module):
    """nn.Transformer with its masks."""

    def __init__(self):
        super().__init__()
        self.table, self.net, self.head = nn.Embedding(20, 16), nn.Transformer(16, 2, 1, 1, 32, 0.0, batch_first=True), nn.Linear(16, 20)

    def forward(self, source, target):
        mask = nn.Transformer.generate_square_subsequent_mask(target.shape[1])
        return self.head(self.net(self.table(source), self.table(target), tgt_mask=mask, tgt_is_causal=True))


r = torch.randn
image = lambda size=64: (r(1, 3, size, size),)
rois = lambda: (*image(), torch.tensor([[0, 4.0, 4, 40, 40], [0, 10, 0, 30, 60], [0, 0.5, 20, 63, 44]]))
nets = {
    "unet": (UNet, image),
    "unet_bilinear": (lambda: UNet(False), image),
    "ssd_head": (SSDHead, image),
    "retina_head": (RetinaHead, image),
    "faster_rcnn_head": (FasterHead, rois),
    "faster_rcnn_head_unaligned": (lambda: FasterHead(False), rois),
    "yolo": (Yolo, image),
    "centernet": (CenterNet, image),
    "conv_tasnet": (ConvTasNet, lambda: (r(1, 800),)),
    "lstm": (lambda: Recurrent(nn.LSTM), lambda: (r(2, 9, 8),)),
    "lstm_bidirectional": (lambda: Recurrent(nn.LSTM, bidirectional=True, num_layers=2), lambda: (r(2, 9, 8),)),
    "gru": (lambda: Recurrent(nn.GRU), lambda: (r(2, 9, 8),)),
    "gru_bidirectional": (lambda: Recurrent(nn.GRU, bidirectional=True, num_layers=2), lambda: (r(2, 9, 8),)),
    "rnn": (lambda: Recurrent(nn.RNN), lambda: (r(2, 9, 8),)),
    "crnn": (CRNN, lambda: (r(1, 1, 16, 48),)),
    "tcn": (TCN, lambda: (r(2, 4, 40),)),
    "wavenet": (WaveNet, lambda: (r(1, 1, 50),)),
    "seq2seq_attention": (Seq2Seq, lambda: (torch.randint(0, 20, (2, 7)), torch.randint(0, 20, (2, 5)))),
    "pointnet": (PointNet, lambda: (r(2, 3, 30),)),
    "diffusion_unet": (Diffusion, lambda: (r(1, 3, 16, 16), torch.tensor([7]))),
    "spectral": (Spectral, lambda: (r(2, 320),)),
    "wide_and_deep": (Recommender, lambda: (r(3, 4), torch.randint(0, 5, (3, 3)))),
    "edsr": (Restorer, lambda: image(24)),
    "style_transfer": (Style, lambda: image(32)),
    "mobilenet_v1": (Mobile, image),
    "ds_cnn": (lambda: Mobile(1, 12), lambda: (r(1, 1, 49, 10),)),
    "vae": (VAE, lambda: (r(2, 1, 8, 8),)),
    "transformer": (Translator, lambda: (torch.randint(0, 20, (2, 7)), torch.randint(0, 20, (2, 5)))),
}
