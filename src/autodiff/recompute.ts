/**
 * Keeps what waits for the backward pass within a budget: values of the forward pass are computed again, right before they
 * are needed, instead of being held (Chen et al., Training deep nets with sublinear memory cost, 2016).
 */

import { debug } from "../base/inner.ts";
import { readersOf } from "../facts/inner.ts";
import { addNode, type Graph, type Node, type TensorType, type Value } from "../ir/inner.ts";
import { Tensor } from "../tensor/inner.ts";
import { planRecomputation, type Segment } from "./recompute-plan.ts";

export interface RecomputeOptions {
  readonly types: ReadonlyMap<string, TensorType>;
  /** Bytes of forward values that may wait for the backward pass. A goal: when no plan meets it, the smallest is taken. */
  readonly budget: number;
}

/** What a plan came to. */
export interface Recomputed {
  /** Bytes that wait at most, before and after. */
  readonly before: number;
  readonly after: number;
  /** How many nodes run twice. */
  readonly nodes: number;
}

/**
 * Rewrites the backward part of a graph. `forward` are the nodes before it, `seeds` the gradients that start it. Results are
 * equal, bit for bit, where the runtime's kernels are: the same nodes run on the same values.
 */
export function recompute(
  graph: Graph,
  forward: readonly Node[],
  seeds: readonly Value[],
  options: RecomputeOptions,
): Recomputed {
  const plan = planRecomputation(graph, forward, options.types, options.budget);
  const own = new Set(forward);
  const backward = [...graph.nodes].filter((node) => !own.has(node));
  const place = new Map(backward.map((node, i) => [node, i]));
  const late = dependents(backward, seeds);
  const readers = (segment: Segment) =>
    segment.dropped.flatMap((value) => readersOf(value).filter((node) => place.has(node)));
  const placed = plan.segments.map((segment) => {
    const all = readers(segment);
    return { segment, all, at: Math.min(...all.map((node) => place.get(node)!)) };
  });
  placed.sort((a, b) => a.at - b.at);
  let nodes = 0;
  let from = 0;
  let token: Value | null = null;
  for (const { segment, all, at } of placed) {
    token = tokenOf(graph, backward, late, from, at) ?? token;
    // Nothing has come back yet where the first segment is read: it would only run twice.
    if (token === null) continue;
    from = at;
    nodes += segment.nodes.length;
    rewrite(graph, segment, all, backward[at]!, token, options.types);
  }
  debug(2, () => `${plan.before} bytes wait for the backward pass, ${plan.after} with ${nodes} nodes run twice`);
  return { before: plan.before, after: plan.after, nodes };
}

/** What depends on the gradients that start the backward pass: such a value exists only after the forward pass. */
function dependents(backward: readonly Node[], seeds: readonly Value[]): Set<Value> {
  const found = new Set(seeds);
  for (const node of backward) {
    if (node.inputs.some((input) => input && found.has(input))) for (const output of node.outputs) found.add(output);
  }
  return found;
}

/**
 * A zero, as int64 [1], that can be had only when the backward pass has come to node `at`: when the last gradient before it
 * is there, and all results since `from`, whose inputs would otherwise wait. A runtime orders nodes by what they read, so
 * what is to happen late must read something late.
 */
function tokenOf(
  graph: Graph,
  backward: readonly Node[],
  late: ReadonlySet<Value>,
  from: number,
  at: number,
): Value | null {
  const values = backward.slice(from, at).flatMap((node) => node.outputs.filter((output) => late.has(output)));
  const last = values.at(-1);
  if (!last) return null;
  const before = { place: { before: backward[at]! } };
  const flat = graph.addInitializer("d_flat", Tensor.int64([1], [-1]));
  const [zero, one] = [0, 1].map((value) => graph.addInitializer("d_bound", Tensor.int64([1], [value])));
  const awaited = [...new Set([last, ...values.filter((value) => value.useCount === 0)])];
  const first = awaited.map((value) => {
    const row = addNode(graph, "Reshape", [value, flat], {}, { ...before, output: "d_awaited" }).output;
    const slice = addNode(graph, "Slice", [row, zero!, one!], {}, { ...before, output: "d_awaited" }).output;
    return addNode(graph, "Cast", [slice], { to: 7 }, { ...before, output: "d_awaited" }).output;
  });
  const all = addNode(graph, "Concat", first, { axis: 0 }, { ...before, output: "d_awaited" }).output;
  const sum = addNode(graph, "ReduceSum", [all], { keepdims: 1 }, { ...before, output: "d_awaited" }).output;
  return addNode(graph, "Mul", [sum, zero!], {}, { ...before, output: "d_token" }).output;
}

/** Computes a segment again before `at`; what its readers in the backward pass read comes from there. */
function rewrite(
  graph: Graph,
  segment: Segment,
  readers: readonly Node[],
  at: Node,
  token: Value,
  types: ReadonlyMap<string, TensorType>,
): void {
  const place = { before: at };
  const copies = new Map<Value, Value>();
  /** Passes behind this one ask for shapes. */
  const typed = (copy: Value, like: Value): Value => {
    copy.type = types.get(like.name);
    return copy;
  };
  /** The same value under a shape that waits for the token. */
  const delayed = (value: Value): Value => {
    const shape = types.get(value.name)!.shape as number[];
    const plain = graph.addInitializer("d_shape", Tensor.int64([shape.length], shape));
    const waiting = addNode(graph, "Add", [plain, token], {}, { place, output: "d_shape" }).output;
    return typed(
      addNode(graph, "Reshape", [value, waiting], { allowzero: 1 }, { place, output: `${value.name}_again` }).output,
      value,
    );
  };
  for (const node of segment.nodes) {
    const inputs = node.inputs.map((value) => {
      if (!value || value.initializer || !segment.delayed.has(value)) return value && (copies.get(value) ?? value);
      const found = copies.get(value) ?? delayed(value);
      copies.set(value, found);
      return found;
    });
    // ONNX Runtime renews running statistics in place: a second run must not do it to those of the first. They do not touch y.
    if (node.op === "BatchNormalization" && node.int("training_mode", 0) !== 0) {
      inputs[3] = addNode(graph, "Neg", [inputs[1]!], {}, { place, output: "d_aside" }).output;
      inputs[4] = addNode(graph, "Abs", [inputs[1]!], {}, { place, output: "d_aside" }).output;
    }
    const copy = graph.insert(
      {
        op: node.op,
        domain: node.domain,
        overload: node.overload,
        inputs,
        outputs: node.outputs.map((output) => output.name && `${output.name}_again`),
        attributes: new Map(node.attributes),
      },
      place,
    );
    node.outputs.forEach((output, i) => {
      copies.set(output, typed(copy.outputs[i]!, output));
    });
  }
  const dropped = new Set(segment.dropped);
  for (const reader of new Set(readers)) {
    reader.inputs.forEach((value, i) => {
      if (value && dropped.has(value)) graph.setInput(reader, i, copies.get(value)!);
    });
  }
}
