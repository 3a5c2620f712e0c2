"""Whole Keras architectures with random weights from a seed, saved as .keras, with an input and Keras' own output (for bench/keras-models.mjs).

pip install tensorflow==2.21; python tools/keras_models.py FOLDER [NAME…]"""
import json, os, sys, time
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import keras
from keras import layers as L, applications as A

folder = sys.argv[1]
os.makedirs(folder, exist_ok=True)
models = {}


def model(f):
    models[f.__name__] = f
    return f


def application(name, size=64, **more):
    models[name] = lambda: getattr(A, name)(weights=None, include_top=False, pooling="avg", input_shape=(size, size, 3), **more)


for name in ["MobileNet", "MobileNetV2", "MobileNetV3Small", "MobileNetV3Large", "EfficientNetB0", "EfficientNetB1", "EfficientNetV2B0", "EfficientNetV2S", "DenseNet121", "DenseNet169",
             "ResNet50", "ResNet50V2", "ResNet101", "ResNet101V2", "VGG16", "VGG19", "ConvNeXtTiny"]:
    application(name)
for name in ["InceptionV3", "InceptionResNetV2", "Xception", "NASNetMobile"]: application(name, 96)


def fn(x, y): return keras.Model(x, y)


@model
def ds_cnn():
    x = i = keras.Input((49, 10, 1))
    x = L.ReLU()(L.BatchNormalization()(L.Conv2D(16, (10, 4), 2, padding="same")(x)))
    for _ in range(4):
        x = L.ReLU()(L.BatchNormalization()(L.DepthwiseConv2D(3, padding="same")(x)))
        x = L.ReLU()(L.BatchNormalization()(L.Conv2D(16, 1)(x)))
    return fn(i, L.Dense(12, activation="softmax")(L.Flatten()(L.AveragePooling2D((25, 5))(x))))


@model
def resnet20_cifar():
    i = keras.Input((32, 32, 3)); x = L.ReLU()(L.BatchNormalization()(L.Conv2D(16, 3, padding="same", use_bias=False)(i)))
    for f, s in [(16, 1)] * 3 + [(32, 2)] + [(32, 1)] * 2 + [(64, 2)] + [(64, 1)] * 2:
        y = L.ReLU()(L.BatchNormalization()(L.Conv2D(f, 3, s, padding="same", use_bias=False)(x)))
        y = L.BatchNormalization()(L.Conv2D(f, 3, padding="same", use_bias=False)(y))
        x = L.ReLU()(L.Add()([y, L.Conv2D(f, 1, s)(x) if s > 1 else x]))
    return fn(i, L.Dense(10)(L.GlobalAveragePooling2D()(x)))


@model
def unet():
    i = x = keras.Input((32, 32, 3)); skips = []
    for f in (8, 16):
        x = L.Conv2D(f, 3, padding="same", activation="relu")(x); skips.append(x); x = L.MaxPooling2D()(x)
    x = L.Conv2D(32, 3, padding="same", activation="relu")(x)
    for f, s in zip((16, 8), skips[::-1]):
        x = L.Concatenate()([L.Conv2DTranspose(f, 2, 2)(x), s]); x = L.Conv2D(f, 3, padding="same", activation="relu")(x)
    return fn(i, L.Conv2D(2, 1, activation="sigmoid")(x))


@model
def squeezenet():
    i = x = keras.Input((48, 48, 3)); x = L.MaxPooling2D(3, 2)(L.Conv2D(16, 3, 2, activation="relu")(x))
    for s, e in ((4, 16), (8, 32)):
        x = L.Conv2D(s, 1, activation="relu")(x)
        x = L.Concatenate()([L.Conv2D(e, 1, activation="relu")(x), L.Conv2D(e, 3, padding="same", activation="relu")(x)])
    return fn(i, L.Softmax()(L.GlobalAveragePooling2D()(L.Conv2D(10, 1)(L.Dropout(0.5)(x)))))


@model
def dcgan_generator():
    i = keras.Input((32,)); x = L.Reshape((4, 4, 16))(L.Dense(256)(i))
    for f in (16, 8): x = L.LeakyReLU()(L.BatchNormalization()(L.Conv2DTranspose(f, 5, 2, padding="same", use_bias=False)(x)))
    return fn(i, L.Conv2DTranspose(3, 5, 2, padding="same", activation="tanh")(x))


@model
def autoencoder():
    i = keras.Input((28, 28, 1)); x = L.Conv2D(8, 3, 2, padding="same", activation="selu")(i); x = L.Flatten()(x); x = L.Dense(16, activation="tanh")(x)
    x = L.Reshape((7, 7, 4))(L.Dense(196, activation="elu")(x)); x = L.UpSampling2D(4, interpolation="bilinear")(x)
    return fn(i, L.Conv2D(1, 3, padding="same", activation="sigmoid")(x))


@model
def wavenet():
    i = keras.Input((64, 1)); x = L.Conv1D(8, 1)(i); skips = []
    for d in (1, 2, 4, 8):
        g = L.Multiply()([L.Conv1D(8, 2, dilation_rate=d, padding="causal", activation="tanh")(x), L.Conv1D(8, 2, dilation_rate=d, padding="causal", activation="sigmoid")(x)])
        skips.append(g); x = L.Add()([x, L.Conv1D(8, 1)(g)])
    return fn(i, L.Conv1D(4, 1, activation="softmax")(L.ReLU()(L.Add()(skips))))


