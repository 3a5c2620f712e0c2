"""Small TFLite files, one or more an operator, with inputs and what TensorFlow Lite itself computes (tests of src/formats/tflite).

pip install tensorflow==2.21; python tools/tflite_goldens.py writes src/formats/tflite/golden/operators.json.gz."""
import base64, gzip, json, os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as schema
import flatbuffers

rng = np.random.default_rng(16)
OUT = os.path.join(os.path.dirname(__file__), "../src/formats/tflite/golden/operators.json.gz")
cases = []


def pack(a):
    a = np.ascontiguousarray(a)
    return {"shape": list(a.shape), "dtype": a.dtype.name, "data": base64.b64encode(a.tobytes()).decode()}


def record(name, model, feeds, step=None):
    """Runs the built-in kernels: XNNPACK would compute in an order, and partly on grids, of its own."""
    it = tf.lite.Interpreter(model_content=model, experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
    ins = it.get_input_details()
    for d, x in zip(ins, feeds):
        if list(d["shape"]) != list(x.shape): it.resize_tensor_input(d["index"], x.shape)
    it.allocate_tensors()
    ins = it.get_input_details()
    given = []
    for d, x in zip(ins, feeds):
        s, z = d["quantization"]
        if s and d["dtype"] != np.float32:
            info = np.iinfo(d["dtype"])
            q = np.clip(np.round(x / s) + z, info.min, info.max).astype(d["dtype"])
            it.set_tensor(d["index"], q)
            x = ((q.astype("f") - z) * np.float32(s)).astype("f")
        else:
            it.set_tensor(d["index"], x.astype(d["dtype"]))
        given.append({"name": d["name"].split(";")[0], **pack(x.astype("f") if s else x.astype(d["dtype"]))})
    it.invoke()
    outs = []
    for d in it.get_output_details():
        y = it.get_tensor(d["index"])
        s, z = d["quantization"]
        scale = None
        if s and y.dtype != np.float32:
            y, scale = ((y.astype("f") - z) * np.float32(s)).astype("f"), float(s)
        outs.append({"name": d["name"].split(";")[0], **pack(y), **({"step": scale or step} if scale or step else {})})
    ops = sorted({o["op_name"] for o in it._get_ops_details()} - {"DELEGATE"})
    cases.append({"name": name, "ops": ops, "model": base64.b64encode(model).decode(), "inputs": given, "outputs": outs})
    print(len(model), name, ops)


def convert(fn, specs, tune=None):
    conv = tf.lite.TFLiteConverter.from_concrete_functions([tf.function(fn).get_concrete_function(*specs)])
    conv._experimental_lower_tensor_list_ops = True
    if tune: tune(conv)
    return conv.convert()


def rand(shape, dtype="f", kind="normal"):
    if dtype == "f":
        x = rng.standard_normal(shape)
        return (np.abs(x) + 0.3 if kind == "positive" else np.tanh(x) if kind == "small" else x).astype("f")
    if dtype == "b": return rng.random(shape) > 0.5
    return rng.integers(-5 if kind != "positive" else 1, 6, shape).astype(dtype)


def op(name, fn, *shapes, dtype="f", kind="normal", dynamic=False, tune=None):
    """fn of inputs of these shapes; dynamic leaves the first length open."""
    dt = {"f": tf.float32, "b": tf.bool, "int32": tf.int32, "int64": tf.int64}[dtype]
    specs = [tf.TensorSpec([None if dynamic and i == 0 else n for i, n in enumerate(s)], dt) for s in shapes]
    try:
        record(name, convert(fn, specs, tune), [rand(s, dtype, kind) for s in shapes])
    except Exception as error:  # Some forms the converter itself refuses; they are listed, and there is nothing to hold them against.
        print("not converted:", name, str(error)[:120])


def w(*shape): return tf.constant((rng.standard_normal(shape) * 0.5).astype("f"))

K = tf.nn
# convolutions: paddings, strides, dilations, groups, several shapes
for shape, k, s, d, p in [((1, 7, 9, 3), (3, 3, 3, 4), 1, 1, "SAME"), ((2, 8, 8, 2), (3, 2, 2, 3), 2, 1, "SAME"), ((1, 9, 7, 1), (2, 3, 1, 2), 2, 1, "VALID"),
                          ((1, 9, 9, 2), (3, 3, 2, 2), 1, 2, "SAME"), ((1, 5, 5, 4), (1, 1, 4, 3), 1, 1, "VALID"), ((1, 6, 6, 4), (3, 3, 2, 4), 1, 1, "SAME")]:
    a, b = w(*k), w(k[3])
    op(f"conv2d {shape} {k} stride {s} dilation {d} {p}", lambda x: K.relu(K.bias_add(K.conv2d(x, a, s, p, dilations=d), b)), shape)
for shape, k, s, d, p in [((1, 7, 7, 3), (3, 3, 3, 1), 1, 1, "SAME"), ((1, 8, 6, 2), (3, 3, 2, 2), 2, 1, "SAME"), ((2, 9, 9, 2), (3, 3, 2, 1), 1, 2, "VALID")]:
    a, b = w(*k), w(k[2] * k[3])
    op(f"depthwise {shape} {k} stride {s} dilation {d} {p}", lambda x: K.relu6(K.bias_add(K.depthwise_conv2d(x, a, [1, s, s, 1], p, dilations=[d, d]), b)), shape)
a3 = w(2, 3, 2, 2, 3)
op("conv3d", lambda x: K.conv3d(x, a3, [1, 1, 2, 1, 1], "SAME"), (1, 4, 5, 4, 2))
at = w(2, 2, 3, 3, 2)
op("conv3d transpose", lambda x: K.conv3d_transpose(x, at, [1, 6, 8, 4, 3], [1, 2, 2, 1, 1], "SAME"), (1, 3, 4, 4, 2))
for p, size in [("SAME", [1, 8, 10, 2]), ("VALID", [1, 9, 11, 2]), ("SAME", [1, 7, 9, 2])]:
    t = w(3, 3, 2, 3)
    op(f"transposed conv {p} {size}", lambda x: K.conv2d_transpose(x, t, size, 2, p), (1, 4, 5, 3))
for p in ["SAME", "VALID"]:
    op(f"max pool {p}", lambda x: K.max_pool2d(x, [3, 2], [2, 1], p), (1, 7, 6, 2))
    op(f"average pool {p}", lambda x: K.avg_pool2d(x, 3, 2, p), (2, 7, 6, 2))
f1, f2 = w(6, 4), w(4)
op("fully connected", lambda x: K.relu(tf.matmul(x, f1) + f2), (3, 6), dynamic=True)
op("fully connected rank 3", lambda x: tf.matmul(x, f1) + f2, (2, 3, 6))
op("batch matmul", lambda x, y: tf.matmul(x, y, transpose_b=True), (2, 3, 4), (2, 5, 4))
op("batch matmul adjoint a", lambda x, y: tf.matmul(x, y, transpose_a=True), (2, 4, 3), (2, 4, 5))

# elementwise
for n, f in {"add": tf.add, "sub": tf.subtract, "mul": tf.multiply, "div": tf.divide, "maximum": tf.maximum, "minimum": tf.minimum,
             "squared difference": tf.math.squared_difference, "floor div": tf.math.floordiv, "floor mod": tf.math.floormod,
             "less": tf.less, "less equal": tf.less_equal, "greater": tf.greater, "greater equal": tf.greater_equal, "equal": tf.equal, "not equal": tf.not_equal,
             }.items():
    op(n, f, (2, 3, 4), (2, 3, 4))
    op(f"{n} broadcast", f, (2, 1, 4), (3, 1))
op("atan2", tf.math.atan2, (2, 3, 4), (2, 3, 4))
for n, f in {"add": tf.add, "mul": tf.multiply, "floor div": tf.math.floordiv, "floor mod": tf.math.floormod, "maximum": tf.maximum, "equal": tf.equal}.items():
    op(f"{n} int32", f, (2, 5), (2, 5), dtype="int32", kind="positive" if "floor" in n else "normal")
op("floor div int32 below zero", lambda x: tf.math.floordiv(x, tf.constant([3, -2, 2, -3, 4])), (4, 5), dtype="int32")
op("floor mod int32 below zero", lambda x: tf.math.floormod(x, tf.constant([3, -2, 2, -3, 4])), (4, 5), dtype="int32")
op("truncated div int32", lambda x: tf.truncatediv(x, tf.constant([3, -2, 2, -3, 4])), (4, 5), dtype="int32")
op("pow", tf.pow, (2, 3), (2, 3), kind="positive")
for n, f in {"abs": tf.abs, "ceil": tf.math.ceil, "cos": tf.cos, "exp": tf.exp, "floor": tf.floor, "neg": tf.negative, "relu": K.relu, "relu6": lambda x: K.relu6(x * 4),
             "relu n1 to 1": lambda x: tf.maximum(-1.0, tf.minimum(x, 1.0)), "relu 0 to 1": lambda x: tf.maximum(0.0, tf.minimum(x, 1.0)), "round": tf.round, "sign": tf.sign,
             "sin": tf.sin, "square": tf.square, "tanh": tf.tanh, "logistic": tf.sigmoid, "elu": K.elu, "leaky relu": lambda x: K.leaky_relu(x, 0.3),
             "gelu": lambda x: K.gelu(x, False), "gelu tanh": lambda x: K.gelu(x, True), "hard swish": lambda x: x * K.relu6(x + 3) / 6,
             "softmax": K.softmax, "log softmax": K.log_softmax, "l2 normalization": lambda x: tf.math.l2_normalize(x, -1), "add n": lambda x: tf.add_n([x, x * 2, tf.exp(x)])}.items():
    op(n, f, (2, 3, 5))
for n, f in {"log": tf.math.log, "sqrt": tf.sqrt, "rsqrt": tf.math.rsqrt}.items(): op(n, f, (3, 4), kind="positive")
al = tf.constant(rng.random((1, 1, 3)).astype("f"))
op("prelu", lambda x: K.relu(x) - al * K.relu(-x), (1, 4, 5, 3))
op("local response normalization", lambda x: K.local_response_normalization(x, 2, 1.0, 0.3, 0.6), (1, 3, 4, 7))
op("logical", lambda x, y: tf.logical_or(tf.logical_and(x, y), tf.logical_not(x)), (2, 5), (2, 5), dtype="b")
op("select v2", lambda x, y: tf.where(x > y, x, y * 2), (2, 3), (2, 3))
op("select broadcast", lambda x, y: tf.where(x > 0, x, y), (2, 1, 3), (4, 1))
op("cast", lambda x: tf.cast(tf.cast(x * 3, tf.int32), tf.float32) + x, (2, 5))
op("cast bool", lambda x: tf.cast(x > 0, tf.int64), (2, 5))

# along axes
for n, f in {"sum": tf.reduce_sum, "mean": tf.reduce_mean, "reduce max": tf.reduce_max, "reduce min": tf.reduce_min, "reduce prod": tf.reduce_prod}.items():
    op(n, lambda x: f(x, [1]), (2, 3, 4, 2))
    op(f"{n} keep", lambda x: f(x, [1, 2], keepdims=True), (2, 3, 4, 2))
op("reduce any", lambda x: tf.reduce_any(x, 1), (3, 2), dtype="b")
op("reduce all", lambda x: tf.reduce_all(x, 1, keepdims=True), (3, 2), dtype="b")
op("mean of a convolution", lambda x: tf.reduce_mean(K.conv2d(x, w(3, 3, 2, 4), 1, "SAME"), [1, 2]), (2, 5, 6, 2))
op("arg max", lambda x: tf.argmax(x, -1), (2, 3, 4))
op("arg min", lambda x: tf.argmin(x, 1, tf.int32), (2, 3, 4))
op("cumsum", lambda x: tf.cumsum(x, 1), (2, 4, 3))
op("cumsum exclusive reverse", lambda x: tf.cumsum(x, 1, exclusive=True, reverse=True), (2, 4))
op("concatenation", lambda x, y: tf.concat([x, y, x], 2), (1, 3, 4), (1, 3, 2))
op("concatenation of convolutions", lambda x: tf.concat([K.conv2d(x, w(3, 3, 2, 3), 1, "SAME"), x], -1), (1, 5, 4, 2))
op("pack", lambda x, y: tf.stack([x, y], 1), (2, 3), (2, 3))
op("unpack", lambda x: tf.unstack(x, axis=1)[1] * tf.unstack(x, axis=1)[2], (2, 3, 4))
op("split", lambda x: tf.split(x, 2, 1), (2, 6, 2))
op("split v", lambda x: tf.split(x, [1, 3, 2], 1), (2, 6))
op("tile", lambda x: tf.tile(x, [1, 2, 3]), (1, 2, 3))
op("gather", lambda x: tf.gather(x, [[2, 0], [1, 1]], axis=1), (2, 3, 4))
op("gather batch", lambda x: tf.gather(x, [[2, 0], [1, 1]], axis=1, batch_dims=1), (2, 3, 4))
op("gather nd", lambda x: tf.gather_nd(x, [[0, 2], [1, 0]]), (2, 3, 4))
op("top k", lambda x: tf.math.top_k(x, 3)[0], (2, 7))
op("top k indices", lambda x: tf.math.top_k(x, 2)[1], (2, 7))
op("one hot", lambda x: tf.one_hot(x, 4, 2.0, -1.0), (2, 3), dtype="int32", kind="positive")
op("reverse", lambda x: tf.reverse(x, [2]), (2, 3, 4))
op("reverse sequence", lambda x: tf.reverse_sequence(x, [2, 3], seq_axis=1, batch_axis=0), (2, 3, 4))
op("segment sum", lambda x: tf.math.segment_sum(x, [0, 0, 1, 2]), (4, 3))
op("unsorted segment sum", lambda x: tf.math.unsorted_segment_sum(x, [2, 0, 2, 3], 5), (4, 3))
op("scatter nd", lambda x: tf.scatter_nd([[1], [3], [1]], x, [5, 2]), (3, 2))

# shapes
op("reshape", lambda x: tf.reshape(x, [-1, 6]), (2, 3, 4))
op("reshape of a convolution", lambda x: tf.reshape(K.conv2d(x, w(3, 3, 2, 4), 2, "SAME"), [1, -1]), (1, 6, 6, 2))
op("flatten of an open batch", lambda x: tf.reshape(K.relu(K.conv2d(x, w(2, 2, 2, 3), 2, "SAME")), [tf.shape(x)[0], -1]), (2, 4, 4, 2), dynamic=True)
op("transpose", lambda x: tf.transpose(x, [0, 3, 1, 2]), (1, 3, 4, 2))
op("squeeze", lambda x: tf.squeeze(x, [1, 2]), (2, 1, 1, 3))
op("expand dims", lambda x: tf.expand_dims(x, 1), (2, 3))
op("shape", lambda x: tf.cast(tf.shape(x), tf.float32) * tf.reduce_sum(x), (2, 3), dynamic=True)
op("slice", lambda x: tf.slice(x, [0, 1, 0], [1, 2, -1]), (2, 3, 4))
op("strided slice", lambda x: x[:, 1:4:2, ::-1, tf.newaxis, 1], (2, 5, 3, 2))
op("strided slice ellipsis", lambda x: x[1, ..., -1], (2, 5, 3, 2))
op("strided slice below zero", lambda x: x[:, -3:-1], (2, 5))
op("pad", lambda x: tf.pad(x, [[0, 0], [1, 2], [0, 3]]), (2, 3, 2))
op("pad v2", lambda x: tf.pad(x, [[0, 0], [1, 2], [0, 3]], constant_values=1.5), (2, 3, 2))
op("pad and convolution", lambda x: K.conv2d(tf.pad(x, [[0, 0], [1, 1], [2, 0], [0, 0]]), w(3, 3, 2, 2), 2, "VALID"), (1, 6, 6, 2))
op("mirror pad reflect", lambda x: tf.pad(x, [[0, 0], [2, 1]], "REFLECT"), (2, 4))
op("mirror pad symmetric", lambda x: tf.pad(x, [[0, 0], [1, 1]], "SYMMETRIC"), (2, 4))
op("space to batch", lambda x: tf.space_to_batch(x, [2, 3], [[0, 1], [1, 0]]), (1, 5, 5, 2))
op("batch to space", lambda x: tf.batch_to_space(x, [2, 2], [[0, 1], [1, 0]]), (4, 3, 3, 2))
op("space to depth", lambda x: K.space_to_depth(x, 2), (1, 4, 6, 3))
op("depth to space", lambda x: K.depth_to_space(x, 2), (1, 2, 3, 8))
for half, align in [(False, False), (True, False), (False, True)]:
    op(f"resize bilinear half {half} align {align}", lambda x: tf.raw_ops.ResizeBilinear(images=x, size=[7, 5], align_corners=align, half_pixel_centers=half), (1, 4, 3, 2))
    op(f"resize nearest half {half} align {align}", lambda x: tf.raw_ops.ResizeNearestNeighbor(images=x, size=[7, 5], align_corners=align, half_pixel_centers=half), (1, 4, 3, 2))
op("fill", lambda x: tf.fill(tf.shape(x), 2.5) + x, (2, 3), dynamic=True)
op("range", lambda x: tf.cast(tf.range(tf.shape(x)[0]), tf.float32) * 2, (4, 3), dynamic=True)
op("broadcast to", lambda x: tf.broadcast_to(x, [2, 3, 4]), (3, 1))
op("where", lambda x: tf.where(x > 0), (3, 4))
op("rank", lambda x: x * tf.cast(tf.rank(x), tf.float32), (2, 3))
op("unique", lambda x: tf.unique(x)[1], (9,), dtype="int32")
op("fake quant", lambda x: tf.quantization.fake_quant_with_min_max_args(x * 3, -4.0, 5.0), (3, 7))
op("fake quant narrow", lambda x: tf.quantization.fake_quant_with_min_max_args(x * 3, -4.0, 5.0, narrow_range=True), (3, 7))

# control flow
op("if", lambda x: tf.cond(tf.reduce_sum(x) > 0, lambda: x * 2, lambda: tf.exp(x)), (2, 3))
op("while", lambda x: tf.while_loop(lambda i, y: i < 5, lambda i, y: (i + 1, y * 0.5 + tf.cast(i, tf.float32)), [0, x])[1], (2, 3))
op("while until data says so", lambda x: tf.while_loop(lambda y: tf.reduce_sum(tf.abs(y)) > 1.0, lambda y: [y * 0.7], [x])[0], (2, 3))


# recurrent layers as Keras converts them
def layers(name, made, shape, tune=None, step=None):
    model = tf.keras.Sequential([tf.keras.Input(batch_shape=shape), *made])
    for v in model.weights: v.assign(rng.standard_normal(v.shape) * 0.4)
    conv = tf.lite.TFLiteConverter.from_keras_model(model)
    if tune: tune(conv)
    record(name, conv.convert(), [rand(shape, kind="small")], step)


L = tf.keras.layers
layers("lstm", [L.LSTM(4, return_sequences=True)], (1, 5, 3))
layers("lstm last", [L.LSTM(4)], (1, 5, 3))
layers("bidirectional lstm", [L.Bidirectional(L.LSTM(3, return_sequences=True))], (1, 5, 3))
layers("lstm relu, a loop", [L.LSTM(3, activation="relu")], (1, 4, 3))
layers("gru", [L.GRU(4, return_sequences=True)], (1, 5, 3))
layers("simple rnn", [L.SimpleRNN(4)], (1, 5, 3))


# quantized by the converter
def net():
    return [L.Conv2D(4, 3, padding="same", activation="relu6"), L.DepthwiseConv2D(3, strides=2, activation="relu"), L.MaxPool2D(2), L.Flatten(), L.Dense(5), L.Softmax()]


def full(conv, io=tf.int8, ops=tf.lite.OpsSet.TFLITE_BUILTINS_INT8, shape=(1, 12, 12, 2)):
    conv.optimizations = [tf.lite.Optimize.DEFAULT]
    conv.representative_dataset = lambda: ([rand(shape, kind="small")] for _ in range(20))
    conv.target_spec.supported_ops = [ops]
    conv.inference_input_type = conv.inference_output_type = io


layers("quantized int8", net(), (1, 12, 12, 2), full)
layers("quantized int8, uint8 at its ends", net(), (1, 12, 12, 2), lambda c: full(c, tf.uint8))
layers("quantized int8, float at its ends", net(), (1, 12, 12, 2), lambda c: full(c, tf.float32), 1 / 256)
layers("quantized int16 by int8", net(), (1, 12, 12, 2), lambda c: full(c, tf.int16, tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8))
layers("quantized joints", [L.Conv2D(4, 3, padding="same"), L.UpSampling2D(2), L.AveragePooling2D(3, 2, "same"), L.Reshape((-1, 4)), L.Permute((2, 1)), L.Dense(3, activation="tanh")],
       (1, 6, 6, 2), lambda c: full(c, shape=(1, 6, 6, 2)))


def half(c):
    c.optimizations = [tf.lite.Optimize.DEFAULT]
    c.target_spec.supported_types = [tf.float16]


layers("float16 weights", net(), (1, 12, 12, 2), half)


# what no converter of today writes any more, built by hand
def built(name, op_name, options, tensors, inputs, outputs, feeds, version=1):
    """tensors: (name, shape, array | None for computed | "state")."""
    m = schema.ModelT(); m.version = 3; m.buffers = [schema.BufferT()]
    g = schema.SubGraphT(); g.tensors = []
    for n, shape, data in tensors:
        t = schema.TensorT(); t.name = n; t.shape = list(shape); t.hasRank = True
        t.type = schema.TensorType.FLOAT32 if not isinstance(data, np.ndarray) or data.dtype == np.float32 else schema.TensorType.INT32
        if n in ("ids",): t.type = schema.TensorType.INT32
        t.isVariable = isinstance(data, str)
        b = schema.BufferT()
        if isinstance(data, np.ndarray): b.data = list(data.tobytes())
        m.buffers.append(b); t.buffer = len(m.buffers) - 1
        g.tensors.append(t)
    code = schema.OperatorCodeT(); code.builtinCode = getattr(schema.BuiltinOperator, op_name); code.deprecatedBuiltinCode = min(code.builtinCode, 127); code.version = version
    m.operatorCodes = [code]
    o = schema.OperatorT(); o.opcodeIndex = 0; o.inputs = inputs; o.outputs = outputs
    if options is not None:
        o.builtinOptions = options; o.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__[:-1])
    g.operators = [o]
    g.inputs = [i for i in range(len(tensors)) if tensors[i][2] is None and i not in outputs]; g.outputs = outputs
    m.subgraphs = [g]
    b = flatbuffers.Builder(1024); b.Finish(m.Pack(b), b"TFL3")
    record(name, bytes(b.Output()), feeds)


