import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { Random } from "../../base/inner.ts";
import { arrayLabels, classLabels, maskLabels } from "../../data/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import {
  argmaxClasses,
  type BatchLabels,
  lossOf,
  type Metric,
  mcNemar,
  meanIoU,
  metricDocument,
  pairedInterval,
  pairedScores,
  positionAccuracy,
  psnr,
  sameClass,
  scoreInterval,
  scoreLayout,
  topK,
  wilsonInterval,
} from "../inner.ts";

/** Lets a metric see one batch of an output `y`, of samples whose labels begin at `first`. */
function show<K extends "classes" | "masks" | "arrays">(
  metric: Metric<K>,
  labels: { at(index: number): unknown },
  y: Tensor,
  first = 0,
  size = y.shape[0]!,
): void {
  const batch = { ...labels, first, size, at: (n: number) => labels.at(first + n) };
  metric.see({ y }, {}, batch as BatchLabels[K]);
}

/** The score of one batch under top-k. */
function top(k: number, labels: readonly number[], scores: readonly (readonly number[])[]): number {
  const metric = topK(k);
  show(metric, classLabels(labels, "test"), Tensor.float32([scores.length, scores[0]!.length], scores.flat()));
  return metric.value();
}

describe("top-k", () => {
  test("the label must be among the k highest", () => {
    const scores = [
      [1, 3, 2],
      [1, 3, 2],
      [1, 3, 2],
    ];
    expect(top(1, [1, 2, 0], scores)).toBe(1 / 3);
    expect(top(2, [1, 2, 0], scores)).toBe(2 / 3);
    expect(top(3, [1, 2, 0], scores)).toBe(1);
  });

  test("of equal scores the first wins, as argmax does", () => {
    expect(top(1, [0, 1], [[5, 5, 5], [5, 5, 5]])).toBe(0.5); // biome-ignore format: a matrix
    expect(top(2, [1, 2], [[5, 5, 5], [5, 5, 5]])).toBe(0.5); // biome-ignore format: a matrix
  });

  test("NaN is never right, and it wins against others, as in NumPy's argmax", () => {
    const nan = Number.NaN;
    expect(top(1, [0, 1], [[nan, nan, nan], [nan, 3, 1]])).toBe(0); // biome-ignore format: a matrix
    expect(top(2, [1], [[nan, 3, 1]])).toBe(1);
    expect(top(3, [0], [[nan, 3, 1]])).toBe(0);
  });

  test("samples are counted across batches, by their numbers", () => {
    const [metric, labels] = [topK(1), classLabels([0, 1, 1], "test")];
    show(metric, labels, Tensor.float32([2, 2], [1, 0, 1, 0]));
    show(metric, labels, Tensor.float32([1, 2], [0, 1]), 2);
    expect(metric.value()).toBe(2 / 3);
  });

  test("[N, C, 1, 1] is classification too; pixels and foreign labels are refused", () => {
    const [metric, labels] = [topK(1), classLabels([1], "test")];
    const two = Tensor.float32([1, 2], [0, 1]);
    show(metric, labels, Tensor.float32([1, 2, 1, 1], [0, 1]));
    expect(metric.value()).toBe(1);
    expect(() => show(metric, labels, Tensor.float32([1, 2, 2, 1], [0, 1, 0, 1]))).toThrow(
      /expected scores \[1, classes\]/,
    );
    expect(() => show(topK(1), classLabels([7], "test"), two)).toThrow(/labels below 2/);
    expect(() => show(topK(1, { output: "z" }), labels, two)).toThrow(/expected an output/);
  });
});

