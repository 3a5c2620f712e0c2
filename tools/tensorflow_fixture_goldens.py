"""Makes src/formats/tensorflow/golden/fixtures.json: what TensorFlow answers for the real models of AVOCET_FIXTURES, at evenly
spaced elements of each output. Inputs are real (images, MFCCs, audio windows, speech), or for the face models, which come without data,
bytes of a small formula that the test repeats. TensorFlow.js graphs run in TensorFlow itself, weights filled in and Prelu (TensorFlow.js's
own operator) written in its parts."""

import json
import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
import numpy as np
import tensorflow as tf
from google.protobuf import json_format
from tensorflow.core.framework import graph_pb2

ROOT = Path(__file__).resolve().parent.parent
FIXTURES = Path(os.environ.get("AVOCET_FIXTURES", ROOT.parent / "shared" / "fixtures"))
MOST = 96


def formula(shape, scale, shift):
    """Bytes of a linear congruence, scaled: the same numbers in every language."""
    count = int(np.prod(shape))
    i = np.arange(count, dtype=np.uint64)
    bytes_ = ((i * np.uint64(1103515245) + np.uint64(12345)) >> np.uint64(7)) % np.uint64(256)
    return (bytes_.astype(np.float32) * np.float32(scale) + np.float32(shift)).reshape(shape)


def sampled(array):
    flat = np.asarray(array).ravel().astype(np.float64)
    step = max(1, len(flat) // MOST)
    return {
        "shape": list(np.asarray(array).shape),
        "step": step,
        "largest": float(np.abs(flat).max()),
        "values": [float(f"{v:.8g}") for v in flat[::step]],
    }


def images(numbers):
    folder = FIXTURES / "imagenet1k-sample"
    index = json.loads((folder / "index.json").read_text())
    entries = index if isinstance(index, list) else next(v for v in index.values() if isinstance(v, list))
    pack = (folder / "images_224_q95.jpgpack").read_bytes()
    made = []
    for n in numbers:
        entry = entries[n]
        data = pack[entry["offset"] : entry["offset"] + entry["length"]]
        pixels = tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE").numpy()
        made.append(pixels.astype(np.float32) * np.float32(1 / 127.5) - np.float32(1))
    return np.stack(made)


def saved(path, runs):
    """Answers of the default signature, one after the other in one session, so that states live on. The loader is TensorFlow 1's: the
    newer one wants the optimizers of old models."""
    with tf.Graph().as_default() as graph, tf.compat.v1.Session(graph=graph) as session:
        meta = tf.compat.v1.saved_model.loader.load(session, ["serve"], str(FIXTURES / path))
        signature = meta.signature_def["serving_default"]
        outputs = {k: v.name for k, v in signature.outputs.items()}
        return [session.run(outputs, {signature.inputs[k].name: v for k, v in feeds.items()}) for feeds in runs]


def weights(manifest, folder):
    found = {}
    for group in manifest:
        data = b"".join((folder / path).read_bytes() for path in group["paths"])
        at = 0
        for w in group["weights"]:
            kind = w.get("quantization", {}).get("dtype", w["dtype"])
            dtype = np.dtype({"bool": "?"}.get(kind, kind))
            count = int(np.prod(w["shape"])) if w["shape"] else 1
            array = np.frombuffer(data, dtype, count, at)
            at += count * dtype.itemsize
            found[w["name"]] = array.astype(w["dtype"]).reshape(w["shape"])
    return found


def prelu(graph, name, x, alpha):
    """TensorFlow.js's own operator in TensorFlow's."""
    zero = name + "/zero"
    parts = [
        ("Const", zero, []),
        ("Maximum", name + "/up", [x, zero]),
        ("Minimum", name + "/down", [x, zero]),
        ("Mul", name + "/scaled", [name + "/down", alpha]),
        ("AddV2", name, [name + "/up", name + "/scaled"]),
    ]
    for op, part, inputs in parts:
        made = graph.node.add(op=op, name=part)
        made.input.extend(inputs)
        if op == "Const":
            made.attr["dtype"].type = 1
            made.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(np.float32(0)))
        else:
            made.attr["T"].type = 1


def tfjs(path):
    """The graph as TensorFlow runs it."""
    file = FIXTURES / path
    model = json.loads(file.read_text())
    data = weights(model["weightsManifest"], file.parent)
    topology = model["modelTopology"]
    graph = graph_pb2.GraphDef()
    json_format.ParseDict({"node": topology["node"]}, graph, ignore_unknown_fields=True)
    done = graph_pb2.GraphDef()
    graph.versions.producer = 440
    for node in graph.node:
        if node.op == "Const" and node.name in data:
            node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(data[node.name]))
        fused = list(node.attr["fused_ops"].list.s) if "fused_ops" in node.attr else []
        if node.op.startswith("_Fused"):
            slope = node.input[-1] if b"Prelu" in fused else None
            made = done.node.add()
            made.CopyFrom(node)
            if slope:
                made.name = node.name + "/layer"
                del made.input[-1]
                fused.remove(b"Prelu")
                made.attr["fused_ops"].list.s[:] = fused
            made.attr["num_args"].i = len(made.input) - 2
            made.attr["TArgs"].list.type[:] = [1] * (len(made.input) - 2)
            if slope:
                prelu(done, node.name, made.name, slope)
        elif node.op == "Prelu":
            prelu(done, node.name, node.input[0], node.input[1])
        else:
            done.node.add().CopyFrom(node)
    done.versions.producer = 440
    signature = model.get("signature") or model["userDefinedMetadata"]["signature"]
    return done, signature


