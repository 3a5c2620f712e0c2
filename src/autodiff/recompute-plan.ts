/** Which forward values are held for the backward pass and which are computed again. No edits happen here. */
import { readersOf } from "../facts/inner.ts";
import type { Graph, Node, TensorType, Value } from "../ir/inner.ts";
import { rowOf } from "../ops/inner.ts";
import { dtypes, sizeOf } from "../tensor/inner.ts";

/** Nodes that run once more together. */
export interface Segment {
  /** In the order of the graph. */
  readonly nodes: readonly Node[];
  /** What they make that the backward pass reads. */
  readonly dropped: readonly Value[];
  /** What they read that was computed before and held: reading it must wait until the backward pass has come here. */
  readonly delayed: ReadonlySet<Value>;
}

export interface RecomputationPlan {
  readonly segments: readonly Segment[];
  /** Bytes that wait for the backward pass at most, as it is and as planned. */
  readonly before: number;
  readonly after: number;
}

/** What nodes without products make on the way from what is held to a value, at most, in sizes of that value. */
const reach = 5;
/** Smaller values are not worth their nodes: a share of all bytes. */
const least = 1e-3;
/** The most segments that are tried; more than the root of the number of layers costs more than it frees. */
const mostSegments = 24;

/**
 * Holds as it is when that is within the budget. Else values that cost no products are computed again, the largest first.
 * When that does not do, the forward pass is cut into segments of equal bytes: only what crosses a cut is held, and each
 * segment but the last runs again when the backward pass comes to it.
 */
export function planRecomputation(
  graph: Graph,
  forward: readonly Node[],
  types: ReadonlyMap<string, TensorType>,
  budget: number,
): RecomputationPlan {
  const flow = new Flow(graph, forward, types);
  const before = flow.bytes(flow.saved);
  if (before <= budget) return { segments: [], before, after: before };
  const light = lightPlan(flow, before, budget);
  if (light.after <= budget) return light;
  const plans = [light];
  for (let count = 2; count <= mostSegments; count++) {
    const plan = segmentPlan(flow, before, count);
    plans.push(plan);
    if (plan.after <= budget) break;
  }
  return plans.reduce((best, plan) => (plan.after < best.after ? plan : best));
}

/** What the forward pass makes, who reads it, and what it weighs. */
class Flow {
  readonly forward: readonly Node[];
  readonly place: ReadonlyMap<Node, number>;
  /** Forward values that the backward pass reads. */
  readonly saved: readonly Value[];
  readonly #types: ReadonlyMap<string, TensorType>;

  constructor(graph: Graph, forward: readonly Node[], types: ReadonlyMap<string, TensorType>) {
    this.forward = forward;
    this.#types = types;
    this.place = new Map(forward.map((node, i) => [node, i]));
    const isRead = (value: Value) =>
      readersOf(value).some((reader) => reader.graph === graph && !this.place.has(reader));
    this.saved = forward.flatMap((node) => node.outputs.filter((value) => value.name !== "" && isRead(value)));
  }

  size(value: Value): number {
    const type = this.#types.get(value.name);
    return type ? Math.ceil((sizeOf(type.shape as number[]) * dtypes[type.dtype].bits) / 8) : 0;
  }

  bytes(values: Iterable<Value>): number {
    let sum = 0;
    for (const value of values) sum += this.size(value);
    return sum;
  }

  /** Whether a node can run twice with the same result. */
  canRepeat(node: Node): boolean {
    return rowOf(node) !== undefined && rowOf(node)?.random !== true && [...node.subgraphs()].length === 0;
  }

