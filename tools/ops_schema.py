"""Writes src/ops/schema.generated.ts: what the ONNX and ONNX Runtime packages say about their operators.

    pip install onnx onnxruntime numpy
    python tools/ops_schema.py > src/ops/schema.generated.ts

Facts are those of opset NEWEST; an attribute that a version between OLDEST and NEWEST had differently carries
`since`, `until` (both inclusive) or `was`. What ONNX's schemas cannot tell (data movement, cost, roles) is written by
hand in the family files beside the generated one.
"""
import json

import numpy as np
import onnx
from onnx import defs, helper
from onnxruntime import __version__ as runtime_version
from onnxruntime.capi import onnxruntime_pybind11_state as runtime

OLDEST, NEWEST = 7, 26

# What exporters and ONNX Runtime's own optimizer write; everything else of the domain stays opaque.
CONTRIB = """
Attention BiasAdd BiasDropout BiasGelu BiasSoftmax BiasSplitGelu BitmaskBiasDropout BitmaskDropout CDist ComplexMul
ComplexMulConj ConvTransposeWithDynamicPads CropAndResize DecoderMaskedMultiHeadAttention DequantizeLinear
DynamicQuantizeLSTM DynamicQuantizeMatMul EmbedLayerNormalization ExpandDims FastGelu FusedConv FusedGemm FusedMatMul
FusedMatMulActivation GatedRelativePositionBias GatherBlockQuantized GatherND Gelu GemmFastGelu GemmaRotaryEmbedding
GridSample GroupNorm GroupQueryAttention Inverse Irfft IsAllFinite LongformerAttention MatMulBnb4 MatMulFpQ4
MatMulInteger16 MatMulIntegerToFloat MatMulNBits MaxpoolWithMask MoE MulInteger MultiHeadAttention MurmurHash3
NGramRepeatBlock NhwcConv NhwcFusedConv NhwcMaxPool PackedAttention PackedMultiHeadAttention PagedAttention Pad
QAttention QEmbedLayerNormalization QGemm QLinearAdd QLinearAveragePool QLinearConcat QLinearConv
QLinearGlobalAveragePool QLinearLeakyRelu QLinearMul QLinearReduceMean QLinearSigmoid QLinearSoftmax QLinearWhere QMoE
QuantizeLinear QuickGelu Range ReduceSumInteger RelativePositionBias RemovePadding RestorePadding Rfft RotaryEmbedding
SkipGroupNorm SkipLayerNormalization SkipSimplifiedLayerNormalization SparseAttention SparseToDenseMatMul Tokenizer
TorchEmbedding TransposeMatMul Trilu UnfoldTensor Unique
""".split()

# ONNX Runtime registers these in the standard domain although ONNX does not have them.
RUNTIME_ONLY = ["SimplifiedLayerNormalization"]

KINDS = {"FLOAT": "float", "INT": "int", "STRING": "string", "TENSOR": "tensor", "GRAPH": "graph",
         "TYPE_PROTO": "type", "FLOATS": "floats", "INTS": "ints", "STRINGS": "strings", "TENSORS": "tensors",
         "GRAPHS": "graphs", "SPARSE_TENSOR": "sparse"}


def plain(value):
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, float):
        return float(str(np.float32(value)))
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return value


def attribute_facts(attribute):
    facts = {"type": KINDS[str(attribute.type).split(".")[-1]]}
    if attribute.required:
        facts["required"] = True
    default = getattr(attribute, "default_value", None)
    if default is None and getattr(attribute, "_default_value", b""):
        default = onnx.AttributeProto.FromString(attribute._default_value)
    if default is not None and default.type:
        facts["default"] = plain(helper.get_attribute_value(default))
    return facts


def port_name(port):
    option = str(port.option).split(".")[-1]
    return port.name + {"Optional": "?", "Variadic": "*"}.get(option, "")


