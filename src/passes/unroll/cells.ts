/** One step of RNN, GRU and LSTM, after ONNX's equations. Gates lie side by side on the last axis: [batch, gates·hidden]. */
import type { Value } from "../../ir/inner.ts";
import type { Activate } from "./activation.ts";
import type { Writer } from "./step.ts";

/** The parameters of one direction, ready for MatMul: [in, gates·hidden], [hidden, gates·hidden], [gates·hidden]. */
export interface Parameters {
  readonly r: Value;
  /** Bias of the recurrent product; null where there is none. That of the input is in `x` already. */
  readonly rb: Value | null;
  /** LSTM: peepholes for input, output and forget gate, [hidden] each. */
  readonly peepholes: readonly Value[] | null;
}

export interface State {
  readonly h: Value;
  readonly c: Value | null;
}

export interface CellOptions {
  readonly activations: readonly Activate[];
  /** Clips what goes into an activation to ± this. */
  readonly clip: ((x: Value, hint: string) => Value) | null;
  /** GRU: the reset gate acts on the product with R instead of on the state. */
  readonly linearBeforeReset: boolean;
  /** LSTM: the forget gate is 1 − the input gate. */
  readonly inputForget: boolean;
}

export type Cell = (
  writer: Writer,
  x: Value,
  state: State,
  parameters: Parameters,
  options: CellOptions,
  step: string,
) => State;

/** Number of gates, and the step, by operator. */
export const cells: Readonly<Record<string, { readonly gates: number; readonly step: Cell }>> = {
  RNN: { gates: 1, step: rnn },
  GRU: { gates: 3, step: gru },
  LSTM: { gates: 4, step: lstm },
};

const through = ({ clip }: CellOptions, activate: Activate, x: Value, hint: string) =>
  activate(clip ? clip(x, `${hint}_clipped`) : x, hint);

function recurrent(w: Writer, h: Value, { r, rb }: Parameters, step: string): Value {
  const product = w.op("MatMul", [h, r], `${step}/recurrent`);
  return rb ? w.op("Add", [product, rb], `${step}/recurrent_biased`) : product;
}

/** H = f(X·W + H·R + b). */
function rnn(w: Writer, x: Value, { h }: State, p: Parameters, o: CellOptions, step: string): State {
  const sum = w.op("Add", [x, recurrent(w, h, p, step)], `${step}/sum`);
  return { h: through(o, o.activations[0]!, sum, `${step}/h`), c: null };
}

/** Gates z, r, h:  H' = (1 − z)·ĥ + z·H,  ĥ = g(x + (r·H)·R + b)  or  g(x + r·(H·R + b)). */
function gru(w: Writer, x: Value, { h }: State, p: Parameters, o: CellOptions, step: string): State {
  const [f, g] = o.activations as [Activate, Activate];
  const third = ["z", "r", "h"].map((gate) => `${step}/x_${gate}`);
  const [xz, xr, xh] = w.many("Split", [x], third, { axis: -1, num_outputs: 3 }) as [Value, Value, Value];
  const rows = recurrent(w, h, p, step);
  const [hz, hr, hh] = w.many(
    "Split",
    [rows],
    ["z", "r", "h"].map((gate) => `${step}/h_${gate}`),
    { axis: -1, num_outputs: 3 },
  ) as [Value, Value, Value];
  const z = through(o, f, w.op("Add", [xz, hz], `${step}/z_sum`), `${step}/z`);
  const r = through(o, f, w.op("Add", [xr, hr], `${step}/r_sum`), `${step}/r`);
  let candidate: Value;
  if (o.linearBeforeReset) candidate = w.op("Mul", [r, hh], `${step}/reset`);
  else {
    const last = (of: Value, axis: number, hint: string) =>
      w.many("Split", [of], [`${hint}_z`, `${hint}_r`, hint], { axis, num_outputs: 3 })[2]!;
    const product = w.op(
      "MatMul",
      [w.op("Mul", [r, h], `${step}/reset`), last(p.r, 1, "r_h")],
      `${step}/reset_recurrent`,
    );
    candidate = p.rb ? w.op("Add", [product, last(p.rb, 0, "rb_h")], `${step}/reset_biased`) : product;
  }
  const fresh = through(o, g, w.op("Add", [xh, candidate], `${step}/candidate_sum`), `${step}/candidate`);
  // (1 − z)·ĥ + z·H = ĥ + z·(H − ĥ)
  const change = w.op("Mul", [z, w.op("Sub", [h, fresh], `${step}/difference`)], `${step}/change`);
  return { h: w.op("Add", [fresh, change], `${step}/h`), c: null };
}

/** Gates i, o, f, c:  C' = f·C + i·g(c),  H' = o·h(C'), with peepholes from C into i and f, and from C' into o. */
function lstm(w: Writer, x: Value, { h, c }: State, p: Parameters, opts: CellOptions, step: string): State {
  const [f, g, last] = opts.activations as [Activate, Activate, Activate];
  const sum = w.op("Add", [x, recurrent(w, h, p, step)], `${step}/sum`);
  const names = ["i", "o", "f", "c"].map((gate) => `${step}/sum_${gate}`);
  const [si, so, sf, sc] = w.many("Split", [sum], names, { axis: -1, num_outputs: 4 }) as [Value, Value, Value, Value];
  const peep = (value: Value, cell: Value, index: number, gate: string) =>
    p.peepholes
      ? w.op("Add", [value, w.op("Mul", [p.peepholes[index]!, cell], `${step}/peep_${gate}`)], `${step}/peeped_${gate}`)
      : value;
  const i = through(opts, f, peep(si, c!, 0, "i"), `${step}/i`);
  const forget = opts.inputForget
    ? w.op("Sub", [w.float(1), i], `${step}/f`)
    : through(opts, f, peep(sf, c!, 2, "f"), `${step}/f`);
  const candidate = through(opts, g, sc, `${step}/candidate`);
  const kept = w.op("Mul", [forget, c!], `${step}/kept`);
  const cell = w.op("Add", [kept, w.op("Mul", [i, candidate], `${step}/written`)], `${step}/c`);
  const o = through(opts, f, peep(so, cell, 1, "o"), `${step}/o`);
  return { h: w.op("Mul", [o, last(cell, `${step}/c_activated`)], `${step}/h`), c: cell };
}