def arr(*shape): return (rng.standard_normal(shape) * 0.4).astype("f")


def act(o, **k):
    for n, v in k.items(): setattr(o, n, v)
    return o


T, B, I, H = 4, 2, 3, 5
relu, tanh = schema.ActivationFunctionType.RELU, schema.ActivationFunctionType.TANH
for major in (False, True):
    lead = [T, B] if major else [B, T]
    built(f"sequence rnn, time first {major}", "UNIDIRECTIONAL_SEQUENCE_RNN", act(schema.SequenceRNNOptionsT(), timeMajor=major, fusedActivationFunction=tanh),
          [("x", lead + [I], None), ("w", [H, I], arr(H, I)), ("r", [H, H], arr(H, H)), ("b", [H], arr(H)), ("h", [B, H], "state"), ("y", lead + [H], None)],
          [0, 1, 2, 3, 4], [5], [rand(lead + [I])])
for merge in (False, True):
    ys = [("y", [B, T, 2 * H], None)] if merge else [("yf", [B, T, H], None), ("yb", [B, T, H], None)]
    built(f"bidirectional rnn, merged {merge}", "BIDIRECTIONAL_SEQUENCE_RNN", act(schema.BidirectionalSequenceRNNOptionsT(), timeMajor=False, mergeOutputs=merge, fusedActivationFunction=relu),
          [("x", [B, T, I], None)] + [(n + d, s, a) for d in "fb" for n, s, a in [("w", [H, I], arr(H, I)), ("r", [H, H], arr(H, H)), ("b", [H], arr(H)), ("h", [B, H], "state")]] + ys,
          [0, 1, 2, 3, 4, 5, 6, 7, 8, -1, -1, -1], list(range(9, 9 + len(ys))), [rand([B, T, I])])
