/** Runs every test as it is, then once more for each mutant that it reaches and that no test has found yet. */
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { startTests } from "@vitest/runner";
import { vi } from "vitest";
import { VitestTestRunner } from "vitest/runners";
import { getFn } from "vitest/suite";

const log = process.env.MUTATION_LOG;
const write = (line) => appendFileSync(log, `${JSON.stringify(line)}\n`);
globalThis.__stryker__ ??= {};
const stryker = globalThis.__stryker__;

/** How long a mutant is tried, and how long each was: in microseconds of this process's own time, whatever else the machine does. */
const limit = 1e6 * Number(process.env.MUTATION_SECONDS ?? "Infinity");
const spent = new Map();
const used = () => {
  const { user, system } = process.cpuUsage();
  return user + system;
};

/** A test that is spoiled more often tries no more mutants: each time costs a start. */
const mostSpoiled = 20;

/** What earlier tests found, and what this one did before its process had to be ended. */
const [dead, tried, spoiled] = [new Set(), new Set(), new Map()];
for (const text of existsSync(log) ? readFileSync(log, "utf8").trim().split("\n") : []) {
  if (!text) continue;
  const line = JSON.parse(text);
  if (line.end) dead.add(line.id);
  if (line.id !== undefined) tried.add(`${line.id} ${line.test}`);
  if (line.spoiled) spoiled.set(line.spoiled, (spoiled.get(line.spoiled) ?? 0) + 1);
}

export default class RepeatingRunner extends VitestTestRunner {
  /** While modules are loaded with a mutant: whether a test has failed. */
  #loaded;

  /** Last tests first: what is particular to one file comes last in it, finds most, and takes least. */
  onCollected(files) {
    const turn = (suite) => {
      suite.tasks.reverse();
      for (const task of suite.tasks) if (task.type === "suite") turn(task);
    };
    files.forEach(turn);
  }

  async runTask(test) {
    const run = getFn(test);
    if (this.#loaded) return this.#runLoaded(run);
    const name = `${test.file.name} > ${test.fullTestName ?? test.name}`;
    stryker.activeMutant = "none";
    stryker.currentTestId = name;
    try {
      await run();
    } catch (error) {
      write({ broken: name, message: String(error?.message ?? error) });
      throw error;
    } finally {
      stryker.currentTestId = undefined;
    }
    const coverage = stryker.mutantCoverage ?? { static: {}, perTest: {} };
    const hits = Object.entries(coverage.perTest[name] ?? {}).filter(([id]) => !coverage.static[id]);
    write({ covers: hits.map(([id]) => id), loading: Object.keys(coverage.static) });
    for (const [id, count] of hits) {
      if (dead.has(id) || tried.has(`${id} ${name}`) || (spent.get(id) ?? 0) > limit) continue;
      write({ begun: id, test: name });
      const begun = used();
      const end = await this.#with(id, 100 * count, run);
      spent.set(id, (spent.get(id) ?? 0) + used() - begun);
      // A test whose state a mutant spoiled fails from then on, whatever comes: only a new process helps, which the log asks for.
      if (end && (await this.#with("none", Number.POSITIVE_INFINITY, run))) {
        write({ spoiled: name, id, test: name, end });
        if ((spoiled.get(name) ?? 0) < mostSpoiled) await new Promise(() => {});
        return;
      }
      if (end) dead.add(id);
      write({ id, test: name, end });
    }
  }

  /** What is computed as modules are loaded takes its mutant in then: they are loaded again, for all tests of the file. */
  async onAfterRunFiles(files) {
    super.onAfterRunFiles(files);
    if (this.#loaded) return;
    const coverage = stryker.mutantCoverage?.static ?? {};
    for (const file of files) {
      for (const id of Object.keys(coverage)) {
        if (dead.has(id) || tried.has(`${id} ${file.name}`)) continue;
        write({ begun: id, test: file.name });
        this.#loaded = { failed: false };
        Object.assign(stryker, { activeMutant: id, hitCount: 0, hitLimit: 100 * coverage[id] + 1e6 });
        vi.resetModules();
        const [again] = await startTests([{ filepath: file.filepath }], this);
        const end = this.#loaded.failed || again.result?.state === "fail" ? "Killed" : undefined;
        if (end) dead.add(id);
        write({ id, test: file.name, end });
      }
    }
  }

  async #runLoaded(run) {
    if (this.#loaded.failed) return;
    try {
      await run();
    } catch {
      this.#loaded.failed = true;
    }
  }

  /** How the test ends with this mutant: undefined where it passes. */
  async #with(id, hitLimit, run) {
    // With the name of a test, whatever runs counts as what tests reach, and not as what is computed while modules load.
    Object.assign(stryker, { activeMutant: id, hitCount: 0, hitLimit, currentTestId: "repeated" });
    try {
      await run();
      return undefined;
    } catch (error) {
      return String(error?.message).includes("Hit count limit reached") ? "Timeout" : "Killed";
    } finally {
      Object.assign(stryker, { activeMutant: "none", currentTestId: undefined });
    }
  }
}