describe("mean IoU", () => {
  /** Scores [1, C, H, W] whose winner at each pixel is given. */
  const scoresOf = (found: readonly number[], classes: number) =>
    Tensor.float32(
      [1, classes, 1, found.length],
      Array.from({ length: classes }, (_, c) => found.map((f) => (f === c ? 1 : 0))).flat(),
    );

  test("equals a confusion matrix by hand", () => {
    // truth 0 0 0 1 1 2, found 0 0 1 1 2 2: IoU 2/3, 1/3, 1/2.
    const labels = maskLabels(Uint8Array.from([0, 0, 0, 1, 1, 2]), [1, 1, 6], "test");
    const metric = meanIoU();
    show(metric, labels, scoresOf([0, 0, 1, 1, 2, 2], 3));
    expect(metric.value()).toBeCloseTo((2 / 3 + 1 / 3 + 1 / 2) / 3, 12); // float64 sums
  });

  test("an ignored label is not judged and no class, but found instead of a class it is an error", () => {
    const labels = maskLabels(Uint8Array.from([0, 0, 1, 2]), [1, 1, 4], "test");
    const metric = meanIoU({ ignore: 2 });
    show(metric, labels, scoresOf([0, 2, 1, 0], 3));
    expect(metric.value()).toBe((1 / 2 + 1) / 2);
  });

  test("equals the NumPy way: bincount, rows of judged classes, hit / union", () => {
    const random = new Random(5);
    const [classes, void_, places, count] = [4, 4, 50, 3];
    const truth = Uint8Array.from({ length: count * places }, () => random.integer(classes + 1));
    const [metric, labels] = [meanIoU({ ignore: void_ }), maskLabels(truth, [count, 5, 10], "test")];
    // table = bincount(truth * 5 + found).reshape(5, 5)[:4]; union = table.sum(1) + table.sum(0)[:4] - diag
    const table = Array.from({ length: classes + 1 }, () => new Array<number>(classes + 1).fill(0));
    for (let n = 0; n < count; n++) {
      const scores = Tensor.float32(
        [1, classes + 1, 5, 10],
        Float32Array.from({ length: (classes + 1) * places }, () => random.normal()),
      );
      show(metric, labels, scores, n);
      const found = argmaxClasses(scores, scoreLayout(scores.shape));
      for (let i = 0; i < places; i++) table[truth[n * places + i]!]![found[i]!]!++;
    }
    const judged = table.slice(0, classes);
    const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);
    const unions = judged.map((row, c) => sum(row) + sum(judged.map((r) => r[c]!)) - row[c]!);
    expect(metric.value()).toBeCloseTo(sum(judged.map((row, c) => row[c]! / unions[c]!)) / classes, 12); // float64 sums
  });

  test("[N, H, W, C] is recognised by the number of pixels", () => {
    const metric = meanIoU();
    show(metric, maskLabels(Uint8Array.from([0, 1, 1]), [1, 1, 3], "test"), Tensor.float32([1, 1, 3, 2], [1, 0, 0, 1, 0, 1])); // biome-ignore format: a call
    expect(metric.value()).toBe(1);
  });

  test("a pixel with NaN is found as no class", () => {
    const metric = meanIoU();
    show(metric, maskLabels(Uint8Array.from([0, 1]), [1, 1, 2], "test"), Tensor.float32([1, 2, 1, 2], [Number.NaN, 0, 0, 1])); // biome-ignore format: a call
    expect(metric.value()).toBe(1 / 2);
  });

  test("masks of another size and labels beyond the classes are refused", () => {
    const [metric, labels] = [meanIoU(), maskLabels(Uint8Array.from([0, 9]), [1, 1, 2], "test")];
    expect(() => show(metric, labels, Tensor.float32([1, 3, 1, 3], [1, 0, 0, 1, 0, 1, 0, 0, 0]))).toThrow(
      /1 × 1 × 2 pixels/,
    );
    expect(() => show(metric, labels, scoresOf([0, 1], 3))).toThrow(/labels below 3, sample 0 has a pixel of class 9/);
  });
});

describe("outputs that are class numbers", () => {
  test("ArgMax is top-1; TopK has several choices, and no more than it has", () => {
    const labels = classLabels([3, 1, 2], "test");
    const one = topK(1);
    show(one, labels, Tensor.int64([3], [3, 0, 2]));
    expect(one.value()).toBe(2 / 3);
    const two = topK(2);
    show(two, labels, Tensor.int64([3, 2], [0, 3, 1, 0, 0, 1]));
    expect(two.value()).toBe(2 / 3);
    expect(two.tally!.classes!()).toBeNull();
    expect(() => show(topK(2), labels, Tensor.int64([3], [3, 0, 2]))).toThrow(/2 class numbers a sample/);
    expect(() => show(topK(1), labels, Tensor.int64([3, 2, 2], new Array(12).fill(0)))).toThrow(/1 class numbers/); // biome-ignore format: a call
  });

  test("mean IoU of a map of classes is that of its scores, over the classes that occur", () => {
    const labels = maskLabels(Uint8Array.from([0, 0, 0, 1, 1, 2]), [1, 1, 6], "test");
    const metric = meanIoU();
    show(metric, labels, Tensor.of("int32", [1, 1, 6], Int32Array.from([0, 0, 1, 1, 2, 2])));
    expect(metric.value()).toBeCloseTo((2 / 3 + 1 / 3 + 1 / 2) / 3, 12); // float64 sums
  });
});

