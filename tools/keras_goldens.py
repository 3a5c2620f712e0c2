"""Small Keras models, one or more a layer, in the formats of Keras 2 and 3, with inputs and what Keras itself computes (tests of src/formats/keras).

pip install tensorflow==2.21 tf_keras; python tools/keras_goldens.py writes src/formats/keras/golden/layers.bin.gz: the length of a JSON text in four bytes,
the text, and the bytes that it names by offset and length."""
import gzip, json, os, struct, sys, tempfile
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import keras as keras3
import tf_keras as keras2

rng = np.random.default_rng(31)
out = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../src/formats/keras/golden/layers.bin.gz")
blob, cases = bytearray(), []


def put(data):
    at = len(blob)
    blob.extend(data)
    return [at, len(data)]


def array(a): return {"shape": list(a.shape), "dtype": a.dtype.name, "at": put(np.ascontiguousarray(a).tobytes())}


def record(name, make, *shapes, forms=("keras3.keras",), ints=False, scale=1.0):
    """make(K, *inputs) → outputs, once for each Keras; shapes are those of one sample."""
    for form in forms:
        K = keras3 if form.startswith("keras3") else keras2
        K.backend.clear_session()
        np.random.seed(1)
        inputs = [K.Input(s, dtype="int32" if ints else "float32", name=f"in{i}") for i, s in enumerate(shapes)]
        y = make(K, *inputs)
        model = K.Model(inputs if len(inputs) > 1 else inputs[0], y) if not isinstance(y, K.Model) else y
        for v in model.weights:
            if "seed" in v.name or v.dtype not in ("float32", np.float32) and "float" not in str(v.dtype): continue
            value = rng.standard_normal(v.shape) * 0.4
            if "variance" in v.name: value = np.abs(value) + 0.5
            v.assign(value.astype("f"))
        xs = [rng.integers(0, 5, (2, *(n or 6 for n in s))).astype("int32") if ints else (rng.standard_normal((2, *(n or 6 for n in s))) * scale).astype("f") for s in shapes]
        made = model.predict(xs if len(xs) > 1 else xs[0], verbose=0)
        made = [np.asarray(v, "float32") for v in (made if isinstance(made, (list, tuple)) else [made])]
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "m." + form.split(".")[1])
            model.save(path)
            file = open(path, "rb").read()
        cases.append({"name": f"{name} ({form})", "file": put(file), "form": form, "inputs": [array(x) for x in xs], "outputs": [array(v) for v in made]})


every = ("keras3.keras", "keras3.h5", "keras2.keras", "keras2.h5")


def seq(*names_and_args):
    """Layers one after the other, by class and settings."""
    def make(K, x):
        for cls, kw in names_and_args: x = getattr(K.layers, cls)(**kw)(x)
        return x
    return make


def L(cls, **kw): return (cls, kw)


for pad in ("same", "valid"):
    record(f"Conv2D {pad}", seq(L("Conv2D", filters=3, kernel_size=(3, 2), strides=2, padding=pad, activation="relu")), (7, 8, 2))
    record(f"Conv1D {pad}", seq(L("Conv1D", filters=3, kernel_size=3, dilation_rate=2, padding=pad)), (9, 2))
    record(f"Conv2DTranspose {pad}", seq(L("Conv2DTranspose", filters=2, kernel_size=3, strides=2, padding=pad)), (4, 5, 3))
    record(f"SeparableConv2D {pad}", seq(L("SeparableConv2D", filters=4, kernel_size=3, depth_multiplier=2, padding=pad, activation="relu6")), (6, 6, 2))
    record(f"DepthwiseConv2D {pad}", seq(L("DepthwiseConv2D", kernel_size=3, depth_multiplier=2, strides=2, padding=pad)), (7, 7, 2))
    record(f"MaxPooling2D {pad}", seq(L("MaxPooling2D", pool_size=3, strides=2, padding=pad)), (7, 6, 2))
    record(f"AveragePooling2D {pad}", seq(L("AveragePooling2D", pool_size=2, padding=pad)), (7, 6, 2))
