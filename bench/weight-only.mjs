/** What bench/language.mjs and bench/embedding.mjs share: a model, and the weight-only form that its flags ask for. */
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { writeModel } from "../dist/formats/inner.js";
import { openModel } from "../dist/formats/inner-node.js";
import { parseRecipe, quantizeModel } from "../dist/recipe/inner.js";
import { inputPorts, openRuntime } from "../dist/runtime/inner.js";

/** The flags of both; `own` are those of one alone. */
export function readFlags(own = {}) {
  return parseArgs({
    options: {
      model: { type: "string" },
      other: { type: "string" },
      calibration: { type: "string" },
      judged: { type: "string" },
      methods: { type: "string", default: "none" },
      weights: { type: "string", default: "int4" },
      block: { type: "string", default: "32" },
      scheme: { type: "string", default: "minmax" },
      grids: { type: "string" },
      float: { type: "string" },
      checkpoint: { type: "string" },
      write: { type: "string" },
      batch: { type: "string" },
      threads: { type: "string", default: "2" },
      ...own,
    },
  }).values;
}

/**
 * The model of --model, and what is judged: that of --other (as it is, or "float" for the model itself), or --model with the weights that the
 * flags name. `dataOf` opens a text or tokens for the model's inputs.
 */
export async function prepared(flags, dataOf) {
  const model = await openModel(flags.model);
  const runtime = await openRuntime("ort-node");
  const open = (what) => dataOf(what, inputPorts(model));
  const started = performance.now();
  const file = flags.other === "float" ? flags.model : flags.other;
  const judged = file ? await openModel(file) : await quantized(model, await open(flags.calibration), flags, runtime);
  const seconds = (performance.now() - started) / 1000;
  const bytes = file ? statSync(file).size : writeModel(judged).length;
  if (flags.write) writeFileSync(flags.write, writeModel(judged));
  const name = flags.other ?? flags.methods;
  return { model, judged, runtime, open, name, megabytes: (bytes / 1e6).toFixed(2), seconds: seconds.toFixed(0) };
}

async function quantized(model, data, flags, runtime) {
  const recipe = parseRecipe({
    form: "weight-only",
    weights: flags.weights,
    granularity: `block:${flags.block}`,
    calibration: flags.scheme,
    methods: flags.methods === "none" ? [] : flags.methods.split(",").map((method) => ({ method })),
    ...(flags.batch ? { batch: Number(flags.batch) } : {}),
    ...(flags.float ? { float: flags.float.split(",") } : {}),
    ...(flags.grids ? { grids: JSON.parse(flags.grids) } : {}),
  });
  const checkpoint = flags.checkpoint ? folder(flags.checkpoint) : undefined;
  let last = 0;
  const onProgress = ({ step, done, total, detail }) => {
    if (performance.now() - last < 10_000) return;
    last = performance.now();
    console.error(`${step} ${done}/${total ?? "?"} ${detail ?? ""}`);
  };
  const options = { threads: Number(flags.threads), onProgress, ...(checkpoint ? { checkpoint } : {}) };
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
