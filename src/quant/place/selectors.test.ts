import { describe, expect, test } from "vitest";
import type { AvocetError } from "../../base/inner.ts";
import { type Model, parseModel } from "../../ir/inner.ts";
import { builtinTarget } from "../targets/targets.ts";
import { place } from "./place.ts";
import { select } from "./selectors.ts";

describe("regular expressions of users", () => {
  const named = (...names: string[]): Model => {
    const nodes = names.map((name, i) => `["${name}"] y${i} = Relu(x)`).join("\n");
    return parseModel(`<ir_version: 10, opset_import: ["" : 21]> g (float[4] x) => (float[4] y0) { ${nodes} }`);
  };
  const chosen = (model: Model, selector: string) => select(model, [selector])[0]!.nodes.map(({ name }) => name);

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
    expect(() => select(model, [selector])).toThrow(expect.objectContaining({ code: "quant/no-such-value" }));
  });

  test.each(["/(?=a)b/", "/(a)\\1/", "/(/"])("%s is refused with the reason", (selector) => {
    expect(() => select(named("a"), [selector])).toThrow(expect.objectContaining({ code: "usage/bad-value" }));
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
    expect(placed([])).toMatchObject({ sharesEncodingOf: "r" });
    // The convolution behind it takes integers, so that it is quantized again, from float; or it is float altogether.
    expect(placed([op])?.sharesEncodingOf).toBeUndefined();
  });
});

describe("what lies between two values", () => {
  const model = parseModel(
    `<ir_version: 10, opset_import: ["" : 21]> g (float[4] x, float[4] z) => (float[4] y, float[4] side) <float[4] k> {
      [a] va = Relu(x)
      [b] vb = Exp(va)
      [c] vc = Tanh(va)
      [d] vd = Add(vb, vc)
      [e] side = Mul(vd, z)
      [f] y = Add(vd, k) }`,
    { seed: 1 },
  );
  const chosen = (selector: string) => select(model, [selector])[0]!.nodes.map(({ name }) => name);

  test.each([
    ["b..d", ["b", "d"]],
    ["va..vd", ["b", "c", "d"]],
    ["a..vb", ["a", "b"]],
    ["vc..", ["d", "e", "f"]],
    ["..vb", ["a", "b"]],
    ["z..", ["e"]],
    ["k..y", ["f"]],
    ["..", ["a", "b", "c", "d", "e", "f"]],
  ])("%s", (selector, names) => expect(chosen(selector)).toEqual(names));

  test.each(["vd..va", "b..c", "nothing..y", "x..nothing", "a.b"])("%s is nothing", (selector) => {
    expect(() => select(model, [selector])).toThrow(expect.objectContaining({ code: "quant/no-such-value" }));
  });

  test("an end that is misspelled has the nearest name in the hint", () => {
    const wide = parseModel(
      `<ir_version: 10, opset_import: ["" : 21]> g (float[4] x) => (float[4] y) { [first] middle = Relu(x) [last] y = Exp(middle) }`,
      { seed: 1 },
    );
    const hint = (selector: string) => {
      try {
        return select(wide, [selector]);
      } catch (cause) {
        return (cause as AvocetError).detail.hint;
      }
    };
    expect(hint("frist..last")).toBe("did you mean first..last?");
    expect(hint("..midle")).toBe("did you mean ..middle?");
  });

  test.each(["x", "k"])("%s, which no node gives, is the value itself", (name) => {
    expect(select(model, [name])).toEqual([{ nodes: [], values: [expect.objectContaining({ name })] }]);
  });
});

describe("names, operators and ways between them", () => {
  const model = () =>
    parseModel(
      `<ir_version: 10, opset_import: ["" : 21, "com.example" : 1]> net (float[4] x, float[4] z) => (float[4] y, float[4] k) <float[4] w> {
        [first] a = Mul(x, w)
        [second] b = Relu(a)
        c = Add(b, z)
        ["odd/name"] d = com.example.Odd(c)
        y = Neg(d)
        e = Neg(w)
        k = Abs(e) }`,
      { seed: 1 },
    );
  const of = (selector: string) => {
    const [found] = select(model(), [selector]);
    return [...found!.nodes.map((node) => node.output.name), ...found!.values.map(({ name }) => `value ${name}`)];
  };

  test.each([
    ["first", ["a"]],
    ["a", ["a"]],
    ["c", ["c"]],
    ["x", ["value x"]],
    ["w", ["value w"]],
    ["Neg", ["y", "e"]],
    ["Odd", ["d"]],
    ["com.example.Odd", ["d"]],
    ["/^(first|second)$/", ["a", "b"]],
    ["/^e$/", ["e"]],
    ["first..c", ["a", "b", "c"]],
    ["a..c", ["b", "c"]],
    ["second..", ["b", "c", "d", "y"]],
    ["..second", ["a", "b"]],
    ["..c", ["a", "b", "c"]],
    ["z..", ["c", "d", "y"]],
    ["w..k", ["e", "k"]],
    ["..", ["a", "b", "c", "d", "y"]],
  ])("%s", (selector, wanted) => expect(of(selector)).toEqual(wanted));

  test("several in their order", () => {
    expect(select(model(), ["Neg", "x"]).map(({ nodes, values }) => [nodes.length, values.length])).toEqual([
      [2, 0],
      [0, 1],
    ]);
  });

  test("an input that has a constant is no input that is fed", () => {
    const overridden = model();
    overridden.graph.inputs[1]!.initializer = overridden.graph.valuesByName().get("w")!.initializer;
    expect(select(overridden, ["../^none$/", "..c"].slice(1))[0]!.nodes.map(({ output }) => output.name)).toEqual([
      "a",
      "b",
      "c",
    ]);
    const alone = parseModel(
      '<ir_version: 10, opset_import: ["" : 21]> net (float[4] x, float[4] z) => (y) { b = Neg(z) c = Neg(x) y = Add(b, c) }',
    );
    alone.graph.inputs[1]!.initializer = overridden.graph.valuesByName().get("w")!.initializer;
    expect(select(alone, [".."])[0]!.nodes.map(({ output }) => output.name)).toEqual(["c", "y"]);
  });

  const refusal = (selector: string, source?: string) => {
    const given = model();
    if (source) given.source = source;
    try {
      select(given, [selector]);
    } catch (error) {
      const { code, message, detail } = error as AvocetError & { detail: { at: string; hint: string } };
      return { code, message, ...detail };
    }
    throw new Error("expected a refusal");
  };

  test("what selects nothing says where, and what is near", () => {
    expect(refusal("firts")).toMatchObject({
      code: "quant/no-such-value",
      message: "expected names of nodes, values or operators, got firts",
      at: "net",
      hint: expect.stringMatching(/^did you mean .*first/),
    });
    expect(refusal("firts", "folder/net.onnx").at).toBe("folder/net.onnx");
    expect(refusal("nothing like it at all").hint).toBe("`avocet inspect` lists the operators of a model");
    expect(refusal("firts..c").hint).toBe("did you mean first..c?");
    expect(refusal("first..sekond").hint).toBe("did you mean first..second?");
    expect(refusal("y..first").hint, "two ends that no way joins").toBe(
      "`avocet inspect` lists the operators of a model",
    );
    expect(refusal("/a..firts/").hint).not.toContain("..c");
    expect(refusal("/^none$/").code).toBe("quant/no-such-value");
    const broken = refusal("/(/");
    expect([broken.code, broken.hint]).toEqual(["usage/bad-value", expect.stringContaining("RE2's syntax")]);
  });
});
