/**
 * The map of lowering for a file that was read from disk, as far as its operators say: which value has a quantizer behind it, which
 * nodes are products, and where their weights lie. Files of other tools have Q/DQ, too. What a constant was called in the float
 * model no operator says: `of` knows activations alone.
 */
import { isRecurrent } from "../../facts/inner.ts";
import type { Model, Node, Value } from "../../ir/inner.ts";
import { dtypes } from "../../tensor/inner.ts";
import type { LoweredProduct, LoweredValue, Shipped } from "./lowered.ts";
import { constantOperand, isProduct } from "./same-layer.ts";
import { storedFor } from "./storage.ts";
import { clipsToGrid } from "./stored.ts";

export function readShipped(model: Model): Shipped {
  const values = model.graph.valuesByName();
  const products = [...model.graph.nodes].flatMap((node): LoweredProduct[] => {
    const stored = storedFor(node);
    if (stored?.form.replaces === "lookup") return [];
    if (stored) return [{ nodes: [node], weight: stored.weight }];
    return isProduct(node) || isRecurrent(node) ? [{ nodes: [node], weight: weightOf(node) }] : [];
  });
  const of = (name: string) => {
    const value = values.get(name);
    return value && (quantizedInFront(value) ?? quantizedBehind(value) ?? { float: value });
  };
  return { model, of, products };
}

/**
 * Past a Max of one input, which changes nothing and is not optimised away: lowering puts it where a runtime would otherwise fuse
 * (hold-float.ts).
 */
export function unheld(value: Value | null): Value | null {
  const { producer } = value ?? {};
  return producer?.op === "Max" && producer.inputs.length === 1 ? producer.input(0) : value;
}

/** The integers in front of a DequantizeLinear as they are stored: narrow ones are widened by a Cast as the file is loaded. */
export function unwidened(value: Value | null): Value | null {
  return value?.producer?.op === "Cast" ? value.producer.input(0) : value;
}

/** The constant that holds the weight of a product: itself, or behind DequantizeLinear and Casts. */
function weightOf(node: Node): Value | undefined {
  const own = constantOperand(node);
  if (own) return own;
  for (const operand of isRecurrent(node) ? [node.input(1)] : [node.input(1), node.input(0)]) {
    const source = unheld(operand)?.producer;
    const stored = source?.op === "DequantizeLinear" ? unwidened(source.input(0)) : unwidened(unheld(operand));
    if (stored?.initializer) return stored;
  }
  return undefined;
}

/** The value comes out of a quantizer and keeps the name of the float model: an output of the model. */
function quantizedInFront(value: Value): LoweredValue | undefined {
  const node = value.producer;
  if (node?.op === "Cast") {
    const narrow = node.input(0)!;
    return narrowsFloats(narrow.producer)
      ? { float: narrow.producer!.input(0)!, quantized: narrow, dequantized: value }
      : undefined;
  }
  if (node?.op !== "DequantizeLinear") return undefined;
  const quantize = unclipped(node.input(0))?.producer;
  if (quantize?.op !== "QuantizeLinear") return undefined;
  return { float: unheld(unclipped(quantize.input(0))) ?? undefined, quantized: quantize.output, dequantized: value };
}

/** The quantizer that reads the value: a Clip (of a grid that is narrower than its integers), Q and DQ, or a pair of Casts. */
function quantizedBehind(float: Value): LoweredValue | undefined {
  for (const first of float.consumers()) {
    const quantize = quantizeOf(first, float);
    if (quantize) {
      const { output } = quantize;
      const clip = output.consumers().find(({ op }) => op === "Clip");
      const back = (clip?.output ?? output).consumers().find(({ op }) => op === "DequantizeLinear");
      if (back) return { float, quantized: output, dequantized: back.output };
    }
    if (narrowsFloats(first)) {
      const back = first.output.consumers().find(({ op }) => op === "Cast");
      if (back) return { float, quantized: first.output, dequantized: back.output };
    }
  }
  return undefined;
}

/** Whether the node is a Cast to half precision. */
function narrowsFloats(node: Node | null): boolean {
  return node?.op === "Cast" && halfPrecision.includes(node.int("to", 0));
}

const halfPrecision = [dtypes.float16.onnx, dtypes.bfloat16.onnx];

/** The QuantizeLinear that a reader of the value is, or leads to through what lowering puts in front of one. */
function quantizeOf(reader: Node, value: Value): Node | undefined {
  if (reader.op === "QuantizeLinear") return reader.input(0) === value ? reader : undefined;
  const passes = clipsToGrid(reader) || (reader.op === "Max" && reader.inputs.length === 1);
  if (!passes || reader.input(0) !== value) return undefined;
  const [next, ...others] = reader.output.consumers();
  return next?.op === "QuantizeLinear" && others.length === 0 ? next : undefined;
}

/** Past a Clip to the ends of a grid, of floats or of their integers. */
function unclipped(value: Value | null): Value | null {
  return value?.producer && clipsToGrid(value.producer) ? value.producer.input(0) : value;
}
