"""Exports architectures with random weights by torch.export, with one input and PyTorch's outputs, for bench/pytorch.mjs.

Run: python tools/pytorch_architectures.py FOLDER [SECONDS]; what does not fit into SECONDS (default: no limit) is left out and named.
"""
import sys, time, warnings
from pathlib import Path

import numpy as np
import torch
import torchvision.models as tv

warnings.filterwarnings("ignore")
image = lambda size=64: (torch.randn(1, 3, size, size),)
vision = {name: (lambda name=name: getattr(tv, name)(weights=None), image) for name in
          "mobilenet_v2 mobilenet_v3_small shufflenet_v2_x0_5 squeezenet1_1 mnasnet0_5 efficientnet_b0 regnet_y_400mf resnet18 densenet121 mobilenet_v3_large regnet_x_400mf squeezenet1_0 shufflenet_v2_x1_0 mnasnet1_0".split()}
vision["lraspp_mobilenet_v3_large"] = (lambda: tv.segmentation.lraspp_mobilenet_v3_large(weights=None, weights_backbone=None), image)


def hugging_face():
    import transformers as t
    small = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64, vocab_size=99)
    ids = lambda: (torch.randint(0, 99, (1, 7)),)
    made = {
        "bert": (lambda: t.BertModel(t.BertConfig(**small)), ids),
        "roberta": (lambda: t.RobertaModel(t.RobertaConfig(**small)), ids),
        "distilbert": (lambda: t.DistilBertModel(t.DistilBertConfig(dim=32, n_layers=2, n_heads=4, hidden_dim=64, vocab_size=99)), ids),
        "electra": (lambda: t.ElectraModel(t.ElectraConfig(**small)), ids),
        "gpt2": (lambda: t.GPT2Model(t.GPT2Config(n_embd=32, n_layer=2, n_head=4, vocab_size=99, use_cache=False)), ids),
        "llama": (lambda: t.LlamaForCausalLM(t.LlamaConfig(**small, use_cache=False)), ids),
        "qwen2": (lambda: t.Qwen2ForCausalLM(t.Qwen2Config(**small, num_key_value_heads=2, use_cache=False)), ids),
        "vit": (lambda: t.ViTModel(t.ViTConfig(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64, image_size=64)), image),
    }
    return made


def main():
    folder, seconds = Path(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else float("inf")
    folder.mkdir(parents=True, exist_ok=True)
    start = time.time()
    cases = {**hugging_face(), **vision}
    for name, (make, inputs) in cases.items():
        if time.time() - start > seconds:
            print("left out", name)
            continue
        torch.manual_seed(0)
        try:
            model, args = make().eval(), inputs()
            with torch.no_grad():
                outputs = [v for v in torch.utils._pytree.tree_leaves(model(*args)) if isinstance(v, torch.Tensor)]
                program = torch.export.export(model, args)
            torch.export.save(program, folder / f"{name}.pt2")
            arrays = {f"in{i}": v.numpy() for i, v in enumerate(args)} | {f"out{i}": v.numpy() for i, v in enumerate(outputs)}
            np.savez(folder / f"{name}.npz", **arrays)
        except Exception as error:
            print("not exported", name, str(error).splitlines()[0][:120])


if __name__ == "__main__":
    main()
