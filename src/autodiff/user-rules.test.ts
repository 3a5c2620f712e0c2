/** Rules that a program gives: for functions of its model, and in place of built-in ones. */
import { describe, expect, test } from "vitest";
import { parseModel } from "../ir/inner.ts";
import { openRuntime, traceShapes } from "../runtime/inner.ts";
import { Tensor } from "../tensor/inner.ts";
import { gradientModel, seedPrefix } from "./differentiate.ts";
import type { GradientRow } from "./rule.ts";

const quickGelu = `<ir_version: 10, opset_import: ["": 21, "local": 1]>
f (float[4] x) => (float[4] y) {
  h = Mul(x, x)
  y = local.QuickGelu(h)
}
<domain: "local", opset_import: ["": 21]>
QuickGelu (x) => (y) {
  factor = Constant <value_float: float = 1.702> ()
  scaled = Mul(factor, x)
  s = Sigmoid(scaled)
  y = Mul(x, s)
}`;

const feeds = { x: Tensor.float32([4], [-1.5, -0.25, 0.5, 2]) };
const ones = Tensor.float32([4], [1, 1, 1, 1]);

async function gradientOf(text: string, rules: Readonly<Record<string, GradientRow>>): Promise<number[]> {
  const model = parseModel(text);
  const runtime = await openRuntime();
  const types = await traceShapes(model, runtime, feeds);
  const built = gradientModel(model, ["x"], { types, rules: new Map(Object.entries(rules)) });
  await using session = await runtime.open(built);
  const { gradient_x: gradient } = await session.run({ ...feeds, [`${seedPrefix}y`]: ones }, ["gradient_x"]);
  return [...gradient!.floats()];
}

describe("a function of the model", () => {
  test("has no gradient by itself, and the error says the way out", async () => {
    await expect(gradientOf(quickGelu, {})).rejects.toMatchObject({
      code: "autodiff/no-gradient",
      detail: { hint: expect.stringContaining("option `rules`") },
    });
  });

  test("has the one that the program gives", async () => {
    const found = await gradientOf(quickGelu, {
      "local.QuickGelu": (b) => {
        const s = b.op("Sigmoid", [b.mul(b.input(0), 1.702)]);
        return [b.mul(b.dy, b.add(s, b.mul(b.mul(b.y, b.sub(b.scalar(1), s)), 1.702)))];
      },
    });
    const slope = (x: number) => {
      const s = 1 / (1 + Math.exp(-1.702 * x));
      return s + 1.702 * x * s * (1 - s);
    };
    // y = f(x²): f′(x²) · 2 x, a few roundings of float32.
    for (const [i, x] of feeds.x.floats().entries()) expect(found[i]).toBeCloseTo(slope(x * x) * 2 * x, 5);
  });
});

describe("a rule in place of a built-in one", () => {
  const text = `<ir_version: 10, opset_import: ["": 21]>
f (float[4] x) => (float[4] y) { r = Round(x)  y = Mul(r, x) }`;
  const [rounded, x] = [[-2, -0, 0, 2], [...feeds.x.floats()]];

  test("passes straight through what is flat", async () => {
    expect(await gradientOf(text, {})).toEqual(rounded);
    expect(await gradientOf(text, { Round: (b) => [b.dy] })).toEqual(rounded.map((r, i) => r + x[i]!));
  });

  test("stops what flows, or refuses it with the program's reason", async () => {
    expect(await gradientOf(text, { Mul: { flat: "frozen" } })).toEqual([0, 0, 0, 0]);
    await expect(gradientOf(text, { Mul: { none: "not here" } })).rejects.toThrow("not here");
  });
});
