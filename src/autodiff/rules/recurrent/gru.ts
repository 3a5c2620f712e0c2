/** GRU (Cho et al., 2014), gates in ONNX's order z, r, h; both positions of the reset gate. */
import type { Value } from "../../../ir/inner.ts";
import type { Backward } from "../../rule.ts";
import {
  type Direction,
  type DirectionGradients,
  flowing,
  type Gate,
  gate,
  gateInputs,
  inputGradient,
  productGradients,
  stateGradient,
  weightGradient,
} from "./direction.ts";
import { overTime } from "./time-steps.ts";

/**
 * h = (1 − z) ∘ n + z ∘ h₋₁ with n = g(W x + (r ∘ h₋₁) R + b), or, with linear_before_reset, n = g(W x + r ∘ (h₋₁ R + b_R)
 * + b_W).
 */
export function gruPass(b: Backward, d: Direction): DirectionGradients {
  return b.node.int("linear_before_reset", 0) !== 0 ? resetAfter(b, d) : resetBefore(b, d);
}

/** The rows of a [3 · H, …] weight or bias from gate `from` to gate `to`. */
function rows(b: Backward, d: Direction, value: Value, from: number, to: number): Value {
  return b.slice(value, [0], [from * d.hidden], [to * d.hidden]);
}

/** A view of the direction whose gates are some of the three. */
function partOf(b: Backward, d: Direction, from: number, to: number): Direction {
  const own = (value: Value) => rows(b, d, value, from, to);
  return { ...d, w: own(d.w), r: own(d.r), biases: d.biases && [own(d.biases[0]), own(d.biases[1])] };
}

interface Gates {
  readonly update: Gate;
  readonly reset: Gate;
}

function updateAndReset(b: Backward, d: Direction): Gates {
  const [z, r] = b.ops("Split", 2, [gateInputs(b, partOf(b, d, 0, 2), 2)], { axis: 2, num_outputs: 2 });
  const [f] = d.functions;
  return { update: gate(b, f!, z!, d.clip), reset: gate(b, f!, r!, d.clip) };
}

/** Gradients of the inputs of z and n from that of h, and what of it goes straight to h₋₁; nothing where a sample has ended. */
function factorsOf(b: Backward, d: Direction, { update }: Gates, candidate: Gate) {
  const within = (value: Value) => (d.mask ? b.mul(value, d.mask) : value);
  const z = within(b.mul(b.sub(d.before, candidate.value), update.slope));
  const n = within(b.mul(b.sub(b.scalar(1), update.value), candidate.slope));
  const straight = d.mask ? b.add(within(update.value), b.sub(b.scalar(1), d.mask)) : update.value;
  return { z, n, straight };
}

function resetAfter(b: Backward, d: Direction): DirectionGradients {
  const gates = updateAndReset(b, d);
  const { reset } = gates;
  const n = { w: rows(b, d, d.w, 2, 3), r: rows(b, d, d.r, 2, 3) };
  const biases = d.biases?.map((bias) => rows(b, d, bias, 2, 3));
  const plus = (value: Value, bias: Value | undefined) => (bias ? b.add(value, bias) : value);
  const recurrent = plus(b.matMul(d.before, b.transpose(n.r, [1, 0])), biases?.[1]);
  const driven = plus(b.matMul(d.x, b.transpose(n.w, [1, 0])), biases?.[0]);
  const candidate = gate(b, d.functions[1]!, b.add(driven, b.mul(reset.value, recurrent)), d.clip);
  const factors = factorsOf(b, d, gates, candidate);
  const toReset = b.mul(factors.n, b.mul(recurrent, reset.slope));
  const toState = b.concat([factors.z, toReset, b.mul(factors.n, reset.value)], 2);
  const { states, outputs } = overTime(
    b,
    {
      ...d,
      backwards: !d.backwards,
      widths: [3 * d.hidden, d.hidden],
      states: [d.dLast],
      sequences: [toState, factors.straight, ...flowing(d)],
    },
    (e, [carry], elements) => {
      const [factor, straight] = elements;
      const dh = stateGradient(e, d, carry!, elements);
      const all = e.mul(e.concat([dh, dh, dh], 1), factor!);
      return { states: [e.add(e.mul(dh, straight!), e.matMul(all, d.r))], outputs: [all, dh] };
    },
  );
  const [stateSide, dh] = outputs;
  const inputSide = b.concat([b.slice(stateSide!, [2], [0], [2 * d.hidden]), b.mul(dh!, factors.n)], 2);
  const sums = () => b.concat([b.sum(inputSide, [0, 1]), b.sum(stateSide!, [0, 1])], 0);
  return {
    x: inputGradient(b, d, inputSide),
    w: b.wants(1) ? weightGradient(b, d, inputSide, d.x, d.inputs) : null,
    r: b.wants(2) ? weightGradient(b, d, stateSide!, d.before, d.hidden) : null,
    bias: b.wants(3) ? sums() : null,
    h: states[0]!,
  };
}

function resetBefore(b: Backward, d: Direction): DirectionGradients {
  const gates = updateAndReset(b, d);
  const { reset } = gates;
  const shrunk = b.mul(reset.value, d.before);
  const candidate = gate(b, d.functions[1]!, gateInputs(b, { ...partOf(b, d, 2, 3), before: shrunk }, 1), d.clip);
  const factors = factorsOf(b, d, gates, candidate);
  const toReset = b.mul(d.before, reset.slope);
  const [rGates, rCandidate] = [rows(b, d, d.r, 0, 2), rows(b, d, d.r, 2, 3)];
  const { states, outputs } = overTime(
    b,
    {
      ...d,
      backwards: !d.backwards,
      widths: [3 * d.hidden],
      states: [d.dLast],
      sequences: [factors.z, factors.n, toReset, reset.value, factors.straight, ...flowing(d)],
    },
    (e, [carry], elements) => {
      const [z, n, factor, r, straight] = elements;
      const dh = stateGradient(e, d, carry!, elements);
      const dn = e.mul(dh, n!);
      const drh = e.matMul(dn, rCandidate);
      const zr = e.concat([e.mul(dh, z!), e.mul(drh, factor!)], 1);
      const back = e.op("Sum", [e.mul(dh, straight!), e.mul(drh, r!), e.matMul(zr, rGates)]);
      return { states: [back], outputs: [e.concat([zr, dn], 1)] };
    },
  );
  const all = outputs[0]!;
  return {
    ...productGradients(b, d, all),
    r: b.wants(2) ? weightOfStates(b, d, all, shrunk) : null,
    h: states[0]!,
  };
}

/** The gates met h₋₁, the candidate r ∘ h₋₁. */
function weightOfStates(b: Backward, d: Direction, gates: Value, shrunk: Value): Value {
  const part = (from: number, to: number) => b.slice(gates, [2], [from * d.hidden], [to * d.hidden]);
  return b.concat(
    [weightGradient(b, d, part(0, 2), d.before, d.hidden), weightGradient(b, d, part(2, 3), shrunk, d.hidden)],
    0,
  );
}
