/** A preparation that helps by itself is left out where the whole is better without it. */
import { expect, test } from "vitest";
import { arrayData } from "../../test/array-data.ts";
import { Random } from "../base/inner.ts";
import { cloneModel, parseModel } from "../ir/inner.ts";
import { builtinTarget } from "../quant/inner.ts";
import { openRuntime } from "../runtime/inner.ts";
import { Tensor } from "../tensor/inner.ts";
import { chooseSteps } from "./choose.ts";
import type { Step } from "./methods.ts";
import { parseRecipe } from "./schema.ts";
import { type Scorer, scorerThrough, serveScorer } from "./scorer.ts";

const report = (step: string) => ({ step, edits: 1, seconds: 0, notes: [] });

/** Changes nothing but the name, which `solving` does not like. */
const preparing: Step = {
  kind: "prepare",
  name: "preparing",
  run: async ({ prepared }) => {
    const copy = cloneModel(prepared);
    copy.graph.name = "prepared";
    return { prepared: copy, report: report("preparing") };
  },
};

/** Leaves weights in float, which is much better, unless the model was prepared. */
const solving: Step = {
  kind: "solve",
  name: "solving",
  run: async ({ decided, plan }) => {
    const entries = plan!.entries.filter(({ kind }) => decided.graph.name === "prepared" || kind !== "weight");
    return { decided, plan: { ...plan!, entries }, report: report("solving") };
  },
};

async function verdicts(steps: readonly Step[], scorer?: Scorer) {
  const random = new Random(1);
  const x = Tensor.float32(
    [40, 8],
    Float32Array.from({ length: 320 }, () => random.normal()),
  );
  const model = parseModel(
    `<ir_version: 10, opset_import: ["" : 21]> net (float[N,8] x) => (float[N,6] y) <float[8,6] w> { y = MatMul(x, w) }`,
    { seed: 12 },
  );
  const recipe = parseRecipe({ target: "aimet-default", weights: "int4" });
  const given = { recipe, target: builtinTarget("aimet-default"), runtime: await openRuntime() };
  const options = { threads: 1, ...(scorer ? { scorer } : {}) };
  const { verdicts } = await chooseSteps(model, steps, { ...given, data: arrayData({ x }), options });
  return steps.map((step) => verdicts.get(step));
}

test("what is in the way of a later step is left out, and the note says of what the figures are", async () => {
  const [first, second] = await verdicts([preparing, solving]);
  expect([first!.kept, second!.kept]).toEqual([false, true]);
  expect(first!.note).toMatch(
    /^undone: output SQNR [\d.]+ → [\d.]+ dB on samples set aside when all else is done without it$/,
  );
});

test("without a step behind it a preparation that does no harm stays", async () => {
  const [only] = await verdicts([preparing]);
  expect(only!.kept).toBe(true);
  expect(only!.note).toMatch(/^kept: /);
});

test("a program's scorer decides, through a port too, by its own direction", async () => {
  const { port1, port2 } = new MessageChannel();
  const asked: string[] = [];
  // Wants few quantizers: `solving` takes one away, unless the model was prepared.
  serveScorer(port2, {
    score: async ({ prepared, plan }) => {
      asked.push(prepared.graph.name);
      return { metric: "quantizers", unit: "", better: "lower", value: plan.entries.length };
    },
  });
  try {
    const [first, second] = await verdicts([preparing, solving], scorerThrough(port1));
    // As it begins, prepared, solved; then solved without the preparation.
    expect(asked).toEqual(["net", "prepared", "prepared", "net"]);
    expect([first!.note, second!.note]).toEqual([
      "undone: quantizers 3.00 → 2.00 when all else is done without it",
      "kept: quantizers 3.00 → 3.00",
    ]);
  } finally {
    for (const port of [port1, port2]) port.close();
  }
});
