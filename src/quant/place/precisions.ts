/**
 * Which grid each value is on. Rules say it of nodes and values (selectors.ts); what none names has the grids of the whole model. A rule
 * for a node holds for its weights, and for the activations that it reads and returns, as AIMET's precisions of layers do: a product of
 * 16 bits has 16 bits on both sides. A value has one grid, and what shares an encoding has it together; where rules disagree about one,
 * the later rule holds, and the reason of the entry names both.
 */
import { AvocetError } from "../../base/inner.ts";
import type { Node, Value } from "../../ir/inner.ts";
import type { Facts } from "../facts.ts";
import type { Grid } from "../grids/codec.ts";
import { gridName } from "../grids/grid.ts";
import type { TwoLevelChoice } from "../grids/two-level.ts";
import { isNotQuantized } from "../grids/usable-grid.ts";
import { select } from "./selectors.ts";
import type { Unit } from "./supergroups.ts";

/** What shares one scale of a weight: "tensor", "channel", or blocks along the input axis, whose scales may be products. */
export type WeightGranularity =
  | "tensor"
  | "channel"
  | { readonly block: number; readonly twoLevel?: TwoLevelChoice | undefined };

/** What a rule says of precision; what it leaves out stays as it is. */
export interface Precision {
  readonly weights?: Grid | undefined;
  readonly activations?: Grid | undefined;
  readonly granularity?: WeightGranularity | undefined;
}

/** Grids and granularity of what a selector stands for. Of several rules for one node the later one holds. */
export interface GridRule extends Precision {
  /** A node name, value name, operator type, /regular expression/ or FROM..TO. */
  readonly match: string;
}

/** What is asked of a value, by which rule. */
interface Asked<T> {
  readonly what: T;
  readonly by: string;
  readonly turn: number;
}

/** What is asked of one node or value. */
interface Answers {
  readonly weights?: Asked<Grid>;
  readonly activations?: Asked<Grid>;
  readonly granularity?: Asked<WeightGranularity>;
}

/** What holds of a value, and what to add to its reason where rules disagreed. */
export interface Held<T> {
  readonly what: T;
  readonly conflict: string;
}

/** What the whole model has. */
export interface Defaults extends Precision {
  readonly weights: Grid;
  readonly activations: Grid;
}

export class Precisions {
  readonly #facts: Facts;
  readonly #defaults: Defaults;
  readonly #ofNode = new Map<Node, Answers>();
  readonly #ofValue = new Map<Value, Answers>();
  /** By the value that holds an encoding: those that share it, itself included. */
  #groups = new Map<Value, Value[]>();
  #units: ReadonlyMap<Node, Unit> = new Map();
  readonly #held = new Map<Value, Held<Grid>>();

  /** `defaults`: what the whole model has. Throws what `select` throws. */
  constructor(facts: Facts, defaults: Defaults, rules: readonly GridRule[]) {
    this.#facts = facts;
    this.#defaults = defaults;
    const selected = select(
      facts.model,
      rules.map(({ match }) => match),
    );
    for (const [turn, { match, ...precision }] of rules.entries()) {
      const asked = Object.fromEntries(
        Object.entries(precision).flatMap(([kind, what]) =>
          what === undefined ? [] : [[kind, { what, by: match, turn }]],
        ),
      );
      refuseIdle(facts, match, precision, selected[turn]!.values);
      for (const node of selected[turn]!.nodes) this.#ofNode.set(node, { ...this.#ofNode.get(node), ...asked });
      for (const value of selected[turn]!.values) this.#ofValue.set(value, { ...this.#ofValue.get(value), ...asked });
    }
  }

  /** Nodes whose activations are to stay in float, each with the reason. */
  kept(): Map<Node, string> {
    const found = new Map<Node, string>();
    for (const [node, { activations }] of this.#ofNode) {
      if (activations && isNotQuantized(activations.what))
        found.set(node, `you asked for ${activations.by} to stay in float`);
    }
    return found;
  }

