/**
 * The lengths of all axes of all values, as far as they follow from the graph without running it. A length that is not
 * known still has an identity, so that equal ones are seen: the batch of the input is the batch of what comes out of a
 * convolution. What is found is a snapshot; it stays true while passes replace values by equal ones.
 */
import { Graph, type Model, type Value } from "../../ir/inner.ts";
import type { Shape } from "../../tensor/inner.ts";
import { constantOf } from "../constants.ts";
import { rowIn } from "../tables/row.ts";
import { graphsOf } from "../walk.ts";
import { computedOfConstant, mostElements } from "./computed.ts";
import { elementRules } from "./element-rules.ts";
import type { Computed, KnownLengths, Length, Lengths } from "./length.ts";
import { lengthRules } from "./rules.ts";

export class LengthTable implements KnownLengths {
  readonly #lengths = new Map<Value, Lengths>();
  readonly #computed = new Map<Value, Computed>();
  readonly #believes: boolean;

  /** `believes`: whether what the file says of values counts; without it only constants and operators tell. */
  constructor(of: Model | Graph, { believes = true }: { readonly believes?: boolean } = {}) {
    this.#believes = believes;
    if (of instanceof Graph) this.#walk(of);
    else for (const graph of graphsOf(of)) this.#walk(graph);
  }

  /** The lengths of a value's axes; undefined when not even the rank is known. */
  of(value: Value | null): Lengths | undefined {
    if (!value) return undefined;
    return constantOf(value)?.shape ?? this.#lengths.get(value) ?? this.#declared(value);
  }

  /** The same where all of them are numbers. */
  shape(value: Value | null): Shape | undefined {
    const found = this.of(value);
    return found?.every((length) => typeof length === "number") ? (found as Shape) : undefined;
  }

  elements(value: Value | null): Computed | undefined {
    if (!value) return undefined;
    const constant = constantOf(value);
    return constant ? computedOfConstant(constant) : this.#computed.get(value);
  }

  #declared(value: Value): Lengths | undefined {
    return this.#believes ? declared(value) : undefined;
  }

  #walk(graph: Graph): void {
    for (const node of graph.nodes) {
      const computed = rowIn(elementRules, node)?.(node, this);
      if (computed && computed.elements.length <= mostElements) this.#computed.set(node.output, computed);
      const rule = rowIn(lengthRules, node);
      node.outputs.forEach((output, i) => {
        const made = rule?.(node, this, i);
        const found = merge(this.#declared(output), made, output);
        if (found) this.#lengths.set(output, found);
      });
    }
  }
}

function declared({ name, type }: Value): Lengths | undefined {
  if (type?.kind !== "tensor") return undefined;
  return type.shape?.map((dim, axis) => (typeof dim === "number" ? dim : dim ? `=${dim}` : `${name}@${axis}`));
}

/** What the model says, made more exact by what its producer says; what neither knows gets an identity. */
function merge(
  said: Lengths | undefined,
  made: readonly (Length | undefined)[] | undefined,
  value: Value,
): Lengths | undefined {
  if (said && made && said.length !== made.length) return said;
  const lengths = said ?? made;
  return lengths?.map((_, axis) => {
    const [a, b] = [said?.[axis], plausible(made?.[axis])];
    if (typeof a === "number") return a;
    return b ?? a ?? `${value.name}@${axis}`;
  });
}

/** A rule counts with what the file gives it; what comes out negative or beyond all numbers is no length. */
const plausible = (length: Length | undefined): Length | undefined =>
  typeof length !== "number" || (Number.isSafeInteger(length) && length >= 0) ? length : undefined;
