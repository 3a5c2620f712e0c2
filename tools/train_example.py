"""Trains the bundled example's network (see examples/README.md for the commands around it).

    python tools/train_example.py UNTRAINED.onnx PICTURES TRAINED.onnx [--seed 1] [--epochs 30]

UNTRAINED.onnx is what examples/pictures/network.mjs builds, PICTURES the folder of train.npy and train-labels.npy that
examples/pictures/write.mjs makes. The file's graph is the definition: it is interpreted node by node, and only the
numbers of its initializers are changed. BatchNorm stays a node of its own.

How it is trained decides how it quantizes. Pointwise convolutions have weight decay and an L1 penalty on the scales of
their BatchNorm ("network slimming", Liu et al. 2017), so channels that the network does not need die; the depthwise
convolutions have neither, as MobileNet's authors advise ("very little or no weight decay on the depthwise filters",
Howard et al. 2017, section 3.3). The depthwise BatchNorm behind a dying channel sees a variance near zero, and folding it
multiplies that channel's weights by up to 1 / sqrt(epsilon): one scale for the whole tensor no longer fits all channels.
"""

import argparse
import time

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import numpy_helper


class Interpreter:
    """Runs the graph in PyTorch; initializers are parameters, BatchNorm's mean and variance buffers."""

    def __init__(self, model):
        self.nodes = model.graph.node
        self.input = model.graph.input[0].name
        self.output = model.graph.output[0].name
        self.constants, self.parameters, self.statistics = {}, {}, {}
        tensors = {t.name: torch.from_numpy(numpy_helper.to_array(t).copy()) for t in model.graph.initializer}
        for node in self.nodes:
            for place, name in enumerate(node.input):
                if name not in tensors:
                    continue
                if node.op_type == "BatchNormalization" and place >= 3:
                    self.statistics[name] = tensors[name]
                elif node.op_type == "Clip":
                    self.constants[name] = tensors[name]
                else:
                    self.parameters[name] = tensors[name].requires_grad_()

    def __call__(self, x, training):
        values = {**self.constants, **self.parameters, **self.statistics, self.input: x}
        for node in self.nodes:
            a = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
            i = [values[name] for name in node.input]
            if node.op_type == "Conv":
                y = F.conv2d(i[0], i[1], None, a["strides"], a["pads"][:2], 1, a["group"])
            elif node.op_type == "BatchNormalization":
                y = F.batch_norm(i[0], i[3], i[4], i[1], i[2], training, 0.1, a["epsilon"])
            elif node.op_type == "Clip":
                y = torch.clamp(i[0], float(i[1]), float(i[2]))
            elif node.op_type == "GlobalAveragePool":
                y = i[0].mean((2, 3), keepdim=True)
            elif node.op_type == "Flatten":
                y = i[0].flatten(1)
            elif node.op_type == "Gemm":
                y = F.linear(i[0], i[1], i[2])
            else:
                raise ValueError(f"no rule for {node.op_type}")
            values[node.output[0]] = y
        return values[self.output]


def read(folder, split):
    pictures = np.load(f"{folder}/{split}.npy").transpose(0, 3, 1, 2).astype("float32")
    x = torch.from_numpy((pictures / 255 - 0.5) / 0.25).contiguous(memory_format=torch.channels_last)
    return x, torch.from_numpy(np.load(f"{folder}/{split}-labels.npy").astype("int64"))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("untrained")
    parser.add_argument("pictures")
    parser.add_argument("trained")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rate", type=float, default=0.05)
    parser.add_argument("--decay", type=float, default=1e-3)
    parser.add_argument("--slimming", type=float, default=1e-3)
    parser.add_argument("--judge", help="also score this split of PICTURES after training")
    args = parser.parse_args()

    torch.set_num_threads(2)
    torch.manual_seed(args.seed)
    model = onnx.load(args.untrained)
    network = Interpreter(model)
    x, y = read(args.pictures, "train")

    plain = {name for name in network.parameters if "depthwise" in name or not name.endswith("weight")}
    slim = [p for name, p in network.parameters.items() if name.endswith("scale") and "depthwise" not in name]
    groups = [
        {"params": [p for name, p in network.parameters.items() if name not in plain], "weight_decay": args.decay},
        {"params": [p for name, p in network.parameters.items() if name in plain], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.SGD(groups, args.rate, 0.9, nesterov=True)
    steps = args.epochs * (len(x) // args.batch)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1, (step + 1) / 200) * 0.5 * (1 + np.cos(np.pi * step / steps))
    )
    started = time.time()
    for epoch in range(args.epochs):
        total = 0.0
        for batch in torch.randperm(len(x)).split(args.batch):
            if len(batch) < args.batch:
                continue
            pictures = x[batch].flip(3) if torch.rand(()) < 0.5 else x[batch]
            dx, dy = torch.randint(-3, 4, (2,)).tolist()
            loss = F.cross_entropy(network(pictures.roll((dy, dx), (2, 3)), True), y[batch])
            optimizer.zero_grad()
            (loss + args.slimming * sum(scale.abs().sum() for scale in slim)).backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        print(f"epoch {epoch + 1}: loss {total / (len(x) // args.batch):.4f}, {time.time() - started:.0f} s", flush=True)

    trained = {**network.parameters, **network.statistics}
    for tensor in model.graph.initializer:
        if tensor.name in trained:
            values = trained[tensor.name].detach().numpy()
            tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(values), tensor.name))
    onnx.save(model, args.trained)

    if args.judge:
        x, y = read(args.pictures, args.judge)
        with torch.no_grad():
            right = sum(int((network(a, False).argmax(1) == b).sum()) for a, b in zip(x.split(250), y.split(250)))
        print(f"{args.judge}: {right} of {len(x)} right")


if __name__ == "__main__":
    main()
