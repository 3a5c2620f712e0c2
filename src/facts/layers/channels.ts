/** Which channels an element of a weight connects. */
import type { Layer, LayerAxes } from "./layer.ts";

/** For each element of the weight, the output and the input channel (over all groups) that it connects. */
export function channelsOf({ weight, axes }: Pick<Layer, "weight"> & { readonly axes: LayerAxes }): {
  output(i: number): number;
  input(i: number): number;
} {
  const { shape } = weight.tensor;
  const along = (axis: number) => {
    const stride = shape.slice(axis + 1).reduce((a, b) => a * b, 1);
    const length = shape[axis]!;
    return (i: number) => Math.floor(i / stride) % length;
  };
  const [output, input] = [along(axes.out), along(axes.in[0]!)];
  if (axes.groups === 1) return { output, input };
  // The first axis runs over all groups, the second over the channels of one.
  const perGroup = shape[0]! / axes.groups;
  const [first, second] = axes.out === 0 ? [output, input] : [input, output];
  const other = (i: number) => Math.floor(first(i) / perGroup) * shape[1]! + second(i);
  return axes.out === 0 ? { output, input: other } : { input, output: other };
}
