/**
 * Scan backwards: a first Scan reports the carried values before every step, a second one goes through the steps from the
 * last to the first, computes each again and goes back through it.
 */
import type { Value } from "../../../ir/inner.ts";
import type { Backward, InputGradients, Seed } from "../../rule.ts";
import { bodyOf, close, copyBody, enterLike, floats, isFloat } from "./body-copy.ts";
import { carriedOf, enterArriving, initialArriving, shapeIn, stepBack } from "./carried.ts";

export function scan(b: Backward): InputGradients {
  const { node } = b;
  const body = bodyOf(node, "body");
  const elements = node.int("num_scan_inputs", 0);
  const count = body.inputs.length - elements;
  const stacked = body.outputs.slice(count);
  const list = (name: string, length: number) =>
    node.ints(
      name,
      Array.from({ length }, () => 0),
    );
  const inputAxes = list("scan_input_axes", elements);
  const inputDirections = list("scan_input_directions", elements);
  const outputAxes = list("scan_output_axes", stacked.length);
  const outputDirections = list("scan_output_directions", stacked.length);
  const carried = carriedOf(b, body.inputs.slice(0, count), body.outputs.slice(0, count));
  const { types } = carried;
  const read = body.inputs.slice(count);
  const wanted = read.flatMap((value, i) => (b.wants(count + i) && isFloat(types, value) ? [i] : []));
  const given = stacked.flatMap((_, i) => (b.gradient(count + i) ? [i] : []));

  const states = count === 0 ? [] : statesBefore(b, count, elements);
  let arriving = { gradients: [] as readonly Value[], sums: [] as readonly Value[] };
  let outputs: readonly Value[] = [];
  const copy = copyBody(b, "body", (e) => {
    arriving = enterArriving(e, b, carried);
    const entered = body.inputs.map((value) => enterLike(e, value));
    outputs = given.map((i) => e.graph.addInput(e.graph.names.spare("d_given"), floats(shapeIn(types, stacked[i]!))));
    return entered;
  });
  const seeds = given.map((i, k): Seed => ({ value: copy.of(stacked[i]!), gradient: outputs[k]! }));
  const back = stepBack(
    b,
    copy,
    carried,
    arriving,
    seeds,
    wanted.map((i) => read[i]!),
  );
  const apart = wanted.map((i, k) => {
    const shape = shapeIn(types, read[i]!);
    return [back.more[k] ?? copy.e.filled(shape, 0), floats(shape)] as const;
  });
  const inputs = [
    ...initialArriving(b, carried),
    ...states,
    ...node.inputs.slice(count),
    ...given.map((i) => b.gradient(count + i)!),
  ];
  const opposite = (direction: number) => 1 - direction;
  const zeros = states.map(() => 0);
  const results = b.ops("Scan", back.leaving.length + apart.length, inputs, {
    body: close(copy, [...back.leaving, ...apart]),
    num_scan_inputs: states.length + elements + given.length,
    scan_input_axes: [...zeros, ...inputAxes, ...given.map((i) => outputAxes[i]!)],
    scan_input_directions: [
      ...zeros.map(opposite),
      ...inputDirections.map(opposite),
      ...given.map((i) => opposite(outputDirections[i]!)),
    ],
    scan_output_axes: wanted.map((i) => inputAxes[i]!),
    scan_output_directions: wanted.map((i) => opposite(inputDirections[i]!)),
  });
  const gradients: (Value | null)[] = node.inputs.map(() => null);
  carried.floats.forEach((i, k) => {
    gradients[i] = results[k]!;
  });
  carried.captured.forEach((value, k) => {
    b.give(value, results[carried.floats.length + k]!);
  });
  wanted.forEach((i, k) => {
    gradients[count + i] = results[back.leaving.length + k]!;
  });
  return gradients;
}

/** The carried values before each step, stacked in the order of the steps. */
function statesBefore(b: Backward, count: number, elements: number): readonly Value[] {
  const { node } = b;
  const body = bodyOf(node, "body");
  const copy = copyBody(b, "body", (e) => body.inputs.map((value) => enterLike(e, value)));
  const typed = (value: Value, like: Value) => [value, copy.types.get(like.name)] as const;
  const before = body.inputs.slice(0, count);
  const after = before.map((value, i) => typed(copy.of(body.outputs[i]!), value));
  const kept = Object.fromEntries(
    ["scan_input_axes", "scan_input_directions"].flatMap((name) => {
      const found = node.attributes.get(name);
      return found ? [[name, found]] : [];
    }),
  );
  const results = b.ops("Scan", 2 * count, node.inputs, {
    ...kept,
    body: close(copy, [...after, ...before.map((value) => typed(copy.of(value), value))]),
    num_scan_inputs: elements,
  });
  return results.slice(count);
}
