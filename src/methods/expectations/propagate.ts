/**
 * What is expected of every value of a graph before any data is seen: batch norms say it of their outputs, and from
 * there means and variances are carried through activations, sums, products with constant weights, pooling and data
 * movement, as Nagel et al., "Data-Free Quantization" (2019), do for a chain of layers. What is added is taken to be
 * independent.
 */

import { isRefused } from "../../base/inner.ts";
import { channelsOf, constantOf, floatConstant, isOp, rankOf, shapeOf } from "../../facts/inner.ts";
import type { Graph, Node, TensorType, Value } from "../../ir/inner.ts";
import { batchNormStatistics, biasesOf, type EditableLayer, editableProduct } from "../../passes/inner.ts";
import { elementsOf } from "../../tensor/inner.ts";
import { activation, windowed } from "./activation.ts";
import { between, type Expectation, least, most, normal, pooled, scaled, spread, weaker } from "./expectation.ts";
import { moved, type Shapes } from "./movement.ts";
import { product, sum } from "./pairs.ts";
import { recurrentRange } from "./recurrent.ts";

export interface ExpectationOptions {
  /** Types of the values, from `traceShapes` or `declaredTypes`. */
  readonly shapes: ReadonlyMap<string, TensorType>;
  /** What is known of the model's inputs, by name. */
  readonly inputs?: ReadonlyMap<string, Expectation>;
  /** How many standard deviations are taken to be reached. Default 6, as in DFQ. */
  readonly deviations?: number;
}

/** What is expected of each value, or why nothing is. */
export interface Expectations {
  readonly of: ReadonlyMap<Value, Expectation>;
  readonly unknown: ReadonlyMap<Value, string>;
}

/** Walks the graph once. Values that nothing is known of come with a reason; nothing is thrown. */
export function expectations(graph: Graph, options: ExpectationOptions): Expectations {
  const walk = new ExpectationWalk(options);
  for (const input of graph.inputs) walk.input(input);
  for (const node of graph.nodes) walk.node(node);
  return { of: walk.found, unknown: walk.unknown };
}

class ExpectationWalk {
  readonly found = new Map<Value, Expectation>();
  readonly unknown = new Map<Value, string>();
  readonly #options: ExpectationOptions;
  readonly #shapes: Shapes;