def operator(schemas):
    schemas = sorted(schemas, key=lambda s: s.since_version)
    last = schemas[-1]
    old = [s for s in schemas if s.since_version <= OLDEST]
    live = old[-1:] + [s for s in schemas if s.since_version > OLDEST]
    ends = [s.since_version - 1 for s in live[1:]] + [NEWEST]
    attributes = {}
    for name in sorted({n for s in live for n in s.attributes}):
        spans = [(s.since_version, end, attribute_facts(s.attributes[name]))
                 for s, end in zip(live, ends) if name in s.attributes]
        facts = dict(spans[-1][2])
        if spans[0][0] != live[0].since_version:
            facts["since"] = spans[0][0]
        if spans[-1][1] != NEWEST:
            facts["until"] = spans[-1][1]
        was = []
        for _, end, before in spans[:-1]:
            if before != spans[-1][2]:
                if was and {k: v for k, v in was[-1].items() if k != "until"} == before:
                    was.pop()
                was.append({"until": end, **before})
        if was:
            facts["was"] = was
        attributes[name] = facts
    row = {"versions": [s.since_version for s in schemas], "inputs": [port_name(p) for p in last.inputs],
           "outputs": [port_name(p) for p in last.outputs], "attributes": attributes}
    was = signatures_before(schemas)
    if was:
        row["was"] = was
    if last.deprecated:
        row["deprecated"] = last.since_version
        alive = [s for s in schemas if not s.deprecated]
        if alive and not row["inputs"]:
            row["inputs"] = [port_name(p) for p in alive[-1].inputs]
            row["outputs"] = [port_name(p) for p in alive[-1].outputs]
    return row


def kinds(ports):
    return [str(port.option).split(".")[-1] for port in ports]


def signatures_before(schemas):
    """Older signatures that counted their inputs or outputs differently, each up to and including its `until`."""
    alive = [s for s in schemas if not s.deprecated]
    was = []
    for schema, later in zip(alive, alive[1:]):
        if kinds(schema.inputs) == kinds(later.inputs) and kinds(schema.outputs) == kinds(later.outputs):
            continue
        was.append({"until": later.since_version - 1, "inputs": [port_name(p) for p in schema.inputs],
                    "outputs": [port_name(p) for p in schema.outputs]})
    return was


def write(name, type_name, table):
    print(f"const {name} = {{")
    for key, row in sorted(table.items()):
        print(f"  {json.dumps(key)}: {json.dumps(row, ensure_ascii=False)},")
    print("} as const satisfies Record<string, OpSchema>;")
    print(f"export type {type_name} = keyof typeof {name};")


def group(schemas):
    table = {}
    for schema in schemas:
        table.setdefault(schema.name, []).append(schema)
    return {name: operator(found) for name, found in table.items()}


standard = group(s for s in defs.get_all_schemas_with_history() if s.domain == "" and s.since_version <= NEWEST)
all_of_runtime = runtime.get_all_operator_schema()
standard.update(group(s for s in all_of_runtime if s.domain == "" and s.name in RUNTIME_ONLY))
contrib = group(s for s in all_of_runtime if s.domain == "com.microsoft" and s.name in CONTRIB)
assert sorted(contrib) == sorted(CONTRIB), set(CONTRIB) - set(contrib)
# ONNX marks a whole operator as deprecated; GroupNormalization-18 was replaced by its version 21.
standard["GroupNormalization"].pop("deprecated", None)

print(f"/** Written by tools/ops_schema.py from onnx {onnx.__version__} (opsets {OLDEST} to {NEWEST}) and onnxruntime"
      f" {runtime_version}. Do not edit. */")
print('import type { OpSchema } from "./row.ts";\n')
write("standard", "StandardOp", standard)
print()
write("contrib", "ContribOp", {f"com.microsoft.{name}": row for name, row in contrib.items()})
print("\nexport const standardSchemas: Readonly<Record<StandardOp, OpSchema>> = standard;")
print("export const contribSchemas: Readonly<Record<ContribOp, OpSchema>> = contrib;")
