/** `verify`: the file that ships, in a stock session, against its simulation and against float. */
import { AvocetError, breathe, expectArguments, throwIfAborted, type Work } from "../base/inner.ts";
import type { Dataset } from "../data/inner.ts";
import type { Model } from "../ir/inner.ts";
import { crosses, type Runtime, type RuntimeName, type Session, simulationOf } from "../runtime/inner.ts";
import type { Feeds } from "../tensor/inner.ts";
import { Agreement } from "./agreement.ts";
import { attempt, type Unjudged } from "./attempt.ts";
import type { Interval } from "./confidence.ts";
import type { DecisionUnit } from "./decision-layout.ts";
import { batchOf } from "./evaluate.ts";
import { type KernelLoss, kernelLosses, type Profiler } from "./kernel-times.ts";
import { latencies } from "./latency.ts";
import { type LayerDifference, layerDifferences } from "./layer-difference.ts";
import { OutputDifference } from "./output-difference.ts";
import { type MeaningOptions, type OutputMeaning, outputMeanings } from "./output-meaning.ts";

/** Shares of decisions on which both choose the same class. */
export interface AgreementShares {
  /** Of the stock session and the simulation: the same file without integer kernels; null where the model holds no classes. */
  readonly simulation: number | null;
  /** Of the stock session and the float model. */
  readonly float: number | null;
  /** What is decided about; null without decisions. */
  readonly of: DecisionUnit | null;
  /** 95 % interval of `float`. */
  readonly interval: Interval | null;
  /** How many classes float chose; null without decisions. */
  readonly choices: number | null;
  /** Why there is none, output by output. */
  readonly why: readonly string[];
}

/** One output of the stock session next to that of the simulation and of the float model; null where one of them did not run. */
export interface VerifiedOutput {
  readonly name: string;
  readonly holds: OutputMeaning["kind"];
  /** In dB, for floating-point numbers. */
  readonly sqnr: { readonly simulation: number | null; readonly float: number | null };
  /** Share of equal elements, for all else. */
  readonly equal: { readonly simulation: number | null; readonly float: number | null };
}

/** Milliseconds of one sample. */
export interface MeasuredLatency {
  readonly float: number;
  readonly quantized: number;
  /** What takes longer than in float, where the whole does and somebody profiled both; else absent. */
  readonly losses?: readonly KernelLoss[] | undefined;
}

export interface Verification {
  readonly runtime: RuntimeName;
  readonly runtimeVersion: string;
  readonly samples: number;
  readonly agreement: AgreementShares;
  /** Share of decisions where several classes share the shipped file's highest score: its output grid cannot tell them apart. */
  readonly ties: number | null;
  readonly outputs: readonly VerifiedOutput[];
  /** Null where one of the two did not run. */
  readonly latencyMs: MeasuredLatency | null;
  readonly bytes: { readonly float: number; readonly quantized: number };
  /** Layers whose integers differ between stock session and simulation, the worst first. */
  readonly differences: readonly LayerDifference[];
  /** What could not be judged, and why. */
  readonly unjudged: readonly Unjudged[];
}

export interface VerifyOptions extends Work, MeaningOptions {
  readonly batch?: number;
  readonly threads?: number;
  /** Tells what operators took, where the shipped file is slower than float. Absent: nobody can. */
  readonly profile?: Profiler | undefined;
}

/** Beyond this the shipped file is slower: less is what other programs do to the machine. */
const slower = 1.05;

/** One side: a model and how many bytes its file has. */
export interface VerifiedFile {
  readonly model: Model;
  /** What the runtime opens: the path of the file (in a browser: its address), or its bytes. */
  readonly file: string | Uint8Array;
  /** With the files of its weights. */
  readonly bytes: number;
}

/**
 * Runs the shipped file stock and unoptimised, and the float file, on the same samples. Only a stock session that does not open or
 * run is an error; whatever else cannot be judged is listed in `unjudged`. Throws `runtime/…`, `data/none`, `graph/invalid`.
 */
export async function verify(
  shipped: VerifiedFile,
  float: VerifiedFile,
  runtime: Runtime,
  data: Dataset,
  options: VerifyOptions = {},
): Promise<Verification> {
  expectArguments("verify(shipped, float, runtime, data)", {
    shipped: [shipped, "file"],
    float: [float, "file"],
    runtime: [runtime, "runtime"],
    data: [data, "dataset"],
  });
  const unjudged: Unjudged[] = [];
  // The sessions of the whole files are closed when single layers are compared: of a large model both would not fit.
  const whole = await compareWhole(shipped, float, runtime, data, options, unjudged);
  const differing = () => layerDifferences(shipped.model, runtime, data, options);
  const differences = (await attempt("differences of single layers", unjudged, differing)) ?? [];
  return { ...whole, bytes: { float: float.bytes, quantized: shipped.bytes }, differences, unjudged };
}

