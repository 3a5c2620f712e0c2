/** The losses that ONNX has, against central differences. */
import { Tensor } from "../../../tensor/inner.ts";
import { type GradientCase, gradientSuite } from "../../gradient-suite.ts";

const labels = Tensor.int64([3, 2], [0, 3, 1, 1, 2, 0]);

const loss = (op: string, attributes: string, weights = false, t = labels): GradientCase => ({
  text: `f (float[3,4,2] x, int64[3,2] t) => (float y) ${weights ? "<float[4] w = {1, 0.5, 2, 0.25}>" : ""} {
     y = ${op} <${attributes}> (x, t${weights ? ", w" : ""}) }`,
  feeds: { t },
});

const forms = (op: string): Record<string, GradientCase> => ({
  [`${op}, mean`]: loss(op, `reduction = "mean"`),
  [`${op}, sum`]: loss(op, `reduction = "sum"`),
  [`${op}, none`]: loss(op, `reduction = "none"`),
  [`${op}, weighted mean`]: loss(op, `reduction = "mean"`, true),
  [`${op}, weighted, one class ignored`]: loss(op, "ignore_index = 1", true),
  [`${op}, ignored labels that are no class`]: loss(
    op,
    `ignore_index = -1, reduction = "mean"`,
    false,
    Tensor.int64([3, 2], [0, -1, 1, 1, -1, 3]),
  ),
});

gradientSuite({
  ...forms("NegativeLogLikelihoodLoss"),
  ...forms("SoftmaxCrossEntropyLoss"),
  "NegativeLogLikelihoodLoss of rows": {
    text: "f (float[3,4] x, int32[3] t) => (float y) { y = NegativeLogLikelihoodLoss(x, t) }",
    feeds: { t: Tensor.of("int32", [3], Int32Array.from([0, 3, 2])) },
  },
  "SoftmaxCrossEntropyLoss and its logarithms": {
    text: "f (float[3,4] x, int64[3] t) => (float y, float l) { y, l = SoftmaxCrossEntropyLoss(x, t) }",
    feeds: { t: Tensor.int64([3], [1, 3, 0]) },
  },
  "the logarithms of SoftmaxCrossEntropyLoss alone": {
    text: "f (float[3,4] x, int64[3] t) => (float y, float l) { y, l = SoftmaxCrossEntropyLoss(x, t) }",
    feeds: { t: Tensor.int64([3], [1, 3, 0]) },
    outputs: ["l"],
  },
});
