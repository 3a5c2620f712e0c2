/** The table: one row per operator, made of the generated schema and the hand-written semantics. */
import type { Node } from "../ir/inner.ts";
import { contrib } from "./contrib.ts";
import { activations, arithmetic, logic, quantizers } from "./elementwise.ts";
import { linear } from "./linear.ts";
import { movement, placement, sources } from "./movement.ts";
import { normalizations } from "./normalization.ts";
import { alongAxis, losses, pooling, reductions } from "./reduction.ts";
import type { AttributeFacts, OpRow, OpSchema, Semantics } from "./row.ts";
import { type ContribOp, contribSchemas, type StandardOp, standardSchemas } from "./schema.generated.ts";
import { attention, containers, control, images, recurrent, signals, strings } from "./sequence.ts";

/** Every operator that Avocet knows: "Conv", and "com.microsoft.FusedConv" outside the standard domain. */
export type OpType = StandardOp | ContribOp;

/** The standard operators by family, in the order of docs/operators.md. */
export const families = {
  "convolutions and matrix products": linear,
  activations,
  arithmetic,
  "comparison and logic": logic,
  pooling,
  reductions,
  "along an axis": alongAxis,
  normalization: normalizations,
  attention,
  recurrence: recurrent,
  "data movement": movement,
  places: placement,
  sources,
  quantization: quantizers,
  "control flow": control,
  "sequences and optionals": containers,
  losses,
  signals,
  images,
  strings,
} as const satisfies Record<string, Readonly<Record<string, Semantics>>>;

// The annotation makes the table total: a standard operator without a row does not compile.
const semantics: Readonly<Record<OpType, Semantics>> = {
  ...linear,
  ...activations,
  ...arithmetic,
  ...logic,
  ...pooling,
  ...reductions,
  ...alongAxis,
  ...normalizations,
  ...attention,
  ...recurrent,
  ...movement,
  ...placement,
  ...sources,
  ...quantizers,
  ...control,
  ...containers,
  ...losses,
  ...signals,
  ...images,
  ...strings,
  ...contrib,
};

const schemas: Readonly<Record<OpType, OpSchema>> = { ...standardSchemas, ...contribSchemas };

/** The rows by operator name. */
export const ops: Readonly<Record<OpType, OpRow>> = Object.fromEntries(
  (Object.keys(schemas) as OpType[]).map((name) => [name, { ...schemas[name], ...semantics[name] }]),
) as Record<OpType, OpRow>;

/** Whether this name, as `node.opName` spells it, has a row. */
export function isOpType(name: string): name is OpType {
  return Object.hasOwn(ops, name);
}

/** The row of a node's operator; undefined for an opaque node (a custom domain, a function of the model). */
export function rowOf(node: Node): OpRow | undefined {
  return isOpType(node.opName) ? ops[node.opName] : undefined;
}

/** The version of the operator that is in force at this opset of its domain; undefined where it does not exist. */
export function versionAt(row: OpSchema, opset: number): number | undefined {
  if (row.deprecated !== undefined && opset >= row.deprecated) return undefined;
  return row.versions.findLast((version) => version <= opset);
}

/** The attributes that the operator has at this opset, with their types and defaults. */
export function attributesAt(row: OpSchema, opset: number): Record<string, AttributeFacts> {
  const found: Record<string, AttributeFacts> = {};
  for (const [name, { since = 0, until = Number.POSITIVE_INFINITY, was, ...now }] of Object.entries(row.attributes)) {
    if (opset < since || opset > until) continue;
    const before = was?.find((facts) => opset <= facts.until);
    if (!before) found[name] = now;
    else {
      const { until: _, ...facts } = before;
      found[name] = facts;
    }
  }
  return found;
}
