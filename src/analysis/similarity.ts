/**
 * How close two models are, value by value: SQNR and cosine. Both models become one graph that shares the inputs and
 * reduces each pair of values to three sums, so that only small numbers leave the runtime.
 */
import { AvocetError, breathe, expectArguments, throwIfAborted, type Work } from "../base/inner.ts";
import type { Dataset } from "../data/inner.ts";
import {
  absorb,
  addNode,
  check,
  cloneModel,
  type Graph,
  type Model,
  removeDead,
  tensorType,
  type Value,
} from "../ir/inner.ts";
import { upgradeOpset } from "../passes/inner.ts";
import { type Runtime, simulationOf } from "../runtime/inner.ts";
import { dtypes, isFloat, Tensor } from "../tensor/inner.ts";
import { batchOf } from "./evaluate.ts";

export interface Similarity {
  readonly name: string;
  /** 10 · log10(Σ x² / Σ (x − y)²) in dB; Infinity when equal, NaN where one of them holds what is no number. */
  readonly sqnr: number;
  /** Σ x·y / √(Σ x² · Σ y²). */
  readonly cosine: number;
}

/** A value of the reference model and the name of its counterpart. */
export interface ValuePair {
  readonly reference: string;
  readonly other: string;
}

export interface SimilarityOptions extends Work {
  readonly batch?: number;
  readonly threads?: number;
}

/**
 * Σ x², Σ y² and Σ (x − y)² of every pair over all samples, in float64 across batches. Both models must have the same
 * inputs. Graph optimisation keeps Q/DQ unfused, so that the simulation is what is compared.
 */
export async function compareValues(
  reference: Model,
  other: Model,
  pairs: readonly ValuePair[],
  runtime: Runtime,
  data: Dataset,
  options: SimilarityOptions = {},
): Promise<Similarity[]> {
  expectArguments("compareValues(reference, other, pairs, runtime, data)", {
    reference: [reference, "model"],
    other: [other, "model"],
    runtime: [runtime, "runtime"],
    data: [data, "dataset"],
    pairs: [pairs, "list"],
  });
  if (pairs.length === 0) return [];
  const sums = new Float64Array(pairs.length * 3);
  for await (const part of sumsOfRuns(reference, other, pairs, runtime, data, { batch: 8, ...options })) {
    part.forEach((value, i) => {
      sums[i] = sums[i]! + value;
    });
  }
  return pairs.map(({ reference: name }, i) => {
    const [xx = 0, yy = 0, dd = 0] = sums.subarray(3 * i, 3 * i + 3);
    return { name, sqnr: decibels(xx, dd), cosine: cosineOf(xx, yy, dd) };
  });
}

/** The lowest SQNR of the pairs in dB, for each sample by itself (for each batch where the model fixes its length). */
export async function sampleSqnrs(
  reference: Model,
  other: Model,
  pairs: readonly ValuePair[],
  runtime: Runtime,
  data: Dataset,
  options: Omit<SimilarityOptions, "batch"> = {},
): Promise<number[]> {
  const found: number[] = [];
  for await (const sums of sumsOfRuns(reference, other, pairs, runtime, data, { ...options, batch: 1 })) {
    found.push(Math.min(...pairs.map((_, i) => decibels(sums[3 * i]!, sums[3 * i + 2]!))));
  }
  return found;
}

/** Σ x², Σ y² and Σ (x − y)² of every pair, run by run. */
async function* sumsOfRuns(
  reference: Model,
  other: Model,
  pairs: readonly ValuePair[],
  runtime: Runtime,
  data: Dataset,
  { batch: size, ...options }: SimilarityOptions & { readonly batch: number },
): AsyncGenerator<Float32Array> {
  const joined = sideBySide(reference, other, pairs);
  const threads = options.threads === undefined ? {} : { threads: options.threads };
  await using session = await runtime.open(joined, { ...simulationOf(joined), ...threads });
  let done = 0;
  for await (const batch of data.batches(batchOf(session, size, data), options.signal)) {
    throwIfAborted(options);
    const { "avocet:sums": part } = await session.run(batch.feeds);
    yield part!.floats();
    done += batch.size;
    options.onProgress?.({ step: "compare", done, total: data.count });
    await breathe();
  }
}

