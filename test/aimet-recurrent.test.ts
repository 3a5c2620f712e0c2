/** Ties of recurrent operators, and what calibration makes of them, against what AIMET-onnx 2.42 recorded (tools/aimet_recurrent_goldens.py). */
import { describe, expect, test } from "vitest";
import { fromIterable } from "../src/data/inner.ts";
import { builtinTarget, calibrate, isMoved, parseGrid, place } from "../src/quant/inner.ts";
import { openRuntime, traceShapes } from "../src/runtime/inner.ts";
import { aimetFeeds, aimetTargets, filledModel, recordedText } from "./aimet-goldens.ts";

/** Names that share a quantizer → its encoding. */
type Quantizers = Readonly<Record<string, { readonly scale: readonly number[]; readonly offset: readonly number[] }>>;

interface Recorded {
  readonly text: string;
  readonly quantizers: Readonly<Record<string, Quantizers>>;
}

const recorded = JSON.parse(recordedText("recurrent.json")) as Record<string, Recorded>;

describe.each(Object.keys(recorded))("%s", (name) => {
  const { text, quantizers } = recorded[name]!;
  test.each(Object.keys(quantizers))("%s", async (setting) => {
    const [configuration, weights, activations] = /^(\S+) w(\d+)a(\d+)$/.exec(setting)!.slice(1) as [string, string, string]; // biome-ignore format: one line
    const model = await filledModel(text);
    const runtime = await openRuntime();
    const samples = aimetFeeds(model, 4);
    const shapes = await traceShapes(model, runtime, samples[0]!);
    const placed = place(model, builtinTarget(aimetTargets[configuration]!), {
      shapes,
      weights: parseGrid(`int${weights}`),
      activations: parseGrid(`uint${activations}`),
    });
    const { plan } = await calibrate(
      model,
      placed,
      runtime,
      fromIterable(() => samples, { axes: { x: 1, h0: 1, c0: 1 } }),
      { scheme: "minmax", shapes, batch: 1 },
    );
    // What moves data shares by nature, and has no quantizer in AIMET's table.
    const groups = new Map<string, string[]>();
    for (const entry of plan.entries) {
      if (isMoved(model, entry)) continue;
      const head = entry.sharesEncodingOf ?? entry.value;
      groups.set(head, [...(groups.get(head) ?? []), entry.value]);
    }
    const theirs = quantizers[setting]!;
    expect([...groups.values()].map((group) => group.sort().join(" ")).sort()).toEqual(Object.keys(theirs).sort());
    for (const entry of plan.entries) {
      const group = Object.keys(theirs).find((names) => names.split(" ").includes(entry.value));
      if (!group) continue;
      const { scale, offset } = theirs[group]!;
      // The same arithmetic, but for sums of products in float32, which two versions of the runtime order differently.
      entry.encoding!.scale.forEach((s, i) => {
        expect(Math.abs(s / scale[i]! - 1), `scale of ${entry.value}`).toBeLessThan(1e-5);
      });
      expect(entry.encoding!.offset, entry.value).toEqual(offset);
    }
  });
});
