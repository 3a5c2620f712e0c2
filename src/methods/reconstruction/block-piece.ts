/** A block as a model to train: soft weights, learned ranges and biases, quantizers that are dropped at random. */

import { Emitter } from "../../autodiff/inner.ts";
import type { Random } from "../../base/inner.ts";
import { readersOf } from "../../facts/inner.ts";
import { type Model, removeDead, type TensorType, type Value } from "../../ir/inner.ts";
import type { ActivationQuantizer } from "../learned-quantizers/trainable.ts";
import { addDrops, type Choice, type Drops } from "./drop.ts";
import { type Rounding, softenWeight } from "./soft-rounding.ts";

/** What of a model is trained in one block, by names of its constants. */
export interface BlockParameters {
  readonly roundings: readonly Rounding[];
  readonly biases: readonly string[];
  readonly weightScales: readonly string[];
  readonly ranges: readonly string[];
}

export interface PieceOptions {
  /** Name of what a layer reads as weight → how that weight is rounded. */
  readonly softened: ReadonlyMap<string, Rounding>;
  /** Inputs of the piece that are drawn between two branches: the name, and that of the input for the float branch. */
  readonly mixed: ReadonlyMap<string, string>;
  /** Those of the whole trainable model. */
  readonly quantizers: readonly ActivationQuantizer[];
  /** Probability with which quantizers of activations are left out. */
  readonly drop: number;
  readonly types: ReadonlyMap<string, TensorType>;
  readonly random: Random;
}

/** The output that holds every h of the block, in one row. */
export const roundingOutput = "block.rounding";

/**
 * Edits the piece of a trainable model in place: its outputs stay, then comes `roundingOutput`. Returns the drops, whose feeds
 * each step needs; null where nothing is drawn.
 */
export function makeTrainable(piece: Model, options: PieceOptions): Drops | null {
  const { softened, mixed, quantizers, drop, types, random } = options;
  const { graph } = piece;
  const values = graph.valuesByName();
  const soft = [...softened].map(([read, rounding]) => softenWeight(piece, values.get(read)!, rounding));
  removeDead(graph);
  const choices: Choice[] = drop === 0 ? [] : quantizerChoices(graph.valuesByName(), quantizers, drop);
  for (const [name, other] of mixed) {
    const value = values.get(name)!;
    choices.push({ value, other: graph.addInput(other, value.type), odds: 0.5 });
  }
  const drops = addDrops(piece, choices, types, random);
  const e = new Emitter(graph, types);
  const rows = soft.map((h) => e.reshape(h, [-1]));
  graph.addOutput(e.op("Identity", [e.concat(rows, 0)], {}, { output: roundingOutput }));
  return drops;
}

/** Those of the quantizers that the piece computes. */
function quantizerChoices(
  values: ReadonlyMap<string, Value>,
  quantizers: readonly ActivationQuantizer[],
  odds: number,
): Choice[] {
  return quantizers.flatMap(({ from, to }) => {
    const [other, value] = [values.get(from), values.get(to)];
    return other && value?.producer ? [{ value, other, odds }] : [];
  });
}

/** The constants among `names` that only nodes of this piece read; the rest of the model must not change with a block. */
export function ownConstants(names: readonly string[], whole: ReadonlyMap<string, Value>, piece: Model): string[] {
  const inside = piece.graph.valuesByName();
  const nodes = new Set([...piece.graph.nodes].map((node) => node.output.name));
  return names.filter(
    (name) => inside.has(name) && readersOf(whole.get(name)!).every((node) => nodes.has(node.output.name)),
  );
}
