/** AIMET's protections of weight scales: each limit alone, and what is left alone. */
import { describe, expect, test } from "vitest";
import { parseModel } from "../../ir/inner.ts";
import type { Encoding } from "../grids/encoding.ts";
import type { Plan, PlanEntry } from "../plan/plan.ts";
import { holdBiases } from "./hold-biases.ts";
import { protectWeightScales } from "./protect-weight-scales.ts";

const model = parseModel(`
  <ir_version: 10, opset_import: ["": 21]>
  g (float[1,1,2,2] x) => (float[1,2,2,2] y)
  <float[2,1,1,1] w = {1.0, 0.000001}, float[2] b = {1.0, 8.0}> { y = Conv(x, w, b) }`);

function encoding(scale: number[], offset: number, channel = false): Encoding {
  return {
    grid: { kind: "int", bits: 8, signed: channel },
    granularity: channel ? { kind: "channel", axis: 0 } : { kind: "tensor" },
    symmetric: channel,
    scale,
    offset: scale.map(() => offset),
  };
}

function protectedScales(options: {
  x: number;
  w: number[];
  y?: number;
  offset?: number;
  frozen?: boolean;
}): readonly number[] {
  const entry = (value: string, kind: PlanEntry["kind"], e: Encoding, frozen = false): PlanEntry => ({
    value,
    kind,
    grid: e.grid,
    granularity: e.granularity,
    symmetric: e.symmetric,
    reason: "test",
    encoding: e,
    ...(frozen ? { frozen } : {}),
  });
  const plan: Plan = {
    version: 1,
    target: "test",
    entries: [
      entry("x", "activation", encoding([options.x], 0)),
      entry("w", "weight", encoding(options.w, -128, true), options.frozen),
      ...(options.y === undefined ? [] : [entry("y", "activation", encoding([options.y], options.offset ?? 0))]),
    ],
    notQuantized: [],
  };
  return holdBiases(protectWeightScales(plan, { model }), { model }).entries[1]!.encoding!.scale;
}

describe("weight scales", () => {
  test("that are large enough stay", () => {
    expect(protectedScales({ x: 0.02, w: [0.01, 0.01], y: 0.05, offset: -100 })).toEqual([0.01, 0.01]);
  });

  test("grow until the int32 bias holds", () => {
    const least = 8 / ((2 ** 31 - 2 ** 15) * 0.02);
    expect(protectedScales({ x: 0.02, w: [0.01, 1e-8] })).toEqual([0.01, least]);
  });

  test("grow until requantization is above 2⁻²⁴", () => {
    const [kept, grown] = protectedScales({ x: 0.02, w: [0.01, 1e-7], y: 4 });
    expect(kept).toBe(0.01);
    expect((grown! * 0.02) / 4).toBeCloseTo(2 ** -23.5, 15);
  });

  test("grow until bias and folded output offset hold together", () => {
    // The offset alone is 255 · 4 in units of x·w: 1,020 / 4.6e-7 = 2.2e9, beyond int32.
    const [, grown] = protectedScales({ x: 1, w: [0.01, 1e-12], y: 4, offset: -255 });
    const step = grown!;
    expect(Math.abs(Math.round(8 / step) + Math.round(-1020 / step))).toBeLessThanOrEqual(2 ** 31 - 2 ** 15 + 2);
    expect(grown).toBeGreaterThan(2 ** -23.5 * 4);
    // The offset is below zero: it takes from a bias above zero, and adds to one below.
    expect(grown! / ((1020 - 8) / (2 ** 31 - 2 ** 15))).toBeCloseTo(1, 5);
  });

  test("of frozen entries grow for the bias alone", () => {
    const least = 8 / ((2 ** 31 - 2 ** 15) * 0.02);
    expect(protectedScales({ x: 0.02, w: [0.01, 1e-12], frozen: true })).toEqual([0.01, least]);
    expect(protectedScales({ x: 0.02, w: [0.01, 3e-7], y: 4, frozen: true })).toEqual([0.01, 3e-7]);
  });
});
