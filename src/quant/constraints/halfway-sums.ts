/**
 * Scales under which no sum ends half way between two steps of its grid. The integer kernels of ONNX Runtime for Add, Mul and
 * pooling multiply with rounded ratios of scales and add the zero point before they round; at exact ties, and only there, they
 * decide otherwise than the simulation, which rounds to the even integer and adds then: up to 3 % of the integers of one Add.
 *
 * a·s_a + b·s_b is a tie when its double is an odd multiple of s_y. Scales are n · 2^k with n odd; as long as the k of s_y is at
 * most those of s_a and s_b, the double counted in 2^k is even and every odd multiple of s_y is odd. A product adds the exponents
 * of its factors, a mean of N numbers takes away the twos in N. Enumerated for every operator in halfway-sums.test.ts.
 */

import { roundHalfAway } from "../../base/inner.ts";
import { onlyReader } from "../../facts/inner.ts";
import { type Model, type Node, staticShape, type Value } from "../../ir/inner.ts";
import type { Encoding } from "../grids/encoding.ts";
import { steps } from "../grids/grid.ts";
import { lowestBit, shortScale, shortScaleFrom } from "../grids/short-scale.ts";
import { entryAt } from "../plan/entry-at.ts";
import { entriesByValue, type Plan, type PlanEntry, withEntries, withTies } from "../plan/plan.ts";
import type { PlanContext } from "./constraint.ts";
import { withinClip } from "./fit-clip.ts";

/** One pass follows a residual stream to its end; values that share a scale with later ones (Concat) ask for more. */
const mostPasses = 8;

/**
 * The plan with the scales behind sums changed by an eighth at most, so that none ends half way. Only entries that ask for short
 * scales are changed, frozen ones never.
 */
export function withoutHalfwaySums(plan: Plan, { model, shapes }: PlanContext): Plan {
  const scales = new SharedScales(plan, model);
  for (let pass = 0, more = true; more && pass < mostPasses; pass++) {
    more = false;
    for (const node of model.graph.nodes) {
      const operands = operandsOf(node).map((value) => scales.headAt(value));
      const output = scales.headAt(quantizedOutput(node, scales));
      if (!output || operands.length === 0 || !operands.every((head) => head !== undefined)) continue;
      const exponents = operands.map((head) => lowestBit(scales.of(head).scale[0]!));
      const most = highestExponent(node, exponents, shapes);
      if (most === undefined) continue;
      // A mean on the grid of its numbers cannot have a lower bit than they have; at an even zero point both round alike.
      const next = operands.includes(output) && node.op !== "Add" ? atEvenZero : onExponent;
      // The first pass also takes bits away that a sum does not need.
      const settled = (encoding: Encoding) =>
        (pass > 0 || output.shortScale === "coarse") && next === onExponent && lowestBit(encoding.scale[0]!) <= most;
      const changed = scales.change(output, (encoding) =>
        settled(encoding) ? encoding : next(encoding, most, scales.producerOf(output)),
      );
      if (changed) more = true;
    }
  }
  return scales.plan();
}

/** Encodings of a plan by the entry that decides them: tied values follow it. */
class SharedScales {
  readonly #plan: Plan;
  readonly #entries: ReadonlyMap<string, PlanEntry>;
  readonly #values: ReadonlyMap<string, Value>;
  readonly #changed = new Map<PlanEntry, Encoding>();

  constructor(plan: Plan, model: Model) {
    this.#plan = plan;
    this.#entries = entriesByValue(plan);
    this.#values = model.graph.valuesByName();
  }

  has(value: Value): boolean {
    return this.#entries.has(value.name);
  }

