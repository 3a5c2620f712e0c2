/**
 * Optional inputs and outputs that are left out, at the end or before others: every pass, placement, the trace, the file and the
 * text take them, and what a model computes stays.
 */

import { expect, test } from "vitest";
import { AvocetError } from "../src/base/inner.ts";
import { fromTensors } from "../src/data/inner.ts";
import { inferTypes } from "../src/facts/inner.ts";
import { readModel, writeModel } from "../src/formats/inner.ts";
import { addNode, check, cloneModel, type Model, parseModel, printModel, tensorType } from "../src/ir/inner.ts";
import { newestOpset, optimise, upgradeOpset } from "../src/passes/inner.ts";
import { parseRecipe, quantizeModel } from "../src/recipe/inner.ts";
import { openRuntime, traceShapes } from "../src/runtime/inner.ts";
import { outputsOf, seededFeeds } from "./same-outputs.ts";
import { signalToNoise } from "./signal-to-noise.ts";

const runtime = await openRuntime("ort-node");

interface Form {
  readonly op: string;
  /** "x", a constant below, or "" for one that is left out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: Readonly<Record<string, number | readonly number[]>>;
}

const picture = "float[N,4,6,6] x";
const sequence = "float[N,5,4] x";
const constants = `float[8,4,3,3] w, float[4,6] m, float six = {6.0}, float[4] s = {1, 1, 2, 2}, int64[8] p = {0, 0, 1, 1, 0, 0, 1, 1},
  int64[1] a = {1}, int64[1] b = {3}, int64[1] k = {2}, float[1,20,4] g, float[1,20,5] r, float[4] n = {1, 1, 1, 1}, float[1,15,4] gg, float[1,15,5] rr`;

const forms: readonly (Form & { readonly x: string })[] = [
  { x: picture, op: "MaxPool", inputs: ["x"], outputs: ["y", ""], attributes: { kernel_shape: [2, 2] } },
  { x: picture, op: "Dropout", inputs: ["x", ""], outputs: ["y", ""] },
  { x: picture, op: "Dropout", inputs: ["x", "", ""], outputs: ["y"] },
  { x: picture, op: "Conv", inputs: ["x", "w", ""], outputs: ["y"] },
  { x: picture, op: "Clip", inputs: ["x", "", "six"], outputs: ["y"] },
  { x: picture, op: "Clip", inputs: ["x", "", ""], outputs: ["y"] },
  { x: picture, op: "Resize", inputs: ["x", "", "s", ""], outputs: ["y"] },
  { x: picture, op: "Pad", inputs: ["x", "p", "", ""], outputs: ["y"] },
  { x: picture, op: "Slice", inputs: ["x", "a", "b", "", ""], outputs: ["y"] },
  { x: picture, op: "Slice", inputs: ["x", "a", "b", "k", ""], outputs: ["y"] },
  { x: picture, op: "BatchNormalization", inputs: ["x", "n", "n", "n", "n"], outputs: ["y", "", ""] },
  { x: "float[N,4] x", op: "Gemm", inputs: ["x", "m", ""], outputs: ["y"] },
  { x: "float[N,4] x", op: "LayerNormalization", inputs: ["x", "n", ""], outputs: ["y", "", ""] },
  {
    x: sequence,
    op: "LSTM",
    inputs: ["x", "g", "r", "", "", ""],
    outputs: ["y", "", ""],
    attributes: { hidden_size: 5 },
  },
  { x: sequence, op: "LSTM", inputs: ["x", "g", "r"], outputs: ["", "y", ""], attributes: { hidden_size: 5 } },
  { x: sequence, op: "LSTM", inputs: ["x", "g", "r"], outputs: ["", "", "y"], attributes: { hidden_size: 5 } },
  { x: sequence, op: "GRU", inputs: ["x", "gg", "rr", ""], outputs: ["", "y"], attributes: { hidden_size: 5 } },
  { x: sequence, op: "GRU", inputs: ["x", "gg", "rr"], outputs: ["y", ""], attributes: { hidden_size: 5 } },
];

/** A product, the form, and another product behind it (or what lets every shape pass). */
function modelOf({ x, op, inputs, outputs, attributes = {} }: (typeof forms)[number]): Model {
  const model = parseModel(
    `<ir_version: 8, opset_import: ["": 18]> f (${x}) => (float[] z) <${constants}> { h = ${x === sequence ? "Transpose <perm = [1,0,2]>" : "Relu"} (x) z = Identity (h) }`,
    { seed: 6 },
  );
  const { graph } = model;
  const values = graph.valuesByName();
  const identity = values.get("z")!.producer!;
  const node = addNode(
    graph,
    op,
    inputs.map((name) => (name === "" ? null : name === "x" ? values.get("h")! : values.get(name)!)),
    attributes,
    { outputs: [...outputs], place: { before: identity } },
  );
  // As a file may have it: the graph itself leaves inputs out at the end.
  const { output } =
    x === sequence
      ? addNode(
          graph,
          "Transpose",
          [node.outputs[outputs.indexOf("y")]!],
          { perm: outputs[0] === "y" ? [2, 0, 1, 3] : [1, 0, 2] },
          { place: { before: identity } },
        )
      : { output: node.outputs[outputs.indexOf("y")]! };
  graph.setInput(identity, 0, output);
  values.get("z")!.type = tensorType("float32", null);
  for (const value of [...graph.initializers]) if (value.useCount === 0) graph.removeInitializer(value);
  return model;
}

test.each(forms)("$op of [$inputs] gives [$outputs]", async (form) => {
  const model = modelOf(form);
  const feeds = seededFeeds(model, { dims: { N: 3 } });
  const wanted = (await outputsOf(model, feeds)).z!;
  const same = async (changed: Model, least = 100) => {
    check(changed);
    const found = (await outputsOf(changed, feeds)).z!;
    expect(found.shape).toEqual(wanted.shape);
    expect(signalToNoise(wanted.floats(), found.floats())).toBeGreaterThan(least);
  };
  await same(readModel(writeModel(model)));
  await same(parseModel(printModel(model, { tensors: "full" })));
  inferTypes(model);
  await traceShapes(model, runtime, feeds);
  const upgraded = cloneModel(model);
  upgradeOpset(upgraded, newestOpset - 1);
  await same(upgraded);
  const optimised = cloneModel(model);
  await optimise(optimised, { runtime });
  await same(optimised);
  for (const target of ["ort-cpu", "aimet-default", "htp-v73"]) {
    for (const preset of ["fast", "standard"] as const) {
      const recipe = parseRecipe({ target, preset });
      try {
        const made = await quantizeModel(cloneModel(model), fromTensors(feeds), recipe, runtime);
        await same(made.shipped, 18);
      } catch (error) {
        if (!AvocetError.is(error) || error.code !== "quant/nothing-to-quantize") throw error;
      }
    }
  }
});
