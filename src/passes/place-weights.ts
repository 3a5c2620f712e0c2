/** Weights from outside put into a model by name: what fine-tuning or another training of the same network left. */
import { AvocetError } from "../base/inner.ts";
import { graphsOf } from "../facts/inner.ts";
import type { Model, Value } from "../ir/inner.ts";
import { type DType, dtypes, elementsOf, floatTensor, Tensor } from "../tensor/inner.ts";

export interface PlacedWeights {
  /** What was taken off the names of the file ("module."), or put before them. */
  readonly prefix: { readonly removed: string; readonly added: string };
  readonly placed: readonly string[];
  /** Names of the file that the model has not. */
  readonly unused: readonly string[];
  /** Weights of the model, of two axes or more, that the file has not. */
  readonly missing: readonly string[];
}

/**
 * Replaces initializers by tensors of the same name; those of floats keep the model's element type. A prefix that all matching names share
 * (`module.` of DataParallel, `model.` of a wrapper) is found and taken off, or added. Throws `usage/bad-value` when nothing matches and for
 * every tensor of another shape at once; the model is then as it was.
 */
export function placeWeights(model: Model, tensors: ReadonlyMap<string, Tensor>, file: string): PlacedWeights {
  const own = new Map<string, Value>();
  for (const graph of graphsOf(model)) for (const value of graph.initializers) own.set(value.name, value);
  const prefix = bestPrefix([...tensors.keys()], own);
  const pairs: { readonly value: Value; readonly tensor: Tensor }[] = [];
  const unused: string[] = [];
  for (const [name, tensor] of tensors) {
    const value = own.get(renamed(name, prefix) ?? "");
    if (value) pairs.push({ value, tensor });
    else unused.push(name);
  }
  if (pairs.length === 0) {
    throw new AvocetError("usage/bad-value", "expected weights with names of the model, got none", {
      at: file,
      hint: `the file has ${[...tensors.keys()].slice(0, 3).join(", ")}; the model ${[...own.keys()].slice(0, 3).join(", ")}`,
    });
  }
  const faults = pairs.flatMap(({ value, tensor }) => {
    const { shape, dtype } = value.initializer!;
    const fits = dtype === tensor.dtype || (dtypes[dtype].kind === "float" && dtypes[tensor.dtype].kind === "float");
    if (fits && shape.join() === tensor.shape.join()) return [];
    return [`${value.name}: ${dtype}[${shape}] in the model, ${tensor.dtype}[${tensor.shape}]`];
  });
  if (faults.length > 0) {
    const shown = faults.slice(0, 10).map((fault) => `\n  ${fault}`);
    throw new AvocetError(
      "usage/bad-value",
      `expected weights of the model's shapes, got${shown.join("")}${faults.length > 10 ? `\n  and ${faults.length - 10} more` : ""}`,
      { at: file, hint: "the file belongs to another network, or the export moved its weights" },
    );
  }
  for (const { value, tensor } of pairs) value.initializer = inType(tensor, value.initializer!.dtype);
  const placed = pairs.map(({ value }) => value.name);
  const isPlaced = new Set(placed);
  const missing = [...own].flatMap(([name, { initializer }]) =>
    !isPlaced.has(name) && initializer!.shape.length > 1 && dtypes[initializer!.dtype].kind === "float" ? [name] : [],
  );
  return { prefix, placed, unused, missing };
}

type Prefix = PlacedWeights["prefix"];

function renamed(name: string, { removed, added }: Prefix): string | undefined {
  return name.startsWith(removed) ? added + name.slice(removed.length) : undefined;
}

/** The change of names that finds most weights; none where that is as good. */
function bestPrefix(names: readonly string[], own: ReadonlyMap<string, Value>): Prefix {
  const heads = (all: Iterable<string>) => {
    const found = new Set<string>();
    for (const name of all) {
      const parts = name.split(".");
      for (let n = 1; n < Math.min(parts.length, 4); n++) found.add(`${parts.slice(0, n).join(".")}.`);
      if (found.size > 64) break;
    }
    return [...found];
  };
  const candidates: Prefix[] = [
    { removed: "", added: "" },
    ...heads(names).map((removed) => ({ removed, added: "" })),
    ...heads(own.keys()).map((added) => ({ removed: "", added })),
  ];
  let best = candidates[0]!;
  let most = -1;
  for (const prefix of candidates) {
    const count = names.filter((name) => own.has(renamed(name, prefix) ?? "")).length;
    if (count > most) [best, most] = [prefix, count];
  }
  return best;
}

function inType(tensor: Tensor, dtype: DType): Tensor {
  if (tensor.dtype === dtype) return tensor;
  return Tensor.lazy(dtype, tensor.shape, () => {
    const elements = elementsOf(tensor);
    return floatTensor(dtype, tensor.shape, (i) => elements[i]!).data;
  });
}
