/** Optimizers against PyTorch: the same gradients, step by step. The loss x · w has the gradient x. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parseModel } from "../ir/inner.ts";
import { openRuntime } from "../runtime/inner.ts";
import { Tensor } from "../tensor/inner.ts";
import { graphLoss } from "./loss.ts";
import type { Optimizer } from "./optimizer.ts";
import { Trainer, type TrainerSpec } from "./trainer.ts";

interface Golden {
  readonly start: number[];
  readonly gradients: number[][];
  readonly cases: Readonly<Record<string, number[][]>>;
}
const golden: Golden = JSON.parse(readFileSync(new URL("golden/optimizers.json", import.meta.url), "utf8"));
const runtime = await openRuntime();

const header = '<ir_version: 10, opset_import: ["" : 21]>';
const product = parseModel(`${header} g (float[1,5] x) => (float[1,1] y) <float[5,1] w> { y = MatMul(x, w) }`, {
  seed: 1,
});
const row = (values: readonly number[]) => Tensor.float32([1, values.length], values);
const itself = graphLoss([], (_, outputs) => outputs.y!);

/** A trainer of w from the golden start. */
const open = (optimizer: Optimizer, rate: number, more: Partial<TrainerSpec> = {}) =>
  Trainer.open(
    {
      model: product,
      example: { x: row(golden.start) },
      groups: [{ names: ["w"] }],
      initial: { w: Tensor.float32([5, 1], golden.start) },
      loss: itself,
      optimizer,
      rate,
      ...more,
    },
    runtime,
  );

/** Float32 rounding of a handful of operations on numbers of size one. */
function expectClose(found: Iterable<number>, expected: readonly number[]): void {
  [...found].forEach((value, i) => {
    expect(Math.abs(value - expected[i]!)).toBeLessThan(1e-6 * (1 + Math.abs(expected[i]!)));
  });
}

describe("optimizers step as PyTorch's", () => {
  const cases: Record<string, readonly [Optimizer, number]> = {
    sgd: [{ kind: "sgd" }, 0.1],
    "sgd with momentum and decay": [{ kind: "sgd", momentum: 0.9, weightDecay: 0.05 }, 0.1],
    "sgd with nesterov": [{ kind: "sgd", momentum: 0.9, nesterov: true, weightDecay: 0.05 }, 0.1],
    adam: [{ kind: "adam" }, 0.05],
    "adam with decay": [{ kind: "adam", betas: [0.8, 0.95], epsilon: 1e-3, weightDecay: 0.1 }, 0.05],
    adamw: [{ kind: "adamw" }, 0.05],
  };
  test.each(Object.entries(cases))("%s", async (name, [optimizer, rate]) => {
    await using trainer = await open(optimizer, rate);
    for (const [i, gradient] of golden.gradients.entries()) {
      await trainer.step({ x: row(gradient) });
      expectClose(trainer.parameters().get("w")!.floats(), golden.cases[name]![i]!);
    }
  });

  test("groups with rates and decays of their own, clipped together", async () => {
    const text = `${header} g (float[1,2] a, float[1,3] b) => (float[1,1] y) <float[2,1] p, float[3,1] q>
      { u = MatMul(a, p)
        v = MatMul(b, q)
        y = Sum(u, v) }`;
    const spec: TrainerSpec = {
      model: parseModel(text, { seed: 1 }),
      example: { a: row([1, 1]), b: row([1, 1, 1]) },
      groups: [{ names: ["p"], rate: 2, weightDecay: 0.3 }, { names: ["q"] }],
      initial: {
        p: Tensor.float32([2, 1], golden.start.slice(0, 2)),
        q: Tensor.float32([3, 1], golden.start.slice(2)),
      },
      loss: itself,
      optimizer: { kind: "sgd", momentum: 0.5, weightDecay: 0.01 },
      clipNorm: 1.5,
      rate: 0.1,
    };
    await using trainer = await Trainer.open(spec, runtime);
    for (const [i, gradient] of golden.gradients.entries()) {
      await trainer.step({ a: row(gradient.slice(0, 2)), b: row(gradient.slice(2)) });
      const now = trainer.parameters();
      expectClose([...now.get("p")!.floats(), ...now.get("q")!.floats()], golden.cases["groups, clipped"]![i]!);
    }
  });
});

describe("an update", () => {
  test("takes the mean of accumulated gradients, and none before", async () => {
    await using one = await open({ kind: "adam" }, 0.05);
    await using four = await open({ kind: "adam" }, 0.05, { accumulate: 4 });
    const mean = golden.start.map((_, i) => golden.gradients.reduce((sum, g) => sum + g[i]!, 0) / 4);
    for (let round = 0; round < 2; round++) {
      await one.step({ x: row(mean) });
      for (const gradient of golden.gradients) {
        expect(four.updates).toBe(round);
        await four.step({ x: row(gradient) });
      }
      expectClose(four.parameters().get("w")!.floats(), [...one.parameters().get("w")!.floats()]);
    }
  });

  test("adds an L1 penalty and keeps parameters above a bound", async () => {
    const initial = { w: Tensor.float32([5, 1], [1, -1, 0, 0.1, 2]) };
    await using trainer = await open({ kind: "sgd" }, 0.5, {
      initial,
      groups: [{ names: ["w"], l1: 0.2, atLeast: 0.05 }],
    });
    await trainer.step({ x: row([0, 0, 0, 0, 4]) });
    // w − 0.5 · (x + 0.2 · sign(w)), then no less than 0.05.
    expectClose(trainer.parameters().get("w")!.floats(), [0.9, 0.05, 0.05, 0.05, 0.05]);
  });

  test("asks the schedule for each update", async () => {
    const asked: number[] = [];
    const rate = (update: number) => {
      asked.push(update);
      return 0;
    };
    await using trainer = await open({ kind: "sgd", momentum: 0.9 }, 0, { rate });
    for (const gradient of golden.gradients) await trainer.step({ x: row(gradient) });
    expect(asked).toEqual([0, 1, 2, 3]);
    expectClose(trainer.parameters().get("w")!.floats(), golden.start);
  });
});
