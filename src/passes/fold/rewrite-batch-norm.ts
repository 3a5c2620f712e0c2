/**
 * Batch norms that no layer can take in become what they compute, y = s·x + t per channel: a depthwise 1×1 convolution,
 * which runtimes have integer kernels for, or Mul and Add.
 */

import { isRefused, type Refused, refuse } from "../../base/inner.ts";
import { floatConstant, rankOf } from "../../facts/inner.ts";
import { attributeOf, type Node } from "../../ir/inner.ts";
import { floatTensor } from "../../tensor/inner.ts";
import { type BatchNorm, batchNormOf, setBatchNormStatistics } from "../batch-norm.ts";
import type { Pass } from "../pass.ts";
import { replaceNode } from "../replace-node.ts";
import { passOf, rule } from "../rule.ts";

interface Found {
  readonly node: Node;
  readonly bn: BatchNorm | Refused;
  readonly rank: number | undefined;
}

/** `as` "conv" takes Mul and Add only where there are no positions to convolve over (rank 2). Default "conv". */
export function rewriteBatchNorms({ as = "conv" }: { readonly as?: "conv" | "affine" } = {}): Pass {
  const one = rule<Found>({
    name: "rewrite-batch-norm",
    match: (node) => {
      const bn = batchNormOf(node);
      return bn && { node, bn, rank: rankOf(node.input(0)) };
    },
    check: ({ bn, rank, node }) => {
      if (isRefused(bn)) return bn;
      return rank !== undefined && rank >= 2 ? true : refuse(`the rank of ${node.input(0)?.name} is not known`);
    },
    rewrite: ({ node, bn, rank }) => {
      if (as === "conv" && rank! >= 3 && rank! <= 5) toConv(node, bn as BatchNorm, rank!);
      else toAffine(node, bn as BatchNorm, rank!);
    },
  });
  return passOf("rewrite-batch-norm", [one]);
}

function toConv(node: Node, { scale, shift, statistics }: BatchNorm, rank: number): void {
  const graph = node.graph!;
  const { dtype } = floatConstant(node.input(1))!;
  const hint = node.name || node.output.name;
  const places = Array<number>(rank - 2).fill(1);
  const weight = graph.addInitializer(
    `${hint}.weight`,
    floatTensor(dtype, [scale.length, 1, ...places], (c) => scale[c]!),
  );
  const bias = graph.addInitializer(
    `${hint}.bias`,
    floatTensor(dtype, [shift.length], (c) => shift[c]!),
  );
  const attributes = { group: scale.length, kernel_shape: attributeOf(places) };
  const conv = replaceNode(node, { op: "Conv", inputs: [node.input(0), weight, bias], attributes, outputs: 1 });
  setBatchNormStatistics(conv.output, statistics);
}

function toAffine(node: Node, { scale, shift, statistics }: BatchNorm, rank: number): void {
  const graph = node.graph!;
  const { dtype } = floatConstant(node.input(1))!;
  const hint = node.name || node.output.name;
  const shape = [scale.length, ...Array<number>(rank - 2).fill(1)];
  const s = graph.addInitializer(
    `${hint}.scale`,
    floatTensor(dtype, shape, (c) => scale[c]!),
  );
  const t = graph.addInitializer(
    `${hint}.shift`,
    floatTensor(dtype, shape, (c) => shift[c]!),
  );
  const mul = graph.insert(
    { op: "Mul", inputs: [node.input(0), s], outputs: [`${node.output.name}_scaled`] },
    { before: node },
  );
  const add = replaceNode(node, { op: "Add", inputs: [mul.output, t], outputs: 1 });
  setBatchNormStatistics(add.output, statistics);
}
