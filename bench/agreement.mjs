/**
 * On how many samples the shipped file decides in a stock session as its simulation does: every network with classes, granularity,
 * target and preset. Run `npm run build` first, then
 *
 *   node bench/agreement.mjs [--only PATTERN] [--samples N] [--presets fast,standard,best,data-free] [--threads N]
 *
 * Rows go to bench/results/agreement.json as they end and are not run again (delete it to begin again); bench/results/agreement.md
 * gets the table.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { root } from "./accuracy-tasks.mjs";
import { tasks } from "./agreement-tasks.mjs";

const { values: flags } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    samples: { type: "string", default: "1000000" },
    presets: { type: "string", default: "fast,standard,best,data-free" },
    threads: { type: "string", default: "1" },
  },
});
const file = join(root, "bench", "results", "agreement.json");
const rows = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : {};
const folder = mkdtempSync(join(tmpdir(), "avocet-agreement-"));
try {
  for (const task of tasks()) {
    for (const target of ["ort-cpu", "aimet-default"]) {
      for (const granularity of ["channel", "tensor"]) {
        for (const preset of flags.presets.split(",")) {
          const name = `${task.name} | ${target} | ${granularity} | ${preset}`;
          if (rows[name] || !new RegExp(flags.only).test(name)) continue;
          rows[name] = row(task, ["--target", target, "--granularity", granularity, "--preset", preset]);
          console.log(name, JSON.stringify(rows[name]));
          writeFileSync(file, `${JSON.stringify(rows, null, 1)}\n`);
        }
      }
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
writeFileSync(join(root, "bench", "results", "agreement.md"), table());

function row(task, options) {
  const out = join(folder, "out");
  const read = ["--preprocess", task.preprocess, "--threads", flags.threads];
  avocet("quantize", task.model, "--data", task.data, ...read, ...task.options, ...options, "--force", "-o", out);
  const judged = ["--data", task.judged, ...read];
  const found = avocet("verify", out, ...judged, "--samples", flags.samples);
  const score = (...more) =>
    avocet("evaluate", out, "--labels", task.labels, ...judged, ...task.options, ...more).value;
  return {
    simulation: found.agreement.simulation,
    float: found.agreement.float,
    ties: found.ties,
    samples: found.samples,
    stock: score(),
    simulated: score("--simulated"),
    differing: Math.max(0, ...found.differences.map(({ differing }) => differing)),
  };
}

function table() {
  const percent = (share) => (share === null ? "" : (100 * share).toFixed(2));
  const lines = Object.entries(rows).map(([name, r]) => {
    const shares = [r.simulation, r.float, r.stock, r.simulated, r.ties].map(percent);
    return `| ${[name, ...shares, (100 * r.differing).toFixed(4), r.samples].join(" | ")} |`;
  });
  return `# Stock session and simulation

Shares in percent (\`node bench/agreement.mjs\`, ${cpus()[0].model}). "Ties" are decisions between equal scores; "differing" is the
largest share of integers of one layer that its integer kernel gives otherwise than the simulation, on two samples.

| network | target | granularity | preset | decides as simulated | as float | score | simulated | ties | differing | samples |
| --- | --- | --- | --- | --: | --: | --: | --: | --: | --: | --: |
${lines.join("\n")}
`;
}

function avocet(...args) {
  const cli = join(root, "dist", "cli", "main.js");
  return JSON.parse(execFileSync(process.execPath, [cli, ...args, "--quiet", "--json"], { maxBuffer: 2 ** 28 }));
}
