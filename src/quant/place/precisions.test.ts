/** A precision for every layer: what rules reach, who shares a grid, which rule holds, and what is said where they disagree. */
import { describe, expect, test } from "vitest";
import { parseModel } from "../../ir/inner.ts";
import { gridName, parseGrid } from "../grids/grid.ts";
import { builtinTarget } from "../targets/targets.ts";
import { place } from "./place.ts";
import type { WeightGranularity } from "./precisions.ts";

const model = parseModel(
  `<ir_version: 10, opset_import: ["" : 21]> net (float[1,8,6,6] x) => (float[1,5] y)
    <float[8,8,1,1] w1, float[8] b1, float[8,8,1,1] w2, float[8] b2, float[16,16,1,1] w3, float[5,16] w4, float[5] b4> {
    [one] c1 = Conv(x, w1, b1)
    [two] c2 = Conv(x, w2, b2)
    [join] k = Concat <axis = 1> (c1, c2)
    [pool] p = MaxPool <kernel_shape = [2,2]> (k)
    [three] c3 = Conv(p, w3)
    [mean] g = GlobalAveragePool(c3)
    [flat] f = Flatten(g)
    [head] y = Gemm <transB = 1> (f, w4, b4) }`,
  { seed: 1 },
);

type Rule = readonly [
  match: string,
  weights?: string | undefined,
  activations?: string | undefined,
  granularity?: WeightGranularity,
];

function placed(target: string, rules: readonly Rule[], more: { keepFloat?: string[]; activations?: string } = {}) {
  const grids = rules.map(([match, weights, activations, granularity]) => ({
    match,
    weights: weights === undefined ? undefined : parseGrid(weights),
    activations: activations === undefined ? undefined : parseGrid(activations),
    granularity,
  }));
  const plan = place(model, builtinTarget(target), {
    shapes: new Map(),
    keepFloat: more.keepFloat,
    activations: more.activations === undefined ? undefined : parseGrid(more.activations),
    grids,
  });
  const entries = new Map(plan.entries.map((entry) => [entry.value, entry]));
  return {
    grid: (name: string) => (entries.has(name) ? gridName(entries.get(name)!.grid) : "float32"),
    of: (name: string) => entries.get(name)!,
    reason: (name: string) => [...plan.entries, ...plan.notQuantized].find(({ value }) => value === name)!.reason,
  };
}

const targets = ["ort-cpu", "aimet-default", "htp-v73"];

describe.each(targets)("%s", (target) => {
  test("a layer has its grid on its weight and on both sides, the others keep theirs", () => {
    const { grid } = placed(target, [["three", "int4", "uint16"]]);
    expect(["w1", "w2", "w3", "w4"].map(grid)).toEqual(["int8", "int8", "int4", "int8"]);
    // What the pool moves is what the Concat returns; but for ort-cpu the two that it joins have its encoding, too.
    const joined = target === "ort-cpu" ? "uint8" : "uint16";
    expect(["c1", "c2", "k", "p", "c3"].map(grid)).toEqual([joined, joined, "uint16", "uint16", "uint16"]);
    expect(["x", "f"].map(grid)).toEqual(["uint8", "uint8"]);
  });

  test("the later of two rules for one layer holds", () => {
    expect(placed(target, [["Conv", "int4"], ["two", "int16"]]).grid("w2")).toBe("int16"); // biome-ignore format: one case
    expect(placed(target, [["two", "int16"], ["Conv", "int4"]]).grid("w2")).toBe("int4"); // biome-ignore format: one case
    const both = placed(target, [["Conv", "int4"], ["two", undefined, "uint16"]]); // biome-ignore format: one case
    expect([both.grid("w2"), both.grid("c2")]).toEqual(["int4", "uint16"]);
    expect(both.reason("w2")).not.toContain("asks");
  });

  test("what shares an encoding has one grid, and the rule that does not hold is named", () => {
    const { grid, reason } = placed(target, [
      ["join", undefined, "int8"],
      ["three", undefined, "uint16"],
    ]);
    const joined = target === "ort-cpu" ? "int8" : "uint16";
    expect(["c1", "c2", "k", "p"].map(grid)).toEqual([joined, joined, "uint16", "uint16"]);
    expect(reason("p")).toMatch(/; it is uint16, as three asks, and not int8, as join asks$/);
    expect(reason("y")).not.toContain("asks");
  });

  test("the name of an input stands for itself", () => {
    const { grid } = placed(target, [["x", undefined, "uint16"]]);
    expect(["x", "c1"].map(grid)).toEqual(["uint16", "uint8"]);
  });

  test("activations in float leave the weight on its grid", () => {
    const { grid, reason } = placed(target, [["head", "int4", "float32"]]);
    expect(["w4", "y"].map(grid)).toEqual(["int4", "float32"]);
    expect(grid("c3")).toBe("uint8");
    if (target !== "ort-cpu") expect(reason("y")).toBe("you asked for head to stay in float");
  });

  test("weights in float leave the activations on theirs", () => {
    const { grid, reason } = placed(target, [["three", "float32"]]);
    expect(["w3", "p", "c3"].map(grid)).toEqual(["float32", "uint8", "uint8"]);
    expect(reason("w3")).toBe("you asked for weights in float");
  });

  test("what stays in float does so whatever the rules say", () => {
    const { grid, reason } = placed(target, [["three", "int4", "uint16"]], { keepFloat: ["Conv"] });
    expect(["w1", "w3"].map(grid)).toEqual(["float32", "float32"]);
    expect(reason("w3")).toBe("you asked for Conv to stay in float");
  });

  test("a granularity for some layers", () => {
    const { of } = placed(target, [
      ["Conv", undefined, undefined, "tensor"],
      ["three", undefined, undefined, { block: 4 }],
    ]);
    expect(of("w1").granularity).toEqual({ kind: "tensor" });
    expect(of("w3").granularity).toEqual({ kind: "block", axis: 1, size: 4, channelAxis: 0 });
    expect(of("w4").granularity.kind).toBe("channel");
  });

  test("a block size that fits no layer is refused by the rule", () => {
    expect(() => placed(target, [["three", undefined, undefined, { block: 7 }]])).toThrow(
      expect.objectContaining({
        code: "quant/unsupported-granularity",
        detail: expect.objectContaining({ at: "three" }),
      }),
    );
  });
});

