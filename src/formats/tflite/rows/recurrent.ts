/**
 * Recurrent layers as ONNX's LSTM and RNN. States begin at zero, as after `reset_all_variables`. TFLite's clip of the cell at 10, which
 * its converter always writes, is not applied: a cell gets there after more than ten steps of saturated gates, where its tanh is 1.
 */
import type { Value } from "../../../ir/inner.ts";
import { sizeOf, Tensor } from "../../../tensor/inner.ts";
import { concat, reduce } from "../../channels-last/axes.ts";
import { unary } from "../../channels-last/elementwise.ts";
import { reshape, transpose } from "../../channels-last/reshape.ts";
import type { Term } from "../../channels-last/term.ts";
import type { Call, Row } from "../call.ts";

/** The least clip of a cell that is taken for none. */
const farClip = 10;

const activations: readonly (string | undefined)[] = ["Affine", "Relu", undefined, undefined, "Tanh"];

function activationOf(c: Call, number: number): string {
  const name = activations[number];
  if (name && number !== 0) return name;
  throw c.e.fail(`expected relu or tanh in a recurrent layer, got activation ${number}`);
}

/** One direction's inputs of ONNX's operator, with a leading axis of directions: W, R, B. */
interface Direction {
  readonly w: Term;
  readonly r: Term;
  readonly b: Term;
  readonly peephole: Term | undefined;
}

/** Weights one after the other; constants are joined here, so that the operator reads one. */
function join(c: Call, terms: readonly Term[]): Term {
  const tensors = terms.flatMap((term) => (term.constant?.dtype === "float32" ? [term.constant] : []));
  const rest = terms[0]!.shape.slice(1);
  if (tensors.length < terms.length || terms.some((term) => term.shape.slice(1).join() !== rest.join())) {
    return concat(c.e, terms, 0);
  }
  const shape = [tensors.reduce((sum, tensor) => sum + tensor.shape[0]!, 0), ...tensors[0]!.shape.slice(1)];
  const load = () => {
    const all = new Float32Array(sizeOf(shape));
    let at = 0;
    for (const tensor of tensors) {
      all.set(tensor.floats(), at);
      at += tensor.size;
    }
    return all;
  };
  return c.e.constant(Tensor.lazy("float32", shape, load));
}

const lead = (c: Call, term: Term): Term => reshape(c.e, term, [1, ...term.shape]);

/**
 * Weights from input `at` on, as TFLite lists them: input, forget, cell, output. ONNX wants input, output, forget, cell. Where the
 * input gate is absent it is 1 − σ(forget) = σ(−forget): the forget gate's weights with the other sign.
 */
function lstmDirection(c: Call, at: number, size: number): Direction {
  const isCoupled = !c.has(at);
  const input = (own: number, forget: number) => (isCoupled ? unary(c.e, "Neg", c.x(forget)) : c.x(own));
  const gates = (first: number) => join(c, [input(first, first + 1), c.x(first + 3), c.x(first + 1), c.x(first + 2)]);
  const peephole = c.has(at + 9) ? join(c, [input(at + 8, at + 9), c.x(at + 10), c.x(at + 9)]) : undefined;
  return {
    w: lead(c, gates(at)),
    r: lead(c, gates(at + 4)),
    b: lead(c, join(c, [gates(at + 11), c.e.numbers(Array<number>(4 * size).fill(0), "float32")])),
    peephole: peephole && lead(c, peephole),
  };
}

function sizeOfGate(c: Call, input: number): number {
  const [size] = c.lengths(input, 2);
  if (size! > 2 ** 16) throw c.e.broken(`expected at most 65536 units, got ${size}`);
  return size!;
}

interface Sequence {
  readonly op: "LSTM" | "RNN";
  readonly size: number;
  readonly directions: readonly Direction[];
  readonly activations: readonly string[];
}

/** [time, batch, directions, units] as [time, directions, batch, units]'s term would be in TFLite's axes: what each direction found. */
function run(c: Call, x: Term, { op, size, directions, activations: names }: Sequence): Term[] {
  const { e } = c;
  const weights = (part: (direction: Direction) => Term): Value => e.value(join(c, directions.map(part)));
  const peepholes = directions.every((direction) => direction.peephole)
    ? [null, null, null, weights((direction) => direction.peephole!)]
    : [];
  const node = e.node(op, [e.value(x), weights((d) => d.w), weights((d) => d.r), weights((d) => d.b), ...peepholes], {
    hidden_size: size,
    ...(directions.length > 1 ? { direction: "bidirectional" } : {}),
    activations: directions.flatMap(() => [...names]),
  });
  const [time, batch] = x.shape;
  const all = e.term(node.output, "float32", [time!, directions.length, batch!, size]);
  if (directions.length === 1) return [reduceAxis(c, all)];
  const halves = e.node("Split", [node.output], { axis: 1, num_outputs: 2 }, 2);
  return halves.outputs.map((half) => reduceAxis(c, e.term(half, "float32", [time!, 1, batch!, size])));
}

function reduceAxis(c: Call, term: Term): Term {
  const value = c.e.node("Squeeze", [c.e.value(term), c.e.ints([1])]).output;
  const [time, , batch, units] = term.shape;
  return c.e.term(value, "float32", [time!, batch!, units!]);
}

