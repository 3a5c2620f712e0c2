/**
 * What short scales give: accuracy, and on how many pictures the stock session decides as the simulation does, with `ort-cpu` as
 * it is and with scales of any length. Run `npm run build` first, then `node bench/short-scales.mjs [TASK]` (default: MobileNet).
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { targetFile } from "../dist/quant/inner.js";
import { root, tasks } from "./accuracy-tasks.mjs";

const task = tasks().find(({ name }) => name.includes(process.argv[2] ?? "MobileNet"));
const folder = mkdtempSync(join(tmpdir(), "avocet-short-"));
const { avocet: own, ...standard } = targetFile("ort-cpu");
const long = join(folder, "long.json");
writeFileSync(long, JSON.stringify({ ...standard, avocet: { ...own, short_scales: "False" } }));

console.log("| preset | scales | stock | simulated | decides as simulated | as float | ties |");
console.log("| --- | --- | --: | --: | --: | --: | --: |");
try {
  for (const preset of ["fast", "standard"]) {
    for (const [scales, target] of [["long", long], ["short", "ort-cpu"]]) row(preset, scales, target); // biome-ignore format: a table
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function row(preset, scales, target) {
  const out = join(folder, `${preset}-${scales}`);
  const chosen = ["--preset", preset, "--target", target];
  avocet("quantize", task.model, "--data", task.data, ...preprocess(), ...chosen, "-o", out);
  const judged = ["--data", task.judged, ...preprocess()];
  const score = (...more) => percent(avocet("evaluate", out, "--labels", task.labels, ...judged, ...more).value);
  const scores = [score(), score("--simulated")];
  const { agreement, ties } = avocet("verify", out, ...judged, "--samples", "1000000");
  const shares = [agreement.simulation, agreement.float, ties].map(percent);
  console.log(`| ${[preset, scales, ...scores, ...shares].join(" | ")} |`);
}

function preprocess() {
  return ["--preprocess", task.preprocess, ...task.options];
}

function percent(share) {
  return (100 * share).toFixed(2);
}

function avocet(...args) {
  const cli = join(root, "dist", "cli", "main.js");
  return JSON.parse(execFileSync(process.execPath, [cli, ...args, "--quiet", "--json"], { maxBuffer: 2 ** 28 }));
}