built("rnn", "RNN", act(schema.RNNOptionsT(), fusedActivationFunction=tanh),
      [("x", [B, I], None), ("w", [H, I], arr(H, I)), ("r", [H, H], arr(H, H)), ("b", [H], arr(H)), ("h", [B, H], "state"), ("y", [B, H], None)], [0, 1, 2, 3, 4], [5], [rand([B, I])])


def lstm_tensors(d, coupled, peephole):
    gates = [g for g in "ifco"]
    out = [(f"w{g}{d}", [H, I], arr(H, I)) for g in gates] + [(f"r{g}{d}", [H, H], arr(H, H)) for g in gates]
    out += [(f"p{g}{d}", [H], arr(H)) for g in "ifo"] + [(f"b{g}{d}", [H], arr(H)) for g in gates]
    drop = {f"wi{d}", f"ri{d}", f"bi{d}", f"pi{d}"} if coupled else set()
    if not peephole: drop |= {f"p{g}{d}" for g in "ifo"}
    return [t if t[0] not in drop else None for t in out]


def lstm(name, coupled=False, peephole=False, both=False, merge=True, batch=2):
    B = batch
    tensors, inputs = [("x", [B, T, I], None)], [0]
    def put(t):
        if t is None: inputs.append(-1)
        else: tensors.append(t); inputs.append(len(tensors) - 1)
    for d in ("f", "b") if both else ("f",):
        for t in lstm_tensors(d, coupled, peephole): put(t)
        inputs.extend([-1, -1])
    for d in ("f", "b") if both else ("f",):
        put((f"h{d}", [B, H], "state")); put((f"c{d}", [B, H], "state"))
    inputs.extend([-1] * (9 if both else 4))
    ys = [("y", [B, T, 2 * H if both else H], None)] if merge or not both else [("yf", [B, T, H], None), ("yb", [B, T, H], None)]
    outs = list(range(len(tensors), len(tensors) + len(ys)))
    o = schema.BidirectionalSequenceLSTMOptionsT() if both else schema.UnidirectionalSequenceLSTMOptionsT()
    if both: o.mergeOutputs = merge
    o.timeMajor = False
    built(name, "BIDIRECTIONAL_SEQUENCE_LSTM" if both else "UNIDIRECTIONAL_SEQUENCE_LSTM", act(o, fusedActivationFunction=tanh), tensors + ys, inputs, outs, [rand([B, T, I])])


