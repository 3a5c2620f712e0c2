"""Writes src/analysis/metrics/golden/coco.json: boxes drawn from a seed, and what COCO's own evaluation says of them.

    pip install pycocotools numpy
    python tools/coco_goldens.py > src/analysis/metrics/golden/coco.json

Images have 1024 × 1024 pixels and boxes lie on them, so that shares of the image are exact in binary, and so are all overlaps.
"""
import contextlib
import json
import sys

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

random = np.random.default_rng(11)
images, classes = 16, 4


def box():
    x, y = random.integers(0, 700, 2)
    w, h = random.integers(40, 300, 2)
    return [int(v) for v in (x, y, x + w, y + h)]


def moved(one):
    a = [min(max(int(v + random.normal() * 7), 0), 1023) for v in one]
    return [a[0], a[1], max(a[2], a[0] + 1), max(a[3], a[1] + 1)]


truth, found = [], []
for image in range(images):
    objects = [[int(random.integers(0, classes)), *box(), int(random.random() < 0.12)] for _ in range(random.integers(0, 7))]
    boxes = []
    for label, *corners, _ in objects:
        for _ in range(random.integers(0, 3)):
            boxes.append([label if random.random() < 0.85 else int(random.integers(0, classes)), *moved(corners)])
    boxes += [[int(random.integers(0, classes)), *box()] for _ in range(random.integers(0, 3))]
    # Some scores are equal.
    found.append([[*one, int(random.integers(1, 40)) / 64] for one in boxes])
    truth.append(objects)

with contextlib.redirect_stdout(sys.stderr):
    coco = COCO()
    coco.dataset = {
        "images": [{"id": i, "width": 1024, "height": 1024} for i in range(images)],
        "categories": [{"id": c, "name": str(c)} for c in range(classes)],
        "annotations": [
            {"id": 1 + 100 * i + j, "image_id": i, "category_id": c, "bbox": [x1, y1, x2 - x1, y2 - y1],
             "area": (x2 - x1) * (y2 - y1), "iscrowd": crowd}
            for i, objects in enumerate(truth) for j, (c, x1, y1, x2, y2, crowd) in enumerate(objects)
        ],
    }
    coco.createIndex()
    results = coco.loadRes([
        {"image_id": i, "category_id": c, "bbox": [x1, y1, x2 - x1, y2 - y1], "score": score}
        for i, boxes in enumerate(found) for c, x1, y1, x2, y2, score in boxes
    ])
    evaluation = COCOeval(coco, results, "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()

json.dump({
    "comment": "tools/coco_goldens.py", "side": 1024, "classes": classes, "truth": truth, "found": found,
    "map": evaluation.stats[0], "map50": evaluation.stats[1], "map75": evaluation.stats[2],
}, sys.stdout)