record("Conv2D with a bias, groups and dilation", seq(L("Conv2D", filters=4, kernel_size=3, groups=2, dilation_rate=2, padding="same")), (7, 7, 4))
record("Conv1D causal", seq(L("Conv1D", filters=3, kernel_size=3, dilation_rate=2, padding="causal", activation="tanh")), (9, 2), forms=("keras3.keras", "keras2.h5"))
record("Conv3D", seq(L("Conv3D", filters=2, kernel_size=2, strides=(1, 2, 1), padding="same")), (3, 4, 4, 2))
record("Conv1DTranspose", seq(L("Conv1DTranspose", filters=2, kernel_size=4, strides=2, padding="same")), (5, 3))
record("Conv2DTranspose output_padding", seq(L("Conv2DTranspose", filters=2, kernel_size=3, strides=2, padding="same", output_padding=0)), (4, 5, 3))
record("Conv3DTranspose", seq(L("Conv3DTranspose", filters=2, kernel_size=2, strides=2)), (2, 3, 2, 2))
record("SeparableConv1D", seq(L("SeparableConv1D", filters=3, kernel_size=3)), (7, 2))
record("DepthwiseConv1D", seq(L("DepthwiseConv1D", kernel_size=3, padding="same")), (7, 2))
for d, shape in ((1, (6, 2)), (3, (4, 4, 4, 2))):
    record(f"pools of {d} dimensions", lambda K, x: [getattr(K.layers, f"MaxPooling{d}D")(2)(x), getattr(K.layers, f"AveragePooling{d}D")(2, padding="same")(x)], shape)
for d, shape in ((1, (6, 2)), (2, (5, 4, 3)), (3, (2, 3, 4, 2))):
    record(f"global pools of {d} dimensions", lambda K, x: [getattr(K.layers, f"GlobalMaxPooling{d}D")()(x), getattr(K.layers, f"GlobalAveragePooling{d}D")(keepdims=True)(x)], shape)
record("ZeroPadding and Cropping", lambda K, x: [K.layers.ZeroPadding2D(((1, 2), (0, 3)))(x), K.layers.Cropping2D(((1, 0), (1, 1)))(x)], (4, 5, 2))
record("ZeroPadding and Cropping 1D", lambda K, x: [K.layers.ZeroPadding1D((1, 2))(x), K.layers.Cropping1D(1)(x)], (5, 2))
record("ZeroPadding and Cropping 3D", lambda K, x: [K.layers.ZeroPadding3D(1)(x), K.layers.Cropping3D(1)(x)], (3, 4, 3, 2))
record("UpSampling2D", lambda K, x: [K.layers.UpSampling2D((2, 3))(x), K.layers.UpSampling2D(2, interpolation="bilinear")(x)], (3, 4, 2))
record("UpSampling 1D and 3D", lambda K, x: [K.layers.UpSampling1D(3)(x), K.layers.Reshape((4, 2))(K.layers.UpSampling1D(2)(K.layers.Reshape((2, 2))(x)))], (4, 1))
record("UpSampling3D", seq(L("UpSampling3D", size=(1, 2, 3))), (2, 2, 2, 2))
record("BatchNormalization", seq(L("Conv2D", filters=3, kernel_size=2, use_bias=False), L("BatchNormalization"), L("ReLU", max_value=6.0)), (4, 4, 2), forms=every)
record("BatchNormalization without scale and centre", seq(L("BatchNormalization", scale=False, center=False, epsilon=1e-2)), (5,), forms=("keras3.keras", "keras2.h5"))
record("LayerNormalization", lambda K, x: [K.layers.LayerNormalization()(x), K.layers.LayerNormalization(axis=[1, 2], center=False)(x)], (3, 4), forms=("keras3.keras", "keras2.h5"))
record("GroupNormalization", seq(L("GroupNormalization", groups=2)), (3, 3, 4))
record("UnitNormalization", seq(L("UnitNormalization")), (3, 4))
record("RMSNormalization", seq(L("RMSNormalization")), (3, 4))
names = ["linear", "relu", "relu6", "sigmoid", "tanh", "softmax", "elu", "selu", "softplus", "softsign", "exponential", "gelu", "silu", "hard_sigmoid"]
record("activations", lambda K, x: [K.layers.Activation(a)(x) for a in names + ["mish", "log_softmax", "hard_silu", "leaky_relu"]], (7,), scale=3)
record("activations of Keras 2", lambda K, x: [K.layers.Activation(a)(x) for a in names + ["swish"]], (7,), forms=("keras2.h5",), scale=3)
record("ReLU", lambda K, x: [K.layers.ReLU()(x), K.layers.ReLU(6.0)(x), K.layers.ReLU(2.0, 0.1, 0.5)(x), K.layers.ReLU(negative_slope=0.2)(x)], (9,), scale=4)
record("LeakyReLU, ELU, PReLU, Softmax", lambda K, x: [K.layers.LeakyReLU()(x), K.layers.ELU(0.7)(x), K.layers.PReLU(shared_axes=[1])(x), K.layers.PReLU()(x), K.layers.Softmax(axis=1)(x)], (4, 3),
       forms=("keras3.keras", "keras2.h5"))
