/**
 * Mutation testing (Stryker): changes one operator, condition or statement after the other and runs the tests next to the
 * code. A mutant that no test finds is a survivor; bench/mutation/reasons.json says of each why it may live.
 *
 *     nice node bench/mutation.mjs [--only math,range] [--files a.ts,b.ts [--tests a.test.ts]] [--seconds 3]
 *                                  [--again] [--fresh [--jobs 1]] [--page] [--state]
 *
 * The tests are loaded once and repeated for each mutant (mutation/warm.mjs); `--fresh` loads them for each, with Stryker's own
 * runner: twenty times slower, with the same survivors. With `--seconds` a mutant that has lived through so many seconds (of the processor) of tests is
 * tried no further: a survivor, though another test might find it. `--again` tries only what lived in the stored results without a reason, for
 * tests that came since; a file whose mutants are others than then is tried whole. Results are merged into bench/results/mutation.json after
 * every file; `--page` only writes bench/results/mutation.md again, and `--state` runs nothing: it reports which files have no row or one
 * of other code than today's, which are under 90 %, and how many survivors have no reason; it fails where there is any of these.
 */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Stryker } from "@stryker-mutator/core";
import { filesOf, groups } from "./mutation/groups.mjs";
import { openOf, pageOf, reasonFor, shareFound, total } from "./mutation/page.mjs";
import { codeOf, stateOf } from "./mutation/state.mjs";
import { warmRun } from "./mutation/warm.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const results = `${root}bench/results/mutation.json`;
const { values } = parseArgs({
  options: {
    only: { type: "string", default: Object.keys(groups).join(",") },
    files: { type: "string" },
    tests: { type: "string" },
    again: { type: "boolean", default: false },
    fresh: { type: "boolean", default: false },
    seconds: { type: "string" },
    jobs: { type: "string", default: "1" },
    page: { type: "boolean", default: false },
    state: { type: "boolean", default: false },
  },
});
process.chdir(root);
if (values.seconds) process.env.MUTATION_SECONDS = values.seconds;

// Messages of errors are for people: which words they use is no behaviour that a test should fix.
const excludedMutations = ["StringLiteral"];

/** What became of each mutant of a file, with every run of its tests in a fresh process. */
function freshRun(file, tests) {
  process.env.MUTATION_TESTS = tests.join(",");
  return new Stryker({
    testRunner: "vitest",
    plugins: ["@stryker-mutator/vitest-runner"],
    vitest: { configFile: "bench/mutation/vitest.config.ts", related: false },
    // TypeScript 7 has no API that Stryker could rewrite tsconfig.json with; the sandbox needs no change of it.
    tsconfigFile: "none.json",
    mutate: [file],
    mutator: { excludedMutations },
    coverageAnalysis: "perTest",
    concurrency: Number(values.jobs),
    // A mutant counts as killed by its time limit, and so the limit must be far above what a busy machine can make of a test.
    timeoutMS: 20_000,
    timeoutFactor: 5,
    dryRunTimeoutMinutes: 20,
    tempDirName: "tmp/stryker",
    cleanTempDir: "always",
    ignorePatterns: ["dist", "coverage", "tmp", "out", "studio", "bench/results"],
    reporters: ["progress-append-only"],
    allowEmpty: false,
  }).runMutationTest();
}

/** Lines of every source, as they were when the run began: a run takes long, and the working tree may go on. */
const sources = new Map(
  execFileSync("git", ["ls-files", "src"], { encoding: "utf8" })
    .split("\n")
    .filter((path) => path.endsWith(".ts"))
    .map((path) => [path, readFileSync(path, "utf8").split("\n")]),
);

/** A mutant as the results tell it: by its line. */
function told(name, { location: { start, end }, mutatorName: mutator, replacement }) {
  const line = sources.get(name)[start.line - 1];
  const original = line.slice(start.column - 1, end.line === start.line ? end.column - 1 : undefined);
  return { line: start.line, source: line.trim(), original, replacement: replacement.split("\n")[0], mutator };
}

