/** Shape arithmetic, movements that cancel, and equal subexpressions: fewer nodes, the same outputs. */
import { describe, expect, test } from "vitest";
import { expectSameOutputs } from "../../../test/same-outputs.ts";
import { cloneModel, parseModel } from "../../ir/inner.ts";
import { foldPaddings } from "../fold/fold-padding.ts";
import { runPasses } from "../pass.ts";
import { cancelMovement } from "../tidy/cancel-movement.ts";
import { inlineFunctions } from "../tidy/inline-functions.ts";
import { removeDeadNodes } from "../tidy/remove-dead.ts";
import { removeIdentities } from "../tidy/remove-identity.ts";
import { shareConstants, shareSubexpressions } from "../tidy/share-equal.ts";
import { foldShapes } from "./fold-shapes.ts";

const passes = [
  inlineFunctions,
  foldPaddings,
  foldShapes,
  cancelMovement,
  removeIdentities,
  shareConstants,
  shareSubexpressions,
  removeDeadNodes,
];

const cases: Record<string, [text: string, left: string[]]> = {
  "a Reshape that copies the batch": [
    `f (float[N,4,3] x) => (float[N,12] y) <int64 zero = {0}, int64[1] first = {0}, int64[1] rest = {-1}> {
       s = Shape(x)
       g = Gather(s, zero)
       u = Unsqueeze(g, first)
       t = Concat <axis = 0> (u, rest)
       y = Reshape(x, t) }`,
    ["Reshape"],
  ],
  "a Reshape to its own shape": [
    `f (float[N,T,U] x) => (float[N,T,U] y) { r = Relu(x) s = Shape(r) y = Reshape(r, s) }`,
    ["Relu"],
  ],
  "one open length": [
    `f (float[N,T,6] x) => (float[N,T,2,3] y) <int64[1] h = {2}, int64[1] d = {3}, int64[1] zero = {0}, int64[1] two = {2}> {
       s = Shape(x)
       b = Slice(s, zero, two)
       t = Concat <axis = 0> (b, h, d)
       y = Reshape(x, t) }`,
    ["Reshape"],
  ],
  "two open lengths stay": [
    `f (float[N,T,6] x) => (float[T,N,6] y) <int64[3] i = {1, 0, 2}> { s = Shape(x) t = Gather(s, i) y = Reshape(x, t) }`,
    ["Shape", "Gather", "Reshape"],
  ],
  "a known length of an open shape": [
    `f (float[N,5] x) => (int64 y) <int64 one = {1}, int64 k = {3}> { s = Shape(x) g = Gather(s, one) y = Mul(g, k) }`,
    ["Mul"],
  ],
  "Shape with start and end": [
    "f (float[2,5,7] x) => (int64[2] y) <int64[2] k = {1, 1}> { s = Shape <start = 1, end = -1> (x) t = Shape <start = -2> (x) a = Add(s, t) y = Mul(a, k) }",
    ["Mul"],
  ],
  "Transposes that cancel": [
    "f (float[2,3,4] x) => (float[2,3,4] y) { a = Relu(x) t = Transpose <perm = [1,2,0]> (a) y = Transpose <perm = [2,0,1]> (t) }",
    ["Relu"],
  ],
  "Transposes that merge": [
    "f (float[2,3,4] x) => (float[3,2,4] y) { t = Transpose <perm = [1,2,0]> (x) y = Transpose <perm = [0,2,1]> (t) }",
    ["Transpose"],
  ],
  "Reshape after Reshape and Flatten": [
    "f (float[2,3,4] x) => (float[6,4] y) <int64[2] a = {4, 6}, int64[2] b = {6, -1}> { t = Reshape(x, a) u = Flatten(t) y = Reshape(u, b) }",
    ["Reshape"],
  ],
  "Unsqueeze before Reshape, and behind it": [
    "f (float[N,6] x) => (float[N,1,2,1,3] y) <int64[1] one = {1}, int64[3] to = {-1, 2, 3}, int64[2] a = {1, 3}> { u = Unsqueeze(x, one) r = Reshape(u, to) y = Unsqueeze(r, a) }",
    ["Reshape"],
  ],
  "Squeeze behind Reshape": [
    "f (float[N,6] x) => (float[N,2,3] y) <int64[4] to = {0, 2, 1, 3}, int64[1] a = {-2}> { r = Reshape(x, to) y = Squeeze(r, a) }",
    ["Reshape"],
  ],
  "a zero keeps its place": [
    "f (float[N,6] x) => (float[1,N,2,3] y) <int64[3] to = {0, 2, 3}, int64[1] a = {0}> { r = Reshape(x, to) y = Unsqueeze(r, a) }",
    ["Reshape", "Unsqueeze"],
  ],
  "zeros around a picture": [
    `f (float[N,2,5,5] x) => (float[N,3,4,5] y) <float[3,2,3,3] w, int64[8] p = {0,0,1,0,0,0,0,1}> {
       q = Pad(x, p)
       y = Conv <pads = [0,0,0,1]> (q, w) }`,
    ["Conv"],
  ],
  "zeros around everything stay": [
    `f (float[N,2,5,5] x) => (float[O,3,3,3] y) <float[3,4,3,3] w, int64[8] p = {0,1,0,0,0,1,0,0}> {
       q = Pad(x, p)
       y = Conv(q, w) }`,
    ["Pad", "Conv"],
  ],
  "Squeeze after Unsqueeze": [
    "f (float[2,3] x) => (float[2,3] y) <int64[2] a = {1, 3}> { r = Relu(x) t = Unsqueeze(r, a) y = Squeeze(t, a) }",
    ["Relu"],
  ],
  "equal subexpressions and constants": [
    `f (float[2,3] x) => (float[2,3] y, float[2,3] z) <float[3] a = {1,2,3}, float[3] b = {1,2,3}> {
       c = Add(x, a) d = Add(x, b) e = Relu(c) g = Relu(d) y = Mul(e, g) z = Elu <alpha = 0.5> (d) }`,
    ["Add", "Relu", "Mul", "Elu"],
  ],
  "two outputs that are equal stay two": [
    "f (float[2,3] x) => (float[2,3] y, float[2,3] z) { y = Relu(x) z = Relu(x) }",
    ["Relu", "Relu"],
  ],
  "functions within functions, with attributes, defaults and left-out inputs": [
    `<ir_version: 10, opset_import: ["": 21, "my": 1]>
     f (float[2,3] x, bool c) => (float[2,3] y, float[2,3] z) { y = my.outer <slope = 0.3> (x) z = If(c) <
         then_branch = t () => (float[2,3] a) { a = my.inner(x) }, else_branch = e () => (float[2,3] b) { b = Neg(x) }> }
     <domain: "my", opset_import: ["": 21, "my": 1]>
     outer <slope> (a) => (b) { t = my.inner <alpha: float = @slope> (a) b = Add(t, a) }
     <domain: "my", opset_import: ["": 21]>
     inner <alpha: float = 0.1> (a, low) => (b) { r = LeakyRelu <alpha: float = @alpha> (a) b = Clip(r, low) }`,
    ["LeakyRelu", "Clip", "Add", "If"],
  ],
};

describe("same outputs", () => {
  test.each(Object.entries(cases))("%s", async (_name, [text, left]) => {
    const before = parseModel(text, { seed: 8 });
    const after = cloneModel(before);
    await runPasses(after, passes);
    await expectSameOutputs(before, after);
    expect([...after.graph.nodes].map((node) => node.op)).toEqual(left);
  });
});
