/**
 * A zoo of one small model per operator: raised from before each version in which the operator changed, to that
 * version and to 21, it returns the same outputs. upgrade.test.ts has the special cases of the operators with adapters.
 */
import { describe, expect, test } from "vitest";
import { sampleOf, samples } from "../../../test/operator-zoo.ts";
import { expectSameOutputs } from "../../../test/same-outputs.ts";
import { AvocetError } from "../../base/inner.ts";
import { cloneModel } from "../../ir/inner.ts";
import { ops, type StandardOp } from "../../ops/inner.ts";
import { adapters } from "./adapters.ts";
import { unchanged } from "./unchanged.ts";
import { oldestOpset, upgradeOpset } from "./upgrade.ts";

/** Why an operator that changed has no sample here. */
const without: Partial<Record<StandardOp, string>> = {
  Attention: "changed after 21",
  Bernoulli: "random",
  GroupNormalization: "in upgrade.test.ts",
  Multinomial: "random",
  OptionalGetElement: "the runtime's door hands over no optional values",
  OptionalHasElement: "the runtime's door hands over no optional values",
  RandomNormal: "random",
  RandomNormalLike: "random",
  RandomUniform: "random",
  RandomUniformLike: "random",
};

/** The versions before which a model of this operator is written: each change up to 21. */
function changesOf(op: StandardOp): number[] {
  return [...Object.keys(adapters[op] ?? {}).map(Number), ...(unchanged[op] ?? [])]
    .filter((v) => v > oldestOpset && v <= 21)
    .toSorted((a, b) => a - b);
}

const changed = (Object.keys(ops) as StandardOp[]).filter((op) => changesOf(op).length > 0);

test("every operator that changed has a sample, or a reason", () => {
  expect(changed.filter((op) => !samples[op] && !without[op])).toEqual([]);
});

/** ONNX Runtime has no kernel for these versions of these operators. */
const noKernel = /Could not find an implementation|NOT_IMPLEMENTED/;

describe("keeps its outputs", () => {
  test.each(changed.filter((op) => samples[op]))("%s", async (op) => {
    let compared = 0;
    for (const version of changesOf(op)) {
      const opset = version - 1;
      if (op === "Scan" && version === 9) continue;
      const before = sampleOf(op, opset);
      for (const to of [version, 21]) {
        const after = cloneModel(before);
        upgradeOpset(after, to);
        try {
          // The same kernels, or newer ones that sum in another order.
          await expectSameOutputs(before, after, { atol: 1e-6, rtol: 1e-6 });
          compared++;
        } catch (error) {
          if (!AvocetError.is(error) || !noKernel.test(error.message))
            throw new Error(`from ${opset} to ${to}: ${error}`);
        }
      }
    }
    expect(compared).toBeGreaterThan(0);
  });
});
