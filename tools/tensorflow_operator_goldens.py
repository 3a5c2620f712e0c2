"""Makes src/formats/tensorflow/golden/operators.json: small graphs of single TensorFlow operators, and a few with functions, in the JSON
form of their messages, with inputs (short decimals of a seed) and what TensorFlow computes."""

import json
import os
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
import numpy as np
import tensorflow as tf
from google.protobuf import json_format

ROOT = Path(__file__).resolve().parent.parent
rng = np.random.default_rng(16)
CASES = []


def f(*shape, low=-2.0, high=2.0):
    """Floats with two decimals."""
    return np.round(rng.uniform(low, high, shape), 2).astype(np.float32)


def i32(*values):
    return np.array(values, np.int32)


def listed(array):
    array = np.asarray(array)
    if array.dtype == bool:
        return [int(v) for v in array.ravel()]
    if array.dtype.kind in "iu":
        return [int(v) for v in array.ravel()]
    return [float(f"{v:.7g}") if np.isfinite(v) else {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(v)] for v in array.ravel().astype(np.float64)]


def tensor(array):
    array = np.asarray(array)
    return {"dtype": array.dtype.name, "shape": list(array.shape), "values": listed(array)}


# Attributes that no reader needs: types that follow from inputs, and hints for the executor.
SILENT = {"T", "Tidx", "Tshape", "Tperm", "Tpaddings", "Index", "Tdim", "Tindices", "Taxis", "Tmultiples", "Tlen", "N", "num_args", "TArgs"}
SILENT |= {"container", "output_shapes", "parallel_iterations", "shape_type", "Tin", "Tout", "config", "config_proto", "executor_type"}


def stripped(graph_def):
    """The graph as JSON without what says nothing."""
    as_json = json_format.MessageToDict(graph_def)

    def clean(nodes):
        for node in nodes:
            node.pop("experimentalDebugInfo", None)
            node.pop("device", None)
            for key in [k for k in node.get("attr", {}) if k.startswith("_") or k in SILENT]:
                del node["attr"][key]
        return nodes

    made = {"node": clean(as_json.get("node", []))}
    functions = as_json.get("library", {}).get("function", [])
    if functions:
        keep = ("signature", "nodeDef", "ret", "controlRet")
        made["library"] = {"function": [{k: v for k, v in fn.items() if k in keep} for fn in functions]}
        for fn in made["library"]["function"]:
            clean(fn.get("nodeDef", []))
            fn["signature"] = {
                "name": fn["signature"]["name"],
                "inputArg": [{"name": a["name"]} for a in fn["signature"].get("inputArg", [])],
                "outputArg": [{"name": a["name"]} for a in fn["signature"].get("outputArg", [])],
            }
    return made


def add(op, note, inputs, build):
    """`build` gets placeholders and returns a tensor, or several."""
    with tf.Graph().as_default() as graph:
        holders = {k: tf.compat.v1.placeholder(v.dtype, v.shape, name=k) for k, v in inputs.items()}
        made = build(**holders)
        outputs = [t for t in tf.nest.flatten(made) if isinstance(t, tf.Tensor)]
        with tf.compat.v1.Session(graph=graph) as session:
            got = session.run(outputs, {holders[k]: v for k, v in inputs.items()})
        CASES.append(
            {
                "op": op,
                "note": note,
                "graph": stripped(graph.as_graph_def()),
                "inputs": {k: tensor(v) for k, v in inputs.items()},
                "outputs": [{"from": t.name, **tensor(v)} for t, v in zip(outputs, got)],
            }
        )


def raw(op, note="", /, *, inputs=None, **args):
    """One raw operator: `inputs` are placeholders, arrays among `args` are constants."""
    inputs = inputs or {}
    fixed = {k: tf_constant(v) for k, v in args.items()}

    def build(**holders):
        given = {k: v() if callable(v) else v for k, v in fixed.items()}
        return getattr(tf.raw_ops, op)(**holders, **given)

    add(op, note, inputs, build)


