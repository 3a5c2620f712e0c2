"""Makes src/formats/tensorflow/golden/saved.json: a small SavedModel with weights, a state, functions and two signatures, as TensorFlow
writes it (files in base64), and networks with recurrent layers of Keras as frozen graphs, with what TensorFlow computes."""

import base64
import json
import os
import sys
import tempfile
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

sys.path.insert(0, str(Path(__file__).parent))
from tensorflow_operator_goldens import stripped, tensor  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
rng = np.random.default_rng(17)


def f(*shape):
    return np.round(rng.uniform(-1, 1, shape), 2).astype(np.float32)


class Small(tf.Module):
    def __init__(self):
        self.kernel = tf.Variable(f(3, 3, 2, 4), name="kernel")
        self.bias = tf.Variable(f(4), name="bias")
        self.mean = tf.Variable(np.zeros(4, np.float32), name="mean", trainable=False)
        self.table = tf.Variable(f(5, 4), name="table")

    @tf.function(input_signature=[tf.TensorSpec([None, 6, 6, 2], tf.float32, "image"), tf.TensorSpec([None], tf.int32, "place")])
    def serve(self, image, place):
        y = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(image, self.kernel, 2, "SAME"), self.bias))
        y = tf.reduce_mean(y, [1, 2])
        self.mean.assign(0.5 * self.mean + 0.5 * tf.reduce_mean(y, 0))
        return {"scores": self.scaled(y) + tf.gather(self.table, place), "drift": y - self.mean}

    @tf.function
    def scaled(self, y):
        return y * 2.0

    @tf.function(input_signature=[tf.TensorSpec([2, 4], tf.float32, "x")])
    def other(self, x):
        return {"y": tf.matmul(x, tf.transpose(self.table))}


def saved():
    model = Small()
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(model, folder, signatures={"serving_default": model.serve, "other": model.other})
        files = {
            name: base64.b64encode((Path(folder) / name).read_bytes()).decode()
            for name in ("saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001")
        }
    steps = []
    for _ in range(3):
        feeds = {"image": f(2, 6, 6, 2), "place": np.array([3, 1], np.int32)}
        got = model.serve(**{k: tf.constant(v) for k, v in feeds.items()})
        steps.append({"inputs": {k: tensor(v) for k, v in feeds.items()}, "outputs": {k: tensor(v.numpy()) for k, v in got.items()}})
    x = f(2, 4)
    other = {"inputs": {"x": tensor(x)}, "outputs": {"y": tensor(model.other(tf.constant(x))["y"].numpy())}}
    return {"files": files, "steps": steps, "other": other}


def recurrent():
    keras = tf.keras
    layers = keras.layers
    nets = {
        "LSTM, then GRU": lambda: [layers.LSTM(3, return_sequences=True), layers.GRU(2)],
        "LSTM backwards, without bias, other activations": lambda: [
            layers.LSTM(3, return_sequences=True, go_backwards=True, use_bias=False, activation="relu", recurrent_activation="hard_sigmoid")
        ],
        "GRU reset before": lambda: [layers.GRU(3, reset_after=False, return_sequences=True)],
        "SimpleRNN": lambda: [layers.SimpleRNN(3)],
        "Bidirectional": lambda: [layers.Bidirectional(layers.LSTM(2, return_sequences=True))],
        "steps and causal convolution": lambda: [layers.TimeDistributed(layers.Dense(4)), layers.Conv1D(3, 2, padding="causal")],
    }
    made = []
    for name, build in nets.items():
        keras.utils.set_random_seed(3)
        inputs = keras.Input((5, 4), batch_size=None)
        y = inputs
        for layer in build():
            y = layer(y)
        model = keras.Model(inputs, y)
        model.set_weights([np.round(np.asarray(w) + rng.uniform(-0.2, 0.2, w.shape), 3).astype(np.float32) for w in model.get_weights()])
        run = tf.function(lambda x, model=model: model(x, training=False))
        concrete = run.get_concrete_function(tf.TensorSpec([None, 5, 4], tf.float32, name="x"))
        frozen = convert_variables_to_constants_v2(concrete, lower_control_flow=False)
        x = f(2, 5, 4)
        got = tf.nest.flatten(frozen(tf.constant(x)))[0]
        made.append(
            {
                "name": name,
                "graph": stripped(frozen.graph.as_graph_def()),
                "input": tensor(x),
                "from": frozen.outputs[0].name,
                "output": tensor(got.numpy()),
            }
        )
    return made


if __name__ == "__main__":
    golden = {"maker": f"TensorFlow {tf.__version__}, Keras {tf.keras.__version__}", "saved": saved()}
    path = ROOT / "src" / "formats" / "tensorflow" / "golden" / "saved.json"
    head = json.dumps(golden, separators=(",", ":"))[:-1]
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in recurrent())
    path.write_text(f'{head},"recurrent":[\n{lines}\n]}}\n')
    print(path.stat().st_size, "bytes")
