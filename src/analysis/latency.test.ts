/** Latency on a clock of its own: what is measured is what sessions take once they get no faster. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Session } from "../runtime/inner.ts";
import { latencies } from "./latency.ts";

let now = 0;
beforeEach(() => {
  now = 0;
  vi.spyOn(performance, "now").mockImplementation(() => now);
});
afterEach(() => vi.restoreAllMocks());

/** Takes so many milliseconds at a time of the clock, and counts its runs. */
function session(takes: (at: number) => number): Session & { runs: number } {
  return {
    inputs: [],
    outputs: [],
    runs: 0,
    async run() {
      this.runs++;
      now += takes(now);
      return {};
    },
    async [Symbol.asyncDispose]() {},
  };
}

test("a session that is compiled again as it runs is measured after that", async () => {
  const interpreted = session((at) => (at < 300 ? 24 : at < 650 ? 12 : 3));
  const [web, native] = await latencies([interpreted, session(() => 2)], {});
  expect([web, native]).toEqual([3, 2]);
});

test("steady sessions are measured after three windows", async () => {
  const steady = session(() => 10);
  expect(await latencies([steady], {}, { runs: 5 })).toEqual([10]);
  expect(steady.runs).toBe(3 * 20 + 5);
});

test("a session that gets faster for ever, or takes seconds, is measured after six seconds at the latest", async () => {
  // A window of 200 ms later it takes 8 % less.
  await latencies([session((at) => 40 * Math.exp(-at / 2500))], {}, { runs: 1 });
  expect(now).toBeGreaterThan(6000);
  expect(now).toBeLessThan(7000);
  now = 0;
  const slow = session(() => 4000);
  expect(await latencies([slow], {})).toEqual([4000]);
  expect(slow.runs).toBe(2 + 5);
});

test("an abort ends the warm-up", async () => {
  const abort = new AbortController();
  const endless = session(() => {
    abort.abort();
    return 1;
  });
  await expect(latencies([endless], {}, { signal: abort.signal })).rejects.toMatchObject({ code: "abort/interrupted" });
});
