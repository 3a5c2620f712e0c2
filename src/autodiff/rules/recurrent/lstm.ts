/** LSTM (Hochreiter and Schmidhuber, 1997; peepholes: Gers and Schmidhuber, 2000), gates in ONNX's order i, o, f, c. */
import type { Value } from "../../../ir/inner.ts";
import type { Backward } from "../../rule.ts";
import {
  clipped,
  type Direction,
  type DirectionGradients,
  flowing,
  type Gate,
  gate,
  gateInputs,
  productGradients,
  shifted,
  stateGradient,
} from "./direction.ts";
import { overTime } from "./time-steps.ts";

/** What the gates of all steps are, each [T, B, H], and the cell c after each step and before it. */
interface Cells {
  readonly input: Gate;
  readonly output: Gate;
  readonly forget: Gate;
  readonly candidate: Gate;
  readonly cell: Value;
  readonly before: Value;
}

/** c = f ∘ c₋₁ + i ∘ g and h = o ∘ t(c); with input_forget f = 1 − i. */
export function lstmPass(b: Backward, d: Direction): DirectionGradients {
  const zeros = b.filled([d.samples, d.hidden], 0);
  const first = d.initial(6) ?? zeros;
  const peepholes = d.initial(7);
  const peeps = peepholes ? b.ops("Split", 3, [peepholes], { axis: 0, num_outputs: 3 }) : null;
  const { input, output, forget, candidate, cell, before } = cellsOf(b, d, first, peeps);
  const coupled = b.node.int("input_forget", 0) !== 0;
  const out = { value: d.functions[2]!.value(b, cell), slope: null as Value | null };
  out.slope = d.functions[2]!.slope(b, cell, out.value);
  // Gradients of the gates' inputs: that of the cell times these, and for the output gate that of the state.
  const toInput = b.mul(coupled ? b.sub(candidate.value, before) : candidate.value, input.slope);
  const toForget = coupled ? b.filled([d.steps, d.samples, d.hidden], 0) : b.mul(before, forget.slope);
  const factors = b.concat([toInput, b.mul(out.value, output.slope), toForget, b.mul(input.value, candidate.slope)], 2);
  const toCell = b.mul(output.value, out.slope);
  const within = (value: Value) => (d.mask ? b.mul(value, d.mask) : value);
  const kept = d.mask ? [b.sub(b.scalar(1), d.mask)] : [];
  const keep = d.mask ? b.add(within(forget.value), kept[0]!) : forget.value;
  const { states, outputs } = overTime(
    b,
    {
      ...d,
      backwards: !d.backwards,
      widths: [4 * d.hidden],
      states: [d.dLast, d.final(2) ?? zeros],
      sequences: [within(toCell), within(factors), keep, ...kept, ...flowing(d)],
    },
    (e, [carry, cellCarry], elements) => {
      const [cellSlope, factor, f, more] = elements;
      const outside = d.mask && more;
      const dh = stateGradient(e, d, carry!, elements);
      const dc = e.add(cellCarry!, e.mul(dh, cellSlope!));
      const peeped = peeps ? e.add(dc, e.mul(e.mul(dh, outputPart(e, factor!, d.hidden)), peeps[1]!)) : dc;
      const gates = e.mul(e.concat([peeped, dh, peeped, peeped], 1), factor!);
      const back = e.matMul(gates, d.r);
      const through = e.mul(peeped, f!);
      const cellBack = peeps ? e.add(through, peepsBack(e, gates, peeps, d.hidden)) : through;
      return { states: [outside ? e.add(back, e.mul(outside, dh)) : back, cellBack], outputs: [gates] };
    },
  );
  const gates = outputs[0]!;
  return {
    ...productGradients(b, d, gates),
    h: states[0]!,
    c: states[1]!,
    peepholes: peeps && b.wants(7) ? peepholeGradients(b, d, gates, before, cell) : null,
  };
}

