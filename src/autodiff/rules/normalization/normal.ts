/** What all normalizations share: the normalized elements, and the gradient that flows through their statistics. */
import type { Value } from "../../../ir/inner.ts";
import type { Emitter } from "../../emitter.ts";

/** x̂ = (x − μ) / σ or x / σ, over the elements of some axes. */
export interface Normal {
  /** The normalized elements x̂. */
  readonly x: Value;
  /** 1 / σ, the axes kept with length one. */
  readonly inverse: Value;
  readonly axes: readonly number[];
  /** Whether the mean was taken off. */
  readonly centred: boolean;
}

/** x̂ = (x − μ) / √(σ² + ε); what the forward pass has computed of μ and 1 / σ is used. */
export function standardized(
  e: Emitter,
  x: Value,
  axes: readonly number[],
  epsilon: number,
  computed: { readonly mean?: Value | undefined; readonly inverse?: Value | undefined } = {},
): Normal {
  const centred = e.sub(x, computed.mean ?? e.mean(x, axes, true));
  const inverse = computed.inverse ?? inverseRoot(e, e.mean(e.square(centred), axes, true), epsilon);
  return { x: e.mul(centred, inverse), inverse, axes, centred: true };
}

/** x̂ = x / √(mean x² + ε) (Zhang and Sennrich, 2019). */
export function unitRoot(
  e: Emitter,
  x: Value,
  axes: readonly number[],
  epsilon: number,
  computed: Value | undefined = undefined,
): Normal {
  const inverse = computed ?? inverseRoot(e, e.mean(e.square(x), axes, true), epsilon);
  return { x: e.mul(x, inverse), inverse, axes, centred: false };
}

function inverseRoot(e: Emitter, value: Value, epsilon: number): Value {
  return e.op("Reciprocal", [e.op("Sqrt", [e.add(value, e.scalar(epsilon))])]);
}

/** dx = (g − mean g − x̂ · mean(g · x̂)) / σ from the gradient `g` of x̂; without a mean in x̂ there is none in g. */
export function normalInput(e: Emitter, { x, inverse, axes, centred }: Normal, g: Value): Value {
  const along = e.mul(x, e.mean(e.mul(g, x), axes, true));
  const share = centred ? e.add(e.mean(g, axes, true), along) : along;
  return e.mul(e.sub(g, share), inverse);
}
