/** Convolutions that are faster in float than as integers, though there is an integer kernel for them. */
import { weightOperand } from "../../facts/inner.ts";
import type { Node } from "../../ir/inner.ts";
import { type Facts, isDepthwise } from "../facts.ts";
import type { IntegerKernels } from "../targets/target.ts";

/**
 * Convolutions with too few channels for their integer kernel, each with the reason: those that read images, spectra or a few maps, and
 * narrow depthwise ones. Where they are all that there is to quantize, they are quantized nevertheless.
 */
export function narrowConvolutions(facts: Facts, kernels: IntegerKernels): Map<Node, string> {
  const { leastInputChannels, leastDepthwiseChannels } = kernels;
  const found = new Map<Node, string>();
  let others = 0;
  for (const node of facts.model.graph.nodes) {
    if (node.domain !== "" || !kernels.linear.has(node.op)) continue;
    const weight = node.op === "Conv" ? weightOperand(node) : undefined;
    const shape = weight ? facts.shape(weight) : undefined;
    const [channels = Number.POSITIVE_INFINITY, inputs = Number.POSITIVE_INFINITY] = shape ?? [];
    const depthwise = shape !== undefined && isDepthwise(node, shape);
    if (depthwise && channels < leastDepthwiseChannels) {
      found.set(
        node,
        `a depthwise Conv of fewer than ${leastDepthwiseChannels} channels is faster in float than on integers`,
      );
    } else if (!depthwise && inputs < leastInputChannels) {
      found.set(node, `a Conv of fewer than ${leastInputChannels} input channels is faster in float than on integers`);
    } else others++;
  }
  return others > 0 ? found : new Map();
}
