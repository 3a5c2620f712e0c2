/** The mean patches of a layer's input: from data in both branches, or from what batch norms promise. */
import { type MatrixLayer, shapeOf } from "../../facts/inner.ts";
import type { TensorType, Value } from "../../ir/inner.ts";
import type { Cursor } from "../../runtime/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import type { Branches } from "../branches.ts";
import type { Basis, Expectation } from "../expectations/expectation.ts";
import { MeanInput, meanPatch } from "./math.ts";

/** [groups, columns] each. */
export interface MeanInputs {
  readonly float: Float64Array;
  readonly quantized: Float64Array;
  /** Where they come from, in two words. */
  readonly from: string;
}

/** From data: both branches advance to the layer, whose own bias lies ahead and may still be edited. */
export async function empiricalMeans({ layer, quantizedNode }: Branches, cursor: Cursor): Promise<MeanInputs> {
  const [x, y] = [layer.node.input(0)!.name, quantizedNode.input(0)!.name];
  await cursor.advance([x], [y]);
  const [float, quantized] = [new MeanInput(), new MeanInput()];
  for await (const pair of cursor.pairs(x, y)) {
    float.see(pair.float);
    quantized.see(pair.quantized);
  }
  return { float: float.patch(layer), quantized: quantized.patch(layer), from: "measured" };
}

export interface Promised {
  readonly of: ReadonlyMap<Value, Expectation>;
  readonly unknown: ReadonlyMap<Value, string>;
  readonly shapes: ReadonlyMap<string, TensorType>;
  readonly accepted: ReadonlySet<Basis>;
}

/** From statistics, or the reason why there are none. */
export function analyticMeans(layer: MatrixLayer, promised: Promised): MeanInputs | string {
  const input = layer.node.input(0)!;
  const found = promised.of.get(input);
  if (!found) return promised.unknown.get(input) ?? `nothing is known of ${input.name}`;
  if (!promised.accepted.has(found.basis)) return `no batch norm tells the mean of ${input.name}`;
  const patch = patchOf(layer, found, promised);
  if (!patch) return `the channels of ${input.name} are not those of the layer`;
  return { float: patch, quantized: patch, from: found.basis === "batch-norm" ? "batch norm" : found.basis };
}

/** An input that is constant per channel, seen through the kernel: at a padded border fewer of its numbers count. */
function patchOf(layer: MatrixLayer, { axis, mean }: Expectation, { shapes }: Promised): Float64Array | undefined {
  const {
    node,
    matrix: { groups, columns },
  } = layer;
  const shape = shapeOf(node.input(0), shapes);
  const isKernel = node.op === "Conv" || node.op === "ConvTranspose";
  const channels = isKernel
    ? layer.weight.tensor.shape[node.op === "Conv" ? 1 : 0]! * (node.op === "Conv" ? groups : 1)
    : columns;
  const each = mean.length === 1 ? new Float64Array(channels).fill(mean[0]!) : mean;
  if (each.length !== channels) return undefined;
  if (mean.length > 1 && axis !== (isKernel || node.op === "Gemm" ? 1 : (shape?.length ?? 0) - 1)) return undefined;
  if (!isKernel) return Float64Array.from(each);
  if (!shape) {
    const places = columns / (channels / groups);
    return Float64Array.from({ length: groups * columns }, (_, i) => each[Math.floor(i / places)]!);
  }
  const one = shape.slice(2).reduce((a, b) => a * b, 1);
  const filled = Float32Array.from({ length: channels * one }, (_, i) => each[Math.floor(i / one)]!);
  return meanPatch(layer, Tensor.float32([1, channels, ...shape.slice(2)], filled));
}
