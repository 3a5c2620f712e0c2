/**
 * What block-wise reconstruction returns behind AdaRound on moments, on real networks and calibration pictures alone. Run `npm run build`
 * first, then
 *
 *   node bench/reconstruction.mjs [--only PATTERN] [--threads N] [--again]
 *
 * Every row is a process of its own, so that its peak memory is its own. Rows go to bench/results/reconstruction.json as they end
 * and are not run again (unless --again); the table is bench/results/reconstruction.md.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const here = dirname(fileURLToPath(import.meta.url));
const { values: flags } = parseArgs({
  options: { only: { type: "string" }, threads: { type: "string", default: "2" }, again: { type: "boolean" } },
});
const file = join(here, "results", "reconstruction.json");
const read = () => (existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : { rows: {} });

/** The best that AIMET-onnx 2.42.0 gave on the same splits, cited: docs/methods/results.md and accuracy-tasks.mjs say how. */
const rows = {
  "ResNet-20 | W3A8 per channel": { task: "ResNet-20", weights: "int3", aimet: 86.08 },
  "ResNet-20 | W2A8 per channel": { task: "ResNet-20", weights: "int2", simulated: true },
  "MobileNetV1-0.25 | W4A8 per channel": { task: "MobileNetV1-0.25", weights: "int4", aimet: 13.62 },
  "ESPNet | W4A8 per channel": { task: "ESPNet", weights: "int4", aimet: 50.03 },
};

for (const [name, { task, weights, simulated, options = {} }] of Object.entries(rows)) {
  if (flags.only && !new RegExp(flags.only).test(name)) continue;
  if (read().rows[name] && !flags.again) continue;
  const spec = JSON.stringify({ weights, simulated, options });
  const text = execFileSync(process.execPath, [join(here, "reconstruction-job.mjs"), task, spec, flags.threads], {
    maxBuffer: 1e8,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const row = JSON.parse(String(text).trim().split("\n").at(-1));
  const recorded = read();
  recorded.rows[name] = row;
  recorded.machine = `${cpus()[0].model}, ${flags.threads === "1" ? "one thread" : `${flags.threads} threads`}, Node ${process.versions.node}`;
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(recorded, null, 1)}\n`);
  console.log(name, JSON.stringify(row));
}

const recorded = read();
const percent = (value) => (100 * value).toFixed(2);
const lines = [
  "# Block-wise reconstruction behind AdaRound on moments",
  "",
  `Made by \`node bench/reconstruction.mjs\` on ${recorded.machine}. Target \`ort-cpu\`, ranges by \`sqnr\`, dead channels`,
  "removed first. Top-1 in percent, ESPNet mean IoU, of the stock session (W2 simulated: ONNX Runtime 1.30 makes an integer kernel of int2",
  "that it then refuses). Seconds are of the method alone, on a machine that others used too; CPU seconds say more.",
  "",
  "| network | setting | nearest | AdaRound on moments (CPU s) | reconstruction (seconds, CPU s) | best of AIMET | peak MB | blocks kept |",
  "| --- | --- | --- | --- | --- | --- | --- | --- |",
  ...Object.entries(rows).flatMap(([name, { aimet }]) => {
    const row = recorded.rows[name];
    if (!row) return [];
    const judged = row.notes.filter((note) => / (kept|undone)$/.test(note));
    const kept = judged.filter((note) => note.endsWith("kept"));
    return [
      `| ${name} | ${percent(row.nearest)} | ${percent(row.adaround)} (${row.adaroundCpuSeconds.toFixed(0)}) | **${percent(row.reconstruction)}** (${row.seconds.toFixed(0)}, ${row.cpuSeconds.toFixed(0)}) | ${aimet?.toFixed(2) ?? "–"} | ${row.peakMB} | ${kept.length} of ${judged.length} |`,
    ];
  }),
  "",
];
writeFileSync(join(here, "results", "reconstruction.md"), lines.join("\n"));
