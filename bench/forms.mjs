/**
 * One table over all networks: float, and each form of eight and four bits × score, bytes, processor seconds, peak memory, latency in Node and in
 * WebAssembly. Run `npm run build` first, then
 *
 *   node bench/forms.mjs [--only PATTERN] [--lines RENDERED] [--minilm FOLDER] [--preset standard] [--table]
 *
 * A process for each cell, one thread; cells go to bench/results/forms.json as they end and are not run again, bench/results/forms.md is printed from
 * them (--table: only that). RENDERED is what bench/peers/ocr_lines.py wrote, FOLDER holds MiniLM (bench/forms-tasks.mjs says what is in it).
 */
import { execFile } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { parseArgs, promisify } from "node:util";
import { root } from "./accuracy-tasks.mjs";
import { formsTable, misses } from "./forms-table.mjs";
import { tasks } from "./forms-tasks.mjs";

const { values: flags } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    lines: { type: "string" },
    minilm: { type: "string" },
    preset: { type: "string", default: "standard" },
    table: { type: "boolean" },
  },
});
const forms = {
  float: null,
  "W8A8 per tensor": { granularity: "tensor" },
  "W8A8 per channel": {},
  W8A16: { activations: "uint16" },
  W4A8: { weights: "int4" },
  "W4 blocks, weight-only": { form: "weight-only" },
  "dynamic int8": { form: "dynamic" },
  fp16: { form: "fp16" },
};
const file = join(root, "bench", "results", "forms.json");
const read = () => (existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : { cells: {} });
const all = tasks(flags);
const execute = promisify(execFile);

if (!flags.table) {
  for (const task of all) {
    for (const [form, recipe] of Object.entries(forms)) await cell(task.name, form, recipe);
    await blame(task);
  }
}
const told = all.map(({ name, unit, better, of }) => ({ name, unit, better, of }));
const stored = read();
const named = new Map([...(stored.tasks ?? []), ...told].map((task) => [task.name, task]));
writeFileSync(file, `${JSON.stringify({ ...stored, tasks: [...named.values()] }, null, 1)}\n`);
writeFileSync(join(root, "bench", "results", "forms.md"), formsTable(read(), Object.keys(forms)));

/** What misses float by more than a point: the score with each of the layers that add most noise in float, alone and all. */
async function blame(task) {
  const { cells } = read();
  const [float, made] = [cells[`${task.name} | float`], cells[`${task.name} | W8A8 per channel`]];
  if (!float || !made?.blamed || !misses(task, float.score, made.score)) return;
  const layers = made.blamed.map(({ layer, value }) => [layer, value]);
  for (const names of [...layers, layers.flat()]) {
    const which = names.length > 2 ? "all three" : names[0];
    await cell(task.name, `W8A8 per channel, ${which} in float`, { float: [...new Set(names)] });
  }
}

async function cell(name, form, recipe) {
  const key = `${name} | ${form}`;
  if (read().cells[key] || !new RegExp(flags.only).test(key)) return;
  const settings = recipe && JSON.stringify({ preset: flags.preset, ...recipe });
  let found;
  try {
    const { lines, minilm } = flags;
    const job = [join(root, "bench", "forms-job.mjs"), name, `${settings}`, JSON.stringify({ lines, minilm })];
    const { stdout } = await execute(process.execPath, job, { maxBuffer: 2 ** 26 });
    found = JSON.parse(stdout.trim().split("\n").at(-1));
  } catch (error) {
    if (error.signal) throw error;
    found = { error: /\w+Error: .*/.exec(error.stderr ?? "")?.[0] ?? error.message.slice(0, 300) };
  }
  console.log(key, JSON.stringify(found));
  // Read again: another process may have written cells of another network meanwhile.
  const { cells, ...rest } = read();
  const machine = `${cpus()[0].model}, one thread, Node ${process.versions.node}`;
  writeFileSync(file, `${JSON.stringify({ ...rest, machine, cells: { ...cells, [key]: found } }, null, 1)}\n`);
}
