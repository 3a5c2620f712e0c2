/** Recomputation: the same gradients, bit for bit, from fewer bytes that wait. */
import { describe, expect, test } from "vitest";
import { Random } from "../base/inner.ts";
import { type Model, parseModel, type Value } from "../ir/inner.ts";
import { openRuntime, traceShapes } from "../runtime/inner.ts";
import { type Feeds, Tensor } from "../tensor/inner.ts";
import { gradientModel, seedPrefix } from "./differentiate.ts";
import { planRecomputation } from "./recompute-plan.ts";

/** Blocks of a convolution, a batch norm and an activation, with a sum around every second one. */
function chain(blocks: number, channels = 4, side = 8): Model {
  const lines: string[] = [];
  const constants: string[] = [];
  let x = "x";
  for (let i = 0; i < blocks; i++) {
    constants.push(`float[${channels},${channels},3,3] w${i}`);
    for (const name of ["g", "b", "m", "v"]) constants.push(`float[${channels}] ${name}${i}`);
    lines.push(`c${i} = Conv <pads = [1,1,1,1]> (${x}, w${i})`);
    lines.push(`n${i} = BatchNormalization(c${i}, g${i}, b${i}, m${i}, v${i})`);
    lines.push(`r${i} = Relu(n${i})`);
    if (i % 2 === 1) lines.push(`s${i} = Add(r${i}, r${i - 1})`);
    x = i % 2 === 1 ? `s${i}` : `r${i}`;
  }
  const inputs = [`float[2,${channels},${side},${side}] x`, ...constants].join(", ");
  return parseModel(`<ir_version: 10, opset_import: ["" : 21]>
    f (${inputs}) => (float[2,${channels},1,1] y) { ${lines.join("\n")} y = GlobalAveragePool(${x}) }`);
}

function feedsOf(model: Model): Record<string, Tensor> {
  const random = new Random(7);
  return Object.fromEntries(
    model.graph.inputs.map(({ name, type }) => {
      const shape = (type?.kind === "tensor" ? type.shape : null) as number[];
      const size = shape.reduce((a, b) => a * b, 1);
      const number = () => (name.startsWith("v") ? random.uniform(0.5, 1.5) : random.normal() * 0.4);
      return [name, Tensor.float32(shape, Float32Array.from({ length: size }, number))];
    }),
  );
}

async function gradients(model: Model, feeds: Feeds, memory?: number) {
  const runtime = await openRuntime();
  const types = await traceShapes(model, runtime, feeds);
  const wrt = Object.keys(feeds);
  const built = gradientModel(model, wrt, { types, outputs: ["y"], ...(memory === undefined ? {} : { memory }) });
  const seed = Tensor.float32([2, 4, 1, 1], [1, -2, 3, -4, 0.5, 2, -1, 1]);
  await using session = await runtime.open(built);
  const results = await session.run({ ...feeds, [`${seedPrefix}y`]: seed });
  return {
    results,
    nodes: built.graph.nodeCount,
    convs: [...built.graph.nodes].filter(({ op }) => op === "Conv").length,
  };
}

describe("recompute", () => {
  const model = chain(24);
  const feeds = feedsOf(model);

  test.each([
    ["values that cost no products", 60_000],
    ["whole segments", 38_000],
    ["as far as it goes", 0],
  ])("%s: gradients are equal bit for bit", async (what, memory) => {
    const plain = await gradients(model, feeds);
    const less = await gradients(model, feeds, memory);
    expect(less.nodes).toBeGreaterThan(plain.nodes);
    // Light values leave convolutions alone.
    expect(less.convs > plain.convs).toBe(what !== "values that cost no products");
    for (const [name, tensor] of Object.entries(plain.results)) {
      expect(less.results[name]!.numbers(), name).toEqual(tensor.numbers());
    }
  });

  test("running statistics are renewed once", async () => {
    const inputs = ["g", "b", "m", "v"].map((name) => `float[4] ${name}`).join(", ");
    const trained = parseModel(`<ir_version: 10, opset_import: ["" : 21]>
      f (float[2,4,8,8] x, float[4,4,3,3] w, ${inputs}) => (float[2,4,1,1] y, float[4] nm, float[4] nv) {
        c = Conv <pads = [1,1,1,1]> (x, w)
        n, nm, nv = BatchNormalization <training_mode = 1> (c, g, b, m, v)
        r = Relu(n)
        d = Conv <pads = [1,1,1,1]> (r, w)
        y = GlobalAveragePool(d) }`);
    // ONNX Runtime writes the new statistics over those that were fed.
    const plain = await gradients(trained, feedsOf(trained));
    const less = await gradients(trained, feedsOf(trained), 0);
    expect(less.nodes).toBeGreaterThan(plain.nodes);
    for (const [name, tensor] of Object.entries(plain.results)) {
      expect(less.results[name]!.numbers(), name).toEqual(tensor.numbers());
    }
  });

  test("within the budget nothing is changed", async () => {
    const plain = await gradients(model, feeds);
    expect((await gradients(model, feeds, 1e9)).nodes).toBe(plain.nodes);
  });

  test("nodes that draw numbers are not repeated", async () => {
    const random = parseModel(`<ir_version: 10, opset_import: ["" : 21]>
      f (float[64] x) => (float[64] y) <float r = {0.5}, bool t = {1}> {
        a, m = Dropout(x, r, t)
        b = Mul(a, a)
        y = Mul(b, b) }`);
    const { graph } = random;
    const types = await traceShapes(random, await openRuntime(), { x: Tensor.float32([64], new Float32Array(64)) });
    const forward = [...graph.nodes];
    const byName = graph.valuesByName();
    for (const name of ["a", "m", "b"]) read(random, byName.get(name)!);
    const { segments } = planRecomputation(graph, forward, types, 0);
    expect(segments.flatMap(({ dropped }) => dropped.map(({ name }) => name))).toEqual(["b"]);
  });
});

/** A reader after the forward pass. */
function read({ graph }: Model, value: Value): void {
  graph.insert({ op: "Identity", inputs: [value], outputs: ["after"] });
}
