/**
 * Weight scales that are too small for integer arithmetic are enlarged, as AIMET does after every calibration: the int32
 * bias must not overflow, the factor that turns the accumulator into the output must not underflow, and neither must the
 * bias with the output's offset folded in. Channels without weights worth mentioning are the ones that need it.
 */
import type { Model, Node, Value } from "../ir/index.ts";
import { rowOf } from "../ops/index.ts";
import { type Encoding, isIntGrid } from "./encoding.ts";
import { constantOf, keepsGrid } from "./facts.ts";
import { entriesByValue, type Plan, type PlanEntry, withEntries } from "./plan.ts";
import { shortScale } from "./short-scale.ts";

/** A bias stays below this, a little less than 2³¹, so that float32 rounding cannot push it over. */
const largestBias = 2 ** 31 - 2 ** 15;
/** Requantization factors at or below 2^−24 are misread by Hexagon's kernels; half a power of two is the margin. */
const leastRequantization = 2 ** -23.5;

/**
 * The plan with the weight scales of Conv, ConvTranspose, Gemm and MatMul enlarged where a channel needs it. Frozen
 * entries, blocks and layers without an integer input stay as they are; biases must be encoded after this.
 */
export function protectWeightScales(plan: Plan, model: Model): Plan {
  const entries = entriesByValue(plan);
  const changed = new Map<string, PlanEntry>();
  for (const node of model.graph.nodes) {
    const role = node.domain === "" ? rowOf(node)?.linear : undefined;
    const name = role && node.input(role.weight)?.name;
    const entry = name === undefined ? undefined : (changed.get(name) ?? entries.get(name));
    const input = encodingOf(node.input(0), entries);
    if (!role || !entry?.encoding || entry.frozen || entry.granularity.kind === "block" || !input) continue;
    if (!isIntGrid(entry.grid) || input.scale.length !== 1) continue;
    const bias = role.bias === null ? undefined : constantOf(node.input(role.bias))?.numbers();
    const output = encodingOf(node.output, entries);
    const safe = safeScales(entry.encoding.scale, bias, input, output);
    const scale = safe.map((s, i) => (entry.shortScale && s !== entry.encoding!.scale[i] ? shortScale(s) : s));
    if (scale.some((s, i) => s !== entry.encoding!.scale[i])) {
      changed.set(entry.value, { ...entry, encoding: { ...entry.encoding, scale } });
    }
  }
  return withEntries(plan, changed);
}

/** Each scale, enlarged as far as its channel needs; a scale per tensor follows the worst channel. */
function safeScales(
  scales: readonly number[],
  bias: readonly number[] | undefined,
  input: Encoding,
  output: Encoding | undefined,
): number[] {
  const x = input.scale[0]!;
  const y = output?.scale.length === 1 ? output.scale[0]! : null;
  // A grouped ConvTranspose repeats its channels' scales over the groups.
  const biasesOf = (channel: number): readonly number[] => {
    if (!bias) return [0];
    const own: number[] = [];
    for (let i = channel; i < bias.length; i += scales.length) own.push(bias[i]!);
    return own;
  };
  return scales.map((scale, channel) => {
    const own = biasesOf(channel);
    const holding = (values: readonly number[], s: number) =>
      values.reduce((least, b) => Math.max(least, Math.abs(b) / (largestBias * x)), s);
    let safe = holding(own, scale);
    if (y === null) return safe;
    safe = Math.max(safe, (leastRequantization * y) / x);
    const step = x * safe;
    const zero = Math.round((output!.offset[0]! * y) / step);
    return holding(
      own.map((b) => (Math.round(b / step) + zero) * step),
      safe,
    );
  });
}

/** The encoding that holds for a value: its own, or that of what it was moved from. */
function encodingOf(value: Value | null, entries: ReadonlyMap<string, PlanEntry>): Encoding | undefined {
  if (!value) return undefined;
  const entry = entries.get(value.name);
  if (entry) return isIntGrid(entry.grid) ? entry.encoding : undefined;
  const source: Node | null = value.producer;
  return source && keepsGrid(source) ? encodingOf(source.input(0), entries) : undefined;
}