describe("what a metric knows beside its score", () => {
  test("guessing: by chance, and always the commonest label where there are several", () => {
    const labels = [0, 0, 0, 1];
    const metric = topK(1);
    show(metric, classLabels(labels, "test"), Tensor.float32([4, 10], new Array(40).fill(0)));
    expect(metric.tally!.guessing!()).toEqual({ chance: 0.1, commonest: 0.75 });
    const alone = topK(1);
    show(alone, classLabels([5, 5], "test"), Tensor.float32([2, 10], new Array(20).fill(0)));
    expect(alone.tally!.guessing!()).toEqual({ chance: 0.1, commonest: 0 });
  });

  test("guessing of masks is what random masks score", () => {
    const random = new Random(3);
    const [count, places, classes] = [4, 40_000, 3];
    const truth = Uint8Array.from({ length: count * places }, () =>
      random.uniform() < 0.6 ? 0 : 1 + random.integer(2),
    );
    const metric = meanIoU();
    const guess = Int32Array.from({ length: count * places }, () => random.integer(classes));
    const scores = new Float32Array(count * classes * places);
    guess.forEach((c, i) => {
      scores[(Math.floor(i / places) * classes + c) * places + (i % places)] = 1;
    });
    show(metric, maskLabels(truth, [count, 200, 200], "test"), Tensor.float32([count, classes, 200, 200], scores));
    // 160,000 pixels: a standard error of a thousandth.
    expect(metric.tally!.guessing!().chance).toBeCloseTo(metric.value(), 2);
    expect(metric.tally!.guessing!().commonest).toBeCloseTo(0.6 / 3, 2);
  });

  test("pairs: only samples on which the two differ count", () => {
    const labels = classLabels(new Array(20).fill(0), "test");
    const scored = (right: (n: number) => boolean) => {
      const metric = topK(1);
      show(metric, labels, Tensor.float32([20, 2], Array.from({ length: 20 }, (_, n) => (right(n) ? [1, 0] : [0, 1])).flat())); // biome-ignore format: a call
      return metric;
    };
    const paired = pairedScores(scored((n) => n !== 0), scored((n) => n > 4))!; // biome-ignore format: a call
    expect(paired.interval).toEqual(pairedInterval(4, 0, 20));
    expect(paired.p).toBe(mcNemar(4, 0));
    expect(scoreInterval(scored((n) => n > 4))).toEqual(wilsonInterval(15, 20));
    expect(scoreInterval({})).toBeNull();
  });
});

describe("accuracy of positions", () => {
  const labels = maskLabels(Uint8Array.from([0, 1, 2, 1, 1, 9]), [2, 1, 3], "test");
  /** Scores [2, 3 positions, 4 classes] whose winners are given. */
  const scoresOf = (found: readonly number[]) =>
    Tensor.float32(
      [2, 3, 4],
      found.flatMap((winner) => [0, 1, 2, 3].map((c) => (c === winner ? 1 : 0))),
    );

  test("is the share of judged positions, whole samples for the interval", () => {
    const metric = positionAccuracy({ ignore: 9 });
    show(metric, labels, scoresOf([0, 1, 1, 1, 0, 3]));
    expect(metric.value()).toBe(3 / 5);
    expect(metric.tally!.rows.map((row) => [...Array.from(row)])).toEqual([[2, 3], [1, 2]]); // biome-ignore format: rows
    expect(metric.tally!.guessing!()).toEqual({ chance: 1 / 4, commonest: 3 / 5 });
  });

  test("of class numbers as of scores; foreign labels and other shapes are refused", () => {
    const metric = positionAccuracy({ ignore: 9 });
    show(metric, labels, Tensor.int64([2, 3], [0, 1, 1, 1, 0, 3]));
    expect(metric.value()).toBe(3 / 5);
    expect(() => show(positionAccuracy(), labels, scoresOf([0, 1, 1, 1, 0, 3]))).toThrow(/labels below 4/);
    expect(() => show(positionAccuracy(), labels, Tensor.float32([2, 4], new Array(8).fill(0)))).toThrow(/2 × 3 positions/); // biome-ignore format: a call
  });
});

