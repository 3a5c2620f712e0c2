/**
 * QuantizeLinear and DequantizeLinear as a pair, x̂ = s · (clip(round(x / s) + z) − z): the straight-through estimator for x
 * (Bengio et al., 2013) and the gradients to scale and zero point of learned step sizes (Esser et al., 2020, equation 3;
 * Jain et al., 2020). Inside the range dx = g; outside dx = 0. ds = Σ g · (x̂ − x) / s inside and Σ g · x̂ / s outside;
 * dz = −s · Σ g outside. AIMET's offset is −z, so its gradient has the other sign. A value of exactly half a step outside is
 * outside for us at both ends; PyTorch and AIMET round it to even first, so that at one end it may be inside.
 */
import { defaultOf } from "../../../facts/inner.ts";
import type { Node, Value } from "../../../ir/inner.ts";
import { dtypes, type Shape } from "../../../tensor/inner.ts";
import type { Backward, GradientRow, InputGradients } from "../../rule.ts";

function dequantize(b: Backward): InputGradients {
  const { node } = b;
  const quantize = node.input(0)!.producer;
  if (quantize?.op === "QuantizeLinear" && quantize.domain === "") {
    const own = [1, 2].every((index) => quantize.input(index) === node.input(index) || isSame(b, quantize, index));
    if (!own) throw b.refusal("its QuantizeLinear has another scale or zero point, so the two are no pair");
    return pair(b, quantize);
  }
  if (b.wants(0))
    throw b.refusal("its integers are computed, but not by a QuantizeLinear that it would be a pair with");
  // Stored integers: y = s · (q − z).
  const slices = slicesOf(b, b.outShape);
  return [
    null,
    b.wants(1) ? b.div(slices.sum(b.mul(b.dy, b.y)), b.input(1)) : null,
    b.wants(2) ? b.neg(b.mul(slices.sum(b.dy), b.input(1))) : null,
  ];
}

/** Whether two constants that nobody trains have the same content. */
function isSame(b: Backward, quantize: Node, index: number): boolean {
  const other = quantize.input(index);
  if (b.wants(index) || (other && b.wantsValue(other))) return false;
  const [tensor, second] = [defaultOf(b.node.input(index)), defaultOf(other)];
  if (!tensor || !second || tensor.dtype !== second.dtype) return false;
  return tensor.shape.join() === second.shape.join() && tensor.numbers().join() === second.numbers().join();
}

function pair(b: Backward, quantize: Node): InputGradients {
  const { dy, y } = b;
  const x = quantize.input(0)!;
  const [scale, zero] = [b.input(1), b.node.input(2)];
  const slices = slicesOf(b, b.outShape);
  const [low, high] = endsOf(b, quantize);
  const middle = (low + high) / 2;
  const steps = b.div(x, slices.spread(scale));
  const shift = zero ? slices.spread(b.sub(b.asFloat(zero), b.scalar(middle))) : b.scalar(-middle);
  const dx = b.mul(dy, b.within(b.add(steps, shift), (high - low) / 2 + 0.5));
  b.give(x, dx);
  return [
    null,
    b.wants(1) ? b.div(slices.sum(b.sub(b.mul(dy, y), b.mul(dx, x))), scale) : null,
    b.wants(2) ? b.neg(b.mul(slices.sum(b.sub(dy, dx)), scale)) : null,
  ];
}

/** The lowest and highest integer of the element type between the two. */
function endsOf(b: Backward, quantize: Node): readonly [number, number] {
  const type = b.dtypeOf(quantize.output) ?? "uint8";
  const { bits, kind } = dtypes[type];
  if (kind !== "int" && kind !== "uint") throw b.refusal(`${type} is no grid of integers`);
  return kind === "int" ? [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1] : [0, 2 ** bits - 1];
}

/** How one scale a tensor, a channel or a block lies over the elements. */
interface Slices {
  /** A value with the scale's shape, broadcastable against the elements. */
  spread(value: Value): Value;
  /** Sums over the elements of each slice, in the scale's shape. */
  sum(value: Value): Value;
}

function slicesOf(b: Backward, shape: Shape): Slices {
  const scale = b.shapeOf(1);
  const rank = shape.length;
  if (scale.length === 0 || (scale.length === 1 && scale[0] === 1)) {
    return {
      spread: (value) => value,
      sum: (value) => b.reshape(b.sum(value), scale),
    };
  }
  const given = b.node.int("axis", 1);
  const axis = given < 0 ? given + rank : given;
  const block = b.node.int("block_size", 0);
  if (block === 0) {
    const wide = shape.map((_, i) => (i === axis ? scale[0]! : 1));
    const others = shape.map((_, i) => i).filter((i) => i !== axis);
    return { spread: (value) => b.reshape(value, wide), sum: (value) => b.sum(value, others) };
  }
  return blocks(b, shape, scale, axis, block);
}

/** Blocks along an axis: the last one may be short, so the elements are padded to whole blocks before they are summed. */
function blocks(b: Backward, shape: Shape, scale: Shape, axis: number, block: number): Slices {
  const count = scale[axis]!;
  const split = [...shape.slice(0, axis), count, block, ...shape.slice(axis + 1)];
  const whole = shape.map((length, i) => (i === axis ? count * block : length));
  const missing = count * block - shape[axis]!;
  return {
    spread: (value) => {
      const one = split.map((length, i) => (i === axis + 1 ? 1 : length));
      const all = b.reshape(b.expand(b.reshape(value, one), split), whole);
      return missing === 0 ? all : b.slice(all, [axis], [0], [shape[axis]!]);
    },
    sum: (value) => {
      const pads = [...shape.map(() => 0), ...shape.map((_, i) => (i === axis ? missing : 0))];
      const padded = missing === 0 ? value : b.op("Pad", [value, b.ints(pads)]);
      return b.sum(b.reshape(padded, split), [axis + 1]);
    },
  };
}

export const quantizers = {
  DequantizeLinear: dequantize,
  DynamicQuantizeLinear: { none: "its scale follows each input, so it is no grid that could be learned" },
  QuantizeLinear: { flat: "rounding is piecewise constant; with its DequantizeLinear it passes straight through" },
} satisfies Record<string, GradientRow>;