/** [time, batch, features], whatever the file has first. */
const timeFirst = (c: Call, x: Term, isTimeMajor: boolean): Term => {
  if (x.shape.length !== 3) throw c.e.broken(`expected a sequence of rank 3, got ${x.shape.length}`);
  return isTimeMajor ? x : transpose(c.e, x, [1, 0, 2]);
};

const back = (c: Call, y: Term, isTimeMajor: boolean): Term => (isTimeMajor ? y : transpose(c.e, y, [1, 0, 2]));

function expectPlain(c: Call, o: { cellClip: number; projectionClip: number }, unsupported: readonly number[]): void {
  if (o.cellClip !== 0 && o.cellClip < farClip) throw c.e.fail(`expected no clip of the cell, got ${o.cellClip}`);
  if (unsupported.some((input) => c.has(input))) throw c.e.fail("expected an LSTM without projection and layer norm");
}

const projections = [16, 17, 20, 21, 22, 23];

const unidirectionalLstm: Row = (c) => {
  const o = c.options({ activation: "i8", cellClip: "f32", projectionClip: "f32", timeMajor: "bool" });
  expectPlain(c, o, projections);
  const activation = activationOf(c, o.activation);
  const size = sizeOfGate(c, 6);
  const sequence = {
    op: "LSTM",
    size,
    directions: [lstmDirection(c, 1, size)],
    activations: ["Sigmoid", activation, activation],
  } as const;
  const [y] = run(c, timeFirst(c, c.x(0), o.timeMajor), sequence);
  return back(c, y!, o.timeMajor);
};

const bidirectionalLstm: Row = (c) => {
  const o = c.options({ activation: "i8", cellClip: "f32", projectionClip: "f32", merged: "bool", timeMajor: "bool" });
  expectPlain(c, o, [16, 17, 33, 34, 39]);
  const activation = activationOf(c, o.activation);
  const size = sizeOfGate(c, 6);
  if (sizeOfGate(c, 23) !== size) throw c.e.fail("expected both directions with as many units");
  const sequence = {
    op: "LSTM",
    size,
    directions: [lstmDirection(c, 1, size), lstmDirection(c, 18, size)],
    activations: ["Sigmoid", activation, activation],
  } as const;
  const both = run(c, timeFirst(c, c.x(0), o.timeMajor), sequence);
  return merged(c, both, o.merged, o.timeMajor);
};

function merged(c: Call, both: readonly Term[], isMerged: boolean, isTimeMajor: boolean): Term | Term[] {
  const terms = both.map((y) => back(c, y, isTimeMajor));
  return isMerged ? concat(c.e, terms, -1) : terms;
}

/** Weights, recurrent weights and bias from input `at` on. */
function rnnDirection(c: Call, at: number, size: number): Direction {
  const zeros = c.e.numbers(Array<number>(size).fill(0), "float32");
  return {
    w: lead(c, c.x(at)),
    r: lead(c, c.x(at + 1)),
    b: lead(c, join(c, [c.x(at + 2), zeros])),
    peephole: undefined,
  };
}

const unidirectionalRnn: Row = (c) => {
  const { timeMajor, activation } = c.options({ timeMajor: "bool", activation: "i8" });
  const size = sizeOfGate(c, 2);
  const directions = [rnnDirection(c, 1, size)];
  const sequence = { op: "RNN", size, directions, activations: [activationOf(c, activation)] } as const;
  const [y] = run(c, timeFirst(c, c.x(0), timeMajor), sequence);
  return back(c, y!, timeMajor);
};

const bidirectionalRnn: Row = (c) => {
  const o = c.options({ timeMajor: "bool", activation: "i8", merged: "bool" });
  if (c.has(9)) throw c.e.fail("expected a bidirectional layer without auxiliary input");
  const size = sizeOfGate(c, 2);
  const directions = [rnnDirection(c, 1, size), rnnDirection(c, 5, size)];
  const sequence = { op: "RNN", size, directions, activations: [activationOf(c, o.activation)] } as const;
  return merged(c, run(c, timeFirst(c, c.x(0), o.timeMajor), sequence), o.merged, o.timeMajor);
};

/** One step of a plain recurrent layer from the state zero. */
const singleRnn: Row = (c) => {
  const { activation } = c.options({ activation: "i8" });
  const size = sizeOfGate(c, 2);
  const x = c.x(0);
  const step = c.e.term(c.e.node("Unsqueeze", [c.e.value(x), c.e.ints([0])]).output, "float32", [1, ...x.shape]);
  const sequence = {
    op: "RNN",
    size,
    directions: [rnnDirection(c, 1, size)],
    activations: [activationOf(c, activation)],
  } as const;
  return reduce(c.e, "ReduceSum", run(c, step, sequence)[0]!, [0], false);
};

export const recurrentRows = {
  UNIDIRECTIONAL_SEQUENCE_LSTM: unidirectionalLstm,
  BIDIRECTIONAL_SEQUENCE_LSTM: bidirectionalLstm,
  UNIDIRECTIONAL_SEQUENCE_RNN: unidirectionalRnn,
  BIDIRECTIONAL_SEQUENCE_RNN: bidirectionalRnn,
  RNN: singleRnn,
} satisfies Record<string, Row>;
