/**
 * Language models with weights of four bits: cross-entropy of float, of rounding to nearest and of methods, on the same text and in the same
 * form. Run `npm run build` first, then one variant a run (a run that is killed goes on where it was, from --checkpoint):
 *
 *   node bench/language.mjs --model M.gguf --calibration "valid.npy?length=512&first=4" --judged "test.npy?length=512&first=1" \
 *     --methods gptq [--bits 4] [--block 32] [--float ID,ID] [--checkpoint DIR] [--write OUT.onnx] [--threads 2]
 *
 * `--methods float` judges the model as it is (any ONNX file, too),
 * `--methods none` rounds to nearest. Rows are printed, and gathered in bench/results/language.md with the commands that made them.
 */
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { evaluate, metricNamed } from "../dist/analysis/inner.js";
import { openData } from "../dist/data/inner-node.js";
import { writeModel } from "../dist/formats/inner.js";
import { openModel } from "../dist/formats/inner-node.js";
import { parseRecipe, quantizeModel } from "../dist/recipe/inner.js";
import { inputPorts, openRuntime } from "../dist/runtime/inner.js";

const { values: flags } = parseArgs({
  options: {
    model: { type: "string" },
    calibration: { type: "string" },
    judged: { type: "string" },
    methods: { type: "string", default: "none" },
    bits: { type: "string", default: "4" },
    block: { type: "string", default: "32" },
    calibrationScheme: { type: "string", default: "minmax" },
    float: { type: "string" },
    checkpoint: { type: "string" },
    write: { type: "string" },
    threads: { type: "string", default: "2" },
  },
});
const threads = Number(flags.threads);
const model = await openModel(flags.model);
const inputs = inputPorts(model);
const runtime = await openRuntime("ort-node");
const judged = await openData(flags.judged, { inputs });
const started = performance.now();
const shipped = flags.methods === "float" ? model : await quantized();
const seconds = (performance.now() - started) / 1000;
const bytes = flags.methods === "float" ? statSync(flags.model).size : writeModel(shipped).length;
if (flags.write) writeFileSync(flags.write, writeModel(shipped));
const session = await runtime.open(shipped, { threads });
const { value, samples } = await evaluate(session, judged, metricNamed("cross-entropy", "none"), { batch: 1 });
await session[Symbol.asyncDispose]();
const peak = process.resourceUsage().maxRSS / 1000;
console.log(
  `| ${flags.methods} | ${flags.bits} | ${flags.block} | ${value.toFixed(4)} | ${Math.exp(value).toFixed(2)} | ${samples} | ${(bytes / 1e6).toFixed(1)} | ${seconds.toFixed(0)} | ${peak.toFixed(0)} |`,
);

async function quantized() {
  const steps =
    flags.methods === "none"
      ? []
      : flags.methods
          .split(",")
          .map((method) => JSON.parse(method.startsWith("{") ? method : `{"method":"${method}"}`));
  const recipe = parseRecipe({
    form: "weight-only",
    weights: `int${flags.bits}`,
    granularity: `block:${flags.block}`,
    calibration: flags.calibrationScheme,
    batch: 1,
    methods: steps,
    ...(flags.float ? { float: flags.float.split(",") } : {}),
  });
  const data = await openData(flags.calibration, { inputs });
  const checkpoint = flags.checkpoint ? folder(flags.checkpoint) : undefined;
  let last = 0;
  const onProgress = ({ step, done, total, detail }) => {
    if (performance.now() - last < 10_000) return;
    last = performance.now();
    console.error(`${step} ${done}/${total ?? "?"} ${detail ?? ""}`);
  };
  const options = { threads, onProgress, ...(checkpoint ? { checkpoint } : {}) };
  return (await quantizeModel(model, data, recipe, runtime, options)).shipped;
}

/** What is finished, as files: the run that made them must be the same. */
function folder(path) {
  mkdirSync(path, { recursive: true });
  const file = (key) => join(path, `${key.replaceAll("/", "+")}.bin`);
  return {
    load: async (key) => (existsSync(file(key)) ? new Uint8Array(readFileSync(file(key))) : undefined),
    save: async (key, bytes) => writeFileSync(file(key), bytes),
  };
}
