/**
 * An encoder of sentences (all-MiniLM-L6-v2) with weights of four bits, its embedding table too: bytes, and the cosine of the mean-pooled
 * vectors to those of float. Run `npm run build` first; text needs @huggingface/tokenizers. bench/peers/minilm_onnx.py makes the model.
 *
 *   node bench/embedding.mjs --model model.onnx --tokenizer tokenizer.json --calibration valid.txt --judged test.txt [--methods gptq]
 *     [--weights uint4] [--scheme sqnr] [--grids '[{"match":"…","weights":"int8"}]'] [--lines 200] [--write OUT.onnx]
 */
import { statSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { samples } from "../dist/data/inner.js";
import { openData } from "../dist/data/inner-node.js";
import { writeModel } from "../dist/formats/inner.js";
import { openModel } from "../dist/formats/inner-node.js";
import { parseRecipe, quantizeModel } from "../dist/recipe/inner.js";
import { inputPorts, openRuntime } from "../dist/runtime/inner.js";
import { pooledCosines } from "./embedding-cosines.mjs";

const { values: flags } = parseArgs({
  options: {
    model: { type: "string" },
    other: { type: "string" },
    tokenizer: { type: "string" },
    calibration: { type: "string" },
    judged: { type: "string" },
    methods: { type: "string", default: "none" },
    weights: { type: "string", default: "int4" },
    scheme: { type: "string", default: "sqnr" },
    grids: { type: "string" },
    lines: { type: "string", default: "200" },
    write: { type: "string" },
    threads: { type: "string", default: "2" },
  },
});
const threads = Number(flags.threads);
const model = await openModel(flags.model);
const inputs = inputPorts(model);
const runtime = await openRuntime("ort-node");
const linesOf = async (path, count) =>
  samples(await openData(`${path}?tokenizer=${flags.tokenizer}&lines=yes&length=64`, { inputs }), count);
const started = performance.now();
const shipped = flags.other ? await openModel(flags.other) : await quantized();
const seconds = (performance.now() - started) / 1000;
const bytes = flags.other ? statSync(flags.other).size : writeModel(shipped).length;
if (flags.write) writeFileSync(flags.write, writeModel(shipped));
const [float, narrow] = [await runtime.open(model, { threads }), await runtime.open(shipped, { threads })];
const judged = await linesOf(flags.judged, Number(flags.lines));
const cosines = await pooledCosines(float, narrow, judged);
await float[Symbol.asyncDispose]();
await narrow[Symbol.asyncDispose]();
const mean = cosines.reduce((sum, x) => sum + x, 0) / cosines.length;
console.log(
  `| ${flags.other ?? flags.methods} | ${flags.weights} | ${mean.toFixed(4)} | ${Math.min(...cosines).toFixed(4)} | ${cosines.length} | ${(bytes / 1e6).toFixed(2)} | ${seconds.toFixed(0)} |`,
);

async function quantized() {
  const steps = flags.methods === "none" ? [] : flags.methods.split(",").map((method) => ({ method }));
  const grids = flags.grids ? { grids: JSON.parse(flags.grids) } : {};
  const form = { form: "weight-only", weights: flags.weights, granularity: "block:32", calibration: flags.scheme };
  const recipe = parseRecipe({ ...form, methods: steps, ...grids });
  return (await quantizeModel(model, await linesOf(flags.calibration, 200), recipe, runtime, { threads })).shipped;
}
