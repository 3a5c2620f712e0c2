/** A dataset of arrays in memory, for tests; counts how often it was read from the start. */
import type { Batch, Dataset } from "../src/data/inner.ts";
import { takeSamples } from "../src/runtime/inner.ts";
import type { Feeds } from "../src/tensor/inner.ts";

export function arrayData(feeds: Feeds): Dataset & { readonly passes: number } {
  const count = Object.values(feeds)[0]!.shape[0]!;
  let passes = 0;
  return {
    count,
    source: "arrays of the test",
    get passes() {
      return passes;
    },
    async *batches(size: number): AsyncIterable<Batch> {
      passes++;
      for (let first = 0; first < count; first += size) {
        const taken = Math.min(size, count - first);
        const part = Object.entries(feeds).map(([name, tensor]) => [name, takeSamples(tensor, first, taken)]);
        yield { feeds: Object.fromEntries(part), first, size: taken };
      }
    },
  };
}
