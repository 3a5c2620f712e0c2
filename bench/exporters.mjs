/**
 * Conversions next to those of the frameworks' own exporters, one after the other in the same run:
 *   node bench/exporters.mjs FOLDER SAVED_MODEL... --torch PYTHON --tensorflow PYTHON
 * FOLDER has programs of tools/pytorch_architectures.py. Each conversion is a process of its own. Writes bench/results/exporters.md.
 */
import { execFileSync } from "node:child_process";
import { readdirSync, statSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { torch: { type: "string" }, tensorflow: { type: "string" }, only: { type: "string" } },
});
const [folder, ...savedModels] = positionals;
const peer = fileURLToPath(new URL("peers/exporter_seconds.py", import.meta.url));
const reader = new URL("../dist/formats/inner-node.js", import.meta.url).href;
const target = join(tmpdir(), `exporters-${process.pid}.onnx`);
const script = `
  const { openModel, writeModelFile } = await import(${JSON.stringify(reader)});
  const [clock, processor] = [performance.now(), process.cpuUsage()];
  writeModelFile(await openModel(process.argv[1]), process.argv[2]);
  const { user, system } = process.cpuUsage(processor);
  console.log(JSON.stringify({ seconds: (performance.now() - clock) / 1e3, processor: (user + system) / 1e6 }));`;
const last = (text) => JSON.parse(text.trim().split("\n").at(-1));
const run = (command, args) => {
  try {
    return last(
      execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"], timeout: 300_000 }),
    );
  } catch {
    return undefined;
  }
};
const bytesOf = (path) =>
  statSync(path).isDirectory()
    ? readdirSync(path).reduce((sum, name) => sum + bytesOf(join(path, name)), 0)
    : statSync(path).size;

const only = options.only?.split(",");
const programs = readdirSync(folder)
  .filter((name) => name.endsWith(".pt2") && (!only || only.includes(name.slice(0, -4))))
  .map((name) => ({ kind: "torch.onnx", python: options.torch, path: join(folder, name) }));
const graphs = savedModels.map((path) => ({ kind: "tf2onnx", python: options.tensorflow, path }));
const rows = [...programs, ...graphs].map(({ kind, python, path }) => {
  const megabytes = bytesOf(path) / 1e6;
  const own = run(process.execPath, ["--input-type=module", "-e", script, path, target]);
  const other = run(python, [peer, path, target]);
  const row = { kind, name: basename(path, ".pt2"), megabytes, own, other };
  console.log(JSON.stringify(row));
  return row;
});

const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];
const shown = (one, key) => one[key].toFixed(2);
// What one of the two could not read here (a package that is not there, a file of another version) says nothing of time.
const compared = rows.filter((row) => row.own && row.other);
const summaries = ["torch.onnx", "tf2onnx"].flatMap((kind) => {
  const both = compared.filter((row) => row.kind === kind);
  if (both.length === 0) return [];
  const perMegabyte = (who, key) => median(both.map((row) => row[who][key] / row.megabytes)).toFixed(3);
  const times = median(both.map(({ own, other }) => other.processor / own.processor)).toFixed(1);
  return [
    `| ${kind} | ${both.length} | ${perMegabyte("own", "processor")} | ${perMegabyte("other", "processor")} | ${perMegabyte("own", "seconds")} | ${perMegabyte("other", "seconds")} | ${times} |`,
  ];
});
writeFileSync(
  new URL("results/exporters.md", import.meta.url),
  `# Next to the frameworks' own exporters

\`node bench/exporters.mjs\`, ${cpus()[0]?.model}, Node ${process.versions.node}. A model is read, converted and written as ONNX, by Avocet and then by
\`torch.onnx.export(program, dynamo=True)\` or tf2onnx, in processes of their own whose start and imports are not counted. Others used the machine meanwhile:
the processor's seconds say more than the clock's. Both sides write the graph without further optimization where they can; torch.onnx runs its optimizer.

Medians of seconds per MB of the source:

| exporter | models | Avocet, processor | exporter, processor | Avocet, clock | exporter, clock | exporter ÷ Avocet, processor |
| --- | --: | --: | --: | --: | --: | --: |
${summaries.join("\n")}

| model | exporter | MB | Avocet, processor s | exporter, processor s | Avocet, clock s | exporter, clock s |
| --- | --- | --: | --: | --: | --: | --: |
${compared.map(({ name, kind, megabytes, own, other }) => `| ${name} | ${kind} | ${megabytes.toFixed(1)} | ${shown(own, "processor")} | ${shown(other, "processor")} | ${shown(own, "seconds")} | ${shown(other, "seconds")} |`).join("\n")}
`,
);
