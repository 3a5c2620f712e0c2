/** A precision for every layer on the command line: `--grid`, and a plan that is written, edited and taken back. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { avocet, avocetJson, type Workshop, workshop } from "../../test/command-line.ts";
import { parseGridRule } from "./grid-options.ts";

let shop: Workshop;
beforeAll(async () => {
  shop = await workshop();
});
afterAll(() => shop[Symbol.dispose]());

const fast = ["--preset", "fast"];

async function quantize(name: string, ...options: string[]) {
  const args = ["quantize", shop.at("tiny.onnx"), "--data", shop.at("x.npy"), "-o", shop.at(name), ...fast];
  return { ...(await avocetJson([...args, ...options])), bytes: () => readFileSync(shop.at(name, "model.onnx")) };
}

interface Entry {
  readonly value: string;
  readonly grid: { readonly bits: number };
  readonly granularity: object;
}
const gridsOf = (plan: { entries: readonly Entry[] }) =>
  Object.fromEntries(plan.entries.map(({ value, grid }) => [value, grid.bits]));

describe("the text of a rule", () => {
  test.each([
    ["conv=w4a16", { match: "conv", weights: "int4", activations: "uint16" }],
    ["conv=w4", { match: "conv", weights: "int4" }],
    ["a=b=a8", { match: "a=b", activations: "uint8" }],
    ["/conv[12]/=wuint4aint16,block:32", { match: "/conv[12]/", weights: "uint4", activations: "int16", granularity: "block:32" }],
    ["first..last=wfloatafp16", { match: "first..last", weights: "float", activations: "fp16" }],
    ["conv=tensor", { match: "conv", granularity: "tensor" }],
  ])("%s", (text, rule) => expect(parseGridRule(text)).toEqual(rule)); // biome-ignore format: a table

  test.each(["conv", "=w4", "conv=", "conv=4", "conv=w", "conv=a16w4", "conv=w4,rows", "conv=w4block:32"])(
    "%s is refused",
    (text) => {
      expect(() => parseGridRule(text)).toThrow(expect.objectContaining({ code: "usage/bad-value" }));
    },
  );
});

test("rules decide single layers, in the plan and in the file", async () => {
  const rules = ["--grid", "conv=w4a16", "--grid", "w2=w16"];
  const { code, json } = await quantize("ruled", ...rules);
  expect(code, JSON.stringify(json)).toBe(0);
  const expected = { x: 16, w1: 4, r: 16, w2: 16 };
  expect(gridsOf(shop.json("ruled", "plan.json"))).toMatchObject(expected);
  expect(shop.json("ruled", "recipe.json").grids).toEqual([
    { match: "conv", weights: "int4", activations: "uint16" },
    { match: "w2", weights: "int16" },
  ]);
  expect(gridsOf(JSON.parse((await avocet(["plan", shop.at("tiny.onnx"), "--json", ...rules])).out))).toMatchObject(
    expected,
  );
  const again = await quantize("ruled again", "--recipe", shop.at("ruled", "recipe.json"));
  expect(again.bytes()).toEqual(readFileSync(shop.at("ruled", "model.onnx")));
  expect(shop.json("ruled", "report.json").settings.grids).toBe("conv: weights int4, activations uint16 · w2: weights int16"); // biome-ignore format: one line
});

test("rules that disagree about a value are told", async () => {
  await quantize("disagreeing", "--grid", "pool=a16", "--grid", "conv=aint8");
  const { steps } = shop.json("disagreeing", "report.json");
  const notes = steps.find(({ step }: { step: string }) => step === "place").notes;
  expect(notes).toContainEqual("r: it is int8, as conv asks, and not uint16, as pool asks");
});

describe("a plan", () => {
  test("that nobody edited gives the bytes of the run without it, and the target is its own", async () => {
    const options = ["--weights", "int4", "--target", "htp-v73", "--grid", "gemm=w8"];
    const plan = shop.at("whole.json");
    expect((await avocet(["plan", shop.at("tiny.onnx"), ...options, "-o", plan])).code).toBe(0);
    const [direct, planned] = [await quantize("direct", ...options), await quantize("planned", "--plan", plan)];
    expect(planned.code, JSON.stringify(planned.json)).toBe(0);
    expect(planned.bytes()).toEqual(direct.bytes());
    expect(shop.json("planned", "recipe.json").target).toBe("htp-v73");
    // What the run itself wrote will do as well, with its encodings.
    const own = await quantize("from its own", "--plan", shop.at("direct", "plan.json"));
    expect(own.bytes()).toEqual(direct.bytes());
    const recipe = await quantize("from its recipe", "--recipe", shop.at("planned", "recipe.json"));
    expect(recipe.bytes()).toEqual(direct.bytes());
  });

  test("that was edited is what is made", async () => {
    const path = shop.at("edited.json");
    await avocet(["plan", shop.at("tiny.onnx"), "-o", path]);
    const plan = shop.json("edited.json");
    const w1 = plan.entries.find(({ value }: Entry) => value === "w1");
    Object.assign(w1, { grid: { ...w1.grid, bits: 4 }, granularity: { kind: "tensor" } });
    shop.write("edited.json", JSON.stringify(plan));
    expect((await quantize("from edited", "--plan", path)).code).toBe(0);
    const made = shop.json("from edited", "plan.json").entries.find(({ value }: Entry) => value === "w1");
    expect(made).toMatchObject({ grid: { bits: 4 }, granularity: { kind: "tensor" } });
    expect(made.encoding.scale.length).toBe(1);
  });

  test("needs no data with the preset data-free", async () => {
    const recipe = shop.write(
      "known.json",
      JSON.stringify({ preset: "data-free", inputs: { x: { low: -3, high: 3 } } }),
    );
    const path = shop.at("free.json");
    await avocet(["plan", shop.at("tiny.onnx"), "--grid", "conv=w4", "-o", path]);
    const args = ["quantize", shop.at("tiny.onnx"), "-o", shop.at("free"), "--recipe", recipe, "--plan", path];
    expect((await avocetJson(args)).code).toBe(0);
    expect(gridsOf(shop.json("free", "plan.json"))).toMatchObject({ w1: 4, w2: 8 });
  });

  test.each([
    ["next to a grid", ["--plan", "$/p.json", "--weights", "int4"], "usage/missing", /either --plan or/],
    ["next to a rule", ["--plan", "$/p.json", "--grid", "conv=w4"], "usage/missing", /either --plan or/],
    ["next to another target", ["--plan", "$/p.json", "--target", "htp-v73"], "usage/bad-value", /target of the plan, ort-cpu/],
    ["next to a recipe's grids", ["--plan", "$/p.json", "--recipe", "$/w4.json"], "recipe/invalid", /a plan or weights/],
    ["that is no plan", ["--plan", "$/w4.json"], "quant/invalid-plan", /entries/],
    ["that is not there", ["--plan", "$/none.json"], "import/not-found", /expected a file/],
    ["of another model", ["--plan", "$/other.json"], "quant/no-such-value", /got ww/],
  ])("%s is refused", async (_, options, code, message) => {
    await avocet(["plan", shop.at("tiny.onnx"), "-o", shop.at("p.json"), "--force"]);
    shop.write("w4.json", JSON.stringify({ weights: "int4" }));
    shop.write("other.json", readFileSync(shop.at("p.json"), "utf8").replaceAll('"w1"', '"ww"'));
    const { json } = await quantize("refused", ...options.map((one) => one.replace("$", shop.folder)));
    expect(json.error).toMatchObject({ code, message: expect.stringMatching(message) });
  }); // biome-ignore format: a table
});
