/** Encodings on models of our own against what AIMET-onnx 2.42 computed for the same weights and samples. */
import { expect, test } from "vitest";
import { fromIterable } from "../src/data/inner.ts";
import { builtinTarget, calibrate, type Encoding, parseGrid, place, type Scheme, steps } from "../src/quant/inner.ts";
import { openRuntime, traceShapes } from "../src/runtime/inner.ts";
import { aimetFeeds, aimetModel, aimetTargets, recordedText } from "./aimet-goldens.ts";

interface Affine {
  readonly scale: readonly number[];
  readonly offset: readonly number[];
}

const recorded = JSON.parse(recordedText("encodings.json")) as Record<string, Record<string, Affine>>;

/** Lowest and highest number of a slice. */
function ends({ scale, offset }: Affine, top: number, i: number): readonly [number, number] {
  return [scale[i]! * offset[i]!, scale[i]! * (offset[i]! + top)];
}

function apart(ours: Encoding, theirs: Affine): number {
  const top = steps(ours.grid);
  return Math.max(
    ...theirs.scale.map((_, i) => {
      const [[a, b], [c, d]] = [ends(ours, top, i), ends(theirs, top, i)];
      return Math.max(Math.abs(a - c), Math.abs(b - d)) / (d - c);
    }),
  );
}

/**
 * As shares of the range. min_max and tf_enhanced are the same arithmetic, but for sums of products in float32, which two versions
 * of the runtime order differently. Percentiles come from histograms whose bins lie elsewhere: each is right to a bin at either
 * end, and AIMET's, 512 over the range of the first batch, are the wider ones; a 16-bit offset makes no difference visible.
 */
const tolerance: Readonly<Record<string, number>> = { min_max: 1e-5, tf_enhanced: 1e-5, "percentile:99": 5 / 512 };

interface Placement {
  readonly tables: readonly Readonly<Record<string, string>>[];
  readonly index: Readonly<Record<string, number>>;
}

const placements = JSON.parse(recordedText("placement.json")) as Record<string, Placement>;

/** What AIMET placed in this setting: tensor → "param 8 symmetric". */
function tableOf(name: string, key: string): Readonly<Record<string, string>> {
  const { tables, index } = placements[name]!;
  const [, configuration, , widths] = key.split(" ");
  return tables[index[`${configuration} ${widths}`]!]!;
}

test.each(Object.keys(recorded))("%s", async (key) => {
  const [name, configuration, scheme, weights, activations] = /^(\S+) (\S+) (\S+) w(\d+)a(\d+)$/.exec(key)!.slice(1) as [string, string, string, string, string]; // biome-ignore format: one line
  const model = await aimetModel(name);
  const feeds = aimetFeeds(model, 4);
  const runtime = await openRuntime();
  const placed = place(model, builtinTarget(aimetTargets[configuration]!), {
    shapes: await traceShapes(model, runtime, feeds[0]!),
    weights: parseGrid(`int${weights}`),
    activations: parseGrid(`uint${activations}`),
  });
  const values = model.graph.valuesByName();
  const isConstant = (value: string) => values.get(value)!.initializer !== undefined;
  // Constants next to activations are activations to AIMET: it does not round them before it looks at the others.
  const params = new Set(Object.keys(recorded[key]!).filter((value) => tableOf(name, key)[value]!.startsWith("param")));
  const entries = placed.entries.map((entry) =>
    isConstant(entry.value) && !params.has(entry.value) ? { ...entry, kind: "activation" as const } : entry,
  );
  const { plan } = await calibrate(
    model,
    { ...placed, entries },
    runtime,
    fromIterable(() => feeds),
    { scheme: scheme.replace("min_max", "minmax") as Scheme, batch: 1, session: { optimization: "off" } },
  );
  const tied = new Set(
    plan.entries.flatMap((one) => (one.sharesEncodingOf === undefined ? [] : [one.value, one.sharesEncodingOf])),
  );
  const wrong: string[] = [];
  let compared = 0;
  for (const { value, encoding } of plan.entries) {
    const theirs = recorded[key]![value];
    if (!theirs || !encoding) continue;
    const readers = values.get(value)!.consumers();
    // A constant that is joined to data has its own grid here, and that of the result there (docs/targets.md).
    if (isConstant(value) && readers.every((node) => node.op === "Concat")) continue;
    // A quantizer that AIMET shares between values takes each of them for a batch of its own, so its average differs.
    if (scheme !== "min_max" && tied.has(value)) continue;
    // Our percentile knows what readers clip anyway.
    if (scheme.startsWith("percentile") && readers.every((node) => node.op === "Clip")) continue;
    compared++;
    const off = apart(encoding, theirs);
    if (off > tolerance[scheme]!) {
      const few = ({ scale, offset }: Affine) => `${scale.slice(0, 2)} ${offset.slice(0, 2)}`;
      wrong.push(`${value}: ${off.toExponential(1)} of the range apart: ours ${few(encoding)}, AIMET ${few(theirs)}`);
    }
  }
  expect(wrong).toEqual([]);
  expect(compared).toBeGreaterThan(3);
});