def tf_constant(value):
    if isinstance(value, np.ndarray):
        return lambda: tf.constant(value)
    if isinstance(value, list) and value and isinstance(value[0], np.ndarray):
        return lambda: [tf.constant(v) for v in value]
    return value


def elementwise():
    both = f(2, 3, 4)
    for op in ["Abs", "Neg", "Exp", "Floor", "Ceil", "Round", "Rint", "Sign", "Sin", "Cos", "Tan", "Atan", "Sinh", "Cosh", "Asinh"]:
        raw(op, inputs={"x": both})
    for op in ["Tanh", "Sigmoid", "Erf", "Erfc", "Square", "Expm1", "Reciprocal", "Inv"]:
        raw(op, inputs={"x": both})
    raw("Round", "halves", inputs={"x": np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5], np.float32)})
    for op in ["Softplus", "Softsign", "Relu", "Relu6", "Elu", "Selu"]:
        raw(op, inputs={"features": both * 4})
    for op in ["Log", "Log1p", "Sqrt", "Rsqrt"]:
        raw(op, inputs={"x": f(3, 5, low=0.1, high=9)})
    for op in ["Asin", "Acos", "Atanh"]:
        raw(op, inputs={"x": f(3, 4, low=-0.95, high=0.95)})
    raw("Acosh", inputs={"x": f(3, 4, low=1.05, high=5)})
    raw("LeakyRelu", inputs={"features": both}, alpha=0.3)
    odd = np.array([1, -2, np.inf, -np.inf, np.nan, 0], np.float32)
    for op in ["IsNan", "IsInf", "IsFinite"]:
        raw(op, inputs={"x": odd})
    raw("LogicalNot", inputs={"x": np.array([True, False, True])})
    shapes = [((2, 3, 4), (2, 3, 4)), ((2, 3, 4), (4,)), ((3, 1), (2, 1, 4)), ((), (2, 2))]
    for op in ["Add", "AddV2", "Sub", "Mul", "RealDiv", "Div", "Maximum", "Minimum", "SquaredDifference", "FloorDiv", "FloorMod", "Atan2"]:
        a, b = ("y", "x") if op == "Atan2" else ("x", "y")
        for left, right in shapes if op in ("AddV2", "Sub") else shapes[1:3]:
            low = 0.3 if "Div" in op or "Mod" in op else -2
            raw(op, f"{left} {right}", inputs={a: f(*left), b: f(*right, low=low)})
    raw("Atan2", "axes", inputs={"y": np.array([0, 1, -1, 1, -1, 1], np.float32), "x": np.array([1, 0, 0, -1, -1, 1], np.float32)})
    for op in ["AddV2", "Sub", "Mul", "FloorDiv", "FloorMod", "TruncateDiv", "TruncateMod", "Maximum", "Minimum"]:
        raw(op, "int32", inputs={"x": i32(7, -7, 7, -7, 6, 0), "y": i32(2, 2, -2, -2, 3, 5)})
    raw("Mod", "int32", inputs={"x": i32(7, -7, 7, -7), "y": i32(2, 2, -2, -2)})
    raw("Pow", inputs={"x": f(2, 3, low=0.2), "y": f(3)})
    zeros = np.array([0, 1.5, 0, -2], np.float32)
    raw("DivNoNan", inputs={"x": f(4), "y": zeros})
    raw("MulNoNan", inputs={"x": np.array([np.inf, 1, np.nan, 2], np.float32), "y": zeros})
    raw("Xdivy", inputs={"x": zeros, "y": np.array([0, 2, 3, 0.5], np.float32)})
    raw("Xlogy", inputs={"x": zeros, "y": np.array([0, 2, 3, 0.5], np.float32)})
    same = np.round(f(2, 4)), np.round(f(4))
    for op in ["Equal", "NotEqual", "Greater", "GreaterEqual", "Less", "LessEqual"]:
        raw(op, inputs={"x": same[0], "y": same[1]})
        raw(op, "int32", inputs={"x": i32(1, 2, 3), "y": i32(3, 2, 1)})
    for op in ["LogicalAnd", "LogicalOr"]:
        raw(op, inputs={"x": np.array([[True], [False]]), "y": np.array([True, False])})
    for op in ["BitwiseAnd", "BitwiseOr", "BitwiseXor"]:
        raw(op, inputs={"x": i32(12, 10, -1), "y": i32(10, 6, 3)})
    raw("Invert", inputs={"x": i32(12, 0, -1)})
    add("AddN", "", {"a": f(2, 3), "b": f(2, 3), "c": f(2, 3)}, lambda a, b, c: tf.raw_ops.AddN(inputs=[a, b, c]))
    raw("BiasAdd", inputs={"value": f(2, 3, 3, 4)}, bias=f(4))
    raw("BiasAdd", "NCHW", inputs={"value": f(2, 4, 3, 3)}, bias=f(4), data_format="NCHW")
    raw("ClipByValue", inputs={"t": both}, clip_value_min=np.float32(-0.5) * np.ones((), np.float32), clip_value_max=np.ones((), np.float32))
    raw("SelectV2", inputs={"condition": np.array([[True], [False]]), "t": f(2, 3), "e": f(3)})
    raw("Select", "rows", inputs={"condition": np.array([True, False]), "x": f(2, 3), "y": f(2, 3)})
    raw("Select", inputs={"condition": np.array([[True, False]]), "x": f(1, 2), "y": f(1, 2)})
    raw("ZerosLike", inputs={"x": both})
    raw("OnesLike", inputs={"x": both})
    raw("Cast", "to int", inputs={"x": both * 3}, DstT=tf.int32)
    raw("Cast", "to float", inputs={"x": i32(1, -2, 3)}, DstT=tf.float32)
    raw("Cast", "to bool", inputs={"x": i32(0, -2, 3)}, DstT=tf.bool)
    raw("Cast", "from bool", inputs={"x": np.array([True, False])}, DstT=tf.int64)


