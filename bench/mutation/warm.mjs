/**
 * Stryker's mutants without a start of the tests for each: the tests are loaded once, and each of them runs again and again, with one
 * mutant after the other (repeating-runner.mjs); for what modules compute as they are loaded they are loaded again. A mutant that
 * hangs, that crashes native code, or that leaves something behind with which a test fails without it, takes its process with it; the next
 * one goes on behind it.
 */
import { spawn } from "node:child_process";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { relative } from "node:path";
import { Instrumenter } from "@stryker-mutator/instrumenter";

/** A run that writes nothing for so long hangs: while tests are loaded, and from the first one on. On a busy machine none takes a fifth. */
const patience = { loading: 60_000, running: 20_000 };

/**
 * What became of each mutant of these files, as Stryker reports it; `tests` are globs. Of all mutants `untried` chooses those that are
 * not run at all and count as killed.
 */
export async function warmRun(root, files, tests, excludedMutations, untried = () => []) {
  const silent = Object.fromEntries(["debug", "info", "isDebugEnabled", "warn"].map((name) => [name, () => false]));
  const sources = files.map((name) => ({
    name: root + name,
    mutate: true,
    content: readFileSync(root + name, "utf8"),
  }));
  const made = await new Instrumenter(silent).instrument(sources, { plugins: null, excludedMutations, ignorers: [] });
  const mutants = made.mutants
    .filter((mutant) => mutant.status !== "Ignored")
    .map(({ id, fileName, location: { start, end }, mutatorName, replacement }) => ({
      id,
      fileName: relative(root, fileName),
      location: { start: from1(start), end: from1(end) },
      mutatorName,
      replacement,
    }));
  mkdirSync(`${root}tmp`, { recursive: true });
  const folder = mkdtempSync(`${root}tmp/mutation-`);
  const [code, log] = [`${folder}/code.json`, `${folder}/log.jsonl`];
  writeFileSync(code, JSON.stringify(Object.fromEntries(made.files.map((file) => [file.name, file.content]))));
  writeFileSync(
    log,
    untried(mutants)
      .map(({ id }) => `${JSON.stringify({ id, end: "Killed" })}\n`)
      .join(""),
  );
  const environment = { MUTATION_TESTS: tests.join(","), MUTATION_CODE: code, MUTATION_LOG: log, CI: "1" };
  const lines = () =>
    existsSync(log) ? readFileSync(log, "utf8").trim().split("\n").filter(Boolean).map(JSON.parse) : [];
  try {
    for (;;) {
      const isEnded = await endedEarly(root, environment);
      const lost = lostIn(lines());
      if (!isEnded && lost.length === 0) break;
      if (isEnded && lost.length === 0 && !lines().at(-1)?.spoiled) throw new Error("the tests hang without a mutant");
      const end = isEnded ? "Timeout" : "Killed";
      for (const { begun, test } of lost) appendFileSync(log, `${JSON.stringify({ id: begun, test, end })}\n`);
    }
    const seen = lines();
    const broken = seen.find((line) => line.broken);
    if (broken) throw new Error(`without a mutant "${broken.broken}" fails: ${broken.message}`);
    const loading = new Set(seen.flatMap((line) => line.loading ?? []));
    const covered = new Set([...loading, ...seen.flatMap((line) => line.covers ?? [])]);
    const dead = new Map(seen.filter((line) => line.end).map((line) => [line.id, line.end]));
    return mutants.map((mutant) => ({
      ...mutant,
      status: dead.get(mutant.id) ?? (covered.has(mutant.id) ? "Survived" : "NoCoverage"),
    }));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Mutants that were begun and never came back: one that hangs, or one with which native code took the process with it. */
function lostIn(lines) {
  const back = new Set(lines.filter(({ id }) => id !== undefined).map(({ id, test }) => `${id} ${test}`));
  return lines.filter(({ begun, test }) => begun !== undefined && !back.has(`${begun} ${test}`));
}

const from1 = ({ line, column }) => ({ line: line + 1, column: column + 1 });

const lastLine = (log) => JSON.parse(readFileSync(log, "utf8").trim().split("\n").at(-1));

/** One run of all tests; whether it had to be ended: nothing was written to the log for too long, or a mutant spoiled a test. */
function endedEarly(root, environment) {
  const args = ["node_modules/vitest/vitest.mjs", "run", "--config", "bench/mutation/vitest.config.ts"];
  const log = environment.MUTATION_LOG;
  const child = spawn(process.execPath, args, {
    cwd: root,
    env: { ...process.env, ...environment },
    // A group of its own, to be ended with all that it started.
    detached: true,
    stdio: process.env.MUTATION_SHOW ? "inherit" : "ignore",
  });
  const begun = Date.now();
  return new Promise((resolve) => {
    const watch = setInterval(() => {
      const written = existsSync(log) ? statSync(log).mtimeMs : 0;
      const still = Date.now() - Math.max(begun, written);
      const spoiled = written > begun && still > 500 && lastLine(log).spoiled !== undefined;
      if (!spoiled && still < (written > begun ? patience.running : patience.loading)) return;
      clearInterval(watch);
      process.kill(-child.pid, "SIGKILL");
      resolve(true);
    }, 1000);
    child.on("exit", () => {
      clearInterval(watch);
      resolve(false);
    });
  });
}
