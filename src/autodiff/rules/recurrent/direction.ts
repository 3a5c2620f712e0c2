/** One direction of a recurrent node: what it read and gave out, and what all three kinds do over all steps at once. */
import { invariant } from "../../../base/inner.ts";
import type { Value } from "../../../ir/inner.ts";
import { Tensor } from "../../../tensor/inner.ts";
import type { Emitter } from "../../emitter.ts";
import type { Backward } from "../../rule.ts";
import type { GateFunction } from "./gate-functions.ts";

/** One direction of a recurrent node. T steps, B samples, I inputs, H states, G gates. */
export interface Direction {
  readonly steps: number;
  readonly samples: number;
  readonly inputs: number;
  readonly hidden: number;
  readonly backwards: boolean;
  readonly functions: readonly GateFunction[];
  /** Bound of what goes into the gates, 0 for none. */
  readonly clip: number;
  /** [T, B, I] */
  readonly x: Value;
  /** The state before each step, [T, B, H]. */
  readonly before: Value;
  /** [G · H, I], [G · H, H] and, where there is a bias, twice [G · H]. */
  readonly w: Value;
  readonly r: Value;
  readonly biases: readonly [Value, Value] | null;
  /** What flows back into each state, [T, B, H] (null: nothing), and into the last one, [B, H]. */
  readonly dy: Value | null;
  readonly dLast: Value;
  /** 1 where a step belongs to its sample, [T, B, 1]; null where all do. */
  readonly mask: Value | null;
  /** The [D, B, H] or [D, …] value of an input or of an output's gradient for this direction, or null. */
  readonly initial: (input: number) => Value | null;
  readonly final: (output: number) => Value | null;
}

/** The gradients of one direction, in the order of the inputs; 4 is sequence_lens. */
export interface DirectionGradients {
  readonly x: Value | null;
  readonly w: Value | null;
  readonly r: Value | null;
  /** [2 · G · H] */
  readonly bias: Value | null;
  readonly h: Value;
  readonly c?: Value;
  readonly peepholes?: Value | null;
}

/** What both directions read. */
export interface Frame {
  /** All states, [T, D, B, H]. */
  readonly y: Value;
  readonly mask: Value | null;
  readonly lengths: readonly [steps: number, samples: number, inputs: number, hidden: number];
}

/** What both directions share; states that the node does not give out are computed again. */
export function frameOf(b: Backward): Frame {
  const { node } = b;
  const [steps = 1, samples = 1, inputs = 1] = b.shapeOf(0);
  const hidden = b.shapeOf(2)[2]!;
  const computed = node.outputs[0];
  const y = computed?.name ? computed : b.op(node.op, node.inputs, Object.fromEntries(node.attributes));
  const lens = node.input(4);
  const time = () =>
    b.constant(
      Tensor.float32(
        [steps, 1],
        Array.from({ length: steps }, (_, t) => t),
      ),
    );
  const mask = lens ? b.reshape(b.asFloat(b.op("Less", [time(), b.asFloat(lens)])), [steps, samples, 1]) : null;
  return { y, mask, lengths: [steps, samples, inputs, hidden] };
}

export function directionOf(b: Backward, frame: Frame, d: number, functions: readonly GateFunction[]): Direction {
  const { node } = b;
  const count = b.shapeOf(1)[0]!;
  const [steps, samples, inputs, hidden] = frame.lengths;
  const backwards = node.string("direction", "forward") === "reverse" || d === 1;
  // Along axis 0, or along axis 1 of a value over time.
  const own = (value: Value, axis: number) =>
    b.op("Squeeze", [count === 1 ? value : b.slice(value, [axis], [d], [d + 1]), b.ints([axis])]);
  const initial = (input: number) => {
    const value = node.input(input);
    return value && own(value, 0);
  };
  const final = (output: number) => {
    const value = b.gradient(output);
    return value && own(value, 0);
  };
  const zeros = () => b.filled([samples, hidden], 0);
  const h = initial(5) ?? zeros();
  const states = own(frame.y, 1);
  const given = b.gradient(0);
  const all = given && own(given, 1);
  const { mask } = frame;
  // Steps after the end of a sample count nothing, and the state before its first step is the initial one.
  const held = mask ? b.add(states, b.mul(b.sub(b.scalar(1), mask), h)) : states;
  const [w, r] = [initial(1), initial(2)];
  invariant(w && r, `${node} has no weights`);
  const bias = initial(3);
  return {
    steps,
    samples,
    inputs,
    hidden,
    backwards,
    functions,
    clip: node.float("clip", 0),
    x: b.input(0),
    before: shifted(b, held, h, steps, backwards),
    w,
    r,
    biases: bias ? (b.ops("Split", 2, [bias], { axis: 0, num_outputs: 2 }) as [Value, Value]) : null,
    dy: all && mask ? b.mul(all, mask) : all,
    dLast: final(1) ?? zeros(),
    mask,
    initial,
    final,
  };
}

