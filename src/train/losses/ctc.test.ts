/** CTC against PyTorch, and against the sum over all alignments. */
import { readFileSync } from "node:fs";
import { beforeAll, expect, test } from "vitest";
import { Random } from "../../base/inner.ts";
import { tensorType } from "../../ir/inner.ts";
import { openRuntime, type Runtime } from "../../runtime/inner.ts";
import { type Feeds, Tensor } from "../../tensor/inner.ts";
import type { GraphLoss } from "../loss.ts";
import { ctc } from "./ctc.ts";

interface Golden {
  readonly scores: number[];
  readonly targets: number[][];
  readonly inputLengths: number[];
  readonly targetLengths: number[];
  readonly value: number;
  readonly gradient: number[];
}
const golden: Golden = JSON.parse(readFileSync(new URL("../golden/ctc.json", import.meta.url), "utf8"));

let runtime: Runtime;
beforeAll(async () => {
  runtime = await openRuntime();
});

async function judged(loss: GraphLoss, y: Tensor, targets: Feeds) {
  const types = Object.entries(targets).map(([name, { dtype, shape }]) => [name, tensorType(dtype, shape)]);
  const model = loss.model({ y: tensorType("float32", y.shape) }, Object.fromEntries(types));
  await using session = await runtime.open(model);
  const { loss: value, gradient_of_y: gradient } = await session.run({ y, ...targets });
  return { value: value!.floats()[0]!, gradient: gradient! };
}

const list = (values: readonly number[]) => Tensor.int64([values.length], values);

function targetsOf(
  labels: readonly number[][],
  labelLengths: readonly number[],
  inputLengths: readonly number[],
): Feeds {
  return {
    labels: Tensor.int64([labels.length, labels[0]!.length], labels.flat()),
    label_lengths: list(labelLengths),
    input_lengths: list(inputLengths),
  };
}

test("value and gradient are PyTorch's, with padding and lengths of each sample", async () => {
  const targets = targetsOf(golden.targets, golden.targetLengths, golden.inputLengths);
  const found = await judged(ctc({ layout: "TNC" }), Tensor.float32([6, 3, 4], golden.scores), targets);
  // Six steps of float32 logarithms of sums.
  expect(Math.abs(found.value - golden.value)).toBeLessThan(3e-6);
  for (const [i, expected] of golden.gradient.entries()) {
    expect(Math.abs(found.gradient.floats()[i]! - expected)).toBeLessThan(2e-6);
  }
});

test("the loss is the sum over all alignments, whatever the labels and the blank", async () => {
  const random = new Random(2);
  for (const { labels, blank } of [
    { labels: [1, 1], blank: 0 },
    { labels: [0, 2], blank: 1 },
    { labels: [2], blank: 0 },
  ]) {
    const scores = Float32Array.from({ length: 4 * 3 }, () => random.normal());
    const targets = targetsOf([labels], [labels.length], [4]);
    const { value } = await judged(ctc({ blank }), Tensor.float32([1, 4, 3], scores), targets);
    expect(value).toBeCloseTo(-Math.log(overAlignments(scores, labels, blank)) / labels.length, 5);
  }
});

/** Adds the probability of every path of four steps over three classes that collapses to the labels. */
function overAlignments(scores: Float32Array, labels: readonly number[], blank: number): number {
  let sum = 0;
  for (let path = 0; path < 81; path++) {
    const steps = [0, 1, 2, 3].map((t) => Math.floor(path / 3 ** t) % 3);
    const collapsed = steps.filter((label, t) => label !== blank && label !== steps[t - 1]);
    if (collapsed.join() !== labels.join()) continue;
    sum += steps.reduce((product, label, t) => {
      const row = [...scores.subarray(3 * t, 3 * t + 3)].map(Math.exp);
      return (product * row[label]!) / row.reduce((a, b) => a + b);
    }, 1);
  }
  return sum;
}

test("a sample whose labels do not fit counts nothing", async () => {
  const scores = Tensor.float32([2, 2, 3], [0.1, 0.5, -1, 2, 0.3, 0.2, 1, 0, 0.4, 0.7, -0.2, 0]);
  // Two equal labels need a blank between them: three steps, where there are two.
  const targets = targetsOf(
    [
      [1, 1],
      [1, 2],
    ],
    [2, 2],
    [2, 2],
  );
  const { value, gradient } = await judged(ctc(), scores, targets);
  expect(Number.isFinite(value)).toBe(true);
  expect([...gradient.floats().subarray(0, 6)].every((g) => g === 0)).toBe(true);
  expect([...gradient.floats().subarray(6)].some((g) => g !== 0)).toBe(true);
});

test("one time step", async () => {
  const { value } = await judged(ctc(), Tensor.float32([1, 1, 2], [0, 0]), targetsOf([[1]], [1], [1]));
  expect(value).toBeCloseTo(Math.log(2), 6);
});
