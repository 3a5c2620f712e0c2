/**
 * A generated zoo of recurrent layers: float, simulated and shipped outputs in ONNX Runtime, for operator, direction, layout, lengths of
 * samples, clip, activations and inputs that are left out: for each operator all pairs of a direction and what is given, with the other
 * choices spread over them.
 */
import { describe, expect, test } from "vitest";
import { fromIterable, fromTensors } from "../src/data/inner.ts";
import { cloneModel, type Model, parseModel } from "../src/ir/inner.ts";
import { normalise } from "../src/passes/inner.ts";
import { parseRecipe, quantizeModel } from "../src/recipe/inner.ts";
import { openRuntime } from "../src/runtime/inner.ts";
import { type Feeds, Tensor } from "../src/tensor/inner.ts";
import { seededFeeds } from "./same-outputs.ts";
import { signalToNoise } from "./signal-to-noise.ts";

type Op = "LSTM" | "GRU" | "RNN";
const gates = { LSTM: 4, GRU: 3, RNN: 1 };
/** Bounded ones: a Relu over random weights grows without end, and leaves nothing of the inputs that share its scale. */
const functions = { LSTM: ["HardSigmoid", "Softsign", "Tanh"], GRU: ["Sigmoid", "Softsign"], RNN: ["Softsign"] };
const [steps, samples, inputs, hidden] = [7, 3, 12, 8];

interface Form {
  readonly op: Op;
  readonly direction: "forward" | "reverse" | "bidirectional";
  readonly layout: 0 | 1;
  readonly lengths: boolean;
  readonly clip: boolean;
  readonly activations: boolean;
  /** What is given: nothing, the bias, or bias and states (and peepholes). */
  readonly given: "nothing" | "bias" | "everything";
}

const forms: Form[] = (["LSTM", "GRU", "RNN"] as const).flatMap((op) =>
  (["forward", "reverse", "bidirectional"] as const).flatMap((direction, i) =>
    (["nothing", "bias", "everything"] as const).map((given, j) => ({
      op,
      direction,
      given,
      layout: ((i + j) % 2) as 0 | 1,
      lengths: (i * 2 + j) % 3 === 1,
      clip: (i + 2 * j) % 3 === 0,
      activations: (i * j + j) % 2 === 1,
    })),
  ),
);

function modelOf({ op, direction, layout, lengths, clip, activations, given }: Form): Model {
  const directions = direction === "bidirectional" ? 2 : 1;
  const rows = gates[op] * hidden;
  const state = layout === 1 ? `N,${directions},${hidden}` : `${directions},N,${hidden}`;
  const all = given === "everything";
  const isLstm = op === "LSTM";
  const names = [
    "x",
    "w",
    "r",
    given === "nothing" ? '""' : "b",
    lengths ? "n" : '""',
    all ? "h0" : '""',
    all && isLstm ? "c0" : '""',
    all && isLstm ? "p" : '""',
  ].slice(0, isLstm ? 8 : 6);
  const used = activations ? Array(directions).fill(functions[op]).flat() : [];
  const attributes = [
    `hidden_size = ${hidden}`,
    `direction = "${direction}"`,
    ...(layout === 1 ? ["layout = 1"] : []),
    ...(clip ? ["clip = 1.5"] : []),
    ...(used.length > 0 ? [`activations = [${used.map((name) => `"${name}"`).join(", ")}]`] : []),
  ].join(", ");
  const x = layout === 1 ? `N,${steps},${inputs}` : `${steps},N,${inputs}`;
  const outputs = isLstm ? "y, yh, yc" : "y, yh";
  return parseModel(
    `<ir_version: 10, opset_import: ["" : 21]> f (float[${x}] x${lengths ? `, int32[N] n` : ""}${all ? `, float[${state}] h0${isLstm ? `, float[${state}] c0` : ""}` : ""}) => (${outputs})
      <float[${directions},${rows},${inputs}] w, float[${directions},${rows},${hidden}] r, float[${directions},${2 * rows}] b, float[${directions},${3 * hidden}] p>
      { ${outputs} = ${op} <${attributes}> (${names.join(", ")}) }`,
    { seed: 9 },
  );
}