lstm("lstm with coupled gates", coupled=True)
lstm("lstm with peepholes", peephole=True)
# One sequence: of two, TensorFlow Lite's merged form has other numbers than its own form with the outputs apart.
lstm("bidirectional lstm in one operator", both=True, batch=1)
lstm("bidirectional lstm in one operator, apart", both=True, merge=False)
built("l2 pool", "L2_POOL_2D", act(schema.Pool2DOptionsT(), padding=1, strideW=1, strideH=2, filterWidth=2, filterHeight=3), [("x", [1, 6, 5, 2], None), ("y", [1, 2, 4, 2], None)], [0], [1], [rand([1, 6, 5, 2])])
X = ("x", [2, 3, 4], None)
built("relu6", "RELU6", None, [X, ("y", [2, 3, 4], None)], [0], [1], [rand([2, 3, 4]) * 4])
built("prelu in one operator", "PRELU", None, [X, ("alpha", [1, 4], arr(1, 4)), ("y", [2, 3, 4], None)], [0, 1], [2], [rand([2, 3, 4])])
built("squeeze", "SQUEEZE", act(schema.SqueezeOptionsT(), squeezeDims=[1]), [("x", [2, 1, 3, 1], None), ("y", [2, 3, 1], None)], [0], [1], [rand([2, 1, 3, 1])])
built("expand dims", "EXPAND_DIMS", None, [X, ("axis", [], np.array(-2, "int32")), ("y", [2, 3, 1, 4], None)], [0, 1], [2], [rand([2, 3, 4])])
built("fake quant in one operator", "FAKE_QUANT", act(schema.FakeQuantOptionsT(), min=-1.1, max=2.3, numBits=8, narrowRange=False), [X, ("y", [2, 3, 4], None)], [0], [1], [rand([2, 3, 4]) * 2])
built("zeros like", "ZEROS_LIKE", schema.ZerosLikeOptionsT(), [("x", [2, 3], None), ("y", [2, 3], None)], [0], [1], [rand([2, 3])])
built("embedding lookup", "EMBEDDING_LOOKUP", None, [("ids", [3], None), ("table", [4, 5], arr(4, 5)), ("y", [3, 5], None)], [0, 1], [2], [np.array([3, 0, 2], "int32")])

with gzip.GzipFile(OUT, "wb", 9, mtime=0) as f: f.write(json.dumps(cases).encode())
print(len(cases), "cases", os.path.getsize(OUT), "bytes", len({o for c in cases for o in c["ops"]}), "operators")
