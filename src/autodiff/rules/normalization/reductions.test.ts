/** Reductions against central differences, in every form of their axes. */
import type { Random } from "../../../base/inner.ts";
import { Tensor } from "../../../tensor/inner.ts";
import { away, type GradientCase, gradientSuite } from "../../gradient-suite.ts";

type Feed = (random: Random, index: number) => number;

const forms = (op: string, feed?: Feed): Record<string, GradientCase> => {
  const call = (attributes: string, axes?: string) => ({
    text: `f (float[2,3,4] x) => (float y) ${axes ? `<int64[${axes.split(",").length}] a = {${axes}}>` : ""} {
      y = ${op} <${attributes}> (x${axes ? ", a" : ""}) }`,
    ...(feed ? { feeds: { x: feed } } : {}),
  });
  return {
    [`${op} over all`]: call("keepdims = 0"),
    [`${op} over all, axes kept`]: call("keepdims = 1"),
    [`${op} over two axes`]: call("keepdims = 0", "-1,0"),
    [`${op} over one axis, kept`]: call("keepdims = 1", "1"),
    [`${op} over none`]: call("noop_with_empty_axes = 1"),
  };
};

const positive: Feed = (random) => random.uniform(0.5, 1.5);
/** All numbers a tenth apart, in no order: no two change places within a step. */
const apart: Feed = (_, i) => (((i * 7) % 24) - 11.5) / 10;

gradientSuite({
  ...forms("ReduceSum"),
  ...forms("ReduceMean"),
  ...forms("ReduceL1", away(0)),
  ...forms("ReduceL2", positive),
  ...forms("ReduceLogSum", positive),
  ...forms("ReduceLogSumExp"),
  ...forms("ReduceMax", apart),
  ...forms("ReduceMin", apart),
  ...forms("ReduceProd", positive),
  ...forms("ReduceSumSquare"),
  "ReduceProd with one zero and with two": {
    text: "f (float[3,3] x) => (float y) <int64[1] a = {1}> { y = ReduceProd(x, a) }",
    feeds: { x: Tensor.float32([3, 3], [2, 0, -1.5, 1, 3, 0.5, 0, 4, 0]) },
  },
});
