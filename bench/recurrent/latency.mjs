/** Milliseconds and bytes of one LSTM in each form, float beside it in one run, in Node and in WebAssembly, one thread. */
import { fromTensors } from "../../dist/data/inner.js";
import { writeModel } from "../../dist/formats/inner.js";
import { cloneModel, parseModel } from "../../dist/ir/inner.js";
import { foldConstants, runPass, unrollRecurrent } from "../../dist/passes/inner.js";
import { parseRecipe, quantizeModel } from "../../dist/recipe/inner.js";
import { openRuntime } from "../../dist/runtime/inner.js";
import { Tensor } from "../../dist/tensor/inner.js";

const sizes = [
  { name: "a step, 257 → 128", steps: 1, inputs: 257, hidden: 128, directions: 1 },
  { name: "20 steps, 128 → 128", steps: 20, inputs: 128, hidden: 128, directions: 1 },
  { name: "199 steps, 256 → 2 · 256", steps: 199, inputs: 256, hidden: 256, directions: 2 },
];

export async function latency() {
  const node = await openRuntime("ort-node");
  const runtimes = { node, wasm: await openRuntime("ort-web") };
  console.log("| LSTM | form | bytes | node ms | wasm ms |\n| --- | --- | --- | --- | --- |");
  for (const { name, steps, inputs, hidden, directions } of sizes) {
    const rows = 4 * hidden;
    const float = parseModel(
      `<ir_version: 10, opset_import: ["" : 21]> f (float[${steps},N,${inputs}] x) => (y) <float[${directions},${rows},${inputs}] w, float[${directions},${rows},${hidden}] r, float[${directions},${2 * rows}] b>
        { y = LSTM <hidden_size = ${hidden}, direction = "${directions === 2 ? "bidirectional" : "forward"}"> (x, w, r, b) }`,
      { seed: 3 },
    );
    const count = 16;
    const x = Tensor.float32(
      [steps, count, inputs],
      Float32Array.from({ length: steps * count * inputs }, (_, i) => Math.sin(i * 1.7) + Math.sin(i * 0.3)),
    );
    const data = fromTensors({ x }, { axes: { x: 1 } });
    const quantized = async (model, recipe) =>
      (await quantizeModel(model, data, parseRecipe({ preset: "fast", ...recipe }), node)).shipped;
    const forms = {
      float,
      DynamicQuantizeLSTM: await quantized(float, { target: "ort-cpu" }),
      "Q/DQ around LSTM": await quantized(float, { target: "aimet-default" }),
    };
    if (steps <= 20) {
      const unrolled = cloneModel(float);
      await runPass(unrolled, unrollRecurrent());
      await runPass(unrolled, foldConstants(node));
      forms["unrolled, int8"] = await quantized(unrolled, { target: "ort-cpu" });
    }
    const one = Tensor.float32([steps, 1, inputs], x.floats().slice(0, steps * inputs));
    const times = {};
    for (const [where, runtime] of Object.entries(runtimes)) {
      const sessions = {};
      for (const [form, model] of Object.entries(forms)) sessions[form] = await runtime.open(model, { threads: 1 });
      for (let round = 0; round < 60; round++)
        for (const [form, session] of Object.entries(sessions)) {
          const start = performance.now();
          await session.run({ x: one });
          if (round >= 10) {
            times[`${form} ${where}`] ??= [];
            times[`${form} ${where}`].push(performance.now() - start);
          }
        }
    }
    const median = (values) => values.sort((a, b) => a - b)[values.length >> 1].toFixed(3);
    for (const [form, model] of Object.entries(forms))
      console.log(
        `| ${name} | ${form} | ${writeModel(model).length} | ${median(times[`${form} node`])} | ${median(times[`${form} wasm`])} |`,
      );
  }
}