  /** The deciding entry of a value with one scale; undefined in float. */
  headAt(value: Value | null): PlanEntry | undefined {
    const entry = entryAt(value, this.#entries);
    const head = entry?.sharesEncodingOf === undefined ? entry : this.#entries.get(entry.sharesEncodingOf);
    return head?.encoding?.scale.length === 1 && head.encoding.scale[0]! > 0 ? head : undefined;
  }

  producerOf(head: PlanEntry): Node | null {
    return this.#values.get(head.value)?.producer ?? null;
  }

  of(head: PlanEntry): Encoding {
    return this.#changed.get(head) ?? head.encoding!;
  }

  /** Whether the entry took another encoding. */
  change(head: PlanEntry, next: (encoding: Encoding) => Encoding): boolean {
    if (!head.shortScale || head.frozen || head.kind !== "activation") return false;
    const encoding = next(this.of(head));
    if (encoding === this.of(head)) return false;
    this.#changed.set(head, encoding);
    return true;
  }

  plan(): Plan {
    const heads = [...this.#changed].map(([head, encoding]) => [head.value, { ...head, encoding }] as const);
    return withTies(withEntries(this.#plan, new Map(heads)));
  }
}

/** What a node sums or multiplies on integers; empty for other operators. */
function operandsOf(node: Node): readonly (Value | null)[] {
  if (node.domain !== "") return [];
  if (node.op === "Add" || node.op === "Mul") return [node.input(0), node.input(1)];
  if (node.op === "AveragePool" || node.op === "GlobalAveragePool") return [node.input(0)];
  return [];
}

/** The value behind the node that has an entry, past an activation function that runs with it. */
function quantizedOutput(node: Node, scales: SharedScales): Value | null {
  let value = node.output;
  for (let next = onlyReader(value); !scales.has(value) && next; next = onlyReader(value)) {
    if (next.op !== "Relu" && next.op !== "Clip") return null;
    value = next.output;
  }
  return value;
}

/** The highest exponent of the output's lowest bit under which the node has no ties. */
function highestExponent(node: Node, exponents: readonly number[], shapes: PlanContext["shapes"]): number | undefined {
  if (node.op === "Add") return Math.min(...exponents);
  if (node.op === "Mul") return exponents[0]! + exponents[1]!;
  const twos = twosOfMean(node, shapes);
  return twos === undefined ? undefined : exponents[0]! - twos;
}

/** How often 2 divides the count of numbers in a mean; at most, where windows at the edge hold fewer. */
function twosOfMean(node: Node, shapes: PlanContext["shapes"]): number | undefined {
  const input = node.input(0)!;
  const lengths =
    node.op === "AveragePool"
      ? node.ints("kernel_shape")
      : (staticShape(shapes?.get(input.name)) ?? staticShape(input.type))?.slice(2);
  if (!lengths) return undefined;
  const cut = node.op === "AveragePool" && (node.int("ceil_mode", 0) === 1 || node.int("count_include_pad", 0) === 0);
  return lengths.reduce((sum, length) => sum + (cut ? Math.floor(Math.log2(length)) : twosOf(length)), 0);
}

function twosOf(count: number): number {
  return count > 0 ? lowestBit(count) : 0;
}

function onExponent(encoding: Encoding, most: number, producer: Node | null): Encoding {
  const [scale] = encoding.scale as [number];
  const above = rescaled(encoding, shortScaleFrom(scale, most));
  return withinClip(above, producer, true) === above ? above : rescaled(encoding, shortScaleFrom(scale, most, true));
}

/** The same range, nearly, with another scale. */
function rescaled(encoding: Encoding, scale: number): Encoding {
  if (scale === encoding.scale[0]) return encoding;
  if (encoding.symmetric) return { ...encoding, scale: [scale] };
  const offset = roundHalfAway((encoding.offset[0]! * encoding.scale[0]!) / scale);
  return { ...encoding, scale: [scale], offset: [Math.max(offset, -steps(encoding.grid)) + 0] };
}

/** A grid that covers what the encoding covers, with an even offset. */
function atEvenZero(encoding: Encoding): Encoding {
  const [scale, offset] = [encoding.scale[0]!, encoding.offset[0]!];
  if (offset % 2 === 0) return encoding;
  const most = steps(encoding.grid);
  const wider = shortScale((scale * most) / (most - 2));
  return { ...encoding, scale: [wider], offset: [2 * Math.floor((offset * scale) / wider / 2)] };
}
