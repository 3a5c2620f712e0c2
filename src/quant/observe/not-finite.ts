/** Finds where numbers stopped being finite, so that the error names the first node and not the last value. */
import { AvocetError } from "../../base/inner.ts";
import type { Dataset } from "../../data/inner.ts";
import type { Model } from "../../ir/inner.ts";
import { openTaps, overall, type Runtime, traceShapes } from "../../runtime/inner.ts";
import type { Feeds } from "../../tensor/inner.ts";

/** An error that names the value, and the first value in graph order that is not finite for these feeds. */
export async function explainNotFinite(
  model: Model,
  runtime: Runtime,
  feeds: Feeds,
  first: number,
  value: string,
): Promise<AvocetError> {
  const origin = await firstNotFinite(model, runtime, feeds);
  const node = origin === null ? undefined : model.graph.valuesByName().get(origin)?.producer;
  const where = node ? `${node}` : origin === null ? value : `input ${origin}`;
  return new AvocetError(
    "data/not-finite",
    `expected finite numbers in ${value}, got NaN or an infinity in the batch that starts with sample ${first}`,
    {
      at: where,
      hint: node
        ? `${node} is the first to give such numbers: look at its inputs, or keep it in float`
        : "look at the data and its preprocessing",
    },
  );
}

async function firstNotFinite(model: Model, runtime: Runtime, feeds: Feeds): Promise<string | null> {
  const types = await traceShapes(model, runtime, feeds);
  const names = [...model.graph.values()]
    .filter((v) => !v.initializer && types.get(v.name)?.dtype === "float32")
    .map((v) => v.name);
  const sums = new Map(names.map((name) => [name, overall("ReduceSum")]));
  await using taps = await openTaps(model, runtime, { reductions: sums });
  for await (const { reduced } of taps.stream(once(feeds))) {
    for (const name of names) {
      if (!Number.isFinite(reduced.get(name)![0]!.floats()[0]!)) return name;
    }
  }
  return null;
}

/** One batch as a dataset. */
function once(feeds: Feeds): Dataset {
  const size = Object.values(feeds)[0]?.shape[0] ?? 1;
  return {
    count: size,
    source: "the batch in question",
    async *batches() {
      yield { feeds, first: 0, size };
    },
  };
}
