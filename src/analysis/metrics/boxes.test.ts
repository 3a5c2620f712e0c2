import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { BoxLabels } from "../../data/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import { type Decoding, type Metric, meanAveragePrecision, metricRows } from "../inner.ts";
import { parseDecoding } from "../inner-files.ts";
import { averagePrecision, emptyTally } from "./average-precision.ts";
import { decodeBoxes } from "./box-decoder.ts";

interface Golden {
  readonly side: number;
  readonly classes: number;
  /** By image: class, corners in pixels, whether it is a crowd. */
  readonly truth: readonly (readonly number[])[][];
  /** By image: class, corners in pixels, score. */
  readonly found: readonly (readonly number[])[][];
  readonly map: number;
  readonly map50: number;
  readonly map75: number;
}
const golden: Golden = JSON.parse(readFileSync(new URL("golden/coco.json", import.meta.url), "utf8"));
const boxDecoding = (given: object) => {
  const decode = parseDecoding({ boxes: given }, "test") as Extract<Decoding, { boxes: unknown }>;
  return decode.boxes;
};

/** As a decoded detector hands them over: corners, then one score for each class. Nothing is suppressed. */
const corners = parseDecoding(
  { boxes: { axis: 2, box: [0, 1, 2, 3], form: "corners", classes: 4, overlap: 1, least: 1e-6 } },
  "test",
);

function seeGolden(metric: Metric<"boxes">): void {
  const most = Math.max(...golden.found.map((boxes) => boxes.length));
  const width = 4 + golden.classes;
  const of = ([label, ...box]: readonly number[]) => {
    const [x1, y1, x2, y2] = box.map((x) => x / golden.side) as [number, number, number, number];
    return { class: label!, x1, y1, x2, y2 };
  };
  for (const [i, boxes] of golden.found.entries()) {
    const y = new Float32Array(most * width);
    for (const [j, box] of boxes.entries()) {
      const { x1, y1, x2, y2, class: label } = of(box);
      y.set([x1, y1, x2, y2], j * width);
      y[j * width + 4 + label] = box[5]!;
    }
    const at = () => golden.truth[i]!.map((box) => ({ ...of(box), ignore: box[5] === 1 }));
    metric.see({ y: Tensor.float32([1, most, width], y) }, {}, { kind: "boxes", count: 1, first: i, size: 1, at });
  }
}

describe("mean average precision", () => {
  // Both compute in float64, in other orders of addition.
  test.each(["map", "map50", "map75"] as const)(
    "%s is what COCO's own tools find, crowds and equal scores included",
    (name) => {
      const metric = metricRows(name)[0]!.make(name, { decode: corners }) as Metric<"boxes">;
      seeGolden(metric);
      expect(metric.value()).toBeCloseTo(golden[name], 12);
      expect(golden[name]).toBeGreaterThan(0.05);
    },
  );

  test("VOC's is the area below the curve, by hand", () => {
    // Right, wrong, right, of three objects: precision 1 up to recall 1/3, then 2/3 up to 2/3.
    const tally = { ...emptyTally(), objects: 3, scores: [0.9, 0.8, 0.7], hits: [1, 0, 1], ignored: [0, 0, 0] };
    expect(averagePrecision(tally, 0, "area")).toBeCloseTo(1 / 3 + 2 / 9, 15);
    expect(averagePrecision({ ...tally, objects: 0 }, 0, "area")).toBeNull();
  });

  test("without a decoding it says what is missing", () => {
    const labels: BoxLabels = { kind: "boxes", count: 1, at: () => [] };
    const y = Tensor.float32([1, 1, 8], new Float32Array(8));
    expect(() => meanAveragePrecision().see({ y }, {}, { ...labels, first: 0, size: 1 })).toThrow(
      /how outputs become boxes/,
    );
  });
});

