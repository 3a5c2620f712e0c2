/** What layers with constant weights make of their inputs, and normalizations of theirs. */
import { isRefused } from "../../base/inner.ts";
import { channelsOf, floatConstant, isOp } from "../../facts/inner.ts";
import { biasesOf, type EditableLayer, editableProduct } from "../../passes/inner.ts";
import { elementsOf } from "../../tensor/inner.ts";
import { type Expectation, normal, pooled, spread, weaker } from "./expectation.ts";
import type { Rule, Step } from "./step.ts";

export const layer: Rule = (step) => {
  const found = editableProduct(step.node);
  return found && (isRefused(found) ? found.refused : linear(found, step));
};

/** y = W x + b with independent inputs, or inputs that are alike over the kernel: the larger variance counts. */
function linear(layer: EditableLayer, { shapes, found }: Step): Expectation {
  const {
    node,
    axes: { inputs, outputs },
  } = layer;
  const isProduct = isOp(node, "MatMul");
  const rank = shapes.rank(node.input(0));
  const at = isProduct ? (rank ?? 0) - 1 : 1;
  const own = found.get(node.input(0)!)!;
  const isTransposed = isOp(node, "Gemm") && node.int("transA", 0) !== 0;
  const x = own.axis === at && own.mean.length === inputs && !isTransposed ? own : spread(pooled(own), inputs, at);
  const weight = elementsOf(layer.weight.tensor);
  const channels = channelsOf(layer);
  const [alpha, beta] = isOp(node, "Gemm") ? [node.float("alpha", 1), node.float("beta", 1)] : [1, 1];
  const bias = biasesOf(layer).map((b) => b * beta);
  const mean = Float64Array.from(bias);
  const apart = new Float64Array(outputs);
  const together = new Float64Array(outputs * inputs);
  const bound = { up: new Float64Array(outputs), down: new Float64Array(outputs) };
  for (let i = 0; i < weight.length; i++) {
    const [o, c, w] = [channels.output(i), channels.input(i), weight[i]! * alpha];
    mean[o] = mean[o]! + w * x.mean[c]!;
    apart[o] = apart[o]! + w * w * x.variance[c]!;
    together[o * inputs + c] = together[o * inputs + c]! + w;
    const [rise, fall] = [w * (x.high[c]! - x.mean[c]!), w * (x.low[c]! - x.mean[c]!)];
    bound.up[o] = bound.up[o]! + Math.max(rise, fall);
    bound.down[o] = bound.down[o]! - Math.min(rise, fall);
  }
  const ends = { low: mean.slice(), high: mean.slice() };
  const isBounded = x.basis === "bounded" || x.basis === "input";
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
    const deviation = Math.sqrt(Math.max(independent, alike));
    ends.high[o] = mean[o]! + (isBounded ? Math.min(bound.up[o]!, most * deviation) : up.end());
    ends.low[o] = mean[o]! - (isBounded ? Math.min(bound.down[o]!, most * deviation) : down.end());
    return deviation;
  });
  const axis = isProduct && rank === undefined ? null : at;
  const all = normal(at, mean, deviation, ends, isBounded ? "bounded" : weaker(x.basis, x.basis));
  return axis === null ? pooled(all) : all;
}

/**
 * Deviations within which bounds are believed. Without a batch norm nothing says how much alike the terms of a sum are, and real
 * images are far more alike than independent pixels: logits of an MNIST network reach 40 of the deviations that independence
 * gives. Bounds grow faster than numbers do from layer to layer, and a grid of 8 bits over 64 deviations has two steps for one.
 */
const most = 64;

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

/** Zero mean and unit variance, times a gain, plus a bias. */
export function normalized({ node, deviations }: Step, axis: number): Expectation | undefined {
  const [gain, bias] = [floatConstant(node.input(1)), floatConstant(node.input(2))];
  if (!gain || axis < 0) return undefined;
  const deviation = Array.from(elementsOf(gain), Math.abs);
  const centre = bias ? Array.from(elementsOf(bias)) : deviation.map(() => 0);
  if (centre.length !== deviation.length) return undefined;
  return normal(deviation.length === 1 ? null : axis, centre, deviation, deviations, "propagated");
}
