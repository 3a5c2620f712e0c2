/** Reading ONNX text: what goes beyond the official syntax, seeded constants, and errors that say where. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { AvocetError } from "../../base/inner.ts";
import type { Tensor } from "../../tensor/inner.ts";
import { check } from "../check.ts";
import type { Model } from "../model.ts";
import { parseGraph, parseModel } from "./parse.ts";
import { printGraph } from "./print.ts";

function constant(model: Model, name: string): Tensor {
  return model.graph.valuesByName().get(name)!.initializer!;
}

function data(declaration: string, options = {}): Tensor {
  const model = parseModel(`() => (y) <${declaration}> { y = Identity(c) }`, options);
  return constant(model, "c");
}

describe("beyond the official syntax", () => {
  test("the name and the header may be missing; the operators are then those of opset 21", () => {
    const model = parseModel("(float[2] x) => (y) { y = Relu(x) }");
    expect([model.graph.name, model.opset, model.irVersion]).toEqual(["graph", 21, 10]);
    expect(parseModel("() => () { }", { opset: 13 }).opset).toBe(13);
    expect(parseModel('<opset_import: ["ai.onnx": 17]> () => () { }', { opset: 13 }).opset).toBe(17);
  });

  test("domains, operators, attributes, overloads and graphs of attributes may be quoted", () => {
    const text = `g (x) => (y) {
  y = "pkg.torch.2.3"."aten::add":"1"(x) <
    "keep-dims" = 1,
    body = "a body" () => (float[] z) {
      z = Neg(x)
    }
  >
}`;
    const graph = parseGraph(text);
    const node = [...graph.nodes][0]!;
    expect([node.domain, node.op, node.overload]).toEqual(["pkg.torch.2.3", "aten::add", "1"]);
    expect(node.int("keep-dims")).toBe(1);
    expect(printGraph(graph)).toBe(text);
  });

  test("short floats with a point are values, without one they are bits, as in the official text", () => {
    expect([...data("float16[3] c = {1.0, 15360, -inf}").data]).toEqual([0x3c00, 0x3c00, 0xfc00]);
    expect([...data("bfloat16[2] c = {1.0, 16256}").data]).toEqual([0x3f80, 0x3f80]);
    expect([...data("float8e4m3fn[3] c = {1.0, 56, nan}").data]).toEqual([0x38, 0x38, 0x7f]);
    expect(data("float4e2m1[3] c = {1.5, 3, -6.0}").numbers()).toEqual([1.5, 1.5, -6]);
  });

  test("integers of 2 and 4 bits are elements, not bytes", () => {
    expect(data("int4[3] c = {-8, 7, 1}").numbers()).toEqual([-8, 7, 1]);
    expect([...data("int4[3] c = {-8, 7, 1}").bytes]).toEqual([0x78, 0x01]);
    expect(data("uint2[5] c = {3, 0, 1, 2, 3}").numbers()).toEqual([3, 0, 1, 2, 3]);
    expect([...data("float4e2m1[2] c = {15, 1}").bytes]).toEqual([0x1f]);
  });

  test("strings that are not UTF-8 are bytes", () => {
    const graph = parseGraph('g (x) => (y) { y = Foo(x) <a = bytes "c3ff00", b = ["p", bytes ""]> }');
    const node = [...graph.nodes][0]!;
    expect(node.attributes.get("a")).toEqual({ type: "string", value: Uint8Array.of(0xc3, 0xff, 0) });
    expect(printGraph(graph)).toContain('<a = bytes "c3ff00", b = ["p", bytes ""]>');
  });

  test("types of sequences may leave their elements open", () => {
    const graph = parseGraph("g (seq() a, map(int64, ) b) => (y) { y = Foo(a, b) }");
    expect(graph.inputs.map((v) => v.type)).toEqual([
      { kind: "sequence", of: null },
      { kind: "map", key: "int64", of: null },
    ]);
  });

  test("lists of tensors, types and graphs, which the official parser drops", () => {
    const text = `g (x) => (y) {
  y = Foo(x) <
    a = [float[1] {1}, float {2}],
    b = [float[N], seq(int64)],
    c = [p () => (q) {
      q = Neg(x)
    }, r () => (s) {
      s = Abs(x)
    }]
  >
}`;
    expect(printGraph(parseGraph(text))).toBe(text);
  });
});

describe("names", () => {
  test("bodies may repeat names of each other and keep them", () => {
    const text = `g (bool b, float x) => (y) {
  y = If(b) <
    then_branch = p () => (t) {
      t = Neg(x)
    },
    else_branch = q () => (t) {
      t = Abs(x)
    }
  >
}`;
    const graph = parseGraph(text);
    expect(printGraph(graph)).toBe(text);
    const model = parseModel(text);
    check(model);
  });

  test("an output may be an input, a constant, or named twice", () => {
    const graph = parseGraph("g (float[1] x) => (x, c, x) <float[1] c = {1}> { }");
    expect(graph.outputs.map((v) => v.name)).toEqual(["x", "c", "x"]);
    expect(graph.inputs[0]!.useCount).toBe(2);
  });

  test("types in the list of constants go to computed values", () => {
    const graph = parseGraph("g (x) => (y) <float[2] h, float[9] nobody> { h = Neg(x) y = Neg(h) }");
    expect(graph.valuesByName().get("h")!.type).toEqual({ kind: "tensor", dtype: "float32", shape: [2] });
  });
});

describe("seeds", () => {
  test("constants without data get numbers that depend on the seed and the name alone", () => {
    const one = data("float[2,2] c", { seed: 1 });
    // Recorded: a change of these numbers changes every seeded test.
    expect(Array.from(one.floats(), (v) => v.toFixed(4))).toMatchInlineSnapshot(`
      [
        "1.3777",
        "-1.5406",
        "0.6552",
        "-1.2758",
      ]
    `);
    expect(data("float[1] other, float[2,2] c = {...}", { seed: 1 }).data).toEqual(one.data);
    expect(data("float[2,2] c", { seed: 2 }).data).not.toEqual(one.data);
  });

  test("floats are normal, positive ones lie in [0.5, 1.5), integers fill their range", () => {
    const normal = data("float[10000] c", { seed: 3 }).numbers();
    const mean = normal.reduce((sum, v) => sum + v, 0) / normal.length;
    const variance = normal.reduce((sum, v) => sum + (v - mean) ** 2, 0) / normal.length;
    expect(Math.abs(mean)).toBeLessThan(0.04); // four standard errors: 4 / √10000
    expect(Math.abs(variance - 1)).toBeLessThan(0.06); // four standard errors: 4 √(2 / 10000)
    const positive = data("float[1000] c", { seed: 3, positive: ["c"] }).numbers();
    expect(Math.min(...positive)).toBeGreaterThanOrEqual(0.5);
    expect(Math.max(...positive)).toBeLessThan(1.5);
    for (const [type, low, high] of [
      ["int4", -8, 7],
      ["uint2", 0, 3],
      ["int8", -128, 127],
      ["uint8", 0, 255],
    ] as const) {
      const values = data(`${type}[5000] c`, { seed: 4 }).numbers();
      expect([Math.min(...values), Math.max(...values)]).toEqual([low, high]);
    }
  });

  test("half floats and attributes are seeded too", () => {
    const exact = data("double[3] c", { seed: 5 }).numbers();
    const half = data("float16[3] c", { seed: 5 }).numbers();
    for (const [i, v] of half.entries()) expect(Math.abs(v / exact[i]! - 1)).toBeLessThanOrEqual(2 ** -11); // float16
    const model = parseModel("() => (y) { y = Constant() <value = float[3] {...}> }", { seed: 5 });
    expect([...model.graph.nodes][0]!.tensor("value")!.size).toBe(3);
  });

  test("what cannot be made up is refused", () => {
    expect(() => data("int64[2] c", { seed: 1 })).toThrow(/floats and integers of at most 16 bits/);
    expect(() => data("float[100000,100000] c", { seed: 1 })).toThrow(/at most 16777216 seeded elements/);
    expect(() => data("float[2] c")).toThrow(/c is only declared/);
    expect(() => data("float[2] c = {...}")).toThrow(/expected data for float\[2\] c/);
  });
});

/** "line:column code-free message" of a refusal. */
function refusal(text: string): string {
  try {
    parseModel(text);
  } catch (error) {
    if (!(error instanceof AvocetError)) throw error;
    expect(error.code).toBe("text/syntax");
    return `${error.detail.at} ${error.message}`;
  }
  throw new Error(`expected a refusal of ${text}`);
}

