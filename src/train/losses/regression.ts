/** Losses on numbers: mean squared and mean absolute error, and binary cross-entropy. All are means over the elements. */
import type { Emitter } from "../../autodiff/inner.ts";
import type { Value } from "../../ir/inner.ts";
import { chosenOutput, type GraphLoss, graphLoss } from "../loss.ts";

export interface ElementLossOptions {
  /** Default: the first output. */
  readonly output?: string;
  /** Name of the target, float32 in the shape of the output. Default "target". */
  readonly target?: string;
}

/** Σ (y − t)² / n. */
export function meanSquaredError(options: ElementLossOptions = {}): GraphLoss {
  return elementLoss(options, (e, y, t) => e.square(e.sub(y, t)));
}

/** Σ |y − t| / n. */
export function meanAbsoluteError(options: ElementLossOptions = {}): GraphLoss {
  return elementLoss(options, (e, y, t) => e.op("Abs", [e.sub(y, t)]));
}

export interface BinaryCrossEntropyOptions extends ElementLossOptions {
  /** Whether outputs are scores before the sigmoid (the default) or probabilities. */
  readonly logits?: boolean;
}

/**
 * −Σ (t · log p + (1 − t) · log(1 − p)) / n. Of scores x it is max(x, 0) − x · t + log(1 + e^−|x|), which does not overflow;
 * logarithms of probabilities are held above −100, as in PyTorch.
 */
export function binaryCrossEntropy(options: BinaryCrossEntropyOptions = {}): GraphLoss {
  const { logits = true } = options;
  return elementLoss(options, (e, y, t) => {
    if (logits) {
      const soft = e.op("Log", [e.add(e.scalar(1), e.op("Exp", [e.neg(e.op("Abs", [y]))]))]);
      return e.add(e.sub(e.op("Relu", [y]), e.mul(y, t)), soft);
    }
    const log = (p: Value) => e.op("Max", [e.op("Log", [p]), e.scalar(-100)]);
    const not = (p: Value) => e.sub(e.scalar(1), p);
    return e.neg(e.add(e.mul(t, log(y)), e.mul(not(t), log(not(y)))));
  });
}

function elementLoss(
  { output, target = "target" }: ElementLossOptions,
  each: (e: Emitter, y: Value, t: Value) => Value,
): GraphLoss {
  return graphLoss([target], (e, outputs, targets) => {
    const y = chosenOutput(outputs, output);
    return e.mul(e.sum(each(e, y, targets[target]!)), 1 / e.size(y));
  });
}
