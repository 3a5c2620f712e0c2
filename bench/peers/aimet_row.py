"""One AIMET row of bench/ptq.mjs: `python aimet_row.py FOLDER TASK JOB`, FOLDER being that of aimet.py and data.py.

aimet.py does the work. Here it learns int3, which AIMET knows only as a custom type, and its judge also tells the SQNR of
the outputs against the float model on the pictures that judge.
"""

import sys
import time as clock

folder, task, job = sys.argv[1:4]
sys.path.insert(0, folder)

import numpy as np
import onnxruntime as ort
from aimet_onnx.common.defs import QTYPE_ALIASES, qtype

QTYPE_ALIASES["int3"] = qtype.int(3)

import aimet
import data

file, name, read, score, batch = data.TASKS[task]
sums = np.zeros(2)


def judge(run, x, y):
    exact = ort.InferenceSession(data.path(file), providers=["CPUExecutionProvider"])
    sums[:] = 0

    def compared(v):
        wanted, found = exact.run(None, {name: v})[0], run(v)
        sums[:] += (wanted.astype(float) ** 2).sum(), ((wanted.astype(float) - found) ** 2).sum()
        return found

    return score(compared, x, y)


data.TASKS[task] = file, name, read, judge, batch


class Time:
    """What aimet.py takes for the module: it asks in pairs around what it times, and processor seconds are told as well."""

    readings = []

    def time(self):
        self.readings.append(clock.process_time())
        return clock.time()


aimet.time = Time()
plain = aimet.say


def say(**row):
    readings = Time.readings
    cpu = sum(end - start for start, end in zip(readings[::2], readings[1::2]))
    plain(**row, cpu_s=round(cpu, 2), **({"sqnr": round(float(10 * np.log10(sums[0] / sums[1])), 2)} if sums[1] > 0 else {}))


aimet.say = say
aimet.main(task, [job])
