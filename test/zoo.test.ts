/**
 * Every sample of the operator zoo, in each opset in which its operator changed, and every real model: the file format
 * and the text keep it, ONNX Runtime computes the same bits from the written file, `optimise` and the upgrade keep its
 * outputs. (The upgrade of the zoo is checked next to its adapters, in src/passes/upgrade-opset.)
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { AvocetError } from "../src/base/inner.ts";
import { inferTypes } from "../src/facts/inner.ts";
import { readModel, writeModel } from "../src/formats/inner.ts";
import { readModelFile, writeModelFile } from "../src/formats/inner-node.ts";
import { check, cloneModel, type Model, parseModel, printModel } from "../src/ir/inner.ts";
import { ops, type StandardOp } from "../src/ops/inner.ts";
import { newestOpset, oldestOpset, optimise, upgradeOpset } from "../src/passes/inner.ts";
import { openRuntime } from "../src/runtime/inner.ts";
import { Tensor } from "../src/tensor/inner.ts";
import { fixture, missing } from "./fixtures.ts";
import { modelSummary } from "./model-summary.ts";
import { existsAt, sampleOf, samples, specials } from "./operator-zoo.ts";
import { type Comparison, expectSameOutputs, outputsOf, seededFeeds } from "./same-outputs.ts";

/** With AVOCET_ZOO=all every opset and every model is run; otherwise the oldest and newest opset, and small models. */
const everything = process.env.AVOCET_ZOO === "all";

/** ONNX Runtime has no kernel for this version of this operator, or for these types. */
const noKernel =
  /Could not find an implementation|NOT_IMPLEMENTED|is not a registered function|Unrecognized|under development/;

/** Whether both could be run; a missing kernel counts as not run, any difference fails. */
async function sameIfRun(before: Model, after: Model, comparison: Comparison = {}): Promise<boolean> {
  try {
    await expectSameOutputs(before, after, comparison);
    return true;
  } catch (error) {
    if (AvocetError.is(error) && noKernel.test(error.message)) return false;
    throw error;
  }
}

function throughFile(model: Model): Model {
  const once = writeModel(model);
  const again = readModel(once);
  check(again);
  expect(modelSummary(again)).toEqual(modelSummary(model));
  expect(Buffer.compare(writeModel(again), once)).toBe(0);
  return again;
}

function throughText(model: Model): Model {
  const again = parseModel(printModel(model, { tensors: "full" }));
  expect(modelSummary(again)).toEqual(modelSummary(model));
  return again;
}

/** What inferTypes claims of inner values and outputs is what a run makes. */
async function expectTypes(model: Model): Promise<void> {
  const bare = cloneModel(model);
  for (const value of bare.graph.values()) if (value.producer) value.type = undefined;
  const claimed = inferTypes(bare, { batch: 2 });
  const made = await outputsOf(model, seededFeeds(model));
  for (const [name, { dtype, shape }] of Object.entries(made)) {
    const type = claimed.get(name);
    if (!type?.shape) continue;
    expect({ name, dtype: type.dtype, shape: type.shape.map((n, i) => n ?? shape[i]) }).toEqual({ name, dtype, shape });
  }
}

const changed = (Object.keys(samples) as StandardOp[]).sort();

describe("operators, in each opset in which they changed", () => {
  test.each(changed)("%s", async (op) => {
    const runtime = await openRuntime();
    // Before version 9 Scan had a batch axis and another signature.
    const oldest = op === "Scan" ? 9 : oldestOpset;
    const opsets = new Set(
      [...ops[op].versions, newestOpset, oldest].filter((v) => v >= oldest && v <= newestOpset && existsAt(op, v)),
    );
    expect(opsets.size).toBeGreaterThan(0);
    for (const opset of opsets) {
      let model: Model;
      try {
        model = sampleOf(op, opset);
      } catch (error) {
        throw new Error(`opset ${opset}: ${error}`);
      }
      const read = throughFile(model);
      throughText(model);
      if (!everything && opset !== Math.min(...opsets) && opset !== Math.max(...opsets)) continue;
      // A model that the runtime refuses as it is cannot be compared.
      if (!(await sameIfRun(model, read))) continue;
      await expectTypes(model);
      const optimised = cloneModel(model);
      await optimise(optimised, { runtime, opset });
      // Folded and recognised operators round in another order.
      expect(await sameIfRun(model, optimised, { atol: 1e-5, rtol: 1e-5 }), `opset ${opset}`).toBe(true);
    }
  });
});

