/** Which grids can be quantized to: the others are refused before anything long begins. */
import { AvocetError } from "../base/index.ts";
import { type Grid, gridName, parseGrid } from "./grid.ts";

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
export function isLeftFloat(grid: Grid): boolean {
  return grid.kind === "float" && grid.dtype === "float32";
}

/**
 * Throws `quant/unsupported-grid` for a grid of weights or activations that ONNX has no quantizer for, or none of use: 32 bits are
 * the grid of biases, and float8 without a scale keeps two or three significant bits of numbers that lie anywhere.
 */
export function refuseGrid(grid: Grid, kind: "weight" | "activation", at: string): void {
  const refuse = (expected: string, hint: string) =>
    new AvocetError("quant/unsupported-grid", `expected ${expected} for ${plural[kind]}, got ${gridName(grid)}`, {
      at,
      hint,
    });
  if (grid.kind === "float" && grid.dtype.startsWith("float8")) {
    throw refuse(
      "integers of up to 16 bits, float16 or bfloat16",
      "float8 needs scales, which Avocet does not choose yet; int8 has the same size",
    );
  }
  if (grid.kind === "int" && grid.bits > 16) {
    throw refuse("a grid of 2, 3, 4, 8 or 16 bits", "int32 is the grid of biases; int16 is the widest of all others");
  }
}

const plural = { weight: "weights", activation: "activations" } as const;
