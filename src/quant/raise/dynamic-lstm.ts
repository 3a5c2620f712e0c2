/** com.microsoft.DynamicQuantizeLSTM: W and R lie turned, [directions, inputs, 4 · hidden], with a scale for each direction or each column. */
import { recurrentInputs } from "../../facts/inner.ts";
import type { Graph, Node, Value } from "../../ir/inner.ts";
import { replaceNode } from "../../passes/inner.ts";
import { sizeOf, type Tensor } from "../../tensor/inner.ts";
import type { Granularity } from "../grids/encoding.ts";
import type { PlanEntry } from "../plan/plan.ts";
import { encodingOf, entryOf, floatsOf, nameOf } from "./float-weight.ts";

const { w, r } = recurrentInputs;

/** The entries of W and R of all such operators, which become LSTMs; those with computed weights or scales stay. */
export function raiseDynamicLstms(graph: Graph): PlanEntry[] {
  const entries: PlanEntry[] = [];
  for (const node of [...graph.nodes]) {
    if (node.op !== "DynamicQuantizeLSTM") continue;
    const found = [turnedBack(graph, node, w, 8), turnedBack(graph, node, r, 10)];
    if (found.some((one) => one === undefined)) continue;
    const inputs: (Value | null)[] = Array.from({ length: 8 }, (_, i) => node.input(i));
    inputs[w] = found[0]!.value;
    inputs[r] = found[1]!.value;
    replaceNode(node, { op: "LSTM", inputs, attributes: Object.fromEntries(node.attributes) });
    entries.push(found[0]!.entry, found[1]!.entry);
  }
  return entries;
}

function turnedBack(graph: Graph, node: Node, index: number, scaleAt: number) {
  const behind = node.input(index);
  const stored = behind?.producer?.op === "Cast" ? behind.producer.input(0) : behind;
  const [scale, zero] = [node.input(scaleAt)?.initializer, node.input(scaleAt + 1)?.initializer];
  const integers = stored?.initializer;
  if (!integers || !scale || !zero || integers.shape.length !== 3) return undefined;
  const [directions, columns, rows] = integers.shape as [number, number, number];
  const granularity = granularityOf(scale, directions, rows, columns);
  if (!granularity || sizeOf([directions, columns, rows]) !== integers.size) return undefined;
  const codes = integers.numbers();
  const turned = new Array<number>(codes.length);
  let next = 0;
  for (let d = 0; d < directions; d++)
    for (let row = 0; row < rows; row++)
      for (let column = 0; column < columns; column++) turned[next++] = codes[(d * columns + column) * rows + row]!;
  const encoding = encodingOf(granularity, integers.dtype, { numbers: [...scale.floats()] }, zero);
  const value = graph.addInitializer(
    nameOf(stored!, stored!.name),
    floatsOf(turned, [directions, rows, columns], encoding),
  );
  const entry: PlanEntry = { ...entryOf(value.name, "weight", encoding, node), storage: "dynamicquantizelstm" };
  return { value, entry };
}

/** Scales [directions] or [directions, 4 · hidden], as they lie over [directions, 4 · hidden, inputs]. */
function granularityOf(scale: Tensor, directions: number, rows: number, columns: number): Granularity | undefined {
  if (scale.size === 1 && directions === 1) return { kind: "tensor" };
  if (scale.size === directions) return { kind: "channel", axis: 0 };
  if (scale.size !== directions * rows) return undefined;
  return directions === 1 ? { kind: "channel", axis: 1 } : { kind: "block", axis: 2, size: columns, channelAxis: 1 };
}
