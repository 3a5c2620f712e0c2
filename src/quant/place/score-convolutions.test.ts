/** Classifiers written as convolutions: scores in float from weights that are stored as integers. */
import { describe, expect, test } from "vitest";
import { about, gives, pictures, planOf } from "../../../test/kernel-placement.ts";
import { inferTypes } from "../../facts/inner.ts";
import { parseModel } from "../../ir/inner.ts";

describe("convolutions that give scores at one position", () => {
  const classes = ", float[5,4,1,1] s, float[5] b, float[4,5,1,1] t, float[4,4,1,1] t2";
  const net = (body: string) => pictures(`c = Conv(x, w) p = GlobalAveragePool(c) ${body}`, 21, classes);
  const known = (text: string) => ({ shapes: inferTypes(parseModel(text, { seed: 1 })) });
  const scores = "float: it gives scores at one position: integers of Conv would make ties, and float takes no longer";

  test("compute in float from weights that are stored as integers", () => {
    const text = net("d = Conv(p, s, b) f = Flatten(d) y = Softmax(f)");
    expect(about(text, "p d f", known(text))).toEqual([
      "float: GlobalAveragePool has float beside it: integers would have to be turned back at once",
      scores,
      "float: Flatten only moves data, and d is not quantized",
    ]);
    const entry = (value: string) => planOf(text, known(text)).entries.find((one) => one.value === value);
    expect([entry("s")?.kind, entry("s")?.grid, entry("b")]).toEqual([
      "weight",
      { kind: "int", bits: 8, signed: true },
      undefined,
    ]);
  });

  test.each([
    ["a layer follows", "d = Conv(p, s, b) r = Relu(d) y = Conv(r, t)", "r", gives("Conv + Relu")],
    ["one follows behind a gate", "d = Conv(p, t2) h = Tanh(d) m = Mul(c, h) y = Conv(m, v)", "d", gives("Conv")],
    ["there are several positions", "y = Conv(c, s, b)", "y", gives("Conv")],
  ])("but not where %s", (_, body, value, wanted) => {
    const text = net(body);
    expect(about(text, value, known(text))).toEqual([wanted]);
  });

  test("and not where they are the only layers", () => {
    const text = pictures("p = GlobalAveragePool(x) y = Conv(p, s, b)", 21, classes);
    expect(about(text, "y", known(text))).toEqual([gives("Conv")]);
  });
});
