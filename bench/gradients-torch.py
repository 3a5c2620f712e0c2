"""PyTorch's side of bench/gradients.mjs: reads lines of JSON {net, qat, part, steps}, answers each with [wall ms, processor ms] a step.

The networks are those of gradient-nets.mjs. `part` is "step" (forward, backward, SGD with momentum), "forward" or "gradients"
(forward and backward). Quantizers are torch's fake quantization with learned scales: per channel for weights, per tensor else.
"""

import json
import os
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.set_num_threads(int(os.environ.get("THREADS", "2")))
torch.manual_seed(0)


class Quant(nn.Module):
    on = True

    def __init__(self, channels=None):
        super().__init__()
        self.scale = nn.Parameter(torch.full((channels or 1,), 0.05))
        self.register_buffer("zero", torch.zeros(channels or 1))
        self.per_channel = channels is not None

    def forward(self, x):
        if not Quant.on:
            return x
        if self.per_channel:
            return torch._fake_quantize_learnable_per_channel_affine(x, self.scale, self.zero, 0, -128, 127, 1.0)
        return torch._fake_quantize_learnable_per_tensor_affine(x, self.scale, self.zero, -128, 127, 1.0)


class Layer(nn.Module):
    def __init__(self, inputs, outputs, kernel=3, stride=1, group=1, relu=True):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=group, bias=False)
        self.norm, self.weight, self.out, self.relu = nn.BatchNorm2d(outputs), Quant(outputs), Quant(), relu

    def forward(self, x):
        c = self.conv
        y = self.norm(F.conv2d(x, self.weight(c.weight), None, c.stride, c.padding, 1, c.groups))
        return self.out(F.relu(y) if self.relu else y)


class Residual(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.stride, self.more = (1 if inputs == outputs else 2), outputs - inputs
        self.a, self.b, self.out = Layer(inputs, outputs, 3, self.stride), Layer(outputs, outputs, relu=False), Quant()

    def forward(self, x):
        half = self.more // 2
        short = x if self.stride == 1 else F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, half, half))
        return self.out(F.relu(self.b(self.a(x)) + short))


def head(width):
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10)]


def resnet20():
    widths = [16, 16, 16, 16, 32, 32, 32, 64, 64, 64]
    blocks = [Residual(a, b) for a, b in zip(widths, widths[1:])]
    return nn.Sequential(Quant(), Layer(3, 16), *blocks, *head(64)), (64, 3, 32, 32)


def mobilenet():
    layers, width = [Quant(), Layer(3, 8, 3, 2)], 8
    for out, stride in [(16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2), *[(128, 1)] * 5, (256, 2), (256, 1)]:
        layers += [Layer(width, width, 3, stride, width), Layer(width, out, 1)]
        width = out
    return nn.Sequential(*layers, *head(width)), (32, 3, 96, 96)


def separable():
    return nn.Sequential(Layer(64, 64, 3, 1, 64), Layer(64, 64, 1), *head(64)), (32, 64, 24, 24)


class Transformer(nn.Module):
    def __init__(self, width=256, heads=4):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.q, self.k, self.v, self.out = (nn.Linear(width, width) for _ in range(4))
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.head = nn.Linear(width, 10)

    def forward(self, x):
        n, length, width = x.shape
        y = self.norm1(x)
        q, k, v = (f(y).view(n, length, self.heads, -1).transpose(1, 2) for f in (self.q, self.k, self.v))
        a = torch.softmax(q @ k.transpose(2, 3) * (width / self.heads) ** -0.5, -1) @ v
        x = x + self.out(a.transpose(1, 2).reshape(n, length, width))
        x = x + self.down(F.gelu(self.up(self.norm2(x))))
        return self.head(x.mean(1))


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell, self.head = nn.LSTM(64, 128), nn.Linear(128, 10)

    def forward(self, x):
        return self.head(self.cell(x)[1][0][0])


nets = dict(
    resnet20=resnet20,
    mobilenet=mobilenet,
    separable=separable,
    transformer=lambda: (Transformer(), (8, 128, 256)),
    lstm=lambda: (Recurrent(), (32, 32, 64)),
)
made = {}


def prepared(name):
    if name not in made:
        net, shape = nets[name]()
        x, y = torch.randn(shape), torch.randint(0, 10, (32 if name == "lstm" else shape[0],))
        made[name] = (net.train(), x, y, torch.optim.SGD(net.parameters(), 1e-4, momentum=0.9))
    return made[name]


def run(name, part):
    net, x, y, optimizer = prepared(name)
    if part == "forward":
        with torch.no_grad():
            F.cross_entropy(net(x), y)
        return
    optimizer.zero_grad()
    F.cross_entropy(net(x), y).backward()
    if part == "step":
        optimizer.step()


for line in sys.stdin:
    order = json.loads(line)
    Quant.on = order["qat"]
    times = []
    for _ in range(order["steps"]):
        wall, used = time.perf_counter(), time.process_time()
        run(order["net"], order["part"])
        times.append([1000 * (time.perf_counter() - wall), 1000 * (time.process_time() - used)])
    print(json.dumps(times), flush=True)
