/** Presets: named lists of methods. Which one to take is a question of how long one wants to wait. */
import { AvocetError } from "../base/inner.ts";
import type { MethodStepInput } from "./method-options.ts";
import { readStep, type Step } from "./methods.ts";
import type { presetNames, Recipe } from "./schema.ts";

export interface Preset {
  readonly description: string;
  readonly steps: readonly MethodStepInput[];
  /**
   * What is judged on samples set aside from the calibration data, and undone when it makes things worse: each step, or all that decide
   * weights and biases together, next to ranges alone.
   */
  readonly judged: "each step" | "the whole" | null;
  /** Needs no data: ranges come from batch norms and from what is known of the inputs; equalization is judged on noise. */
  readonly dataFree: boolean;
}

export const presets: Readonly<Record<(typeof presetNames)[number], Preset>> = {
  fast: {
    description: "batch norms folded, ranges calibrated; nothing else",
    steps: [],
    judged: null,
    dataFree: false,
  },
  standard: {
    description:
      "dead channels zeroed, coarse weights (below 8 bits, or one scale for all channels) rounded on moments, biases corrected in one pass; kept if it helps on samples set aside",
    steps: [
      { method: "dead-channels" },
      { method: "adaround", iterations: 0, rowsPerColumn: 20, coarseOnly: true },
      // What clipping shifts stays: ranges clip what matters little, and taking its mean back moves what matters.
      { method: "bias-correction", kind: "one-pass", activations: false },
    ],
    judged: "the whole",
    dataFree: false,
  },
  best: {
    description:
      "dead channels, equalization and annealed rounding; each step is kept only if it helps on samples set aside",
    steps: [
      { method: "dead-channels" },
      { method: "cle" },
      { method: "adaround", iterations: 1000, rowsPerColumn: 200 },
    ],
    judged: "each step",
    dataFree: false,
  },
  "data-free": {
    description:
      "no data: dead channels, equalization for scales per tensor, ranges and bias correction from batch norms",
    steps: [{ method: "dead-channels" }, { method: "cle" }, { method: "bias-correction", kind: "analytic" }],
    judged: null,
    dataFree: true,
  },
};

/** The steps of a recipe: its methods, or those of its preset. Throws `recipe/invalid`. */
export function stepsOf(recipe: Recipe): { steps: Step[]; judged: Preset["judged"] } {
  if (recipe.methods) return { steps: inOrder(recipe.methods.map(readStep)), judged: null };
  const preset = presets[recipe.preset];
  return { steps: inOrder(preset.steps.map(readStep)), judged: preset.judged };
}

/** What a run of the recipe reports of, in order: preparations, ranges, methods, training. */
export function runSteps(recipe: Recipe, training: boolean): string[] {
  const { steps } = stepsOf(recipe);
  const named = (prepares: boolean) =>
    steps.filter(({ kind }) => (kind === "prepare") === prepares).map(({ name }) => name);
  return [
    ...named(true),
    ...(isDataFree(recipe) ? [] : ["calibrate"]),
    ...named(false),
    ...(training ? ["train"] : []),
  ];
}

/** Whether a recipe is one that needs no data. */
export function isDataFree(recipe: Recipe): boolean {
  if (recipe.statistics !== undefined) return true;
  return recipe.methods === undefined && presets[recipe.preset].dataFree;
}

/** A preparation changes float weights: behind a method that has rounded them it would undo its work. */
function inOrder(steps: Step[]): Step[] {
  const first = steps.findIndex((step) => step.kind === "solve");
  const late = first < 0 ? undefined : steps.slice(first).find((step) => step.kind === "prepare");
  if (late) {
    throw new AvocetError("recipe/invalid", `expected ${late.name} before ${steps[first]!.name}`, {
      hint: "methods that change the float model come before those that round weights",
    });
  }
  return steps;
}
