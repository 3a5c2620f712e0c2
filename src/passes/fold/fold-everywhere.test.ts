/** Whatever stands around a batch norm, whole or taken apart: folding what can be folded changes nothing but last bits. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { blocks, graphOf, normBlocks } from "../../../test/block-graphs.ts";
import { expectSameOutputs } from "../../../test/same-outputs.ts";
import { check, cloneModel } from "../../ir/inner.ts";
import { runPasses } from "../pass.ts";
import { foldBatchNorms } from "./fold-batch-norm.ts";
import { foldChannelAffines } from "./fold-channel-affine.ts";

const some = fc.constantFrom(...Object.keys(blocks));
const norm = fc.constantFrom(...Object.keys(normBlocks));
const layer = fc.constantFrom("conv", "depthwise", "transposed", "grouped", "rows", "last", "point");
// A layer, what may stand between, the norm, what may stand between, and the next layer.
const part = fc.tuple(layer, fc.array(some, { maxLength: 1 }), norm, fc.array(some, { maxLength: 1 }));
const names = fc.array(part, { minLength: 1, maxLength: 3 }).map((parts) => [...parts.flat(2), "conv"]);

test("over generated graphs", async () => {
  let [folded, left] = [0, 0];
  await fc.assert(
    fc.asyncProperty(names, fc.nat(1000), async (chosen, seed) => {
      const before = graphOf(chosen, seed);
      const after = cloneModel(before);
      const reports = await runPasses(after, [foldBatchNorms, foldChannelAffines]);
      check(after, "after folding");
      // Float32 sums of up to 512 products, a dozen layers deep, in another order.
      await expectSameOutputs(before, after, { atol: 1e-6, ofRange: 5e-5, seed });
      folded += reports.reduce((sum, report) => sum + report.edits, 0);
      left += reports.slice(-2).reduce((sum, report) => sum + report.refusals.length, 0);
    }),
    { numRuns: 80, seed: 21 },
  );
  // Both happen often enough to mean something.
  expect(folded).toBeGreaterThan(60);
  expect(left).toBeGreaterThan(5);
});