  /** Whether a value is there all the time anyway, or cannot be had again. */
  isFixed(value: Value): boolean {
    const { producer } = value;
    if (!producer || !this.place.has(producer) || !this.canRepeat(producer) || value.isGraphOutput) return true;
    if (!this.#types.has(value.name)) return true;
    // A body would go on reading the value itself.
    return readersOf(value).some((reader) => !reader.inputs.includes(value));
  }

  /** Whether a value is computed from inputs at all, and its length known, so that reading it can be delayed. */
  canDelay(value: Value): boolean {
    return !value.initializer && this.#types.has(value.name);
  }

  /** A segment that makes `dropped` of what is held, or null when something in between can be neither had nor repeated. */
  segment(
    dropped: readonly Value[],
    isHeld: (value: Value) => boolean,
    isAllowed: (node: Node) => boolean,
  ): Segment | null {
    const nodes = new Set<Node>();
    const delayed = new Set<Value>();
    const open = [...dropped];
    const wanted = new Set(dropped);
    while (open.length > 0) {
      const value = open.pop()!;
      const { producer } = value;
      if (!wanted.has(value) && (isHeld(value) || !producer || !this.place.has(producer))) {
        // What is no result of the forward pass may be read at any time.
        if (this.canDelay(value)) delayed.add(value);
        continue;
      }
      if (!producer || !this.canRepeat(producer) || !isAllowed(producer)) return null;
      if (nodes.has(producer)) continue;
      nodes.add(producer);
      for (const input of producer.inputs) if (input) open.push(input);
    }
    const ordered = [...nodes].sort((a, b) => this.place.get(a)! - this.place.get(b)!);
    // Held values that a node of the segment makes as well are read from there.
    for (const node of ordered) for (const output of node.outputs) delayed.delete(output);
    return delayed.size === 0 ? null : { nodes: ordered, dropped, delayed };
  }
}

/** Values a few nodes without products away from held ones, the largest first, until the budget is met. */
function lightPlan(flow: Flow, before: number, budget: number): RecomputationPlan {
  const held = new Set(flow.saved);
  const anchors = new Set<Value>();
  const segments: Segment[] = [];
  let after = before;
  const isLight = (node: Node) => rowOf(node)?.macs === undefined;
  for (const value of [...flow.saved].sort((a, b) => flow.size(b) - flow.size(a))) {
    if (after <= budget) break;
    if (flow.size(value) < least * before) break;
    if (flow.isFixed(value) || anchors.has(value)) continue;
    const segment = flow.segment([value], (other) => other !== value && held.has(other), isLight);
    if (!segment || flow.bytes(segment.nodes.flatMap((node) => node.outputs)) > reach * flow.size(value)) continue;
    // What is read instead must not be larger than what is freed, unless it is held anyway.
    if ([...segment.delayed].some((anchor) => !held.has(anchor) && flow.place.has(anchor.producer!))) continue;
    segments.push(segment);
    for (const anchor of segment.delayed) anchors.add(anchor);
    held.delete(value);
    after -= flow.size(value);
  }
  return { segments, before, after };
}

/** The forward pass in `count` pieces with about as many saved bytes each, cut where little crosses. */
function segmentPlan(flow: Flow, before: number, count: number): RecomputationPlan {
  const cuts = cutsOf(flow, before, count);
  const piece = new Map<Node, number>();
  let index = 0;
  flow.forward.forEach((node, i) => {
    piece.set(node, index);
    if (i === cuts[index]) index++;
  });
  const of = (value: Value) => piece.get(value.producer!)!;
  const crosses = (value: Value) => readersOf(value).some((reader) => (piece.get(reader) ?? -1) > of(value));
  const crossing = new Set<Value>();
  for (const node of flow.forward) {
    for (const value of node.outputs)
      if (value.name !== "" && (crosses(value) || flow.isFixed(value))) crossing.add(value);
  }
  const segments: Segment[] = [];
  const pieces = Array.from({ length: index + 1 }, (_, i) =>
    flow.saved.filter((value) => of(value) === i && !crossing.has(value)),
  );
  // The last piece is what comes back first: it waits for nothing.
  for (const own of pieces.slice(0, -1)) {
    if (own.length === 0) continue;
    const segment = flow.segment(
      own,
      (value) => crossing.has(value),
      () => true,
    );
    if (segment) segments.push(segment);
    else for (const value of own) crossing.add(value);
  }
  const most = Math.max(...pieces.map((own) => flow.bytes(own)));
  return { segments, before, after: flow.bytes(crossing) + most };
}

/** Positions after which to cut, by the index of the node: near equal shares of the saved bytes, the least crossing first. */
function cutsOf(flow: Flow, before: number, count: number): number[] {
  const saved = new Set(flow.saved);
  const last = flow.forward.length - 1;
  const crossing = new Array<number>(last + 2).fill(0);
  const reached: number[] = [];
  let sum = 0;
  flow.forward.forEach((node, i) => {
    sum += flow.bytes(node.outputs.filter((value) => saved.has(value)));
    reached.push(sum);
    for (const value of node.outputs) {
      const until = Math.max(i, ...readersOf(value).map((reader) => flow.place.get(reader) ?? -1));
      for (let at = i; at < until; at++) crossing[at]! += flow.size(value);
    }
  });
  const cuts: number[] = [];
  for (let i = 1; i < count; i++) {
    const [low, high] = [((i - 0.4) * before) / count, ((i + 0.4) * before) / count];
    let best = -1;
    for (let at = (cuts.at(-1) ?? -1) + 1; at < last; at++) {
      if (reached[at]! < low || reached[at]! > high) continue;
      if (best < 0 || crossing[at]! < crossing[best]!) best = at;
    }
    if (best >= 0) cuts.push(best);
  }
  return cuts;
}
