import { expect, test } from "vitest";
import { arrayData } from "../../../test/array-data.ts";
import { randomProblem } from "../../../test/rounding-problem.ts";
import { Random, roundHalfEven } from "../../base/inner.ts";
import { parseModel } from "../../ir/inner.ts";
import { builtinTarget, calibrate, lower, parseGrid, place, quantizeDequantize } from "../../quant/inner.ts";
import { openRuntime, traceShapes } from "../../runtime/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import { applyGptq } from "../gptq/apply.ts";
import type { MethodContext } from "../method.ts";
import { nearest, objective } from "../on-moments/rounding-problem.ts";
import { RowErrors } from "../on-moments/row-errors.ts";
import { applySeqMse } from "../seq-mse/apply.ts";
import { applyAdaRound } from "./apply.ts";
import { adaroundGraph } from "./graph.ts";
import { alphaOf, betaAt, rectifiedSigmoid, rectifiedSlope, roundingSlope } from "./math.ts";

const runtime = await openRuntime();

test("the graph takes the steps of Adam that the formulas give", async () => {
  const settings = { iterations: 6, warmStart: 0.3, betaStart: 20, betaEnd: 2, lambda: 0.05, learningRate: 0.02 };
  const problem = randomProblem(11, 2, 2, 5);
  const { groups, outputs, columns, weight, scale, h, t } = problem;
  const floor = weight.map((w, i) => Math.min(6, Math.max(-8, Math.floor(w / scale[i]!))));
  const alpha = weight.map((w, i) => alphaOf(w / scale[i]! - floor[i]!));
  const [m, v] = [new Float64Array(alpha.length), new Float64Array(alpha.length)];
  const start = alpha.slice();
  for (let it = 0; it < settings.iterations; it++) {
    const soft = alpha.map(rectifiedSigmoid);
    const d = soft.map((s, i) => (floor[i]! + s) * scale[i]! - weight[i]!);
    const gradient = d.map((_, i) => {
      const row = Math.floor(i / columns);
      const base = Math.floor(row / outputs) * columns * columns + (i % columns) * columns;
      let sum = t[i]!;
      for (let k = 0; k < columns; k++) sum += h[base + k]! * d[row * columns + k]!;
      const rounding =
        it < settings.warmStart * settings.iterations
          ? 0
          : roundingSlope(soft[i]!, betaAt(it, settings), settings.lambda);
      return (2 * scale[i]! * sum + rounding) * rectifiedSlope(alpha[i]!);
    });
    for (let i = 0; i < alpha.length; i++) {
      m[i] = 0.9 * m[i]! + 0.1 * gradient[i]!;
      v[i] = 0.999 * v[i]! + 0.001 * gradient[i]! ** 2;
      const step = m[i]! / (1 - 0.9 ** (it + 1)) / (Math.sqrt(v[i]! / (1 - 0.999 ** (it + 1))) + 1e-8);
      alpha[i]! -= settings.learningRate * step;
    }
  }
  const shape = [groups, outputs, columns];
  const rows = (values: ArrayLike<number>) => Tensor.float32(shape, Float32Array.from(values));
  const zeros = rows(new Float32Array(alpha.length));
  const constants = {
    floor: rows(floor),
    weight: rows(weight),
    scale: rows(scale),
    gain: rows(scale.map((s) => 2 * s)),
    t: rows(t),
    h: Tensor.float32([groups, columns, columns], Float32Array.from(h)),
  };
  await using session = await runtime.open(adaroundGraph(settings), { threads: 1 });
  // In two pieces, as an interruption would cut them: the count goes on.
  const half = await session.run({
    from: Tensor.scalar(0),
    count: Tensor.scalar(4, "int64"),
    alpha: rows(start),
    m: zeros,
    v: zeros,
    ...constants,
  });
  const state = { alpha: half.alpha_next!, m: half.m_next!, v: half.v_next! };
  const end = await session.run({ from: Tensor.scalar(4), count: Tensor.scalar(2, "int64"), ...state, ...constants });
  const reached = end.alpha_next!.floats();
  alpha.forEach((expected, i) => {
    // Adam divides by the root of the gradient's square: its sign decides, and float32 keeps five digits of the rest.
    expect(reached[i]).toBeCloseTo(expected, 4);
  });
});

test("row errors in the runtime equal those in float64", async () => {
  const problem = randomProblem(5);
  await using errors = await RowErrors.open(runtime, 1);
  const integers = nearest(problem, roundHalfEven);
  const [scale, low, high] = [problem.scale, problem.low, problem.high].map((all) => Float32Array.from(all));
  const found = await errors.of(problem, integers);
  const rounded = await errors.ofNearest(problem, { scale: scale!, low: low!, high: high! });
  objective(problem, integers).forEach((expected, row) => {
    expect(found[row]).toBeCloseTo(expected, 5 /* float32 products of 8 numbers */);
    expect(rounded[row]).toBeCloseTo(expected, 5);
  });
});

