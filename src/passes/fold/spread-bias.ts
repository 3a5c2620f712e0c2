/** A bias of Gemm that is one number, or a matrix of one row, becomes a vector with a number for each output channel. */
import { refuse } from "../../base/inner.ts";
import { constantOf, floatConstant, isOp } from "../../facts/inner.ts";
import type { Node } from "../../ir/inner.ts";
import { ops } from "../../ops/inner.ts";
import { elementsOf, floatTensor, type Tensor } from "../../tensor/inner.ts";
import type { Pass } from "../pass.ts";
import { replaceConstant } from "../replace-constant.ts";
import { passOf, rule } from "../rule.ts";

interface Found {
  readonly gemm: Node;
  readonly bias: Tensor;
  readonly channels: number;
}

export const spreadBias = rule<Found>({
  name: "spread-bias",
  match: (gemm) => {
    const bias = isOp(gemm, "Gemm") ? floatConstant(gemm.input(2)) : undefined;
    const channels = constantOf(gemm.input(1))?.shape[ops.Gemm.linear!.channelAxis(gemm)];
    if (!bias || channels === undefined) return undefined;
    return bias.shape.length === 1 && bias.size === channels ? undefined : { gemm, bias, channels };
  },
  check: ({ bias, channels }) =>
    bias.size === 1 || (bias.size === channels && bias.shape.at(-1) === channels)
      ? true
      : refuse("its bias differs from row to row"),
  rewrite: ({ gemm, bias, channels }, graph) => {
    const numbers = elementsOf(bias);
    const vector = floatTensor(bias.dtype, [channels], (c) => numbers[bias.size === 1 ? 0 : c]!);
    replaceConstant(graph, gemm, 2, vector, `${gemm.name || gemm.output.name}.bias`);
  },
});

export const spreadBiases: Pass = passOf("spread-bias", [spreadBias]);
