/** Convolutions and matrix products: the operators that own a weight. */
import type { Node } from "../ir/inner.ts";
import { convMacs, convTransposeMacs, einsumMacs, matMulMacs } from "./cost.ts";
import type { LinearRole, Semantics } from "./row.ts";

/** Weight [out, in / groups, k…]. */
export const convRole: LinearRole = { weight: 1, bias: 2, channelAxis: () => 0, inputAxis: () => 1 };

/** Weight [in, out / groups, k…]: with groups the axis of the output channels counts within a group. */
export const convTransposeRole: LinearRole = { weight: 1, bias: 2, channelAxis: () => 1, inputAxis: () => 0 };

const transB = (node: Node): boolean => node.int("transB", 0) !== 0;

/** Weight [in, out], or [out, in] where transB is set. */
export const gemmRole: LinearRole = {
  weight: 1,
  bias: 2,
  channelAxis: (node) => (transB(node) ? 0 : 1),
  inputAxis: (node) => (transB(node) ? 1 : 0),
};

/** Weight […, in, out], or […, out, in] where transB is set (FusedMatMul); there is no bias input. */
export const matMulRole: LinearRole = {
  weight: 1,
  bias: null,
  channelAxis: (node) => (transB(node) ? -2 : -1),
  inputAxis: (node) => (transB(node) ? -1 : -2),
};

export const transA = (node: Node): boolean => node.int("transA", 0) !== 0;

export const linear = {
  Conv: { linear: convRole, macs: convMacs() },
  ConvInteger: { macs: convMacs() },
  ConvTranspose: { linear: convTransposeRole, macs: convTransposeMacs },
  DeformConv: { macs: convMacs() },
  Einsum: { macs: einsumMacs },
  Gemm: { linear: gemmRole, macs: matMulMacs(0, transA) },
  MatMul: { linear: matMulRole, macs: matMulMacs() },
  MatMulInteger: { macs: matMulMacs() },
  QLinearConv: { macs: convMacs(3) },
  QLinearMatMul: { macs: matMulMacs() },
} satisfies Record<string, Semantics>;
