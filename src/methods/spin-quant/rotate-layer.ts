/**
 * An orthogonal matrix M goes into a layer, exactly but for one rounding, block by block where M is shorter than the axis:
 *
 *   its output   (x·W + b)·M  =  x·(W·M) + b·M
 *   its input    x·W + b      =  (x·M)·(MᵀW) + b
 */
import { isRefused } from "../../base/inner.ts";
import { biasesOf, type EditableLayer, storeLayer } from "../../passes/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import type { Orthogonal } from "./orthogonal.ts";
import type { Products } from "./products.ts";

/** The layer, a MatMul or Gemm, returns y·M where it returned y. */
export async function rotateOutputs(layer: EditableLayer, matrix: Orthogonal, products: Products): Promise<void> {
  const { weight, axes, bias } = layer;
  const tensor = weight.tensor;
  const rotated = axes.out === 0 ? products.alongFirst(tensor, matrix) : products.alongLast(tensor, matrix);
  const biases = biasesOf(layer);
  const hasBias = !isRefused(bias) && biases.some((b) => b !== 0);
  const moved = hasBias ? await products.alongLast(Tensor.float32([1, biases.length], biases), matrix) : undefined;
  storeLayer(layer, await rotated, moved?.numbers() ?? biases);
}

/** The layer reads x·M where it read x. */
export async function rotateInputs(layer: EditableLayer, matrix: Orthogonal, products: Products): Promise<void> {
  const { weight, axes } = layer;
  const rotated =
    axes.out === 0 ? products.alongLast(weight.tensor, matrix) : products.alongFirst(weight.tensor, matrix);
  storeLayer(layer, await rotated, biasesOf(layer));
}