/** What flows back into the states of all steps, as the last of the sequences that a step reads. */
export function flowing({ dy }: Direction): readonly Value[] {
  return dy ? [dy] : [];
}

/** The gradient of a step's state: what the step behind carries, and what flows into the state itself. */
export function stateGradient(e: Emitter, { dy }: Direction, carry: Value, elements: readonly Value[]): Value {
  return dy ? e.add(elements.at(-1)!, carry) : carry;
}

/** The value of the step before each step; `first` [B, H] before the first one. */
export function shifted(b: Backward, values: Value, first: Value, steps: number, backwards: boolean): Value {
  const start = b.op("Unsqueeze", [first, b.ints([0])]);
  if (steps === 1) return start;
  return backwards
    ? b.concat([b.slice(values, [0], [1], [steps]), start], 0)
    : b.concat([start, b.slice(values, [0], [0], [steps - 1])], 0);
}

/** What the gates read: W · x + R · h + biases over all steps at once, [T, B, G · H]. */
export function gateInputs(b: Backward, { x, before, w, r, biases, ...d }: Direction, gates: number): Value {
  const rows = d.steps * d.samples;
  const both = b.concat([b.reshape(x, [rows, d.inputs]), b.reshape(before, [rows, d.hidden])], 1);
  const bias = biases ? [b.add(...biases)] : [];
  const product = b.op("Gemm", [both, b.concat([w, r], 1), ...bias], { transB: 1 });
  return b.reshape(product, [d.steps, d.samples, gates * d.hidden]);
}

export interface Gate {
  readonly value: Value;
  readonly slope: Value;
}

/** The value of a gate's function and its slope, from what goes in. */
export function gate(e: Emitter, f: GateFunction, input: Value, clip: number): Gate {
  const x = clipped(e, input, clip);
  const value = f.value(e, x);
  const slope = f.slope(e, x, value);
  return { value, slope: clip > 0 ? e.mul(slope, e.within(input, clip)) : slope };
}

/** What goes into a gate where the node has a `clip`; 0 is none. */
export function clipped(e: Emitter, input: Value, clip: number): Value {
  return clip > 0 ? e.op("Clip", [input, e.scalar(-clip), e.scalar(clip)]) : input;
}

/** The gradient of x [T, B, I] from that of all gates' inputs [T, B, G · H]. */
export function inputGradient(b: Backward, d: Direction, gates: Value): Value | null {
  return b.wants(0) ? b.matMul(gates, d.w) : null;
}

/** The gradient of a weight [G · H, K]: the product of the gates' inputs and of what met the weight, over all steps. */
export function weightGradient(b: Backward, d: Direction, gates: Value, met: Value, length: number): Value {
  const rows = d.steps * d.samples;
  return b.op("Gemm", [b.reshape(gates, [rows, -1]), b.reshape(met, [rows, length])], { transA: 1 });
}

/** The gradient of both biases, [2 · G · H]. */
export function biasGradient(b: Backward, gates: Value): Value | null {
  if (!b.wants(3)) return null;
  const sum = b.sum(gates, [0, 1]);
  return b.concat([sum, sum], 0);
}

/** All of these for gates that meet x and the state alike. */
export function productGradients(
  b: Backward,
  d: Direction,
  gates: Value,
): Pick<DirectionGradients, "x" | "w" | "r" | "bias"> {
  return {
    x: inputGradient(b, d, gates),
    w: b.wants(1) ? weightGradient(b, d, gates, d.x, d.inputs) : null,
    r: b.wants(2) ? weightGradient(b, d, gates, d.before, d.hidden) : null,
    bias: biasGradient(b, gates),
  };
}