test.each([
  ["g (float x) => (y) {\n  y Neg(x)\n}", '2:5 expected "=", got "Neg"'],
  ["g (float x) => (y) {\n  y = Neg(x) # and then\n", '3:1 expected "=", got the end of the text'],
  ["g (float[2) => () { }", '1:11 expected "]", got ")"'],
  ["g (float[2.5] x) => () { }", '1:10 expected a length, a name or ?, got "2.5"'],
  ["g (seq(flat) x) => () { }", '1:8 expected a type, got "flat"'],
  ["g (opaque(a) x) => () { }", "1:4 opaque types are not supported"],
  ["g (x) => (y) { y = Neg(z) }", "1:24 expected a value that is known here, got z"],
  ["g (x) => (y) { y = Neg(h) h = Neg(x) }", "1:24 expected a value that is known here, got h"],
  ["g (x) => (z) { y = Neg(x) }", "1:11 expected a value that is known here, got z"],
  ["g (x) => (y) { y = Neg(x) y = Neg(x) }", "1:27 the name y is given twice"],
  ["g (x, x) => () { }", "1:7 the name x is given twice"],
  ["g () => () <float[2] c = {1}> { }", "1:27 expected 2 elements for float[2], got 1"],
  ["g () => () <int8[1] c = {128}> { }", '1:26 expected a whole number of int8 (-128 to 127), got "128"'],
  ["g () => () <float[1] c = {1e39}> { }", '1:27 expected a number that float32 can hold, got "1e39"'],
  ["g () => () <bool[1] c = {2}> { }", '1:26 expected 0 or 1 (0 to 1), got "2"'],
  ["g () => () <float8e5m2[1] c = {256}> { }", '1:32 expected the bits of a float8e5m2 (0 to 255), got "256"'],
  ["g () => () <c = {1}> { }", '1:13 expected a tensor type before a constant, got "c"'],
  ['g () => () <float[1] c = ["location": "w"]> { }', "1:26 external data is not supported in text"],
  ["g (x) => (y) { y = Foo(x) <a = 1, a = 2> }", "1:35 the attribute a is given twice"],
  ["g (x) => (y) { y = Foo(x) <a = @b> }", "1:32 a reference to an attribute needs a type"],
  [
    "g (x) => (y) { y = Foo(x) <a = 9223372036854775808> }",
    '1:32 expected a whole number of 64 bits, got "9223372036854775808"',
  ],
  ['g (x) => (y) { y = Foo(x) <a = bytes "abc"> }', '1:38 expected pairs of hexadecimal digits, got "\\""'],
  ["<ir_version: 10, ir_version: 10> g () => () { }", "1:18 the header entry ir_version is given twice"],
  ["g () => () { } }", '1:16 expected the name of a function, got "}"'],
])("%s is refused", (text, expected) => {
  expect(refusal(text)).toBe(expected);
});