/** What lived in the last run, by its text, where the mutants of a file are those of that run; undefined where they are others. */
function livedBefore(name, mutants) {
  const before = stored()[name];
  const key = ({ source, original, replacement, mutator }) => [source, original, replacement, mutator].join("\n");
  const now = new Set(mutants.map((mutant) => key(told(name, mutant))));
  const lived = new Map((before?.survivors ?? []).map((survivor) => [key(survivor), survivor]));
  const same = before && total(before) === mutants.length && [...lived.keys()].every((text) => now.has(text));
  return same ? (mutant) => lived.get(key(told(name, mutant))) : undefined;
}

/** Only survivors without a reason are tried again; what was found and what was reached stays so. */
async function warmAgain(name, tests) {
  let lived;
  const isOpen = (before) => before && !reasonFor(name, before, reasons);
  const found = await warmRun(root, [name], tests, excludedMutations, (mutants) => {
    lived = livedBefore(name, mutants);
    return lived ? mutants.filter((mutant) => !isOpen(lived(mutant))) : [];
  });
  if (!lived) return found;
  let timeouts = stored()[name].timeout;
  return found.map((mutant) => {
    const before = lived(mutant);
    if (!before) return timeouts-- > 0 ? { ...mutant, status: "Timeout" } : mutant;
    const lives = !isOpen(before) || !["Killed", "Timeout"].includes(mutant.status);
    const isReached = before.covered || mutant.status === "Survived";
    return lives ? { ...mutant, status: isReached ? "Survived" : "NoCoverage" } : mutant;
  });
}

/** Counts and survivors of a file, smaller than Stryker's own report. */
function summarise(name, group, mutants) {
  const file = {
    group,
    code: codeOf(sources.get(name)),
    killed: 0,
    timeout: 0,
    survived: 0,
    noCoverage: 0,
    survivors: [],
  };
  for (const mutant of mutants) {
    const { status } = mutant;
    if (status === "Killed") file.killed++;
    else if (status === "Timeout") file.timeout++;
    else if (status === "Survived" || status === "NoCoverage") {
      file[status === "Survived" ? "survived" : "noCoverage"]++;
      file.survivors.push({ ...told(name, mutant), covered: status === "Survived" });
    } else file[status] = (file[status] ?? 0) + 1;
  }
  file.survivors.sort((a, b) => a.line - b.line);
  return file;
}

const reasons = JSON.parse(readFileSync(`${root}bench/mutation/reasons.json`, "utf8"));
const stored = () => JSON.parse(readFileSync(results, { encoding: "utf8", flag: "a+" }) || "{}");
if (!values.page && !values.state) {
  for (const group of values.only.split(",")) {
    for (const name of filesOf(groups[group], values.files?.split(",") ?? [...sources.keys()])) {
      const { tests: wanted } = groups[group];
      const tests = values.tests?.split(",") ?? (typeof wanted === "function" ? wanted(name) : wanted);
      const begun = Date.now();
      const warm = () => (values.again ? warmAgain(name, tests) : warmRun(root, [name], tests, excludedMutations));
      const found = await (values.fresh ? freshRun(name, tests) : warm());
      const file = summarise(name, group, found);
      writeFileSync(results, `${JSON.stringify({ ...stored(), [name]: file }, undefined, 1)}\n`);
      const { killed, timeout, survived, noCoverage } = file;
      console.log(
        `${name}: ${killed + timeout} of ${killed + timeout + survived + noCoverage} found, ${Math.round((Date.now() - begun) / 1000)} s`,
      );
    }
  }
}

/** What is left to do, a line each; the number of lines. */
function reportState() {
  const lines = [];
  for (const [group, { missing, changed }] of Object.entries(stateOf(stored(), sources))) {
    lines.push(...missing.map((name) => `${group}: ${name} has no row`));
    lines.push(...changed.map((name) => `${group}: ${name} has changed since its row`));
  }
  for (const [name, file] of Object.entries(stored())) {
    if (!sources.has(name)) lines.push(`${name} has a row and is no file`);
    if (shareFound(file) < 0.9) lines.push(`${name}: ${(100 * shareFound(file)).toFixed(1)} % found`);
    const open = openOf(name, file, reasons).length;
    if (open > 0) lines.push(`${name}: ${open} survivors without a reason`);
  }
  console.log(
    lines.join("\n") || "every file has a row of its code, at least 90 % found, and a reason for each survivor",
  );
  return lines.length;
}

if (values.state) process.exitCode = reportState() > 0 ? 1 : 0;
else writeFileSync(`${root}bench/results/mutation.md`, pageOf(stored(), reasons, sources));
