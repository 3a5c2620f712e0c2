/**
 * Clips behind scaled channels: min(max(x, lo), hi) of x / s has the bounds lo / s and hi / s, one for each channel. ReLU6
 * becomes a Relu and a Min with a constant, so that the convolution and its Relu stay one integer kernel. Where data shows
 * which channels ever reach the bound, one bound for those may do for all, or none.
 */
import { clipBounds } from "../../facts/inner.ts";
import { addNode, type Node, type TensorType, type Value } from "../../ir/inner.ts";
import { replaceConstant, replaceNode } from "../../passes/inner.ts";
import { type DType, floatTensor } from "../../tensor/inner.ts";
import type { TracedClip } from "./trace-groups.ts";

/** Whether all channels of a clip have one scale, so that it stays a Clip. */
export function hasOneScale({ layout }: TracedClip, scaleOf: (id: number) => number): boolean {
  const first = scaleOf(layout.ids[0]!);
  return layout.ids.every((id) => scaleOf(id) === first);
}

/**
 * Divides the bounds of a Clip; `maxima` are the largest numbers that reached each channel before scaling, where that is
 * known. Returns what became of it, for people.
 */
export function rescaleClip(
  clip: TracedClip,
  scaleOf: (id: number) => number,
  shapes: ReadonlyMap<string, TensorType>,
  maxima: Float64Array | undefined,
): string {
  const { node, layout } = clip;
  const { min, max } = clipBounds(node)!;
  const x = node.input(0)!;
  const dtype: DType = shapes.get(x.name)?.dtype ?? "float32";
  const setBound = (index: number, bound: number) =>
    replaceConstant(
      node.graph!,
      node,
      index,
      floatTensor(dtype, [], () => bound),
      `${node.output.name}.bound`,
    );
  if (hasOneScale(clip, scaleOf)) {
    const scale = scaleOf(layout.ids[0]!);
    if (Number.isFinite(min) && min !== 0) setBound(1, min / scale);
    if (Number.isFinite(max) && max !== 0) setBound(2, max / scale);
    return "one scale for all its channels";
  }
  const isReached = (i: number) => maxima === undefined || maxima.length !== layout.ids.length || maxima[i]! >= max;
  const reached = [...layout.ids.keys()].filter(isReached);
  if (min === 0 && reached.length === 0) {
    replaceNode(node, { op: "Relu", inputs: [x] });
    return `a plain Relu, because its input never reaches ${max} on the data`;
  }
  const shared = scaleOf(layout.ids[reached[0] ?? 0]!);
  const isShared = [...layout.ids.keys()].every((i) =>
    isReached(i) ? scaleOf(layout.ids[i]!) === shared : maxima![i]! / scaleOf(layout.ids[i]!) <= max / shared,
  );
  if (min === 0 && isShared) {
    setBound(2, max / shared);
    const others = layout.ids.length - reached.length;
    return `one bound still: ${others} of ${layout.ids.length} channels have scales of their own and never reach it on the data`;
  }
  const perChannel = (bound: number, name: string) =>
    node.graph!.addInitializer(
      `${node.output.name}.${name}`,
      floatTensor(dtype, layout.dims, (i) => bound / scaleOf(layout.ids[i]!)),
    );
  const lower = () => (min === 0 ? before(node, "Relu", [x]) : before(node, "Max", [x, perChannel(min, "min")]));
  const rectified = Number.isFinite(min) ? lower() : x;
  if (Number.isFinite(max)) replaceNode(node, { op: "Min", inputs: [rectified, perChannel(max, "max")] });
  else replaceNode(node, { op: "Identity", inputs: [rectified] });
  return "bounded per channel";
}

function before(node: Node, op: string, inputs: readonly Value[]): Value {
  const made = addNode(
    node.graph!,
    op,
    inputs,
    {},
    { output: `${node.output.name}.${op.toLowerCase()}`, place: { before: node } },
  );
  made.output.type = node.output.type;
  return made.output;
}
