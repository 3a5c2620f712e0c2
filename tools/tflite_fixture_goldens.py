"""What TensorFlow Lite computes with the real networks of the fixtures, on inputs that the test makes too (src/formats/tflite/fixtures.test.ts).

AVOCET_FIXTURES=FOLDER python tools/tflite_fixture_goldens.py writes src/formats/tflite/golden/fixtures.json.gz."""
import base64, gzip, json, os
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import tensorflow as tf

here = os.path.dirname(os.path.abspath(__file__))
fixtures = os.environ.get("AVOCET_FIXTURES", os.path.join(here, "../../shared/fixtures"))
names = ["mnist/trained_lstm", "mnist/trained_lstm_int8", "dtln-speech-enhancement/model_1", "dtln-speech-enhancement/model_2", "mlperf-tiny-kws/kws_ref_model",
         "mlperf-tiny-kws/kws_ref_model_float32", "mobilenetv1-025-imagenet/mobilenet_v1_0.25_224_float"]
out = []
for name in names:
    it = tf.lite.Interpreter(os.path.join(fixtures, name + ".tflite"), experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
    it.allocate_tensors()
    inputs = []
    for k, d in enumerate(it.get_input_details()):
        n = int(np.prod(d["shape"]))
        x = (((np.arange(n, dtype=np.int64) + k) * 7919 % 2001) / 1000 - 1).astype("f").reshape(d["shape"])
        s, z = d["quantization"]
        if d["dtype"] != np.float32:
            info = np.iinfo(d["dtype"])
            it.set_tensor(d["index"], np.clip(np.round(x / np.float32(s)) + z, info.min, info.max).astype(d["dtype"]))
        else:
            it.set_tensor(d["index"], x)
        inputs.append({"name": d["name"], "shape": [int(v) for v in d["shape"]]})
    it.reset_all_variables()
    it.invoke()
    outputs = []
    for d in it.get_output_details():
        y = it.get_tensor(d["index"])
        s, z = d["quantization"]
        step = float(s) if y.dtype != np.float32 else None
        if step: y = ((y.astype("f") - z) * np.float32(s)).astype("f")
        outputs.append({"name": d["name"], "shape": list(y.shape), "data": base64.b64encode(y.tobytes()).decode(), **({"step": step} if step else {})})
    out.append({"file": name + ".tflite", "inputs": inputs, "outputs": outputs})
path = os.path.join(here, "../src/formats/tflite/golden/fixtures.json.gz")
with gzip.GzipFile(path, "wb", 9, mtime=0) as f: f.write(json.dumps(out).encode())
print(os.path.getsize(path), "bytes")
