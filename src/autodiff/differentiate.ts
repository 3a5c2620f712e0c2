/**
 * Reverse mode: walks a graph backwards and appends the nodes that compute gradients, one rule per operator (Linnainmaa
 * 1970; Griewank and Walther, Evaluating Derivatives, 2008, chapter 3). Forward and backward are one ONNX graph after it.
 */

import { AvocetError } from "../base/inner.ts";
import { readsOf } from "../facts/inner.ts";
import {
  cloneModel,
  cutAt,
  type Graph,
  type Model,
  type Node,
  removeDead,
  type TensorType,
  tensorType,
  type Value,
} from "../ir/inner.ts";
import { sizeOf, Tensor } from "../tensor/inner.ts";
import type { ConstantPool } from "./emitter.ts";
import { recompute } from "./recompute.ts";
import { Backward, type GradientRow, type Seed } from "./rule.ts";
import { gradientRow } from "./rules.ts";
import { isStraightThrough } from "./straight-through.ts";

export interface DifferentiateOptions {
  /** Type of every value of the graph, as `traceShapes` gives it; the gradient holds for these lengths. */
  readonly types: ReadonlyMap<string, TensorType>;
  /** Rules by operator name ("Conv", "my.domain.Op") that come before the built-in ones. */
  readonly rules?: ReadonlyMap<string, GradientRow>;
  /**
   * Bytes of forward values that may wait for the backward pass; what is beyond is computed again (see `recompute`). Default:
   * all are held.
   */
  readonly memory?: number;
}

/**
 * Appends the backward pass to the graph and returns the gradient of each value of `wrt` that the seeded values depend
 * on; the others have none (zero). Needs opset 18 or later. Throws `autodiff/no-gradient` naming the operator on the way
 * that has no rule, `graph/not-found` for values of other graphs.
 */
export function differentiate(
  model: Model,
  seeds: readonly Seed[],
  wrt: readonly Value[],
  options: DifferentiateOptions,
): Map<Value, Value> {
  if (model.opset < 18) {
    throw new AvocetError("pass/unsupported", `expected opset 18 or later, got ${model.opset}`, {
      at: model.source ?? model.graph.name,
      hint: "upgrade the model first: avocet upgrade",
    });
  }
  const forward = [...model.graph.nodes];
  const gradients = differentiateGraph(model.graph, seeds, wrt, options);
  if (options.memory !== undefined) {
    const starts = seeds.map(({ gradient }) => gradient);
    recompute(model.graph, forward, starts, { types: options.types, budget: options.memory });
  }
  return gradients;
}

/** The same for any graph: the main one, or a body, where `wrt` may name what the body captures from outside. */
function differentiateGraph(
  graph: Graph,
  seeds: readonly Seed[],
  wrt: readonly Value[],
  options: DifferentiateOptions,
): Map<Value, Value> {
  const walk = new ReverseWalk(graph, wrt, options);
  for (const { value, gradient } of seeds) walk.give(value, gradient);
  walk.run([...graph.nodes]);
  return new Map(
    wrt.flatMap((value) => {
      const gradient = walk.gradientOf(value);
      return gradient ? [[value, gradient] as const] : [];
    }),
  );
}

class ReverseWalk {
  readonly #graph: Graph;
  readonly #options: DifferentiateOptions;
  readonly #wrt: readonly Value[];
  readonly #parts = new Map<Value, Value[]>();
  readonly #sums = new Map<Value, Value>();
  readonly #pool: ConstantPool = new Map();

  constructor(graph: Graph, wrt: readonly Value[], options: DifferentiateOptions) {
    this.#graph = graph;
    this.#wrt = wrt;
    this.#options = options;
  }

  give(value: Value, gradient: Value): void {
    this.#parts.set(value, [...(this.#parts.get(value) ?? []), gradient]);
  }

