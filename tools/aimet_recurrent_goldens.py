"""Records how AIMET-onnx 2.42.0 ties the quantizers of recurrent operators, for test/goldens/aimet/recurrent.json.

    pip install aimet-onnx==2.42.0
    python tools/aimet_recurrent_goldens.py

For each model and configuration: which values share one quantizer (the least name of the group stands for it), and, where the
scheme is min_max, the scale and offset that calibration on four samples gave each of them. Weights come from the same generator
as those of aimet_goldens.py.
"""

import json
import logging
import os

from aimet_goldens import FOLDER, inputs_of, model_of, simulate

HEAD = '<ir_version: 8, opset_import: ["" : 17]>\ng '
MODELS = {
    "states": "(float[5,1,8] x, float[1,1,6] h0, float[1,1,6] c0) => (float[5,1,4] z, float[1,1,6] h, float[1,1,6] c)\n"
    '<float[1,24,8] w, float[1,24,6] r, float[1,48] b, int64[1] one = {1}, float[6,4] o> {\n  y, h, c = LSTM <hidden_size = 6> (x, w, r, b, "", h0, c0)\n'
    "  s = Squeeze(y, one)\n  z = MatMul(s, o)\n}",
    "two-ways": "(float[5,1,8] x) => (float[5,1,4] z)\n"
    "<float[2,24,8] w1, float[2,24,6] r1, float[2,48] b1, float[2,24,12] w2, float[2,24,6] r2, int64[3] s = {5, 1, 12}, float[12,4] o> {\n"
    '  y1, h1, c1 = LSTM <hidden_size = 6, direction = "bidirectional"> (x, w1, r1, b1)\n  t1 = Transpose <perm = [0,2,1,3]> (y1)\n  f1 = Reshape(t1, s)\n'
    '  y2, h2, c2 = LSTM <hidden_size = 6, direction = "bidirectional"> (f1, w2, r2)\n  t2 = Transpose <perm = [0,2,1,3]> (y2)\n  f2 = Reshape(t2, s)\n'
    "  z = MatMul(f2, o)\n}",
    "gated": "(float[5,1,8] x, float[2,1,6] h0) => (float[5,1,4] z, float[1,1,6] h)\n"
    "<float[8,8] p, float[1,18,8] w, float[1,18,6] r, float[1,36] b, int64[1] one = {1}, int64[1] nought = {0}, float[6,4] o> {\n"
    '  m = MatMul(x, p)\n  h1 = Slice(h0, nought, one, nought)\n  y, h = GRU <hidden_size = 6, linear_before_reset = 1> (m, w, r, b, "", h1)\n'
    "  s = Squeeze(y, one)\n  z = MatMul(s, o)\n}",
    "plain": "(float[5,1,8] x, float[1,1,6] h0) => (float[5,1,4] z, float[1,1,6] h)\n"
    "<float[1,6,8] w, float[1,6,6] r, float[1,12] b, int64[1] one = {1}, float[6,4] o> {\n  t = Tanh(x)\n"
    '  y, h = RNN <hidden_size = 6, direction = "reverse", activations = ["Relu"]> (t, w, r, b, "", h0)\n  s = Squeeze(y, one)\n  z = MatMul(s, o)\n}',
    "shared-input": "(float[5,1,8] x) => (float[5,1,4] z, float[5,1,4] u)\n"
    "<float[1,18,8] w1, float[1,18,6] r1, float[1,6,8] w2, float[1,6,6] r2, int64[1] one = {1}, float[6,4] o, float[6,4] p> {\n"
    "  y1, h1 = GRU <hidden_size = 6> (x, w1, r1)\n  y2, h2 = RNN <hidden_size = 6> (x, w2, r2)\n  s1 = Squeeze(y1, one)\n  s2 = Squeeze(y2, one)\n"
    "  z = MatMul(s1, o)\n  u = MatMul(s2, p)\n}",
    "last-state": '(float[5,1,8] x) => (float[1,1,4] z)\n<float[1,24,8] w, float[1,24,6] r, float[6,4] o> {\n'
    "  y, h, c = LSTM <hidden_size = 6> (x, w, r)\n  z = MatMul(h, o)\n}",
}
CONFIGS = [("default", (8, 8)), ("htp_v73", (8, 16)), ("htp_v66", (8, 8)), ("enpu_v7", (8, 8))]


def record(model, config, widths):
    sim = simulate(model, config, widths, "min_max")
    sim.compute_encodings(inputs_of(model, 4))
    groups = {}
    for name, q in sorted(sim.qc_quantize_op_dict.items()):
        if q.enabled:
            groups.setdefault(id(q), []).append(name)
    rows = {}
    for names in groups.values():
        found = sim.qc_quantize_op_dict[names[0]].get_encodings()
        rows[" ".join(names)] = {"scale": [float(f"{e.delta:.9g}") for e in found], "offset": [e.offset for e in found]} if found else None
    return rows


def main():
    logging.disable(logging.WARNING)
    lines = []
    for name, text in MODELS.items():
        model = model_of(HEAD + text)
        recorded = {f"{config} w{w}a{a}": record(model, config, (w, a)) for config, (w, a) in CONFIGS}
        lines.append(f"{json.dumps(name)}: {json.dumps({'text': HEAD + text, 'quantizers': recorded}, separators=(',', ':'))}")
        print(name, flush=True)
    with open(os.path.join(FOLDER, "recurrent.json"), "w") as f:
        f.write("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
