/** Complex numbers, kept as real and imaginary tensors, and the Fourier transforms of real signals. */
import type { Dim } from "../../../ir/inner.ts";
import { concat, unsqueeze } from "../../channels-last/axes.ts";
import { elementwise, unary } from "../../channels-last/elementwise.ts";
import type { Emitter } from "../../channels-last/emitter.ts";
import { pad } from "../../channels-last/pad.ts";
import { reversed } from "../../channels-last/rearrange.ts";
import { slice } from "../../channels-last/slice.ts";
import type { Term } from "../../channels-last/term.ts";
import type { Call, Family } from "../call.ts";
import type { Complex } from "../slots.ts";
import { arcTangent } from "./angle.ts";

const square = (e: Emitter, x: Term) => elementwise(e, "Mul", [x, x]);

/** The last axis cut or filled with zeros to this length. */
function fitted(e: Emitter, x: Term, length: number): Term {
  const axis = x.shape.length - 1;
  const now = x.shape[axis];
  if (now === length) return x;
  if (typeof now !== "number") throw e.fail("expected a signal of known length");
  if (now > length) return slice(e, x, [{ axis, start: 0, end: length, step: 1 }]);
  return pad(
    e,
    x,
    x.shape.map((_, i) => [0, i === axis ? length - now : 0] as const),
  );
}

/** The spectrum of a real signal, without the half that mirrors it. */
function rfft(call: Call): Complex {
  const { e } = call;
  const length = lengthOf(call);
  const x = fitted(e, call.term(0), length);
  const bins = Math.floor(length / 2) + 1;
  const signal = e.value(unsqueeze(e, x, [x.shape.length]));
  const axis = e.value(e.numbers(x.shape.length - 1));
  const node = e.node("DFT", [signal, null, axis], { onesided: 1 });
  return parts(e, e.term(node.output, x.dtype, [...x.shape.slice(0, -1), bins, 2]));
}

/** The real signal of half a spectrum; the other half is its mirror image, conjugated. */
function irfft(call: Call): Term {
  const { e } = call;
  const length = lengthOf(call);
  const { re, im } = spread(e, call.complex(0));
  const bins = Math.floor(length / 2) + 1;
  const whole = (part: Term, sign: 1 | -1): Term => {
    const half = fitted(e, part, bins);
    const axis = half.shape.length - 1;
    const inner = slice(e, half, [{ axis, start: 1, end: length - bins + 1, step: 1 }]);
    const mirrored = reversed(e, inner, [axis]);
    return concat(e, [half, sign === 1 ? mirrored : unary(e, "Neg", mirrored)], axis);
  };
  const [real, imaginary] = [whole(re, 1), whole(im, -1)];
  const rank = real.shape.length;
  const spectrum = concat(e, [unsqueeze(e, real, [rank]), unsqueeze(e, imaginary, [rank])], rank);
  const node = e.node("DFT", [e.value(spectrum), null, e.value(e.numbers(rank - 1))], { inverse: 1 });
  return parts(e, e.term(node.output, real.dtype, [...real.shape.slice(0, -1), length, 2])).re;
}

/** Both parts in one shape: a part that is zero everywhere may be short. */
function spread(e: Emitter, { re, im }: Complex): Complex {
  const wide = (part: Term, other: Term): Term => {
    if (part.shape.every((dim, axis) => dim !== null && dim === other.shape[axis])) return part;
    return elementwise(e, "Add", [part, elementwise(e, "Mul", [other, e.numbers(0, other.dtype)])]);
  };
  return { kind: "complex", re: wide(re, im), im: wide(im, re) };
}

function lengthOf(call: Call): number {
  const length = call.number(1, "a length");
  if (Number.isSafeInteger(length) && length >= 2 && length <= 2 ** 20) return length;
  throw call.e.broken(`expected a length of a transform, got ${length}`);
}

/** […, 2] as real and imaginary part. */
function parts(e: Emitter, x: Term): Complex {
  const axis = x.shape.length - 1;
  const part = (index: number): Term => {
    const node = e.node("Gather", [e.value(x), e.value(e.numbers(index))], { axis });
    return e.term(node.output, x.dtype, x.shape.slice(0, -1) as Dim[]);
  };
  return { kind: "complex", re: part(0), im: part(1) };
}

export const complexRows: Family = {
  RFFT: { emit: rfft },
  IRFFT: { emit: irfft },
  Complex: { emit: (call) => ({ kind: "complex", re: call.term(0), im: call.term(1) }) },
  Real: { emit: (call) => spread(call.e, call.complex(0)).re },
  Imag: { emit: (call) => spread(call.e, call.complex(0)).im },
  Conj: {
    emit: (call) => {
      const { re, im } = call.complex(0);
      return { kind: "complex", re, im: unary(call.e, "Neg", im) };
    },
  },
  ComplexAbs: {
    emit: (call) => {
      const { e } = call;
      const { re, im } = call.complex(0);
      return unary(e, "Sqrt", elementwise(e, "Add", [square(e, re), square(e, im)]));
    },
  },
  Angle: { emit: (call) => arcTangent(call.e, call.complex(0).im, call.complex(0).re) },
};

/** e to a complex power: e^re in the direction of im. */
export function complexExp(e: Emitter, { re, im }: Complex): Complex {
  const isZero = re.content?.every((v) => v === 0);
  const size = isZero ? undefined : unary(e, "Exp", re);
  const turned = (op: "Cos" | "Sin") => (size ? elementwise(e, "Mul", [size, unary(e, op, im)]) : unary(e, op, im));
  return { kind: "complex", re: turned("Cos"), im: turned("Sin") };
}

/** A complex product; factors that are known to be zero are left out. */
export function complexProduct(e: Emitter, a: Complex, b: Complex): Complex {
  const zero = (x: Term) => x.content?.every((v) => v === 0) ?? false;
  const product = (x: Term, y: Term) => (zero(x) || zero(y) ? undefined : elementwise(e, "Mul", [x, y]));
  const combined = (op: "Add" | "Sub", x: Term | undefined, y: Term | undefined): Term => {
    if (x && y) return elementwise(e, op, [x, y]);
    if (x) return x;
    if (y) return op === "Add" ? y : unary(e, "Neg", y);
    return e.numbers(
      [0],
      a.re.dtype,
      a.re.shape.map(() => 1),
    );
  };
  return {
    kind: "complex",
    re: combined("Sub", product(a.re, b.re), product(a.im, b.im)),
    im: combined("Add", product(a.re, b.im), product(a.im, b.re)),
  };
}
