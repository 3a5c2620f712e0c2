// One quantization of bench/builds.mjs with the build of a folder: node bench/builds-ptq.mjs FOLDER TASK RECIPE → seconds of processor time.
import { readFileSync } from "node:fs";
import { partsOf } from "./builds-parts.mjs";
import { tasks } from "./ptq-tasks.mjs";

const [folder, name, recipe] = process.argv.slice(2);
const { openData, parsePreprocess } = await partsOf(folder, "data");
const { readModelFile } = await partsOf(folder, "formats");
const { parseRecipe, quantizeModel } = await partsOf(folder, "recipe");
const { openRuntime } = await partsOf(folder, "runtime");

const task = tasks().find((one) => one.name === name);
if (!task) throw new Error(`no task ${name}: ${tasks().map((one) => one.name)}`);
const model = readModelFile(task.model);
const inputs = model.graph.inputs.map(({ name, type }) => ({ name, dtype: type.dtype, shape: type.shape }));
const preprocess = parsePreprocess(JSON.parse(readFileSync(task.preprocess, "utf8")));
const data = await openData(task.data, { inputs, preprocess, cacheBytes: 2e9 });
// The data is decoded before the clock starts: what is measured is quantization.
for await (const batch of data.batches(50)) void batch;
const before = process.cpuUsage();
await quantizeModel(model, data, parseRecipe(JSON.parse(recipe)), await openRuntime(), { threads: 1 });
const { user, system } = process.cpuUsage(before);
console.log(JSON.stringify({ value: (user + system) / 1e6 }));
