/** Losses against PyTorch: value and gradient. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { gradientModel, seedPrefix } from "../autodiff/inner.ts";
import { tensorType } from "../ir/inner.ts";
import { openRuntime, traceShapes } from "../runtime/inner.ts";
import { type Feeds, Tensor } from "../tensor/inner.ts";
import type { GraphLoss } from "./loss.ts";
import { crossEntropy } from "./losses/cross-entropy.ts";
import { distillation } from "./losses/distillation.ts";
import { binaryCrossEntropy, meanAbsoluteError, meanSquaredError } from "./losses/regression.ts";

interface Golden {
  readonly targets: Readonly<
    Record<"labels" | "pixelLabels" | "teacher" | "target" | "unit" | "probabilities", number[]>
  >;
  readonly cases: Readonly<Record<string, { shape: number[]; outputs: number[]; value: number; gradient: number[] }>>;
}
const golden: Golden = JSON.parse(readFileSync(new URL("golden/losses.json", import.meta.url), "utf8"));
const runtime = await openRuntime();

/** The value of a loss and its gradient to the output `y`. */
async function judged(loss: GraphLoss, outputs: Feeds, targets: Feeds) {
  const typesOf = (feeds: Feeds) =>
    Object.fromEntries(Object.entries(feeds).map(([name, { dtype, shape }]) => [name, tensorType(dtype, shape)]));
  const model = loss.model(typesOf(outputs), typesOf(targets));
  const types = await traceShapes(model, runtime, { ...outputs, ...targets });
  await using session = await runtime.open(gradientModel(model, Object.keys(outputs), { types }));
  const results = await session.run({ ...outputs, ...targets, [`${seedPrefix}loss`]: Tensor.scalar(1) });
  return { value: results.loss!.floats()[0]!, gradient: results.gradient_y!.floats() };
}

describe("losses are PyTorch's", () => {
  const { labels, pixelLabels, teacher, target, unit, probabilities } = golden.targets;
  const matrix = (values: number[]) => Tensor.float32([3, 4], values);
  const classes = { labels: Tensor.int64([3], labels) };
  const pixels = { labels: Tensor.int64([2, 2, 2], pixelLabels) };
  const cases: Record<string, readonly [GraphLoss, Feeds]> = {
    "cross-entropy": [crossEntropy(), classes],
    "cross-entropy, smoothed": [crossEntropy({ smoothing: 0.1 }), classes],
    "cross-entropy of probabilities": [
      crossEntropy({ probabilities: true, smoothing: 0.2, target: "p" }),
      { p: matrix(probabilities) },
    ],
    "cross-entropy of pixels": [crossEntropy({ ignore: 9 }), pixels],
    "cross-entropy of pixels, smoothed": [crossEntropy({ ignore: 9, smoothing: 0.1 }), pixels],
    "mean squared error": [meanSquaredError(), { target: matrix(target) }],
    "mean absolute error": [meanAbsoluteError(), { target: matrix(target) }],
    "binary cross-entropy of scores": [binaryCrossEntropy(), { target: matrix(unit) }],
    "binary cross-entropy": [binaryCrossEntropy({ logits: false }), { target: matrix(unit) }],
    distillation: [distillation(), { teacher: matrix(teacher) }],
    "distillation at temperature 4": [distillation({ temperature: 4 }), { teacher: matrix(teacher) }],
  };
  test.each(Object.entries(cases))("%s", async (name, [loss, targets]) => {
    const { shape, outputs, value, gradient } = golden.cases[name]!;
    const found = await judged(loss, { y: Tensor.float32(shape, outputs) }, targets);
    // Float32 sums of a dozen terms of size one, on both sides.
    expect(Math.abs(found.value - value)).toBeLessThan(2e-6 * (1 + value));
    for (const [i, expected] of gradient.entries()) expect(Math.abs(found.gradient[i]! - expected)).toBeLessThan(2e-6);
  });

  test("nothing is judged where every place is ignored", async () => {
    const outputs = { y: Tensor.float32([1, 3], [1, 2, 3]) };
    const found = await judged(crossEntropy({ ignore: -100 }), outputs, { labels: Tensor.int64([1], [-100]) });
    expect(found.value).toBeCloseTo(0, 12);
    expect([...found.gradient].every((g) => g === 0 || Object.is(g, -0))).toBe(true);
  });

  test("scores that would overflow an exponential stay finite", async () => {
    const outputs = { y: Tensor.float32([1, 2], [500, -500]) };
    const binary = await judged(binaryCrossEntropy(), outputs, { target: Tensor.float32([1, 2], [0, 1]) });
    expect(binary.value).toBe(500);
    expect([...binary.gradient]).toEqual([0.5, -0.5]);
    const soft = await judged(crossEntropy(), outputs, { labels: Tensor.int64([1], [1]) });
    expect(soft.value).toBe(1000);
    expect([...soft.gradient]).toEqual([1, -1]);
  });
});
