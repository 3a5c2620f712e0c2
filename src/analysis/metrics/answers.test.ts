import { describe, expect, test } from "vitest";
import { arrayLabels, classLabels, textTruths } from "../../data/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import {
  type BatchLabels,
  type LabelKind,
  type Metric,
  metricNamed,
  recallAt,
  scoreInterval,
  textError,
} from "../inner.ts";
import { parseDecoding } from "../inner-files.ts";
import { ctcTexts } from "./ctc.ts";
import type { CtcDecoding } from "./decoding.ts";
import { editDistance } from "./edit-distance.ts";

const ctc = (given: object) => (parseDecoding({ ctc: given }, "test") as { ctc: CtcDecoding }).ctc;

/** The metric of a name that takes such labels. */
function metricOf<K extends LabelKind>(name: string, labels: K, options = {}): Metric<K> {
  return metricNamed(name, labels, options) as unknown as Metric<K>;
}

/** Scores [1, steps, classes] in which each step chooses its class. */
const choosing = (steps: readonly number[], classes: number) =>
  Tensor.float32(
    [1, steps.length, classes],
    steps.flatMap((s) => Array.from({ length: classes }, (_, c) => +(c === s))),
  );

describe("greedy CTC", () => {
  const decoding = ctc({ characters: "ab c" });

  test("repetitions are one, a blank between them makes two, and blanks vanish", () => {
    expect(ctcTexts(choosing([0, 1, 1, 0, 1, 2, 2, 3, 4, 0], 5), 1, decoding)).toEqual(["aab c"]);
  });

  test("the blank may be any class, and letters may be texts", () => {
    const last = ctc({ characters: ["ch", "sch"], blank: 2 });
    expect(ctcTexts(choosing([1, 2, 0, 2, 2, 1], 3), 1, last)).toEqual(["schchsch"]);
  });

  test.each(["ntc", "tnc", "nct"] as const)("axes %s", (axes) => {
    const texts = [[1, 2, 2], [0, 3, 4]]; // biome-ignore format: rows
    const lengths = { n: 2, t: 3, c: 5 };
    const shape = [...axes].map((axis) => lengths[axis as "n" | "t" | "c"]);
    const scores = new Float32Array(30);
    for (const [n, steps] of texts.entries()) {
      for (const [t, c] of steps.entries()) {
        const at = { n, t, c };
        scores[[...axes].reduce((i, axis, k) => i * shape[k]! + at[axis as "n" | "t" | "c"], 0)] = 1;
      }
    }
    expect(ctcTexts(Tensor.float32(shape, scores), 2, { ...decoding, axes })).toEqual(["ab", " c"]);
  });

  test("a step of NaN says nothing; other numbers of classes are refused", () => {
    const scores = choosing([1, 2], 5).floats();
    scores[0] = Number.NaN;
    expect(ctcTexts(Tensor.float32([1, 2, 5], scores), 1, decoding)).toEqual(["b"]);
    expect(() => ctcTexts(choosing([1], 4), 1, decoding)).toThrow(/5 classes in the order ntc/);
  });
});

describe("error rates of texts", () => {
  test("the distance of known pairs", () => {
    expect(editDistance([..."kitten"], [..."sitting"])).toBe(3);
    expect(editDistance([], [..."abc"])).toBe(3);
    expect(editDistance([..."abc"], [])).toBe(3);
  });

  test("errors of all samples over words and characters of all, by hand", () => {
    // "ab c" instead of "ab cc": one word of two, one character of five; "a" for "a".
    const decode = parseDecoding({ ctc: { characters: "ab c" } }, "test");
    for (const [of, value] of [
      ["words", 1 / 3],
      ["characters", 1 / 6],
    ] as const) {
      // biome-ignore format: pairs
      const metric = textError(of, { decode });
      const labels = textTruths(["ab cc", "a"], "test");
      metric.see({ y: choosing([1, 2, 3, 4], 5) }, {}, { ...labels, first: 0, size: 1 });
      metric.see({ y: choosing([1, 1], 5) }, {}, { ...labels, first: 1, size: 1, at: () => labels.at(1) });
      expect(metric.value()).toBeCloseTo(value, 15);
      expect(scoreInterval(metric)![1]).toBeGreaterThan(value);
    }
    expect(() => textError("words").see({}, {}, { ...textTruths(["a"], "test"), first: 0, size: 1 })).toThrow();
  });
});

