/** Cutting a part out: what stays, what becomes an input, what is refused. */
import { describe, expect, test } from "vitest";
import { outputsOf } from "../../test/same-outputs.ts";
import { Tensor } from "../tensor/inner.ts";
import { check } from "./check.ts";
import { extract, removeDead } from "./extract.ts";
import { parseGraph, parseModel } from "./text/parse.ts";
import { printGraph } from "./text/print.ts";

const text = `g (float[2] x, float[2] z, float[2] d = {1, 2}) => (float[2] y, float[2] h) <float[2] w = {3, 4}, float[2] i> {
  h = Add(x, w)
  i = Mul(h, d)
  j = Sub(i, z)
  y = Neg(j)
}`;

function part(to: string[], from?: string[]): string {
  const model = parseModel(text);
  const cut = extract(model, to, from);
  check(model);
  check(cut);
  expect(printGraph(model.graph)).toBe(printGraph(parseGraph(text)));
  return printGraph(cut.graph);
}

describe("a part", () => {
  test("ends at what is asked for and starts at the inputs", () => {
    expect(part(["h"], ["x"])).toMatchInlineSnapshot(`
      "g (float[2] x) => (float[2] h)
      <float[2] w = {3, 4}>
      {
        h = Add(x, w)
      }"
    `);
    expect(part(["i"])).toMatchInlineSnapshot(`
      "g (float[2] x, float[2] z, float[2] d = {1, 2}) => (float[2] i)
      <float[2] w = {3, 4}, float[2] h>
      {
        h = Add(x, w)
        i = Mul(h, d)
      }"
    `);
  });

  test("starts in the middle, with exactly the inputs that are named, in that order", () => {
    expect(part(["y"], ["z", "i"])).toMatchInlineSnapshot(`
      "g (float[2] z, float[2] i) => (float[2] y) {
        j = Sub(i, z)
        y = Neg(j)
      }"
    `);
    expect(part(["i"], ["d", "h"])).toMatchInlineSnapshot(`
      "g (float[2] d = {1, 2}, float[2] h) => (float[2] i) {
        i = Mul(h, d)
      }"
    `);
    expect(part(["j"], ["z", "w", "x"])).toMatchInlineSnapshot(`
      "g (float[2] z, float[2] w, float[2] x) => (j)
      <float[2] d = {1, 2}, float[2] h, float[2] i>
      {
        h = Add(x, w)
        i = Mul(h, d)
        j = Sub(i, z)
      }"
    `);
  });

  test("keeps inputs that it does not read when they are named, and constants that were inputs as constants", () => {
    expect(part(["h"], ["z", "x"])).toMatch(/^g \(float\[2\] z, float\[2\] x\) =>/);
    expect(part(["i"], ["x"])).toContain("float[2] d = {1, 2}");
    expect(part(["i"], ["x"])).toMatch(/^g \(float\[2\] x\) =>/);
  });

  test("may be nothing: a value from itself, an input, a constant, a value twice", () => {
    expect(part(["i"], ["i"])).toBe("g (float[2] i) => (float[2] i) {\n}");
    expect(part(["x"], ["x"])).toBe("g (float[2] x) => (float[2] x) {\n}");
    expect(part(["w"], [])).toBe("g () => (float[2] w)\n<float[2] w = {3, 4}>\n{\n}");
    expect(part(["h", "h"], ["x", "x"])).toMatch(/^g \(float\[2\] x\) => \(float\[2\] h, float\[2\] h\)/);
  });

  test("computes what the whole computes", async () => {
    const model = parseModel(text);
    const feeds = { x: Tensor.float32([2], [1, -2]), z: Tensor.float32([2], [0.5, 3]) };
    const whole = await outputsOf(model, feeds);
    const { y } = await outputsOf(extract(model, ["y"], ["h", "z"]), { h: whole.h!, z: feeds.z });
    expect(y!.numbers()).toEqual(whole.y!.numbers());
  });

  test("follows what bodies capture", () => {
    const model = parseModel(`g (bool b, x) => (y) {
      h = Neg(x) k = Abs(x) dead = Exp(x)
      y = If(b) <then_branch = p () => (t) { t = Neg(h) }, else_branch = q () => (t) { t = Neg(k) }>
    }`);
    const cut = extract(model, ["y"], ["b", "h", "x"]);
    check(cut);
    expect(printGraph(cut.graph)).toMatchInlineSnapshot(`
      "g (bool b, h, x) => (y) {
        k = Abs(x)
        y = If(b) <
          then_branch = p () => (t) {
            t = Neg(h)
          },
          else_branch = q () => (t) {
            t = Neg(k)
          }
        >
      }"
    `);
  });
});

test("names that do not exist and inputs that are missing are refused", () => {
  const model = parseModel(text);
  model.source = "m.onnx";
  const refusal = (to: string[], from?: string[]) => {
    try {
      extract(model, to, from);
    } catch (error) {
      return error;
    }
    return undefined;
  };
  expect(refusal(["nothing"])).toMatchObject({ code: "graph/not-found", detail: { at: "m.onnx" } });
  expect(refusal(["y"], ["nothing"])).toMatchObject({ message: "expected a value of the graph, got nothing" });
  expect(refusal(["y"], ["h"])).toMatchObject({ message: "the part still needs the input z" });
});

test("dead nodes and constants go, with what only they read", () => {
  const graph = parseGraph(`g (bool b, x, float u = {1}) => (y) <float w = {1}, float v = {2}> {
    a = Neg(w) c = Neg(a) d, e = Split(x) y = Add(d, v)
    f = If(b) <then_branch = p () => (t) { t = Neg(c) }>
  }`);
  expect(removeDead(graph)).toBe(4);
  expect(printGraph(graph)).toMatchInlineSnapshot(`
    "g (bool b, x, float u = {1}) => (y)
    <float v = {2}>
    {
      d, e = Split(x)
      y = Add(d, v)
    }"
  `);
  expect(removeDead(graph)).toBe(0);
});
