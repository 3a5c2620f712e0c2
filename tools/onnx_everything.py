"""Makes src/formats/onnx/everything.onnx.txt: one model, in base64, that uses every part of the ONNX file format.

Run: python tools/onnx_everything.py (needs the onnx and numpy packages). The reader's tests compare what they find
with the values written here.
"""
import base64
import textwrap
from pathlib import Path

import numpy as np
import onnx
from onnx import AttributeProto, TensorProto, helper

T = TensorProto


def typed(name, dtype, field, entries, dims):
    tensor = T(name=name, data_type=dtype, dims=dims)
    getattr(tensor, field).extend(entries)
    return tensor


def pack(values, bits):
    per = 8 // bits
    mask = (1 << bits) - 1
    out = []
    for i in range(0, len(values), per):
        byte = 0
        for k, v in enumerate(values[i : i + per]):
            byte |= (v & mask) << (bits * k)
        out.append(byte)
    return out


half = [int(v) for v in np.array([0, 1, -2, 0.5], np.float16).view(np.uint16)]
bfloat = [int(v >> 16) for v in np.array([0, 1, -2, 0.5], np.float32).view(np.uint32)]
tensors = [
    typed("float32", T.FLOAT, "float_data", [0, 1, 2, 3], [2, 2]),
    typed("uint8", T.UINT8, "int32_data", [0, 1, 2, 255], [4]),
    typed("int8", T.INT8, "int32_data", [-2, -1, 0, 1], [4]),
    typed("uint16", T.UINT16, "int32_data", [0, 1, 2, 65535], [4]),
    typed("int16", T.INT16, "int32_data", [-2, -1, 0, -32768], [4]),
    typed("int32", T.INT32, "int32_data", [-2, -1, 0, 2**31 - 1], [4]),
    typed("int64", T.INT64, "int64_data", [-2, -1, 2**53 + 1, -(2**63)], [4]),
    typed("bool", T.BOOL, "int32_data", [0, 1, 1, 0], [4]),
    typed("float16", T.FLOAT16, "int32_data", half, [4]),
    typed("bfloat16", T.BFLOAT16, "int32_data", bfloat, [4]),
    typed("float64", T.DOUBLE, "double_data", [0, 1, 2, 1e300], [4]),
    typed("uint32", T.UINT32, "uint64_data", [0, 1, 2, 2**32 - 1], [4]),
    typed("uint64", T.UINT64, "uint64_data", [0, 1, 2, 2**64 - 1], [4]),
    typed("complex64", T.COMPLEX64, "float_data", [0, 1, 2, 3], [2]),
    typed("complex128", T.COMPLEX128, "double_data", [0, 1, 2, 3], [2]),
    typed("float8e4m3fn", T.FLOAT8E4M3FN, "int32_data", [0, 0x38, 0xB8, 0x7F], [4]),
    typed("float8e4m3fnuz", T.FLOAT8E4M3FNUZ, "int32_data", [0, 0x38, 0xB8, 0x80], [4]),
    typed("float8e5m2", T.FLOAT8E5M2, "int32_data", [0, 0x3C, 0xBC, 0x7F], [4]),
    typed("float8e5m2fnuz", T.FLOAT8E5M2FNUZ, "int32_data", [0, 0x3C, 0xBC, 0x80], [4]),
    typed("float8e8m0", T.FLOAT8E8M0, "int32_data", [0, 127, 128, 255], [4]),
    typed("uint4", T.UINT4, "int32_data", pack([0, 1, 15], 4), [3]),
    typed("int4", T.INT4, "int32_data", pack([-2, -1, 7], 4), [3]),
    typed("float4e2m1", T.FLOAT4E2M1, "int32_data", pack([0, 2, 15], 4), [3]),
    typed("uint2", T.UINT2, "int32_data", pack([0, 1, 2, 3, 1], 2), [5]),
    typed("int2", T.INT2, "int32_data", pack([-2, -1, 0, 1, -1], 2), [5]),
    typed("string", T.STRING, "string_data", [b"", "naïve".encode(), b"\xff\xfe"], [3]),
    typed("empty", T.FLOAT, "float_data", [], [0, 3]),
]
raw = helper.make_tensor("raw", T.FLOAT, [3], np.array([1, 2, 3], np.float32).tobytes(), raw=True)
raw.doc_string = "a note on a tensor"
raw.metadata_props.add(key="tensor", value="metadata")
tensors.append(raw)

sparse = helper.make_sparse_tensor(
    helper.make_tensor("sparse", T.FLOAT, [2], [1.0, 2.0]), helper.make_tensor("sparse_i", T.INT64, [2], [1, 3]), [5]
)


def info(name, dtype=T.FLOAT, shape=("batch", 3, None)):
    return helper.make_tensor_value_info(name, dtype, shape)