describe("peak signal-to-noise ratio", () => {
  // Two pictures of two pixels, by hand: squares 0.01 + 0.03 over 2, and 0.25 over 2.
  const truth = arrayLabels(Tensor.float32([2, 1, 2], [0.5, 0.5, 0, 1]), "test");
  const found = Tensor.float32([2, 1, 2], [0.6, 0.5 + Math.sqrt(0.03), 0.5, 1]);

  test("is the mean of 10 log10(peak² / mse) over samples, in dB", () => {
    const metric = psnr();
    show(metric, truth, found);
    const each = [10 * Math.log10(1 / 0.02), 10 * Math.log10(1 / 0.125)];
    expect(metric.value()).toBeCloseTo((each[0]! + each[1]!) / 2, 5); // float32 pixels
    expect(metric.tally!.rows.map((row) => row[0])).toEqual([expect.closeTo(each[0]!, 5), expect.closeTo(each[1]!, 5)]); // biome-ignore format: a row
    expect(metric).toMatchObject({ unit: "dB", better: "higher", labels: "arrays" });
  });

  test("whole numbers have the peak 255; another peak adds 20 log10 of it; equal pictures are infinite, without interval", () => {
    const bytes = arrayLabels(Tensor.of("uint8", [1, 2], Uint8Array.of(10, 20)), "test");
    const metric = psnr();
    show(metric, bytes, Tensor.float32([1, 2], [12, 20]));
    expect(metric.value()).toBeCloseTo(10 * Math.log10(255 ** 2 / 2), 12);
    const [one, two] = [psnr(), psnr({ peak: 2 })];
    for (const m of [one, two]) show(m, truth, found);
    expect(two.value() - one.value()).toBeCloseTo(20 * Math.log10(2), 12);
    const equal = psnr();
    show(equal, truth, Tensor.float32([2, 1, 2], [0.5, 0.5, 0, 1]));
    expect(equal.value()).toBe(Number.POSITIVE_INFINITY);
    expect(scoreInterval(equal)).toBeNull();
    expect(() => show(psnr(), truth, Tensor.float32([2, 3], new Array(6).fill(0)))).toThrow(/labels with 3 elements/);
  });
});

test("agreement judges the decisions of one model by those of another", () => {
  const metric = sameClass();
  const y = (winners: readonly number[]) =>
    Tensor.float32([winners.length, 3], winners.flatMap((w) => [0, 1, 2].map((c) => (c === w ? 1 : 0)))); // biome-ignore format: a call
  metric.see({ y: y([0, 1, 2, 2]) }, {}, { kind: "outputs", outputs: { y: y([0, 1, 1, 2]) }, first: 0, size: 4 });
  expect(metric.value()).toBe(3 / 4);
  expect(sameClass().value()).toBeNaN();
});

test("what is lost has the sign of worse, whichever way is better", () => {
  expect(lossOf({ better: "higher" }, 31, 30)).toBe(1);
  expect(lossOf({ better: "lower" }, 0.2, 0.3)).toBeCloseTo(0.1, 12);
  const scored = (values: readonly number[], better: "higher" | "lower"): Metric => ({
    name: "own", unit: "m", better, labels: "none", see: () => {}, value: () => 0,
    tally: { rows: values.map((value) => [value]), isShare: false, score: (sums) => sums[0]! / values.length },
  }); // biome-ignore format: a row
  // The second is worse by exactly 1 on every sample, so that the interval has no width.
  expect(pairedScores(scored([1, 2, 3, 4], "lower"), scored([2, 3, 4, 5], "lower"))!.interval).toEqual([1, 1]);
  expect(pairedScores(scored([2, 3, 4, 5], "higher"), scored([1, 2, 3, 4], "higher"))!.interval).toEqual([1, 1]);
});

test("docs/judging.md has a row for every metric", () => {
  expect(readFileSync("docs/judging.md", "utf8")).toContain(metricDocument());
});
