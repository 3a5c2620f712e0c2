/** Parts of data, batches and caching: which samples, in which order, whatever the batch size. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Feeds, Tensor } from "../tensor/inner.ts";
import { cached } from "./cache.ts";
import type { Dataset } from "./dataset.ts";
import { indexedDataset } from "./indexed.ts";
import { fromArray, fromIterable, fromTensors } from "./memory.ts";
import { parseSelection, samples, selectedIndices } from "./selection.ts";

const numbers = (count: number) =>
  fromArray(
    "x",
    [count, 1],
    Float32Array.from({ length: count }, (_, i) => i),
  );
const stream = (count: number, piece = 3) =>
  fromIterable(function* () {
    for (let i = 0; i < count; i += piece) {
      const values = Array.from({ length: Math.min(piece, count - i) }, (_, k) => i + k);
      yield { x: Tensor.float32([values.length, 1], values) };
    }
  });

async function seen(dataset: Dataset, size: number): Promise<number[]> {
  const all: number[] = [];
  for await (const { feeds, first, size: rows } of dataset.batches(size)) {
    expect(first).toBe(all.length);
    expect(feeds.x!.shape[0]).toBe(rows);
    all.push(...feeds.x!.numbers());
  }
  return all;
}

const count = fc.integer({ min: 1, max: 60 });
const size = fc.integer({ min: 1, max: 9 });

describe("samples", () => {
  test("N samples are the numbers ⌊i·count/N⌋", () =>
    fc.assert(
      fc.property(count, count, (total, n) => {
        const indices = selectedIndices(parseSelection(n), total, "");
        const wanted = Array.from({ length: Math.min(n, total) }, (_, i) =>
          Math.floor((i * total) / Math.min(n, total)),
        );
        expect(indices).toEqual(wanted);
      }),
    ));

  test("every:K and except-every:K share the data between them", () =>
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 60 }), fc.integer({ min: 2, max: 9 }), (total, k) => {
        const every = selectedIndices(parseSelection(`every:${k}`), total, "");
        const rest = selectedIndices(parseSelection(`except-every:${k}`), total, "");
        expect(every).toEqual(Array.from({ length: Math.ceil(total / k) }, (_, i) => i * k));
        expect([...every, ...rest].sort((a, b) => a - b)).toEqual(Array.from({ length: total }, (_, i) => i));
      }),
    ));

  test("a stream and an array give the same part, for any batch size and again", () =>
    fc.assert(
      fc.asyncProperty(count, size, fc.constantFrom("7", "first:5", "every:3", "all"), async (total, batch, spec) => {
        const fromArrays = samples(numbers(total), spec);
        const fromStream = samples(stream(total), spec);
        const expected = await seen(fromArrays, batch);
        expect(await seen(fromStream, batch)).toEqual(expected);
        expect(await seen(fromStream, batch)).toEqual(expected);
        const { origin } = fromStream;
        if (origin) expect(expected.map((_, i) => origin.of(i))).toEqual(expected);
      }),
      { numRuns: 60 },
    ));

  test("parts of parts know where they come from", async () => {
    const part = samples(samples(numbers(100), "except-every:5"), "first:3");
    expect(await seen(part, 2)).toEqual([1, 2, 3]);
    expect([0, 1, 2].map((i) => part.origin!.of(i))).toEqual([1, 2, 3]);
    expect(part.origin!.count).toBe(100);
  });

  test.each(["0", "first:0", "every:0", "last:3", "-4", "1.5", ""])("%j is refused", (spec) => {
    expect(() => parseSelection(spec)).toThrow(/expected all, N/);
  });

  test("a part of nothing is an error", () => {
    expect(() => samples(numbers(4), "skip:4")).toThrow(/chooses none/);
  });
});

describe("iterables", () => {
  test("an iterator that can be used only once is found out", async () => {
    const once = [{ x: Tensor.float32([2, 1], [1, 2]) }][Symbol.iterator]();
    const dataset = fromIterable(() => once as unknown as Iterable<Feeds>);
    expect(await seen(dataset, 2)).toEqual([1, 2]);
    await expect(seen(dataset, 2)).rejects.toMatchObject({ code: "data/none" });
  });

  test("inputs must agree in their samples", () => {
    const feeds = { a: Tensor.float32([2], [1, 2]), b: Tensor.float32([3], [1, 2, 3]) };
    expect(() => fromTensors(feeds)).toThrow(/same number of samples/);
  });
});

describe("reading", () => {
  test("one batch is read ahead, no more, and an abort ends it", async () => {
    let reads = 0;
    const dataset = indexedDataset({
      count: 100,
      source: "counted",
      read: async (indices) => {
        reads++;
        return { x: Tensor.float32([indices.length], [...indices]) };
      },
    });
    const controller = new AbortController();
    const batches = dataset.batches(10, controller.signal)[Symbol.asyncIterator]();
    await batches.next();
    expect(reads).toBe(2);
    controller.abort();
    await expect(batches.next()).rejects.toMatchObject({ code: "abort/interrupted" });
  });

  test("an early failure of the batch ahead is met in its turn", async () => {
    const dataset = indexedDataset({
      count: 2,
      source: "failing",
      read: async (indices) => {
        if (indices[0] === 1) throw new Error("image 1");
        return { x: Tensor.float32([1], [0]) };
      },
    });
    const met: number[] = [];
    await expect(
      (async () => {
        for await (const { first } of dataset.batches(1)) {
          met.push(first);
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
      })(),
    ).rejects.toThrow("image 1");
    expect(met).toEqual([0]);
  });

  test("cached data is the same data, read once as far as the budget reaches", () =>
    fc.assert(
      fc.asyncProperty(count, size, fc.nat(300), async (total, batch, budget) => {
        let rows = 0;
        const plain = numbers(total);
        const counted = indexedDataset({
          ...plain,
          read: (indices) => {
            rows += indices.length;
            return plain.read(indices);
          },
        });
        const kept = cached(counted, budget);
        const all = Array.from({ length: total }, (_, i) => i);
        expect(await seen(kept, batch)).toEqual(all);
        expect(await seen(kept, batch + 1)).toEqual(all);
        // A sample is one float32: four bytes.
        expect(rows).toBe(2 * total - Math.min(total, Math.floor(budget / 4)));
      }),
      { numRuns: 60 },
    ));
});
