/** The table of grids: every row answers for itself, and nothing else names them. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fromBfloat16Bits, fromFloat16Bits } from "../../tensor/inner.ts";
import { codedTensor } from "../lower/stored.ts";
import { planFromJson, planToJson } from "../plan/plan-json.ts";
import { parseTarget } from "../targets/parse-target.ts";
import { targetFile } from "../targets/targets.ts";
import type { Codec, ScaledCodec } from "./codec.ts";
import {
  codecOf,
  codecs,
  gridName,
  isScaled,
  isUsableGrid,
  parseGrid,
  scaledCodecOf,
  steps,
  usableGrids,
} from "./grid.ts";

const integers = Object.values<Codec>(codecs).filter((codec): codec is ScaledCodec => codec.kernel === "linear");

test("a name and its grid lead to the same row, other names too", () => {
  for (const [name, codec] of Object.entries(codecs)) {
    expect(codecOf(parseGrid(name))).toBe(codec);
    expect(gridName(structuredClone(codec.grid))).toBe(name);
  }
  expect(["float", "fp32", "fp16", "bf16"].map((name) => gridName(parseGrid(name)))).toEqual([
    "float32",
    "float32",
    "float16",
    "bfloat16",
  ]);
  for (const name of ["int17", "int1", "uint", "toString", "", "INT8"])
    expect(() => parseGrid(name)).toThrow(expect.objectContaining({ code: "quant/unknown-grid" }));
});

test("what can be chosen is what the documentation lists, a target may name and a message proposes", () => {
  const weightsAlone = ["float4e2m1", "int2half"];
  expect(usableGrids("weight").filter((name) => !weightsAlone.includes(name))).toEqual(usableGrids("activation"));
  const every = Array.from({ length: 15 }, (_, i) => [`int${i + 2}`, `uint${i + 2}`]).flat();
  expect(usableGrids("weight")).toEqual([
    ...every,
    ...["float16", "bfloat16", "float8e4m3fn", "float8e5m2", ...weightsAlone, "float32"],
  ]);
  const listed = /are grids: (.*?), or `float32`/s.exec(readFileSync("docs/recipes.md", "utf8"))?.[1];
  const named = [...listed!.matchAll(/`([^`]*)`/g)].map(([, name]) => name);
  expect(named, "docs/recipes.md names the ends of each list").toEqual([
    ...["int2", "int16", "uint2", "uint16"],
    ...usableGrids("weight").slice(-7, -1),
  ]);
  const using = (weights: string) => ({ ...targetFile("ort-cpu"), avocet: { weights } });
  for (const name of [...usableGrids("weight"), "fp16"])
    expect(gridName(parseTarget(using(name), "t").weights)).toMatch(/\d/);
  expect(codecs.int32.refusal("bias")).toBeUndefined();
  for (const name of ["int32", "float8e8m0", "int17"]) {
    expect(isUsableGrid(name, "weight")).toBe(false);
    expect(() => parseTarget(using(name), "t")).toThrow("expected a grid, for example uint8");
  }
});

describe("integers", () => {
  test.each(integers.map((codec) => [codec.name, codec] as const))("%s: types, opsets, ends", (name, codec) => {
    const signed = name.startsWith("int");
    // ONNX: https://onnx.ai/onnx/operators/onnx__QuantizeLinear.html, versions 13, 21 and 25.
    const opsetOf: Record<string, number> = { "2": 25, "4": 21, "8": 13, "16": 21, "32": 13 };
    const [stored, quantizer] = [codec.stored, codec.quantizer].map((type) => type.replace(/^u?int/, ""));
    expect(Number(stored)).toBe(Math.min(...[2, 4, 8, 16, 32].filter((width) => width >= codec.bits)));
    expect(Number(quantizer)).toBe(Math.max(8, Number(stored)));
    expect([codec.stored, codec.quantizer].every((type) => type.startsWith("u") !== signed)).toBe(true);
    expect(codec.opset("weight")).toBe(opsetOf[stored!]);
    expect(codec.opset("activation")).toBe(opsetOf[quantizer!]);
    expect(steps(codec.grid)).toBe(2 ** codec.bits - 1);
    const half = 2 ** (codec.bits - 1);
    expect(codec.ends(-half, true)).toEqual({ low: -half, high: half - 1 });
    expect(codec.ends(1 - half, true)).toEqual({ low: 1 - half, high: half - 1 });
    expect(codec.ends(1 - half, false)).toEqual({ low: 1 - half, high: half });
    expect(codec.typeEnds.high - codec.typeEnds.low + 1).toBe(2 ** Number(quantizer));
    expect(codec.typeEnds.low < 0).toBe(signed);
  });

  test("the nearest number is the nearest one, and what is stored is read back", () => {
    const numbers = fc.array(fc.double({ min: -40, max: 40, noNaN: true }), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(
        fc.constantFrom(...integers),
        numbers,
        fc.constantFrom("half-even", "half-away"),
        (codec, list, ties) => {
          const x = Float32Array.from([99, ...list]);
          const out = new Float64Array(list.length);
          const { low, high } = codec.ends(-Math.min(8, 2 ** (codec.bits - 1)), false);
          const one = (number: number) => Float64Array.of(Number.NaN, number);
          codec.nearest(x, 1, out, { scales: one(0.5), lows: one(low), highs: one(high) }, 1, 0, ties);
          out.forEach((found, i) => {
            expect(Math.abs(found - Math.min(Math.max(x[i + 1]! / 0.5, low), high))).toBeLessThanOrEqual(0.5);
            expect(Number.isInteger(found)).toBe(true);
          });
          const numbers = out.map((found) => found - low - codec.shift);
          const tensor = codedTensor(codec, [list.length], (codes) => codec.encode(numbers, codes, 0));
          expect(tensor.dtype).toBe(codec.stored);
          expect([...tensor.numbers()]).toEqual([...numbers]);
        },
      ),
    );
  });
});

test("floats without a scale are cast: the nearest code is stored", () => {
  const x = Float32Array.of(1 / 3, -70000, 1e-9);
  const stored = (codec: Codec) => [...codedTensor(codec, [3], (codes) => codec.encode(x, codes, 0)).numbers()];
  expect(stored(codecs.float16)).toEqual([fromFloat16Bits(0x3555), Number.NEGATIVE_INFINITY, 0]);
  expect(stored(codecs.bfloat16)[0]).toBe(fromBfloat16Bits(0x3eab));
  expect(() => stored(codecs.float32)).toThrow("nothing is stored in float32");
  expect([codecs.float16, codecs.bfloat16].map((codec) => codec.opset("weight"))).toEqual([13, 13]);
  expect(isScaled(codecs.float16.grid)).toBe(false);
  expect(() => scaledCodecOf(codecs.float16.grid)).toThrow("numbers on float16 have no scale");
});

test("plans take every grid but float32, which asks for no entry", () => {
  const json = (name: string) => {
    const { grid } = codecOf(parseGrid(name));
    const entry = {
      value: "w",
      kind: "weight",
      grid,
      granularity: { kind: "tensor" },
      symmetric: true,
      reason: "",
    } as const;
    return planToJson({ version: 1, target: "t", entries: [entry], notQuantized: [] });
  };
  for (const name of Object.keys(codecs).filter((one) => one !== "float32"))
    expect(gridName(planFromJson(json(name)).entries[0]!.grid)).toBe(name);
  expect(() => planFromJson(json("float32"))).toThrow("faults");
  expect(() => planFromJson(json("int8").replace('"bits":8', '"bits":17'))).toThrow("faults");
});