  constructor(options: ExpectationOptions) {
    this.#options = options;
    this.#shapes = {
      of: (value) => shapeOf(value, options.shapes),
      rank: (value) => {
        const shape = value?.initializer?.shape ?? (value ? options.shapes.get(value.name)?.shape : undefined);
        return shape?.length ?? rankOf(value);
      },
    };
  }

  input(value: Value): void {
    const given = this.#options.inputs?.get(value.name);
    if (given) this.found.set(value, given);
    else this.unknown.set(value, "it is an input of the model, and its range was not given");
  }

  node(node: Node): void {
    node.outputs.forEach((output, index) => {
      if (output.name === "") return;
      const expected = index === 0 ? (this.#promised(output) ?? this.#computed(node, 0)) : this.#computed(node, index);
      if (typeof expected === "string") this.unknown.set(output, expected);
      else if (!allFinite(expected))
        this.unknown.set(output, `what is known of the inputs of ${node} leaves it unbounded`);
      else this.found.set(output, expected);
    });
  }

  /** The statistics of a batch norm, on the axis of the channels. */
  #promised(value: Value): Expectation | undefined {
    const statistics = batchNormStatistics(value);
    if (!statistics) return undefined;
    const { beta, gamma } = statistics;
    const shape = this.#shapes.of(value);
    const { producer } = value;
    const behindProduct = [producer, producer?.input(0)?.producer].some((node) => isOp(node, "MatMul"));
    const last = (this.#shapes.rank(value) ?? 0) - 1;
    const axis = behindProduct ? last : 1;
    if (axis < 0 || (shape && shape[axis] !== beta.length)) return undefined;
    const deviation = gamma.map((g) => Math.abs(g));
    return normal(axis, beta, deviation, this.#options.deviations ?? 6, "batch-norm");
  }

  #computed(node: Node, index: number): Expectation | string {
    if (node.domain !== "") return `nothing is known of ${node.opName}`;
    const missing = node.inputs.find((value) => value && !this.found.has(value) && this.unknown.has(value));
    const fixed = this.#fixed(node, index);
    if (fixed) return fixed;
    if (missing) return this.#dependent(missing);
    const layer = editableProduct(node);
    if (layer) return isRefused(layer) ? layer.refused : this.#linear(layer);
    switch (node.op) {
      case "Add":
      case "Sub":
      case "Mul":
      case "Div":
        return this.#pair(node);
      case "Sum":
        return node.inputs.map((value) => this.#operand(value, node)).reduce((a, b) => sum(a, b));
      case "Min":
      case "Max":
        return this.#window(node);
      case "GlobalAveragePool":
      case "ReduceMean":
        return this.#average(node);
    }
    const x = node.input(0) ? this.#operand(node.input(0), node) : undefined;
    if (!x) return `nothing is known of ${node.op}`;
    return (
      activation(node, x, this.#shapes) ??
      moved(node, index, x, (value) => this.#operand(value, node), this.#shapes) ??
      `nothing is known of what ${node.op} gives`
    );
  }

  /** The first reason is the root; what lies between would say nothing more. */
  #dependent(missing: Value): string {
    const reason = this.unknown.get(missing)!;
    return reason.startsWith("it depends on ") ? reason : `it depends on ${missing.name}: ${reason}`;
  }

  /** What is known whatever the inputs are. */
  #fixed(node: Node, index: number): Expectation | undefined {
    const lengthOf = (value: Value | null, axis: number) => this.#shapes.of(value)?.at(axis);
    switch (node.op) {
      case "Softmax": {
        const n = lengthOf(node.output, node.int("axis", -1)) ?? 2;
        const x = between(0, 1);
        return {
          ...x,
          mean: Float64Array.of(1 / n),
          centre: Float64Array.of(1 / n),
          variance: Float64Array.of(1 / n ** 2),
          deviation: Float64Array.of(1 / n),
        };
      }
      case "Sigmoid":
        return this.found.has(node.input(0)!) ? undefined : between(0, 1);
      case "HardSigmoid":
        return this.found.has(node.input(0)!) ? undefined : between(0, 1);
      case "Tanh":
        return this.found.has(node.input(0)!) ? undefined : between(-1, 1);
      case "Sin":
      case "Cos":
        return between(-1, 1);
      case "LSTM":
      case "GRU":
      case "RNN":
        return recurrentRange(node, index, this.#shapes, this.found);
      case "LayerNormalization":
      case "RMSNormalization":
      case "SimplifiedLayerNormalization":
        return this.#normalised(node, (this.#shapes.rank(node.output) ?? 0) - 1);
      case "InstanceNormalization":
        return this.#normalised(node, 1);
      default:
        return undefined;
    }
  }

  /** Zero mean and unit variance, times a gain, plus a bias. */
  #normalised(node: Node, axis: number): Expectation | undefined {
    const [gain, bias] = [floatConstant(node.input(1)), floatConstant(node.input(2))];
    if (!gain || axis < 0) return undefined;
    const deviation = Array.from(elementsOf(gain), Math.abs);
    const centre = bias ? Array.from(elementsOf(bias)) : deviation.map(() => 0);
    if (centre.length !== deviation.length) return undefined;
    return normal(deviation.length === 1 ? null : axis, centre, deviation, this.#options.deviations ?? 6, "propagated");
  }

  /** y = W x + b with independent inputs, or inputs that are alike over the kernel: the larger variance counts. */
  #linear(layer: EditableLayer): Expectation {
    const {
      node,
      axes: { inputs, outputs },
    } = layer;
    const isProduct = isOp(node, "MatMul");
    const rank = this.#shapes.rank(node.input(0));
    const at = isProduct ? (rank ?? 0) - 1 : 1;
    const own = this.found.get(node.input(0)!)!;
    const isTransposed = isOp(node, "Gemm") && node.int("transA", 0) !== 0;
    const x = own.axis === at && own.mean.length === inputs && !isTransposed ? own : spread(pooled(own), inputs, at);
    const weight = elementsOf(layer.weight.tensor);
    const channels = channelsOf(layer);
    const [alpha, beta] = isOp(node, "Gemm") ? [node.float("alpha", 1), node.float("beta", 1)] : [1, 1];
    const bias = biasesOf(layer).map((b) => b * beta);
    const mean = Float64Array.from(bias);
    const apart = new Float64Array(outputs);
    const together = new Float64Array(outputs * inputs);
    for (let i = 0; i < weight.length; i++) {
      const [o, c, w] = [channels.output(i), channels.input(i), weight[i]! * alpha];
      mean[o] = mean[o]! + w * x.mean[c]!;
      apart[o] = apart[o]! + w * w * x.variance[c]!;
      together[o * inputs + c] = together[o * inputs + c]! + w;
    }
    const ends = { low: mean.slice(), high: mean.slice() };
    const deviation = apart.map((independent, o) => {
      const [up, down] = [new Reach(), new Reach()];
      let alike = 0;
      for (let c = 0; c < inputs; c++) {
        const w = together[o * inputs + c]!;
        if (w === 0) continue;
        alike += w * w * x.variance[c]!;
        const [rise, fall] = [w * (x.high[c]! - x.mean[c]!), w * (x.low[c]! - x.mean[c]!)];
        up.add(Math.max(rise, fall));
        down.add(-Math.min(rise, fall));
      }
      ends.high[o] = mean[o]! + up.end();
      ends.low[o] = mean[o]! - down.end();
      return Math.sqrt(Math.max(independent, alike));
    });
    const axis = isProduct && rank === undefined ? null : at;
    const all = normal(at, mean, deviation, ends, weaker(x.basis, x.basis));
    return axis === null ? pooled(all) : all;
  }

  #pair(node: Node): Expectation | string {
    const [a, b] = [this.#operand(node.input(0), node), this.#operand(node.input(1), node)];
    const constant = (i: number) => floatConstant(node.input(i)) !== undefined;
    if (node.op === "Add") return constant(0) ? shifted(b, a, 1) : constant(1) ? shifted(a, b, 1) : sum(a, b);
    if (node.op === "Sub") {
      const negative = scaled(b, [-1], [0]);
      return constant(1) ? shifted(a, b, -1) : constant(0) ? shifted(negative, a, 1) : sum(a, negative);
    }
    if (node.op === "Mul") return constant(0) ? multiplied(b, a) : constant(1) ? multiplied(a, b) : product(a, b);
    if (!constant(1)) return "it is divided by a computed value";
    return multiplied(a, { ...b, mean: b.mean.map((x) => 1 / x) });
  }

  /** Min or Max with constants: a window. */
  #window(node: Node): Expectation | string {
    const computed = node.inputs.filter((value) => !floatConstant(value));
    if (computed.length !== 1) return `${node.op} compares computed values`;
    let x = this.#operand(computed[0]!, node);
    for (const value of node.inputs) {
      if (value === computed[0]) continue;
      const c = this.#operand(value, node);
      const window = node.op === "Min" ? { max: c } : { min: c };
      x = windowed(x, window);
    }
    return x;
  }

  /**
   * The mean over places. They are neither alike nor independent: the deviation of the mean is taken to be half of that of
   * one place. The ends stay: a channel that fires everywhere is rare, and the one that decides (measured on
   * MobileNetV1-0.25: half the ends cost 20 points).
   */
  #average(node: Node): Expectation | string {
    const x = this.#operand(node.input(0), node);
    const kept = node.op === "GlobalAveragePool" || node.int("keepdims", 1) === 1;
    const deviation = x.variance.map((v) => Math.sqrt(v) / 2);
    const mean = normal(x.axis, x.mean, deviation, { low: x.low, high: x.high }, x.basis);
    if (x.axis === null) return mean;
    // Where axes go, the channels are found again only on the second one, with all behind it averaged.
    const rank = this.#shapes.rank(node.input(0));
    const after = this.#shapes.of(node.output);
    const same = kept ? after?.[x.axis] !== 1 : x.axis === 1 && rank !== undefined && after?.[1] === x.mean.length;
    return same ? mean : pooled(mean);
  }

  /** An operand as the output sees it: its axis counted in the output's axes; constants by their elements. */
  #operand(value: Value | null, node: Node): Expectation {
    const rank = this.#shapes.rank(node.output);
    const constant = floatConstant(value);
    if (constant) return ofConstant(Float64Array.from(elementsOf(constant)), constant.shape, rank);
    const whole = constantOf(value);
    if (whole && whole.dtype !== "string") return ofConstant(Float64Array.from(whole.numbers()), whole.shape, rank);
    const x = this.found.get(value!)!;
    const own = this.#shapes.rank(value);
    if (
      x.axis === null ||
      own === rank ||
      (node.op !== "Add" && node.op !== "Mul" && node.op !== "Sub" && node.op !== "Div")
    )
      return x;
    return own === undefined || rank === undefined ? pooled(x) : { ...x, axis: x.axis + rank - own };
  }
}

