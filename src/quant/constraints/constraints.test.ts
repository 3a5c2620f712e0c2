/** The list of constraints: what is met when, and what methods that choose integers are told. */
import { expect, test } from "vitest";
import { parseModel } from "../../ir/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import type { Encoding } from "../grids/encoding.ts";
import type { Plan, PlanEntry } from "../plan/plan.ts";
import type { Stage } from "./constraint.ts";
import { constrained, constraints, leastScales, limited } from "./constraints.ts";

const encoding = (scale: readonly number[], offset: number, signed = false): Encoding => ({
  grid: { kind: "int", bits: 8, signed },
  granularity: { kind: "tensor" },
  symmetric: signed,
  scale,
  offset: [offset],
});
const entry = (value: string, kind: PlanEntry["kind"], of: Encoding, more: Partial<PlanEntry> = {}): PlanEntry => ({
  value,
  kind,
  grid: of.grid,
  granularity: of.granularity,
  symmetric: of.symmetric,
  reason: "test",
  encoding: of,
  ...more,
});
const planOf = (...entries: PlanEntry[]): Plan => ({ version: 1, target: "test", entries, notQuantized: [] });

test("each stage meets its constraints in order", () => {
  const stages: Stage[] = ["weights", "ranges", "solved", "file"];
  const met = stages.map((stage) => constraints.filter((one) => one.stages.includes(stage)).map((one) => one.name));
  expect(met).toEqual([
    ["two neighbouring products fit 16 bits"],
    [
      "short scales end within the Clip in front",
      "no sum ends half way between two steps",
      "requantization does not underflow",
      "biases fit 32 bits",
    ],
    ["requantization does not underflow", "biases fit 32 bits"],
    ["no scale ends just beyond the Clip in front", "biases fit 32 bits"],
  ]);
});

const product = parseModel(`<ir_version: 10, opset_import: ["": 21]>
  f (float[1,4] x) => (float[1,1] y) <float[4,1] w = {1.0, 0.9, -1.0, 0.2}> { y = MatMul(x, w) }`);
const weight = product.graph.valuesByName().get("w")!;

test("scales of marked weights have a floor, others none; what was rounded is limited where it is marked", () => {
  const spanning = encoding([1 / 127], -128, true);
  const [plain, marked] = [entry("w", "weight", spanning), entry("w", "weight", spanning, { pairSafe: true })];
  const onGrid = Tensor.float32(
    [4, 1],
    [127, 114, -127, 25].map((q) => q * Math.fround(1 / 127)),
  );
  expect(leastScales(plain, weight, spanning)).toBeNull();
  expect(limited(plain, weight, spanning, () => expect.unreachable("nobody asks for it"))).toBeUndefined();
  const [least] = leastScales(marked, weight, spanning)!;
  // 1.0 + 0.9 in 128 steps at most, rounding included.
  expect(least).toBeGreaterThanOrEqual(1.9 / 129);
  expect(least).toBeLessThan((1.9 / 128) * 1.01);
  const integers = limited(marked, weight, spanning, () => onGrid)!
    .numbers()
    .map((x) => Math.round(x * 127));
  expect([...integers]).toEqual([14, 114, -127, 25]);
  const [scale] = constrained("weights", planOf(marked), { model: product }).entries[0]!.encoding!.scale;
  expect(scale).toBe(least);
  expect(constrained("weights", planOf(plain), { model: product }).entries).toEqual([plain]);
});

test("a short scale that ends beyond the Clip in front is shortened, with what is tied to it; frozen ones stay", () => {
  const model = parseModel(`<ir_version: 10, opset_import: ["": 21]>
    f (float[1,4] x) => (float[4,1] t) <float low = {0.0}, float high = {6.0}> {
      c = Clip(x, low, high) t = Transpose(c) }`);
  const beyond = encoding([0.0244140625], 0);
  const scales = (more: Partial<PlanEntry>) =>
    constrained(
      "ranges",
      planOf(entry("c", "activation", beyond, more), entry("t", "activation", beyond, { sharesEncodingOf: "c" })),
      {
        model,
      },
    ).entries.map((one) => one.encoding!.scale[0]! * 255);
  for (const end of scales({ shortScale: true })) {
    expect(end).toBeLessThanOrEqual(6);
    expect(end).toBeGreaterThan(6 * (1 - 1 / 32));
  }
  expect(scales({})).toEqual([0.0244140625 * 255, 0.0244140625 * 255]);
  expect(scales({ shortScale: true, frozen: true })).toEqual(scales({}));
});
