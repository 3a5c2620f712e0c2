/** Layers in the bodies of If, Loop and Scan: how many there are, by the operator that has them. */
import { expect, test } from "vitest";
import { parseModel } from "../../ir/inner.ts";
import { layersInBodies } from "./bodies.ts";

const counted = (body: string) =>
  layersInBodies(
    parseModel(
      `<ir_version: 10, opset_import: ["": 21]> f (float[4,4] x, bool q, int64 n) => (y) <float[4,4] w> { ${body} }`,
      { seed: 1 },
    ),
  );
const branch = (name: string, body: string) => `${name} () => (float[4,4] ${name}_out) { ${body} }`;
const choice = (one: string, other: string) =>
  `If (q) <then_branch = ${branch("a", one)}, else_branch = ${branch("b", other)}>`;

test("layers of the graph itself are none, nor are bodies without one", () => {
  expect(counted("m = MatMul(x, w) y = Relu(m)")).toEqual({});
  expect(counted(`y = ${choice("a_out = Unknown(x)", "b_out = Neg(x)")}`), "of nobody's operator").toEqual({});
  expect(counted(`m = MatMul(x, w) y = ${choice("a_out = Relu(m)", "b_out = Neg(m)")}`)).toEqual({});
});

test("both branches count, those of several operators of one kind together, and those of others apart", () => {
  const two = choice("t = MatMul(x, w) a_out = MatMul(t, w)", "b_out = Neg(x)");
  expect(counted(`y = ${two}`)).toEqual({ If: 2 });
  expect(counted(`y = ${choice("a_out = MatMul(x, w)", "b_out = MatMul(w, x)")}`)).toEqual({ If: 2 });
  const again = choice("a2 = MatMul(x, w) a_out = Relu(a2)", "b_out = Neg(x)")
    .replaceAll("a_out", "c_out")
    .replaceAll("b_out", "d_out");
  expect(counted(`z = ${two} v = ${again} y = Add(z, v)`)).toEqual({ If: 3 });
  const loop = `y = Loop (n, q, x) <body = l (int64 i, bool on, float[4,4] s) => (bool go, float[4,4] r) { go = Identity(on) r = MatMul(s, w) }>`;
  expect(counted(`z = ${two} ${loop.replace("y =", "v =")} y = Add(z, v)`)).toEqual({ If: 2, Loop: 1 });
});
