/** Runs two models on the same seeded inputs in ONNX Runtime and expects the same outputs. */
import { expect } from "vitest";
import { Random } from "../src/base/inner.ts";
import type { Model, Value } from "../src/ir/inner.ts";
import { openRuntime, type SessionOptions } from "../src/runtime/inner.ts";
import { type DType, dtypes, type Feeds, sizeOf, Tensor } from "../src/tensor/inner.ts";

export interface Comparison {
  /** Largest difference allowed: `atol + rtol · |before|`. Zero (the default) asks for equal numbers. */
  readonly atol?: number;
  readonly rtol?: number;
  /** Further difference allowed, as a part of the largest magnitude of the output: for deep nets that sum in other orders. */
  readonly ofRange?: number;
  /** Inputs that must be special; all others are seeded. */
  readonly feeds?: Feeds;
  /** Lengths of symbolic dimensions by name (default 2). */
  readonly dims?: Readonly<Record<string, number>>;
  readonly seed?: number;
  readonly session?: SessionOptions;
}

/** Seeded inputs for a model: floats normally distributed, integers from 0 to 3, booleans both ways. */
export function seededFeeds(model: Model, { feeds = {}, dims = {}, seed = 1 }: Comparison = {}): Feeds {
  const random = new Random(seed);
  const made: Record<string, Tensor> = {};
  for (const input of model.graph.inputs) {
    if (input.initializer) continue;
    made[input.name] = feeds[input.name] ?? seededTensor(input, dims, random.fork(input.name));
  }
  return made;
}

function seededTensor({ name, type }: Value, dims: Readonly<Record<string, number>>, random: Random): Tensor {
  if (type?.kind !== "tensor" || !type.shape) throw new Error(`the test must feed ${name}: its type does not tell how`);
  const shape = type.shape.map((d) => (typeof d === "number" ? d : d === null ? 2 : (dims[d] ?? 2)));
  const { dtype } = type;
  const { kind } = dtypes[dtype];
  const numbers = Array.from({ length: sizeOf(shape) }, () => {
    if (kind === "float") return random.normal();
    return kind === "bool" ? random.integer(2) : random.integer(4);
  });
  return tensorOf(dtype, shape, numbers);
}

function tensorOf(dtype: DType, shape: readonly number[], numbers: readonly number[]): Tensor {
  if (dtype === "float32") return Tensor.float32(shape, numbers);
  if (dtype === "int64") return Tensor.int64(shape, numbers);
  if (dtype === "float64") return Tensor.of(dtype, shape, Float64Array.from(numbers));
  if (dtype === "int32") return Tensor.of(dtype, shape, Int32Array.from(numbers));
  if (dtype === "uint8" || dtype === "bool") return Tensor.of(dtype, shape, Uint8Array.from(numbers));
  throw new Error(`the test must feed ${dtype} itself`);
}

/** Runs a model once with these feeds; optimisation is off so that nothing but the graph itself is compared. */
export async function outputsOf(
  model: Model,
  feeds: Feeds,
  options: SessionOptions = { optimization: "off" },
): Promise<Feeds> {
  const runtime = await openRuntime();
  await using session = await runtime.open(model, options);
  return await session.run(feeds);
}

/** Expects that two models give the same named outputs, of the same types and shapes, on the same inputs. */
export async function expectSameOutputs(before: Model, after: Model, comparison: Comparison = {}): Promise<void> {
  const { atol = 0, rtol = 0, ofRange = 0, session } = comparison;
  const feeds = seededFeeds(before, comparison);
  const expected = await outputsOf(before, feeds, session);
  const actual = await outputsOf(after, feeds, session);
  expect(Object.keys(actual)).toEqual(Object.keys(expected));
  for (const [name, tensor] of Object.entries(expected)) {
    const other = actual[name]!;
    expect({ name, dtype: other.dtype, shape: other.shape }).toEqual({
      name,
      dtype: tensor.dtype,
      shape: tensor.shape,
    });
    if (tensor.dtype === "string") {
      expect(other.data).toEqual(tensor.data);
      continue;
    }
    const [a, b] = [tensor.numbers(), other.numbers()];
    const allowed = atol + (ofRange > 0 ? ofRange * a.reduce((most, x) => Math.max(most, Math.abs(x)), 0) : 0);
    const off = a.findIndex((x, i) => !Object.is(x, b[i]) && !(Math.abs(x - b[i]!) <= allowed + rtol * Math.abs(x)));
    if (off >= 0) throw new Error(`output ${name} differs at ${off}: expected ${a[off]}, got ${b[off]}`);
  }
}
