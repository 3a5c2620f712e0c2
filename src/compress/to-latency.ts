/** Compression to measured milliseconds: what a share of the multiply-accumulates takes here is found by making and running it. */
import { latencies } from "../analysis/inner.ts";
import { AvocetError, throwIfAborted } from "../base/inner.ts";
import { type Dataset, samples } from "../data/inner.ts";
import { writeModel } from "../formats/inner.ts";
import type { Model } from "../ir/inner.ts";
import type { Runtime } from "../runtime/inner.ts";
import { type Compressed, compressModel } from "./compress.ts";
import type { CompressOptions } from "./options.ts";

/** Milliseconds of one sample, or a share of what the given model takes. */
export type LatencyTarget = { readonly milliseconds: number } | { readonly latency: number };

/** Models that are made and measured; each halves what is not known of the share of the multiply-accumulates. */
const trials = 6;

/** Runs of each model in a measurement, in turn with the given one. */
const runs = 40;

interface Trial {
  readonly made: Compressed;
  /** Of the multiply-accumulates, as it was asked for. */
  readonly share: number;
  readonly milliseconds: number;
}

/**
 * The largest model, by multiply-accumulates, that was measured to be fast enough; what earlier trials know of layers is taken up by the
 * next. Throws `usage/bad-value` for a target that the given model meets, `compress/unreachable` with the fastest that was made, and what
 * `compressModel` throws.
 */
export async function compressToLatency(
  given: Model,
  data: Dataset | null,
  runtime: Runtime,
  target: LatencyTarget,
  options: Omit<CompressOptions, "target" | "ratios">,
): Promise<Compressed> {
  if (!data) {
    throw new AvocetError("data/none", "expected data to measure milliseconds on, got none", { hint: "--data DATA" });
  }
  const clock = await stopwatchOf(given, data, runtime, options);
  const [before] = await clock([]);
  const goal = "milliseconds" in target ? target.milliseconds : target.latency * before!;
  if (!(goal < before!)) {
    throw new AvocetError(
      "usage/bad-value",
      `expected less than the ${ms(before!)} that the model takes, got ${ms(goal)}`,
      {
        at: "--target-latency",
        hint: "it is fast enough as it is, on this machine",
      },
    );
  }
  const tried: Trial[] = [];
  let best: Trial | null = null;
  let [low, high] = [0, 1];
  let share = goal / before!;
  let { sensitivities } = options;
  while (tried.length < trials && high - low > 0.02) {
    throwIfAborted(options);
    const made = await compressed(given, data, runtime, {
      ...options,
      ...(sensitivities && { sensitivities }),
      target: { macs: share },
    });
    if (!made) {
      // No choice of layers is that small.
      low = share;
      share = (low + high) / 2;
      continue;
    }
    sensitivities = made.sensitivities;
    const [reference, now] = await clock([made.model]);
    // Of both in the same minutes: a machine that has become slower is slower for both.
    const milliseconds = (now! / reference!) * before!;
    const trial = { made, share, milliseconds };
    tried.push(trial);
    if (milliseconds <= goal) {
      best = trial;
      low = share;
    } else high = share;
    share = (low + high) / 2;
  }
  const notes = tried.map((one) => `${(100 * one.share).toFixed(0)} % of the MACs took ${ms(one.milliseconds)}`);
  if (best) {
    const found = `${ms(best.milliseconds)} of ${ms(before!)} here, at most ${ms(goal)} was asked for`;
    return { ...best.made, notes: [...best.made.notes, `${found} (${notes.join(", ")})`] };
  }
  const fastest = tried.reduce((least, one) => Math.min(least, one.milliseconds), before!);
  throw new AvocetError(
    "compress/unreachable",
    `expected a latency that can be reached, got ${ms(goal)}; the least is ${ms(fastest)}`,
    {
      at: "--target-latency",
      hint: `${notes.join(", ") || "no smaller model could be made"}: fewer multiply-accumulates are not always less time`,
    },
  );
}

async function compressed(
  given: Model,
  data: Dataset,
  runtime: Runtime,
  options: CompressOptions,
): Promise<Compressed | null> {
  try {
    return await compressModel(given, data, runtime, options);
  } catch (error) {
    if (AvocetError.is(error) && error.code === "compress/unreachable") return null;
    throw error;
  }
}

const ms = (milliseconds: number) => `${milliseconds.toPrecision(3)} ms`;

/** Median milliseconds of one sample of the given model and of others, in turn. */
async function stopwatchOf(
  given: Model,
  data: Dataset,
  runtime: Runtime,
  { threads, signal }: Pick<CompressOptions, "threads" | "signal">,
) {
  const first = samples(data, "first:1");
  let feeds: Parameters<typeof latencies>[1] | undefined;
  for await (const batch of first.batches(1, signal)) feeds ??= batch.feeds;
  const options = threads ? { threads } : {};
  const bytes = writeModel(given);
  return async (others: readonly Model[]): Promise<number[]> => {
    await using reference = await runtime.open(bytes, options);
    const opened = [reference];
    try {
      for (const model of others) opened.push(await runtime.open(writeModel(model), options));
      return await latencies(opened, feeds!, { runs, signal });
    } finally {
      for (const session of opened.slice(1)) await session[Symbol.asyncDispose]();
    }
  };
}
