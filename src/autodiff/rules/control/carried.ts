/** What Loop and Scan have in common: values that go from step to step, and what one step back does with their gradients. */
import type { TensorType, Value } from "../../../ir/inner.ts";
import type { Shape } from "../../../tensor/inner.ts";
import { bodyTypes } from "../../body-types.ts";
import type { Emitter } from "../../emitter.ts";
import type { Backward, Seed } from "../../rule.ts";
import { type BodyCopy, capturedOf, floats, isFloat } from "./body-copy.ts";

/** The carried values of a node: body inputs from `first` on, as many as there are; body outputs from `firstOut` on. */
export interface Carried {
  /** The inputs of the original body that are carried, and what they become. */
  readonly before: readonly Value[];
  readonly after: readonly Value[];
  /** Which of them are floats, by their place. */
  readonly floats: readonly number[];
  readonly captured: readonly Value[];
  readonly types: ReadonlyMap<string, TensorType>;
}

export function carriedOf(b: Backward, before: readonly Value[], after: readonly Value[]): Carried {
  const types = bodyTypes(b.types, b.node, "body");
  before.forEach((value, i) => {
    const [from, to] = [types.get(value.name)?.shape, types.get(after[i]!.name)?.shape];
    if (!from || !to) throw b.refusal("the types inside its body are not known; traceTypes tells them");
    if (from.join() !== to.join()) throw b.refusal(`${value.name} changes its shape from step to step`);
  });
  const places = before.flatMap((value, i) => (isFloat(types, value) ? [i] : []));
  return { before, after, floats: places, captured: capturedOf(b), types };
}

export function shapeIn(types: ReadonlyMap<string, TensorType>, value: Value): Shape {
  return types.get(value.name)!.shape as Shape;
}

/** The gradients that come into a step from behind: of the float values, and the sums for captured ones so far. */
export interface Arriving {
  readonly gradients: readonly Value[];
  readonly sums: readonly Value[];
}

/** Body inputs for these. */
export function enterArriving(e: Emitter, b: Backward, { before, floats: places, captured, types }: Carried): Arriving {
  const input = (shape: Shape, hint: string) => e.graph.addInput(e.graph.names.spare(hint), floats(shape));
  return {
    gradients: places.map((i) => input(shapeIn(types, before[i]!), "d_carried")),
    sums: captured.map((value) => input(b.shape(value), "d_captured")),
  };
}

/** What arrives at the last step: the gradients of the final values, and zeros. */
export function initialArriving(b: Backward, { before, floats: places, captured, types }: Carried): Value[] {
  return [
    ...places.map((i) => b.gradient(i) ?? b.filled(shapeIn(types, before[i]!), 0)),
    ...captured.map((value) => b.filled(b.shape(value), 0)),
  ];
}

/** Goes back through one step. Returns what the step before gets, and the gradients of `more` (null where nothing flows). */
export function stepBack(
  b: Backward,
  copy: BodyCopy,
  carried: Carried,
  arriving: Arriving,
  outputs: readonly Seed[],
  more: readonly Value[],
): { readonly leaving: (readonly [Value, TensorType])[]; readonly more: (Value | null)[] } {
  const { before, after, floats: places, captured, types } = carried;
  const seeds = places.map((i, k) => ({ value: copy.of(after[i]!), gradient: arriving.gradients[k]! }));
  const own = (value: Value) => copy.of(value);
  const wrt = [...places.map((i) => own(before[i]!)), ...more.map(own), ...captured];
  const found = b.differentiateBody(copy.graph, [...seeds, ...outputs], wrt, copy.types);
  const { e } = copy;
  const leaving = [
    ...places.map((i) => {
      const shape = shapeIn(types, before[i]!);
      return [found.get(own(before[i]!)) ?? e.filled(shape, 0), floats(shape)] as const;
    }),
    ...captured.map((value, k) => {
      const gradient = found.get(value);
      return [gradient ? e.add(arriving.sums[k]!, gradient) : arriving.sums[k]!, floats(b.shape(value))] as const;
    }),
  ];
  return { leaving, more: more.map((value) => found.get(own(value)) ?? null) };
}