@model
def bilstm_tagger():
    i = keras.Input((20,), dtype="int32"); x = L.Embedding(50, 16)(i)
    x = L.Bidirectional(L.LSTM(16, return_sequences=True))(x)
    return fn(i, L.TimeDistributed(L.Dense(7, activation="softmax"))(x))


@model
def gru_classifier():
    i = keras.Input((30, 12)); x = L.GRU(24, return_sequences=True)(i)
    return fn(i, L.Dense(5, activation="softmax")(L.GRU(16)(L.LayerNormalization()(x))))


@model
def text_cnn():
    i = keras.Input((24,), dtype="int32"); x = L.Embedding(60, 16)(i)
    return fn(i, L.Dense(3)(L.Concatenate()([L.GlobalMaxPooling1D()(L.Conv1D(8, k, activation="relu")(x)) for k in (3, 4, 5)])))


@model
def crnn():
    i = keras.Input((32, 64, 1)); x = i
    for f in (8, 16): x = L.MaxPooling2D()(L.Conv2D(f, 3, padding="same", activation="relu")(x))
    x = L.Reshape((16, 128))(L.Permute((2, 1, 3))(x))
    return fn(i, L.Dense(11, activation="softmax")(L.Bidirectional(L.GRU(12, return_sequences=True), merge_mode="sum")(x)))


def block(x, heads, width):
    y = L.LayerNormalization(epsilon=1e-6)(x); x = L.Add()([x, L.MultiHeadAttention(heads, width // heads)(y, y)])
    y = L.LayerNormalization(epsilon=1e-6)(x); return L.Add()([x, L.Dense(width)(L.Dense(2 * width, activation="gelu")(y))])


@model
def transformer_encoder():
    i = keras.Input((12, 16)); x = i
    for _ in range(2): x = block(x, 4, 16)
    return fn(i, L.Dense(4)(L.GlobalAveragePooling1D()(x)))


@model
def vision_transformer():
    i = keras.Input((32, 32, 3)); x = L.Reshape((16, 24))(L.Conv2D(24, 8, 8)(i))
    for _ in range(2): x = block(x, 3, 24)
    return fn(i, L.Dense(10)(L.Flatten()(x)))


@model
def mlp_mixer():
    i = keras.Input((32, 32, 3)); x = L.Reshape((16, 16))(L.Conv2D(16, 8, 8)(i))
    for _ in range(2):
        y = L.Permute((2, 1))(L.LayerNormalization()(x)); x = L.Add()([x, L.Permute((2, 1))(L.Dense(16)(L.Dense(24, activation="gelu")(y)))])
        x = L.Add()([x, L.Dense(16)(L.Dense(32, activation="gelu")(L.LayerNormalization()(x)))])
    return fn(i, L.Dense(10)(L.GlobalAveragePooling1D()(x)))


@model
def siamese():
    a, b = keras.Input((28, 28, 1)), keras.Input((28, 28, 1))
    tower = keras.Sequential([keras.Input((28, 28, 1)), L.Conv2D(8, 3, activation="relu"), L.MaxPooling2D(), L.Flatten(), L.Dense(16)])
    return fn([a, b], L.Dense(1, activation="sigmoid")(L.Dot(1, normalize=True)([tower(a), tower(b)])))


@model
def conv3d_video():
    i = keras.Input((8, 24, 24, 1)); x = L.MaxPooling3D((1, 2, 2))(L.Conv3D(4, 3, padding="same", activation="relu")(i))
    return fn(i, L.Dense(5)(L.GlobalAveragePooling3D()(L.BatchNormalization()(L.Conv3D(8, 3, strides=2)(x)))))


rng = np.random.default_rng(5)
index_path = os.path.join(folder, "index.json")
index = json.load(open(index_path)) if os.path.exists(index_path) else {}
for name in sys.argv[2:] or models:
    if name in index: continue
    started = time.time()
    keras.backend.clear_session()
    keras.utils.set_random_seed(7)
    net = models[name]()
    # Batch norms of other numbers than 0 and 1, so that their folding is seen; the rest as Keras initialises it.
    for v in net.weights:
        if v.path.endswith("moving_variance"): v.assign(rng.uniform(0.5, 1.5, v.shape))
        if v.path.endswith(("moving_mean", "beta")): v.assign(rng.standard_normal(v.shape) * 0.1)
    xs = []
    for x in net.inputs:
        shape = [2, *x.shape[1:]]
        xs.append(rng.integers(0, 40, shape).astype("int32") if "int" in x.dtype else rng.random(shape).astype("f"))
    y = np.asarray(net(xs if len(xs) > 1 else xs[0], training=False), "f")
    net.save(os.path.join(folder, name + ".keras"))
    for i, x in enumerate(xs): x.tofile(os.path.join(folder, f"{name}.in{i}"))
    y.tofile(os.path.join(folder, f"{name}.out"))
    index[name] = {"inputs": [{"shape": list(x.shape), "dtype": x.dtype.name} for x in xs], "output": list(y.shape), "params": int(net.count_params())}
    json.dump(index, open(index_path, "w"))
    print(name, net.count_params(), round(time.time() - started, 1), flush=True)
