/**
 * Loop backwards: a first Loop reports the carried values before every step and how many steps there were, a second one takes
 * them from the last to the first, computes each step again and goes back through it.
 */
import type { Value } from "../../../ir/inner.ts";
import { Tensor } from "../../../tensor/inner.ts";
import type { Backward, InputGradients, Seed } from "../../rule.ts";
import { bodyOf, close, copyBody, enterLike } from "./body-copy.ts";
import { type Arriving, carriedOf, enterArriving, initialArriving, stepBack } from "./carried.ts";

export function loop(b: Backward): InputGradients {
  const { node } = b;
  const body = bodyOf(node, "body");
  const count = body.inputs.length - 2;
  const stacked = body.outputs.slice(1 + count);
  const carried = carriedOf(b, body.inputs.slice(2), body.outputs.slice(1, 1 + count));
  const given = stacked.map((_, i) => i).filter((i) => b.gradient(count + i));

  const [steps, states] = statesBefore(b, count);
  const last = b.sub(steps, b.constant(Tensor.scalar(1, "int64")));
  const yes = Tensor.of("bool", [], Uint8Array.of(1));
  let going!: Value;
  let at!: Value;
  let arriving!: Arriving;
  const copy = copyBody(b, "body", (e) => {
    const [index, condition] = body.inputs.slice(0, 2).map((value) => enterLike(e, value));
    arriving = enterArriving(e, b, carried);
    going = condition!;
    at = e.sub(last, index!);
    return [at, e.constant(yes), ...states.map((all) => e.op("Gather", [all, at]))];
  });
  const seeds = given.map(
    (i): Seed => ({
      value: copy.of(stacked[i]!),
      gradient: copy.e.op("Gather", [b.gradient(count + i)!, at]),
    }),
  );
  const { leaving } = stepBack(b, copy, carried, arriving, seeds, []);
  const results = b.ops("Loop", leaving.length, [steps, b.constant(yes), ...initialArriving(b, carried)], {
    body: close(copy, [[going, undefined], ...leaving]),
  });
  const gradients: (Value | null)[] = node.inputs.map(() => null);
  carried.floats.forEach((i, k) => {
    gradients[2 + i] = results[k]!;
  });
  carried.captured.forEach((value, k) => {
    b.give(value, results[carried.floats.length + k]!);
  });
  return gradients;
}

/** How many steps there were, and the carried values before each of them, stacked. */
function statesBefore(b: Backward, count: number): readonly [Value, readonly Value[]] {
  const { node } = b;
  const body = bodyOf(node, "body");
  const copy = copyBody(b, "body", (e) => body.inputs.map((value) => enterLike(e, value)));
  const typed = (value: Value, like: Value) => [value, copy.types.get(like.name)] as const;
  const [index, , ...before] = body.inputs;
  const outputs = [
    typed(copy.of(body.outputs[0]!), body.inputs[1]!),
    ...before.map((value, i) => typed(copy.of(body.outputs[1 + i]!), value)),
    ...before.map((value) => typed(copy.of(value), value)),
    typed(copy.of(index!), index!),
  ];
  const results = b.ops("Loop", 2 * count + 1, node.inputs, { body: close(copy, outputs) });
  return [b.op("Size", [results[2 * count]!]), results.slice(count, 2 * count)];
}
