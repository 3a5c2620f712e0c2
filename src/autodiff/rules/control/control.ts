/** If, Loop and Scan: the same node again, with bodies that compute what the forward ones did and then go back. */
import type { Value } from "../../../ir/inner.ts";
import type { Backward, GradientRow, InputGradients, Seed } from "../../rule.ts";
import { type BodyCopy, bodyOf, capturedOf, close, copyBody, floats } from "./body-copy.ts";
import { loop } from "./loop.ts";
import { scan } from "./scan.ts";

/** The same condition chooses the branch that goes back. */
function choice(b: Backward): InputGradients {
  const captured = capturedOf(b);
  const branch = (attribute: string) => {
    const copy = copyBody(b, attribute);
    const seeds = bodyOf(b.node, attribute)
      .outputs.map((output, i) => ({ value: copy.of(output), gradient: b.gradient(i) }))
      .filter((seed): seed is Seed => seed.gradient !== null);
    const found = b.differentiateBody(copy.graph, seeds, captured, copy.types);
    return close(
      copy,
      captured.map((value) => [orZeros(copy, found.get(value), b.shape(value)), floats(b.shape(value))]),
    );
  };
  const gradients = b.ops("If", captured.length, [b.input(0)], {
    then_branch: branch("then_branch"),
    else_branch: branch("else_branch"),
  });
  captured.forEach((value, i) => {
    b.give(value, gradients[i]!);
  });
  return [];
}

function orZeros({ e }: BodyCopy, value: Value | undefined, shape: readonly number[]): Value {
  return value ?? e.filled(shape, 0);
}

export const control = {
  If: choice,
  Loop: loop,
  Scan: scan,
  SequenceMap: { none: "it works on sequences element by element; a Loop or Scan over a tensor has a gradient" },
} satisfies Record<string, GradientRow>;
