/**
 * Half precision for what no quantizer is for: which operators must stay in float32 because their numbers do not fit. Ranges are observed on
 * the calibration data; without data the constants alone are judged, as the file is written.
 */
import { type Dataset, samples } from "../data/inner.ts";
import type { Model, Node } from "../ir/inner.ts";
import { halfRefusal, type Lowered, type NotQuantized, type Plan } from "../quant/inner.ts";
import { openTaps, overall, type Runtime } from "../runtime/inner.ts";
import type { QuantizeOptions } from "./quantize-options.ts";
import type { StepReport } from "./quantized.ts";
import type { Shapes } from "./ranging.ts";

/** Samples that are looked at: largest and least numbers of a value change little after that. */
const most = 100;

/** The plan with the operators that stay in float32: those that it names, and those next to numbers that do not fit. */
export async function withHalfRanges(
  plan: Plan,
  model: Model,
  shapes: Shapes,
  data: Dataset | null,
  runtime: Runtime,
  { threads, signal, onProgress }: QuantizeOptions,
): Promise<Plan> {
  if (!plan.half || !data) return plan;
  const values = [...model.graph.values()].filter(
    (value) =>
      !value.initializer && shapes.get(value.name)?.dtype === "float32" && !shapes.get(value.name)?.shape?.includes(0),
  );
  const reduction = overall("ReduceMin", "ReduceMax");
  const reductions = new Map(values.map(({ name }) => [name, reduction]));
  const largest = new Map<string, number>();
  if (values.length > 0) {
    await using taps = await openTaps(model, runtime, { reductions, ...(threads ? { session: { threads } } : {}) });
    for await (const { reduced } of taps.stream(samples(data, most), { step: "half precision", signal, onProgress }))
      for (const [name, ends] of reduced)
        for (const end of ends) largest.set(name, worse(largest.get(name) ?? 0, Math.abs(end.floats()[0]!)));
  }
  const float = new Map(plan.half.float.map((one) => [one.value, one]));
  for (const value of values) {
    const refused = halfRefusal(largest.get(value.name) ?? 0);
    if (refused === undefined) continue;
    const nodes = [...(value.producer ? [value.producer] : []), ...value.consumers()];
    for (const node of nodes.filter((one) => one.graph === model.graph))
      if (!float.has(node.output.name)) float.set(node.output.name, leftOf(node, `${value.name} ${refused}`));
  }
  return { ...plan, half: { ...plan.half, float: [...float.values()] } };
}

function leftOf(node: Node, reason: string): NotQuantized {
  return { value: node.output.name, reason };
}

/** NaN is worse than anything. */
function worse(a: number, b: number): number {
  return Number.isNaN(a) || Number.isNaN(b) ? Number.NaN : Math.max(a, b);
}

/** What became of the operators, as a step of the run. */
export function halfReport({ half }: Pick<Lowered, "half">, seconds: number): StepReport[] {
  if (!half) return [];
  const notes = half.float.map(({ value, reason }) => `${value} stays in float32: ${reason}`);
  return [{ step: "half-precision", edits: half.nodes, seconds, notes }];
}