/**
 * How far a sum reaches. Independent terms reach the root of the sum of their squares, terms that all fire together their
 * sum. Features that belong to one class do fire together, and a range too narrow costs far more than one too wide: the
 * geometric mean of both (logits of MobileNetV1-0.25: seen 25, independent 12).
 */
class Reach {
  #squares = 0;
  #sum = 0;

  add(term: number): void {
    this.#squares += term * term;
    this.#sum += Math.abs(term);
  }

  end(): number {
    return Math.sqrt(Math.sqrt(this.#squares) * this.#sum);
  }
}

/** Per channel where only one axis is long, else its spread. */
function ofConstant(elements: Float64Array, shape: readonly number[], rank: number | undefined): Expectation {
  const long = shape.findIndex((d) => d !== 1);
  const onlyOne = long >= 0 && shape.every((d, i) => d === 1 || i === long);
  const ends = { low: elements, high: elements };
  const zeros = new Float64Array(elements.length);
  if (elements.length === 1) return normal(null, elements, zeros, ends, "bounded");
  const all = normal(0, elements, zeros, ends, "bounded");
  return onlyOne && rank !== undefined ? { ...all, axis: long + rank - shape.length } : pooled(all);
}

/** x ± a constant. */
function shifted(x: Expectation, c: Expectation, sign: 1 | -1): Expectation {
  if (!fits(x, c)) return { ...sum(x, sign === 1 ? c : scaled(c, [-1], [0])), basis: x.basis };
  return scaled(
    x,
    [1],
    c.mean.map((v) => sign * v),
    x.axis ?? c.axis,
  );
}

/** x times a constant. */
function multiplied(x: Expectation, c: Expectation): Expectation {
  if (!fits(x, c)) return { ...product(x, c), basis: x.basis };
  return scaled(x, c.mean, [0], x.axis ?? c.axis);
}

/** Whether the constant is one number, or one per channel of the value. */
function fits(x: Expectation, c: Expectation): boolean {
  if (most(c.variance) > 0) return false;
  if (c.axis === null || x.axis === null) return c.mean.length === 1 || x.mean.length === 1;
  return c.axis === x.axis && c.mean.length === x.mean.length;
}

function allFinite({ mean, variance, low, high }: Expectation): boolean {
  return [mean, variance, low, high].every((values) => Number.isFinite(least(values)) && Number.isFinite(most(values)));
}
