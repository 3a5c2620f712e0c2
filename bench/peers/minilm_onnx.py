"""Exports all-MiniLM-L6-v2 (a folder of Hugging Face) to ONNX: python bench/peers/minilm_onnx.py FOLDER OUT.onnx"""

import sys

import torch
from transformers import BertModel

folder, out = sys.argv[1:3]
model = BertModel.from_pretrained(folder, attn_implementation="eager", add_pooling_layer=False).eval()


class Encoder(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.bert = model

    def forward(self, input_ids, attention_mask, token_type_ids):
        return self.bert(input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids).last_hidden_state


ids = torch.randint(1000, 20000, (2, 9))
feeds = (ids, torch.ones_like(ids), torch.zeros_like(ids))
names = ["input_ids", "attention_mask", "token_type_ids"]
batch, length = torch.export.Dim("batch_size"), torch.export.Dim("sequence_length")
torch.onnx.export(
    Encoder(), feeds, out, input_names=names, output_names=["last_hidden_state"], dynamo=True, opset_version=18,
    dynamic_shapes={name: {0: batch, 1: length} for name in names}, external_data=False,
)
