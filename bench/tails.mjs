/**
 * How often numbers behind batch norms lie so many deviations from their mean, next to a normal, a logistic and a Laplace
 * distribution: what ranges without data rest on. Run `npm run build` first, then
 *
 *   node bench/tails.mjs [--samples N]
 *
 * bench/results/tails.md gets the table.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { parsePreprocess } from "../dist/data/inner-files.js";
import { openData } from "../dist/data/inner-node.js";
import { readModelFile } from "../dist/formats/inner-node.js";
import { cumulative } from "../dist/methods/expectations/normal.js";
import { batchNormStatistics, normalise } from "../dist/passes/inner.js";
import { openRuntime } from "../dist/runtime/inner.js";
import { root, tasks } from "./accuracy-tasks.mjs";

const { values: flags } = parseArgs({ options: { samples: { type: "string", default: "20" } } });
const deviations = [1, 2, 3, 4, 5, 6, 8];
/** Values that are fetched together, so that memory stays small. */
const together = 8;
const runtime = await openRuntime();
const rows = [];
for (const task of tasks().filter(({ name }) => name !== "bundled example")) rows.push([task.name, await shares(task)]);
const laws = {
  normal: (k) => 2 * cumulative(-k),
  logistic: (k) => 2 / (1 + Math.exp((k * Math.PI) / Math.sqrt(3))),
  Laplace: (k) => Math.exp(-Math.SQRT2 * k),
};
for (const [name, law] of Object.entries(laws)) rows.push([name, deviations.map(law)]);
const line = (cells) => `| ${cells.join(" | ")} |`;
writeFileSync(
  join(root, "bench", "results", "tails.md"),
  `# Tails behind batch norms

Share of the numbers behind batch norms, before their activation, that lie further than so many deviations |γ| from their mean β, on
the first ${flags.samples} calibration samples of each network (\`node bench/tails.mjs\`).

${[
  line(["network or law", ...deviations]),
  line(["---", ...deviations.map(() => "--:")]),
  ...rows.map(([name, found]) => line([name, ...found.map((share) => share.toExponential(1))])),
].join("\n")}
`,
);

async function shares({ model: path, data: where, preprocess: settings }) {
  const model = readModelFile(path);
  const inputs = model.graph.inputs.map(({ name, type }) => ({ name, dtype: type.dtype, shape: type.shape }));
  const preprocess = parsePreprocess(JSON.parse(readFileSync(settings, "utf8")));
  const data = await openData(where, { inputs, preprocess, cacheBytes: 1e9 });
  await normalise(model, { runtime });
  const values = [...model.graph.nodes].flatMap(({ outputs }) => outputs.filter((value) => batchNormStatistics(value)));
  const beyond = new Float64Array(deviations.length);
  let count = 0;
  for (let at = 0; at < values.length; at += together) {
    const some = values.slice(at, at + together);
    model.graph.setOutputs(some);
    const session = await runtime.open(model, { threads: 1 });
    let seen = 0;
    for await (const { feeds } of data.batches(1)) {
      if (seen++ >= Number(flags.samples)) break;
      const found = await session.run(
        feeds,
        some.map(({ name }) => name),
      );
      for (const value of some) count += see(found[value.name], batchNormStatistics(value), beyond);
    }
    await session[Symbol.asyncDispose]();
  }
  return Array.from(beyond, (many) => many / count);
}

/** Counts one sample [1, channels, …]; how many numbers it has. Channels that do not vary are left out. */
function see(tensor, { beta, gamma }, beyond) {
  const numbers = tensor.floats();
  const plane = numbers.length / beta.length;
  let seen = 0;
  for (let c = 0; c < beta.length; c++) {
    const deviation = Math.abs(gamma[c]);
    if (deviation < 1e-3) continue;
    seen += plane;
    for (let i = c * plane; i < (c + 1) * plane; i++) {
      const z = Math.abs(numbers[i] - beta[c]) / deviation;
      for (let k = 0; k < deviations.length && z > deviations[k]; k++) beyond[k]++;
    }
  }
  return seen;
}
