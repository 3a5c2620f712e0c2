/**
 * Small patterns over the use-def edges, anchored at the node that computes the result:
 *
 *     const gelu = op("Mul", op("Mul", any("x"), op("Add", op("Erf", …), constant("one"))), constant("half"));
 *     match(gelu, node)?.value("x")
 *
 * A name that occurs twice must be the same value both times. Commutative operators match in either order.
 */
import { debug, debugLevel } from "../base/inner.ts";
import { constantOf, isOp } from "../facts/inner.ts";
import type { Node, Value } from "../ir/inner.ts";

/** Recognises a value; adds what it binds, or says no. */
export type Pattern = (value: Value | null, bound: Bindings) => Bindings | undefined;

/** What a pattern found: values and nodes by the names that the pattern gives them. Extending makes a copy. */
export class Bindings {
  readonly #values: ReadonlyMap<string, Value>;
  /** The nodes inside the pattern, the anchor first. */
  readonly nodes: readonly Node[];

  constructor(values: ReadonlyMap<string, Value> = new Map(), nodes: readonly Node[] = []) {
    this.#values = values;
    this.nodes = nodes;
  }

  /** Whether the part of the pattern with this name was met: alternatives bind different names. */
  has(name: string): boolean {
    return this.#values.has(name);
  }

  /** The value bound to a name that occurs in the pattern. */
  value(name: string): Value {
    const found = this.#values.get(name);
    if (!found) throw new Error(`internal: the pattern binds no ${name}`);
    return found;
  }

  /** The data of a value bound by `constant`. */
  constant(name: string): NonNullable<ReturnType<typeof constantOf>> {
    return constantOf(this.value(name))!;
  }

  /** The same with one more value; undefined when the name is bound to another one. */
  with(name: string, value: Value): Bindings | undefined {
    const before = this.#values.get(name);
    if (before) return before === value ? this : undefined;
    return new Bindings(new Map(this.#values).set(name, value), this.nodes);
  }

  /** The same with one more node inside. */
  withNode(node: Node): Bindings {
    return new Bindings(this.#values, [...this.nodes, node]);
  }
}

const commutative = new Set(["Add", "Mul"]);

/** Any value, a left-out input excepted. */
export function any(name: string): Pattern {
  return (value, bound) => (value ? bound.with(name, value) : undefined);
}

/** A constant; `accept` may ask for more of one with at most 64 elements, and is not asked about larger ones. */
export function constant(name: string, accept?: (numbers: readonly number[]) => boolean): Pattern {
  return (value, bound) => {
    const tensor = constantOf(value);
    if (!tensor || tensor.dtype === "string") return undefined;
    const accepted = !accept || (tensor.size <= 64 && accept(tensor.numbers()));
    return accepted ? bound.with(name, value!) : undefined;
  };
}

/** A constant of one element near this number, whatever its shape. */
export function scalar(expected: number, tolerance = 1e-3): Pattern {
  return (value, bound) => {
    const tensor = constantOf(value);
    if (tensor?.size !== 1 || tensor.dtype === "string") return undefined;
    return Math.abs(tensor.numbers()[0]! - expected) <= tolerance * Math.max(1, Math.abs(expected)) ? bound : undefined;
  };
}

/** The first output of a standard operator with these inputs; further inputs of the node must be left out. */
export function op(name: string, ...inputs: readonly Pattern[]): Pattern {
  return opWhere(name, () => true, ...inputs);
}

/** Like `op`, with a condition on the node (its attributes). */
export function opWhere(name: string, accept: (node: Node) => boolean, ...inputs: readonly Pattern[]): Pattern {
  return (value, bound) => {
    const node = value?.producer;
    if (!isOp(node, name) || node.output !== value || node.inputs.length > inputs.length || !accept(node))
      return undefined;
    const inOrder = (order: readonly Pattern[]): Bindings | undefined => {
      let so: Bindings | undefined = bound.withNode(node);
      for (const [i, input] of order.entries()) {
        const next: Bindings | undefined = input(node.input(i), so);
        if (!next) {
          closest?.see(so, node, i);
          return undefined;
        }
        so = next;
      }
      return so;
    };
    return inOrder(inputs) ?? (commutative.has(name) ? inOrder(inputs.toReversed()) : undefined);
  };
}

/** The first of these patterns that matches. */
export function either(...patterns: readonly Pattern[]): Pattern {
  return (value, bound) => {
    for (const pattern of patterns) {
      const found = pattern(value, bound);
      if (found) return found;
    }
    return undefined;
  };
}

/** How far the match that is under way came before it failed; only while the debug dial shows near misses. */
class Closest {
  #nodes = 0;
  #text = "";

  see(so: Bindings, node: Node, input: number): void {
    const nodes = new Set(so.nodes).size;
    if (nodes <= this.#nodes) return;
    this.#nodes = nodes;
    this.#text = `input ${input} of ${node} is ${node.input(input) ?? "left out"}`;
  }

  /** Two nodes match by chance everywhere; from three on somebody probably meant this pattern. */
  tell(anchor: Node): void {
    if (this.#nodes >= 3) debug(3, () => `near miss at ${anchor}: ${this.#nodes} nodes match, but ${this.#text}`);
  }
}

let closest: Closest | undefined;

/** Matches a pattern at the first output of a node. Level 3 of the debug dial shows patterns that match in part. */
export function match(pattern: Pattern, node: Node): Bindings | undefined {
  if (debugLevel() < 3) return pattern(node.output, new Bindings());
  const seen = new Closest();
  closest = seen;
  const found = pattern(node.output, new Bindings());
  closest = undefined;
  if (!found) seen.tell(node);
  return found;
}

/**
 * The value of the inside that somebody outside the pattern reads too, so that it must stay; undefined when the whole
 * inside may go. The anchor's output is the result and does not count.
 */
export function readElsewhere(bound: Bindings): Value | undefined {
  const inside = new Set(bound.nodes);
  for (const node of bound.nodes.slice(1)) {
    for (const output of node.outputs) {
      for (const use of output.uses()) if (!("node" in use && inside.has(use.node))) return output;
    }
  }
  return undefined;
}
