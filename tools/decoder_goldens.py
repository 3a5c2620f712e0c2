"""
Makes src/formats/decoder/golden/NAME/: tiny decoders of the Llama family with random weights as transformers saves them, and the logits that
transformers computes; llama.gguf is the first of them as llama.cpp's converter lays it out. With names as arguments only those are made anew.
"""

import json
import shutil
import sys
from pathlib import Path

import gguf
import numpy as np
import torch
import transformers
from transformers import LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM
from transformers import Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM

ROOT = Path(__file__).resolve().parent.parent / "src/formats/decoder/golden"
SIZES = dict(
    vocab_size=24, hidden_size=16, intermediate_size=20, num_hidden_layers=2, num_attention_heads=4,
    num_key_value_heads=2, max_position_embeddings=64, rms_norm_eps=1e-5,
)
ROPE = dict(rope_type="llama3", rope_theta=500.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=16)
LINEAR = dict(rope_type="linear", rope_theta=10000.0, factor=2.0)
YARN = dict(rope_type="yarn", rope_theta=30.0, factor=4.0, original_max_position_embeddings=16, beta_fast=4.0, beta_slow=0.5)
MODELS = {
    "llama": (LlamaForCausalLM, LlamaConfig(**SIZES, tie_word_embeddings=True)),
    "llama3": (LlamaForCausalLM, LlamaConfig(**{**SIZES, "num_key_value_heads": 1}, rope_parameters=ROPE, tie_word_embeddings=False)),
    "mistral": (MistralForCausalLM, MistralConfig(**{**SIZES, "num_key_value_heads": 4}, head_dim=6, sliding_window=None, rope_parameters=LINEAR)),
    "qwen2": (Qwen2ForCausalLM, Qwen2Config(**SIZES, tie_word_embeddings=True)),
    "qwen3": (Qwen3ForCausalLM, Qwen3Config(**SIZES, head_dim=4)),
    "yarn": (LlamaForCausalLM, LlamaConfig(**{**SIZES, "hidden_size": 8, "num_attention_heads": 1, "num_key_value_heads": 1}, rope_parameters=YARN, tie_word_embeddings=True)),
    "window": (MistralForCausalLM, MistralConfig(**{**SIZES, "hidden_size": 8}, sliding_window=3, tie_word_embeddings=True)),
    "windows": (Qwen2ForCausalLM, Qwen2Config(**{**SIZES, "hidden_size": 8}, use_sliding_window=True, sliding_window=2, max_window_layers=1, tie_word_embeddings=True)),
}
IDS = [[3, 1, 4, 1, 5, 9, 2, 6], [0, 0, 7, 1, 8, 2, 8, 23]]
MASK = [[1] * 8, [0, 0, 1, 1, 1, 1, 1, 1]]


def randomised(model):
    # Initial values are small and norms are ones: every part has to count.
    for name, parameter in model.named_parameters():
        scale = 0.3 if parameter.ndim > 1 else 0.2
        parameter.data = torch.randn(parameter.shape) * scale + (1 if "norm" in name else 0)
    return model


def write_gguf(path, model):
    config = model.config
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(config.num_hidden_layers)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config.num_hidden_layers)
    for name, value in model.state_dict().items():
        if name == "lm_head.weight":
            continue
        array = value.numpy()
        for part, heads in (("q_proj", config.num_attention_heads), ("k_proj", config.num_key_value_heads)):
            if part in name:
                array = array.reshape(heads, 2, array.shape[0] // heads // 2, *array.shape[1:]).swapaxes(1, 2).reshape(array.shape)
        writer.add_tensor(names.get_name(name, try_suffixes=(".weight",)), np.ascontiguousarray(array))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    torch.manual_seed(7)
    only = sys.argv[1:] or list(MODELS)
    for name, (kind, config) in MODELS.items():
        if name not in only:
            continue
        shutil.rmtree(ROOT / name, ignore_errors=True)
        model = randomised(kind(config).eval())
        if name == "llama3":
            model = model.to(torch.bfloat16)
        elif name == "qwen2":
            model = model.to(torch.float16)
        model.save_pretrained(ROOT / name, max_shard_size="4KB" if name == "mistral" else "5GB")
        (ROOT / name / "generation_config.json").unlink(missing_ok=True)
        model = kind.from_pretrained(ROOT / name, dtype=torch.float32).eval()
        if name == "llama":
            write_gguf(ROOT / "llama.gguf", model)
        with torch.no_grad():
            ids, mask = torch.tensor(IDS), torch.tensor(MASK)
            positions = (mask.cumsum(-1) - 1).clamp(min=0)
            logits = model(input_ids=ids, attention_mask=mask, position_ids=positions).logits
        golden = {
            "maker": f"transformers {transformers.__version__}, PyTorch {torch.__version__}",
            "ids": IDS, "mask": MASK, "positions": positions.tolist(),
            "logits": [float(f"{v:.7g}") for v in logits.flatten()],
        }
        (ROOT / name / "logits.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")
