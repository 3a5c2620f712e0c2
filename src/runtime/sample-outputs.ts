/** The outputs of many runs as one array each, samples on the axis where the model has them. */

import { AvocetError } from "../base/inner.ts";
import { type Dataset, joinRows } from "../data/inner.ts";
import { type Feeds, Tensor } from "../tensor/inner.ts";
import { joinSamples } from "./feeds.ts";
import type { PortInfo, Session } from "./runtime.ts";

/** What one run gave, and for how many samples. */
export interface RunOutputs {
  readonly outputs: Feeds;
  readonly size: number;
}

/**
 * Every output of all runs. Its samples lie on the axis that the model names as it names that of its inputs, else on the
 * first whose length follows the number of samples. An output without one is stacked in front, one for each sample. Throws
 * `data/wrong-shape` where samples differ in shape, or where runs of several samples gave an output without such an axis.
 */
export function joinRuns(session: Session, runs: readonly RunOutputs[], { axes }: Pick<Dataset, "axes">): Feeds {
  const names = Object.keys(runs[0]?.outputs ?? {});
  const symbol = batchSymbol(session.inputs, axes);
  return Object.fromEntries(
    names.map((name) => {
      const port = session.outputs.find((output) => output.name === name);
      return [name, joinOutput(name, runs, port, symbol)];
    }),
  );
}

function joinOutput(name: string, runs: readonly RunOutputs[], port: PortInfo | undefined, symbol: string | undefined) {
  const parts = runs.map(({ outputs }) => outputs[name]!);
  const axis = axisOfSamples(runs, parts, port?.shape ?? null, symbol);
  if (axis === 0 && parts[0]?.dtype === "string") return joinSamples(parts);
  if (axis !== undefined) return joinRows(parts, axis, `output "${name}"`);
  if (runs.some(({ size }) => size !== 1)) {
    throw new AvocetError(
      "data/wrong-shape",
      `expected an axis of samples, the output has [${parts[0]!.shape.join(",")}]`,
      {
        at: name,
        hint: "--batch 1 runs samples one by one and stacks what they give",
      },
    );
  }
  const stacked = parts.map((part) => Tensor.of(part.dtype, [1, ...part.shape], part.data));
  return parts[0]?.dtype === "string" ? joinSamples(stacked) : joinRows(stacked, 0, `output "${name}"`);
}

/** The symbolic length of the samples' axis, where an input has one. */
function batchSymbol(inputs: readonly PortInfo[], axes: Dataset["axes"]): string | undefined {
  for (const { name, shape } of inputs) {
    const axis = axes?.[name] === undefined ? 0 : axes[name];
    const dim = axis === null ? null : shape?.[axis];
    if (typeof dim === "string" && dim !== "") return dim;
  }
  return undefined;
}

function axisOfSamples(
  runs: readonly RunOutputs[],
  parts: readonly Tensor[],
  declared: PortInfo["shape"],
  symbol: string | undefined,
): number | undefined {
  const named = symbol === undefined ? -1 : (declared?.indexOf(symbol) ?? -1);
  if (named >= 0) return named;
  const rank = parts[0]?.shape.length ?? 0;
  const follows = (axis: number) => parts.every((part, i) => part.shape[axis] === runs[i]!.size);
  const found = Array.from({ length: rank }, (_, axis) => axis).filter(follows);
  // A length that the model fixes follows nothing, but where the model fixes the number of samples too.
  return (symbol === undefined ? undefined : found.find((axis) => typeof declared?.[axis] !== "number")) ?? found[0];
}
