/**
 * Products of two activations whose added vector does not fit into 32 bits. ONNX Runtime stores the float bias of a product between two
 * DequantizeLinear as int32 in steps of both scales. Where one operand is a weight its scale grows until the bias holds
 * (constraints/hold-biases.ts); the scales of two activations are those of all their readers, so that such a product runs in float.
 */
import { addedVector, initializerOf, movesData } from "../../facts/inner.ts";
import type { Node, Value } from "../../ir/inner.ts";
import { unheld, unwidened } from "./read-shipped.ts";

/** The largest integer of an accumulator. */
const most = 2 ** 31 - 1;

/** Whether the product would run on integers next to a bias that saturates. */
export function overflowsBias(node: Node): boolean {
  const added = addedVector(node);
  if (!added) return false;
  const operands = [node.input(0), node.input(1)].map((value) => dequantizerOf(unheld(value)));
  if (operands.some((one) => !one || initializerOf(unwidened(one.input(0))))) return false;
  const [first, second] = operands.map((one) => initializerOf(one!.input(1))?.floats());
  if (first?.length !== 1 || second?.length !== 1) return false;
  const largest = added.tensor.floats().reduce((top, bias) => Math.max(top, Math.abs(bias)), 0);
  return largest * Math.abs(added.factor) > most * first[0]! * second[0]!;
}

/** The DequantizeLinear that the value comes from, also past data movement, through which the runtime shifts it. */
export function dequantizerOf(value: Value | null): Node | undefined {
  const source = value?.producer;
  if (!source || source.op === "DequantizeLinear") return source ?? undefined;
  return movesData(source) ? dequantizerOf(source.input(0)) : undefined;
}
