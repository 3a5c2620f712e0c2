/** The losses that ONNX has as operators. */
import type { Value } from "../../../ir/inner.ts";
import { Tensor } from "../../../tensor/inner.ts";
import type { Backward, GradientRow, InputGradients } from "../../rule.ts";

/** For every place [N, d…] what its loss counts for, times what flows back; and its class as one-hot [N, C, d…]. */
function targets(b: Backward): { readonly share: Value; readonly oneHot: Value } {
  const { node } = b;
  if (b.wants(2)) throw b.refusal("the weights of its classes belong to the task; only the scores have a gradient");
  const classes = b.shapeOf(0)[1]!;
  const labels = b.op("Cast", [b.input(1)], { to: 7 });
  const ignored = node.int("ignore_index");
  const isKept = ignored === undefined ? null : b.op("Not", [b.op("Equal", [labels, b.int(ignored)])]);
  // An ignored label may be no class at all.
  const safe = isKept ? b.mul(labels, b.op("Cast", [isKept], { to: 7 })) : labels;
  const weights = node.input(2);
  const kept = isKept ? b.asFloat(isKept) : b.filled(b.shapeOf(1), 1);
  const weight = weights ? b.mul(b.op("Gather", [weights, safe]), kept) : kept;
  const mean = node.string("reduction", "mean") === "mean";
  const share = b.mul(mean ? b.div(weight, b.sum(weight)) : weight, b.dy);
  const oneHot = b.op("OneHot", [safe, b.ints([classes]), b.constant(Tensor.float32([2], [0, 1]))], { axis: 1 });
  return { share: b.op("Unsqueeze", [share, b.ints([1])]), oneHot };
}

/** loss = −w · x at the class of each place. */
function negativeLogLikelihood(b: Backward): InputGradients {
  const { share, oneHot } = targets(b);
  return [b.neg(b.mul(share, oneHot))];
}

/** Through the logarithm of softmax: softmax less the one-hot class; the second output is that logarithm itself. */
function softmaxCrossEntropy(b: Backward): InputGradients {
  const probabilities = b.op("Softmax", [b.input(0)], { axis: 1 });
  const parts: Value[] = [];
  if (b.gradient(0)) {
    const { share, oneHot } = targets(b);
    parts.push(b.mul(share, b.sub(probabilities, oneHot)));
  }
  const toLog = b.gradient(1);
  if (toLog) parts.push(b.sub(toLog, b.mul(probabilities, b.sum(toLog, [1], true))));
  return [parts.length === 2 ? b.add(parts[0]!, parts[1]!) : parts[0]];
}

export const losses = {
  NegativeLogLikelihoodLoss: negativeLogLikelihood,
  SoftmaxCrossEntropyLoss: softmaxCrossEntropy,
} satisfies Record<string, GradientRow>;
