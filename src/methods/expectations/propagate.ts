/**
 * What is expected of every value of a graph before any data is seen: batch norms say it of their outputs, and from
 * there means and variances are carried through activations, sums, products with constant weights, pooling and data
 * movement, as Nagel et al., "Data-Free Quantization" (2019), do for a chain of layers. What is added is taken to be
 * independent.
 */

import { constantOf, floatConstant, isOp, rankOf, rowIn, shapeOf } from "../../facts/inner.ts";
import type { Graph, Node, TensorType, Value } from "../../ir/inner.ts";
import { batchNormStatistics } from "../../passes/inner.ts";
import { elementsOf } from "../../tensor/inner.ts";
import { type Expectation, least, most, normal, pooled } from "./expectation.ts";
import { expectationRows } from "./rules.ts";
import type { Shapes, Step } from "./step.ts";

export interface ExpectationOptions {
  /** Types of the values, from `traceShapes` or `declaredTypes`. */
  readonly shapes: ReadonlyMap<string, TensorType>;
  /** What is known of the model's inputs, by name. */
  readonly inputs?: ReadonlyMap<string, Expectation>;
  /** How many standard deviations are taken to be reached. Default 6, as in DFQ. */
  readonly deviations?: number;
}

/** What is expected of each value, or why nothing is. */
export interface Expectations {
  readonly of: ReadonlyMap<Value, Expectation>;
  readonly unknown: ReadonlyMap<Value, string>;
}

/** Walks the graph once. Values that nothing is known of come with a reason; nothing is thrown. */
export function expectations(graph: Graph, options: ExpectationOptions): Expectations {
  const walk = new ExpectationWalk(options);
  for (const input of graph.inputs) walk.input(input);
  for (const node of graph.nodes) walk.node(node);
  return { of: walk.found, unknown: walk.unknown };
}

class ExpectationWalk {
  readonly found = new Map<Value, Expectation>();
  readonly unknown = new Map<Value, string>();
  readonly #inputs: ReadonlyMap<string, Expectation>;
  readonly #deviations: number;
  readonly #shapes: Shapes;

  constructor(options: ExpectationOptions) {
    this.#inputs = options.inputs ?? new Map();
    this.#deviations = options.deviations ?? 6;
    this.#shapes = {
      of: (value) => shapeOf(value, options.shapes),
      rank: (value) => {
        const shape = value?.initializer?.shape ?? (value ? options.shapes.get(value.name)?.shape : undefined);
        return shape?.length ?? rankOf(value);
      },
    };
  }

  input(value: Value): void {
    const given = this.#inputs.get(value.name);
    if (given) this.found.set(value, given);
    else this.unknown.set(value, "it is an input of the model, and its range was not given");
  }

  node(node: Node): void {
    node.outputs.forEach((output, index) => {
      if (output.name === "") return;
      const expected = index === 0 ? (this.#promised(output) ?? this.#computed(node, 0)) : this.#computed(node, index);
      if (typeof expected === "string") this.unknown.set(output, expected);
      else if (!allFinite(expected))
        this.unknown.set(output, `what is known of the inputs of ${node} leaves it unbounded`);
      else this.found.set(output, expected);
    });
  }

  /** The statistics of a batch norm, on the axis of the channels. */
  #promised(value: Value): Expectation | undefined {
    const statistics = batchNormStatistics(value);
    if (!statistics) return undefined;
    const { beta, gamma } = statistics;
    const shape = this.#shapes.of(value);
    const { producer } = value;
    const behindProduct = [producer, producer?.input(0)?.producer].some((node) => isOp(node, "MatMul"));
    const last = (this.#shapes.rank(value) ?? 0) - 1;
    const axis = behindProduct ? last : 1;
    if (axis < 0 || (shape && shape[axis] !== beta.length)) return undefined;
    const deviation = gamma.map((g) => Math.abs(g));
    return normal(axis, beta, deviation, this.#deviations, "batch-norm");
  }

  #computed(node: Node, index: number): Expectation | string {
    if (node.domain !== "") return `nothing is known of ${node.opName}`;
    const row = rowIn(expectationRows, node);
    const step: Step = {
      node,
      index,
      shapes: this.#shapes,
      deviations: this.#deviations,
      found: this.found,
      operand: (value) => this.#operand(value, node),
    };
    const known = row?.anyway?.(step);
    if (known) return known;
    const missing = node.inputs.find((value) => value && !this.found.has(value) && this.unknown.has(value));
    if (missing) return this.#dependent(missing);
    if (!node.input(0)) return `nothing is known of ${node.op}`;
    return row?.rule?.(step) ?? `nothing is known of what ${node.op} gives`;
  }

  /** The first reason is the root; what lies between would say nothing more. */
  #dependent(missing: Value): string {
    const reason = this.unknown.get(missing)!;
    return reason.startsWith("it depends on ") ? reason : `it depends on ${missing.name}: ${reason}`;
  }

  /** An operand as the output sees it: its axis counted in the output's axes; constants by their elements. */
  #operand(value: Value | null, node: Node): Expectation {
    const rank = this.#shapes.rank(node.output);
    const constant = floatConstant(value);
    if (constant) return ofConstant(Float64Array.from(elementsOf(constant)), constant.shape, rank);
    const whole = constantOf(value);
    if (whole && whole.dtype !== "string") return ofConstant(Float64Array.from(whole.numbers()), whole.shape, rank);
    const x = this.found.get(value!)!;
    const own = this.#shapes.rank(value);
    if (
      x.axis === null ||
      own === rank ||
      (node.op !== "Add" && node.op !== "Mul" && node.op !== "Sub" && node.op !== "Div")
    )
      return x;
    return own === undefined || rank === undefined ? pooled(x) : { ...x, axis: x.axis + rank - own };
  }
}

/** Per channel where only one axis is long, else its spread. */
function ofConstant(elements: Float64Array, shape: readonly number[], rank: number | undefined): Expectation {
  const long = shape.findIndex((d) => d !== 1);
  const onlyOne = long >= 0 && shape.every((d, i) => d === 1 || i === long);
  const ends = { low: elements, high: elements };
  const zeros = new Float64Array(elements.length);
  if (elements.length === 1) return normal(null, elements, zeros, ends, "bounded");
  const all = normal(0, elements, zeros, ends, "bounded");
  return onlyOne && rank !== undefined ? { ...all, axis: long + rank - shape.length } : pooled(all);
}

function allFinite({ mean, variance, low, high }: Expectation): boolean {
  return [mean, variance, low, high].every((values) => Number.isFinite(least(values)) && Number.isFinite(most(values)));
}
