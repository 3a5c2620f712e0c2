/**
 * W and R of recurrent operators in the float model, the one that a method changes, and the lowered one. The moments of W are those of what
 * the operator reads, over all steps. Those of R are of the float states: the quantized ones would be known only once R is rounded, and
 * the state after each step stands for the one before, which is the same but for the first and the last.
 */
import { initializerOf, recurrentInputs, recurrentLayers } from "../../facts/inner.ts";
import type { Model, Node } from "../../ir/inner.ts";
import type { Lowered } from "../../quant/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import type { Branches } from "../branches.ts";
import type { InputNames } from "./layer-inputs.ts";

export interface RecurrentBranch extends Branches {
  readonly recurrent: {
    readonly names: InputNames;
    /** The moments are of the float branch alone. */
    readonly floatOnly: boolean;
    /** Why its bias stays; undefined: it takes a shift. */
    readonly noBias: string | undefined;
  };
}

/** In the order of the graph, W in front of R; what has no output Y has no states to look at, and its R is left out. */
export function recurrentBranches(model: Model, result: Model, lowered: Lowered): RecurrentBranch[] {
  const copies = result.graph.valuesByName();
  return [...model.graph.nodes].flatMap((node) => {
    const layers = recurrentLayers(node);
    const name = node.outputs.find((output) => output.name !== "")?.name;
    const copy = name === undefined ? undefined : copies.get(name)?.producer;
    const quantizedNode = name === undefined ? undefined : lowered.of(name)?.float?.producer;
    if (!copy || !quantizedNode || node.int("layout", 0) !== 0) return [];
    const same = recurrentLayers(copy);
    return layers.flatMap((layer, i): RecurrentBranch[] => {
      const isState = layer.weight.index === recurrentInputs.r;
      const states = node.outputs[0];
      const read = [node.input(0)!.name, quantizedNode.input(0)!.name] as const;
      if (!same[i] || (isState && !states?.name)) return [];
      return [
        {
          layer,
          result: same[i],
          quantizedNode,
          recurrent: {
            names: isState ? [states!.name, read[1]] : read,
            floatOnly: isState,
            noBias: noBias(node, isState),
          },
        },
      ];
    });
  });
}

/** The candidate of a GRU multiplies R by the state behind the reset gate, whose means nobody knows here. */
function noBias(node: Node, isState: boolean): string | undefined {
  if (isState && node.op === "GRU" && node.int("linear_before_reset", 0) === 0)
    return "the reset gate stands in front of R";
  const bias = node.input(recurrentInputs.bias);
  return bias && (!initializerOf(bias) || bias.useCount > 1) ? "it is computed, or others read it" : undefined;
}

/** Adds a shift of the rows of all directions to the half of the node's bias that belongs to W or to R. */
export function shiftBias(node: Node, weightIndex: number, shift: Float64Array): void {
  const [directions, rows] = initializerOf(node.input(recurrentInputs.w))?.shape ?? weightShape(node);
  const held = initializerOf(node.input(recurrentInputs.bias));
  const data = held ? held.floats().slice() : new Float32Array(directions! * 2 * rows!);
  const from = weightIndex === recurrentInputs.r ? rows! : 0;
  shift.forEach((by, i) => {
    const at = Math.floor(i / rows!) * 2 * rows! + from + (i % rows!);
    data[at] = Math.fround(data[at]! + by);
  });
  const tensor = Tensor.float32([directions!, 2 * rows!], data);
  const value = node.input(recurrentInputs.bias);
  if (value) value.initializer = tensor;
  else {
    const name = `${node.name || node.outputs.find((output) => output.name !== "")!.name}_bias`;
    node.graph!.setInput(node, recurrentInputs.bias, node.graph!.addInitializer(name, tensor));
  }
}

/** Behind a DequantizeLinear the integers have the shape. */
function weightShape(node: Node): readonly number[] {
  return node.input(recurrentInputs.w)?.producer?.input(0)?.initializer?.shape ?? [1, 0];
}
