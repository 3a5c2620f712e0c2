/** `verify`: the file that ships, in a stock session, against its simulation and against float. */
import { AvocetError, breathe, throwIfAborted, type Work } from "../base/index.ts";
import type { Dataset } from "../data/index.ts";
import type { Model } from "../ir/index.ts";
import type { Runtime, RuntimeName } from "../runtime/index.ts";
import { Agreement } from "./agreement.ts";
import { batchOf } from "./evaluate.ts";
import { latencies } from "./latency.ts";
import { type LayerDifference, layerDifferences } from "./layer-difference.ts";

export interface Verification {
  readonly runtime: RuntimeName;
  readonly runtimeVersion: string;
  readonly samples: number;
  /** Shares of places on which both choose the same class; null where the model has no classes. */
  readonly agreement: { readonly simulation: number | null; readonly float: number | null };
  /** Share of places where several classes share the shipped file's highest score: its output grid cannot tell them apart. */
  readonly ties: number | null;
  readonly latencyMs: { readonly float: number; readonly quantized: number };
  readonly bytes: { readonly float: number; readonly quantized: number };
  /** Layers whose integers differ between stock session and simulation, the worst first. */
  readonly differences: readonly LayerDifference[];
}

export interface VerifyOptions extends Work {
  readonly batch?: number;
  readonly threads?: number;
}

/** One side: a model and how many bytes its file has. */
export interface VerifiedFile {
  readonly model: Model;
  readonly path: string;
  readonly bytes: number;
}

/** Runs the shipped file stock and unoptimised, and the float file, on the same samples. */
export async function verify(
  shipped: VerifiedFile,
  float: VerifiedFile,
  runtime: Runtime,
  data: Dataset,
  options: VerifyOptions = {},
): Promise<Verification> {
  const threads = options.threads === undefined ? {} : { threads: options.threads };
  await using stock = await runtime.open(shipped.path, threads);
  await using simulated = await runtime.open(shipped.path, { optimization: "off", ...threads });
  await using reference = await runtime.open(float.path, threads);
  const [simulation, floating] = [new Agreement(), new Agreement()];
  let latencyMs: number[] = [];
  let samples = 0;
  for await (const batch of data.batches(batchOf(stock, options.batch ?? 8, data), options.signal)) {
    throwIfAborted(options);
    const a = await stock.run(batch.feeds);
    const b = await simulated.run(batch.feeds);
    const c = await reference.run(batch.feeds);
    for (const name of Object.keys(a)) {
      if (!b[name] || !c[name])
        throw new AvocetError("graph/invalid", `expected the float model to have the output ${name}`, {
          at: float.path,
        });
      simulation.see(a[name]!, b[name]);
      floating.see(a[name]!, c[name]);
    }
    samples += batch.size;
    options.onProgress?.({ step: "verify", done: samples, total: data.count });
    await breathe();
  }
  if (samples === 0) throw new AvocetError("data/none", "expected at least one sample, got none", { at: data.source });
  for await (const one of data.batches(batchOf(stock, 1, data), options.signal)) {
    latencyMs = await latencies([reference, stock], one.feeds, options);
    break;
  }
  return {
    runtime: runtime.name,
    runtimeVersion: runtime.version,
    samples,
    agreement: { simulation: simulation.value(), float: floating.value() },
    ties: simulation.ties(),
    latencyMs: { float: latencyMs[0]!, quantized: latencyMs[1]! },
    bytes: { float: float.bytes, quantized: shipped.bytes },
    differences: await layerDifferences(shipped.model, runtime, data, options),
  };
}