describe("garbage", () => {
  const good = `<ir_version: 10, opset_import: ["": 21, "l": 1]> g (bool b, float[2] x = {...}) => (z) <float[2] w = {1, -2.5e3}> {
    [n] t, = l.Foo:o(x, w) <a = [1, 2], s = "q\\"", v = int64 {1}, ty = seq(float[])>
    z = If(b) <then_branch = p () => (u) { u = Neg(t) }, else_branch = q () => (u) { u = Abs(t) }> }
    <domain: "l", opset_import: ["": 21]> Foo <a, s : string = "d"> (x, w) => (y) { y = Add(x, w) }`;
  const parseOrRefuse = (text: string): void => {
    try {
      parseModel(text, { seed: 1 });
    } catch (error) {
      if (!(error instanceof AvocetError)) throw error;
      expect(error.detail.at).toMatch(/^[0-9]+:[0-9]+$/);
    }
  };

  test("the text that is damaged below is good", () => check(parseModel(good, { seed: 1 })));

  test("any text is read or refused", () => {
    fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 200 }), parseOrRefuse), { numRuns: 500 });
  });

  test("a text with pieces of others put in or cut out is read or refused", () => {
    const token = fc.constantFrom(
      ...'<>(){}[]=,.:@"#?-0',
      "=>",
      "float",
      "seq(",
      "x",
      "1e9",
      "nan",
      "{...}",
      "\\",
      "\n",
    );
    const place = fc.nat(good.length);
    fc.assert(
      fc.property(place, fc.nat(20), fc.array(token, { maxLength: 4 }), (at, cut, tokens) => {
        parseOrRefuse(good.slice(0, at) + tokens.join("") + good.slice(at + cut));
      }),
      { numRuns: 2000 },
    );
  });

  test("deep nesting is refused, not a stack overflow", () => {
    expect(refusal(`g (${"seq(".repeat(100_000)}`)).toMatch(/types nested at most 64 deep/);
    const nested = "g () => () { = If() <b = ".repeat(1000);
    expect(refusal(nested)).toMatch(/graphs nested at most 64 deep/);
  });

  test("ten megabytes of white space, comments or one long string take no time worth naming", () => {
    const start = process.cpuUsage().user;
    parseModel(`${" ".repeat(5e6)}#${"x".repeat(5e6)}\n() => () { }`);
    parseModel(`<doc_string: "${'\\"'.repeat(5e6)}"> () => () { }`);
    expect((process.cpuUsage().user - start) / 1000).toBeLessThan(3000); // measured 0.5 s of this process; quadratic code would take hours
  });
});
