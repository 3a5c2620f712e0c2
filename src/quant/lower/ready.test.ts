/** Plans that cannot be lowered: each is refused with what is wrong, where, and a way out. */
import { describe, expect, test } from "vitest";
import { entry, linesOf, lowered, parse, planOf } from "../../../test/hand-made-plan.ts";
import { lower, type PlanEntry, parseGrid } from "../inner.ts";

const relu = "f (float[2,4] x) => (float[2,4] y) { y = Relu(x) }";

describe("refusals", () => {
  const refused = (...entries: PlanEntry[]) => {
    try {
      lowered(parse(relu), ...entries);
    } catch (error) {
      return error as { code: string; message: string; detail: { at: string; hint: string } };
    }
    throw new Error("expected a refusal");
  };
  const several = (count: number) => Array.from({ length: count }, (_, i) => entry(`v${i}`, "activation", "uint8"));

  test("of values that the model lacks: five by name, and how many more", () => {
    const five = refused(...several(5));
    expect([five.code, five.detail.at]).toEqual(["quant/no-such-value", "f"]);
    expect(five.message).toContain("v0, v1, v2, v3, v4");
    expect(five.message).not.toContain("more");
    expect(refused(...several(7)).message).toContain("v0, v1, v2, v3, v4 and 2 more");
    expect(five.detail.hint).toEqual(expect.any(String));
  });

  test("of entries without an encoding; floats and biases need none", () => {
    const { encoding: _, ...empty } = entry("x", "activation", "uint8");
    const found = refused(empty);
    expect([found.code, found.detail.at]).toEqual(["quant/not-calibrated", "f"]);
    expect(found.message).toContain("none for x");
    expect(found.detail.hint).toEqual(expect.any(String));
    expect(linesOf(lowered(parse(relu), entry("x", "activation", "float16")))).toHaveLength(3);
    const gemm = "f (float[2,4] x) => (float[2,3] y) <float[4,3] w, float[3] b> { y = Gemm(x, w, b) }";
    const { encoding: __, ...bias } = entry("b", "bias", "int32");
    const whole = [entry("x", "activation", "uint8"), entry("w", "weight", "int8")];
    expect(linesOf(lowered(parse(gemm), ...whole, { ...bias, scaleFrom: { input: "x", weight: "w" } }))).not.toEqual(
      [],
    );
    const model = parse(relu);
    model.source = "folder/model.onnx";
    expect(() => lowered(model, empty)).toThrowError(
      expect.objectContaining({ detail: expect.objectContaining({ at: "folder/model.onnx" }) }),
    );
    expect(() => lowered(model, ...several(1))).toThrowError(
      expect.objectContaining({ detail: expect.objectContaining({ at: "folder/model.onnx" }) }),
    );
  });

  test("of grids that no operator quantizes to, and of arguments that are none", () => {
    expect(refused(entry("x", "activation", "float4e2m1")).code).toBe("quant/unsupported-grid");
    expect(refused(entry("x", "activation", "int32")).code).toBe("quant/unsupported-grid");
    expect(() => lower(parse(relu), undefined as never)).toThrowError(
      expect.objectContaining({ code: "usage/bad-value" }),
    );
    expect(() => lower(undefined as never, planOf())).toThrowError(
      expect.objectContaining({ code: "usage/bad-value" }),
    );
  });

  test("of an encoding on another grid than its entry says what belongs together", () => {
    const stale = { ...entry("x", "activation", "uint8"), grid: parseGrid("uint4") };
    const found = refused(stale);
    expect([found.code, found.detail.at]).toEqual(["quant/invalid-plan", "x"]);
    expect(found.message).toContain("an encoding on uint4 per tensor, got one on uint8 per tensor");
    expect(found.detail.hint).toEqual(expect.any(String));
  });
});
