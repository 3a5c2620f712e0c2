/**
 * The command behind bench/fuzz.mjs: shares of all targets from a seed on, failures as files, a table at the end.
 *
 *     node bench/fuzz.mjs [--mutants 300000] [--first 0] [--targets inspect,plan] [--seconds 3600] [--jobs 1] [--out FOLDER] [--table FILE]
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { root } from "../source-files.ts";
import { bundleWorker } from "./bundle.ts";
import { confirmed } from "./confirm.ts";
import { type Failure, Lane, type Result } from "./run.ts";
import { defaultShares } from "./shares.ts";
import { readTally, type Tally, tableOf, tallied, writeTally } from "./tally.ts";

const { values: options } = parseArgs({
  options: {
    mutants: { type: "string", default: "300000" },
    first: { type: "string", default: "0" },
    targets: { type: "string" },
    seconds: { type: "string", default: "86400" },
    jobs: { type: "string", default: "1" },
    out: { type: "string", default: join(root, "tmp/fuzz/found") },
    table: { type: "string" },
    tally: { type: "string", default: join(root, "tmp/fuzz/tally.json") },
  },
});

const shares = Object.entries(defaultShares).filter(
  ([name]) => !options.targets || options.targets.split(",").includes(name),
);
const whole = shares.reduce((sum, [, share]) => sum + share, 0);
const end = Date.now() + 1000 * Number(options.seconds);
const worker = await bundleWorker();
mkdirSync(options.out, { recursive: true });
let tally: Tally = existsSync(options.tally) ? readTally(readFileSync(options.tally, "utf8")) : {};

// Slices of all targets in turn, so that a run that is stopped has tried each in proportion.
const slices = Math.min(100, Math.ceil(Number(options.mutants) / 10_000));
const jobs: { target: string; first: number; count: number }[] = [];
for (let slice = 0; slice < slices; slice++) {
  for (const [target, share] of shares) {
    const all = Math.ceil((Number(options.mutants) * share) / whole);
    const [from, to] = [Math.floor((all * slice) / slices), Math.floor((all * (slice + 1)) / slices)];
    // What is in the tally was tried before: a run that was stopped goes on there.
    const done = tally[target]?.next ?? 0;
    const first = Math.max(Number(options.first) + from, done);
    const last = Number(options.first) + to;
    if (last > first) jobs.push({ target, first, count: last - first });
  }
}

async function work(): Promise<void> {
  await using lane = new Lane({ worker });
  for (let job = jobs.shift(); job && Date.now() < end; job = jobs.shift()) {
    keep(job.target, job.first + job.count, await judged(await lane.fuzz(job)));
  }
}

/** What native code did to the process counts as refused where the command survives it and says so. */
async function judged(result: Result): Promise<Result> {
  const counts = { ...result.counts };
  const failures: Failure[] = [];
  for (const failure of result.failures) {
    const { kind } = failure.outcome;
    const code = kind === "foreign" ? undefined : await confirmed(failure);
    if (code === undefined) failures.push(failure);
    else {
      counts[kind]!--;
      for (const key of ["error", `${code} (by the command)`]) counts[key] = (counts[key] ?? 0) + 1;
    }
  }
  return { ...result, counts, failures };
}

function keep(target: string, next: number, result: Result): void {
  tally = tallied(tally, target, next, result);
  writeFileSync(options.tally, writeTally(tally));
  for (const { seed, outcome, bytes, ending } of result.failures) {
    const name = join(options.out, `${target}-${seed}`);
    writeFileSync(`${name}.${ending}`, bytes);
    writeFileSync(`${name}.txt`, `${outcome.kind}\n${"text" in outcome ? outcome.text : ""}\n`);
    console.log(
      `${target} ${seed}: ${outcome.kind} ${"text" in outcome ? (outcome.text ?? "").split("\n").slice(0, 2).join(" | ") : ""}`,
    );
  }
}

await Promise.all(Array.from({ length: Number(options.jobs) }, work));
const table = tableOf(tally, `${cpus()[0]?.model ?? "unknown CPU"}, Node ${process.versions.node}`);
if (options.table) writeFileSync(options.table, table);
console.log(table);
