/** Latency of sessions side by side: interleaved runs, so that a change of the machine's speed meets all of them. */
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
  let longest = 0;
  for (const session of sessions) {
    await session.run(feeds, options.want);
    longest = Math.max(longest, await time(session, feeds, options.want));
  }
  const runs = options.runs ?? Math.max(5, Math.min(30, Math.round(1500 / longest / sessions.length)));
  const times = sessions.map(() => [] as number[]);
  for (let run = 0; run < runs; run++) {
    throwIfAborted(options);
    for (const [i, session] of sessions.entries()) times[i]!.push(await time(session, feeds, options.want));
    await breathe();
  }
  return times.map(median);
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
