"""Writes a checkpoint of llama2.c (stories260K.bin) as GGUF: python bench/peers/llama2c_to_gguf.py stories260K.bin OUT.gguf"""

import struct
import sys

import gguf
import numpy as np

path, out = sys.argv[1:3]
data = open(path, "rb").read()
dim, hidden, layers, heads, kv, vocab, length = struct.unpack("<7i", data[:28])
at = 28


def take(*shape):
    global at
    count = int(np.prod(shape))
    array = np.frombuffer(data, "<f4", count, at).reshape(shape)
    at += 4 * count
    return array


vocab, tied, wide = abs(vocab), vocab > 0, kv * dim // heads
parts = {"token_embd": take(vocab, dim), "attn_norm": take(layers, dim), "attn_q": take(layers, dim, dim)}
parts |= {"attn_k": take(layers, wide, dim), "attn_v": take(layers, wide, dim), "attn_output": take(layers, dim, dim)}
parts |= {"ffn_norm": take(layers, dim), "ffn_gate": take(layers, hidden, dim), "ffn_down": take(layers, dim, hidden)}
parts |= {"ffn_up": take(layers, hidden, dim), "output_norm": take(dim)}
writer = gguf.GGUFWriter(out, "llama")
writer.add_block_count(layers)
writer.add_embedding_length(dim)
writer.add_feed_forward_length(hidden)
writer.add_head_count(heads)
writer.add_head_count_kv(kv)
writer.add_layer_norm_rms_eps(1e-5)
writer.add_rope_freq_base(10000.0)
for name, array in parts.items():
    # llama2.c rotates pairs that lie next to each other, as GGUF has them.
    if name in ("token_embd", "output_norm"):
        writer.add_tensor(f"{name}.weight", array)
    else:
        for i in range(layers):
            writer.add_tensor(f"blk.{i}.{name}.weight", array[i])
if not tied:
    at += 4 * 2 * length * (dim // heads // 2)
    writer.add_tensor("output.weight", take(vocab, dim))
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
