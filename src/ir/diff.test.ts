/** Differences between models: what is told, and what is none. */
import { expect, test } from "vitest";
import { diffModels } from "./diff.ts";
import { parseModel } from "./text/parse.ts";

const told = (a: string, b: string) =>
  diffModels(parseModel(a, { seed: 1 }), parseModel(b, { seed: 1 })).map(
    ({ kind, name, change, detail }) => `${change} ${kind} ${name}${detail ? `: ${detail}` : ""}`,
  );

const base = "f (float[2] x, float[2] z) => (float[2] y) <float[2] w = {1, 2}> { a = Mul(x, w) y = Add(a, z) }";

test("order and names of nodes are no difference", () => {
  const a = "f (float[2] x) => (y) { [one] p = Neg(x) [two] q = Abs(x) y = Add(p, q) }";
  const b = "f (float[2] x) => (y) { q = Abs(x) p = Neg(x) y = Add(p, q) }";
  expect(told(a, b)).toEqual([]);
});

test("the interface", () => {
  expect(told(base, base.replace("float[2] x", "float[N] x"))).toEqual(["changed input x: float[2] → float[N]"]);
  expect(told(base, base.replace("(float[2] x, float[2] z)", "(float[2] z, float[2] x)"))).toEqual([
    "changed input order: x, z → z, x",
  ]);
  expect(told(base, base.replace("=> (float[2] y)", "=> (float[2] y, a)"))).toEqual(["added output a: ?"]);
});

test("nodes and constants that come and go", () => {
  expect(told(base, base.replace("Mul(x, w)", "Neg(x)").replace("<float[2] w = {1, 2}>", ""))).toEqual([
    "changed node a: Mul(x, w) → Neg(x)",
    "removed constant w: float32[2]",
  ]);
  expect(told(base, base.replace("y = Add(a, z)", "b = Abs(a) y = Add(b, z)"))).toEqual([
    "changed node y: Add(a, z) → Add(b, z)",
    "added node b: Abs(a)",
  ]);
});

test("numbers, types of constants, and NaN which equals itself", () => {
  expect(told(base, base.replace("{1, 2}", "{1, 2.25}"))).toEqual([
    "changed constant w: 1 of 2 numbers, by at most 0.2500",
  ]);
  expect(told(base, base.replace("float[2] w", "double[2] w"))).toEqual([
    "changed constant w: float32[2] → float64[2]",
  ]);
  const nan = base.replace("{1, 2}", "{nan, 2}");
  expect(told(nan, nan)).toEqual([]);
});

test("bodies and functions", () => {
  const branch = (op: string) =>
    `f (bool c, float[2] x) => (y) { y = If(c) < then_branch = t () => (float[2] p) { p = ${op}(x) }, else_branch = e () => (float[2] q) { q = Abs(x) } > }`;
  expect(told(branch("Neg"), branch("Neg"))).toEqual([]);
  expect(told(branch("Neg"), branch("Exp"))).toEqual([expect.stringContaining("changed node y: then_branch")]);
  const own = (op: string) =>
    `<ir_version: 10, opset_import: ["" : 21, "own" : 1]> f (float[2] x) => (y) { y = own.G(x) }
     <domain: "own", opset_import: ["" : 21]> G (a) => (b) { b = ${op}(a) }`;
  expect(told(own("Neg"), own("Abs"))).toEqual(["changed function own.G: its body"]);
});

test("operator sets", () => {
  expect(told(`<ir_version: 10, opset_import: ["" : 20]> ${base}`, base)).toEqual(["changed opset ai.onnx: 20 → 21"]);
});