describe("figures of signals, by hand", () => {
  const truth = Tensor.float32([2, 4], [1, -1, 1, -1, 2, 0, -2, 0]);
  const seen = (name: string, y: Tensor) => {
    const metric = metricOf(name, "arrays");
    metric.see({ y }, {}, { ...arrayLabels(truth, "test"), first: 0, size: 2 });
    return metric.value();
  };
  const y = Tensor.float32([2, 4], [3, -1, 3, -1, 2, 2, -2, -2]);

  test("mean squared difference", () => expect(seen("mse", y)).toBe((2 + 2) / 2));

  test("cosine", () => {
    // ⟨x, s⟩ = 8 of √20·2, and 8 of 4·√8.
    expect(seen("cosine", y)).toBeCloseTo((8 / (Math.sqrt(20) * 2) + 8 / (4 * Math.sqrt(8))) / 2, 15);
    const zeros = Tensor.float32([2, 4], new Float32Array(8));
    expect(seen("cosine", zeros)).toBe(0);
  });

  test("SI-SNR knows neither scale nor offset, and in the second signal half of the power is noise", () => {
    // First: 2·s + 1, without noise. Second: the target is (2, 0, −2, 0), what is left (0, 2, 0, −2).
    const metric = metricOf("si-snr", "arrays");
    const second = { ...arrayLabels(truth, "test"), first: 1, size: 1, at: () => Tensor.float32([4], [2, 0, -2, 0]) };
    metric.see({ y: Tensor.float32([1, 4], [2, 2, -2, -2]) }, {}, second);
    expect(metric.value()).toBeCloseTo(0, 12);
    metric.see({ y: Tensor.float32([1, 4], [20, 10, -20, -10]) }, {}, second);
    // Of the second 6.02 dB: 20² to 10².
    expect(metric.value()).toBeCloseTo((0 + 10 * Math.log10(4)) / 2, 12);
    expect(seen("si-snr", Tensor.float32([2, 4], [3, -1, 3, -1, 5, 1, -3, 1]))).toBe(Number.POSITIVE_INFINITY);
  });

  test("against the outputs of the model that it is compared with", () => {
    const metric = metricOf("mse", "outputs");
    const labels: BatchLabels["outputs"] = { kind: "outputs", outputs: { y: truth }, first: 0, size: 2 };
    metric.see({ y }, {}, labels);
    expect(metric.value()).toBe(2);
    const short = { ...labels, outputs: { y: Tensor.float32([2, 2], [1, 2, 3, 4]) } };
    expect(() => metric.see({ y }, {}, short)).toThrow(/4 elements a sample/);
  });
});

test("a metric of the table by name; a name with other labels has the list", () => {
  expect(metricNamed("recall@5", "classes").name).toBe("recall@5");
  expect(() => metricNamed("wer", "classes")).toThrow(/labels of classes, got "wer"/);
});

describe("recall of embeddings", () => {
  const recall = (k: number, y: Tensor, labels: readonly number[]) => {
    const metric = recallAt(k);
    metric.see({ y }, {}, { ...classLabels(labels, "test"), first: 0, size: labels.length });
    return metric;
  };

  test("by hand: the nearest of each, by angle and not by length", () => {
    // Angles 0°, 10°, 25°, 90°; pairs (0°, 10°) and (25°, 90°): 25° finds 10° first and 0° second.
    const degrees = [0, 10, 25, 90];
    const y = Tensor.float32([4, 2], degrees.flatMap((d, i) => [Math.cos((d * Math.PI) / 180), Math.sin((d * Math.PI) / 180)].map((x) => x * (i + 1)))); // biome-ignore format: one thought
    expect(recall(1, y, [0, 0, 1, 1]).value()).toBe(3 / 4);
    expect(recall(2, y, [0, 0, 1, 1]).value()).toBe(3 / 4);
    expect(recall(3, y, [0, 0, 1, 1]).value()).toBe(1);
    // Who is alone is looked among, not for: 0° finds 10° before 25°.
    expect(recall(1, y, [0, 7, 0, 8]).value()).toBe(0);
    expect(scoreInterval(recall(1, y, [0, 0, 1, 1]))).toBeNull();
  });

  test("embeddings that are all the same find nothing, and labels of one sample each are refused", () => {
    const same = Tensor.float32([4, 2], [1, 0, 1, 0, 1, 0, 1, 0]);
    expect(recall(1, same, [0, 0, 1, 1]).value()).toBe(0);
    expect(() => recall(1, same, [0, 1, 2, 3]).value()).toThrow(/belong together/);
  });

  test("what would take all memory is refused", () => {
    const wide = Tensor.float32([1, 2 ** 25 + 1], new Float32Array(2 ** 25 + 1));
    expect(() => recall(1, wide, [0])).toThrow(/at most 8192 embeddings/);
  });
});
