/**
 * Where the noise of a quantized network comes from: `node bench/ptq-layers.mjs TASK RECIPE [SAMPLES [shifts]]` prints the SQNR of
 * the outputs with every weight and every activation quantized alone, lowest first. Biases are corrected for each weight, so that
 * what is told is noise and not a shift of the mean; with `shifts` they stay.
 */
import { readFileSync } from "node:fs";
import { compareValues } from "../dist/analysis/inner.js";
import { samples } from "../dist/data/inner.js";
import { parsePreprocess } from "../dist/data/inner-files.js";
import { openData } from "../dist/data/inner-node.js";
import { readModelFile } from "../dist/formats/inner-node.js";
import { cloneModel } from "../dist/ir/inner.js";
import { correctBiases } from "../dist/methods/inner.js";
import { normalise } from "../dist/passes/inner.js";
import { counterparts, lower } from "../dist/quant/inner.js";
import { parseRecipe, quantizeModel } from "../dist/recipe/inner.js";
import { openRuntime } from "../dist/runtime/inner.js";
import { tasks } from "./ptq-tasks.mjs";

const [name, recipe, count = "32", shifts] = process.argv.slice(2);
const task = tasks().find((one) => one.name === name);
if (!task) throw new Error(`no task ${name}: ${tasks().map((one) => one.name)}`);
const model = readModelFile(task.model);
const inputs = model.graph.inputs.map(({ name, type }) => ({ name, dtype: type.dtype, shape: type.shape }));
const preprocess = parsePreprocess(JSON.parse(readFileSync(task.preprocess, "utf8")));
const data = await openData(task.data, { inputs, preprocess });
const few = samples(data, Number(count));
const runtime = await openRuntime();
const { prepared, plan, target } = await quantizeModel(model, data, parseRecipe(JSON.parse(recipe)), runtime);
const reference = cloneModel(model);
await normalise(reference, { runtime });
const output = model.graph.outputs[0].name;

const lines = [{ what: "everything", sqnr: await corrected(() => true) }];
for (const { kind, value, sharesEncodingOf } of plan.entries) {
  if (kind === "bias" || sharesEncodingOf) continue;
  const only = (entry) => entry.value === value || (kind === "activation" && entry.sharesEncodingOf === value);
  lines.push({ what: `${kind} ${value}`, sqnr: await (kind === "weight" ? corrected : judged)(only) });
}
for (const { what, sqnr } of lines.sort((a, b) => a.sqnr - b.sqnr).slice(0, 20)) console.log(sqnr.toFixed(1), what);

async function corrected(keep) {
  if (shifts) return await judged(keep);
  const context = { runtime, data: few, target };
  const part = { ...plan, entries: plan.entries.filter((entry) => keep(entry)) };
  const { model, plan: solved } = await correctBiases(prepared, part, context);
  return await sqnrOf(lower(model, solved));
}

async function judged(keep) {
  return await sqnrOf(lower(prepared, { ...plan, entries: plan.entries.filter(keep) }));
}

async function sqnrOf(lowered) {
  const pairs = counterparts([output], lowered);
  const [found] = await compareValues(reference, lowered.model, pairs, runtime, few);
  return found.sqnr;
}
