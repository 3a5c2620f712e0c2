/** What keeps all digits of float32, by hand: what leads to integers and angles, as far as arithmetic goes. */
import { expect, test } from "vitest";
import { parseModel } from "../../ir/inner.ts";
import { exactNodes } from "./exact-nodes.ts";

const found = (body: string) => {
  const model = parseModel(
    `<ir_version: 10, opset_import: ["" : 21, "com.example" : 1]> f (float[2,4] x, float[4,1] u, float[1,4] v, float[4,4] m, bool q) => (y)
     <float[4,1] column, float[1,4] row, float[2,4,1] deep, float[4,4] w, int64[2] s = {2, 4}> { ${body} }`,
    { seed: 1 },
  );
  return Object.fromEntries([...exactNodes(model.graph)].map(([node, reason]) => [node.output.name, reason]));
};
const angle = "angles need more digits than half precision has";
const integer = "it leads to an integer";

test("angles, and casts to integers of any width, but no other casts", () => {
  expect(found("y = Sin(x)")).toEqual({ y: angle });
  expect(found("y = Cos(x)")).toEqual({ y: angle });
  for (const to of [6, 7, 2, 3, 12, 13]) expect(found(`y = Cast <to = ${to}> (x)`)).toEqual({ y: integer });
  for (const to of [1, 9, 10, 11, 16]) expect(found(`y = Cast <to = ${to}> (x)`)).toEqual({});
  expect(found("y = Neg(x)")).toEqual({});
  expect(found("a = com.example.Sin(x) y = com.example.Cast <to = 7> (a)")).toEqual({});
});

test("the arithmetic in front of them, and nothing behind a layer", () => {
  expect(
    found(
      "a = Add(x, x) b = Reshape(a, s) c = Concat <axis = 0> (b, b) d = Expand(c, s) e = Floor(d) y = Cast <to = 7> (e)",
    ),
  ).toEqual(Object.fromEntries(["a", "b", "c", "d", "e", "y"].map((name) => [name, integer])));
  expect(found("a = Add(x, x) b = Softmax(a) y = Sin(b)")).toEqual({ y: angle });
  expect(found("a = com.example.Add(x, x) y = Sin(a)")).toEqual({ y: angle });
  expect(found("a = Add(x, x) b = Neg(a) y = Mul(a, b)")).toEqual({});
});

test("outer products are arithmetic, products that sum are layers", () => {
  const product = (a: string, b: string) => Object.keys(found(`p = MatMul(${a}, ${b}) y = Sin(p)`)).sort();
  expect(product("column", "v")).toEqual(["p", "y"]);
  expect(product("u", "row")).toEqual(["p", "y"]);
  expect(product("u", "v"), "of two computed ones nothing is known").toEqual(["p", "y"]);
  expect(product("deep", "v"), "several columns").toEqual(["p", "y"]);
  expect(product("m", "w")).toEqual(["y"]);
  expect(product("w", "m")).toEqual(["y"]);
  expect(product("w", "w")).toEqual(["y"]);
  expect(Object.keys(found("p = Gemm(u, v) y = Sin(p)"))).toEqual(["y"]);
});

test("a node that both lead to has the reason of the first, once", () => {
  expect(found("a = Neg(x) b = Sin(a) c = Cast <to = 7> (a) d = Cast <to = 1> (c) y = Add(b, d)")).toEqual({
    a: angle,
    b: angle,
    c: integer,
  });
});

test("operators that nobody knows, and inputs that are left out, lead no further", () => {
  expect(found('y = Sin("")')).toEqual({ y: angle });
  expect(found("a = Unknown(x) y = Sin(a)")).toEqual({ y: angle });
  expect(found("a = com.example.Concat(x, x) y = Sin(a)")).toEqual({ y: angle });
  expect(found("y = Unknown <to = 7> (x)")).toEqual({});
});
