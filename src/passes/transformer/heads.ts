/** Attention written out as products: from the layer that joins the heads back to the layers of values, queries and keys. */
import { isRefused, type Refused, refuse } from "../../base/inner.ts";
import { axisOf, isOp, type LengthTable } from "../../facts/inner.ts";
import type { Node, Value } from "../../ir/inner.ts";
import { type EditableLayer, editableLayer } from "../layers/editable.ts";

export interface Heads {
  /** Length of a head of values. */
  readonly size: number;
  /** What joins the heads. */
  readonly output: EditableLayer;
  readonly values: EditableLayer;
  /** Shares by values. */
  readonly mixing: Node;
  /** Queries by turned keys; undefined where what lies between it and the shares is not known. */
  readonly scores: Node | undefined;
}

/** The attention whose heads this layer joins; undefined where its input comes from elsewhere. */
export function headsOf(output: EditableLayer, lengths: LengthTable): Heads | Refused | undefined {
  const mixing = moverBehind(output.node.input(0), ["Reshape", "Transpose", "Squeeze", "Identity"]);
  if (mixing?.op.includes("Attention")) return refuse(`${mixing} holds queries, keys and values inside`);
  if (!isOp(mixing, "MatMul") || mixing.inputs.some((input) => !input?.producer)) return undefined;
  const size = lengths.of(mixing.output)?.at(-1);
  if (typeof size !== "number") return refuse(`the length of a head is not known at ${mixing}`);
  const isRun = (length: number) => length % size === 0;
  const broken = joinedBy(output.node.input(0), mixing.output, lengths, isRun);
  if (broken) return broken;
  const values = sourceOf(mixing.input(1)!, mixing, lengths, isRun);
  if (isRefused(values)) return values;
  const layer = editableLayer(values);
  if (!layer || isRefused(layer) || !isOp(layer.node, "MatMul", "Gemm")) {
    return refuse(`the values of ${mixing} come from no layer of their own`);
  }
  return { size, output, values: layer, mixing, scores: scoresOf(mixing.input(0)!) };
}

/** The first node behind a value that is none of these. */
export function moverBehind(value: Value | null, ops: readonly string[]): Node | undefined {
  let node = value?.producer;
  while (isOp(node, ...ops)) node = node.input(0)?.producer;
  return node ?? undefined;
}

/** What is wrong with the way from the heads to the layer that joins them: each head must stay a run of its own, read by nobody else. */
function joinedBy(
  from: Value | null,
  to: Value,
  lengths: LengthTable,
  isRun: (length: number) => boolean,
): Refused | undefined {
  for (let value = from; value; value = value === to ? null : (value.producer?.input(0) ?? null)) {
    if (value.useCount !== 1) return refuse(`${value.name}, the heads of an attention, is read elsewhere, too`);
    const node = value === to ? null : value.producer;
    if (!lastFits(value, lengths, isRun) || (node && !keepsRuns(node, lengths))) {
      return refuse(`${node ?? to} takes heads apart`);
    }
  }
  return undefined;
}

/**
 * The first value from which this one takes its heads, through what moves whole heads and appends them to a cache; the last axis of all of them fits. Heads that leave the model are
 * refused unless they come back as a cache: another file may read them.
 */
export function sourceOf(
  from: Value,
  reader: Node,
  lengths: LengthTable,
  fits: (length: number) => boolean,
): Value | Refused {
  let value = from;
  let before = reader;
  for (;;) {
    if (value.isGraphOutput && !isCached(value)) return refuse(`${value.name} leaves the model and does not come back`);
    const others = [...value.uses()].filter((use) => "node" in use && use.node !== before);
    const node = value.producer;
    const layer = editableLayer(value);
    if (layer && !isRefused(layer)) {
      return others.length > 0 ? refuse(`${value.name} is read by more than one attention`) : value;
    }
    if (others.length > 0) return refuse(`${value.name} is read elsewhere, too`);
    const next = node && keepsRuns(node, lengths) ? nextOf(node) : undefined;
    if (!node || !next || !lastFits(next, lengths, fits)) return value;
    before = node;
    value = next;
  }
}

/** Whether this is what came in as a cache, with more behind it. */
function isCached(value: Value): boolean {
  const node = value.producer;
  return isOp(node, "Concat") && nextOf(node) !== undefined;
}

/** A cache is an input of the model; what is appended to it comes from a layer. */
function nextOf(node: Node): Value | undefined {
  if (!isOp(node, "Concat")) return node.input(0) ?? undefined;
  const own = node.inputs.filter((input) => input?.producer);
  return own.length === 1 && own.length < node.inputs.length ? own[0]! : undefined;
}

function lastFits(value: Value, lengths: LengthTable, fits: (length: number) => boolean): boolean {
  const last = lengths.of(value)?.at(-1);
  return typeof last === "number" && fits(last);
}

/** Whether runs along the last axis stay runs. */
function keepsRuns(node: Node, lengths: LengthTable): boolean {
  const rank = lengths.of(node.input(0))?.length;
  if (rank === undefined) return false;
  switch (node.domain === "" ? node.op : "") {
    case "Identity":
    case "Reshape":
    case "Expand":
    case "Squeeze":
      return true;
    case "Unsqueeze":
      return lengths.of(node.output)?.at(-1) === lengths.of(node.input(0))?.at(-1);
    case "Transpose":
      return axisOf(node.ints("perm")?.at(-1) ?? 0, rank) === rank - 1;
    case "Concat":
      return axisOf(node.int("axis", 0), rank) !== rank - 1;
    default:
      return false;
  }
}

/** The product whose softmax, scaled and masked, the shares are. */
function scoresOf(shares: Value): Node | undefined {
  const softmax = moverBehind(shares, ["Identity", "Cast", "Dropout"]);
  const scores = isOp(softmax, "Softmax") ? productUnder(softmax.input(0)) : undefined;
  return scores?.inputs.every((input) => input?.producer) ? scores : undefined;
}

/** The first product that is scaled and masked to this value; masks and scales are the sides that no product computed. */
function productUnder(value: Value | null): Node | undefined {
  const seen = new Set<Node>();
  const waiting = [value?.producer];
  while (waiting.length > 0) {
    const node = waiting.pop();
    if (!node || seen.has(node)) continue;
    seen.add(node);
    if (isOp(node, "MatMul")) return node;
    if (!isOp(node, "Add", "Mul", "Div", "Where", "Reshape", "Identity")) continue;
    const sides = node.op === "Where" ? node.inputs.slice(1) : node.inputs;
    waiting.push(...sides.map((side) => side?.producer).reverse());
  }
  return undefined;
}
