/** Blocks of transformers as data, found in graphs of several makers. */
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { fixture, missing } from "../../../test/fixtures.ts";
import { transformerNet } from "../../../test/transformer-net.ts";
import { LengthTable } from "../../facts/inner.ts";
import { openModel } from "../../formats/inner-node.ts";
import { addNode, type Model } from "../../ir/inner.ts";
import { describeTransformer, transformersOf } from "./topology.ts";

const found = (model: Model) => transformersOf(model.graph, new LengthTable(model));

describe("an encoder of two blocks", () => {
  test("has its layers by name, in the order of the graph", () => {
    const [only, ...others] = found(transformerNet());
    expect(others).toEqual([]);
    expect(only).toMatchObject({ width: 12, norm: "rms", tables: ["table"], heads: ["logits"] });
    expect(only!.blocks).toEqual([
      {
        kind: "attention",
        inputs: ["q0_p", "k0_p", "v0_p"],
        output: "w0_p",
        heads: { queries: 2, values: 2, size: 6 },
        hidden: 12,
      },
      { kind: "mlp", inputs: ["up0_p"], output: "d0_p", heads: null, hidden: 24 },
      {
        kind: "attention",
        inputs: ["q1_p", "k1_p", "v1_p"],
        output: "w1_p",
        heads: { queries: 2, values: 2, size: 6 },
        hidden: 12,
      },
      { kind: "mlp", inputs: ["up1_p"], output: "d1_p", heads: null, hidden: 24 },
    ]);
    expect(describeTransformer(only!)).toBe(
      "12 channels, RMS normalization, 2 × attention (2 heads of 6), 2 × MLP of 24, table table, head logits",
    );
  });

  test("keeps attention whose heads cannot be told apart", () => {
    const [only] = found(transformerNet({ joined: true, norm: "layer" }));
    expect(only!.norm).toBe("layer");
    expect(only!.blocks.map(({ kind, inputs, heads }) => [kind, inputs.length, heads])).toEqual([
      ["attention", 1, null],
      ["mlp", 1, null],
      ["attention", 1, null],
      ["mlp", 1, null],
    ]);
  });

  test("is found though masks are sums of themselves, a thousand deep", () => {
    const net = transformerNet({ blocks: 1 });
    const { graph } = net;
    const softmax = [...graph.nodes].find(({ op }) => op === "Softmax")!;
    let sum = softmax.input(0)!;
    for (let i = 0; i < 1000; i++) sum = addNode(graph, "Add", [sum, sum], {}, { place: { before: softmax } }).output;
    graph.setInput(softmax, 0, sum);
    expect(found(net)[0]!.blocks.map(({ kind }) => kind)).toEqual(["attention", "mlp"]);
  });

  test("with normalizations behind additions has no stream", () => {
    expect(found(transformerNet({ order: "post" }))).toEqual([]);
  });
});

test("a decoder shares heads of values", async () => {
  const golden = join(import.meta.dirname, "../../formats/decoder/golden/llama/config.json");
  const [only] = found(await openModel(golden));
  const heads = new Set(only!.blocks.flatMap(({ heads }) => (heads ? [heads.queries / heads.values] : [])));
  expect([...heads]).toEqual([2]);
  expect(only!.blocks.map(({ kind }) => kind)).toEqual(["attention", "mlp", "attention", "mlp"]);
  expect(only!.blocks.map(({ inputs }) => inputs.length)).toEqual([3, 2, 3, 2]);
});

describe.each([
  "llama-stories260k/stories260k_T256.onnx",
  "llama-stories260k/stories260k_T256_dynamo.onnx",
  "llama-stories260k/stories260k_T256.pt2",
])("%s", (path) => {
  test.skipIf(missing(path))("has five blocks of four heads of values for eight of queries", async () => {
    const [only] = found(await openModel(fixture(path)));
    expect(describeTransformer(only!)).toMatch(
      /^64 channels, RMS normalization, 5 × attention \(8 heads of 8, 4 of values\), 5 × MLP of 172, table emb.weight, head /,
    );
  });
});
