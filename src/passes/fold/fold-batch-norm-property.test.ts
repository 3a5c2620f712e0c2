/** Whatever the convolution, folding the batch norm before or behind it changes nothing but the last bits. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { expectSameOutputs } from "../../../test/same-outputs.ts";
import { cloneModel, parseModel } from "../../ir/inner.ts";
import { runPass } from "../pass.ts";
import { foldBatchNorms } from "./fold-batch-norm.ts";

const layer = fc.record({
  op: fc.constantFrom("Conv", "ConvTranspose"),
  places: fc.integer({ min: 1, max: 3 }),
  groups: fc.integer({ min: 1, max: 3 }),
  inputs: fc.integer({ min: 1, max: 3 }),
  outputs: fc.integer({ min: 1, max: 3 }),
  kernel: fc.integer({ min: 1, max: 3 }),
  stride: fc.integer({ min: 1, max: 2 }),
  pad: fc.integer({ min: 0, max: 1 }),
  bias: fc.boolean(),
  seed: fc.integer({ min: 1, max: 1000 }),
});

test("backward into any convolution", async () => {
  await fc.assert(
    fc.asyncProperty(layer, async ({ op, places, groups, inputs, outputs, kernel, stride, pad, bias, seed }) => {
      const [cin, cout] = [inputs * groups, outputs * groups];
      const k = Array(places).fill(kernel);
      const weight = op === "Conv" ? [cout, inputs, ...k] : [cin, outputs, ...k];
      // A padding at least as wide as the kernel leaves nothing of a transposed convolution.
      const pads = Array(2 * places).fill(Math.min(pad, kernel - 1));
      const text = `f (float[${[2, cin, ...Array(places).fill(4)]}] x) => (y)
        <float[${weight}] w, float[${cout}] b, float[${cout}] g, float[${cout}] be, float[${cout}] m, float[${cout}] v> {
          c = ${op} <group = ${groups}, strides = [${Array(places).fill(stride)}], pads = [${pads}]> (x, w${bias ? ", b" : ""})
          y = BatchNormalization(c, g, be, m, v) }`;
      const before = parseModel(text, { seed, positive: ["v"] });
      const after = cloneModel(before);
      expect((await runPass(after, foldBatchNorms)).edits).toBe(1);
      // Sums of at most 81 products of size one, rounded in float32.
      await expectSameOutputs(before, after, { atol: 5e-5, rtol: 5e-5, seed });
    }),
    { numRuns: 40, seed: 11 },
  );
});

test("forward into any convolution without padding", async () => {
  await fc.assert(
    fc.asyncProperty(layer, async ({ places, groups, inputs, outputs, kernel, stride, bias, seed }) => {
      const [cin, cout] = [inputs * groups, outputs * groups];
      const text = `f (float[${[2, cin, ...Array(places).fill(4)]}] x) => (y)
        <float[${[cout, inputs, ...Array(places).fill(kernel)]}] w, float[${cout}] b, float[${cin}] g, float[${cin}] be, float[${cin}] m, float[${cin}] v> {
          n = BatchNormalization(x, g, be, m, v)
          y = Conv <group = ${groups}, strides = [${Array(places).fill(stride)}]> (n, w${bias ? ", b" : ""}) }`;
      const before = parseModel(text, { seed, positive: ["v"] });
      const after = cloneModel(before);
      expect((await runPass(after, foldBatchNorms)).edits).toBe(1);
      await expectSameOutputs(before, after, { atol: 5e-5, rtol: 5e-5, seed });
    }),
    { numRuns: 30, seed: 12 },
  );
});
