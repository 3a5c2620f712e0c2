"""Writes the node tests of the onnx package as models with inputs, for test/onnx-cases.test.ts.

    pip install onnx numpy
    python tools/onnx_cases.py /tmp/onnx-cases
    AVOCET_ONNX_CASES=/tmp/onnx-cases npx vitest run test/onnx-cases.test.ts

Each case becomes <name>.onnx and <name>.json: input name -> number of its type, shape, base64 of its bytes. Cases
whose inputs are no plain tensors get no inputs (null): they are read and written, not run.
"""
import base64
import json
import sys
import warnings
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper
from onnx.backend.test.case.node import collect_testcases

warnings.simplefilter("ignore")
folder = Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)


def encoded(value):
    proto = value if isinstance(value, TensorProto) else numpy_helper.from_array(np.asarray(value))
    if proto.data_type == TensorProto.STRING:
        raise TypeError("strings have no bytes")
    array = numpy_helper.to_array(proto)
    data = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
    return {"dtype": proto.data_type, "shape": list(array.shape), "data": data}


for case in collect_testcases(None):
    onnx.save(case.model, folder / f"{case.name}.onnx")
    try:
        values = case.data_sets[0][0]
        inputs = {port.name: encoded(value) for port, value in zip(case.model.graph.input, values)}
    except (TypeError, ValueError, AttributeError, NotImplementedError):
        inputs = None
    (folder / f"{case.name}.json").write_text(json.dumps(inputs))
print(len(list(folder.glob("*.onnx"))), "cases")
