/** Ranges of recurrent layers: what ONNX Runtime computes on extreme inputs lies within, and what is not bounded is not claimed. */
import { expect, test } from "vitest";
import { seededFeeds } from "../../../test/same-outputs.ts";
import { parseModel } from "../../ir/inner.ts";
import { openRuntime, traceShapes } from "../../runtime/inner.ts";
import { between } from "./expectation.ts";
import { expectations } from "./propagate.ts";

const runtime = await openRuntime("ort-node");
const gates = { LSTM: 4, GRU: 3, RNN: 1 } as const;

/** Six steps of a layer with weights so large that gates are open or shut. */
async function ranges(op: keyof typeof gates, attributes: string, outputs: string, known = true) {
  const rows = gates[op] * 5;
  const model = parseModel(
    `<ir_version: 8, opset_import: ["": 17]> g (float[6,3,4] x) => (float y) <float[1,${rows},4] w, float[1,${rows},5] r>
     { ${outputs} = ${op} <hidden_size = 5${attributes}> (x, w, r) y = Identity (o) }`,
    { seed: 3 },
  );
  for (const value of model.graph.initializers) {
    const data = value.initializer!.floats();
    for (let i = 0; i < data.length; i++) data[i] = data[i]! * 4;
  }
  const feeds = seededFeeds(model);
  const shapes = await traceShapes(model, runtime, feeds);
  const found = expectations(model.graph, { shapes, inputs: known ? new Map([["x", between(-9, 9)]]) : new Map() });
  const expected = found.of.get(model.graph.outputs[0]!);
  await using session = await runtime.open(model);
  const made = (await session.run(feeds)).y!.floats();
  return { expected, low: Math.min(...made), high: Math.max(...made) };
}

test.each([
  ["LSTM", "", "o, h, c", [-1, 1]],
  ["LSTM", "", "s, h, o", [-6, 6]],
  ["LSTM", ', activations = ["Sigmoid", "Relu", "Tanh"], clip = 2.0', "s, h, o", [0, (6 * 2) / (1 + Math.exp(-2))]],
  ["LSTM", ', activations = ["HardSigmoid", "Tanh", "Softsign"]', "o, h, c", [-1, 1]],
  [
    "LSTM",
    ', activations = ["Sigmoid", "ScaledTanh", "Tanh"], activation_alpha = [1.7], activation_beta = [0.6]',
    "s, h, o",
    [-10.2, 10.2],
  ],
  ["GRU", "", "o, h", [-1, 1]],
  ["GRU", ', activations = ["Sigmoid", "Relu"], clip = 3.0', "o, h", [0, 3]],
  ["RNN", "", "o, h", [-1, 1]],
  ["RNN", ', activations = ["Relu"], clip = 2.5', "o, h", [0, 2.5]],
] as const)("%s%s: %s", async (op, attributes, outputs, [low, high]) => {
  const { expected, ...seen } = await ranges(op, attributes, outputs);
  expect(expected!.low[0]).toBeCloseTo(low, 6);
  expect(expected!.high[0]).toBeCloseTo(high, 6);
  expect(seen.low).toBeGreaterThanOrEqual(low - 1e-5);
  expect(seen.high).toBeLessThanOrEqual(high + 1e-5);
});

test("a cell goes beyond one, and a Relu without a clip has no end", async () => {
  expect((await ranges("LSTM", "", "s, h, o")).high).toBeGreaterThan(1);
  expect((await ranges("RNN", ', activations = ["Relu"]', "o, h")).expected).toBeUndefined();
  expect((await ranges("LSTM", ', activations = ["Sigmoid", "Relu", "Tanh"]', "s, h, o")).expected).toBeUndefined();
});
