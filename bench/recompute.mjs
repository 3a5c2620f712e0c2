/**
 * What recomputation saves: a training step of ResNet-20 and of MobileNetV1 0.25 with less and less memory for what waits for
 * the backward pass. Each row is built in one process and measured in another. Run `npm run build` first, then
 * `node bench/recompute.mjs` (some minutes); the table goes to bench/results/recompute.md.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const folder = mkdtempSync(join(tmpdir(), "avocet-recompute-"));
const job = fileURLToPath(new URL("./recompute-job.mjs", import.meta.url));

function run(spec) {
  const said = execFileSync(process.execPath, [job, JSON.stringify(spec)], {
    encoding: "utf8",
    env: { ...process.env, AVOCET_DEBUG: "2" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  return JSON.parse(said.trim().split("\n").at(-1));
}

/** What the step changed in all buffers, next to that of the row that holds everything. */
function difference(step, reference) {
  let [apart, length] = [0, 0];
  reference.forEach((value, i) => {
    apart += (step[i] - value) ** 2;
    length += value ** 2;
  });
  return Math.sqrt(apart / length);
}

const rows = [];
for (const [net, batch, budgets] of [
  ["resnet20", 128, [null, 140e6, 80e6]],
  ["mobilenet", 64, [null, 75e6, 50e6]],
]) {
  let reference;
  for (const memory of budgets) {
    const file = join(folder, `${net}-${memory}.onnx`);
    const { nodes } = run({ action: "build", net, batch, memory, file });
    const { peakMb, ms } = run({ action: "run", net, batch, memory, file });
    const bytes = readFileSync(`${file}.step`);
    const step = new Float64Array(bytes.buffer, bytes.byteOffset, bytes.length / 8);
    reference ??= step;
    const apart = difference(step, reference);
    rows.push([
      net,
      batch,
      memory === null ? "all is held" : `${memory / 1e6} MB`,
      nodes,
      peakMb,
      ms,
      apart.toExponential(1),
    ]);
    console.log(rows.at(-1).join("  "));
  }
}
rmSync(folder, { recursive: true });

const header = [
  "network",
  "batch",
  "budget",
  "nodes",
  "peak of the session, MB",
  "ms a step",
  "step apart from the first row's",
];
const line = (cells) => `| ${cells.join(" | ")} |`;
const table = [line(header), line(header.map(() => "---")), ...rows.map(line)].join("\n");
writeFileSync(
  fileURLToPath(new URL("./results/recompute.md", import.meta.url)),
  `# Recomputation\n\nPeak RSS of a fresh process that opens a training graph and takes steps, less what it had before.\n\n${table}\n`,
);