test("one layer on integers in a model that stays float", () => {
  const { grid } = placed("aimet-default", [["three", undefined, "uint8"]], { activations: "float32" });
  expect(["x", "p", "k", "c3", "f", "y"].map(grid)).toEqual([
    "float32",
    "uint8",
    "uint8",
    "uint8",
    "float32",
    "float32",
  ]);
  expect(grid("w1")).toBe("int8");
});

test("an int32 bias follows the activation in front of its layer", () => {
  const { of, grid, reason } = placed("ort-cpu", [["one", "int8", "float32"]]);
  expect(of("b2").kind).toBe("bias");
  expect(grid("b1")).toBe("float32");
  expect(reason("b1")).toBe("you asked for one to stay in float");
});

test("a weight that two layers share has the grid of the later rule, and both are named", () => {
  const shared = parseModel(
    `<ir_version: 10, opset_import: ["" : 21]> net (float[2,8] x) => (float[2,8] y) <float[8,8] w> {
      [one] a = MatMul(x, w) [tanh] t = Tanh(a) [two] y = MatMul(t, w) }`,
    { seed: 1 },
  );
  const rules = [
    { match: "one", weights: parseGrid("int16") },
    { match: "two", weights: parseGrid("int4") },
  ];
  const { entries } = place(shared, builtinTarget("aimet-default"), { shapes: new Map(), grids: rules });
  const weight = entries.find(({ value }) => value === "w")!;
  expect(gridName(weight.grid)).toBe("int4");
  expect(weight.reason).toMatch(/it is int4, as two asks, and not int16, as one asks$/);
});

test("a rule for a value that has no quantizer says so", () => {
  const { reason } = placed("ort-cpu", [["head", undefined, "uint16"]]);
  expect(reason("y")).toMatch(/uint16, as head asks, needs a quantizer$/);
  const mixed = parseModel(
    `<ir_version: 10, opset_import: ["" : 21]> net (float[1,3,8,8] x) => (float[1,8,4,4] y) <float[8,3,3,3] thin, float[8,8,3,3] w> {
      [first] h = Conv(x, thin) y = Conv(h, w) }`,
    { seed: 1 },
  );
  for (const match of ["first", "thin"]) {
    const { notQuantized: left } = place(mixed, builtinTarget("ort-cpu"), {
      shapes: new Map(),
      grids: [{ match, weights: parseGrid("int3") }],
    });
    const found = left.find(({ value }) => value === "thin")!;
    expect(found.reason).toBe(
      `a Conv of fewer than 4 input channels is faster in float than on integers; int3, as ${match} asks, needs a quantizer`,
    );
  }
});

test("a grid that has no use is refused by the rule", () => {
  expect(() => placed("ort-cpu", [["head", "int32"]])).toThrow(
    expect.objectContaining({
      code: "quant/unsupported-grid",
      detail: expect.objectContaining({ at: "head" }),
    }),
  );
});
