/** LSTM, GRU and SimpleRNN, in one direction or both, as ONNX's operators; TimeDistributed. */
import type { Dim, Value } from "../../../ir/inner.ts";
import { sizeOf, Tensor } from "../../../tensor/inner.ts";
import { concat } from "../../channels-last/axes.ts";
import { elementwise } from "../../channels-last/elementwise.ts";
import { reversed } from "../../channels-last/rearrange.ts";
import { reshape, transpose } from "../../channels-last/reshape.ts";
import { lengthsOf, type Term } from "../../channels-last/term.ts";
import { activationName, hardSigmoidSlope } from "../activations.ts";
import { isTerm, LayerCall, type Row } from "../call.ts";
import { type Config, isRecord } from "../config.ts";
import type { LayerWeights } from "../weights.ts";

type Kind = "LSTM" | "GRU" | "SimpleRNN";

/** Keras lists gates input, forget, cell, output and update, reset, new; ONNX input, output, forget, cell and the same. */
const gateOrder: Readonly<Record<Kind, readonly number[]>> = { LSTM: [0, 3, 1, 2], GRU: [0, 1, 2], SimpleRNN: [0] };

/** What ONNX calls activations of gates, with their numbers. */
function gateActivation(
  c: LayerCall,
  value: unknown,
): { readonly name: string; readonly alpha: number; readonly beta: number } {
  const plain: Readonly<Record<string, string>> = {
    tanh: "Tanh",
    sigmoid: "Sigmoid",
    relu: "Relu",
    softsign: "Softsign",
    softplus: "Softplus",
  };
  const name = activationName(value);
  if (name === "hard_sigmoid") return { name: "HardSigmoid", alpha: hardSigmoidSlope(c.parts.version), beta: 0.5 };
  if (name === "linear") return { name: "Affine", alpha: 1, beta: 0 };
  if (name !== undefined && Object.hasOwn(plain, name)) return { name: plain[name]!, alpha: 0, beta: 0 };
  throw c.e.fail(`expected an activation that ONNX's recurrent operators have, got ${name}`);
}

interface Direction {
  readonly w: Tensor;
  readonly r: Tensor;
  readonly b: Tensor;
}

/** Weights of one direction: kernels [in, gates · units] become [1, gates · units, in]. */
function directionOf(c: LayerCall, kind: Kind, weights: LayerWeights, units: number, resetAfter: boolean): Direction {
  const cell = weights.part("cell");
  const { kernel, recurrent_kernel, bias } = c.weights(
    [
      ["kernel", true],
      ["recurrent_kernel", true],
      ["bias", c.flag("use_bias", true)],
    ],
    cell,
  );
  const gates = gateOrder[kind];
  const columns = gates.length * units;
  const matrix = (term: Term): Tensor => {
    const [rows, width] = lengthsOf(term.shape) ?? [];
    if (term.shape.length !== 2 || width !== columns || rows === undefined) {
      throw c.e.broken(`expected weights of ${columns} columns, got [${term.shape.join(",")}]`);
    }
    return Tensor.lazy("float32", [1, columns, rows], () => {
      const from = term.constant!.floats();
      const made = new Float32Array(columns * rows);
      for (let at = 0; at < columns; at++) {
        const column = gates[Math.floor(at / units)]! * units + (at % units);
        for (let row = 0; row < rows; row++) made[at * rows + row] = from[row * columns + column]!;
      }
      return made;
    });
  };
  return {
    w: matrix(kernel!),
    r: matrix(recurrent_kernel!),
    b: biasOf(c, bias, gates, units, resetAfter && kind === "GRU"),
  };
}

/** [1, 2 · gates · units]: the bias of the input, then that of the state, which only a GRU that resets afterwards has. */
function biasOf(
  c: LayerCall,
  bias: Term | undefined,
  gates: readonly number[],
  units: number,
  isDouble: boolean,
): Tensor {
  const columns = gates.length * units;
  const size = isDouble ? 2 * columns : columns;
  if (bias && sizeOf(lengthsOf(bias.shape) ?? [-1]) !== size) {
    throw c.e.broken(`expected a bias of ${size} numbers, got [${bias.shape.join(",")}]`);
  }
  return Tensor.lazy("float32", [1, 2 * columns], () => {
    const made = new Float32Array(2 * columns);
    const from = bias?.constant?.floats();
    if (!from) return made;
    for (let part = 0; part < (isDouble ? 2 : 1); part++) {
      for (let at = 0; at < columns; at++) {
        made[part * columns + at] = from[part * columns + gates[Math.floor(at / units)]! * units + (at % units)]!;
      }
    }
    return made;
  });
}

