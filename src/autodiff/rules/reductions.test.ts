/** Reductions against central differences, in every form of their axes. */
import { type GradientCase, gradientSuite } from "../gradient-suite.ts";

const forms = (op: string): Record<string, GradientCase> => {
  const call = (attributes: string, axes?: string) => ({
    text: `f (float[2,3,4] x) => (float y) ${axes ? `<int64[${axes.split(",").length}] a = {${axes}}>` : ""} {
      y = ${op} <${attributes}> (x${axes ? ", a" : ""}) }`,
  });
  return {
    [`${op} over all`]: call("keepdims = 0"),
    [`${op} over all, axes kept`]: call("keepdims = 1"),
    [`${op} over two axes`]: call("keepdims = 0", "-1,0"),
    [`${op} over one axis, kept`]: call("keepdims = 1", "1"),
    [`${op} over none`]: call("noop_with_empty_axes = 1"),
  };
};

gradientSuite({
  ...forms("ReduceSum"),
  ...forms("ReduceMean"),
  GlobalAveragePool: { text: "f (float[2,3,4,5] x) => (float y) { y = GlobalAveragePool(x) }" },
});