const text = `net (float[N,3,12,12] x) => (float[N,10] y) <float[16,3,3,3] w1, float[16] b1, float[16,1,3,3] w2, float[16] b2,
    float[24,16,1,1] w3, float[24] b3, float[24,10] w4, float[10] b4> {
  c1 = Conv<pads=[1,1,1,1]>(x, w1, b1)
  r1 = Relu(c1)
  c2 = Conv<group=16, pads=[1,1,1,1]>(r1, w2, b2)
  r2 = Relu(c2)
  c3 = Conv(r2, w3, b3)
  r3 = Relu(c3)
  p = GlobalAveragePool(r3)
  f = Flatten(p)
  y = Gemm(f, w4, b4)
}`;

function data(count: number, seed: number) {
  const random = new Random(seed);
  return arrayData({
    x: Tensor.float32(
      [count, 3, 12, 12],
      Float32Array.from({ length: count * 432 }, () => random.normal()),
    ),
  });
}

/** Placed for aimet-default with 3-bit weights and calibrated; and the mean squared error of any (model, plan) on other data. */
async function setUp() {
  const model = parseModel(text, { seed: 3 });
  const target = builtinTarget("aimet-default");
  const training = data(32, 1);
  const shapes = await traceShapes(model, runtime, { x: Tensor.float32([1, 3, 12, 12], new Float32Array(432)) });
  const placed = place(model, target, { shapes, weights: parseGrid("int4") });
  const { plan } = await calibrate(model, placed, runtime, training, { scheme: "minmax" });
  const context: MethodContext = { runtime, data: training, target, calibration: "minmax", seed: 0, threads: 1 };
  const others = data(24, 2);
  const error = async (candidate: typeof model, filled: typeof plan) => {
    await using a = await runtime.open(model);
    await using b = await runtime.open(lower(candidate, filled).model, { fuseQdq: false });
    let sum = 0;
    for await (const { feeds } of others.batches(24)) {
      const [left, right] = [(await a.run(feeds)).y!.floats(), (await b.run(feeds)).y!.floats()];
      left.forEach((value, i) => {
        sum += (value - right[i]!) ** 2;
      });
    }
    return sum;
  };
  return { model, plan, context, error };
}

test("each method beats nearest rounding on data it has not seen, and ends on the grid", async () => {
  const { model, plan, context, error } = await setUp();
  const plain = await error(model, plan);
  const found = {
    adaround: await applyAdaRound(model, plan, context, { iterations: 200 }),
    descent: await applyAdaRound(model, plan, context, { iterations: 0 }),
    gptq: await applyGptq(model, plan, context),
    seqmse: await applySeqMse(model, plan, context),
  };
  for (const [name, result] of Object.entries(found)) {
    expect(await error(result.model, result.plan), name).toBeLessThan(0.8 * plain);
    const weights = result.plan.entries.filter((entry) => entry.kind === "weight");
    expect(
      weights.every((entry) => entry.frozen),
      name,
    ).toBe(true);
    expect(result.report.edits, name).toBe(4);
  }
  // Hard weights: rounding them again on their encoding changes nothing.
  const { adaround } = found;
  for (const entry of adaround.plan.entries) {
    if (entry.kind !== "weight") continue;
    const weight = adaround.model.graph.valuesByName().get(entry.value)!.initializer!;
    const again = quantizeDequantize(weight, entry.encoding!).floats();
    weight.floats().forEach((w, i) => {
      expect(w).toBeCloseTo(again[i]!, 6);
    });
  }
  // The given model keeps its weights.
  expect(await error(model, plan)).toBe(plain);
});

test("the same seed gives the same bytes, and what is not told is what the documentation says", async () => {
  const { model, plan, context } = await setUp();
  const options = { iterations: 50, descent: false };
  const told = { learningRate: 0.01, lambda: 0.1, warmStart: 0.2, beta: [20, 2] as [number, number] };
  const a = await applyAdaRound(model, plan, context, options);
  const b = await applyAdaRound(model, plan, context, { ...options, ...told });
  const slower = await applyAdaRound(model, plan, context, { ...options, learningRate: 0.001 });
  expect(a.plan).toEqual(b.plan);
  const bytes = (of: typeof model) =>
    [...of.graph.initializers].map(({ name, initializer }) => [name, initializer!.bytes]);
  expect(bytes(a.model)).toEqual(bytes(b.model));
  expect(bytes(slower.model)).not.toEqual(bytes(a.model));
});

test("AIMET's search takes the shrunken ranges with least error", async () => {
  const { model, plan, context, error } = await setUp();
  const result = await applySeqMse(model, plan, context, { search: "aimet" });
  expect(await error(result.model, result.plan)).toBeLessThan(await error(model, plan));
  const before = new Map(plan.entries.map((entry) => [entry.value, entry.encoding!]));
  const ratios = result.plan.entries
    .filter((entry) => entry.kind === "weight")
    .flatMap((entry) => entry.encoding!.scale.map((s, i) => s / before.get(entry.value)!.scale[i]!));
  // Every chosen scale is k/20 of the spanning one.
  for (const ratio of ratios) expect(Math.abs(ratio * 20 - Math.round(ratio * 20))).toBeLessThan(1e-3);
  expect(Math.min(...ratios)).toBeLessThan(1);
});
