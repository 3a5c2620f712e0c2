/**
 * Language models with weights of four bits: cross-entropy of float, of rounding to nearest and of methods, on the same text and in the same
 * form. Run `npm run build` first, then one variant a run (a run that is killed goes on where it was, from --checkpoint):
 *
 *   node bench/language.mjs --model M.gguf --calibration "valid.npy?length=512&first=4" --judged "test.npy?length=512&first=1" \
 *     --methods gptq [--weights int4] [--block 32] [--scheme minmax] [--float ID,ID] [--grids '[…]'] [--checkpoint DIR] [--write OUT.onnx]
 *
 * `--methods none` rounds to nearest; `--other float` judges the model as it is, `--other FILE` any other ONNX file. Rows are printed, and
 * gathered in bench/results/language.md with the commands that made them.
 */
import { evaluate, metricNamed } from "../dist/analysis/inner.js";
import { openData } from "../dist/data/inner-node.js";
import { prepared, readFlags } from "./weight-only.mjs";

const flags = readFlags({ batch: { type: "string", default: "1" } });
const { judged, runtime, open, name, megabytes, seconds } = await prepared(flags, (what, inputs) =>
  openData(what, { inputs }),
);
const session = await runtime.open(judged, { threads: Number(flags.threads) });
const { value, samples } = await evaluate(session, await open(flags.judged), metricNamed("cross-entropy", "none"), {
  batch: 1,
});
await session[Symbol.asyncDispose]();
const peak = (process.resourceUsage().maxRSS / 1000).toFixed(0);
console.log(
  `| ${name} | ${flags.weights} | ${flags.block} | ${value.toFixed(4)} | ${Math.exp(value).toFixed(2)} | ${samples} | ${megabytes} | ${seconds} | ${peak} |`,
);
