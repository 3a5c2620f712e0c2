/** Writes the operator of the standard in the place of a chain of steps, and gives its states to those who read them. */
import {
  axisOf,
  constantNumbers,
  floatConstant,
  isOp,
  type LengthTable,
  readersOf,
  readsOf,
} from "../../facts/inner.ts";
import { type AttributeLike, type Graph, type Node, removeDead, type Value } from "../../ir/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import { takeOver } from "../replace-node.ts";
import { Writer } from "../unroll/step.ts";
import type { Source } from "./affine.ts";
import type { Chain } from "./chain.ts";
import { sequenceOf } from "./sequence.ts";

/** The node in front of which the operator can stand, after what it reads was moved there; undefined: it reads what follows from its own states. */
export function placeFor({ steps, inputs, start }: Chain, graph: Graph): Node | undefined {
  const inside = new Set(steps.flatMap((step) => [...step.nodes]));
  const reads = [...inputs.flat(), ...(start.h ? [start.h] : [])].map(({ value }) => value);
  const needed = new Set<Node>();
  const open = [...reads, ...(start.c ? [start.c] : [])].flatMap(({ producer }) => producer ?? []);
  for (let node = open.pop(); node; node = open.pop()) {
    if (needed.has(node) || node.graph !== graph) continue;
    if (inside.has(node)) return undefined;
    needed.add(node);
    for (const read of readsOf(node)) if (read.producer) open.push(read.producer);
  }
  const readers = new Set(steps.flatMap(({ after }) => [after.h, ...(after.c ? [after.c] : [])].flatMap(readersOf)));
  const order = [...graph.nodes];
  const first = order.find((node) => readers.has(node) && !inside.has(node)) ?? lastOf(order, inside);
  const late = order.slice(order.indexOf(first)).filter((node) => needed.has(node));
  for (const node of late) graph.move(node, { before: first });
  return first;
}

/** Where only outputs of the graph are read: the last node inside, behind all that the steps read. */
function lastOf(order: readonly Node[], inside: ReadonlySet<Node>): Node {
  return order.findLast((node) => inside.has(node))!;
}

/** Writes it before a node. */
export function writeChain(chain: Chain, before: Node, lengths: LengthTable): void {
  const { steps, parameters, start } = chain;
  const last = steps.at(-1)!;
  const [first] = steps as readonly [(typeof steps)[0]];
  const graph = before.graph!;
  const w = new Writer(before, `${last.after.h.name}/${last.op.toLowerCase()}`);
  const { x, reversed } = sequenceOf(chain, w, lengths);
  const { hidden, gates, functions, reset } = last;
  const rows = gates.length * hidden;
  const constant = (hint: string, shape: readonly number[], numbers: Float32Array) =>
    w.constant(hint, Tensor.float32(shape, numbers));
  const state = (value: Value | null, hint: string) => (value ? w.op("Unsqueeze", [value, w.ints(0)], hint) : null);
  const h = state(start.h && valueAt(start.h, w), "h");
  const c = state(start.c, "c");
  const peepholes = first.peepholes?.flatMap((one) =>
    one ? [...floatConstant(one)!.floats()] : Array(hidden).fill(0),
  );
  const used = [
    x,
    constant("w", [1, rows, parameters.w.length / rows], parameters.w),
    constant("r", [1, rows, hidden], parameters.r),
    parameters.b.some((number) => number !== 0) ? constant("b", [1, 2 * rows], parameters.b) : null,
    null,
    h,
    ...(last.op === "LSTM" ? [c, peepholes ? constant("p", [1, 3 * hidden], Float32Array.from(peepholes)) : null] : []),
  ];
  const hints = last.op === "LSTM" ? ["y", "y_h", "y_c"] : ["y"];
  const [y, , cell] = w.many(last.op, used, hints, {
    hidden_size: hidden,
    ...(reversed ? { direction: "reverse" } : {}),
    ...functionAttributes(functions),
    ...(reset && "product" in reset ? { linear_before_reset: 1 } : {}),
  });
  const results = steps.map(({ after }) => after.h);
  const inside = new Set(steps.flatMap((step) => [...step.nodes]));
  handOut(reversed ? results.toReversed() : results, y!, inside, w);
  if (last.after.c && last.after.c.useCount > 0) takeOver(last.after.c, w.op("Squeeze", [cell!, w.ints(0)], "cell"));
  removeDead(graph);
}

/** A source as a value [batch, columns]. */
function valueAt({ value, pick, read }: Source, w: Writer): Value {
  if (read) return read;
  return pick ? w.pick(value, pick.index, pick.axis, "picked") : value;
}

/** The functions, where they are not the usual ones. */
function functionAttributes(functions: Chain["steps"][0]["functions"]): Record<string, AttributeLike> {
  const numbers = (key: "alpha" | "beta") => functions.flatMap((one) => one[key] ?? []);
  const [alpha, beta] = [numbers("alpha"), numbers("beta")];
  return {
    activations: functions.map(({ name }) => name),
    ...(alpha.length > 0 ? { activation_alpha: { type: "floats", value: alpha } } : {}),
    ...(beta.length > 0 ? { activation_beta: { type: "floats", value: beta } } : {}),
  };
}

/** Gives what Y [steps, 1, batch, hidden] holds to those outside who read a state, or all of them in order of time. */
function handOut(states: readonly Value[], y: Value, inside: ReadonlySet<Node>, w: Writer): void {
  if (states.length === 1) {
    takeOver(states[0]!, w.op("Squeeze", [y, w.ints(0, 1)], "state"));
    return;
  }
  const all = w.op("Squeeze", [y, w.ints(1)], "states");
  // What only put states together again goes with the steps.
  const gone = new Set(inside);
  for (const [concat, axis] of stacksOf(states)) {
    const stacked = axis === 0 ? (["Identity", {}] as const) : (["Transpose", { perm: [1, 0, 2] }] as const);
    takeOver(concat.output, w.op(stacked[0], [all], "stack", stacked[1]));
    gone.add(concat);
    for (const { producer: row } of concat.inputs as readonly Value[])
      if (row && isReadIn(row.output, gone)) gone.add(row);
  }
  for (const [t, state] of states.entries())
    if (!isReadIn(state, gone)) takeOver(state, w.pick(all, t, 0, `state_${t}`));
}

/** Whether nobody but these nodes reads a value. */
export function isReadIn(value: Value, nodes: ReadonlySet<Node>): boolean {
  return [...value.uses()].every((use) => "node" in use && nodes.has(use.node));
}

/** Where all states are put together again in order, along a new first or second axis. */
function stacksOf(states: readonly Value[]): readonly (readonly [concat: Node, axis: number])[] {
  return states[0]!.consumers().flatMap((row) =>
    row.output.consumers().flatMap((concat): [Node, number][] => {
      const axis = isOp(concat, "Concat") ? axisOf(concat.int("axis", 0), 3) : undefined;
      const inOrder =
        (axis === 0 || axis === 1) &&
        concat.inputs.length === states.length &&
        concat.inputs.every((input, t) => isRowOf(input!, states[t]!, axis));
      return inOrder ? [[concat, axis]] : [];
    }),
  );
}

function isRowOf({ producer }: Value, state: Value, axis: number): boolean {
  if (!isOp(producer, "Unsqueeze") || producer.input(0) !== state) return false;
  const axes = producer.ints("axes") ?? constantNumbers(producer.input(1));
  return axes?.length === 1 && axisOf(axes[0]!, 3) === axis;
}
