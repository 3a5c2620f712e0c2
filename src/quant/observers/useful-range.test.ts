/** What readers can tell apart: the ends beyond which all of them clip. */
import { expect, test } from "vitest";
import { type Model, parseModel } from "../../ir/inner.ts";
import { ops } from "../../ops/inner.ts";
import { readings, usefulRange } from "./useful-range.ts";

const infinite = Number.POSITIVE_INFINITY;
const everything = [-infinite, infinite];

function model(body: string, constants = "float lo = {0.0}", more = ""): Model {
  return parseModel(`
    <ir_version: 10, opset_import: ["": 21]>
    g (float[1,2,4,4] x, float s${more}) => (y)
    <${constants}> { ${body} }`);
}

function rangeOf(graph: Model, ...names: string[]) {
  const values = graph.graph.valuesByName();
  return usefulRange(names.map((name) => values.get(name)!));
}

const six = "float lo = {0.0}, float hi = {6.0}";

test.each<[string, string, string, readonly number[]]>([
  ["Relu", "y = Relu(x)", six, [0, infinite]],
  ["Clip", "y = Clip(x, lo, hi)", six, [0, 6]],
  ["Clip by attributes", "y = Clip <min = -1.0, max = 2.0> (x)", six, [-1, 2]],
  ["Clip with one bound", `y = Clip(x, "", hi)`, six, [-infinite, 6]],
  ["Clip with a computed bound", "y = Clip(x, s, hi)", six, [-infinite, 6]],
  ["Clip to a single number", "y = Clip(x, lo, lo)", six, [0, 0]],
  ["what was moved", "t = Transpose(x) y = Clip(t, lo, hi)", six, [0, 6]],
  ["Max with a number per channel", "y = Max(x, m)", "float[2,1,1] m = {-3.0, -5.0}", [-5, infinite]],
  ["Min with a number per channel", "y = Min(x, m)", "float[2,1,1] m = {3.0, 5.0}", [-infinite, 5]],
  ["Min of three", "y = Min(x, m, s)", "float m = {3.0}", everything],
  ["Min with what is computed", "y = Min(x, s)", six, everything],
  [
    "what a Pad adds beside",
    "p = Pad(x, n, c) y = Relu(p)",
    "int64[8] n = {0,0,1,1,0,0,1,1}, float c = {-1.5}",
    everything,
  ],
  ["an operator that tells all apart", "y = Sin(x)", six, everything],
  ["one of another domain", "y = com.example.Relu(x)", six, everything],
  ["a reader beside one that clips", "a = Relu(x) b = Sin(x) y = Add(a, b)", six, everything],
  ["two that clip", "a = Relu(x) b = Clip(x, l, h) y = Add(a, b)", "float l = {-2.0}, float h = {3.0}", [-2, infinite]],
  ["nobody", "y = Neg(s)", six, everything],
])("%s", (_, body, constants, wanted) => {
  expect(rangeOf(model(body, constants), "x")).toEqual(wanted);
});

test("a Min with no number at all clips nothing", () => {
  const graph = parseModel(`
    <ir_version: 10, opset_import: ["": 21]>
    g (float[1] x) => (float[0] y) <float[0] m = {}> { y = Min(x, m) }`);
  expect(rangeOf(graph, "x")).toEqual(everything);
});

test("a bound is no input that is clipped", () => {
  expect(rangeOf(model("y = Clip(x, s, hi)", six), "s")).toEqual(everything);
});

test("all values of a group count, and an output keeps everything", () => {
  const group = model("a = Relu(x) b = Sin(a) y = Relu(b)");
  expect(rangeOf(group, "x")).toEqual([0, infinite]);
  expect(rangeOf(group, "x", "a")).toEqual(everything);
  const returned = parseModel(`
    <ir_version: 10, opset_import: ["": 21]>
    g (float[2] x) => (a, y) { a = Neg(x) y = Relu(a) }`);
  expect(rangeOf(returned, "a")).toEqual(everything);
});

test("every operator has a reading, or a sentence that says why not", () => {
  expect(Object.keys(readings).sort()).toEqual(Object.keys(ops).sort());
  for (const row of Object.values(readings))
    if (typeof row !== "function") expect(row).toEqual({ unknown: expect.stringMatching(/^[a-z][^.]*$/) });
});
