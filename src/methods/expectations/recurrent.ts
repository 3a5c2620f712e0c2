/** What a recurrent layer's outputs cannot leave, whatever it reads: from its activations, their clip, and its steps. */
import { isRefused } from "../../base/inner.ts";
import { type Activation, activationsOf, floatConstant } from "../../facts/inner.ts";
import type { Node, Value } from "../../ir/inner.ts";
import { between, type Expectation } from "./expectation.ts";
import type { Shapes } from "./step.ts";

type Ends = readonly [low: number, high: number];

/** The range of an output of LSTM, GRU or RNN; undefined where nothing bounds it. */
export function recurrentRange(
  node: Node,
  index: number,
  shapes: Shapes,
  found: ReadonlyMap<Value, Expectation>,
): Expectation | undefined {
  const functions = activationsOf(node);
  if (isRefused(functions)) return undefined;
  let ends: Ends | undefined;
  for (const direction of functions) {
    const own = direction.map((one, i) => bounds(node, one, i));
    const one = ofOutput(node, index, own, shapes, found);
    if (!one) return undefined;
    ends = ends ? [Math.min(ends[0], one[0]), Math.max(ends[1], one[1])] : one;
  }
  return ends?.every(Number.isFinite) ? between(ends[0], ends[1]) : undefined;
}

function ofOutput(
  node: Node,
  index: number,
  own: readonly Ends[],
  shapes: Shapes,
  found: ReadonlyMap<Value, Expectation>,
): Ends | undefined {
  if (node.op === "RNN") return own[0];
  const [gate, candidate, last] = own as [Ends, Ends, Ends];
  if (node.op === "GRU") {
    // A mixture of the candidate and the state before, as long as the gate is one.
    const start = state(node, 5, found);
    return start && gate[0] >= 0 && gate[1] <= 1
      ? [Math.min(candidate[0], start[0]), Math.max(candidate[1], start[1])]
      : undefined;
  }
  if (index < 2) return times(gate, last);
  // The cell adds a gated candidate at every step, and may forget nothing.
  const start = state(node, 6, found);
  const steps = shapes.of(node.input(0)!)?.[node.int("layout", 0) === 1 ? 1 : 0];
  if (!start || typeof steps !== "number" || gate[0] < 0 || gate[1] > 1) return undefined;
  const [low, high] = times(gate, candidate);
  return [Math.min(start[0], 0) + steps * Math.min(low, 0), Math.max(start[1], 0) + steps * Math.max(high, 0)];
}

/** Where a state begins: zeros, a constant, or what is known of it. */
function state(node: Node, input: number, found: ReadonlyMap<Value, Expectation>): Ends | undefined {
  const value = node.input(input);
  if (!value) return [0, 0];
  const constant = floatConstant(value)?.numbers();
  if (constant) return constant.reduce<Ends>(([low, high], x) => [Math.min(low, x), Math.max(high, x)], [0, 0]);
  const known = found.get(value);
  return known && [Math.min(...known.low), Math.max(...known.high)];
}

function times(a: Ends, b: Ends): Ends {
  const products = a.flatMap((x) => b.map((y) => (x === 0 || y === 0 ? 0 : x * y)));
  return [Math.min(...products), Math.max(...products)];
}

/** The range of a function; clip keeps its input within ±clip. */
function bounds(node: Node, { name, alpha = 0, beta = 0 }: Activation, place: number): Ends {
  // The cell itself is not clipped before the last activation of an LSTM.
  const clipped = node.op !== "LSTM" || place !== 2;
  const clip = clipped ? node.float("clip", Number.POSITIVE_INFINITY) : Number.POSITIVE_INFINITY;
  const at = (f: (x: number) => number): Ends => [Math.min(f(-clip), f(clip)), Math.max(f(-clip), f(clip))];
  // 0 · ∞ is a line without slope.
  const line = (slope: number, x: number) => (slope === 0 ? 0 : slope * x);
  switch (name) {
    case "Sigmoid":
      return at((x) => 1 / (1 + Math.exp(-x)));
    case "Tanh":
      return at(Math.tanh);
    case "Softsign":
      return at((x) => (Number.isFinite(x) ? x / (1 + Math.abs(x)) : Math.sign(x)));
    case "HardSigmoid":
      return [0, 1];
    case "ScaledTanh":
      return [-Math.abs(alpha), Math.abs(alpha)];
    case "Relu":
    case "ThresholdedRelu":
      return [Math.min(0, alpha), clip];
    case "LeakyRelu":
      return at((x) => (x < 0 ? line(alpha, x) : x));
    case "Elu":
      return [-Math.abs(alpha), clip];
    case "Affine":
      return at((x) => line(alpha, x) + beta);
    case "Softplus":
      return [0, Number.isFinite(clip) ? Math.log1p(Math.exp(clip)) : clip];
  }
}
