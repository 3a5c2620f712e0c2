/** The map that lowering returns: each value, each layer and each product is where it says. */

import { describe, expect, test } from "vitest";
import { arrayData } from "../../../test/array-data.ts";
import { seededFeeds } from "../../../test/same-outputs.ts";
import { matrixLayers } from "../../facts/inner.ts";
import { readModel, writeModel } from "../../formats/inner.ts";
import { cloneModel, type Model, parseModel } from "../../ir/inner.ts";
import { openRuntime, traceShapes } from "../../runtime/inner.ts";
import {
  builtinTarget,
  calibrate,
  type LoweredProduct,
  type LoweredValue,
  lower,
  type Plan,
  parseGrid,
  place,
  readShipped,
} from "../inner.ts";

const runtime = await openRuntime();

async function planned(
  model: Model,
  options: { weights?: string; activations?: string; target?: string } = {},
): Promise<Plan> {
  const feeds = seededFeeds(model);
  const shapes = await traceShapes(model, runtime, feeds);
  const { weights = "int8", activations = "uint8", target = "aimet-default" } = options;
  const grids = { weights: parseGrid(weights), activations: parseGrid(activations) };
  const plan = place(model, builtinTarget(target), { shapes, ...grids });
  return (await calibrate(model, plan, runtime, arrayData(feeds), { scheme: "minmax", shapes })).plan;
}

const text = `<ir_version: 10, opset_import: ["" : 21]>
f (float[2,4] x, float[2,4] z) => (float[2,8] y, float[2,2] s) <float[4,8] w, float[8] b, float[8,8] v> {
  m = MatMul(x, w)
  a = Add(m, b)
  r = Relu(a)
  y = MatMul(r, v)
  n = MatMul(z, w)
  t = Transpose(x)
  s = MatMul(z, t) }`;

describe("of", () => {
  test("an activation: the float, its integers, and what readers get", async () => {
    const model = parseModel(text, { seed: 1 });
    const plan = await planned(model);
    const { of, model: file } = lower(model, { ...plan, entries: plan.entries.filter(({ value }) => value !== "m") });
    const r = of("r")!;
    expect(r.quantized!.producer!.op).toBe("QuantizeLinear");
    expect(r.quantized!.producer!.input(0)).toBe(r.float);
    expect(r.dequantized!.producer!.op).toBe("DequantizeLinear");
    expect(r.dequantized!.producer!.input(0)).toBe(r.quantized);
    // An output of the model keeps its name behind the quantizer; `of` knows the number in front by the same name.
    expect([of("y")!.dequantized, of("y")!.float!.name]).toEqual([file.graph.outputs[0], "y_float"]);
    expect(of("m")).toEqual({ float: file.graph.valuesByName().get("m") });
    expect(of("nothing")).toBeUndefined();
  });

  test("between quantizer and reader there may be a Clip, whose integers are not the quantizer's", async () => {
    const model = parseModel(text, { seed: 1 });
    const { of } = lower(model, await planned(model, { activations: "uint4" }));
    const r = of("r")!;
    expect(r.quantized!.producer!.op).toBe("QuantizeLinear");
    expect(r.dequantized!.producer!.input(0)!.producer!.op).toBe("Clip");
  });

  test("a constant: integers or narrower floats, and no float any more", async () => {
    const model = parseModel(text, { seed: 1 });
    const int4 = lower(model, await planned(model, { weights: "int4" })).of("v")!;
    expect([int4.float, int4.quantized!.initializer!.dtype, int4.dequantized!.producer!.op]).toEqual([
      undefined,
      "int4",
      "DequantizeLinear",
    ]);
    const half = lower(model, await planned(model, { weights: "float16", activations: "float16" }));
    expect([half.of("v")!.float, half.of("v")!.quantized!.initializer!.dtype]).toEqual([undefined, "float16"]);
    expect(half.of("r")!.quantized!.type).toMatchObject({ dtype: "float16" });
  });
});

