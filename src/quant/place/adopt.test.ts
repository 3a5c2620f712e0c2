/** Plans that were edited by hand: what is taken, and what is told of what does not fit. */
import { describe, expect, test } from "vitest";
import { parseModel } from "../../ir/inner.ts";
import { parseGrid } from "../grids/grid.ts";
import type { PlanEntry } from "../plan/plan.ts";
import { builtinTarget } from "../targets/targets.ts";
import { adoptPlan } from "./adopt.ts";
import { place } from "./place.ts";

const model = parseModel(
  `<ir_version: 10, opset_import: ["" : 21]> net (float[1,8,6,6] x) => (float[1,4,6,6] y)
    <float[8,8,1,1] w, float[4,8,1,1] v> {
      [one] c = Conv(x, w) [turn] t = Transpose <perm = [0,1,3,2]> (c) [two] y = Conv(t, v) }`,
  { seed: 1 },
);
const plan = place(model, builtinTarget("aimet-default"), { shapes: new Map() });
const edited = (value: string, more: Partial<PlanEntry>) => ({
  ...plan,
  entries: plan.entries.map((entry) => (entry.value === value ? { ...entry, ...more } : entry)),
});

test("a plan that was placed on the model is taken as it is", () => {
  expect(adoptPlan(model, plan)).toEqual(plan);
});

test("a plan with a bias on the grid of its accumulator, too", () => {
  const biased = parseModel(
    `<ir_version: 10, opset_import: ["" : 21]> net (float[1,8] x) => (float[1,4] y) <float[8,4] w, float[4] b> { y = Gemm(x, w, b) }`,
    { seed: 1 },
  );
  const placed = place(biased, builtinTarget("ort-cpu"), { shapes: new Map() });
  expect(placed.entries.map(({ kind }) => kind)).toContain("bias");
  expect(adoptPlan(biased, placed)).toEqual(placed);
});

test("encodings are decided anew, but for frozen ones", () => {
  const encoding = { grid: parseGrid("int8"), granularity: { kind: "tensor" }, symmetric: true, scale: [1], offset: [-128] } as const; // biome-ignore format: one line
  const entryOf = (more: Partial<PlanEntry>) =>
    adoptPlan(model, edited("w", { ...more, encoding, granularity: { kind: "tensor" } })).entries.find(
      ({ value }) => value === "w",
    );
  expect(entryOf({})!.encoding).toBeUndefined();
  expect(entryOf({ frozen: true })!.encoding).toEqual(encoding);
});

describe("what does not fit", () => {
  test.each<[string, string, Partial<PlanEntry>, string, RegExp]>([
    ["a value of another model", "w", { value: "ww" }, "quant/no-such-value", /got ww/],
    ["a constant as an activation", "w", { kind: "activation" }, "quant/invalid-plan", /a value that is computed/],
    ["an activation as a weight", "c", { kind: "weight" }, "quant/invalid-plan", /a constant/],
    ["an axis that the weight lacks", "w", { granularity: { kind: "channel", axis: 4 } }, "quant/unsupported-granularity", /axis/],
    ["blocks that do not divide", "w", { granularity: { kind: "block", axis: 1, size: 3, channelAxis: 0 } }, "quant/unsupported-granularity", /multiple of the block size 3/],
    ["scales per channel of an activation", "c", { granularity: { kind: "channel", axis: 1 } }, "quant/unsupported-granularity", /one scale/],
    ["a grid without kernels", "w", { grid: { kind: "int", bits: 32, signed: true } }, "quant/unsupported-grid", /int32/],
    ["a weight as a bias", "w", { kind: "bias" }, "quant/invalid-plan", /int32 and a scaleFrom for an entry of kind bias, got int/],
    ["a bias on a grid of its own", "w", { kind: "bias", scaleFrom: ["x", "w"] as never }, "quant/invalid-plan", /got int8/],
    ["a bias that has its scale from nothing", "w", { kind: "bias", grid: { kind: "int", bits: 32, signed: true } }, "quant/invalid-plan", /got no scaleFrom/],
    ["another grid than what it shares an encoding with", "t", { grid: parseGrid("uint16") }, "quant/invalid-plan", /t and c on one grid, got uint16 and uint8/],
  ])("%s", (_, value, more, code, message) => {
    expect(() => adoptPlan(model, edited(value, more))).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message) }),
    );
  }); // biome-ignore format: a table

  const detailOf = (act: () => unknown) => {
    try {
      act();
    } catch (error) {
      return (error as { detail: { at: string; hint: string } }).detail;
    }
    throw new Error("expected a refusal");
  };

  test.each<[string, string, Partial<PlanEntry>, string, RegExp]>([
    ["a name with one like it", "w", { value: "ww" }, "net", /^did you mean w/],
    ["a name with none like it", "w", { value: "something" }, "net", /^names are those of/],
    ["a weight as a bias", "w", { kind: "bias" }, "w", /scale/],
    ["an activation as a weight", "c", { kind: "weight" }, "c", /constants/],
    ["an axis that the weight lacks", "w", { granularity: { kind: "channel", axis: 4 } }, "w", /has one scale/],
    ["another grid than what it shares an encoding with", "t", { grid: parseGrid("uint16") }, "t", /they share/],
  ])("%s: where, and what to do", (_, value, more, at, hint) => {
    const detail = detailOf(() => adoptPlan(model, edited(value, more)));
    expect(detail.at).toBe(at);
    expect(detail.hint).toMatch(hint);
  });

  test("says the file, where it is known", () => {
    const named = parseModel(
      '<ir_version: 10, opset_import: ["" : 21]> net (float[1] x) => (float[1] y) { y = Relu(x) }',
      { seed: 1 },
    );
    named.source = "net.onnx";
    const entries = plan.entries.slice(0, 1).map((entry) => ({ ...entry, value: "gone" }));
    expect(detailOf(() => adoptPlan(named, { ...plan, entries })).at).toBe("net.onnx");
    expect(detailOf(() => adoptPlan(named, { ...plan, entries: [] }))).toMatchObject({
      at: "net.onnx",
      hint: expect.stringContaining("plan"),
    });
    expect(detailOf(() => adoptPlan(model, { ...plan, entries: [] })).at).toBe("net");
  });

  test("nothing at all", () => {
    expect(() => adoptPlan(model, { ...plan, entries: [] })).toThrow(
      expect.objectContaining({ code: "quant/nothing-to-quantize" }),
    );
  });
});
