/** What is known of the ranges of a model's inputs without data: what the recipe says, and the pixels that preprocessing takes. */
import { AvocetError } from "../base/inner.ts";
import type { Model } from "../ir/inner.ts";
import { type Expectation, type InputKnowledge, imageInput, inputExpectation } from "../methods/inner.ts";
import type { Recipe } from "./schema.ts";

/**
 * By name; inputs of which nothing is known are absent. `observed` adds to the recipe. With one input left over and a preprocessing it
 * holds images. Throws `usage/bad-value` for names that the model lacks and for ranges that are empty.
 */
export function knownInputs(
  model: Model,
  { inputs = {}, preprocess }: Pick<Recipe, "inputs" | "preprocess">,
  observed: Readonly<Record<string, InputKnowledge>> = {},
): ReadonlyMap<string, Expectation> {
  const given = { ...rangesOf(inputs), ...observed };
  const names = model.graph.inputs.filter((input) => !input.initializer).map((input) => input.name);
  const stranger = Object.keys(given).find((name) => !names.includes(name));
  if (stranger !== undefined) {
    throw new AvocetError("usage/bad-value", `expected the range of ${names.join(", ")}, got that of ${stranger}`, {
      at: model.source ?? model.graph.name,
      hint: "ranges are given by the names of the model's inputs",
    });
  }
  const open = names.filter((name) => !Object.hasOwn(given, name));
  const images = preprocess && open.length === 1 ? { [open[0]!]: imageInput(preprocess) } : {};
  return new Map(
    Object.entries({ ...given, ...images }).map(([name, knowledge]) => [name, inputExpectation(knowledge, name)]),
  );
}

function rangesOf(inputs: NonNullable<Recipe["inputs"]>): Readonly<Record<string, InputKnowledge>> {
  const known = Object.entries(inputs).flatMap(([name, { batch: _b, constant, state: _s, ...range }]) => {
    const one = constant === undefined ? range : { ...range, low: constant, high: constant };
    return one.low === undefined ? [] : [[name, one]];
  });
  // Zod says "or undefined" of an optional key where the methods say that it may be absent.
  return Object.fromEntries(known) as Readonly<Record<string, InputKnowledge>>;
}