describe("layer", () => {
  test("a layer of the model, of a copy with another weight, and each user of a shared weight", async () => {
    const model = parseModel(text, { seed: 1 });
    const { layer } = lower(model, await planned(model));
    for (const one of [model, cloneModel(model)]) {
      const found = matrixLayers(one.graph).map((own) => layer(own));
      expect(found.map(({ nodes }) => nodes.map((node) => node.name))).toEqual([
        ["MatMul_m"],
        ["MatMul_y"],
        ["MatMul_n"],
      ]);
      expect(found.map(({ weight }) => weight.name)).toEqual(["w_quantized", "v_quantized", "w_quantized"]);
    }
  });

  test("a layer that gained a bias is still the same one", async () => {
    const model = parseModel(text, { seed: 1 });
    const { layer } = lower(model, await planned(model));
    const moved = cloneModel(model);
    const product = moved.graph.valuesByName().get("y")!.producer!;
    moved.graph.renameLike(product.output, "y_product");
    const [, second] = matrixLayers(moved.graph);
    expect(layer(second!).nodes[0]!.name).toBe("MatMul_y");
  });

  test("a layer of another model is refused", async () => {
    const model = parseModel(text, { seed: 1 });
    const { layer } = lower(model, await planned(model));
    const other = parseModel(text.replaceAll("float[8,8] v", "float[8,8] u").replace("(r, v)", "(r, u)"), { seed: 1 });
    const detail = { at: "u", hint: expect.stringContaining("a weight of the same name") };
    expect(() => layer(matrixLayers(other.graph)[1]!)).toThrowError(
      expect.objectContaining({ code: "graph/not-found", detail }),
    );
  });
});

test("products: every one in order, those of two activations without a weight, float weights as they are", async () => {
  const model = parseModel(text, { seed: 1 });
  const plan = await planned(model);
  const entries = plan.entries.filter(({ value }) => value !== "v");
  const { products } = lower(model, { ...plan, entries });
  expect(products.map(({ nodes, weight }) => [nodes.map(({ name }) => name), weight?.name])).toEqual([
    [["MatMul_m"], "w_quantized"],
    [["MatMul_y"], "v"],
    [["MatMul_n"], "w_quantized"],
    [["MatMul_s"], undefined],
  ]);
});

describe("a file that is read says the same of its activations and products as the record", () => {
  const convolutions = `<ir_version: 10, opset_import: ["" : 21]>
    f (float[1,8,8,8] x) => (float[1,4] y, float[1,8,8,8] r) <float[8,8,3,3] w, float[8] b, float[8,8,1,1] v, float[8,4] u> {
      c = Conv <pads = [1,1,1,1]> (x, w, b)
      r = Relu(c)
      d = Conv(r, v)
      p = MaxPool <kernel_shape = [2,2], strides = [2,2]> (d)
      g = GlobalAveragePool(p)
      f = Flatten(g)
      y = MatMul(f, u) }`;
  const grids = [
    ["int8", "uint8"],
    ["int4", "uint4"],
    ["int2", "int16"],
    ["float16", "bfloat16"],
    ["int8", "float32"],
  ] as const;
  const cases = grids.flatMap(([weights, activations]) =>
    ["ort-cpu", "aimet-default"].map((target) => ({ weights, activations, target })),
  );

  test.each(cases)("weights $weights, activations $activations, $target", async (options) => {
    for (const one of [text, convolutions]) {
      const model = parseModel(one, { seed: 2 });
      const lowered = lower(model, await planned(model, options));
      const file = readModel(writeModel(lowered.model));
      const read = readShipped(file);
      const names = ({ float, quantized, dequantized }: LoweredValue) =>
        [float, quantized, dequantized].map((v) => v?.name);
      for (const value of model.graph.values()) {
        if (!value.initializer) expect(names(read.of(value.name)!), value.name).toEqual(names(lowered.of(value.name)!));
      }
      const products = (all: readonly LoweredProduct[]) =>
        all.map(({ nodes, weight }) => [...nodes.map(({ name }) => name), weight?.name]);
      expect(products(read.products)).toEqual(products(lowered.products));
    }
  });
});
