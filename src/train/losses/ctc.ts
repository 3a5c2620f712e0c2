/**
 * Connectionist temporal classification (Graves et al., 2006): the probability of a label sequence, summed over all its
 * alignments with the time steps. Forward and backward variables (equations 6 to 11) in the logarithmic domain are two Scans
 * over time, and they give the gradient in closed form (equation 15).
 */
import { Emitter } from "../../autodiff/inner.ts";
import { Graph, tensorType, type Value } from "../../ir/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import { chosenOutput, type GraphLoss, graphLoss } from "../loss.ts";

export interface CtcOptions {
  /** Output with the scores before the softmax. Default: the first. */
  readonly output?: string;
  /** Order of its axes: samples, time, classes (the default), or time first. */
  readonly layout?: "NTC" | "TNC";
  /** The class that means nothing. Default 0. */
  readonly blank?: number;
  /** Target names. Labels are int64 [N, longest], filled up with anything; lengths are int64 [N]. */
  readonly labels?: string;
  readonly labelLengths?: string;
  readonly inputLengths?: string;
}

/** A logarithm of zero that stays finite in sums. */
const never = -1e30;

/**
 * −log p(labels | scores), divided by the number of labels, the mean over the samples; PyTorch's `ctc_loss` with reduction
 * "mean" and zero_infinity: a sample whose labels do not fit into its time steps counts nothing. Targets are by default
 * `labels`, `label_lengths` and `input_lengths`.
 */
export function ctc(options: CtcOptions = {}): GraphLoss {
  const { layout = "NTC", blank = 0 } = options;
  const { labels = "labels", labelLengths = "label_lengths", inputLengths = "input_lengths" } = options;
  return graphLoss([labels, labelLengths, inputLengths], (e, outputs, targets) => {
    const scores = chosenOutput(outputs, options.output);
    const swap = (value: Value) => (layout === "NTC" ? e.transpose(value, [1, 0, 2]) : value);
    const [first, second, classes] = e.shape(scores) as [number, number, number];
    const [samples, steps] = layout === "NTC" ? [first, second] : [second, first];
    const lattice = latticeOf(e, targets[labels]!, targets[labelLengths]!, { blank, classes, samples, steps });
    const live = e.op("Less", [
      e.reshape(e.ints(range(steps)), [steps, 1, 1]),
      e.reshape(targets[inputLengths]!, [1, samples, 1]),
    ]);

    const logs = e.op("LogSoftmax", [swap(scores)], { axis: 2 });
    const places = e.expand(e.reshape(lattice.labels, [1, samples, lattice.size]), [steps, samples, lattice.size]);
    const emitted = e.op("GatherElements", [logs, places], { axis: 2 });
    const forward = forwardVariables(e, lattice, emitted, live);
    const ended = e.add(forward.last, lattice.ends);
    const likelihood = e.op("ReduceLogSumExp", [ended, e.ints([1])], { keepdims: 1 });
    const backward = backwardVariables(e, lattice, emitted, live);

    const possible = e.asFloat(e.op("Greater", [likelihood, e.scalar(never / 2)]));
    const length = e.reshape(e.asFloat(e.op("Max", [targets[labelLengths]!, e.int(1)])), [samples, 1]);
    const weight = e.mul(e.div(possible, length), 1 / samples);
    const posterior = e.op("Exp", [e.sub(e.add(forward.each, backward), e.reshape(likelihood, [1, samples, 1]))]);
    const ofClass = e.matMul(e.transpose(posterior, [1, 0, 2]), lattice.oneHot);
    const expected = e.sub(e.op("Exp", [logs]), e.transpose(ofClass, [1, 0, 2]));
    const counted = e.mul(e.asFloat(live), e.reshape(weight, [1, samples, 1]));
    const gradient = swap(e.mul(expected, counted));
    return { loss: e.neg(e.sum(e.mul(likelihood, weight))), gradients: { [scores.name]: gradient } };
  });
}

/** The labels with blanks around each: what an alignment walks through, at most one or two places a step. */
interface Lattice {
  /** int64 [N, S], S = 2 · longest + 1. */
  readonly labels: Value;
  readonly size: number;
  readonly samples: number;
  readonly steps: number;
  /** [N, S, classes]. */
  readonly oneHot: Value;
  /** [N, S]: 0 where a place may be entered from two before it (past a blank, between different labels), else `never`. */
  readonly skips: Value;
  /** [N, S]: 0 at the two positions where an alignment may end, else `never`. */
  readonly ends: Value;
  /** [N, S]: 0 at the first place, else `never`. */
  readonly begins: Value;
}

