/**
 * QDrop (Wei et al., 2022): while a block is trained, every element passes with or without its quantizer by chance. The chances
 * are windows into one list of zeros and ones, at positions drawn again for every step: that costs a copy, drawing in the
 * graph would cost more than the convolutions.
 */
import { Emitter } from "../../autodiff/inner.ts";
import type { Random } from "../../base/inner.ts";
import { type Model, type TensorType, tensorType, type Value } from "../../ir/inner.ts";
import { type Feeds, sizeOf, Tensor } from "../../tensor/inner.ts";

/** Two values of equal shape; readers of the first get one or the other, element by element. */
export interface Choice {
  readonly value: Value;
  /** What readers get instead, with the probability `odds`. */
  readonly other: Value;
  readonly odds: number;
}

const places = "drop_places";
/** More positions for windows than there are elements in the smallest activations. */
const spare = 65536;

export interface Drops {
  /** The input that a step needs. */
  feeds(random: Random): Feeds;
}

/** Adds the choices to a model whose values have these types; null when there are none. */
export function addDrops(
  model: Model,
  choices: readonly Choice[],
  types: ReadonlyMap<string, TensorType>,
  random: Random,
): Drops | null {
  if (choices.length === 0) return null;
  const { graph } = model;
  const e = new Emitter(graph, types);
  const sizes = choices.map(({ value }) => sizeOf(e.shape(value)));
  const length = Math.max(...sizes) + spare;
  const lists = new Map<number, Value>();
  for (const { odds } of choices) {
    if (lists.has(odds)) continue;
    const chances = Float32Array.from({ length }, () => (random.uniform() < odds ? 1 : 0));
    lists.set(odds, graph.addInitializer("drop_chances", Tensor.float32([length], chances)));
  }
  const input = graph.addInput(places, tensorType("int64", [choices.length]));
  choices.forEach(({ value, other, odds }, i) => {
    const readers = new Set(value.consumers());
    const { producer } = value;
    const [first] = graph.nodes;
    // Both values are there behind the later one; for inputs that is the start.
    const late = producer ?? other.producer;
    const at = e.at(late ? { after: late } : first && { before: first });
    const from = at.slice(input, [0], [i], [i + 1]);
    const chance = at.op("Slice", [lists.get(odds)!, from, at.add(from, at.ints([sizes[i]!])), at.ints([0])]);
    const mixed = at.add(value, at.mul(at.sub(other, value), at.reshape(chance, e.shape(value))));
    graph.replaceUses(value, mixed, (use) => "node" in use && readers.has(use.node) && use.node !== other.producer);
  });
  return {
    feeds: (stream) => ({
      [places]: Tensor.int64(
        [choices.length],
        choices.map(() => stream.integer(spare)),
      ),
    }),
  };
}
