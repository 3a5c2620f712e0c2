/** Fourier transforms are linear maps, so their gradients are their transposes: transforms in the other direction. */
import type { Value } from "../../../ir/inner.ts";
import type { Shape } from "../../../tensor/inner.ts";
import type { Backward, GradientRow, InputGradients } from "../../rule.ts";
import { addAlongAxis } from "../shape/movement-index.ts";

/**
 * The transpose of a transform of length n, from gradients [B, bins, 2] to [B, n, 2] (a complex number as two reals):
 * without its scale of 1/n the inverse transform is the transpose of the forward one. Missing bins have no gradient.
 */
function transposed(b: Backward, dy: Value, bins: number, n: number, inverse: boolean): Value {
  const full = bins === n ? dy : b.op("Pad", [dy, b.ints([0, 0, 0, 0, n - bins, 0])]);
  // Without an axis: in a value of rank 3 every version of DFT takes the middle one.
  const back = b.op("DFT", [full], { inverse: inverse ? 0 : 1 });
  return b.mul(back, inverse ? 1 / n : n);
}

/** [B, n, 2] as [B, length, channels]: cut or padded as the transform did; of a real signal only the first part counts. */
function asSignal(b: Backward, value: Value, n: number, length: number, channels: number): Value {
  const padded = length > n ? b.op("Pad", [value, b.ints([0, 0, 0, 0, length - n, 0])]) : value;
  if (length >= n && channels === 2) return padded;
  return b.slice(padded, [1, 2], [0, 0], [length, channels]);
}

/** The axis of a DFT, which is an attribute before opset 20 and an input after it. */
function dftAxis(b: Backward): number {
  const rank = b.shapeOf(0).length;
  const given = b.node.int("axis") ?? b.constantNumbers(2)?.[0];
  if (given === undefined && rank !== 3) {
    throw b.refusal("its axis is left out, which means another one in each version; write it down");
  }
  const axis = given ?? 1;
  return axis < 0 ? axis + rank : axis;
}

function dft(b: Backward): InputGradients {
  const { node } = b;
  const [from, to] = [b.outShape, b.shapeOf(0)];
  const inverse = node.int("inverse", 0) !== 0;
  const oneSided = node.int("onesided", 0) !== 0;
  if (inverse && oneSided) throw b.refusal("the inverse of half a spectrum has no rule; give it the whole one");
  const axis = dftAxis(b);
  const n = b.constantNumbers(1)?.[0] ?? to[axis]!;
  const rank = to.length;
  const rest = to.map((_, i) => i).filter((i) => i !== axis && i !== rank - 1);
  const perm = [...rest, axis, rank - 1];
  const batch = rest.reduce((product, i) => product * to[i]!, 1);
  const bins = from[axis]!;
  const rows = b.reshape(b.transpose(b.dy, perm), [batch, bins, 2]);
  const channels = to[rank - 1]!;
  const back = asSignal(b, transposed(b, rows, bins, n, inverse), n, to[axis]!, channels);
  const shape: Shape = perm.map((i) => to[i]!);
  return [
    b.transpose(
      b.reshape(back, shape),
      perm.map((_, i) => perm.indexOf(i)),
    ),
  ];
}

/** Frames of the signal, each times the window and transformed: transposed, times the window, and added up again. */
function stft(b: Backward): InputGradients {
  const [batch, , channels] = b.shapeOf(0) as [number, number, number];
  // ONNX Runtime 1.30 reads other numbers than the signal's there, so no rule could be checked.
  if (channels !== 1) throw b.refusal("its signal is complex; only a real one has a gradient rule");
  const [, frames, bins] = b.outShape as [number, number, number, number];
  const [step] = b.constantNumbers(1)!;
  const window = b.node.input(2);
  const size = window ? b.shapeOf(2)[0]! : b.constantNumbers(3)![0]!;
  const rows = b.reshape(b.dy, [batch * frames, bins, 2]);
  const parts = b.reshape(asSignal(b, transposed(b, rows, bins, size, false), size, size, 1), [batch, frames, size]);
  const places = Array.from({ length: frames * size }, (_, at) => Math.floor(at / size) * step! + (at % size));
  const toSignal = () => {
    const weighed = b.reshape(window ? b.mul(parts, window) : parts, [batch, frames * size, 1]);
    return addAlongAxis(b, b.ints(places), places.length, weighed, b.shapeOf(0), 1);
  };
  const toWindow = () => {
    const read = b.reshape(b.op("Gather", [b.input(0), b.ints(places)], { axis: 1 }), [batch, frames, size]);
    return b.sum(b.mul(read, parts), [0, 1]);
  };
  return [b.wants(0) ? toSignal() : null, null, window && b.wants(2) ? toWindow() : null];
}

export const signals = {
  DFT: dft,
  STFT: stft,
} satisfies Record<string, GradientRow>;
