/**
 * Writes a recurrent layer (RNN, GRU, LSTM) of known length out, step by step, so that its products and sums can be
 * quantized like any other. The products with W of all steps are one MatMul.
 */

import { invariant, isRefused, refuse } from "../../base/inner.ts";
import { activationsOf, isRecurrent, LengthTable } from "../../facts/inner.ts";
import type { Graph, Node, Value } from "../../ir/inner.ts";
import type { Pass } from "../pass.ts";
import { takeOver } from "../replace-node.ts";
import { passOf, rule } from "../rule.ts";
import { activatorsOf } from "./activation.ts";
import { type CellOptions, cells, type State } from "./cells.ts";
import { Writer } from "./step.ts";

export interface UnrollOptions {
  /** Layers with more steps stay as they are. Default 32. */
  readonly steps?: number;
}

interface Found {
  readonly node: Node;
  readonly steps: number | undefined;
  readonly batchFirst: boolean;
}

/** The pass. Needs opset 18 (Split with num_outputs). */
export function unrollRecurrent({ steps: limit = 32 }: UnrollOptions = {}): Pass {
  const unroll = (lengths: LengthTable) =>
    rule<Found>({
      name: "unroll-recurrent",
      match: (node) => {
        if (!isRecurrent(node)) return undefined;
        const batchFirst = node.int("layout", 0) === 1;
        const length = lengths.of(node.input(0))?.[batchFirst ? 1 : 0];
        return { node, batchFirst, steps: typeof length === "number" ? length : undefined };
      },
      check: ({ node, steps }) => {
        if (steps === undefined) return refuse("its number of steps is known only when it runs");
        if (steps > limit || steps === 0) return refuse(`it has ${steps} steps, and the limit is ${limit}`);
        if (node.input(4)) return refuse("its samples have lengths of their own (sequence_lens)");
        const known = activationsOf(node);
        return isRefused(known) ? known : true;
      },
      rewrite: (found, graph) => unrollLayer(found, graph),
    });
  return {
    name: "unroll-recurrent",
    run(model, note) {
      if (model.opset < 18) return 0;
      return passOf("unroll-recurrent", [unroll(new LengthTable(model))]).run(model, note);
    },
  };
}

function unrollLayer({ node, steps, batchFirst }: Found, graph: Graph): void {
  const w = new Writer(node);
  const direction = node.string("direction", "forward");
  const reversed = direction === "bidirectional" ? [false, true] : [direction === "reverse"];
  const x = batchFirst ? w.op("Transpose", [node.input(0)], "x", { perm: [1, 0, 2] }) : node.input(0)!;
  const runs = reversed.map((backwards, d) => runDirection(node, w, x, steps!, backwards, d, batchFirst));
  const stacked = runs.map(({ all }, d) => w.op("Unsqueeze", [all, w.ints(1)], `y_${d}`));
  // [steps, directions, batch, hidden], or with layout 1 [batch, steps, directions, hidden].
  const y = join(w, stacked, 1, "y");
  const states = (pick: (state: State) => Value | null, hint: string) => {
    const values = runs.map(({ last }, d) => w.op("Unsqueeze", [pick(last), w.ints(0)], `${hint}_${d}`));
    const joined = join(w, values, 0, hint);
    return batchFirst ? w.op("Transpose", [joined], `${hint}_batch_first`, { perm: [1, 0, 2] }) : joined;
  };
  const results = [
    () => (batchFirst ? w.op("Transpose", [y], "y_batch_first", { perm: [2, 0, 1, 3] }) : y),
    () => states((s) => s.h, "y_h"),
    () => states((s) => s.c, "y_c"),
  ];
  node.outputs.forEach((output, i) => {
    if (output.name !== "" && output.useCount > 0) takeOver(output, results[i]!());
  });
  graph.remove(node);
}

function join(w: Writer, values: readonly Value[], axis: number, hint: string): Value {
  return values.length === 1 ? w.op("Identity", values, hint) : w.op("Concat", values, hint, { axis });
}

/** One direction over all steps: the states of all steps, [steps, batch, hidden] in order of time, and the last one. */
function runDirection(
  node: Node,
  w: Writer,
  x: Value,
  steps: number,
  backwards: boolean,
  d: number,
  batchFirst: boolean,
): { all: Value; last: State } {
  const { gates, step } = cells[node.op]!;
  const side = backwards ? "backward" : "forward";
  const matrix = (index: number, hint: string) =>
    w.op("Transpose", [w.pick(node.input(index)!, d, 0, `${side}/${hint}_rows`)], `${side}/${hint}`, { perm: [1, 0] });
  const biases = node.input(3)
    ? w.many("Split", [w.pick(node.input(3)!, d, 0, `${side}/b`)], [`${side}/wb`, `${side}/rb`], {
        axis: 0,
        num_outputs: 2,
      })
    : null;
  const peepholes = node.input(7)
    ? w.many(
        "Split",
        [w.pick(node.input(7)!, d, 0, `${side}/p`)],
        ["i", "o", "f"].map((g) => `${side}/p_${g}`),
        { axis: 0, num_outputs: 3 },
      )
    : null;
  const product = w.op("MatMul", [x, matrix(1, "w")], `${side}/x_product`);
  const input = biases ? w.op("Add", [product, biases[0]!], `${side}/x_biased`) : product;
  const r = matrix(2, "r");
  const zero = () => zeroState(w, x, r, gates, side);
  const initial = (index: number, hint: string) => {
    const given = node.input(index);
    return given ? w.pick(given, d, batchFirst ? 1 : 0, `${side}/${hint}`) : zero();
  };
  const threshold = node.float("clip");
  const activations = activatorsOf(node, w, d);
  invariant(!isRefused(activations), `${node} has activations`);
  const options: CellOptions = {
    activations,
    clip:
      threshold === undefined ? null : (v, hint) => w.op("Clip", [v, w.float(-threshold), w.float(threshold)], hint),
    linearBeforeReset: node.int("linear_before_reset", 0) === 1,
    inputForget: node.int("input_forget", 0) === 1,
  };
  let state: State = { h: initial(5, "h"), c: node.op === "LSTM" ? initial(6, "c") : null };
  const rows: Value[] = [];
  for (let n = 0; n < steps; n++) {
    const t = backwards ? steps - 1 - n : n;
    const name = `${side}/${t}`;
    state = step(w, w.pick(input, t, 0, `${name}/x`), state, { r, rb: biases?.[1] ?? null, peepholes }, options, name);
    rows[t] = w.op("Unsqueeze", [state.h, w.ints(0)], `${name}/row`);
  }
  return { all: join(w, rows, 0, `${side}/all`), last: state };
}

/** Zeros of [batch, hidden]: the batch is that of x, hidden is the height of R. */
function zeroState(w: Writer, x: Value, r: Value, gates: number, side: string): Value {
  const batch = w.op("Shape", [x], `${side}/batch`, { start: 1, end: 2 });
  const hidden = w.op("Shape", [r], `${side}/hidden`, { start: 0, end: 1 });
  return w.op(
    "ConstantOfShape",
    [w.op("Concat", [batch, hidden], `${side}/${gates}_gates_state`, { axis: 0 })],
    `${side}/zero`,
  );
}
