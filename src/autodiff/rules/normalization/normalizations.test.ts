/** Normalizations against central differences. */
import { describe, expect, test } from "vitest";
import { parseModel } from "../../../ir/inner.ts";
import { openRuntime, traceShapes } from "../../../runtime/inner.ts";
import { Tensor } from "../../../tensor/inner.ts";
import { gradientModel, seedPrefix } from "../../differentiate.ts";
import { gradientSuite } from "../../gradient-suite.ts";

const norm = (op: string, x: string, more: string, attributes: string, outputs = "y") => {
  const names = [...more.matchAll(/\] (\w+)/g)].map(([, name]) => name);
  return {
    text: `f (float[${x}] x${more}) => (float y) { ${outputs} = ${op} <${attributes}> (${["x", ...names].join(", ")}) }`,
    outputs: ["y"],
  };
};

describe("LayerNormalization", () => {
  gradientSuite({
    "last axis": norm("LayerNormalization", "3,4,5", ", float[5] g, float[5] c", "epsilon = 0.001"),
    "without bias, two axes": norm("LayerNormalization", "3,4,5", ", float[4,5] g", "axis = 1"),
    "a scale that broadcasts": norm("LayerNormalization", "3,4,5", ", float[1,5] g, float[4,1] c", "axis = -2"),
    "all axes": norm("LayerNormalization", "3,4", ", float[3,4] g", "axis = 0"),
    "with its statistics": norm("LayerNormalization", "3,6", ", float[6] g, float[6] c", "axis = -1", "y, m, i"),
  });
});

describe("normalizations by the root mean square", () => {
  gradientSuite({
    RMSNormalization: { ...norm("RMSNormalization", "3,4,5", ", float[5] g", "epsilon = 0.001"), opset: 23 },
    "RMSNormalization over two axes": { ...norm("RMSNormalization", "3,4,5", ", float[4,5] g", "axis = 1"), opset: 23 },
    SimplifiedLayerNormalization: norm("SimplifiedLayerNormalization", "3,6", ", float[6] g", "axis = -1"),
    "with its statistic": norm("SimplifiedLayerNormalization", "3,6", ", float[6] g", "axis = -1", "y, i"),
  });
});

describe("InstanceNormalization and GroupNormalization", () => {
  gradientSuite({
    instances: norm("InstanceNormalization", "2,3,4,3", ", float[3] g, float[3] c", "epsilon = 0.001"),
    "instances, 1-D": norm("InstanceNormalization", "2,3,6", ", float[3] g, float[3] c", "epsilon = 0.001"),
    groups: norm("GroupNormalization", "2,6,3,2", ", float[6] g, float[6] c", "num_groups = 3"),
    "groups with a scale each (opset 18)": {
      ...norm("GroupNormalization", "2,6,3,2", ", float[3] g, float[3] c", "num_groups = 3"),
      opset: 18,
    },
  });
});

describe("others", () => {
  gradientSuite({
    LRN: norm("LRN", "2,6,2,2", "", "size = 3, alpha = 0.5, beta = 0.6, bias = 1.5"),
    "LpNormalization, p = 2": norm("LpNormalization", "3,4,2", "", "axis = 1"),
    "LpNormalization, p = 1": {
      ...norm("LpNormalization", "3,4", "", "p = 1"),
      feeds: { x: (_, i) => (i % 3) - 1.2 },
    },
    "LpNormalization along the first axis": norm("LpNormalization", "3,4,2", "", "axis = 0"),
    "LpNormalization without an axis: the last one": {
      text: "f (float[3,4,2] x) => (float y) { y = LpNormalization(x) }",
    },
    "MeanVarianceNormalization without axes: all but channels": {
      text: "f (float[3,2,3,2] x) => (float y) { y = MeanVarianceNormalization(x) }",
    },
    "MeanVarianceNormalization, axes from the end": norm("MeanVarianceNormalization", "3,2,3,2", "", "axes = [-1,-2]"),
    MeanVarianceNormalization: norm("MeanVarianceNormalization", "3,2,3,2", "", "axes = [0,2,3]"),
    "Dropout without training": { text: "f (float[3,4] x) => (float y) { y = Dropout(x) }" },
    "Dropout that drops nothing": {
      text: `f (float[3,4] x) => (float y) <float r = {0.0}, bool t = {1}> { y = Dropout(x, r, t) }`,
    },
  });
});

test.each([
  ["0.25", 4 / 3],
  ["", 2],
])("Dropout in training with ratio %s lets through what its mask does", async (ratio, kept) => {
  const model = parseModel(`<ir_version: 10, opset_import: ["" : 21]>
    f (float[40] x) => (float y) <float r = {${ratio || "0.9"}}, bool t = {1}> { y, m = Dropout <seed = 3> (x, ${ratio ? "r" : `""`}, t) }`);
  const ones = Tensor.float32([40], new Float32Array(40).fill(1));
  const runtime = await openRuntime();
  const types = await traceShapes(model, runtime, { x: ones });
  await using session = await runtime.open(gradientModel(model, ["x"], { types }));
  const { y, gradient_x } = await session.run({ x: ones, [`${seedPrefix}y`]: ones });
  // With ones on both sides the output and the gradient are the same numbers: 0 or one over what is kept.
  expect(gradient_x!.numbers()).toEqual(y!.numbers());
  expect(new Set(y!.numbers())).toEqual(new Set([0, Math.fround(kept)]));
});