/** The stock session next to the simulation and the float file, all open at once. */
async function compareWhole(
  shipped: VerifiedFile,
  float: VerifiedFile,
  runtime: Runtime,
  data: Dataset,
  options: VerifyOptions,
  unjudged: Unjudged[],
): Promise<Omit<Verification, "bytes" | "differences" | "unjudged">> {
  const threads = options.threads === undefined ? {} : { threads: options.threads };
  await using stock = await runtime.open(shipped.file, threads);
  const names = stock.outputs.flatMap(({ name, dtype }) => (dtype !== null && crosses(dtype) ? [name] : []));
  for (const { name, dtype } of stock.outputs) {
    if (!names.includes(name))
      unjudged.push({
        what: `output ${name}`,
        reason: `${runtime.name} hands over no ${dtype ?? "sequence or optional value"}`,
      });
  }
  const openOther = (what: string, open: () => Promise<Session>) => attempt(what, unjudged, open);
  await using simulated = await openOther("the simulation", () =>
    runtime.open(shipped.file, { ...simulationOf(shipped.model), ...threads }),
  );
  await using reference = await openOther("the float model", () => runtime.open(float.file, threads));
  expectOutputs(reference, names, float);
  const meanings = new Map([...outputMeanings(float.model, options)].filter(([name]) => names.includes(name)));
  const floatSide = new Side("the float model", reference, new Agreement(meanings), unjudged);
  // What outputs hold is read from float scores where there are any.
  const simulatedAgreement = new Agreement(meanings, reference ? floatSide.agreement : undefined);
  const sides = {
    simulation: new Side("the simulation", simulated, simulatedAgreement, unjudged),
    float: floatSide,
  };
  let samples = 0;
  for await (const batch of data.batches(batchOf(stock, options.batch ?? 8, data), options.signal)) {
    throwIfAborted(options);
    if (names.length === 0) break;
    const outputs = await stock.run(batch.feeds, names);
    for (const side of [sides.simulation, sides.float]) await side.see(outputs, batch.feeds, names, batch.size);
    samples += batch.size;
    options.onProgress?.({ step: "verify", done: samples, total: data.count });
    await breathe();
  }
  if (samples === 0 && names.length > 0)
    throw new AvocetError("data/none", "expected at least one sample, got none", { at: data.source });
  const { simulation: simulating, float: floating } = sides;
  return {
    runtime: runtime.name,
    runtimeVersion: runtime.version,
    samples,
    agreement: {
      simulation: simulating.agreement.value(),
      float: floating.agreement.value(),
      of: floating.agreement.unit() ?? simulating.agreement.unit(),
      interval: floating.agreement.interval(),
      choices: floating.agreement.choices(),
      why: floating.agreement.why(),
    },
    ties: simulating.agreement.ties(),
    outputs: names.map((name) => ({
      name,
      holds: meanings.get(name)?.kind ?? "other",
      sqnr: { simulation: simulating.of(name)?.sqnr() ?? null, float: floating.of(name)?.sqnr() ?? null },
      equal: { simulation: simulating.of(name)?.equal() ?? null, float: floating.of(name)?.equal() ?? null },
    })),
    latencyMs: (await latency()) ?? null,
  };

  async function latency(): Promise<MeasuredLatency | undefined> {
    const found = await attempt("latency", unjudged, () => timed(reference, stock, names, data, options));
    const { profile } = options;
    if (!found || !profile || found.quantized <= slower * found.float) return found;
    const losses = await attempt("which kernels are slower", unjudged, async () => {
      for await (const { feeds } of data.batches(batchOf(stock, 1, data), options.signal)) {
        return kernelLosses(await profile(float.file, feeds, threads), await profile(shipped.file, feeds, threads));
      }
      return undefined;
    });
    return losses ? { ...found, losses } : found;
  }
}

function expectOutputs(reference: Session | undefined, names: readonly string[], { file, model }: VerifiedFile): void {
  const absent = names.find((name) => reference && !reference.outputs.some((output) => output.name === name));
  if (absent === undefined) return;
  throw new AvocetError("graph/invalid", `expected the float model to have the output ${absent}`, {
    at: typeof file === "string" ? file : model.graph.name,
  });
}

/** A session that is compared with the stock one until it fails. */
class Side {
  readonly agreement: Agreement;
  readonly #differences = new Map<string, OutputDifference>();
  readonly #what: string;
  readonly #unjudged: Unjudged[];
  #session: Session | undefined;

  constructor(what: string, session: Session | undefined, agreement: Agreement, unjudged: Unjudged[]) {
    this.agreement = agreement;
    this.#what = what;
    this.#session = session;
    this.#unjudged = unjudged;
  }

  of(name: string): OutputDifference | undefined {
    return this.#differences.get(name);
  }

  async see(stock: Feeds, feeds: Feeds, names: readonly string[], size: number): Promise<void> {
    const session = this.#session;
    if (!session) return;
    const own = await attempt(this.#what, this.#unjudged, () => session.run(feeds, names));
    if (!own) this.#session = undefined;
    for (const name of own ? names : []) {
      this.agreement.see(name, stock[name]!, own![name]!, size);
      const difference = this.#differences.get(name) ?? new OutputDifference();
      this.#differences.set(name, difference);
      difference.see(stock[name]!, own![name]!);
    }
  }
}

async function timed(
  reference: Session | undefined,
  stock: Session,
  names: readonly string[],
  data: Dataset,
  options: VerifyOptions,
): Promise<{ float: number; quantized: number } | undefined> {
  if (!reference || names.length === 0) return undefined;
  for await (const one of data.batches(batchOf(stock, 1, data), options.signal)) {
    const measure = () => latencies([reference, stock], one.feeds, { ...options, want: names });
    const [float, quantized] = await measure();
    if (quantized! <= float!) return { float: float!, quantized: quantized! };
    // What other programs do to the machine looks like a slow model: the better of two is nearer to the model's own.
    const [again, other] = await measure();
    return { float: Math.min(float!, again!), quantized: Math.min(quantized!, other!) };
  }
  return undefined;
}