  /** Whether the weights of a node are to be quantized between activations that stay in float. */
  isWeightOnly(node: Node): boolean {
    const asked = this.#ofNode.get(node);
    if (!asked?.activations || !isNotQuantized(asked.activations.what)) return false;
    return !isNotQuantized(asked.weights?.what ?? this.#defaults.weights);
  }

  /** From here on what the target runs as one operator, and what shares an encoding, has one precision. */
  join(units: ReadonlyMap<Node, Unit>, heads: ReadonlyMap<Value, Value>): void {
    this.#units = units;
    const groups = new Map<Value, Value[]>();
    for (const [value, head] of heads) {
      const group = groups.get(head);
      if (group) group.push(value);
      else groups.set(head, [head, value]);
    }
    this.#groups = groups;
    this.#held.clear();
  }

  /** The grid of the activations of a node, whatever others ask of its values. */
  activationsOfNode(node: Node): Grid {
    return this.#ofNode.get(node)?.activations?.what ?? this.#defaults.activations;
  }

  /** The grid of the weights of a node. */
  weightsOfNode(node: Node): Grid {
    return this.#ofNode.get(node)?.weights?.what ?? this.#defaults.weights;
  }

  /** The grid of an activation, by the value that holds its encoding. */
  activations(head: Value): Held<Grid> {
    // All members ask, and a group may have thousands.
    const known = this.#held.get(head);
    if (known) return known;
    const held = this.#heldBy(head);
    this.#held.set(head, held);
    return held;
  }

  #heldBy(head: Value): Held<Grid> {
    const members = this.#groups.get(head) ?? [head];
    const named = members.flatMap((value) => this.#ofValue.get(value)?.activations ?? []);
    const neighbours = members.flatMap((value) => this.#neighbours(value));
    // Nodes that compute in float read the float number: they ask nothing of the others.
    const asked = neighbours
      .flatMap((node) => this.#ofNode.get(node)?.activations ?? [])
      .filter(({ what }) => !isNotQuantized(what));
    return held([...named, ...asked], this.#defaults.activations, gridName);
  }

  /** The grid of a constant that its readers own. */
  weights(value: Value): Held<Grid> {
    const asked = this.#ofConstant(value).flatMap(({ weights }) => weights ?? []);
    return held(asked, this.#defaults.weights, gridName);
  }

  /** What shares one scale of such a constant; undefined where nobody asks. */
  granularity(value: Value): Held<WeightGranularity | undefined> {
    const asked = this.#ofConstant(value).flatMap((one) => one.granularity ?? []);
    return held<WeightGranularity | undefined>(asked, this.#defaults.granularity, granularityName);
  }

  /** What a rule asks of the one who gives a value that has no quantizer; empty where none does. */
  unmet(value: Value): string {
    const asked = value.producer
      ? this.#ofNode.get(value.producer)?.activations
      : this.#ofValue.get(value)?.activations;
    if (!asked || isNotQuantized(asked.what)) return "";
    return `; ${gridName(asked.what)}, as ${asked.by} asks, needs a quantizer`;
  }

  /** The same for a constant that stays in float. */
  unmetWeights(value: Value): string {
    const asked = this.#ofConstant(value).flatMap(({ weights }) => weights ?? []);
    const last = asked.sort((a, b) => a.turn - b.turn).at(-1);
    if (!last || isNotQuantized(last.what)) return "";
    return `; ${gridName(last.what)}, as ${last.by} asks, needs a quantizer`;
  }

  /** What is asked of a constant, by its own name or of the nodes that own it. */
  #ofConstant(value: Value): readonly Answers[] {
    const owned = this.#facts.parameters(value).map(({ node }) => node);
    const owners = owned.length > 0 ? owned : value.consumers();
    return [this.#ofValue.get(value), ...owners.map((node) => this.#ofNode.get(node))].filter(
      (one) => one !== undefined,
    );
  }

  /** The nodes that give and read a value: of what runs as one operator all of its nodes. */
  #neighbours(value: Value): readonly Node[] {
    const nodes = [...(value.producer ? [value.producer] : []), ...value.consumers()];
    return [...new Set(nodes.flatMap((node) => this.#units.get(node)?.nodes ?? [node]))];
  }
}

/** Throws `quant/unsupported-grid` for a rule that says of a weight what activations are on, and no more. */
function refuseIdle(
  facts: Facts,
  match: string,
  { weights, activations, granularity }: Precision,
  values: readonly Value[],
): void {
  if (!activations || weights || granularity) return;
  const [weight] = values.filter((value) => facts.parameters(value).length > 0);
  if (!weight || isNotQuantized(activations)) return;
  throw new AvocetError(
    "quant/unsupported-grid",
    `expected a grid of weights for ${weight.name}, got one of activations`,
    {
      at: match,
      hint: "weights, or w in --grid, is what weights are on; the rule of a node holds for the activations that it reads and gives",
    },
  );
}

function held<T>(asked: readonly Asked<T>[], otherwise: T, name: (what: T) => string): Held<T> {
  const sorted = [...asked].sort((a, b) => a.turn - b.turn);
  const last = sorted.at(-1);
  if (!last) return { what: otherwise, conflict: "" };
  const other = sorted.findLast(({ what }) => name(what) !== name(last.what));
  if (!other) return { what: last.what, conflict: "" };
  return {
    what: last.what,
    conflict: `; it is ${name(last.what)}, as ${last.by} asks, and not ${name(other.what)}, as ${other.by} asks`,
  };
}

function granularityName(what: WeightGranularity | undefined): string {
  if (what === undefined) return "as the target prefers";
  if (typeof what === "string") return `per ${what}`;
  return `in blocks of ${what.block}${what.twoLevel ? ` (${what.twoLevel.form})` : ""}`;
}
