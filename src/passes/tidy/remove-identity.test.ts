/** Nodes that change nothing go; those that might stay. */
import { expect, test } from "vitest";
import { expectSameOutputs } from "../../../test/same-outputs.ts";
import { cloneModel, parseModel } from "../../ir/inner.ts";
import { hoistConstants } from "../constants.ts";
import { runPass } from "../pass.ts";
import { removeIdentities } from "./remove-identity.ts";

async function remove(text: string, opset = 21) {
  const before = parseModel(text, { opset });
  const after = cloneModel(before);
  const report = await runPass(after, removeIdentities);
  await expectSameOutputs(before, after);
  return { left: [...after.graph.nodes].map((node) => node.op), refusals: report.refusals.map((r) => r.reason) };
}

test("identities of every kind", async () => {
  const { left } = await remove(`f (float[2,3] x) => (float[2,3] y)
    <int64[2] same = {2, -1}, int64[4] none = {0, 0, 0, 0}, int64[1] zero = {0}, int64[1] end = {9223372036854775807}, int64[1] one = {1}, int64[2] ones = {1, 1}> {
    a = Identity(x)
    b = Dropout(a)
    c = Cast <to = 1> (b)
    d = Reshape(x, same)
    e = Transpose <perm = [0, 1]> (d)
    g = Pad(e, none)
    h = Slice(g, zero, end, one)
    i = Expand(x, ones)
    j = Tile(h, ones)
    k = Flatten(x)
    l = Concat <axis = 0> (j)
    m = Add(c, l)
    n = Add(i, k)
    y = Add(m, n)
  }`);
  expect(left).toEqual(["Add", "Add", "Add"]);
});

test("the same operators stay where they do something", async () => {
  const { left } = await remove(`f (float[2,3] x) => (float[6,1] y, float[6,2] z, float[2,2] i)
    <int64[2] to = {3, 2}, int64[4] some = {0, 0, 1, 0}, int64[1] zero = {0}, int64[1] end = {2}, int64[1] one = {1}, int64[1] two = {2}, int64[2] flat = {-1, 1}> {
    a = Reshape(x, to)
    b = Transpose <perm = [1, 0]> (a)
    c = Pad(b, some)
    d = Slice(c, zero, end, one)
    e = Cast <to = 11> (d)
    g = Cast <to = 1> (e)
    h = Slice(g, zero, end, one)
    i = Slice(h, zero, end, zero, two)
    z = Concat <axis = 0> (a, g)
    y = Reshape(d, flat)
  }`);
  expect(left).toEqual(["Reshape", "Transpose", "Pad", "Slice", "Cast", "Cast", "Slice", "Slice", "Concat", "Reshape"]);
});

test("an output that is an input stays an Identity", async () => {
  const { left, refusals } = await remove("f (float[2,3] x) => (float[2,3] y) { y = Identity(x) }");
  expect(left).toEqual(["Identity"]);
  expect(refusals).toEqual(["the graph returns its own input x"]);
});

test("the producer takes over the name of a graph output", async () => {
  const { left } = await remove("f (float[2,3] x) => (float[2,3] y) { a = Relu(x) y = Identity(a) }");
  expect(left).toEqual(["Relu"]);
});

test("Constant nodes become initializers of the same name", async () => {
  const before = parseModel(`f (float[2] x) => (float[2] y) {
    c = Constant <value_floats = [1.5, 2.0]> ()
    d = Constant <value = float {3}> ()
    a = Mul(x, c)
    y = Add(a, d)
  }`);
  const after = cloneModel(before);
  const { edits } = await runPass(after, hoistConstants);
  await expectSameOutputs(before, after);
  expect(edits).toBe(2);
  expect([...after.graph.initializers].map((value) => value.name)).toEqual(["c", "d"]);
});
