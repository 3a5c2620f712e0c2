"""Records what AIMET-onnx 2.42.0 does with small models of our own, for test/goldens/aimet (see the README there).

    pip install aimet-onnx==2.42.0
    python tools/aimet_goldens.py

models.json holds the models as ONNX text; constants without numbers are filled by a congruential generator that the tests
have as well, so no weights are in the repository. placement.json: every enabled quantizer, for ten configurations at four
pairs of widths. encodings.json: encodings after calibration, per scheme. files/: encodings files as AIMET exports them.
"""

import copy
import json
import logging
import os
import sys
import tempfile

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "test", "goldens", "aimet")
CONFIGS = ["default", "default-per-tensor", "htp_v66", "htp_v68", "htp_v69", "htp_v73", "htp_v81", "htp_v85", "enpu_v6", "enpu_v7"]
WIDTHS = [(8, 8), (4, 8), (8, 16), (4, 16), (16, 16)]


def numbers(seed, count):
    """Numbers from -0.5 to 0.5, the same in every language: x ← 1664525·x + 1013904223 modulo 2³²."""
    x, found = seed, np.empty(count, np.float64)
    for i in range(count):
        x = (1664525 * x + 1013904223) % 2**32
        found[i] = x / 2**32 - 0.5
    return found.astype(np.float32)


def model_of(text):
    """The model, its constants without numbers filled: the i-th (of all constants) from seed i; a variance is positive."""
    model = onnx.parser.parse_model(text)
    graph = model.graph
    declared = list(graph.value_info)
    del graph.value_info[:]
    for i, value in enumerate(declared):
        shape = [d.dim_value for d in value.type.tensor_type.shape.dim]
        data = numbers(i + 1, int(np.prod(shape))).reshape(shape)
        graph.initializer.append(numpy_helper.from_array(np.abs(data) + 0.5 if value.name == "var" else data, value.name))
    for i, node in enumerate(graph.node):
        node.name = node.name or f"{node.op_type}_{i}"
    return onnx.shape_inference.infer_shapes(model)


def inputs_of(model, samples):
    """`samples` feeds: the i-th sample of the k-th input is twelve times the numbers of seed 1000·(k + 1) + i, halved thrice."""
    feeds = []
    for i in range(samples):
        feed = {}
        for k, value in enumerate(model.graph.input):
            shape = [d.dim_value for d in value.type.tensor_type.shape.dim]
            data = numbers(1000 * (k + 1) + i, int(np.prod(shape))).reshape(shape)
            if value.type.tensor_type.elem_type == TensorProto.INT64:
                feed[value.name] = np.floor((data + 0.5) * 20).astype(np.int64)
            else:
                feed[value.name] = 4 * data
        feeds.append(feed)
    return feeds


def simulate(model, config, widths=(8, 8), scheme="min_max"):
    import aimet_onnx
    import aimet_onnx.common.quantsim_config as folder

    file = {"default-per-tensor": os.path.join(os.path.dirname(folder.__file__), "default_config.json")}.get(config, config)
    return aimet_onnx.QuantizationSimModel(copy.deepcopy(model), param_type=f"int{widths[0]}", activation_type=f"int{widths[1]}",
                                           quant_scheme=scheme, config_file=file, providers=["CPUExecutionProvider"])


def placement(model, config, widths):
    sim = simulate(model, config, widths)
    rows = {}
    for name, q in sorted(sim.qc_quantize_op_dict.items()):
        if not q.enabled:
            continue
        kind = "param" if name in sim.param_names else "activation"
        axis = f" axis {q.quant_info.channelAxis}" if q.quant_info.usePerChannelMode else ""
        rows[name] = f"{kind} {q.bitwidth} {'symmetric' if q.use_symmetric_encodings else 'asymmetric'}{axis}"
    return rows


def encodings(model, config, widths, scheme, percentile=None):
    sim = simulate(model, config, widths, scheme)
    if percentile is not None:
        for q in sim.qc_quantize_op_dict.values():
            q._tensor_quantizer.setPercentileValue(percentile)
    sim.compute_encodings(inputs_of(model, 4))
    rows = {}
    for name, q in sorted(sim.qc_quantize_op_dict.items()):
        found = q.get_encodings() if q.enabled else None
        if found:
            rows[name] = {"scale": [float(f"{e.delta:.9g}") for e in found], "offset": [e.offset for e in found]}
    return rows