interface Ran {
  /** [batch, time, units] of each direction, in the order of time. */
  readonly sequences: readonly Term[];
  /** [batch, units] of each direction: what its last step made, and the cells of an LSTM. */
  readonly last: readonly Term[];
  readonly cells: readonly Term[];
}

/** Runs one direction or two; `initial` are states [batch, units], first all of the forward direction. */
function run(
  c: LayerCall,
  kind: Kind,
  x: Term,
  directions: readonly Direction[],
  isReverse: boolean,
  initial: readonly Term[],
): Ran {
  const { e } = c;
  if (x.shape.length !== 3) throw e.broken(`expected a sequence of rank 3, got ${x.shape.length}`);
  const units = c.number("units");
  const op = kind === "SimpleRNN" ? "RNN" : kind;
  const own = gateActivation(c, c.setting("activation"));
  const gate = kind === "SimpleRNN" ? undefined : gateActivation(c, c.setting("recurrent_activation"));
  const used = kind === "LSTM" ? [gate!, own, own] : kind === "GRU" ? [gate!, own] : [own];
  const all = directions.flatMap(() => used);
  const needsNumbers = all.some(({ name }) => name === "HardSigmoid" || name === "Affine");
  const numbered = all.filter(({ name }) => name === "HardSigmoid" || name === "Affine");
  const joined = (part: keyof Direction): Value =>
    e.value(
      concat(
        e,
        directions.map((direction) => e.constant(direction[part])),
        0,
      ),
    );
  const states = (offset: number): Value | null => {
    const perDirection = kind === "LSTM" ? 2 : 1;
    if (initial.length === 0) return null;
    const terms = directions.map((_, i) => initial[i * perDirection + offset]!);
    return e.value(
      concat(
        e,
        terms.map((term) => lead(c, term)),
        0,
      ),
    );
  };
  const inputs = [e.value(transpose(e, x, [1, 0, 2])), joined("w"), joined("r"), joined("b")];
  const tail = initial.length === 0 ? [] : [null, states(0), ...(kind === "LSTM" ? [states(1)] : [])];
  const node = e.node(
    op,
    [...inputs, ...tail],
    {
      hidden_size: units,
      activations: all.map(({ name }) => name),
      ...(needsNumbers
        ? {
            activation_alpha: floats(numbered.map(({ alpha }) => alpha)),
            activation_beta: floats(numbered.map(({ beta }) => beta)),
          }
        : {}),
      ...(directions.length > 1 ? { direction: "bidirectional" } : isReverse ? { direction: "reverse" } : {}),
      ...(kind === "GRU" && c.flag("reset_after", false) ? { linear_before_reset: 1 } : {}),
    },
    kind === "LSTM" ? 3 : 2,
  );
  const [batch, time] = x.shape as readonly [Dim, Dim];
  const parts = (value: Value, axis: number): Value[] =>
    directions.length === 1 ? [value] : [...e.node("Split", [value], { axis, num_outputs: 2 }, 2).outputs];
  const sequences = parts(node.outputs[0]!, 1).map((value) => {
    const flat = e.node("Squeeze", [value, e.ints([1])]).output;
    return transpose(e, e.term(flat, "float32", [time, batch, units]), [1, 0, 2]);
  });
  const ends = (value: Value) =>
    parts(value, 0).map((part) => e.term(e.node("Squeeze", [part, e.ints([0])]).output, "float32", [batch, units]));
  return { sequences, last: ends(node.outputs[1]!), cells: kind === "LSTM" ? ends(node.outputs[2]!) : [] };
}

const floats = (value: readonly number[]) => ({ type: "floats", value }) as const;

function lead(c: LayerCall, term: Term): Term {
  return c.e.term(c.e.node("Unsqueeze", [c.e.value(term), c.e.ints([0])]).output, term.dtype, [1, ...term.shape]);
}

function expectPlain(c: LayerCall): void {
  if (c.flag("stateful")) throw c.e.fail("expected a layer whose states begin at zero, got a stateful one");
  if (c.flag("time_major")) throw c.e.fail("expected sequences with the batch first");
  if (c.named("mask")) throw c.e.fail("expected a recurrent layer without a mask");
}

