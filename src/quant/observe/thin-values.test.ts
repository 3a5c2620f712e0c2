/** Ranges from samples of large values, against those of all their numbers; ends are exact, and NaN is found wherever it is. */
import { describe, expect, test } from "vitest";
import { arrayData } from "../../../test/array-data.ts";
import { Random } from "../../base/inner.ts";
import { type Model, parseModel } from "../../ir/inner.ts";
import { firstSample, openRuntime, traceShapes } from "../../runtime/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import { Density } from "../observers/density.ts";
import { GrowingHistogram } from "../observers/growing-histogram.ts";
import type { Scheme } from "../observers/observer.ts";
import { observe } from "./observe.ts";
import { numbersPerSample } from "./thin-values.ts";

const runtime = await openRuntime();
const random = new Random(5);
const samples = 24;

/** Twelve channels of 80 × 80: 76,800 numbers a sample, of which half are looked at. */
function network(opset = 21): Model {
  return parseModel(
    `<ir_version: 6, opset_import: ["": ${opset}]>
     g (float[n,3,80,80] x) => (y) <float[12,3,1,1] w, float[12] b, float[4,12,1,1] v> {
       c = Conv(x, w, b)  r = Relu(c)  y = Conv(r, v)
     }`,
    { seed: 3 },
  );
}

const x = Tensor.float32(
  [samples, 3, 80, 80],
  Float32Array.from({ length: samples * 19_200 }, () => random.normal() * Math.abs(random.normal())),
);
const data = arrayData({ x });

async function observed(model: Model, scheme: Scheme, thin: boolean, of = data) {
  const types = await traceShapes(model, runtime, await firstSample(of));
  return await observe(model, ["c", "r"], runtime, of, { scheme, ...(thin ? { types } : {}) });
}

test("a million numbers in all, 16 thousand of a sample at least and 64 thousand at most", () => {
  expect([1, 16, 20, 64, 2000, null].map(numbersPerSample)).toEqual([65_536, 65_536, 52_429, 16_384, 16_384, 16_384]);
});

describe("of values larger than that", () => {
  test("ends are exact, and the range adds no more than 3 % to the error of the best", async () => {
    const [whole, thin] = [await observed(network(), "sqnr", false), await observed(network(), "sqnr", true)];
    // A tail of products of normal numbers: the few numbers that decide about clipping are known to some percent. Normal ones lose 0.2 %.
    for (const name of ["c", "r"]) {
      const [all, few] = [whole.get(name)!.statistics(), thin.get(name)!.statistics()];
      expect([few.min, few.max]).toEqual([all.min, all.max]);
      expect(few.count).toBeLessThan(all.count);
      const histogram = new GrowingHistogram();
      await eachNumber(name, (numbers) => histogram.see(numbers));
      const density = new Density(histogram.histogram());
      const choice = { bits: 8, signed: false, symmetric: false };
      const error = (observers: typeof whole) => density.squaredError(observers.get(name)!.propose(choice), 255, 2);
      expect(error(thin)).toBeLessThan(1.03 * error(whole));
    }
  });

  test("other schemes see every number", async () => {
    for (const scheme of ["mse", "tf_enhanced", "percentile", "entropy"] as const) {
      const thin = await observed(network(), scheme, true);
      expect(thin.get("r")!.statistics().count).toBe(samples * 76_800);
    }
  });

  test("one number that is not finite is found where no sample looks, with the node", async () => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const broken = x.floats().slice();
      broken[7 * 19_200 + 4321] = bad;
      const poisoned = arrayData({ x: Tensor.float32(x.shape, broken) });
      await expect(observed(network(), "sqnr", true, poisoned)).rejects.toEqual(
        expect.objectContaining({ code: "data/not-finite" }),
      );
    }
  });

  test("an operator set without steps in Slice crosses whole", async () => {
    const thin = await observed(network(9), "sqnr", true);
    expect(thin.get("r")!.statistics().count).toBe(samples * 76_800);
  });
});

async function eachNumber(name: string, see: (numbers: Float32Array) => void): Promise<void> {
  const model = network();
  model.graph.setOutputs([model.graph.valuesByName().get(name)!]);
  await using session = await runtime.open(model);
  for await (const { feeds } of data.batches(8)) see((await session.run(feeds))[name]!.floats());
}