function outputPart(e: Pick<Backward, "slice">, factors: Value, hidden: number): Value {
  return e.slice(factors, [1], [hidden], [2 * hidden]);
}

/** What flows to the cell before through the peepholes of the input and forget gates. */
function peepsBack(e: Pick<Backward, "slice" | "add" | "mul">, gates: Value, peeps: readonly Value[], hidden: number) {
  const part = (i: number) => e.slice(gates, [1], [i * hidden], [(i + 1) * hidden]);
  return e.add(e.mul(part(0), peeps[0]!), e.mul(part(2), peeps[2]!));
}

/** The gates again. Without peepholes all steps at once; with them the cell's loop computes what it needs itself. */
function cellsOf(b: Backward, d: Direction, first: Value, peeps: readonly Value[] | null): Cells {
  const [f, g] = d.functions;
  const coupled = b.node.int("input_forget", 0) !== 0;
  const parts = b.ops("Split", 4, [gateInputs(b, d, 4)], { axis: 2, num_outputs: 4 });
  const forgetOf = (input: Gate, x: Value): Gate =>
    coupled ? { value: b.sub(b.scalar(1), input.value), slope: b.neg(input.slope) } : gate(b, f!, x, d.clip);
  const candidate = gate(b, g!, parts[3]!, d.clip);
  const kept = d.mask ? [d.mask, b.sub(b.scalar(1), d.mask)] : [];
  const time = { ...d, widths: [d.hidden], states: [first] };
  if (!peeps) {
    const input = gate(b, f!, parts[0]!, d.clip);
    const forget = forgetOf(input, parts[2]!);
    const added = b.mul(input.value, candidate.value);
    const held = d.mask ? b.add(b.mul(forget.value, kept[0]!), kept[1]!) : forget.value;
    const gained = d.mask ? b.mul(added, kept[0]!) : added;
    const { outputs } = overTime(b, { ...time, sequences: [held, gained] }, (e, [c], [keep, gain]) => {
      const next = e.add(e.mul(c!, keep!), gain!);
      return { states: [next], outputs: [next] };
    });
    const cell = outputs[0]!;
    const before = shifted(b, cell, first, d.steps, d.backwards);
    return { input, output: gate(b, f!, parts[1]!, d.clip), forget, candidate, cell, before };
  }
  const { outputs } = overTime(
    b,
    { ...time, sequences: [parts[0]!, parts[2]!, candidate.value, ...kept] },
    (e, [c], [i, forget, g, inside, outside]) => {
      const opened = f!.value(e, clipped(e, e.add(i!, e.mul(c!, peeps[0]!)), d.clip));
      const held = coupled
        ? e.sub(e.scalar(1), opened)
        : f!.value(e, clipped(e, e.add(forget!, e.mul(c!, peeps[2]!)), d.clip));
      const next = e.add(e.mul(held, c!), e.mul(opened, g!));
      const state = inside ? e.add(e.mul(next, inside), e.mul(c!, outside!)) : next;
      return { states: [state], outputs: [state] };
    },
  );
  const cell = outputs[0]!;
  const before = shifted(b, cell, first, d.steps, d.backwards);
  const peeped = (i: number, at: Value, p: number) => b.add(parts[i]!, b.mul(at, peeps[p]!));
  const input = gate(b, f!, peeped(0, before, 0), d.clip);
  return {
    input,
    output: gate(b, f!, peeped(1, cell, 1), d.clip),
    forget: forgetOf(input, peeped(2, before, 2)),
    candidate,
    cell,
    before,
  };
}

/** [3 · H]: input and forget gates see the cell before, the output gate the one after. */
function peepholeGradients(b: Backward, d: Direction, gates: Value, before: Value, after: Value): Value {
  const part = (i: number) => b.slice(gates, [2], [i * d.hidden], [(i + 1) * d.hidden]);
  const sum = (i: number, cell: Value) => b.sum(b.mul(part(i), cell), [0, 1]);
  return b.concat([sum(0, before), sum(1, after), sum(2, before)], 0);
}
