import { describe, expect, test } from "vitest";
import { type Model, parseModel } from "../ir/index.ts";
import { selectNodes } from "./keep-float.ts";

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