record("ThresholdedReLU", seq(L("ThresholdedReLU", theta=0.5)), (9,), forms=("keras2.h5",))
record("merging", lambda K, a, b: [getattr(K.layers, n)()([a, b]) for n in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate")], (3, 4), (3, 4), forms=every)
record("merging with broadcasting", lambda K, a, b: [K.layers.Add()([a, b]), K.layers.Multiply()([a, b])], (3, 4), (1, 4))
record("Concatenate of images", lambda K, x: K.layers.Concatenate(axis=-1)([K.layers.Conv2D(3, 3, padding="same")(x), x]), (5, 4, 2))
record("Dot", lambda K, a, b: [K.layers.Dot(axes=(2, 2))([a, b]), K.layers.Dot(axes=1, normalize=True)([K.layers.Flatten()(a), K.layers.Flatten()(b)])], (3, 4), (3, 4))
record("Reshape, Flatten, Permute", lambda K, x: [K.layers.Reshape((-1, 2))(x), K.layers.Flatten()(x), K.layers.Permute((2, 3, 1))(x)], (3, 4, 2), forms=every)
record("Flatten behind a convolution", seq(L("Conv2D", filters=3, kernel_size=2), L("Flatten"), L("Dense", units=4)), (4, 4, 2))
record("RepeatVector", seq(L("RepeatVector", n=3)), (4,))
record("Dense", lambda K, x: [K.layers.Dense(3, activation="softmax")(x), K.layers.Dense(2, use_bias=False)(x)], (5,), forms=every)
record("Dense on sequences", seq(L("Dense", units=3, activation="gelu")), (4, 5))
record("Embedding", seq(L("Embedding", input_dim=5, output_dim=3), L("GlobalAveragePooling1D")), (6,), ints=True, forms=("keras3.keras", "keras2.h5"))
record("Rescaling and Normalization", lambda K, x: [K.layers.Rescaling(1 / 127.5, -1)(x), K.layers.Normalization(mean=[0.1, 0.2], variance=[0.5, 2.0])(x)], (3, 4, 2))
record("Resizing", lambda K, x: [K.layers.Resizing(5, 6)(x), K.layers.Resizing(4, 3, interpolation="nearest")(x)], (3, 4, 2))
record("Dropout and noise", lambda K, x: K.layers.GaussianNoise(0.1)(K.layers.SpatialDropout1D(0.3)(K.layers.Dropout(0.5)(K.layers.Dense(3)(x)))), (4, 3))
for cls in ("LSTM", "GRU", "SimpleRNN"):
    record(f"{cls}", lambda K, x: [getattr(K.layers, cls)(4)(x), getattr(K.layers, cls)(3, return_sequences=True)(x)], (5, 3), forms=every)
    record(f"{cls} from the end, with states", lambda K, x: getattr(K.layers, cls)(3, go_backwards=True, return_sequences=True, return_state=True, use_bias=False)(x), (5, 2))
    record(f"Bidirectional {cls}", lambda K, x: [K.layers.Bidirectional(getattr(K.layers, cls)(3, return_sequences=True))(x), K.layers.Bidirectional(getattr(K.layers, cls)(2), merge_mode="ave")(x)], (4, 3), forms=every)
record("LSTM with other activations", seq(L("LSTM", units=3, activation="relu", recurrent_activation="hard_sigmoid")), (5, 2), forms=("keras3.keras", "keras2.h5"))
record("GRU that resets before", seq(L("GRU", units=3, reset_after=False)), (5, 2), forms=("keras3.keras", "keras2.h5"))
record("LSTM with given states", lambda K, x, h, c: K.layers.LSTM(3)(x, initial_state=[h, c]), (5, 2), (3,), (3,), forms=("keras3.keras", "keras2.h5"))
record("open number of steps", lambda K, x: K.layers.Dense(2)(K.layers.LSTM(3, return_sequences=True)(K.layers.Conv1D(3, 3, padding="same")(x))), (None, 2))
record("TimeDistributed", lambda K, x: [K.layers.TimeDistributed(K.layers.Dense(3))(K.layers.Flatten()(x) if False else x), K.layers.TimeDistributed(K.layers.Conv2D(2, 2))(x)], (3, 4, 4, 2), forms=("keras3.keras", "keras3.h5"))
record("MultiHeadAttention", lambda K, a, b: [K.layers.MultiHeadAttention(2, 3)(a, a), K.layers.MultiHeadAttention(3, 2, value_dim=4, use_bias=False)(a, b)], (4, 5), (6, 5), forms=("keras3.keras", "keras3.h5", "keras2.h5"))
record("Attention", lambda K, a, b: K.layers.Attention()([a, b]), (4, 5), (6, 5))


def nested(K, x):
    a = K.Input((4, 4, 2)); inner = K.Model(a, K.layers.BatchNormalization()(K.layers.Conv2D(3, 3, padding="same")(a)), name="trunk")
    head = K.Sequential([K.layers.GlobalAveragePooling2D(), K.layers.Dense(3), K.layers.Dense(2)], name="head")
    return head(inner(x))


def shared(K, a, b):
    d, e = K.layers.Dense(3, activation="tanh"), K.layers.Dense(2)
    return [K.layers.Subtract()([d(a), d(b)]), e(d(a))]


def siamese(K, a, b):
    inner = K.Sequential([K.Input((5,)), K.layers.Dense(4, activation="relu"), K.layers.Dense(3)], name="tower")
    return K.layers.Dot(axes=1)([inner(a), inner(b)])


def resnet(K, x):
    y = K.layers.Conv2D(4, 3, padding="same", activation="relu")(x)
    for _ in range(2):
        z = K.layers.BatchNormalization()(K.layers.Conv2D(4, 3, padding="same", use_bias=False)(y))
        y = K.layers.ReLU()(K.layers.Add()([y, z]))
    return [K.layers.Dense(3, activation="softmax", name="classes")(K.layers.GlobalAveragePooling2D()(y)), K.layers.Dense(1, name="score")(K.layers.Flatten()(y))]


record("nested models", nested, (4, 4, 2), forms=every)
record("shared layers", shared, (5,), (5,), forms=every)
record("a shared model", siamese, (5,), (5,), forms=every)
record("residual network with two outputs", resnet, (6, 6, 2), forms=every)
record("Sequential", lambda K, x: K.Sequential([K.Input((6, 6, 1)), K.layers.Conv2D(3, 3), K.layers.MaxPooling2D(), K.layers.Flatten(), K.layers.Dense(4), K.layers.Softmax()]), (6, 6, 1), forms=every)
record("arithmetic", lambda K, a, b: [a * 2.0 + b, (a - 1.0) / 3.0], (3, 4), (3, 4), forms=("keras3.keras", "keras2.h5"))
record("operations of Keras 3", lambda K, a: [K.ops.mean(a, axis=1), K.ops.exp(a), K.ops.relu(a), K.ops.transpose(a, (0, 2, 1)), K.ops.concatenate([a, a], axis=2)], (3, 4))
record("channels first", seq(L("ZeroPadding2D", padding=1, data_format="channels_first"), L("BatchNormalization", axis=1), L("Flatten", data_format="channels_first")), (2, 4, 3))

head = json.dumps(cases).encode()
with gzip.GzipFile(out, "wb", 9, mtime=0) as f: f.write(struct.pack("<I", len(head)) + head + bytes(blob))
print(len(cases), "cases", os.path.getsize(out), "bytes packed", len(blob), "unpacked")
