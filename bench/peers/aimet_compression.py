"""
AIMET torch's compressor on ResNet-20 (CIFAR-10) at a share of its multiply-accumulates, without training: accuracy and seconds, one JSON line a scheme.

    python bench/peers/aimet_compression.py FIXTURES [--share 0.5] [--schemes spatial_svd,channel_pruning] [--network ResNet-20] [--uniform]
        [--scored 1000]

Needs aimet-torch 2.42. Its greedy selection scores every layer at nine ratios on so many training images; with --uniform every layer keeps the share
(its manual mode), and nothing is scored. Channels are fitted on 500 images, as in AIMET's example; the result is judged on the 5,000 test images that bench/compression.mjs judges on. The mean and deviation are those of the checkpoint.
"""
import argparse
import json
import os
import time
from decimal import Decimal

import numpy as np
import torch
from aimet_torch.common.defs import CompressionScheme, CostMetric, GreedySelectionParameters
from aimet_torch.compress import ModelCompressor
from aimet_torch.defs import ChannelPruningParameters, ModuleCompRatioPair, SpatialSvdParameters
from aimet_torch.elementwise_ops import Add
from torch import nn

FILES = {
    "ResNet-20": (3, "cifar10/resnet20_cifar10jpeg_finetuned.th"),
    "ResNet-56": (9, "resnet-cifar10-akamaster/resnet56-4bfd9763.th"),
}


class Shortcut(nn.Module):
    """Option A of He et al.: every second position, zeros for the new channels."""

    def __init__(self, added):
        super().__init__()
        self.added = added

    def forward(self, x):
        return nn.functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.added // 2, self.added // 2))


def shortcut(inputs, outputs, stride, pad):
    """AIMET's winnower refuses the slice and the pad; a 1x1 convolution of ones and zeros computes the same (0.6 % more MACs)."""
    if stride == 1 and inputs == outputs:
        return nn.Identity()
    if pad:
        return Shortcut(outputs - inputs)
    same = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
    with torch.no_grad():
        same.weight.zero_()
        for i in range(inputs):
            same.weight[i + (outputs - inputs) // 2, i] = 1
    return same


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride, pad):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut = shortcut(inputs, outputs, stride, pad)
        self.add = Add()
        self.relu2 = nn.ReLU()

    def forward(self, x):
        y = self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(x)))))
        return self.relu2(self.add(y, self.shortcut(x)))


class ResNet(nn.Module):
    def __init__(self, blocks, pad):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.relu = nn.ReLU()
        widths = [16, 32, 64]
        for i, width in enumerate(widths):
            before = widths[max(i - 1, 0)]
            layers = [
                Block(before if b == 0 else width, width, 2 if b == 0 and i > 0 else 1, pad)
                for b in range(blocks)
            ]
            setattr(self, f"layer{i + 1}", nn.Sequential(*layers))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.linear = nn.Linear(64, 10)

    def forward(self, x):
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(torch.flatten(self.pool(x), 1))


def images(path):
    x = np.fromfile(path, np.uint8).reshape(-1, 32, 32, 3).astype(np.float32) / 255
    x = (x - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    return torch.from_numpy(np.ascontiguousarray(x.transpose(0, 3, 1, 2), np.float32))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("fixtures")
    parser.add_argument("--share", type=float, default=0.5)
    parser.add_argument("--schemes", default="spatial_svd,channel_pruning")
    parser.add_argument("--network", default="ResNet-20")
    parser.add_argument("--uniform", action="store_true")
    parser.add_argument("--scored", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.manual_seed(0)
    np.random.seed(0)
    torch.set_num_threads(args.threads)

    def at(name):
        return os.path.join(args.fixtures, name)

    blocks, checkpoint = FILES[args.network]
    state = torch.load(at(checkpoint), map_location="cpu", weights_only=True)
    state = {name.removeprefix("module."): value for name, value in state.get("state_dict", state).items()}

    def network(pad):
        model = ResNet(blocks, pad)
        missing, unexpected = model.load_state_dict(state, strict=False)
        assert not unexpected and all(".shortcut." in name for name in missing)
        return model.eval()

    test = images(at("cifar10/test_jpegq75_x.u8")), torch.from_numpy(np.fromfile(at("cifar10/test_jpegq75_y.u8"), np.uint8).astype(np.int64))
    train = images(at("cifar10/train_jpegq75_5000_x.u8")), torch.from_numpy(np.fromfile(at("cifar10/train_jpegq75_5000_y.u8"), np.uint8).astype(np.int64))

    def accuracy(net, data, most):
        hits = 0
        with torch.no_grad():
            for i in range(0, most, 100):
                hits += int((net(data[0][i : i + 100]).argmax(1) == data[1][i : i + 100]).sum())
        return hits / most

    evaluations = 0

    def evaluate(net, iterations, use_cuda=False):
        nonlocal evaluations
        evaluations += 1
        return accuracy(net, train, args.scored)

    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(train[0][:500], train[1][:500]), batch_size=50)
    for scheme in args.schemes.split(","):
        model = network(pad=scheme != "channel_pruning")
        greedy = GreedySelectionParameters(target_comp_ratio=Decimal(str(args.share)), num_comp_ratio_candidates=10)
        kind = SpatialSvdParameters if scheme == "spatial_svd" else ChannelPruningParameters
        fixed = [one.shortcut for one in model.modules() if isinstance(one, Block) and isinstance(one.shortcut, nn.Conv2d)]
        if scheme != "spatial_svd":
            fixed.append(model.conv1)
        if args.uniform:
            convolutions = [one for one in model.modules() if isinstance(one, nn.Conv2d) and one not in fixed]
            how = kind.ManualModeParams([ModuleCompRatioPair(one, Decimal(str(args.share))) for one in convolutions])
        else:
            how = kind.AutoModeParams(greedy, modules_to_ignore=fixed)
        mode = kind.Mode.manual if args.uniform else kind.Mode.auto
        if scheme == "spatial_svd":
            parameters = kind(mode, how)
        else:
            parameters = kind(
                data_loader=loader, num_reconstruction_samples=500, allow_custom_downsample_ops=True, mode=mode, params=how
            )
        evaluations = 0
        start, busy = time.perf_counter(), time.process_time()
        try:
            smaller, statistics = ModelCompressor.compress_model(
                model,
                eval_callback=evaluate,
                eval_iterations=1,
                input_shape=(1, 3, 32, 32),
                compress_scheme=getattr(CompressionScheme, scheme),
                cost_metric=CostMetric.mac,
                parameters=parameters,
            )
        except Exception as error:  # What it says is the result.
            print(json.dumps({"scheme": scheme, "error": f"{type(error).__name__}: {error}"}), flush=True)
            continue
        print(
            json.dumps(
                {
                    "network": args.network,
                    "scheme": scheme,
                    "share": float(statistics.mac_compression_ratio),
                    "parameters": float(statistics.memory_compression_ratio),
                    "float": accuracy(model, test, 5000),
                    "compressed": accuracy(smaller.eval(), test, 5000),
                    "evaluations": evaluations,
                    "seconds": time.perf_counter() - start,
                    "cpuSeconds": time.process_time() - busy,
                }
            ),
            flush=True,
        )


if __name__ == "__main__":
    main()
