/** How often weights are rounded that are too large to be kept: memory holds one tensor at a time here. */
import { beforeEach, expect, test, vi } from "vitest";
import { arrayData } from "../../test/array-data.ts";
import { seededFeeds } from "../../test/same-outputs.ts";
import { parseModel } from "../ir/inner.ts";
import { nearestPieces, quantizeDequantize } from "../quant/grids/fake-quantize.ts";
import { openRuntime } from "../runtime/inner.ts";
import { parseRecipe, quantizeModel } from "./inner.ts";

vi.mock("../quant/grids/fake-quantize.ts", { spy: true });

// The budget of src/tensor/loaded.ts, with room for one.
vi.mock("../tensor/loaded.ts", () => {
  let held: { release(): void } | undefined;
  return {
    countLoaded(tensor: { release(): void }) {
      const last = held;
      held = tensor;
      last?.release();
      return () => {};
    },
  };
});

beforeEach(() => {
  vi.clearAllMocks();
});

const text = `<ir_version: 8, opset_import: ["" : 17]> f (float[N,64] x) => (float[N,64] y)
     <float[64,64] u, float[64,64] v, float[64,64] w> {
   a = MatMul(x, u)
   b = Relu(a)
   c = MatMul(b, v)
   d = Relu(c)
   y = MatMul(d, w) }`;

test("each weight is rounded once to be observed with, once for the draft and once for the file", async () => {
  const model = parseModel(text, { seed: 4 });
  const runtime = await openRuntime();
  const data = arrayData(seededFeeds(model, { dims: { N: 8 } }));
  // Models as large as meant here are calibrated without a backward pass, which minmax never has.
  const made = await quantizeModel(model, data, parseRecipe({ preset: "fast", calibration: "minmax" }), runtime);
  expect(made.plan.entries.filter(({ kind }) => kind === "weight")).toHaveLength(3);
  // Those in front of what is observed, for one session; then as integers of the draft and of the file.
  expect(vi.mocked(quantizeDequantize)).toHaveBeenCalledTimes(2);
  expect(vi.mocked(nearestPieces)).toHaveBeenCalledTimes(2 * 3);
});
