/** Cross-entropy of next tokens against numbers by hand. */
import { describe, expect, test } from "vitest";
import { type Feeds, Tensor } from "../../tensor/inner.ts";
import { metricRows, scoreInterval } from "../inner.ts";
import type { Metric } from "./metric.ts";

const make = (name: string) => metricRows(name)[0]!.make(name, {}) as Metric<"none">;
const see = (metric: Metric<"none">, logits: Tensor, feeds: Feeds) =>
  metric.see({ logits }, feeds, { kind: "none", first: 0, size: logits.shape[0]! });

/** Two texts of three tokens of a vocabulary of two: p(next) is 3/4, 1/2 and 1/4, 1/2. */
const log3 = Math.log(3);
const logits = Tensor.float32([2, 3, 2], [log3, 0, 5, 5, 9, 9, 100, 100 + log3, 0, 0, 9, 9]);
const input_ids = Tensor.int64([2, 3], [1, 0, 1, 0, 0, 1]);
const nats = -(Math.log(3 / 4) + Math.log(1 / 2) + Math.log(1 / 4) + Math.log(1 / 2)) / 4;

describe("cross-entropy", () => {
  test.each([
    ["cross-entropy", nats, "nats"],
    ["bits-per-token", nats / Math.log(2), "bits"],
    ["perplexity", Math.exp(nats), ""],
  ])("%s is the mean over the next tokens of all texts", (name, expected, unit) => {
    const metric = make(name);
    see(metric, logits, { input_ids });
    // Scores are float32: next to 100 they lie 8e-6 apart.
    expect(metric.value()).toBeCloseTo(expected, 5);
    expect([metric.unit, metric.better, metric.labels]).toEqual([unit, "lower", "none"]);
    expect(scoreInterval(metric)!.every(Number.isFinite)).toBe(true);
  });

  test("tokens that are masked are neither foreseen nor used to foresee", () => {
    const metric = make("cross-entropy");
    see(metric, logits, { input_ids, attention_mask: Tensor.int64([2, 3], [1, 1, 0, 0, 1, 1]) });
    expect(metric.value()).toBeCloseTo(-(Math.log(3 / 4) + Math.log(1 / 2)) / 2, 6);
  });

  test("zeros that fill a short text are not judged where the model takes no mask", () => {
    const [short, masked] = [make("cross-entropy"), make("cross-entropy")];
    const filled = Tensor.int64([2, 3], [0, 1, 0, 0, 0, 1]);
    see(short, logits, { input_ids: filled });
    see(masked, logits, { input_ids: filled, attention_mask: Tensor.int64([2, 3], [1, 1, 0, 1, 1, 1]) });
    expect(short.value()).toBe(masked.value());
    const own = make("cross-entropy");
    see(own, logits, { input_ids: filled, attention_mask: Tensor.int64([2, 3], [1, 1, 1, 1, 1, 1]) });
    expect(own.value()).not.toBe(short.value());
  });

  test("large logits do not overflow", () => {
    const metric = make("cross-entropy");
    see(metric, Tensor.float32([1, 2, 2], [3e38, 3e38, 0, 0]), { input_ids: Tensor.int64([1, 2], [0, 1]) });
    expect(metric.value()).toBeCloseTo(Math.log(2), 12);
  });

  test.each<[string, Feeds, Tensor, string]>([
    ["outputs of another length", { input_ids: Tensor.int64([1, 3], [0, 1, 0]) }, logits, "data/wrong-shape"],
    ["classes of a whole text", { input_ids }, Tensor.float32([2, 2], [0, 0, 0, 0]), "data/wrong-shape"],
    ["tokens beyond the vocabulary", { input_ids: Tensor.int64([2, 3], [0, 2, 0, 0, 0, 0]) }, logits, "data/labels"],
    ["no tokens", { x: Tensor.float32([2, 3], [0, 0, 0, 0, 0, 0]) }, logits, "usage/bad-value"],
  ])("%s are refused", (_, feeds, output, code) => {
    expect(() => see(make("perplexity"), output, feeds)).toThrow(expect.objectContaining({ code }));
  });
});