describe("what files hold beside operators", () => {
  test.each(Object.entries(specials))("%s", async (_, { text, runs }) => {
    const model = parseModel(text);
    const read = throughFile(model);
    throughText(model);
    const upgraded = cloneModel(model);
    upgradeOpset(upgraded, newestOpset);
    const optimised = cloneModel(model);
    await optimise(optimised, { runtime: await openRuntime() });
    check(upgraded);
    check(optimised);
    if (!runs) return;
    const feeds = model.graph.inputs.some((v) => v.type?.kind === "tensor" && v.type.dtype === "string")
      ? { feeds: { x: Tensor.of("string", [2], ["x", "ü"]) } }
      : {};
    await expectSameOutputs(model, read, feeds);
    await expectSameOutputs(model, upgraded, feeds);
    // Sums in another order, and constants folded in float32.
    await expectSameOutputs(model, optimised, { ...feeds, atol: 1e-5, rtol: 1e-5 });
  });

  test("weights in files of their own, in several of them", async () => {
    const folder = mkdtempSync(join(tmpdir(), "avocet-zoo-"));
    try {
      const model = sampleOf("Conv", 21);
      const written = writeModelFile(model, join(folder, "m.onnx"), {
        externalData: "always",
        externalFrom: 8,
        shardBytes: 64,
      });
      expect(written.data.length).toBeGreaterThan(1);
      const read = readModelFile(written.model);
      expect(modelSummary(read)).toEqual(modelSummary(model));
      await expectSameOutputs(model, read);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

/** Real models, and how far their outputs may move, as a part of their range: deep nets sum in other orders. */
const real: Record<string, { readonly ofRange: number; readonly large?: true }> = {
  "mnist/mnist-8.onnx": { ofRange: 1e-5 },
  "resnet-cifar10-akamaster/resnet20.onnx": { ofRange: 1e-4 },
  "resnet-cifar10-akamaster/resnet56_dynamo.onnx": { ofRange: 1e-4, large: true },
  "mobilenetv1-025-imagenet/mobilenet_v1_0.25_224.onnx": { ofRange: 1e-4, large: true },
  "fastestdet-coco/FastestDet.onnx": { ofRange: 1e-4, large: true },
  "dtln-speech-enhancement/model_1.onnx": { ofRange: 1e-5 },
  "dtln-speech-enhancement/model_2.onnx": { ofRange: 1e-5 },
  "basic-pitch/nmp.onnx": { ofRange: 1e-4 },
  "llama-stories260k/stories260k_T256.onnx": { ofRange: 1e-4, large: true },
  "llama-stories260k/stories260k_T256_dynamo.onnx": { ofRange: 1e-4, large: true },
  "espnet-camvid/espnet_camvid.onnx": { ofRange: 1e-4, large: true },
  "espnet-camvid/espnet_camvid_dynamo.onnx": { ofRange: 1e-4, large: true },
};

describe("real models: text, optimise, upgrade", () => {
  const chosen = Object.entries(real).filter(([, { large }]) => everything || !large);
  test.for(chosen)("%s", async ([name, comparison], { skip }) => {
    const why = missing(name);
    if (why) skip(why);
    const model = readModelFile(fixture(name));
    const text = printModel(model, { tensors: "full" });
    expect(printModel(parseModel(text), { tensors: "full" }) === text).toBe(true);
    const upgraded = cloneModel(model);
    upgradeOpset(upgraded, 21);
    await expectSameOutputs(model, upgraded, comparison);
    const optimised = cloneModel(model);
    await optimise(optimised, { runtime: await openRuntime(), opset: Math.max(model.opset, oldestOpset) });
    expect(optimised.graph.nodeCount).toBeLessThanOrEqual(model.graph.nodeCount);
    await expectSameOutputs(model, optimised, comparison);
  });
});
