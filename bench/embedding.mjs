/**
 * An encoder of sentences (all-MiniLM-L6-v2) with weights of four bits, its embedding table too: bytes, and the cosine of the mean-pooled
 * vectors to those of float. Run `npm run build` first; text needs @huggingface/tokenizers. bench/peers/minilm_onnx.py makes the model.
 *
 *   node bench/embedding.mjs --model model.onnx --tokenizer tokenizer.json --calibration valid.txt --judged test.txt [--methods gptq]
 *     [--weights uint4] [--scheme sqnr] [--grids '[{"match":"…","weights":"int8"}]'] [--lines 200] [--other FILE.onnx] [--write OUT.onnx]
 */
import { samples } from "../dist/data/inner.js";
import { openData } from "../dist/data/inner-node.js";
import { pooledCosines } from "./embedding-cosines.mjs";
import { prepared, readFlags } from "./weight-only.mjs";

const flags = readFlags({
  tokenizer: { type: "string" },
  scheme: { type: "string", default: "sqnr" },
  lines: { type: "string", default: "200" },
});
const calibrationLines = 200;
const { model, judged, runtime, open, name, megabytes, seconds } = await prepared(flags, async (path, inputs) => {
  const lines = path === flags.judged ? Number(flags.lines) : calibrationLines;
  return samples(await openData(`${path}?tokenizer=${flags.tokenizer}&lines=yes&length=64`, { inputs }), lines);
});
const threads = Number(flags.threads);
const [float, narrow] = [await runtime.open(model, { threads }), await runtime.open(judged, { threads })];
const cosines = await pooledCosines(float, narrow, await open(flags.judged));
await float[Symbol.asyncDispose]();
await narrow[Symbol.asyncDispose]();
const mean = cosines.reduce((sum, x) => sum + x, 0) / cosines.length;
console.log(
  `| ${name} | ${flags.weights} | ${mean.toFixed(4)} | ${Math.min(...cosines).toFixed(4)} | ${cosines.length} | ${megabytes} | ${seconds} |`,
);