/** States that were passed, as further inputs or by name. */
function initialOf(c: LayerCall, count: number): readonly Term[] {
  const { inputs, kwargs } = c.parts;
  const named = kwargs.initial_state;
  const list = Array.isArray(named) ? named : [named];
  const passed = named === null || named === undefined ? inputs.slice(1) : list.filter(isTerm);
  if (passed.length === 0 || passed.length === count) return passed;
  throw c.e.broken(`expected ${count} states, got ${passed.length}`);
}

const recurrent =
  (kind: Kind): Row =>
  (c) => {
    expectPlain(c);
    const backwards = c.flag("go_backwards");
    const initial = initialOf(c, kind === "LSTM" ? 2 : 1);
    const direction = directionOf(c, kind, c.parts.weights, c.number("units"), c.flag("reset_after", false));
    const { sequences, last, cells } = run(c, kind, c.x(), [direction], backwards, initial);
    const all = backwards ? reversed(c.e, sequences[0]!, [1]) : sequences[0]!;
    const y = c.flag("return_sequences") ? all : last[0]!;
    return c.flag("return_state") ? [y, last[0]!, ...cells] : y;
  };

/** Two layers of one kind, one of them from the end, as one operator. */
const bidirectional: Row = (c) => {
  const layer = c.nested("layer");
  const kind = layer.class_name;
  const config = layer.config;
  if ((kind !== "LSTM" && kind !== "GRU" && kind !== "SimpleRNN") || !isRecord(config)) {
    throw c.e.fail(`expected LSTM, GRU or SimpleRNN in both directions, got ${String(kind)}`);
  }
  const other = c.setting("backward_layer");
  if (isRecord(other) && isRecord(other.config) && other.config.units !== config.units) {
    throw c.e.fail("expected both directions with the same settings");
  }
  const inner = new LayerCall({ ...c.parts, config: config as Config, className: kind });
  expectPlain(inner);
  const units = inner.number("units");
  const after = inner.flag("reset_after", false);
  const named = (start: string) => (part: string) => part.startsWith(start);
  const directions = [
    directionOf(inner, kind, c.parts.weights.part("forward_layer", named("forward_")), units, after),
    directionOf(inner, kind, c.parts.weights.part("backward_layer", named("backward_")), units, after),
  ];
  const initial = initialOf(inner, kind === "LSTM" ? 4 : 2);
  const { sequences, last, cells } = run(inner, kind, c.x(), directions, false, initial);
  const pair = inner.flag("return_sequences") ? sequences : last;
  const made = mergedBoth(c, pair);
  if (!inner.flag("return_state")) return made;
  const states = directions.flatMap((_, i) => [last[i]!, ...(cells[i] ? [cells[i]] : [])]);
  return [...("dtype" in made ? [made] : made), ...states];
};

function mergedBoth(c: LayerCall, [forward, backward]: readonly Term[]): Term | readonly Term[] {
  const mode = c.setting("merge_mode");
  if (mode === null) return [forward!, backward!];
  if (mode === "concat" || mode === undefined) return concat(c.e, [forward!, backward!], -1);
  if (mode === "mul") return elementwise(c.e, "Mul", [forward!, backward!]);
  const sum = elementwise(c.e, "Add", [forward!, backward!]);
  if (mode === "sum") return sum;
  if (mode === "ave") return elementwise(c.e, "Div", [sum, c.e.numbers(2, "float32")]);
  throw c.broken("merge_mode", "concat, sum, ave, mul or null");
}

/** A layer for every step: time goes into the batch and comes out again. */
const timeDistributed: Row = (c) => {
  const x = c.x();
  const layer = c.nested("layer");
  const weights = c.parts.weights.part("layer");
  // A product on the last axis, or element by element, does not care.
  if (layer.class_name === "Dense" || layer.class_name === "Activation") return c.parts.inner(layer, [x], weights);
  const [batch, time, ...rest] = x.shape;
  if (typeof time !== "number" || !lengthsOf(rest)) throw c.e.fail("expected a known number of steps");
  const flat = reshape(c.e, x, [typeof batch === "number" ? batch * time : -1, ...rest]);
  const [y] = c.parts.inner(layer, [flat], weights);
  const made = lengthsOf(y!.shape.slice(1));
  if (!made) throw c.e.fail("expected known lengths of each step");
  return reshape(c.e, y!, [typeof batch === "number" ? batch : -1, time, ...made]);
};

export const recurrentLayers = {
  LSTM: recurrent("LSTM"),
  GRU: recurrent("GRU"),
  SimpleRNN: recurrent("SimpleRNN"),
  Bidirectional: bidirectional,
  TimeDistributed: timeDistributed,
} satisfies Record<string, Row>;