describe("decoding of boxes", () => {
  test("cells, activations and powers, by hand", () => {
    // FastestDet's form on a grid of 1 × 2: object, four numbers, two classes, next to each other on axis 1.
    const values = [[0.25, 0.81], [0, 0.5], [0, -0.5], [0, 0], [0, 1], [0.5, 0.2], [0.25, 0.64]]; // biome-ignore format: rows
    const y = Tensor.float32([1, 7, 1, 2], values.flat());
    const decoding = boxDecoding({
      box: [1, 2, 3, 4], position: "tanh", size: "sigmoid", cells: true, object: 0, classes: 5, powers: [0.5, 0.5],
    }); // biome-ignore format: one thought
    const [first, second] = decodeBoxes({ y }, 1, decoding, undefined)[0]!;
    const [cx, cy, h] = [(1 + Math.tanh(0.5)) / 2, Math.tanh(-0.5), 1 / (1 + Math.exp(-1))];
    // Inputs are float32: about 1e-7 of them is lost.
    expect(first!.score).toBeCloseTo(0.9 * 0.8, 6);
    expect([first!.class, second!.class]).toEqual([1, 0]);
    expect([first!.x1, first!.x2]).toEqual([expect.closeTo(cx - 0.25, 6), expect.closeTo(cx + 0.25, 6)]);
    expect([first!.y1, first!.y2]).toEqual([expect.closeTo(cy - h / 2, 6), expect.closeTo(cy + h / 2, 6)]);
    expect(second!.score).toBeCloseTo(Math.sqrt(0.25 * 0.5), 6);
  });

  test("boxes in pixels, in another output, and of two that overlap the better one", () => {
    const boxes = Tensor.float32([1, 3, 4], [50, 50, 100, 100, 52, 50, 100, 100, 150, 150, 20, 20]);
    const scores = Tensor.float32([1, 3, 2], [0, -1, 1, -1, -1, 0]);
    const decoding = boxDecoding({
      axis: 2, box: [0, 1, 2, 3], divide: [200, 100], classes: 0, scores: "sigmoid", boxOutput: "boxes",
    }); // biome-ignore format: one thought
    const [found] = decodeBoxes({ scores, boxes }, 1, decoding, "scores");
    expect(found!.map((box) => box.class)).toEqual([0, 1]);
    expect(found![0]!.x1).toBeCloseTo(2 / 200, 6);
    expect(found![0]!.y2).toBeCloseTo(100 / 100, 6);
    expect(found![0]!.score).toBeCloseTo(1 / (1 + Math.exp(-1)), 6);
  });

  test("letterboxed images are looked at without their margins", () => {
    // A wide image of 200 × 100 in a square input of 100: it has the rows 25 to 75.
    const decode = parseDecoding(
      { boxes: { axis: 2, box: [0, 1, 2, 3], form: "corners", divide: [100, 100], classes: 4, letterbox: true } },
      "test",
    );
    const metric = meanAveragePrecision({ decode });
    const y = Tensor.float32([1, 1, 5], [0, 25, 50, 75, 1]);
    const feeds = { x: Tensor.float32([1, 3, 100, 100], new Float32Array(30_000)) };
    const at = () => [{ class: 0, x1: 0, y1: 0, x2: 0.5, y2: 1 }];
    const labels = { kind: "boxes" as const, count: 1, first: 0, size: 1, at };
    metric.see({ y }, feeds, { ...labels, imageSize: () => [200, 100] });
    expect(metric.value()).toBe(1);
    expect(() => metric.see({ y }, feeds, labels)).toThrow(/width and height of each letterboxed image/);
  });

  test.each([
    { shape: [1, 5], text: /numbers of a box on axis 1/ },
    { shape: [2, 7, 1], text: /expected \[1, …\]/ },
    { shape: [1, 3, 4], text: /at least 6 numbers a box/ },
  ])("outputs $shape that hold no such boxes are refused", ({ shape, text }) => {
    const y = Tensor.float32(shape, new Float32Array(shape.reduce((a, b) => a * b)));
    expect(() => decodeBoxes({ y }, 1, boxDecoding({ box: [1, 2, 3, 4], classes: 5 }), undefined)).toThrow(text);
  });

  test("faults of a decoding are listed", () => {
    expect(() => parseDecoding({ boxes: { box: [1, 2, 3], clases: 5 } }, "d.json")).toThrow(/faults/);
    expect(() => parseDecoding({ ctc: {} }, "d.json")).toThrow(/characters/);
  });
});
