/** A candidate that was made in the main thread is scored in worker threads with the same number. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { rolldown } from "rolldown";
import { afterAll, beforeAll, expect, test } from "vitest";
import { networkInputs } from "../examples/pictures/dataset.mjs";
import { fromIterable, openRuntime, parseRecipe, quantizeModel, readModel } from "../src/index.ts";
import { Candidate, localScorer, type Score, type Scorer, scorerPool, scorerThrough } from "../src/recipe/inner.ts";
import { packageAlias } from "./browser/bundle.ts";
import { judging } from "./scored-pictures.ts";
import { root } from "./source-files.ts";

const count = 60;
const folder = mkdtempSync(join(tmpdir(), "avocet-score-"));
const workers: Worker[] = [];
const ports: MessagePort[] = [];
let script: string;
let candidate: Candidate;
let coarse: Candidate;
let here: Scorer;

beforeAll(async () => {
  script = join(folder, "score-worker.mjs");
  writeFileSync(script, await workerCode());
  const runtime = await openRuntime();
  here = localScorer({ runtime, threads: 1, ...judging(count) });
  const data = fromIterable(() => networkInputs("calibration", 24), { count: 24 });
  const model = readModel(readFileSync(join(root, "examples/models/pictures.onnx")));
  const made = (weights: string) =>
    quantizeModel(model, data, parseRecipe({ weights, granularity: "tensor" }), runtime, { threads: 1 });
  candidate = new Candidate(await made("int8"));
  coarse = new Candidate(await made("int4"));
}, 60_000);
afterAll(async () => {
  for (const port of ports) port.close();
  await Promise.all(workers.map((worker) => worker.terminate()));
  rmSync(folder, { recursive: true, force: true });
});

/** Node loads no TypeScript: the worker's program is bundled from the sources. */
async function workerCode(): Promise<string> {
  const build = await rolldown({
    input: join(root, "test/score-worker.ts"),
    platform: "node",
    tsconfig: false,
    // Node 20 has no `using`.
    transform: { target: "es2022" },
    resolve: { alias: packageAlias("node") },
    external: [/^onnxruntime-/, /^node:/],
  });
  const { output } = await build.generate({ format: "esm", codeSplitting: false });
  await build.close();
  // In a folder of its own it finds no packages.
  return output[0].code.replaceAll(
    /"onnxruntime-node"\)/g,
    `${JSON.stringify(import.meta.resolve("onnxruntime-node"))})`,
  );
}

function worker(): Scorer {
  const { port1, port2 } = new MessageChannel();
  const options = { workerData: { port: port2, count }, transferList: [port2] };
  workers.push(new Worker(pathToFileURL(script), options as unknown as ConstructorParameters<typeof Worker>[1]));
  ports.push(port1);
  return scorerThrough(port1);
}

test("the same number in a worker thread", async () => {
  const there = worker();
  const [one, two] = [await here.score(candidate), await here.score(coarse)];
  // Both are worth something, and they differ: a worker that scored something else would be seen.
  expect(one).toMatchObject({ metric: "top1", unit: "%", better: "higher" });
  expect(one.value).not.toBe(two.value);
  expect(await there.score(candidate)).toEqual(one);
  expect(await there.score(coarse)).toEqual(two);
});

test("a pool of two gives each candidate its own score, in the order of the questions", async () => {
  const pool = scorerPool([worker(), worker()]);
  const asked = [candidate, coarse, candidate, coarse, coarse];
  const expected = new Map<Candidate, Score>();
  for (const one of [candidate, coarse]) expected.set(one, await here.score(one));
  const scores = await Promise.all(asked.map((one) => pool.score(one)));
  expect(scores).toEqual(asked.map((one) => expected.get(one)));
});

test("bytes come back as the same candidate; a failure in the worker is the failure", async () => {
  const again = Candidate.from(candidate.bytes());
  expect(again.bytes()).toEqual(candidate.bytes());
  expect(again.plan).toEqual(candidate.plan);
  const same = new Candidate({ ...candidate, decided: candidate.prepared });
  const shared = Candidate.from(same.bytes());
  expect(shared.decided).toBe(shared.prepared);
  expect(() => Candidate.from(new Uint8Array(40))).toThrow(/Candidate\.bytes/);
  const broken = new Candidate({ ...candidate, plan: { ...candidate.plan, entries: [{ ...candidate.plan.entries[0]!, value: "no such value" }] } }); // biome-ignore format: a row
  const [mine, theirs] = await Promise.all(
    [here, worker()].map((one) => one.score(broken).then(String, (error) => error)),
  );
  expect(theirs.code).toBe(mine.code);
  expect(theirs.message).toBe(mine.message);
});
