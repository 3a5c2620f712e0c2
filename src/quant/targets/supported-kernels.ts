/**
 * `supported_kernels` of a target: the pairs of precisions in which an operator can run. AIMET reads them for mixed precision and
 * lets every other choice through; here a choice that no kernel takes is refused before any work, and an operator that has kernels
 * of float next to them stays float.
 */

import { AvocetError } from "../../base/inner.ts";
import { keepsGrid } from "../../facts/inner.ts";
import type { Node } from "../../ir/inner.ts";
import type { Facts } from "../facts.ts";
import type { Grid } from "../grids/codec.ts";
import { codecOf, gridName } from "../grids/grid.ts";
import type { KernelSide, SupportedKernel, Target } from "./target.ts";

/**
 * Nodes that stay float because the target runs them in float only, each with the reason. Throws `quant/unsupported-grid` for an
 * operator that no kernel of the target takes in these precisions.
 */
export function floatOnlyNodes(
  facts: Facts,
  target: Target,
  gridsOf: (node: Node) => { readonly weights: Grid; readonly activations: Grid },
  isKept: (node: Node) => boolean,
): Map<Node, string> {
  const found = new Map<Node, string>();
  for (const node of facts.model.graph.nodes) {
    const kernels = target.operators.get(node.op)?.supportedKernels ?? target.supportedKernels;
    if (!kernels || isKept(node) || keepsGrid(node) || !node.outputs.some((output) => facts.isFloat(output))) continue;
    const { weights, activations } = gridsOf(node);
    const weighted = facts.parametersOf(node).some((one) => one.kind === "weight");
    const takes = ({ activation, param }: SupportedKernel) =>
      fits(activation, activations) && (!weighted || fits(param, weights));
    if (kernels.some(takes)) continue;
    const choice = `${gridName(activations)}${weighted ? ` with weights ${gridName(weights)}` : ""}`;
    if (kernels.some(({ activation }) => activation?.kind === "float")) {
      found.set(node, `the target runs ${node.op} in float: it has no kernel for ${choice}`);
      continue;
    }
    const known = kernels.map(({ activation, param }) => `${named(activation)} with weights ${named(param)}`);
    throw new AvocetError(
      "quant/unsupported-grid",
      `expected one of the target's kernels of ${node.op} (${known.join(", ")}), got ${choice}`,
      {
        at: node.name || node.output.name,
        hint: `choose other grids for activations or weights, keep ${node.op} in float, or change supported_kernels of ${target.name}`,
      },
    );
  }
  return found;
}

/** A side that a kernel does not name takes anything. */
function fits(side: KernelSide | undefined, grid: Grid): boolean {
  if (!side) return true;
  const codec = codecOf(grid);
  return side.kind === grid.kind && side.bits === codec.bits;
}

function named(side: KernelSide | undefined): string {
  return side ? `${side.kind}${side.bits}` : "any";
}
