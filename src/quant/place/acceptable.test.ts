/** Models that placement refuses: quantized ones, and those that compute in another precision. */
import { describe, expect, test } from "vitest";
import { parseModel } from "../../ir/inner.ts";
import { refuseUnfit } from "./acceptable.ts";

const parsed = (body: string, constants = "float[2] w", inputs = "float[2] x") =>
  parseModel(
    `<ir_version: 10, opset_import: ["": 21, "com.microsoft": 1, "com.example": 1]> net (${inputs}) => (y) <${constants}> { ${body} }`,
    { seed: 1 },
  );
type Refusal = { code: string; message: string; detail: { at?: string; hint?: string } };

function refusal(model: ReturnType<typeof parsed>): Refusal | undefined {
  try {
    refuseUnfit(model);
    return undefined;
  } catch (error) {
    return error as Refusal;
  }
}

describe("a model that is quantized already", () => {
  const model = () =>
    parsed("a = QuantizeLinear(x, w) b = DequantizeLinear(a, w) c = QuantizeLinear(b, w) y = DequantizeLinear(c, w)");

  test("is refused with how many operators of which kinds, and where it comes from", () => {
    const found = refusal(model())!;
    expect([found.code, found.message]).toEqual([
      "quant/already-quantized",
      "expected a float model, got one with 4 × QuantizeLinear, DequantizeLinear",
    ]);
    expect(found.detail).toEqual({ hint: expect.stringContaining("take the float model that it was made from") });
    const named = model();
    named.source = "folder/net.onnx";
    expect(refusal(named)!.detail.at).toBe("folder/net.onnx");
  });
});

describe("a model in another precision", () => {
  const of = (constants: string, inputs?: string) => {
    const model = parsed("y = Neg(x)", constants, inputs);
    return refusal(model)?.message;
  };
  const half = "expected a float32 model, got one in half precision";

  test("is refused where most constants are of it", () => {
    expect(of("float16[3] h, float[2] w")).toBe(half);
    expect(of("bfloat16[3] h, float[2] w")).toBe(half);
    expect(of("double[3] h, float[2] w")).toBe("expected a float32 model, got one in double precision");
    expect(of("float16[2] h, float[2] w")).toBeUndefined();
    expect(of("int8[9] h, float[2] w")).toBeUndefined();
    expect(of("float16[1] g, float16[2] h, float[2] w"), "together").toBe(half);
  });

  test("or where some are, and an input, too", () => {
    expect(of("float16[1] h, float[2] w", "float16[2] x")).toBe(half);
    expect(of("float16[1] h, float[2] w", "float[2] x, float16[2] z"), "one of two").toBe(half);
    expect(of("float[2] w", "float16[2] x"), "no constant of it").toBeUndefined();
    expect(of("float16[1] h, float[2] w", "double[2] x"), "an input of a third one").toBeUndefined();
    expect(of("float16[1] h, float[2] w", "seq(float16) s, float[2] x"), "a sequence").toBeUndefined();
  });

  test("inputs without a type, and those that have a constant, are none", () => {
    const model = parsed("y = Neg(x)", "float16[1] h, float[2] w", "float16[2] x");
    model.graph.inputs[0]!.type = undefined;
    expect(refusal(model)).toBeUndefined();
    const overridable = parsed("y = Neg(x)", "float16[1] h, float[2] w", "float[2] x, float16[1] z");
    expect(refusal(overridable)).toBeDefined();
    overridable.graph.inputs[1]!.initializer = overridable.graph.valuesByName().get("h")!.initializer;
    expect(refusal(overridable)).toBeUndefined();
  });

  test("says where, and what to do", () => {
    const model = parsed("y = Neg(x)", "float16[3] h");
    model.source = "net.onnx";
    expect(refusal(model)).toMatchObject({
      code: "quant/unsupported-model",
      detail: { at: "net.onnx", hint: "`normalise` widens it to float32, as every command does" },
    });
  });
});
