/** Pooling: maxima and means of windows, and of whole axes. */
import type { Value } from "../../ir/inner.ts";
import type { Emitter } from "./emitter.ts";
import { dynamicPad } from "./pad.ts";
import type { Term } from "./term.ts";
import { complete, expectWindow, padded, spatialAxes, type Window, windowLengths, windowOrder } from "./windows.ts";

/** Padding never wins a maximum and never counts in a mean, as in TensorFlow. */
export function pooling(e: Emitter, kind: "MaxPool" | "AveragePool", x: Term, window: Window): Term {
  expectWindow(e, x, window);
  const rank = x.shape.length;
  const { kernel, strides } = complete(window);
  const spatial = spatialAxes(rank, window.channels);
  const lengths = spatial.map((axis) => x.shape[axis]!);
  const order = windowOrder(rank, window.channels);
  const { attributes, dynamic } = padded(window, lengths);
  if (dynamic && kind === "AveragePool")
    throw e.fail("expected known lengths for means of windows with gaps between them");
  const least = () => e.value(e.numbers(Number.NEGATIVE_INFINITY, x.dtype));
  const value = dynamic ? dynamicPad(e, x, order, window, least()) : e.value(x, order);
  const node = e.node(kind, [kind === "MaxPool" && !dynamic ? apartFromPad(e, value) : value], {
    kernel_shape: [...kernel],
    ...(strides.some((v) => v !== 1) ? { strides: [...strides] } : {}),
    ...attributes,
  });
  const made = windowLengths(e, window, lengths);
  const shape = x.shape.map((dim, axis) => (spatial.includes(axis) ? made[spatial.indexOf(axis)]! : dim));
  return e.term(node.output, x.dtype, shape, order);
}

/**
 * Zeros around the input of a maximum count, while those of MaxPool's own padding do not. ONNX Runtime 1.30 makes one of the other (a
 * Pad goes into the MaxPool behind it), unless there is something between them: a maximum of one.
 */
function apartFromPad(e: Emitter, value: Value): Value {
  if (value.producer?.op !== "Pad") return value;
  const apart = e.node("Max", [value]).output;
  if (value.type) apart.type = value.type;
  return apart;
}

/** Batch norm of inference: scale, bias, mean and variance are [channels] each. */
export function batchNorm(
  e: Emitter,
  x: Term,
  [scale, bias, mean, variance]: readonly [Term, Term, Term, Term],
  epsilon: number,
  channels: Window["channels"],
): Term {
  const order = windowOrder(x.shape.length, channels);
  const inputs = [e.value(x, order), e.value(scale), e.value(bias), e.value(mean), e.value(variance)];
  const value = e.node("BatchNormalization", inputs, { epsilon: { type: "float", value: epsilon } }).output;
  return e.term(value, x.dtype, x.shape, order);
}
