/** Bounds that are shared: with data in equalize.test.ts; here without any, where every channel counts as reaching them. */
import { expect, test } from "vitest";
import { expectSameOutputs } from "../../../test/same-outputs.ts";
import { parseModel } from "../../ir/inner.ts";
import { setBatchNormStatistics } from "../../passes/inner.ts";
import { openRuntime } from "../../runtime/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import { inputExpectation } from "../data-free-ranges/inputs.ts";
import { equalizeLayers } from "./apply.ts";

test("without data, channels with like scales share the bound of their Clip", async () => {
  const before = parseModel(
    `<ir_version: 8, opset_import: ["": 17]> f (float[1,8,8,8] x0) => (float[1,4,8,8] y)
    <float[8,8,1,1] w, float[8] b, float l = {0}, float h = {0.5}, float[4,8,1,1] v> {
      c = Conv(x0, w, b)
      r = Clip(c, l, h)
      y = Conv(r, v) }`,
    { seed: 5 },
  );
  const values = before.graph.valuesByName();
  // Channels that are all alike have one best scale.
  for (const [name, shape] of [
    ["w", [8, 8, 1, 1]],
    ["v", [4, 8, 1, 1]],
  ] as const) {
    values.get(name)!.initializer = Tensor.float32(shape, new Float32Array(shape[0] * 8).fill(name === "w" ? 0.01 : 3));
  }
  const ones = new Array<number>(8).fill(1);
  setBatchNormStatistics(values.get("c")!, { beta: ones, gamma: ones });
  const inputs = new Map([["x0", inputExpectation({ low: -1, high: 1 })]]);
  const runtime = await openRuntime();
  const { model, report } = await equalizeLayers(before, { runtime, granularity: "channel", inputs });
  expect(report.edits).toBeGreaterThan(0);
  expect([...model.graph.nodes].map((node) => node.op)).toEqual(["Conv", "Clip", "Conv"]);
  await expectSameOutputs(before, model, { atol: 1e-6, rtol: 1e-5 /* sums of 8 products */ });
});
