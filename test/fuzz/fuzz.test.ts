/** Some thousand damaged inputs: none ends in a foreign exception, a hang, a crash or more memory than is allowed. Hours: bench/fuzz.mjs. */
import { expect, test } from "vitest";
import { Random } from "../../src/base/inner.ts";
import { bundleWorker } from "./bundle.ts";
import { mutateJson } from "./mutate-bytes.ts";
import { Lane } from "./run.ts";
import { defaultShares } from "./shares.ts";

const mutants = Number(process.env.AVOCET_FUZZ_MUTANTS ?? 2400);

test("damaged files and models are refused with a reason, or taken", { timeout: 600_000 }, async () => {
  await using lane = new Lane({ worker: await bundleWorker("fuzz-test-worker.mjs"), timeout: 60_000 });
  const whole = Object.values(defaultShares).reduce((sum, share) => sum + share, 0);
  const failed: string[] = [];
  let [taken, refused] = [0, 0];
  for (const [target, share] of Object.entries(defaultShares)) {
    const { counts, failures } = await lane.fuzz({ target, first: 0, count: Math.ceil((mutants * share) / whole) });
    taken += counts.ok ?? 0;
    refused += counts.error ?? 0;
    for (const { seed, outcome } of failures)
      failed.push(`${target} ${seed}: ${JSON.stringify(outcome).slice(0, 600)}`);
  }
  expect(failed).toEqual([]);
  // Both must happen often, or the mutants are too tame or too wild.
  expect(taken).toBeGreaterThan(mutants / 4);
  expect(refused).toBeGreaterThan(mutants / 4);
});

test("a mutant of a JSON is of its seed alone, whatever came before it", () => {
  const sound = { version: 1, list: [1, 2, { a: [3] }], nested: { deeper: { x: "y" } } };
  const mutantOf = (seed: number) => mutateJson(sound, new Random(seed));
  const first = Array.from({ length: 500 }, (_, seed) => mutantOf(seed));
  for (let seed = 500; seed < 3000; seed++) mutantOf(seed);
  expect(Array.from({ length: 500 }, (_, seed) => mutantOf(seed))).toEqual(first);
});
