/** Programs without types: a wrong argument of any main entry point is named, and is never met as a TypeError somewhere below. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { AvocetError } from "../src/base/inner.ts";
import { classLabels, fromArray } from "../src/data/inner.ts";
import { parsePreprocess } from "../src/data/inner-files.ts";
import * as avocet from "../src/index.ts";
import { openData, openLabels, readModelFile, writeModelFile } from "../src/index-node.ts";
import * as quant from "../src/quant/index.ts";

const folder = mkdtempSync(join(tmpdir(), "avocet-arguments-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const text = `<ir_version: 10, opset_import: ["" : 21]> f (float[N,4] x) => (float[N,3] y) <float[4,3] w> { y = MatMul(x, w) }`;
const model = avocet.parseModel(text, { seed: 1 });
const runtime = await avocet.openRuntime();
const session = await runtime.open(model);
const data = fromArray("x", [3, 4], new Float32Array(12));
const recipe = avocet.parseRecipe({});
const labels = classLabels([0, 1, 2], "labels");
const metric = avocet.topK(1);
const plan = quant.place(model, quant.builtinTarget("ort-cpu"), { shapes: new Map() });
const file = { model, file: "x.onnx", bytes: 1 };

// biome-ignore lint/suspicious/noExplicitAny: wrong arguments are the point
type Call = (...args: any[]) => unknown;

/** Each call with arguments that are right. */
const calls: Record<string, [call: Call, right: readonly unknown[], mayLack?: readonly number[]]> = {
  quantizeModel: [avocet.quantizeModel, [model, data, recipe, runtime]],
  trainModel: [avocet.trainModel, [model, data, recipe, runtime]],
  evaluate: [avocet.evaluate, [session, data, metric, { labels }]],
  verify: [avocet.verify, [file, file, runtime, data]],
  compareValues: [avocet.compareValues, [model, model, [{ reference: "y", other: "y" }], runtime, data]],
  topK: [avocet.topK, [1]],
  fromTensors: [avocet.fromTensors, [{ x: avocet.Tensor.float32([1], [1]) }]],
  fromArray: [fromArray, ["x", [1], new Float32Array(1)]],
  fromIterable: [avocet.fromIterable, [() => []]],
  samples: [avocet.samples, [data, 2]],
  readModel: [avocet.readModel, [new Uint8Array(4)]],
  writeModel: [avocet.writeModel, [model]],
  readModelFile: [readModelFile, ["x.onnx"]],
  writeModelFile: [writeModelFile, [model, join(folder, "x.onnx")]],
  openData: [openData, ["x.npy", { model }]],
  quantize: [avocet.quantize, [model, data, {}, { runtime }], [1, 2, 3]],
  run: [avocet.run, [{ name: "net", source: { model }, data, recipe, runtime }]],
  localScorer: [avocet.localScorer, [{ runtime, data, metric: () => metric, labels }]],
  scorerPool: [avocet.scorerPool, [[{ score: async () => ({}) }]]],
  CandidateFrom: [(bytes) => avocet.Candidate.from(bytes), [new Uint8Array(4)]],
  openLabels: [openLabels, ["y.npy"]],
  parseModel: [avocet.parseModel, [text]],
  printModel: [avocet.printModel, [model]],
  check: [avocet.check, [model]],
  place: [quant.place, [model, quant.builtinTarget("ort-cpu"), { shapes: new Map() }]],
  lower: [quant.lower, [model, plan]],
  planToJson: [avocet.planToJson, [plan]],
  planFromJson: [avocet.planFromJson, ["{}"]],
  parseRecipe: [avocet.parseRecipe, [{}]],
  parsePreprocess: [parsePreprocess, [{}]],
  openRuntime: [avocet.openRuntime, ["ort-node"], [0]],
};

const wrong: readonly (readonly [string, unknown])[] = [
  ["nothing", undefined],
  ["null", null],
  ["a number", -1.5],
  ["an empty text", ""],
  ["an object of another kind", { something: "else" }],
  ["a promise", Promise.resolve(model)],
  ["a date", new Date(0)],
];

describe.each(Object.entries(calls))("%s", (_, [call, right, mayLack = []]) => {
  const cases = right.flatMap((_, index) => wrong.map(([what, value]) => ({ index, what, value })));
  test.each(cases)("argument $index: $what", async ({ index, what, value }) => {
    if (mayLack.includes(index) && (value === undefined || value === null)) return;
    const given = right.map((argument, i) => (i === index ? value : argument));
    let error: unknown;
    try {
      await call(...given);
    } catch (thrown) {
      error = thrown;
    }
    // What an empty object or no data can mean is not wrong.
    if (error === undefined) {
      expect(["an object of another kind", "a date", "a promise", "nothing"], `${what} was taken`).toContain(what);
      return;
    }
    expect(AvocetError.is(error), String((error as Error).stack)).toBe(true);
    expect((error as AvocetError).message).not.toMatch(/internal|undefined \(|is not a function|Cannot read/);
  });
});

test("the argument, the call and the way out are named", async () => {
  const call = avocet.quantizeModel as Call;
  await expect(call(undefined, data, recipe, runtime)).rejects.toMatchObject({
    code: "usage/bad-value",
    message: "expected a Model as model, got undefined",
    detail: { at: "quantizeModel(model, data, recipe, runtime)", hint: expect.stringContaining("readModelFile") },
  });
  await expect(call(model, data, {}, runtime)).rejects.toThrow("expected a recipe with its defaults as recipe");
  await expect(call(model, data, recipe, avocet.openRuntime())).rejects.toThrow("got a promise (await it)");
});
