/** Cross-entropy of class scores, −Σ t · log softmax(x), averaged over what is judged. */
import type { Emitter } from "../../autodiff/inner.ts";
import { AvocetError } from "../../base/inner.ts";
import type { Value } from "../../ir/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import { chosenOutput, type GraphLoss, graphLoss } from "../loss.ts";

export interface CrossEntropyOptions {
  /** Output with the scores (logits), [N, classes] or [N, classes, …positions]. Default: the first. */
  readonly output?: string;
  /** Name of the target: int64 [N, …positions], or with `probabilities` float32 in the shape of the scores. Default "labels". */
  readonly target?: string;
  /** Whether the target is a distribution over the classes. Default false. */
  readonly probabilities?: boolean;
  /** Share of the target that is spread over all classes evenly (Szegedy et al., 2016). Default 0. */
  readonly smoothing?: number;
  /** Positions with this label are not judged. */
  readonly ignore?: number;
}

/** As PyTorch's `cross_entropy` with reduction "mean": the mean is over samples and positions that are not ignored. */
export function crossEntropy(options: CrossEntropyOptions = {}): GraphLoss {
  const { target = "labels", smoothing = 0, probabilities = false, ignore } = options;
  if (!(smoothing >= 0 && smoothing < 1)) {
    throw new AvocetError("usage/bad-value", `expected a smoothing from 0 to below 1, got ${smoothing}`);
  }
  return graphLoss([target], (e, outputs, targets) => {
    const scores = chosenOutput(outputs, options.output);
    const logs = e.op("LogSoftmax", [scores], { axis: 1 });
    const [classes, places] = [e.shape(scores)[1]!, e.size(scores) / e.shape(scores)[1]!];
    if (probabilities)
      return e.neg(e.mul(e.sum(e.mul(smoothed(e, targets[target]!, smoothing, classes), logs)), 1 / places));
    const { wanted, count } = oneHot(e, targets[target]!, classes, ignore, places);
    const judged = (value: Value) => e.sum(value, [1], true);
    const mask = smoothing > 0 ? judged(wanted) : null;
    const distribution = mask ? e.mul(smoothed(e, wanted, smoothing, classes), mask) : wanted;
    return e.neg(e.div(e.sum(e.mul(distribution, logs)), count));
  });
}

/** One-hot targets along axis 1, all zero at ignored positions, and how many positions count (at least one). */
function oneHot(e: Emitter, labels: Value, classes: number, ignore: number | undefined, places: number) {
  const on = (values: Value) =>
    e.op("OneHot", [values, e.ints([classes]), e.constant(Tensor.float32([2], [0, 1]))], { axis: 1 });
  if (ignore === undefined) return { wanted: on(labels), count: e.scalar(places) };
  const ignored = e.op("Equal", [labels, e.constant(Tensor.scalar(ignore, "int64"))]);
  // A label beyond the classes has no bit at all; negative ones would count from the end.
  const beyond = e.constant(Tensor.scalar(classes, "int64"));
  const counted = e.sum(e.asFloat(e.op("Not", [ignored])));
  return { wanted: on(e.op("Where", [ignored, beyond, labels])), count: e.op("Max", [counted, e.scalar(1)]) };
}

/** (1 − s) · t + s / classes. */
function smoothed(e: Emitter, target: Value, smoothing: number, classes: number): Value {
  return smoothing === 0 ? target : e.add(e.mul(target, 1 - smoothing), e.scalar(smoothing / classes));
}
