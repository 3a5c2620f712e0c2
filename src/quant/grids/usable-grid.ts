/** Which grids can be quantized to: the others are refused before anything long begins. */
import { AvocetError } from "../../base/inner.ts";
import type { Grid, GridUse } from "./codec.ts";
import { codecOf, gridName, parseGrid } from "./grid.ts";

export interface Grids {
  /** Default: the target's. */
  readonly weights?: Grid;
  /** Default: the target's. */
  readonly activations?: Grid;
}

/** The grids of these names. Throws `quant/unknown-grid` and `quant/unsupported-grid`. */
export function parseGrids(names: {
  readonly weights?: string | undefined;
  readonly activations?: string | undefined;
}): Grids {
  const one = (name: string, kind: "weight" | "activation") => {
    const grid = parseGrid(name);
    refuseGrid(grid, kind, name);
    return grid;
  };
  return {
    ...(names.weights === undefined ? {} : { weights: one(names.weights, "weight") }),
    ...(names.activations === undefined ? {} : { activations: one(names.activations, "activation") }),
  };
}

/** Whether a grid asks for no quantizer. */
export function isNotQuantized(grid: Grid): boolean {
  return gridName(grid) === "float32";
}

/** Throws `quant/unsupported-grid` for a grid that ONNX has no quantizer for, or none of use. */
export function refuseGrid(grid: Grid, use: GridUse, at: string): void {
  const refusal = codecOf(grid).refusal(use);
  if (!refusal) return;
  const message = `expected ${refusal.expected} for ${plural[use]}, got ${gridName(grid)}`;
  throw new AvocetError("quant/unsupported-grid", message, { at, hint: refusal.hint });
}

const plural = { weight: "weights", activation: "activations", bias: "biases" } as const;
