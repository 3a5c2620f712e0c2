/**
 * Latency of sessions side by side: interleaved runs, so that a change of the machine's speed meets all of them. Runs count from when they get
 * no faster: V8 compiles WebAssembly quickly at first, and what runs often again and well, in the background, so that the first half
 * second of a session of ort-web may be several times slower than all that comes after.
 */
import { breathe, throwIfAborted, type Work } from "../base/inner.ts";
import type { Session } from "../runtime/inner.ts";
import type { Feeds } from "../tensor/inner.ts";

export interface LatencyOptions extends Work {
  /** Counted runs of each session (default 30, fewer when one run is long: about a second and a half in all). */
  readonly runs?: number;
  /** The outputs that are asked for. Default: all. */
  readonly want?: readonly string[];
}

/** Median milliseconds of one run of each session with the same feeds. */
export async function latencies(
  sessions: readonly Session[],
  feeds: Feeds,
  options: LatencyOptions = {},
): Promise<number[]> {
  const longest = Math.max(...(await warmUp(sessions, feeds, options)));
  const runs = options.runs ?? Math.max(5, Math.min(30, Math.round(1500 / longest / sessions.length)));
  const times = sessions.map(() => [] as number[]);
  for (let run = 0; run < runs; run++) {
    throwIfAborted(options);
    for (const [i, session] of sessions.entries()) times[i]!.push(await time(session, feeds, options.want));
    await breathe();
  }
  return times.map(median);
}

/** Milliseconds of a window of runs, of the longest warm-up, and how many windows in a row without a faster run end it. */
const [windowMs, mostMs, steadyWindows] = [200, 6000, 2];

/** Less is chance. */
const faster = 0.95;

/** Runs the sessions in turn until none gets faster, and returns the shortest run of each in the last window. */
async function warmUp(sessions: readonly Session[], feeds: Feeds, options: LatencyOptions): Promise<number[]> {
  const best = sessions.map(() => Number.POSITIVE_INFINITY);
  const end = performance.now() + mostMs;
  for (let steady = 0; ; ) {
    const last = await fastest(sessions, feeds, options);
    steady = last.some((ms, i) => ms < faster * best[i]!) ? 0 : steady + 1;
    for (const [i, ms] of last.entries()) best[i] = Math.min(best[i]!, ms);
    if (steady === steadyWindows || performance.now() > end) return last;
  }
}

/** The shortest run of each session in one window. */
async function fastest(sessions: readonly Session[], feeds: Feeds, options: LatencyOptions): Promise<number[]> {
  const best = sessions.map(() => Number.POSITIVE_INFINITY);
  const end = performance.now() + windowMs;
  do {
    throwIfAborted(options);
    for (const [i, session] of sessions.entries())
      best[i] = Math.min(best[i]!, await time(session, feeds, options.want));
  } while (performance.now() < end);
  await breathe();
  return best;
}

async function time(session: Session, feeds: Feeds, want: readonly string[] | undefined): Promise<number> {
  const start = performance.now();
  await session.run(feeds, want);
  return performance.now() - start;
}

/** The middle of the numbers; the mean of the two middle ones for an even count. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}
