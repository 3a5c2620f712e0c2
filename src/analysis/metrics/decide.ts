/** The class that an output chooses at each pixel or position, for metrics with masks. */
import { AvocetError } from "../../base/inner.ts";
import { type Feeds, isFloat } from "../../tensor/inner.ts";
import { argmaxClasses, scoreLayout } from "../classes.ts";
import { decisionLayout } from "../decision-layout.ts";
import { judgedOutput, type MetricOptions } from "./metric.ts";

export interface Decided {
  /** By sample and position. */
  readonly classes: ArrayLike<number>;
  /** How many classes there are; null where the output holds class numbers itself. */
  readonly count: number | null;
  /** Positions of one sample. */
  readonly places: number;
}

/** `what` names the positions of a sample in the message of `data/wrong-shape`, which is thrown when their number is not that of the labels. */
export function decide(
  outputs: Feeds,
  { size, height, width }: { readonly size: number; readonly height: number; readonly width: number },
  { output, meaning }: MetricOptions,
  what: string,
  hint?: string,
): Decided {
  const places = height * width;
  const tensor = judgedOutput(outputs, output);
  const known = meaning?.kind === "scores" && meaning.sure ? decisionLayout(meaning, tensor.shape)?.layout : undefined;
  const layout = isFloat(tensor.dtype) ? (known ?? scoreLayout(tensor.shape, places)) : null;
  const classes = layout ? argmaxClasses(tensor, layout) : tensor.numbers();
  if (classes.length !== size * places) {
    throw new AvocetError(
      "data/wrong-shape",
      `expected scores for ${size} × ${what}, got [${tensor.shape.join(",")}]`,
      hint === undefined ? {} : { hint },
    );
  }
  return { classes, count: layout?.classes ?? null, places };
}
