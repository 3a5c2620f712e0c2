/** A Min or Max with a constant between two quantizers: the file bounds integers, and computes what it would have computed in float. */
import { describe, expect, test } from "vitest";
import { entry, linesOf, lowered, named, parse } from "../../../test/hand-made-plan.ts";
import { pictures, planOf as placed } from "../../../test/kernel-placement.ts";
import type { Model } from "../../ir/inner.ts";
import { openRuntime, simulationOf } from "../../runtime/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import type { PlanEntry } from "../inner.ts";

const ends = "{1.24, 3, 0.75, 900}";
const bound = (op: string) =>
  parse(`f (float[1,4,40] x) => (float[1,4,40] y) <float[1,4,1] c = ${ends}> { m = ${op}(x, c) y = Neg(m) }`);
const tied = (value: string, grid = "uint8", more = {}): PlanEntry[] => {
  const head = entry(value, "activation", grid, { offset: [-10], symmetric: false, ...more });
  return [{ ...head, value: "x", sharesEncodingOf: value }, head];
};
/** Every step of the grid, half steps and what lies beyond it. */
const x = Tensor.float32(
  [1, 4, 40],
  Float32Array.from({ length: 160 }, (_, i) => -6 + 0.25 * (i % 40) + (i > 80 ? 118 : 0)),
);

async function run(model: Model, fused: boolean): Promise<number[]> {
  await using session = await (await openRuntime()).open(model, { ...(fused ? {} : simulationOf(model)), threads: 1 });
  return (await session.run({ x })).y!.numbers();
}

describe.each(["Min", "Max"])("%s", (op) => {
  test("is among integers", () => {
    const file = lowered(bound(op), ...tied("m"));
    expect(linesOf(file)).toEqual([
      "x_quantized = QuantizeLinear(x, x_scale, x_zero_point)",
      `m_quantized = ${op}(x_quantized, m_bound)`,
      "m_dequantized = DequantizeLinear(m_quantized, x_scale, x_zero_point)",
      "y = Neg(m_dequantized)",
    ]);
    // 1.24, 3, 0.75 and 900 in steps of a half from ten on: ties to even, and no further than the grid.
    expect(named(file, "m_bound")!.initializer!.numbers()).toEqual([12, 16, 12, 255]);
  });

  test.each([
    ["uint8", {}, 10, ""],
    ["int8", { offset: [-128], symmetric: true }, 128, ""],
    ["uint4", {}, 10, "Clip"],
  ])("on %s gives what quantizers around the float operator give", async (grid, more, zero, clip) => {
    const file = lowered(bound(op), ...tied("m", grid, more));
    expect(linesOf(file).some((line) => line.startsWith(`m_quantized = ${op}(`))).toBe(true);
    const pair = (from: string, to: string) =>
      `${to}_q = QuantizeLinear(${from}, s, z) ${clip ? `${to}_i = Clip(${to}_q, low, high)` : `${to}_i = Identity(${to}_q)`} ${to} = DequantizeLinear(${to}_i, s, z)`;
    const float = parse(`f (float[1,4,40] x) => (float[1,4,40] y)
      <float[1,4,1] c = ${ends}, float s = {0.5}, uint8 z = {${zero}}, uint8 low = {0}, uint8 high = {15}> {
      ${pair("x", "a")} m = ${op}(a, c) ${pair("m", "b")} y = Neg(b) }`);
    const wanted = await run(float, false);
    expect(await run(file, false)).toEqual(wanted);
    expect(await run(file, true)).toEqual(wanted);
    expect(new Set(wanted).size).toBeGreaterThan(2);
  });
});

describe("stays in float", () => {
  const linesWith = (model: Model, ...entries: PlanEntry[]) =>
    linesOf(lowered(model, ...entries)).filter((line) => line.startsWith("m = "));
  const [source, head] = tied("m") as [PlanEntry, PlanEntry];

  test("where the grids differ, or have 16 bits", () => {
    const coarse = { ...head, encoding: { ...head.encoding!, scale: [0.25] } };
    const moved = { ...head, encoding: { ...head.encoding!, offset: [-11] } };
    for (const other of [coarse, moved]) expect(linesWith(bound("Min"), source, other)).toHaveLength(1);
    expect(linesWith(bound("Min"), ...tied("m", "uint16"))).toHaveLength(1);
  });

  test("for who reads it in float", () => {
    const two = parse(`f (float[1,4,40] x) => (float[1,4,40] y, float[1,4,40] t) <float[1,4,1] c = ${ends}> {
      m = Min(x, c) y = Neg(m) t = Tanh(m) }`);
    const file = linesOf(lowered(two, source, { ...head, floatReaders: ["t"] }));
    expect(file).toEqual(
      expect.arrayContaining(["m = Min(x_dequantized, c)", "t = Tanh(m)", "y = Neg(m_dequantized)"]),
    );
  });
});

test("placement gives both sides of such a bound one encoding, and two where somebody else reads the first", () => {
  const net = (more: string) => pictures(`c = Conv(x, w) r = Relu(c) m = Min(r, k) ${more}`, 21, ", float[1,4,1,1] k");
  const sharing = (text: string) => placed(text).entries.find(({ value }) => value === "r")!.sharesEncodingOf;
  expect(sharing(net("y = Conv(m, v)"))).toBe("m");
  expect(sharing(net("d = Conv(m, v) y = Add(d, r)"))).toBeUndefined();
});