def branch(name, op):
    # Both branches use the same names, capture x of the main graph, and have an initializer of their own.
    c = helper.make_tensor("c", T.FLOAT, [], [2.0])
    node = helper.make_node(op, ["x", "c"], ["branch_out"], name="same")
    return helper.make_graph([node], name, [], [info("branch_out")], [c])


every = helper.make_node("Everything", ["x", "", "raw"], ["e", ""], name="every", domain="test.custom", overload="v2")
every.doc_string = "a note on a node"
every.metadata_props.add(key="node", value="metadata")
every.device_configurations.add(configuration_id="cpu")


def attribute(name, value, **more):
    every.attribute.append(helper.make_attribute(name, value, **more))
    return every.attribute[-1]


attribute("f", 0.1).doc_string = "a note on an attribute"
attribute("i", -(2**63))
attribute("s", "text")
attribute("s_bytes", b"\xff\x00")
attribute("t", raw)
attribute("tp", helper.make_tensor_type_proto(T.INT64, ["n"]))
attribute("floats", [0.5, float("inf"), float("-inf")])
attribute("ints", [1, -1, 2**53 + 1])
attribute("strings", ["a", b"\xff"])
attribute("tensors", [raw, tensors[0]])
attribute("tps", [helper.make_tensor_type_proto(T.INT64, ["n"]), helper.make_tensor_type_proto(T.FLOAT, None)])
attribute("sparse", sparse)
attribute("sparses", [sparse, sparse])
attribute("g", branch("body", "Add"))
attribute("gs", [branch("body_a", "Add"), branch("body_b", "Mul")])
every.attribute.append(helper.make_attribute("no_ints", [], attr_type=AttributeProto.INTS))

sequence = helper.make_sequence_type_proto(helper.make_tensor_type_proto(T.FLOAT, None))
optional = helper.make_optional_type_proto(sequence)
map_type = helper.make_map_type_proto(T.INT64, helper.make_tensor_type_proto(T.FLOAT, [1]))
inputs = [
    info("x"),
    info("cond", T.BOOL, []),
    info("raw", T.FLOAT, [3]),
    helper.make_value_info("seq", sequence),
    helper.make_value_info("opt", optional),
    helper.make_value_info("map", map_type),
    helper.make_value_info("sp", helper.make_sparse_tensor_type_proto(T.FLOAT, [5])),
]
inputs[0].type.tensor_type.shape.dim[0].denotation = "DATA_BATCH"
inputs[0].type.denotation = "IMAGE"
inputs[0].doc_string = "a note on an input"
inputs[0].metadata_props.add(key="input", value="metadata")
opaque = onnx.ValueInfoProto(name="opaque")
opaque.type.opaque_type.domain = "test.custom"
opaque.type.opaque_type.name = "Thing"
inputs.append(opaque)

nodes = [
    every,
    helper.make_node(
        "If", ["cond"], ["if_out"], then_branch=branch("then", "Add"), else_branch=branch("else", "Mul"), name="choose"
    ),
    helper.make_node("Scaled", ["if_out"], ["y"], domain="test.custom", alpha=2.0),
    helper.make_node("Add", ["sparse", "sparse"], ["z"]),
    helper.make_node("Identity", ["x"], ["described"]),
]
outputs = [info("y"), info("z", T.FLOAT, [5]), info("x"), info("y")]
described = info("described")
described.doc_string = "a note on a value"
graph = helper.make_graph(
    nodes, "main", inputs, outputs, tensors, "a note on a graph", [described, info("long gone")], [sparse]
)
graph.metadata_props.add(key="graph", value="metadata")
graph.quantization_annotation.add(tensor_name="x").quant_parameter_tensor_names.add(key="SCALE_TENSOR", value="raw")

reference = helper.make_node("Constant", [], ["alpha_value"])
ref = reference.attribute.add(name="value_float", type=AttributeProto.FLOAT)
ref.ref_attr_name = "alpha"
function = helper.make_function(
    "test.custom",
    "Scaled",
    ["a"],
    ["b"],
    [reference, helper.make_node("Mul", ["a", "alpha_value"], ["b"])],
    [helper.make_opsetid("", 21)],
    attributes=["beta"],
    attribute_protos=[helper.make_attribute("alpha", 1.0)],
    doc_string="a note on a function",
    value_info=[info("alpha_value", T.FLOAT, [])],
)
function.metadata_props.add(key="function", value="metadata")

model = helper.make_model(
    graph,
    functions=[function],
    opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid("test.custom", 1)],
    ir_version=11,
    producer_name="producer",
    producer_version="1.2.3",
    domain="test.domain",
    model_version=2**60 + 1,
    doc_string="a note on a model",
)
model.metadata_props.add(key="model", value="metadata")
training = model.training_info.add()
training.update_binding.add(key="raw", value="y")
model.configuration.add(name="cpu", num_devices=1)

path = Path(__file__).parent.parent / "src/formats/onnx/everything.onnx.txt"
text = base64.b64encode(model.SerializeToString()).decode()
path.write_text("\n".join(textwrap.wrap(text, 120)) + "\n")