/** 10 · log10(signal / noise); equal values give Infinity, also when both are zero. */
function decibels(signal: number, noise: number): number {
  if (noise === 0) return Number.POSITIVE_INFINITY;
  return 10 * Math.log10(signal / noise);
}

/** Σ x·y follows from the other sums: 2·Σxy = Σx² + Σy² − Σ(x − y)². */
function cosineOf(xx: number, yy: number, dd: number): number {
  if (xx === 0 || yy === 0) return dd === 0 ? 1 : 0;
  return Math.min(1, (xx + yy - dd) / 2 / Math.sqrt(xx * yy));
}

/** One model with the inputs of both and a single output: [3 · pairs] sums. The older of the two is raised to the other's opset. */
function sideBySide(reference: Model, given: Model, pairs: readonly ValuePair[]): Model {
  const other = given.opset < reference.opset ? cloneModel(given) : given;
  upgradeOpset(other, Math.max(reference.opset, given.opset));
  const joined = cloneModel(reference);
  const { graph } = joined;
  upgradeOpset(joined, other.opset);
  for (const [domain, version] of other.opsets)
    joined.opsets.set(domain, Math.max(version, joined.opsets.get(domain) ?? 0));
  joined.irVersion = Math.max(joined.irVersion, other.irVersion);
  const map = new Map<Value, Value>();
  for (const input of other.graph.inputs) {
    if (input.initializer) continue;
    const twin = graph.inputs.find((v) => v.name === input.name);
    if (!twin)
      throw new AvocetError("data/wrong-shape", `expected both models to have the input ${input.name}`, {
        at: other.source ?? "",
      });
    map.set(input, inTypeOf(graph, twin, input));
  }
  const left = graph.valuesByName();
  absorb(graph, other.graph, map);
  const right = other.graph.valuesByName();
  const sums = pairs.flatMap((pair) => {
    const x = asFloat(graph, find(left, pair.reference, reference));
    const y = asFloat(graph, map.get(find(right, pair.other, other))!);
    return [product(graph, x, x), product(graph, y, y), squaredDifference(graph, x, y)];
  });
  const all = addNode(graph, "Concat", sums, { axis: 0 }, { output: "avocet:sums" }).output;
  all.type = tensorType("float32", [sums.length]);
  graph.setOutputs([all]);
  removeDead(graph);
  check(joined, "after joining two models");
  return joined;
}

/** The input of one model as that of the other one has it: in half precision, or widened. */
function inTypeOf(graph: Graph, given: Value, wanted: Value): Value {
  const [from, to] = [given, wanted].map(({ type }) => (type?.kind === "tensor" ? type.dtype : undefined));
  if (from === to || !from || !to || !isFloat(from) || !isFloat(to)) return given;
  return addNode(graph, "Cast", [given], { to: dtypes[to].onnx }).output;
}

/** Sums of half precision overflow, and those of other types do not join: all are float32. */
function asFloat(graph: Graph, value: Value): Value {
  if (value.type?.kind === "tensor" && value.type.dtype === "float32") return value;
  return addNode(graph, "Cast", [value], { to: 1 }).output;
}

function product(graph: Graph, x: Value, y: Value): Value {
  return total(graph, addNode(graph, "Mul", [x, y]).output);
}

function squaredDifference(graph: Graph, x: Value, y: Value): Value {
  const difference = addNode(graph, "Sub", [x, y]).output;
  return product(graph, difference, difference);
}

/** The sum of all elements, as a vector of one. */
function total(graph: Graph, x: Value): Value {
  const sum = addNode(graph, "ReduceSum", [x], { keepdims: 0 }).output;
  const one = graph.addInitializer("avocet:one", Tensor.int64([1], [1]));
  return addNode(graph, "Reshape", [sum, one]).output;
}

function find(values: ReadonlyMap<string, Value>, name: string, model: Model): Value {
  const value = values.get(name);
  if (!value)
    throw new AvocetError("graph/not-found", `expected a value of the model, got ${name}`, {
      at: model.source ?? "the model",
    });
  return value;
}
