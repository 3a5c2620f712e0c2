/**
 * Tables that Gather takes rows of: embeddings. Nothing computes on integers there, so that a table is quantized only where it can be
 * stored packed, in blocks along its rows, and where its rows stay float.
 */
import { initializerOf } from "../../facts/inner.ts";
import type { Node, Value } from "../../ir/inner.ts";
import { isFloat } from "../../tensor/inner.ts";
import type { Granularity } from "../grids/encoding.ts";
import { gridName } from "../grids/grid.ts";
import { isNotQuantized } from "../grids/usable-grid.ts";
import type { Decision, Placement } from "./place-by-rule.ts";
import { type Placed, wantsZeroPoints } from "./place-parameters.ts";
import type { WeightGranularity } from "./precisions.ts";
import type { SharedEncodings } from "./shared-encodings.ts";

/** Adds the tables of a model to its parameters: an entry, or the reason for which the table stays float. */
export function placeTables(
  placement: Placement,
  decided: ReadonlyMap<Value, Decision>,
  { heads }: Pick<SharedEncodings, "heads">,
  parameters: Map<Value, Placed>,
): void {
  const { facts, target, kept, precisions } = placement;
  for (const value of facts.model.graph.initializers) {
    const data = initializerOf(value);
    if (!data || !isFloat(data.dtype) || data.shape.length !== 2 || parameters.has(value)) continue;
    const readers = value.consumers();
    if (readers.length === 0 || !readers.every((node) => takesRows(node, value))) continue;
    const activations = precisions.activations(heads.get(value) ?? value).what;
    if (decided.get(value)?.on && !isNotQuantized(activations)) continue;
    const left = (reason: string) => parameters.set(value, { value: value.name, left: reason });
    const asked = kept.get(readers[0]!);
    if (asked !== undefined && !precisions.isWeightOnly(readers[0]!)) {
      left(asked);
      continue;
    }
    const { what: grid, conflict } = precisions.weights(value);
    const wanted = precisions.granularity(value);
    const block = blockOf(
      wanted.what ?? (target.weightBlock === null ? { block: usualBlock } : { block: target.weightBlock }),
    );
    const [rows, width] = data.shape as [number, number];
    if (isNotQuantized(grid)) left("you asked for weights in float");
    else if (block === null) left("a table of rows is quantized in blocks alone");
    else if (block < 2 || width % block !== 0) left(`blocks of ${block} do not divide ${width} numbers of a row`);
    else if (rows * width < block * block) left("so small a table gains nothing");
    else {
      const granularity: Granularity = { kind: "block", axis: 1, size: block, channelAxis: 0 };
      parameters.set(value, {
        value: value.name,
        kind: "weight",
        grid,
        granularity,
        symmetric: target.param.symmetric && !wantsZeroPoints(grid, granularity, placement),
        reason: `the table of Gather: ${gridName(grid)}, a scale per block${conflict}${wanted.conflict}`,
      });
    }
  }
}

/** Where nobody asks for another one: what official files have. */
const usualBlock = 32;

function blockOf(granularity: WeightGranularity): number | null {
  return typeof granularity === "object" ? granularity.block : null;
}

function takesRows(node: Node, value: Value): boolean {
  return node.op === "Gather" && node.domain === "" && node.int("axis", 0) === 0 && node.input(0) === value;
}