def save(name, value):
    path = os.path.join(FOLDER, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(value if isinstance(value, str) else json.dumps(value, separators=(",", ":")))
        f.write("\n")


def main():
    logging.disable(logging.WARNING)
    with open(os.path.join(FOLDER, "models.json")) as f:
        models = {name: model_of(text) for name, text in json.load(f).items()}

    # One line per model: its tables of quantizers, each once, and which table holds for which configuration and widths.
    lines = []
    for name, model in models.items():
        tables, index = [], {}
        for config in CONFIGS:
            for widths in WIDTHS:
                try:
                    rows = placement(model, config, widths)
                except Exception as error:  # what AIMET refuses is a fact, too
                    rows = {"refused": f"{type(error).__name__}: {str(error)[:200]}"}
                if rows not in tables:
                    tables.append(rows)
                index[f"{config} w{widths[0]}a{widths[1]}"] = tables.index(rows)
        lines.append(f"{json.dumps(name)}: {json.dumps({'tables': tables, 'index': index}, separators=(',', ':'))}")
        print(name, len(tables), flush=True)
    save("placement.json", "{\n" + ",\n".join(lines) + "\n}")

    lines = []
    for name in ("residual", "joined", "attention"):
        for scheme, percentile in (("min_max", None), ("tf_enhanced", None), ("percentile", 99)):
            for config, widths in (("default", (8, 8)), ("default-per-tensor", (4, 8)), ("htp_v68", (8, 8)), ("htp_v73", (4, 16))):
                key = f"{name} {config} {scheme}{'' if percentile is None else f':{percentile}'} w{widths[0]}a{widths[1]}"
                lines.append(f"{json.dumps(key)}: {json.dumps(encodings(models[name], config, widths, scheme, percentile), separators=(',', ':'))}")
                print(key, flush=True)
    save("encodings.json", "{\n" + ",\n".join(lines) + "\n}")
    files(models)


def files(models):
    """Encodings files as AIMET exports them, on one line each: what a reader must take, and what a writer must equal."""
    from aimet_onnx import QSpec
    from aimet_onnx.quantsim import set_param_type

    def export(key, sim, versions):
        for version in versions:
            with tempfile.TemporaryDirectory() as folder:
                sim.export(folder, "model", encoding_version=version)
                with open(os.path.join(folder, "model.encodings")) as f:
                    save(f"files/{key}-{version}.encodings", json.dumps(json.load(f), separators=(",", ":")))

    def calibrated(name, config, widths, prepare=lambda sim: None):
        sim = simulate(models[name], config, widths)
        prepare(sim)
        sim.compute_encodings(inputs_of(models[name], 4))
        return sim

    versions = ("0.6.1", "1.0.0", "2.0.0")
    export("residual", calibrated("residual", "htp_v73", (8, 8)), versions)
    export("per-tensor", calibrated("joined", "default-per-tensor", (4, 8)), versions)
    export("wide", calibrated("attention", "htp_v73", (4, 16)), versions)
    matmul = dict(op_types=("MatMul",))
    export("blocks", calibrated("attention", "default", (8, 8), lambda sim: set_param_type(sim, QSpec.blockwise("int4", block_size=4), **matmul)), versions[1:])
    lpbq = calibrated("attention", "default", (8, 8), lambda sim: set_param_type(sim, QSpec.lpbq("int4", block_size=4), **matmul))
    export("lpbq", lpbq, versions[1:])
    onnx.save(lpbq.to_onnx_qdq(), os.path.join(FOLDER, "files/lpbq-qdq.onnx"))
    export("blocks-of-kernel", calibrated("joined", "default", (8, 8), lambda sim: set_param_type(sim, QSpec.blockwise("int4", block_size=2), op_types=("Conv",))), versions[1:])
    export("blocks-of-conv", calibrated("residual", "default", (8, 8), lambda sim: set_param_type(sim, QSpec.blockwise("int4", block_size=4), nodes_to_include=[node.name for node in sim.model.nodes() if node.op_type == "Conv" and node.name.endswith("_4") or node.op_type == "Gemm"])), versions[1:])


if __name__ == "__main__":
    main()
