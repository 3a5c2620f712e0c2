/**
 * How much of src/ the tests of two builds reach. Both folders are checkouts in which `npm ci && npm run build` and
 * `npm i --no-save @vitest/coverage-v8` (of vitest's version) were run:
 *
 *     node bench/coverage.mjs --old FOLDER --new FOLDER [--read]
 *
 * --read takes the summaries that are there from a run before. The table is bench/results/coverage.md.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const { values: flags } = parseArgs({
  options: { old: { type: "string" }, new: { type: "string" }, read: { type: "boolean" } },
});
if (!flags.old || !flags.new) throw new Error("--old FOLDER --new FOLDER: two checkouts, built");
const here = resolve(fileURLToPath(new URL("..", import.meta.url)));

/** Tests of a slow machine get four minutes; a failure is shown and leaves the figures. */
const settings = [
  "--coverage",
  "--coverage.include=src/**/*.ts",
  "--coverage.exclude=**/*.test.ts",
  "--coverage.reporter=json-summary",
  "--coverage.reportOnFailure",
  "--testTimeout=240000",
  "--hookTimeout=240000",
];

function measure(folder) {
  if (!flags.read) {
    spawnSync("npx", ["vitest", "run", "--reporter=dot", ...settings], { cwd: folder, stdio: "inherit" });
  }
  const { total } = JSON.parse(readFileSync(join(folder, "coverage/coverage-summary.json"), "utf8"));
  const commit = execFileSync("git", ["rev-parse", "--short", "HEAD"], { cwd: folder, encoding: "utf8" }).trim();
  return { total, commit };
}

const builds = [measure(resolve(flags.old)), measure(resolve(flags.new))];
const cell = ({ covered, total, pct }) => `${pct.toFixed(2)} % (${covered} of ${total})`;
const lines = [
  "# Coverage of src/",
  "",
  `\`node bench/coverage.mjs --old FOLDER --new FOLDER\`: what tests reach in this process (V8), without what runs in child processes, workers and browsers.`,
  "",
  `| of | ${builds.map(({ commit }) => commit).join(" | ")} |`,
  "| --- | --: | --: |",
  ...["statements", "branches", "functions", "lines"].map(
    (kind) => `| ${kind} | ${builds.map(({ total }) => cell(total[kind])).join(" | ")} |`,
  ),
];
writeFileSync(join(here, "bench/results/coverage.md"), `${lines.join("\n")}\n`);
console.log(lines.join("\n"));
