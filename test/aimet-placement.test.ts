/** Placement on models of our own against what AIMET-onnx 2.42 recorded: ten configurations, four pairs of widths. */
import { describe, expect, test } from "vitest";
import type { Model } from "../src/ir/inner.ts";
import { builtinTarget, isMoved, type PlanEntry, parseGrid, place } from "../src/quant/inner.ts";
import { openRuntime, traceShapes } from "../src/runtime/inner.ts";
import { aimetFeeds, aimetModel, aimetModels, aimetTargets, recordedText } from "./aimet-goldens.ts";

/** Tensor → "param 8 symmetric axis 0" or "activation 16 asymmetric"; the same tables hold for many settings. */
interface Recorded {
  readonly tables: readonly Readonly<Record<string, string>>[];
  readonly index: Readonly<Record<string, number>>;
}

const recorded = JSON.parse(recordedText("placement.json")) as Record<string, Recorded>;

function describeOurs({ kind, grid, symmetric, granularity }: PlanEntry): string {
  const bits = grid.kind === "float" ? grid.dtype : grid.bits;
  const axis = granularity.kind === "channel" ? ` axis ${granularity.axis}` : "";
  return `${kind === "weight" ? "param" : "activation"} ${bits} ${symmetric ? "symmetric" : "asymmetric"}${axis}`;
}

/** Where we differ on purpose: docs/targets.md and golden-placement.test.ts give the reasons. */
function explained(model: Model, name: string, ours?: PlanEntry, theirs?: string): boolean {
  const size = model.graph.valuesByName().get(name)?.initializer?.size ?? 0;
  if (!ours) return size === 1 && theirs!.startsWith("activation");
  if (!theirs) return isMoved(model, ours);
  return size > 1 && describeOurs(ours).replace("param", "activation") === theirs;
}

describe.each(aimetModels)("%s", (name) => {
  const traced = (async () => {
    const model = await aimetModel(name);
    return { model, shapes: await traceShapes(model, await openRuntime(), aimetFeeds(model, 1)[0]!) };
  })();
  test.each(Object.keys(recorded[name]!.index))("%s", async (setting) => {
    const [configuration, weights, activations] = /^(\S+) w(\d+)a(\d+)$/.exec(setting)!.slice(1) as [string, string, string]; // biome-ignore format: one line
    const { model, shapes } = await traced;
    const plan = place(model, builtinTarget(aimetTargets[configuration]!), {
      shapes,
      weights: parseGrid(`int${weights}`),
      activations: parseGrid(`uint${activations}`),
    });
    const ours = new Map(plan.entries.map((entry) => [entry.value, entry]));
    const theirs = new Map(Object.entries(recorded[name]!.tables[recorded[name]!.index[setting]!]!));
    const unexplained: string[] = [];
    for (const value of new Set([...ours.keys(), ...theirs.keys()])) {
      const [a, b] = [ours.get(value), theirs.get(value)];
      if ((a && b && describeOurs(a) === b) || explained(model, value, a, b)) continue;
      const reason = plan.notQuantized.find((left) => left.value === value)?.reason ?? "-";
      unexplained.push(`${value}: ours ${a ? describeOurs(a) : reason} | AIMET ${b ?? "-"}`);
    }
    expect(unexplained).toEqual([]);
  });
});
