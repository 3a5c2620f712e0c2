/** Hostile files that were found elsewhere: every command's way through the library ends in an answer, quickly. */

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { macsOf, peakActivations } from "../src/analysis/inner.ts";
import { AvocetError } from "../src/base/inner.ts";
import { inferTypes } from "../src/facts/inner.ts";
import { writeModel } from "../src/formats/inner.ts";
import { readModelFile } from "../src/formats/inner-node.ts";
import { check, cloneModel, type Model, printModel } from "../src/ir/inner.ts";
import { inlineFunctions, normalise, optimise, runPass, unrollRecurrent, upgradeOpset } from "../src/passes/inner.ts";
import { builtinTarget, place } from "../src/quant/inner.ts";
import { fieldCase, missing } from "./fixtures.ts";

const folder = fieldCase("hostile");
const files = existsSync(folder)
  ? readdirSync(folder).filter((name) => /\.(onnx|bin)$/.test(name))
  : ["laughs_8x10.onnx"];

const ways: Record<string, (model: Model) => unknown> = {
  print: (model) => printModel(model),
  inspect: async (model) => {
    await runPass(model, inlineFunctions);
    const shapes = inferTypes(model);
    macsOf(model, shapes);
    peakActivations(model, shapes);
  },
  plan: async (model) => {
    await normalise(model);
    place(model, builtinTarget("ort-cpu"), { shapes: inferTypes(model) });
  },
  optimize: (model) => optimise(model),
  upgrade: (model) => upgradeOpset(model),
  unroll: (model) => runPass(model, unrollRecurrent()),
};

describe.skipIf(missing("hostile/laughs_8x10.onnx"))("hostile models", () => {
  test.each(files)("%s", { timeout: 60_000 }, async (name) => {
    const start = performance.now();
    const model = answer(() => readModelFile(join(folder, name)));
    for (const run of model ? Object.values(ways) : []) {
      const copy = cloneModel(model!);
      await answer(async () => {
        await run(copy);
        check(copy);
        writeModel(copy);
      });
    }
    // Measured: 4 s for functions that come to 10,000 nodes, 40 ms for others. An array of a made-up length takes minutes.
    expect(performance.now() - start).toBeLessThan(30_000);
  });
});

/** The result, or undefined where an AvocetError with a place reports why there is none; other errors go on. */
function answer<T>(work: () => T): T | undefined {
  const told = (error: unknown) => {
    if (!AvocetError.is(error)) throw error;
    expect(error.detail.at, error.message).toBeTruthy();
    return undefined;
  };
  try {
    const result = work();
    return result instanceof Promise ? (result.catch(told) as T) : result;
  } catch (error) {
    return told(error);
  }
}

test("the folder is read where it is there", () => {
  expect(files.length).toBeGreaterThan(0);
  if (existsSync(folder)) expect(readFileSync(join(folder, files[0]!)).length).toBeGreaterThan(0);
});