  /** The sum of what has arrived. Complete once every reader of the value has been visited. */
  gradientOf(value: Value): Value | null {
    const found = this.#sums.get(value);
    if (found) return found;
    const parts = this.#parts.get(value);
    if (!parts) return null;
    const sum =
      parts.length === 1
        ? parts[0]!
        : this.#graph.insert({ op: "Sum", inputs: parts, outputs: [`${value.name}_gradient`] }).output;
    this.#sums.set(value, sum);
    return sum;
  }

  run(nodes: readonly Node[]): void {
    const active = activeValues(nodes, this.#wrt);
    for (const node of [...nodes].reverse()) {
      if (!node.outputs.some((output) => active.has(output) && this.#parts.has(output))) continue;
      if (![...readsOf(node)].some((value) => active.has(value))) continue;
      this.#visit(node, active);
    }
  }

  #visit(node: Node, active: ReadonlySet<Value>): void {
    const row = isStraightThrough(node)
      ? straightThrough
      : (this.#options.rules?.get(node.opName) ?? gradientRow(node));
    if (typeof row !== "function" && "flat" in row) return;
    const gradients = node.outputs.map((output) => this.gradientOf(output));
    const give = (value: Value, gradient: Value) => {
      if (active.has(value)) this.give(value, gradient);
    };
    const b = new Backward(node, gradients, {
      wanted: (value) => active.has(value),
      give,
      types: this.#options.types,
      pool: this.#pool,
      body: (graph, seeds, wrt, types) => differentiateGraph(graph, seeds, wrt, { ...this.#options, types }),
    });
    if (typeof row !== "function") throw b.refusal(row.none);
    row(b).forEach((gradient, index) => {
      const value = node.input(index);
      if (value && gradient) give(value, gradient);
    });
  }
}

const straightThrough: GradientRow = (b) => [b.dy];

/** What depends on the values of `wrt`, themselves included. */
function activeValues(nodes: readonly Node[], wrt: readonly Value[]): Set<Value> {
  const active = new Set(wrt);
  for (const node of nodes) {
    if ([...readsOf(node)].some((value) => active.has(value))) for (const output of node.outputs) active.add(output);
  }
  return active;
}

/** Prefix of the inputs of a gradient model that take the gradients of the outputs. */
export const seedPrefix = "gradient_of_";

/**
 * A model of its own that computes vector-Jacobian products: inputs are those of the model and, for each of `outputs`
 * (default: all), `gradient_of_<output>`; outputs are the model's, then the gradient of each value named in `wrt`, in that
 * order. A constant named in `wrt` becomes an input. Values that the outputs do not depend on get zeros.
 */
export function gradientModel(
  model: Model,
  wrt: readonly string[],
  options: DifferentiateOptions & { readonly outputs?: readonly string[] },
): Model {
  const copy = cloneModel(model);
  const { graph } = copy;
  const byName = graph.valuesByName();
  const find = (name: string): Value => {
    const value = byName.get(name);
    if (value) return value;
    throw new AvocetError("graph/not-found", `expected a value of the graph, got ${name}`, {
      at: model.source ?? name,
    });
  };
  const variables = wrt.map((name) => {
    const value = find(name);
    if (!value.initializer) return value;
    // Old models list constants among the inputs, as defaults; now there is none.
    if (value.isGraphInput) graph.unlistInput(value);
    return cutAt(graph, value);
  });
  removeDead(graph);
  const outputs = (options.outputs ?? graph.outputs.map((value) => value.name)).map(find);
  const seeds = outputs.map((value) => {
    const type = options.types.get(value.name);
    return {
      value,
      gradient: graph.addInput(`${seedPrefix}${value.name}`, tensorType("float32", type?.shape ?? null)),
    };
  });
  const gradients = differentiate(copy, seeds, variables, options);
  for (const value of variables) {
    const shape = options.types.get(value.name)?.shape as number[];
    const gradient =
      gradients.get(value) ??
      graph.addInitializer(`${value.name}_zero`, Tensor.float32(shape, new Float32Array(sizeOf(shape))));
    const output = graph.insert({ op: "Identity", inputs: [gradient], outputs: [`gradient_${value.name}`] }).output;
    output.type = tensorType("float32", shape);
    graph.addOutput(output);
  }
  return copy;
}
