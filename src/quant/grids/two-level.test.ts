/** Scales on two levels: what is packed is unpacked, whatever the form; what is no product is not. */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { PlanEntry } from "../plan/plan.ts";
import { planFromJson, planToJson } from "../plan/plan-json.ts";
import type { Encoding, TwoLevel, TwoLevelForm } from "./encoding.ts";
import { blockGroups } from "./slices.ts";
import { packScales, unpackScales } from "./two-level.ts";

// [8 inputs, 3 channels, 2 positions] in blocks of 4 inputs: 2 blocks for each of 3 channels.
const shape = [8, 3, 2];
const granularity = { kind: "block", axis: 0, size: 4, channelAxis: 1 } as const;

function encodingOf(twoLevel: TwoLevel, scales: readonly number[]): Encoding {
  const scale = blockGroups(shape, granularity).map((group) => scales[group]!);
  const offset = scale.map(() => -8);
  return { grid: { kind: "int", bits: 4, signed: true }, granularity, symmetric: true, scale, offset, twoLevel };
}

const coarse = fc.double({ min: 1e-6, max: 1e3, noNaN: true });
const six = (factor: fc.Arbitrary<number>) => fc.array(factor, { minLength: 6, maxLength: 6 });
/** E4M3's positive numbers: (8 … 15) · 2^k for normal ones. */
const e4m3 = fc.tuple(fc.integer({ min: 8, max: 15 }), fc.integer({ min: -9, max: 4 })).map(([m, k]) => m * 2 ** k);
const forms: Readonly<Record<TwoLevelForm, fc.Arbitrary<[TwoLevel, number[]]>>> = {
  lpbq: fc.tuple(
    fc
      .array(coarse, { minLength: 3, maxLength: 3 })
      .map((list): TwoLevel => ({ form: "lpbq", coarse: list, most: 16 })),
    six(fc.integer({ min: 1, max: 16 })),
  ),
  mx: fc.tuple(
    fc.constant<TwoLevel>({ form: "mx", coarse: [1] }),
    six(fc.integer({ min: -127, max: 127 }).map((k) => 2 ** k)),
  ),
  nvfp4: fc.tuple(
    coarse.map((one): TwoLevel => ({ form: "nvfp4", coarse: [one] })),
    six(e4m3),
  ),
};

test.each(Object.entries(forms))("%s: factors come back, also by way of a stored plan", (_, made) => {
  fc.assert(
    fc.property(made, ([twoLevel, factors]) => {
      const encoding = encodingOf(twoLevel, unpackScales(twoLevel, factors));
      expect(packScales(encoding, shape)).toEqual(factors);
      const { grid, symmetric } = encoding;
      const entry: PlanEntry = { value: "w", kind: "weight", grid, granularity, symmetric, reason: "test", encoding };
      const read = planFromJson(planToJson({ version: 1, target: "t", entries: [entry], notQuantized: [] }));
      expect(read.entries[0]!.encoding).toEqual(encoding);
    }),
  );
});

test("one level, a scale between two factors, too large a factor and places that differ are not packed", () => {
  const twoLevel: TwoLevel = { form: "lpbq", coarse: [0.5, 0.25, 1], most: 16 };
  const encoding = encodingOf(twoLevel, [8, 0.5, 4, 0.25, 16, 1]);
  expect(packScales(encoding, shape)).toEqual([16, 1, 16, 1, 16, 1]);
  const { twoLevel: _, ...one } = encoding;
  expect(packScales(one, shape)).toBeUndefined();
  const changed = (i: number, to: number) => ({
    ...encoding,
    scale: encoding.scale.map((s, at) => (at === i ? to : s)),
  });
  expect(packScales(changed(0, 8.5), shape), "17").toBeUndefined();
  expect(packScales(changed(0, 0.3), shape), "0.6").toBeUndefined();
  expect(packScales(changed(0, 4), shape), "8 beside 16").toBeUndefined();
  expect(packScales({ ...encoding, twoLevel: { ...twoLevel, coarse: [1, 1] } }, shape)).toBeUndefined();
});

test.each([
  ["mx with another coarse scale", { form: "mx", coarse: [2] }],
  ["nvfp4 with one a channel", { form: "nvfp4", coarse: [1, 2] }],
  ["lpbq without its largest factor", { form: "lpbq", coarse: [1, 1, 1] }],
  ["a negative coarse scale", { form: "lpbq", coarse: [-1], most: 16 }],
])("a plan is refused that has %s", (_, twoLevel) => {
  const encoding = encodingOf(twoLevel as TwoLevel, [1, 1, 1, 1, 1, 1]);
  const entry = { value: "w", kind: "weight", grid: encoding.grid, granularity, symmetric: true, reason: "" } as const;
  const text = planToJson({ version: 1, target: "t", entries: [{ ...entry, encoding }], notQuantized: [] });
  expect(() => planFromJson(text)).toThrow("the plan has faults");
});
