"""What AIMET makes of our folders: `python aimet_loader.py PEERS FOLDER WEIGHTS FILE…` prints one JSON line for each encodings file.

PEERS is the folder of data.py; FOLDER holds float.onnx (the float model with the decided weights) and model.onnx (what ships);
WEIGHTS is the width. float.onnx goes into a QuantizationSimModel, `load_encodings_to_sim` takes the file, and both AIMET's
simulation and the shipped file in stock ONNX Runtime judge the 5,000 test pictures of CIFAR-10.

TIES=0 keeps AIMET from sharing one quantizer between the input and the output of AveragePool: the default target of Avocet gives
them grids of their own, as ONNX Runtime's kernel takes, and AIMET would overwrite one by the other.
"""

import json
import logging
import os
import sys
import warnings

peers, folder, weights, *files = sys.argv[1:]
sys.path.insert(0, peers)
logging.disable(logging.WARNING)
warnings.simplefilter("ignore")

import aimet_onnx
import aimet_onnx.quantsim as quantsim
import numpy as np
import onnx
import onnxruntime as ort

import data

if os.environ.get("TIES") == "0":
    quantsim._tie_qtzrs = False

_, x, y = data.cifar(1, int(os.environ.get("PICTURES", "5000")))
name = onnx.load(os.path.join(folder, "float.onnx")).graph.input[0].name


def decided(session):
    return np.concatenate([session.run(None, {name: x[i : i + 50]})[0].argmax(1) for i in range(0, len(x), 50)])


def facts(sim):
    """Every enabled quantizer with its numbers: equal facts give equal scores."""
    return {
        tensor: (q.bitwidth, [(e.delta, e.offset) for e in q.get_encodings()])
        for tensor, q in sim.qc_quantize_op_dict.items()
        if q.enabled and q.get_encodings()
    }


ours = decided(ort.InferenceSession(os.path.join(folder, "model.onnx"), providers=["CPUExecutionProvider"]))
known = []
for file in files:
    sim = aimet_onnx.QuantizationSimModel(onnx.load(os.path.join(folder, "float.onnx")), param_type=f"int{weights}",
                                          activation_type="int8", providers=["CPUExecutionProvider"])
    quantsim.load_encodings_to_sim(sim, file, strict=False)
    found = facts(sim)
    # The float32 of a scale is the same whether written as 8 or 17 digits; the simulation is slow, so it runs once for equal facts.
    theirs = next((result for other, result in known if other == found), None)
    if theirs is None:
        theirs = decided(sim.session)
        known.append((found, theirs))
    print(json.dumps({
        "version": json.load(open(file))["version"],
        "quantizers": len(found),
        "aimet": round(100 * float((theirs == y).mean()), 2),
        "avocet": round(100 * float((ours == y).mean()), 2),
        "agreement": round(100 * float((theirs == ours).mean()), 2),
    }), flush=True)