def layers():
    windows = [
        ((1, 6, 5, 2), (3, 3, 2, 3), [1, 1, 1, 1], "SAME", [1, 1, 1, 1]),
        ((2, 7, 6, 2), (3, 2, 2, 4), [1, 2, 2, 1], "SAME", [1, 1, 1, 1]),
        ((1, 7, 7, 2), (2, 3, 2, 3), [1, 2, 1, 1], "VALID", [1, 1, 1, 1]),
        ((1, 7, 7, 2), (3, 3, 2, 2), [1, 1, 1, 1], "SAME", [1, 2, 2, 1]),
        ((1, 6, 6, 4), (3, 3, 2, 4), [1, 1, 1, 1], "SAME", [1, 1, 1, 1]),
    ]
    for shape, kernel, strides, padding, dilations in windows:
        raw("Conv2D", f"{shape} {kernel} {strides} {padding} {dilations}", inputs={"input": f(*shape)}, filter=f(*kernel), strides=strides, padding=padding, dilations=dilations)
    raw("Conv2D", "explicit", inputs={"input": f(1, 5, 5, 2)}, filter=f(3, 3, 2, 2), strides=[1, 2, 2, 1], padding="EXPLICIT", explicit_paddings=[0, 0, 2, 1, 0, 1, 0, 0])
    raw("Conv3D", inputs={"input": f(1, 4, 5, 4, 2)}, filter=f(2, 3, 2, 2, 2), strides=[1, 1, 2, 1, 1], padding="SAME")
    raw("DepthwiseConv2dNative", inputs={"input": f(1, 6, 5, 3)}, filter=f(3, 3, 3, 2), strides=[1, 2, 2, 1], padding="SAME")
    raw("DepthwiseConv2dNative", "VALID", inputs={"input": f(1, 6, 5, 3)}, filter=f(2, 3, 3, 1), strides=[1, 1, 1, 1], padding="VALID")
    for size, stride, padding in [(6, 2, "SAME"), (5, 2, "SAME"), (7, 2, "VALID"), (8, 3, "SAME")]:
        k = 3
        n = -(-size // stride) if padding == "SAME" else (size - k) // stride + 1
        raw("Conv2DBackpropInput", f"{size} {stride} {padding}", inputs={"out_backprop": f(1, n, n, 2)}, input_sizes=i32(1, size, size, 3), filter=f(k, k, 3, 2), strides=[1, stride, stride, 1], padding=padding)
    raw("Conv3DBackpropInputV2", inputs={"out_backprop": f(1, 2, 3, 2, 2)}, input_sizes=i32(1, 4, 6, 4, 2), filter=f(3, 3, 2, 2, 2), strides=[1, 2, 2, 2, 1], padding="SAME")
    bias = f(3)
    for fused in (["BiasAdd"], ["BiasAdd", "Relu"], ["BiasAdd", "Relu6"], ["BiasAdd", "Elu"], ["BiasAdd", "LeakyRelu"]):
        add(
            "_FusedConv2D",
            " ".join(fused),
            {"x": f(1, 5, 5, 2)},
            lambda x, fused=fused: fused_op("_FusedConv2D", [x, tf.constant(f(3, 3, 2, 3))], [tf.constant(bias)], fused),
        )
    add("_FusedMatMul", "BiasAdd Relu", {"x": f(2, 4)}, lambda x: fused_op("_FusedMatMul", [x, tf.constant(f(4, 3))], [tf.constant(bias)], ["BiasAdd", "Relu"], conv=False))
    for op in ["MaxPool", "AvgPool"]:
        name = "input" if op == "MaxPool" else "value"
        for shape, k, s, padding in [((1, 6, 5, 2), 2, 2, "VALID"), ((1, 6, 5, 2), 3, 2, "SAME"), ((1, 5, 5, 2), 3, 1, "SAME")]:
            raw(op, f"{shape} {k} {s} {padding}", inputs={name: f(*shape)}, ksize=[1, k, k, 1], strides=[1, s, s, 1], padding=padding)
        raw(f"{op}3D", inputs={"input": f(1, 4, 4, 4, 2)}, ksize=[1, 2, 2, 2, 1], strides=[1, 2, 2, 2, 1], padding="VALID")
    raw("MaxPoolV2", inputs={"input": f(1, 6, 5, 2)}, ksize=i32(1, 2, 2, 1), strides=i32(1, 2, 2, 1), padding="SAME")
    for op in ["FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"]:
        x, scale, offset, mean, variance = f(2, 3, 3, 4), f(4), f(4), f(4), f(4, low=0.2)

        def norm(x, op=op, rest=(scale, offset, mean, variance)):
            named = dict(zip(["scale", "offset", "mean", "variance"], map(tf.constant, rest)))
            return getattr(tf.raw_ops, op)(x=x, **named, epsilon=0.01, is_training=False)[0]

        add(op, "", {"x": x}, norm)
    raw("LRN", inputs={"input": f(1, 2, 2, 7)}, depth_radius=2, bias=1.5, alpha=0.3, beta=0.6)
    raw("L2Loss", inputs={"t": f(2, 3)})
    raw("MatMul", inputs={"a": f(2, 4)}, b=f(4, 3))
    raw("MatMul", "transposed", inputs={"a": f(4, 2)}, b=f(3, 4), transpose_a=True, transpose_b=True)
    raw("BatchMatMul", inputs={"x": f(2, 3, 4), "y": f(2, 4, 2)})
    raw("BatchMatMulV2", "broadcast", inputs={"x": f(2, 1, 3, 4), "y": f(3, 2, 4)}, adj_y=True)
    raw("BatchMatMulV3", inputs={"x": f(2, 3, 4), "y": f(2, 4, 2)}, Tout=tf.float32)
    add("Einsum", "", {"a": f(2, 3, 4), "b": f(2, 4, 5)}, lambda a, b: tf.raw_ops.Einsum(inputs=[a, b], equation="bij,bjk->bki"))
    for op in ["ResizeBilinear", "ResizeNearestNeighbor", "ResizeBicubic"]:
        for corners, half in [(False, False), (True, False), (False, True)]:
            for size in [(7, 9), (3, 2)]:
                raw(op, f"{size} {corners} {half}", inputs={"images": f(1, 4, 5, 2)}, size=i32(*size), align_corners=corners, half_pixel_centers=half)
    raw("DepthToSpace", inputs={"input": f(1, 2, 3, 8)}, block_size=2)
    raw("SpaceToDepth", inputs={"input": f(1, 4, 6, 2)}, block_size=2)


def fused_op(op, inputs, args, steps, conv=True):
    """Fused operators have no function in Python: the node is made by hand."""
    graph = tf.compat.v1.get_default_graph()
    attrs = {
        "T": tf.compat.v1.AttrValue(type=1),
        "TArgs": tf.compat.v1.AttrValue(list=tf.compat.v1.AttrValue.ListValue(type=[1] * len(args))),
        "num_args": tf.compat.v1.AttrValue(i=len(args)),
        "fused_ops": tf.compat.v1.AttrValue(list=tf.compat.v1.AttrValue.ListValue(s=[s.encode() for s in steps])),
        "leakyrelu_alpha": tf.compat.v1.AttrValue(f=0.3),
    }
    if conv:
        attrs["num_host_args"] = tf.compat.v1.AttrValue(i=0)
        attrs["strides"] = tf.compat.v1.AttrValue(list=tf.compat.v1.AttrValue.ListValue(i=[1, 1, 1, 1]))
        attrs["padding"] = tf.compat.v1.AttrValue(s=b"SAME")
    made = graph.create_op(op, inputs + args, [tf.float32], attrs=attrs, name="fused")
    return made.outputs[0]


def reductions():
    for op in ["Sum", "Mean", "Max", "Min", "Prod", "EuclideanNorm"]:
        raw(op, inputs={"input": f(2, 3, 4)}, axis=i32(1))
        raw(op, "keep", inputs={"input": f(2, 3, 4)}, axis=i32(0, -1), keep_dims=True)
    raw("Mean", "image", inputs={"input": f(2, 3, 3, 4)}, axis=i32(1, 2))
    for op in ["All", "Any"]:
        raw(op, inputs={"input": np.array([[True, False], [True, True]])}, axis=i32(1))
    for op in ["Softmax", "LogSoftmax"]:
        raw(op, inputs={"logits": f(2, 5)})
        raw(op, "rank 4", inputs={"logits": f(1, 2, 2, 3)})
    raw("Cumsum", inputs={"x": f(2, 4)}, axis=np.int32(1) * np.ones((), np.int32))
    raw("Cumsum", "exclusive reverse", inputs={"x": f(2, 4)}, axis=np.zeros((), np.int32), exclusive=True, reverse=True)
    raw("MatrixBandPart", inputs={"input": f(4, 4)}, num_lower=np.ones((), np.int64), num_upper=np.full((), -1, np.int64))
    raw("MatrixBandPart", "upper", inputs={"input": f(2, 3, 5)}, num_lower=np.full((), -1, np.int64), num_upper=np.ones((), np.int64))
    raw("ArgMax", inputs={"input": f(2, 5)}, dimension=np.ones((), np.int32))
    raw("ArgMin", inputs={"input": f(2, 5, 3)}, dimension=np.ones((), np.int32), output_type=tf.int32)


def shapes():
    x = f(2, 3, 4)
    raw("Shape", inputs={"input": x})
    add("ShapeN", "", {"a": x, "b": f(5)}, lambda a, b: tf.raw_ops.ShapeN(input=[a, b]))
    raw("Rank", inputs={"input": x})
    raw("Size", inputs={"input": x})
    raw("Reshape", inputs={"tensor": x}, shape=i32(4, -1))
    raw("Reshape", "flat", inputs={"tensor": x}, shape=i32(-1))
    raw("Squeeze", inputs={"input": f(1, 3, 1, 2)}, axis=[2])
    raw("Squeeze", "all", inputs={"input": f(1, 3, 1, 2)})
    raw("ExpandDims", inputs={"input": x}, axis=np.int32(-1) * np.ones((), np.int32))
    raw("Transpose", inputs={"x": x}, perm=i32(2, 0, 1))
    add("ConcatV2", "", {"a": f(2, 3), "b": f(2, 1)}, lambda a, b: tf.concat([a, b], 1))
    add("Concat", "", {"a": f(2, 3), "b": f(1, 3)}, lambda a, b: tf.raw_ops.Concat(concat_dim=0, values=[a, b]))
    add("Pack", "", {"a": f(2, 3), "b": f(2, 3)}, lambda a, b: tf.stack([a, b], axis=1))
    add("Unpack", "", {"a": f(2, 3)}, lambda a: tf.unstack(a, axis=1))
    add("Split", "", {"a": f(2, 6)}, lambda a: tf.split(a, 3, axis=1))
    add("SplitV", "", {"a": f(2, 6)}, lambda a: tf.split(a, [1, -1, 2], axis=1))
    raw("Tile", inputs={"input": f(2, 3)}, multiples=i32(2, 3))
    raw("BroadcastTo", inputs={"input": f(3, 1)}, shape=i32(2, 3, 4))
    add("Fill", "", {"v": np.array(1.5, np.float32)}, lambda v: tf.fill([2, 3], v))
    add("Range", "", {"n": np.array(7, np.int32)}, lambda n: tf.range(1, n, 2))
    raw("Pad", inputs={"input": f(1, 3, 3, 2)}, paddings=np.array([[0, 0], [1, 2], [0, 1], [0, 0]], np.int32))
    raw("PadV2", inputs={"input": f(2, 3)}, paddings=np.array([[1, 0], [0, 2]], np.int32), constant_values=np.array(1.5, np.float32))
    add("Pad", "computed", {"x": f(2, 3), "p": np.array([[1, 0], [2, 1]], np.int32)}, lambda x, p: tf.pad(x, p))
    for mode in ["REFLECT", "SYMMETRIC"]:
        raw("MirrorPad", mode, inputs={"input": f(4, 5)}, paddings=np.array([[1, 2], [3, 0]], np.int32), mode=mode)
    raw("ReverseV2", inputs={"tensor": x}, axis=i32(0, -1))
    raw("SpaceToBatchND", inputs={"input": f(1, 4, 5, 2)}, block_shape=i32(2, 3), paddings=np.array([[1, 1], [0, 1]], np.int32))
    raw("BatchToSpaceND", inputs={"input": f(6, 2, 3, 2)}, block_shape=i32(2, 3), crops=np.array([[1, 0], [0, 2]], np.int32))
    add("InvertPermutation", "", {"x": f(2, 3, 4)}, lambda x: tf.transpose(x, tf.raw_ops.InvertPermutation(x=tf.constant([2, 0, 1]))))


def slices():
    x = f(4, 5, 6)
    add("StridedSlice", "ranges", {"x": x}, lambda x: x[1:3, ::2, -3:])
    add("StridedSlice", "index and new axis", {"x": x}, lambda x: x[2, tf.newaxis, ..., 1])
    add("StridedSlice", "backwards", {"x": x}, lambda x: x[::-1, 3:0:-1])
    add("StridedSlice", "computed index", {"x": x, "i": np.array(2, np.int32)}, lambda x, i: x[:, i])
    add("StridedSlice", "computed end", {"x": x, "i": np.array(2, np.int32)}, lambda x, i: x[1:, :i])
    raw("Slice", inputs={"input": x}, begin=i32(1, 0, 2), size=i32(2, -1, 3))
    add("Slice", "computed", {"x": x, "b": i32(1, 2, 0)}, lambda x, b: tf.slice(x, b, [2, -1, 4]))
    raw("GatherV2", inputs={"params": f(5, 3), "indices": i32(4, 0, 2)}, axis=np.zeros((), np.int32))
    raw("GatherV2", "axis 1, rank 2", inputs={"params": f(2, 5, 3), "indices": np.array([[1, 2], [0, 4]], np.int32)}, axis=np.ones((), np.int32))
    raw("GatherV2", "batch", inputs={"params": f(2, 5, 3), "indices": np.array([[1, 2, 2], [0, 4, 1]], np.int32)}, axis=np.ones((), np.int32), batch_dims=1)
    raw("Gather", inputs={"params": f(5, 3), "indices": i32(4, 0, 2)})
    raw("GatherNd", inputs={"params": f(3, 4, 2), "indices": np.array([[0, 1], [2, 3]], np.int32)})
    raw("OneHot", inputs={"indices": i32(0, 2, -1, 5)}, depth=np.full((), 4, np.int32), on_value=np.array(2, np.float32), off_value=np.array(-1, np.float32))
    raw("OneHot", "axis 0", inputs={"indices": np.array([[0, 1], [2, 0]], np.int32)}, depth=np.full((), 3, np.int32), on_value=np.array(1, np.float32), off_value=np.array(0, np.float32), axis=0)
    raw("TopKV2", inputs={"input": f(2, 6)}, k=np.full((), 3, np.int32))
    raw("Where", inputs={"condition": np.array([[True, False], [True, True]])})
    raw("ScatterNd", inputs={"indices": np.array([[1], [3], [1]], np.int32), "updates": f(3, 2)}, shape=i32(5, 2))
    for op in ["TensorScatterUpdate", "TensorScatterAdd", "TensorScatterMax", "TensorScatterMin"]:
        raw(op, inputs={"tensor": f(5, 2), "indices": np.array([[1], [3]], np.int32), "updates": f(2, 2)})


def complexes():
    x = f(2, 8)
    add("RFFT", "even", {"x": x}, lambda x: [tf.math.real(s := tf.signal.rfft(x)), tf.math.imag(s)])
    add("RFFT", "odd, longer", {"x": f(3, 7)}, lambda x: [tf.math.real(s := tf.signal.rfft(x, [9])), tf.math.imag(s)])
    add("IRFFT", "there and back", {"x": x}, lambda x: tf.signal.irfft(tf.signal.rfft(x) * tf.constant(0.5 + 2j, tf.complex64)))
    add("IRFFT", "odd", {"a": f(2, 4), "b": f(2, 4)}, lambda a, b: tf.signal.irfft(tf.complex(a, b), [7]))
    add("IRFFT", "of real numbers", {"a": f(2, 5)}, lambda a: tf.signal.irfft(tf.cast(a, tf.complex64)))
    add("ComplexAbs", "", {"a": f(2, 3), "b": f(2, 3)}, lambda a, b: tf.abs(tf.complex(a, b)))
    add("Angle", "", {"a": f(2, 3), "b": f(2, 3)}, lambda a, b: tf.math.angle(tf.complex(a, b)))
    add("Complex", "product", {"a": f(2, 3), "b": f(2, 3)}, lambda a, b: tf.math.real(tf.complex(a, b) * tf.complex(b, a)))
    add("Exp", "complex", {"a": f(2, 3), "b": f(2, 3)}, lambda a, b: tf.math.imag(tf.exp(tf.complex(a, b))))
    add("Conj", "", {"a": f(2, 3), "b": f(2, 3)}, lambda a, b: tf.math.imag(tf.math.conj(tf.complex(a, b))))


def flow():
    x = f(2, 3)
    for op in ["Identity", "StopGradient", "PreventGradient", "Snapshot"]:
        raw(op, inputs={"input": x})
    raw("CheckNumerics", inputs={"tensor": x}, message="no")
    raw("EnsureShape", inputs={"input": x}, shape=[None, 3])
    add("IdentityN", "", {"a": f(2), "b": f(3)}, lambda a, b: tf.raw_ops.IdentityN(input=[a, b]))
    add("PlaceholderWithDefault", "", {"x": x}, lambda x: x * tf.compat.v1.placeholder_with_default(np.float32(2), []))

    def asserted(x):
        with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(x < 9), [x])]):
            return tf.identity(x) * 2

    add("Assert", "", {"x": x}, asserted)

    @tf.function
    def twice(a):
        return a * 2, a + 1

    add("PartitionedCall", "called twice", {"x": x}, lambda x: [twice(x)[0], twice(twice(x)[1])[0]])
    tf.compat.v1.enable_control_flow_v2()
    for flag in (1, 0):
        add("StatelessIf", str(flag), {"x": x, "c": np.array(flag, np.int32)}, lambda x, c: tf.cond(c > 0, lambda: (x * 2, tf.reduce_sum(x)), lambda: (x - 1, x[0, 0])))
    add("StatelessIf", "a number", {"x": x, "c": np.array(3, np.int32)}, lambda x, c: tf.compat.v1.cond(tf.cast(c, tf.bool), lambda: x * 2, lambda: x))
    add("StatelessCase", "", {"x": x}, lambda x: tf.switch_case(tf.constant(1), [lambda: x, lambda: x * 3, lambda: -x]))
    add("StatelessWhile", "a sum", {"x": x}, lambda x: tf.while_loop(lambda i, s: i < 4, lambda i, s: (i + 1, s * 0.5 + x), [tf.constant(0), x])[1])
    add("StatelessWhile", "until", {"x": np.array(1.5, np.float32)}, lambda x: tf.while_loop(lambda v: v < 40.0, lambda v: v * x + 1, [x])[0])

    def scan(x):
        reads = tf.TensorArray(tf.float32, 5).unstack(tf.transpose(x))
        writes = tf.TensorArray(tf.float32, 5)
        _, state, writes = tf.while_loop(
            lambda i, h, ta: i < 5,
            lambda i, h, ta: (i + 1, (n := tf.tanh(h + reads.read(i))), ta.write(i, n)),
            [tf.constant(0), tf.zeros([2]), writes],
        )
        return state, tf.transpose(writes.stack())

    add("While", "lists", {"x": f(2, 5)}, scan)

    def unrolled(x):
        ta = tf.TensorArray(tf.float32, 3)
        for i in range(3):
            ta = ta.write(i, x[i] * float(i + 1))
        return ta.stack(), ta.read(1), ta.size()

    add("TensorListSetItem", "one by one", {"x": f(3, 2)}, unrolled)

    def pushed(x):
        handle = tf.raw_ops.EmptyTensorList(element_shape=tf.constant([2]), max_num_elements=-1, element_dtype=tf.float32)
        for i in range(3):
            handle = tf.raw_ops.TensorListPushBack(input_handle=handle, tensor=x[i])
        return tf.raw_ops.TensorListStack(input_handle=handle, element_shape=tf.constant([2]), element_dtype=tf.float32)

    add("TensorListPushBack", "", {"x": f(3, 2)}, pushed)

    def switched(x, c):
        false, true = tf.raw_ops.Switch(data=x, pred=c)
        return tf.raw_ops.Merge(inputs=[false * 2, true + 1])[0]

    for flag in (True, False):
        add("Switch", str(flag), {"x": x, "c": np.array(flag)}, switched)


if __name__ == "__main__":
    for family in (elementwise, layers, reductions, shapes, slices, complexes, flow):
        family()
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in CASES)
    path = ROOT / "src" / "formats" / "tensorflow" / "golden" / "operators.json"
    path.write_text(f'{{"maker":"TensorFlow {tf.__version__}","cases":[\n{lines}\n]}}\n')
    print(len(CASES), "cases", path.stat().st_size, "bytes")
