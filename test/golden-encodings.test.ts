/** Calibration against what AIMET-onnx 2.42 recorded (golden/encodings): folding, placement, observers and ties together. */
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { type Dataset, type PreprocessInput, samples } from "../src/data/inner.ts";
import { openData } from "../src/data/inner-node.ts";
import { readModelFile } from "../src/formats/inner-node.ts";
import type { Model } from "../src/ir/inner.ts";
import { foldBatchNorms, hoistConstants, runPasses } from "../src/passes/inner.ts";
import { builtinTarget, calibrate, encodingMax, encodingMin, parseGrid, place } from "../src/quant/inner.ts";
import { firstSample, openRuntime, traceShapes } from "../src/runtime/inner.ts";
import { Tensor } from "../src/tensor/inner.ts";
import { fixture, golden, missing } from "./fixtures.ts";

interface Recorded {
  readonly model: string;
  readonly samples: number;
  readonly batch: number;
  readonly config: string;
  readonly param_bw: number;
  readonly activation_bw: number;
  readonly scheme: "min_max" | "tf_enhanced";
  readonly encodings: Readonly<Record<string, Readonly<Record<"min" | "max" | "scale" | "offset", readonly number[]>>>>;
}

const targets: Record<string, string> = {
  default: "aimet-default",
  "default-per-tensor": "aimet-default-per-tensor",
  htp_v73: "htp-v73",
};

/** The calibration samples of each task, prepared as the recording did. */
const pictures: Record<string, { readonly spec: string; readonly preprocess: PreprocessInput }> = {
  resnet20: {
    spec: "cifar10/train_jpegq75_5000_x.u8?shape=-1,32,32,3",
    preprocess: { scale: "1/255", mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
  },
  mobilenetv1: {
    spec: "imagenet1k-sample/index.json?every=5",
    preprocess: { mean: 127.5, std: 127.5 },
  },
  espnet: {
    spec: "espnet-camvid/train_images.json",
    preprocess: {
      color: "bgr",
      mean: [110.33134, 108.40915, 105.03352],
      std: [72.1252, 72.68854, 69.90261],
      gain: "1/255",
    },
  },
};

const absent = missing("encodings");
const files = absent ? [absent] : readdirSync(golden("encodings"));

async function calibrated(task: string, recorded: Recorded) {
  const model = await readModelFile(fixture(recorded.model));
  await runPasses(model, [hoistConstants, foldBatchNorms]);
  normaliseLeftOver(model);
  const runtime = await openRuntime();
  const few = await firstPictures(task, recorded.samples);
  const shapes = await traceShapes(model, runtime, await firstSample(few));
  const placed = place(model, builtinTarget(targets[recorded.config]!), {
    shapes,
    weights: parseGrid(`int${recorded.param_bw}`),
    activations: parseGrid(`uint${recorded.activation_bw}`),
  });
  // Slopes are activations to AIMET, as all constants next to data: it does not round them before it looks at the others.
  const values = model.graph.valuesByName();
  const isSlope = (name: string) =>
    values
      .get(name)!
      .consumers()
      .every((node) => /^(PRelu|Unsqueeze)$/.test(node.op));
  const entries = placed.entries.map((entry) =>
    entry.kind === "weight" && isSlope(entry.value) ? { ...entry, kind: "activation" as const } : entry,
  );
  const result = await calibrate(model, { ...placed, entries }, runtime, few, {
    scheme: recorded.scheme === "min_max" ? "minmax" : "tf_enhanced",
    batch: recorded.batch,
    // As AIMET ran it: tf_enhanced decides by the last bit of each batch's maximum.
    session: { optimization: "off" },
  });
  return result.plan;
}

/** AIMET rewrites batch norms that nothing could take in: scale γ/σ, bias β − μ·γ/σ, mean 0, variance 1, epsilon 0. */
function normaliseLeftOver(model: Model): void {
  for (const node of model.graph.nodes) {
    if (node.op !== "BatchNormalization") continue;
    const [gamma, beta, mean, variance] = [1, 2, 3, 4].map((i) =>
      node.input(i)!.initializer!.floats(),
    ) as Float32Array[];
    const scale = gamma!.map((g, c) => g / Math.sqrt(variance![c]! + node.float("epsilon", 1e-5)));
    const bias = beta!.map((b, c) => b - mean![c]! * scale[c]!);
    const [zero, one] = [new Float32Array(scale.length), new Float32Array(scale.length).fill(1)];
    [scale, bias, zero, one].forEach((values, i) => {
      node.input(i + 1)!.initializer = Tensor.float32([values.length], values);
    });
    node.attributes.set("epsilon", { type: "float", value: 0 });
  }
}

async function firstPictures(task: string, count: number): Promise<Dataset> {
  const { spec, preprocess } = pictures[task]!;
  const inputs = [{ name: "input", dtype: "float32", shape: [null, 3, null, null] }];
  return samples(await openData(fixture(spec), { inputs, preprocess }), `first:${count}`);
}

describe.skipIf(absent)("encodings as AIMET computes them", () => {
  test.each(files)("%s", async (file) => {
    const recorded = JSON.parse(readFileSync(golden(`encodings/${file}`), "utf8")) as Recorded;
    const task = file.slice(0, file.indexOf("."));
    const plan = await calibrated(task, recorded);
    const tied = new Set(
      plan.entries.flatMap((entry) =>
        entry.sharesEncodingOf === undefined ? [] : [entry.value, entry.sharesEncodingOf],
      ),
    );
    const wrong: string[] = [];
    let compared = 0;
    let neighbours = 0;
    for (const { value, encoding } of plan.entries) {
      const theirs = recorded.encodings[value];
      if (!theirs || !encoding) continue;
      // A quantizer that AIMET shares between values takes each of them for a batch of its own, so its average differs.
      if (recorded.scheme === "tf_enhanced" && tied.has(value)) continue;
      theirs.min.forEach((min, i) => {
        compared++;
        const max = theirs.max[i]!;
        const off = Math.max(Math.abs(encodingMin(encoding, i) - min), Math.abs(encodingMax(encoding, i) - max));
        if (encoding.offset[i] === theirs.offset[i] && off <= 1e-5 * (max - min)) return;
        // A range that starts at zero ends exactly on an edge of its bins: the last bit of one number decides which
        // candidates there are, and two neighbours of nearly equal cost lie up to 1/16 of the range apart on either side.
        if (recorded.scheme === "tf_enhanced" && min === 0 && off <= (max - min) / 8) {
          neighbours++;
          return;
        }
        const ours = `${encodingMin(encoding, i)} … ${encodingMax(encoding, i)} (${encoding.offset[i]})`;
        wrong.push(`${value}[${i}]: ours ${ours}, AIMET ${min} … ${max} (${theirs.offset[i]})`);
      });
    }
    expect(neighbours).toBeLessThanOrEqual(12);
    expect(compared).toBeGreaterThan(20);
    expect(wrong).toEqual([]);
  });
});