def run_tfjs(path, x):
    graph_def, signature = tfjs(path)
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(graph_def, name="")
    [(name, info)] = signature["inputs"].items()
    outputs = {k.removesuffix(":0"): v["name"] for k, v in signature["outputs"].items()}
    outputs = {k: v if ":" in v else v + ":0" for k, v in outputs.items()}
    feed = info["name"] if ":" in info["name"] else info["name"] + ":0"
    with tf.compat.v1.Session(graph=graph) as session:
        got = session.run(outputs, {feed: x})
    return name.removesuffix(":0"), got


def main():
    golden = {"maker": f"TensorFlow {tf.__version__}"}

    x = images([0, 150, 300, 450, 600, 750])
    [out] = saved("mobilenetv1-025-imagenet/saved_model", [{"keras_tensor": x}])
    y = out["output_0"]
    golden["mobilenetv1-025-imagenet/saved_model"] = {
        "images": [0, 150, 300, 450, 600, 750],
        "outputs": {"output_0": {**sampled(y), "classes": [int(v) for v in y.argmax(1)]}},
    }

    raw = np.fromfile(FIXTURES / "mlperf-tiny-kws" / "kws01_x.bin", np.int8).astype(np.float32).reshape(1000, 49, 10, 1)
    features = (raw - np.float32(83)) * np.float32(0.5847029089927673)
    labels = np.fromfile(FIXTURES / "mlperf-tiny-kws" / "kws01_y.u8", np.uint8)
    [out] = saved("mlperf-tiny-kws/kws_ref_model", [{"input_1": features}])
    y = out["dense"]
    golden["mlperf-tiny-kws/kws_ref_model"] = {
        "right": int((y.argmax(1) == labels).sum()),
        "outputs": {"dense": sampled(y[:32])},
    }

    windows = np.fromfile(FIXTURES / "basic-pitch" / "vocadito_10_windows_6x43844x1.f32", np.float32).reshape(6, 43844, 1)
    [out] = saved("basic-pitch/nmp", [{"input_2": windows[:2]}])
    golden["basic-pitch/nmp"] = {"outputs": {k: sampled(v) for k, v in out.items()}}
    _, got = run_tfjs("basic-pitch/tfjs/model.json", windows[:2])
    golden["basic-pitch/tfjs/model.json"] = {"outputs": {k: sampled(v) for k, v in got.items()}}

    wav = (FIXTURES / "dns3-speech-pairs" / "DNS3_test_set__0015_noisy.wav").read_bytes()
    speech, _ = tf.audio.decode_wav(wav)
    frames = [speech.numpy()[16000 + 128 * i : 16000 + 128 * i + 512, 0].reshape(1, 512) for i in range(12)]
    answers = saved("dtln-speech-enhancement/dtln_saved_model", [{"input_1": frame} for frame in frames])
    golden["dtln-speech-enhancement/dtln_saved_model"] = {"frames": [sampled(answer["conv1d_1"]) for answer in answers]}

    faces = {
        "blazeface-back": ([1, 256, 256, 3], 1 / 127.5, -1),
        "blazeface-front": ([1, 128, 128, 3], 1 / 127.5, -1),
        "emotion": ([2, 64, 64, 1], 1 / 127.5, -1),
        "facemesh": ([1, 192, 192, 3], 1 / 255, 0),
        "iris": ([1, 64, 64, 3], 1 / 255, 0),
        "liveness": ([2, 32, 32, 3], 1 / 255, 0),
        "mobileface": ([1, 112, 112, 3], 1, 0),
        "selfie": ([1, 256, 256, 3], 1 / 255, 0),
    }
    for face, (shape, scale, shift) in faces.items():
        name, got = run_tfjs(f"tfjs-face-bundle/{face}.json", formula(shape, scale, shift))
        golden[f"tfjs-face-bundle/{face}.json"] = {
            "formula": {"shape": shape, "scale": float(np.float32(scale)), "shift": float(np.float32(shift))},
            "outputs": {k: sampled(v) for k, v in got.items()},
        }
        print(face, {k: v.shape for k, v in got.items()}, file=sys.stderr)
    folder = ROOT / "src" / "formats" / "tensorflow" / "golden"
    folder.mkdir(exist_ok=True)
    (folder / "fixtures.json").write_text(json.dumps(golden) + "\n")


if __name__ == "__main__":
    main()
