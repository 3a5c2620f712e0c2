/** Computed tensors in the place of a weight, by hand: the table of AIMET 2.42 for generations of Hexagon and for kernels. */
import { describe, expect, test } from "vitest";
import { parseModel, type Value } from "../../ir/inner.ts";
import { gridName, parseGrid } from "../grids/grid.ts";
import type { Target } from "../targets/target.ts";
import { builtinTarget } from "../targets/targets.ts";
import { computedWeights } from "./computed-weights.ts";
import type { Decision, Placement } from "./place-by-rule.ts";

interface Case {
  readonly body: string;
  readonly hardware?: string | null;
  /** Of the values, where it is not uint8. */
  readonly grids?: Readonly<Record<string, string>>;
  readonly float?: readonly string[];
  readonly moved?: Readonly<Record<string, string>>;
  readonly shared?: Readonly<Record<string, string>>;
  readonly target?: Partial<Target>;
}

/** "b: uint8 symmetric" for each value that has something of its own. */
function told({ body, hardware = null, grids = {}, float = [], moved = {}, shared = {}, target = {} }: Case): string[] {
  const model = parseModel(
    `<ir_version: 10, opset_import: ["": 21, "com.microsoft": 1]> f (float[4,4] a, float[4,4] b, float[4,4] c) => (y) <float[4,4] w> { ${body} }`,
    { seed: 1 },
  );
  const named = model.graph.valuesByName();
  const of = (name: string) => named.get(name)!;
  const decided = new Map<Value, Decision>();
  for (const [name, value] of named) {
    const on = !float.includes(name) && name !== "w";
    const from = moved[name];
    decided.set(value, { on, reason: "", ...(from ? { movedFrom: of(from) } : {}) });
  }
  const placement = {
    facts: { model },
    target: { ...builtinTarget("aimet-default"), hardware, ...target },
    precisions: { activations: (value: Value) => ({ what: parseGrid(grids[value.name] ?? "uint8") }) },
  } as unknown as Placement;
  const heads = new Map(Object.entries(shared).map(([value, head]) => [of(value), of(head)]));
  return [...computedWeights(placement, decided, heads)].map(
    ([value, { grid, symmetric }]) => `${value.name}: ${gridName(grid)}${symmetric ? " symmetric" : ""}`,
  );
}

const product = "y = MatMul(a, b)";
const wide = { a: "uint16", b: "uint16" };
/** What the target says of weights: not symmetric here, so that it tells the rules of hardware apart. */
const plain: Partial<Target> = { param: { ...builtinTarget("aimet-default").param, symmetric: false }, params: {} };

describe("the second factor of a product", () => {
  test.each<[string, Case, string[]]>([
    ["has the symmetry of weights and the grid of activations", { body: product }, ["b: uint8 symmetric"]],
    ["not of weights that have none", { body: product, target: plain }, ["b: uint8"]],
    ["of a rule for weights", { body: product, target: { ...plain, params: { weight: { symmetric: true } } } }, ["b: uint8 symmetric"]],
    [
      "of a rule for its operator before that",
      { body: product, target: { ...plain, params: { weight: { symmetric: true } }, operators: new Map([["MatMul", { params: { weight: { symmetric: false } } } as never]]) } },
      ["b: uint8"],
    ],
    ["has it where the target says nothing of its operator", { body: product, target: { operators: new Map() } }, ["b: uint8 symmetric"]],
    ["has its own grid", { body: product, grids: wide }, ["b: uint16 symmetric"]],
    ["that of whose encoding it shares", { body: product, grids: { c: "uint16" }, shared: { b: "c" } }, ["b: uint16 symmetric"]],
    ["nothing for a constant", { body: "y = MatMul(a, w)" }, []],
    ["nothing where it is float", { body: product, float: ["b"] }, []],
    ["what it was moved from", { body: "t = Transpose(b) y = MatMul(a, t)", moved: { t: "b" } }, ["b: uint8 symmetric"]],
    ["nothing for integer kernels", { body: product, target: { kernels: builtinTarget("ort-cpu").kernels } }, []],
    ["nothing for another domain", { body: "y = com.microsoft.FusedMatMul(a, b)" }, []],
    ["nothing for what multiplies no weight", { body: "y = Add(a, b)" }, []],
  ])("%s", (_, one, wanted) => expect(told(one)).toEqual(wanted)); // biome-ignore format: a table
});

describe("on Hexagon", () => {
  test.each<[string, Case, string[]]>([
    ["before V73 eight bits and symmetric", { body: product, hardware: "V68", grids: wide, target: plain }, ["b: uint8 symmetric"]],
    ["from V73 on as wide as the others, symmetric at 16 bits", { body: product, hardware: "V73", grids: wide, target: plain }, ["b: uint16 symmetric"]],
    ["and as the target says at 8", { body: product, hardware: "V73", target: plain }, ["b: uint8"]],
    ["not without hardware", { body: product, grids: wide, target: plain }, ["b: uint16"]],
    ["not next to a float factor", { body: product, hardware: "V68", grids: wide, float: ["a"], target: plain }, ["b: uint16"]],
    ["not of floats", { body: product, hardware: "V68", grids: { a: "float16", b: "float16" }, target: plain }, ["b: float16"]],
    ["a missing factor is none", { body: 'y = MatMul("", b)', hardware: "V68", grids: wide, target: plain }, ["b: uint16"]],
    ["not of a Gemm", { body: "y = Gemm(a, b)", hardware: "V68", grids: wide, target: plain }, ["b: uint16"]],
  ])("%s", (_, one, wanted) => expect(told(one)).toEqual(wanted)); // biome-ignore format: a table
});

describe("of several readers", () => {
  const both = (first: string, second: string): Case => ({
    body: `p = ${first}(a, b) q = ${second}(c, b) y = Add(p, q)`,
    hardware: "V68",
    grids: { ...wide, c: "uint16" },
    target: plain,
  });
  test("the narrowest grid holds, and one that wants symmetry gets it, in either order", () => {
    expect(told(both("MatMul", "Gemm"))).toEqual(["b: uint8 symmetric"]);
    expect(told(both("Gemm", "MatMul"))).toEqual(["b: uint8 symmetric"]);
    expect(told(both("Gemm", "Gemm"))).toEqual(["b: uint16"]);
  });

  test("a value that takes its input's encoding takes that along; where inputs take the output's it does not", () => {
    const relu = "r = Relu(b) y = MatMul(a, r)";
    expect(told({ body: relu, shared: { r: "b" }, target: plain })).toEqual(["r: uint8", "b: uint8"]);
    expect(told({ body: relu, shared: { r: "b" } })).toEqual(["r: uint8 symmetric", "b: uint8 symmetric"]);
    expect(told({ body: "r = Concat <axis = 0> (b, c) y = MatMul(a, b)", shared: { b: "r", c: "r" } })).toEqual([
      "b: uint8 symmetric",
    ]);
    expect(told({ body: "n = Neg(b) y = MatMul(a, n)", shared: { n: "b" } })).toEqual(["n: uint8 symmetric"]);
  });
});