function latticeOf(
  e: Emitter,
  labels: Value,
  lengths: Value,
  { blank, classes, samples, steps }: Readonly<Record<"blank" | "classes" | "samples" | "steps", number>>,
): Lattice {
  const longest = e.shape(labels)[1]!;
  const size = 2 * longest + 1;
  // What fills the labels up is never reached, but it must be a class.
  const valid = e.op("Max", [e.op("Min", [labels, e.int(classes - 1)]), e.int(0)]);
  const blanks = (length: number) => e.expand(e.int(blank), [samples, length]);
  const pairs = [blanks(longest), valid].map((value) => e.reshape(value, [samples, longest, 1]));
  const all = e.concat([e.reshape(e.concat(pairs, 2), [samples, 2 * longest]), blanks(1)], 1);
  const refused = (value: Value) => e.mul(e.asFloat(value), never);
  const [later, earlier] = [e.slice(all, [1], [2], [size]), e.slice(all, [1], [0], [size - 2])];
  const stuck = e.op("Or", [e.op("Equal", [later, e.int(blank)]), e.op("Equal", [later, earlier])]);
  const places = e.reshape(e.ints(range(size)), [1, size]);
  const beyond = e.sub(e.mul(e.reshape(lengths, [samples, 1]), e.int(2)), places);
  const isEnd = e.op("Or", [e.op("Equal", [beyond, e.int(0)]), e.op("Equal", [beyond, e.int(1)])]);
  const first = e.op("Equal", [e.expand(places, [samples, size]), e.int(0)]);
  return {
    labels: all,
    size,
    samples,
    steps,
    oneHot: e.op("OneHot", [all, e.ints([classes]), e.constant(Tensor.float32([2], [0, 1]))]),
    skips: e.concat([e.filled([samples, 2], never), refused(stuck)], 1),
    ends: refused(e.op("Not", [isEnd])),
    begins: refused(e.op("Not", [first])),
  };
}

/** α: the probability of all ways to each place after each step [T, N, S], and after the last step of each sample [N, S]. */
function forwardVariables(e: Emitter, lattice: Lattice, emitted: Value, live: Value): Walked {
  return walk(e, { start: lattice.begins, emitted, live, backwards: false }, (b, before, now) =>
    b.add(logSum(b, [before, moved(b, lattice, before, 1), b.add(moved(b, lattice, before, 2), lattice.skips)]), now),
  );
}

/** β: the probability of all ways from each place to an end, after each step [T, N, S]. */
function backwardVariables(e: Emitter, lattice: Lattice, emitted: Value, live: Value): Value {
  const { steps, samples, size } = lattice;
  const ends = e.reshape(lattice.ends, [1, samples, size]);
  if (steps === 1) return ends;
  const later = (value: Value) => e.slice(value, [0], [1], [steps]);
  const all = { start: lattice.ends, emitted: later(emitted), live: later(live), backwards: true };
  const { each } = walk(e, all, (b, after, now) => {
    const next = b.add(after, now);
    return logSum(b, [next, moved(b, lattice, next, -1), moved(b, lattice, b.add(next, lattice.skips), -2)]);
  });
  return e.concat([each, ends], 0);
}

interface Walk {
  /** [N, S]. */
  readonly start: Value;
  /** Logarithms of what each step gives to each place [T, N, S]. */
  readonly emitted: Value;
  /** Whether the step belongs to the sample [T, N, 1]; others change nothing. */
  readonly live: Value;
  readonly backwards: boolean;
}

interface Walked {
  /** After the last step [N, S]. */
  readonly last: Value;
  /** After each step [T, N, S]. */
  readonly each: Value;
}

/** A Scan over time. */
function walk(
  e: Emitter,
  { start, emitted, live, backwards }: Walk,
  step: (b: Emitter, state: Value, now: Value) => Value,
) {
  const body = new Graph(e.graph.names.fresh("ctc_step"), e.graph.names);
  const input = (hint: string, dtype: "float32" | "bool") =>
    body.addInput(e.graph.names.spare(hint), tensorType(dtype, null));
  const [state, now, alive] = [input("ctc_state", "float32"), input("ctc_now", "float32"), input("ctc_live", "bool")];
  const b = new Emitter(body);
  const next = b.op("Where", [alive, step(b, state, now), state]);
  // The state and what is gathered are two outputs, and one value can be only one of them.
  body.setOutputs([next, b.op("Identity", [next])]);
  for (const output of body.outputs) output.type = tensorType("float32", null);
  const direction = backwards ? 1 : 0;
  const [last, each] = e.ops("Scan", 2, [start, emitted, live], {
    body,
    num_scan_inputs: 2,
    scan_input_directions: [direction, direction],
    scan_output_directions: [direction],
  });
  return { last: last!, each: each! };
}

/** log Σ exp, of values of one shape. */
function logSum(e: Emitter, values: readonly Value[]): Value {
  const most = e.op("Max", values);
  return e.add(
    most,
    e.op("Log", [
      e.op(
        "Sum",
        values.map((value) => e.op("Exp", [e.sub(value, most)])),
      ),
    ]),
  );
}

/** Positions moved up by so many (down, if negative) [N, S]; what comes in at the end is impossible. */
function moved(e: Emitter, { samples, size }: Lattice, value: Value, by: number): Value {
  const nothing = e.filled([samples, Math.abs(by)], never);
  return by > 0
    ? e.concat([nothing, e.slice(value, [1], [0], [size - by])], 1)
    : e.concat([e.slice(value, [1], [-by], [size]), nothing], 1);
}

function range(length: number): number[] {
  return Array.from({ length }, (_, i) => i);
}
