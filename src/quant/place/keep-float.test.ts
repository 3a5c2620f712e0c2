import { describe, expect, test } from "vitest";
import { type Model, parseModel } from "../../ir/inner.ts";
import { builtinTarget } from "../targets/targets.ts";
import { selectNodes } from "./keep-float.ts";
import { place } from "./place.ts";

describe("regular expressions of users", () => {
  const named = (...names: string[]): Model => {
    const nodes = names.map((name, i) => `["${name}"] y${i} = Relu(x)`).join("\n");
    return parseModel(`<ir_version: 10, opset_import: ["" : 21]> g (float[4] x) => (float[4] y0) { ${nodes} }`);
  };
  const chosen = (model: Model, selector: string) => [...selectNodes(model, [selector]).keys()].map(({ name }) => name);

  test.each([
    ["/^conv\\d+$/", ["conv1", "conv12"]],
    ["/CONV1/i", ["conv1", "conv12"]],
    ["/^(?:conv1|fc)$/", ["conv1", "fc"]],
    ["/[cd]w?_?1/", ["d_1"]],
  ])("%s", (selector, names) => {
    expect(chosen(named("conv1", "conv12", "fc", "d_1"), selector)).toEqual(names);
  });

  // Each of these needs longer than the age of the universe, or minutes, where an engine backtracks.
  test.each(["/(a+)+$/", "/(a|a)*b/", "/(a*)*b$/", "/(.*a){20}$/", "/.*.*.*.*.*b/"])("%s ends", (selector) => {
    const model = named(`${"a".repeat(2_000)}!`);
    expect(() => selectNodes(model, [selector])).toThrow(expect.objectContaining({ code: "quant/no-such-value" }));
  });

  test.each(["/(?=a)b/", "/(a)\\1/", "/(/"])("%s is refused with the reason", (selector) => {
    expect(() => selectNodes(named("a"), [selector])).toThrow(expect.objectContaining({ code: "usage/bad-value" }));
  });
});

describe("an operator that only moves data", () => {
  const text = `<ir_version: 10, opset_import: ["" : 21]>
    f (float[1,8,8,8] x) => (float[1,8,4,4] y) <float[8,8,3,3] w, float[8,8,3,3] v> {
      [a] c = Conv <pads = [1,1,1,1]> (x, w)
      [b] r = Relu(c)
      [m] p = OPERATOR
      [d] y = Conv <pads = [1,1,1,1]> (p, v) }`;
  const moving = {
    MaxPool: "MaxPool <kernel_shape = [2,2], strides = [2,2]> (r)",
    Transpose: "Transpose <perm = [0,1,3,2]> (r)",
    Identity: "Identity(r)",
  };
  const targets = ["ort-cpu", "aimet-default", "htp-v73"];
  const cases = Object.keys(moving).flatMap((op) => targets.map((target) => ({ op, target })));

  test.each(cases)("$op is kept in float by $target: what it makes follows nobody's grid", ({ op, target }) => {
    const model = parseModel(text.replace("OPERATOR", moving[op as keyof typeof moving]), { seed: 1 });
    const placed = (keepFloat: string[]) =>
      place(model, builtinTarget(target), { shapes: new Map(), keepFloat }).entries.find(({ value }) => value === "p");
    expect(placed([])).toMatchObject({ tiedTo: "r" });
    // The convolution behind it takes integers, so that it is quantized anew, from float; or it is float altogether.
    expect(placed([op])?.tiedTo).toBeUndefined();
  });
});
