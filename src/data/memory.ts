/** Data that a program has at hand: arrays, tensors, and its own iterables. */
import { AvocetError, expectArguments, throwIfAborted } from "../base/inner.ts";
import { type DType, type Feeds, type NumericArray, type Shape, Tensor } from "../tensor/inner.ts";
import type { Dataset, IndexedDataset, SampleAxes } from "./dataset.ts";
import { checkedSize, indexedDataset } from "./indexed.ts";
import { rebatch } from "./rebatch.ts";
import { gatherFeeds, rowsOfFeeds } from "./rows.ts";

export interface MemoryOptions {
  /** For messages. Default "tensors". */
  readonly source?: string;
  /** On which axes samples lie. Default: on the first of every tensor. */
  readonly axes?: SampleAxes;
}

/**
 * Tensors with all samples on their first axes, or on those that `axes` names; one per model input. `options` may be the
 * source alone. Throws `data/wrong-shape`, `data/none`.
 */
export function fromTensors(feeds: Feeds, options: string | MemoryOptions = {}): IndexedDataset {
  expectArguments("fromTensors(feeds)", { feeds: [feeds, "feeds"] });
  const { source = "tensors", axes } = typeof options === "string" ? { source: options } : options;
  return indexedDataset({
    count: rowsOfFeeds(feeds, source, axes),
    source,
    ...(axes && { axes }),
    read: async (indices) => gatherFeeds(feeds, indices, axes),
  });
}

const dtypeOfArray: Readonly<Record<string, DType>> = {
  Float32Array: "float32",
  Float64Array: "float64",
  Int8Array: "int8",
  Uint8Array: "uint8",
  Int16Array: "int16",
  Uint16Array: "uint16",
  Int32Array: "int32",
  Uint32Array: "uint32",
  BigInt64Array: "int64",
  BigUint64Array: "uint64",
};

/** One typed array of shape [samples, …] for the model input `input`. Throws `tensor/wrong-size`, `data/none`. */
export function fromArray(input: string, shape: Shape, data: NumericArray, source = "array"): IndexedDataset {
  expectArguments("fromArray(input, shape, data)", {
    input: [input, "text"],
    shape: [shape, "list"],
    data: [data, "object"],
  });
  const dtype = Object.keys(dtypeOfArray).find((name) => data.constructor?.name === name);
  if (!dtype)
    throw new AvocetError(
      "data/wrong-dtype",
      `expected a typed array, got ${data.constructor?.name ?? "something else"}`,
      {
        at: source,
        hint: "for example new Float32Array(numbers)",
      },
    );
  return fromTensors({ [input]: Tensor.of(dtypeOfArray[dtype]!, shape, data) }, source);
}

/**
 * Data that a function makes again each time it is called; each piece has any number of samples, on the first axes or on
 * those that `axes` names.
 * Throws `data/none` when a pass returns nothing.
 */
export function fromIterable(
  make: () => AsyncIterable<Feeds> | Iterable<Feeds>,
  options: MemoryOptions & { readonly count?: number } = {},
): Dataset {
  const { count = null, source = "iterable", axes } = options;
  if (typeof make !== "function") {
    throw new AvocetError("usage/bad-value", "expected a function that makes an iterable, got something else", {
      at: source,
      hint: "data is read several times: pass () => myGenerator()",
    });
  }
  async function* pieces(signal: AbortSignal | undefined): AsyncGenerator<Feeds> {
    let seen = 0;
    for await (const feeds of make()) {
      throwIfAborted({ signal });
      const rows = rowsOfFeeds(feeds, source, axes);
      seen += rows;
      if (rows > 0) yield feeds;
    }
    if (seen === 0) {
      throw new AvocetError("data/none", "expected at least one sample, got none", {
        at: source,
        hint: "the function must make a new iterable each time it is called",
      });
    }
    if (count !== null && seen !== count) {
      throw new AvocetError("data/wrong-shape", `expected ${count} samples, got ${seen}`, { at: source });
    }
  }
  return {
    count,
    source,
    ...(axes && { axes }),
    batches: (size, signal) => rebatch(pieces(signal), checkedSize(size), source, axes),
  };
}
