/** Ranges by what errors do to the outputs: outliers that no output sees stretch nothing, and what has no slope is left alone. */
import { describe, expect, test } from "vitest";
import { arrayData } from "../../../test/array-data.ts";
import { Random } from "../../base/inner.ts";
import { type Model, parseModel } from "../../ir/inner.ts";
import { openRuntime } from "../../runtime/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import type { IntGrid } from "../grids/codec.ts";
import { encodingMax, encodingMin } from "../grids/encoding.ts";
import { entriesByValue, type Plan } from "../plan/plan.ts";
import { calibrate } from "./calibrate.ts";

const uint8: IntGrid = { kind: "int", bits: 8, signed: false };
const runtime = await openRuntime();

/** Numbers of `c` are summed by `v` and clipped to ±3 before the output sees them. */
function model(weights: string, tail = "y = GlobalAveragePool(s)"): Model {
  return parseModel(`
    <ir_version: 10, opset_import: ["": 21]>
    g (float[n,2,4,4] x) => (y)
    <float[2,2,1,1] w = {1, 0, 0, 1}, float[1,2,1,1] v = {${weights}}, float low = {-3}, float high = {3}> {
      c = Conv(x, w)
      b = Conv(c, v)
      s = Clip(b, low, high)
      ${tail}
    }`);
}

const random = new Random(7);
/** One position of sixteen is an outlier in both channels, the others are normal with a deviation of 0.3. */
const x = Tensor.float32(
  [40, 2, 4, 4],
  Array.from({ length: 40 * 32 }, (_, i) => (i % 16 === 5 ? 40 + random.uniform(-1, 1) : random.normal() * 0.3)),
);
const plan: Plan = {
  version: 1,
  target: "test",
  entries: [
    { value: "c", kind: "activation", grid: uint8, granularity: { kind: "tensor" }, symmetric: false, reason: "test" },
  ],
  left: [],
};

async function rangeOf(float: Model, scheme: "sqnr" | "mse" = "sqnr"): Promise<readonly [number, number]> {
  const filled = await calibrate(float, plan, runtime, arrayData({ x }), { scheme });
  const { encoding } = entriesByValue(filled.plan).get("c")!;
  return [encodingMin(encoding!), encodingMax(encoding!)];
}

describe("ranges by what the outputs see", () => {
  test("numbers whose errors a saturated clip takes away stretch no range", async () => {
    const [, plain] = await rangeOf(model("1, 1"), "mse");
    expect(plain).toBeGreaterThan(35);
    const [low, high] = await rangeOf(model("1, 1"));
    // Two deviations at least, and far below the outliers.
    expect(low).toBeLessThan(-0.6);
    expect(high).toBeGreaterThan(0.6);
    expect(high).toBeLessThan(3);
  });

  test("the same numbers keep their range where the output is made of them", async () => {
    const [, high] = await rangeOf(model("0.01, 0.01"));
    expect(high).toBeGreaterThan(35);
  });

  test("an operator without a gradient leaves ranges to the layers that read the value", async () => {
    const float = model("1, 1", "r = Round(s) y = Unique <sorted = 1> (r)");
    const [, high] = await rangeOf(float);
    expect(high).toBeGreaterThan(35);
  });
});
