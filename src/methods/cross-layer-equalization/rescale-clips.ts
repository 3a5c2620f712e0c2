/**
 * Clips behind scaled channels: min(max(x, lo), hi) of x / s has the bounds lo / s and hi / s, one for each channel. ReLU6
 * becomes a Relu and a Min with a constant, so that the convolution and its Relu stay one integer kernel; the Min goes
 * where data shows that its bound is never reached.
 */
import type { Dataset } from "../../data/index.ts";
import { addNode, type Model, type Node, type TensorType, type Value } from "../../ir/index.ts";
import { floatTensor, replaceConstant, replaceNode } from "../../passes/index.ts";
import { openTaps, overall } from "../../runtime/index.ts";
import type { DType } from "../../tensor/index.ts";
import { clipBounds } from "../clip-bounds.ts";
import type { PreparationContext } from "../method.ts";
import type { TracedClip } from "./trace-groups.ts";

/** The largest number that each of these values takes on the data, by name. */
export async function observedMaxima(
  model: Model,
  values: readonly Value[],
  data: Dataset,
  context: PreparationContext,
): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  if (values.length === 0) return found;
  const reductions = new Map(values.map((value) => [value.name, overall("ReduceMax")]));
  await using taps = await openTaps(model, context.runtime, { reductions });
  const { signal, onProgress, batch } = context;
  for await (const { reduced } of taps.stream(data, {
    step: "equalize",
    signal,
    onProgress,
    ...(batch ? { batch } : {}),
  })) {
    for (const [name, [max]] of reduced) {
      found.set(name, Math.max(found.get(name) ?? Number.NEGATIVE_INFINITY, max!.floats()[0]!));
    }
  }
  return found;
}

/** Whether all channels of a clip have one scale, so that it stays a Clip. */
export function hasOneScale({ layout }: TracedClip, scaleOf: (id: number) => number): boolean {
  const first = scaleOf(layout.ids[0]!);
  return layout.ids.every((id) => scaleOf(id) === first);
}

/** Divides the bounds of a Clip; `seen` is the largest number that reached it before scaling, if that is known. */
export function rescaleClip(
  { node, layout }: TracedClip,
  scaleOf: (id: number) => number,
  shapes: ReadonlyMap<string, TensorType>,
  seen: number | undefined,
): "clip" | "relu" | "bounded" {
  const graph = node.graph!;
  const { min, max } = clipBounds(node)!;
  const x = node.input(0)!;
  const dtype: DType = shapes.get(x.name)?.dtype ?? "float32";
  if (hasOneScale({ node, layout }, scaleOf)) {
    const scale = scaleOf(layout.ids[0]!);
    for (const [index, bound] of [min, max].entries()) {
      if (!Number.isFinite(bound) || bound === 0) continue;
      replaceConstant(
        graph,
        node,
        index + 1,
        floatTensor(dtype, [], () => bound / scale),
        `${node.output.name}.bound`,
      );
    }
    return "clip";
  }
  const isReached = Number.isFinite(max) && !(min === 0 && seen !== undefined && seen < max);
  const perChannel = (bound: number, name: string) =>
    graph.addInitializer(
      `${node.output.name}.${name}`,
      floatTensor(dtype, layout.dims, (i) => bound / scaleOf(layout.ids[i]!)),
    );
  if (!isReached && min === 0) {
    replaceNode(node, { op: "Relu", inputs: [x] });
    return "relu";
  }
  const below =
    min === 0 ? before(node, "Relu", [x]) : Number.isFinite(min) ? before(node, "Max", [x, perChannel(min, "min")]) : x;
  if (Number.isFinite(max)) replaceNode(node, { op: "Min", inputs: [below, perChannel(max, "max")] });
  else replaceNode(node, { op: "Identity", inputs: [below] });
  return "bounded";
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