const runtime = await openRuntime("ort-node");

async function outputsOf(model: Model, feeds: Feeds, fuseQdq: boolean): Promise<Feeds> {
  await using session = await runtime.open(model, { fuseQdq });
  return await session.run(feeds);
}

describe.each(forms)(
  "$op $direction layout $layout, lengths $lengths, clip $clip, activations $activations, $given",
  (form) => {
    const model = modelOf(form);
    const seeded = seededFeeds(model, { dims: { N: samples } });
    const feeds = form.lengths ? { ...seeded, n: Tensor.of("int32", [samples], Int32Array.of(7, 4, 1)) } : seeded;
    const axes = Object.fromEntries(
      Object.keys(feeds).map((name) => [name, name === "n" ? 0 : name === "x" ? 1 - form.layout : 1 - form.layout]),
    );

    test.each(["aimet-default", "htp-v73", "ort-cpu"])("for %s", async (target) => {
      const runnable = cloneModel(model);
      await normalise(runnable, { runtime });
      const float = await outputsOf(runnable, feeds, false);
      const data = fromTensors(feeds, { axes });
      const recipe = parseRecipe({ target, preset: "fast", granularity: "channel" });
      const { shipped } = await quantizeModel(model, data, recipe, runtime);
      const operators = [...shipped.graph.nodes].map(({ op }) => op);
      expect(operators).toContain(target === "ort-cpu" && form.op === "LSTM" ? "DynamicQuantizeLSTM" : form.op);
      // What has no integer kernel has its weights as integers in the file.
      if (target === "ort-cpu" && form.op !== "LSTM") expect(operators.filter((op) => op === "Cast")).toHaveLength(2);
      const [simulated, stock] = [await outputsOf(shipped, feeds, false), await outputsOf(shipped, feeds, true)];
      expect(Object.keys(stock)).toEqual(Object.keys(float));
      for (const [name, { shape }] of Object.entries(float)) {
        expect(stock[name]!.shape).toEqual(shape);
        // Eight bits of weights and of activations: 0.4 % of the range each, seven steps deep.
        expect(signalToNoise(float[name]!.floats(), stock[name]!.floats()), name).toBeGreaterThan(25);
        // The same integers; products of float32 are summed in another order.
        expect(signalToNoise(simulated[name]!.floats(), stock[name]!.floats()), name).toBeGreaterThan(60);
      }
    });
  },
);

describe("sequences of their own lengths", () => {
  const net = (lengths: string) =>
    parseModel(
      `<ir_version: 10, opset_import: ["" : 21]> f (float[T,N,12] x${lengths ? ", int32[N] n" : ""}) => (y, yh) <float[1,32,12] w, float[1,32,8] r, float[1,64] b>
        { y, yh = LSTM <hidden_size = 8> (x, w, r, b${lengths}) }`,
      { seed: 9 },
    );
  const piece = (length: number, count: number) => ({
    x: Tensor.float32(
      [length, count, 12],
      Array.from({ length: length * count * 12 }, (_, i) => Math.sin(i)),
    ),
  });
  const recipe = (preset: string) => parseRecipe({ target: "aimet-default", preset });

  test.each(["fast", "standard"])("pieces that differ in length calibrate one by one (%s)", async (preset) => {
    const data = fromIterable(() => [5, 9, 3].map((length) => piece(length, 1)), { axes: { x: 1 } });
    const { plan } = await quantizeModel(net(""), data, recipe(preset), runtime);
    expect(plan.entries.every(({ encoding }) => encoding)).toBe(true);
  });

  test.each([[[9, 1, 2]], [[-1, 1, 2]]])("sequence_lens %j of 7 steps are refused", async (lengths) => {
    const feeds = { ...piece(7, 3), n: Tensor.of("int32", [3], Int32Array.from(lengths)) };
    const run = quantizeModel(net(", n"), fromTensors(feeds, { axes: { x: 1, n: 0 } }), recipe("fast"), runtime);
    await expect(run).rejects.toMatchObject({ code: "runtime/run", message: expect.stringMatching(/sequence_lens/) });
  });
});
