/** What is tried: each target makes a mutant of its seed number and puts it through a part of the product. */

import { randomUUID } from "node:crypto";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { macsOf, parametersOf, peakActivations } from "../../src/analysis/inner.ts";
import { gradientModel } from "../../src/autodiff/inner.ts";
import { AvocetError, parseJson, type Random } from "../../src/base/inner.ts";
import { bytesSource, fromTensors, textLabels } from "../../src/data/inner.ts";
import {
  decodePng,
  openNpz,
  openWav,
  parsePackIndex,
  parsePreprocess,
  parseTokenLines,
  readNpy,
  readNpz,
  writeNpz,
} from "../../src/data/inner-files.ts";
import { nodeImageDecoder, openData, openLabels, parseDataSpec } from "../../src/data/inner-node.ts";
import { inferTypes } from "../../src/facts/inner.ts";
import { readModel, writeModel } from "../../src/formats/inner.ts";
import { check, cloneModel, type Model, parseModel, printModel, staticShape } from "../../src/ir/inner.ts";
import { checkNodes } from "../../src/ops/inner.ts";
import {
  inlineFunctions,
  normalise,
  optimise,
  runPass,
  unrollRecurrent,
  upgradeOpset,
} from "../../src/passes/inner.ts";
import {
  applyEncodings,
  builtinTarget,
  encodeObserved,
  GrowingHistogram,
  kernelReport,
  lower,
  makeObserver,
  type Observer,
  observersOf,
  place,
  raise,
  targetNames,
  writeEncodings,
} from "../../src/quant/inner.ts";
import { parseTarget, planFromJson, planToJson, readEncodings, readStatistics } from "../../src/quant/inner-files.ts";
import { parseRecipe, quantizeModel } from "../../src/recipe/inner.ts";
import { readReport, renderReport, verdictSentence } from "../../src/report/inner.ts";
import { openRuntime, type Runtime, traceShapes } from "../../src/runtime/inner.ts";
import { arrayKind, sizeOf, Tensor } from "../../src/tensor/inner.ts";
import { foreignTargets } from "./foreign-targets.ts";
import type { Target } from "./mutant.ts";
import { mutateBytes, mutateJson, mutateText } from "./mutate-bytes.ts";
import { mutateGraph } from "./mutate-graph.ts";
import { mutateProto } from "./mutate-proto.ts";
import { seedData, seedFiles, seedModels, seedQuantized } from "./seeds.ts";

const models = seedModels();
const files = seedFiles(models);
const data = seedData();
const text = new TextEncoder();
const pick = <T>(list: readonly T[], random: Random): T => list[random.integer(list.length)]!;

let runtime: Runtime | undefined;
const ort = async () => (runtime ??= await openRuntime("ort-node", { threads: 1 }));

/** A damaged model; of those that break a rule of an operator, which are refused at once, most are made again. */
function damaged(random: Random, seeds: readonly Model[]): Model {
  for (;;) {
    const model = cloneModel(pick(seeds, random));
    try {
      mutateGraph(model, random, seeds);
      checkNodes(model);
      return model;
    } catch (error) {
      if (!AvocetError.is(error)) throw error;
      if (random.integer(5) === 0) return model;
    }
  }
}

/** A target that takes a model. Half of the mutants are written and read; all satisfy `check`. */
function ofModel(run: (model: Model, random: Random) => Promise<void> | void, seeds = models): Target {
  return (random) => {
    const model = damaged(random, seeds);
    model.source = "mutant.onnx";
    const own = random.integer(2) === 0;
    let bytes: Uint8Array;
    try {
      bytes = writeModel(model);
    } catch (error) {
      if (!AvocetError.is(error)) throw error;
      bytes = text.encode(String(error));
    }
    const run1 = async () => {
      check(model);
      const given = own ? model : readModel(bytes, { name: "mutant.onnx" });
      await run(given, random);
    };
    return { bytes, ending: "onnx", run: run1, data: () => writeNpz(feedsFor(model)) };
  };
}

function ofBytes(
  seeds: readonly Uint8Array[],
  ending: string,
  run: (bytes: Uint8Array) => Promise<void> | void,
): Target {
  return (random) => {
    const bytes = mutateBytes(pick(seeds, random), random);
    return { bytes, ending, run: () => run(bytes) };
  };
}

function ofText(seeds: readonly string[], ending: string, run: (text: string) => Promise<void> | void): Target {
  return (random) => {
    const made = mutateText(pick(seeds, random), random);
    return { bytes: text.encode(made), ending, run: () => run(made) };
  };
}

function ofJson(seeds: readonly unknown[], run: (json: unknown, text: string) => Promise<void> | void): Target {
  return (random) => {
    const made = mutateJson(pick(seeds, random), random);
    const run1 = () => {
      return run(parseJson(made, { at: "mutant.json", code: "usage/bad-value" }), made);
    };
    return { bytes: text.encode(made), ending: "json", run: run1 };
  };
}

/** Puts a file where paths are taken. */
async function withFile(bytes: Uint8Array, ending: string, run: (path: string) => Promise<void>): Promise<void> {
  const folder = join(tmpdir(), `avocet-fuzz-${process.pid}-${randomUUID().slice(0, 8)}`);
  mkdirSync(folder);
  try {
    writeFileSync(join(folder, "x.u8"), new Uint8Array(64));
    writeFileSync(join(folder, "p.jpgpack"), data.jpeg[0]!);
    writeFileSync(join(folder, `x.${ending}`), bytes);
    await run(join(folder, `x.${ending}`));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Reads, prints, writes, reads and writes again: the same bytes. */
function roundTrip(model: Model): void {
  printModel(model);
  const once = writeModel(model);
  const again = writeModel(readModel(once, { name: "mutant.onnx" }));
  if (Buffer.compare(once, again) === 0) return;
  const [before, after] = [once, again].map((bytes) => printModel(readModel(bytes), { tensors: "full" }).split("\n"));
  const line = before!.findIndex((text, i) => text !== after![i]);
  throw new Error(`internal: read and written again it has other bytes: ${before![line]} became ${after![line]}`);
}

async function inspect(model: Model): Promise<void> {
  const flat = cloneModel(model);
  if (flat.functions.length > 0) await runPass(flat, inlineFunctions);
  const shapes = inferTypes(flat);
  macsOf(flat, shapes);
  parametersOf(flat);
  peakActivations(flat, shapes);
  const normal = cloneModel(flat);
  await normalise(normal);
  try {
    place(normal, builtinTarget("ort-cpu"), { shapes: inferTypes(normal) });
  } catch (error) {
    // As the command does: what cannot be quantized is an answer.
    if (!AvocetError.is(error) || !error.code.startsWith("quant/")) throw error;
  }
}

async function planAndLower(model: Model, random: Random): Promise<void> {
  await normalise(model);
  const shapes = inferTypes(model);
  const plan = place(model, builtinTarget(pick(targetNames, random)), { shapes });
  const text = planToJson(plan);
  planFromJson(text);
  const encoded = encodeObserved(model, plan, new Map(plan.entries.map(({ value }) => [value, seenOnes()])), "minmax");
  readEncodings(writeEncodings(encoded, model));
  const lowered = lower(model, encoded);
  check(lowered.model);
  kernelReport(lowered, lowered.model, encoded);
}

/** An observer that has seen −1 and 1: every value gets a range, so that lowering has something to write. */
function seenOnes(): Observer {
  const observer = makeObserver("minmax");
  observer.see(Float32Array.of(-1, 1));
  return observer;
}

function feedsFor(model: Model): Record<string, Tensor> {
  const feeds: Record<string, Tensor> = {};
  for (const input of model.graph.inputs.filter((value) => !value.initializer)) {
    const { type } = input;
    if (type?.kind !== "tensor" || !type.shape) continue;
    const shape = type.shape.map((d) => (typeof d === "number" ? d : 2));
    if (sizeOf(shape) > 1 << 16 || type.dtype === "string") continue;
    const data = new (arrayKind(type.dtype))(sizeOf(shape));
    if (data instanceof Float32Array) data.set(data.map((_, i) => Math.sin(i)));
    feeds[input.name] = Tensor.of(type.dtype, shape, data);
  }
  return feeds;
}

async function quantize(model: Model, random: Random): Promise<void> {
  const feeds = feedsFor(model);
  const recipe = parseRecipe({
    samples: 2,
    preset: pick(["fast", "fast", "standard", "data-free"] as const, random),
    target: pick(targetNames, random),
    weights: pick(["int8", "int4"], random),
  });
  const samples = Object.keys(feeds).length > 0 ? fromTensors(feeds) : null;
  const made = await quantizeModel(model, samples, recipe, await ort());
  roundTrip(made.shipped);
}

async function gradient(model: Model): Promise<void> {
  upgradeOpset(model, Math.max(18, Math.min(model.opset, 26)));
  const types = await traceShapes(model, await ort(), feedsFor(model));
  const outputs = model.graph.outputs.map(({ name }) => name);
  const inputs = model.graph.inputs.filter(({ type }) => staticShape(type)).map(({ name }) => name);
  gradientModel(model, inputs, { types, outputs: outputs.slice(0, 1) });
}

const smallText =
  "f (float[1,3,8,8] x) => (y) <float[4,3,3,3] w, float[4] b> { c = Conv(x, w, b) r = Relu(c) y = Concat <axis = 1> (r, c) }";

export const targets: Readonly<Record<string, Target>> = {
  onnx: ofBytes(files, "onnx", (bytes) => roundTrip(readModel(bytes, { name: "mutant.onnx" }))),
  onnxpb: (random) => {
    const bytes = mutateProto(pick(files, random), random);
    return { bytes, ending: "onnx", run: () => roundTrip(readModel(bytes, { name: "mutant.onnx" })) };
  },
  inspectpb: (random) => {
    const bytes = mutateProto(pick(files, random), random);
    return { bytes, ending: "onnx", run: () => inspect(readModel(bytes, { name: "mutant.onnx" })) };
  },
  text: ofText(
    models.map((model) => printModel(model, { tensors: "full" })),
    "onnxtxt",
    (made) => {
      const model = parseModel(made);
      check(model);
      roundTrip(model);
    },
  ),
  write: ofModel((model) => roundTrip(model)),
  inspect: ofModel((model) => inspect(model)),
  optimize: ofModel(async (model) => {
    await optimise(model);
    roundTrip(model);
  }),
  optimizeort: ofModel(async (model) => {
    await optimise(model, { runtime: await ort() });
    roundTrip(model);
  }),
  upgrade: ofModel((model, random) => {
    upgradeOpset(model, 7 + random.integer(20));
    check(model);
    roundTrip(model);
  }),
  unroll: ofModel(async (model) => {
    await normalise(model, { opset: Math.max(18, Math.min(26, model.opset)) });
    await runPass(model, unrollRecurrent());
    await optimise(model);
  }),
  plan: ofModel(planAndLower),
  gradient: ofModel((model) => gradient(model)),
  quantize: ofModel(quantize),
  raise: ofModel((model) => {
    const made = raise(model);
    roundTrip(lower(made.model, planFromJson(planToJson(made.plan))).model);
  }, seedQuantized()),
  npy: ofBytes(data.npy, "npy", async (bytes) => void (await readNpy(bytes)).numbers()),
  npz: ofBytes(data.npz, "npz", async (bytes) => {
    await readNpz(bytes);
    for (const rows of (await openNpz(bytesSource(bytes))).values()) await rows.read([0]);
  }),
  wav: ofBytes(data.wav, "wav", async (bytes) => {
    const wav = await openWav(bytesSource(bytes));
    void wav;
  }),
  png: ofBytes(data.png, "png", (bytes) => void decodePng(bytes, "mutant.png")),
  jpeg: ofBytes(data.jpeg, "jpg", async (bytes) => void (await nodeImageDecoder()(bytes, "mutant.jpg", true))),
  idx: ofBytes(data.idx, "idx", (bytes) => withFile(bytes, "idx3-ubyte", openAll)),
  gz: ofBytes(
    data.npy.map((bytes) => new Uint8Array(gzipSync(bytes))),
    "gz",
    (bytes) => withFile(bytes, "npy.gz", openAll),
  ),
  labels: ofText(data.labels, "txt", async (made) => {
    textLabels(made, "mutant.txt");
    await withFile(text.encode(made), "txt", async (path) => void (await openLabels(path)));
  }),
  tokens: ofText(data.tokens, "jsonl", async (made) => {
    parseTokenLines(made, "mutant.jsonl");
    await withFile(text.encode(made), "jsonl", openAll);
  }),
  spec: ofText(data.spec, "txt", (made) => void parseDataSpec(made)),
  packindex: ofJson(data.pack, async (json, made) => {
    parsePackIndex(json, "mutant.json");
    await withFile(text.encode(made), "json", openAll);
  }),
  raw: ofJson(data.raw, (_json, made) => withFile(text.encode(made), "json", openAll)),
  preprocess: ofJson(data.preprocess, (json) => void parsePreprocess(json)),
  recipe: ofJson(data.recipe, (json) => {
    const recipe = parseRecipe(json);
    if (typeof recipe.target === "object") parseTarget(recipe.target, "recipe");
  }),
  target: ofJson(data.target, (json) => {
    place(small(), parseTarget(json, "mutant.json"), { shapes: inferTypes(small()) });
  }),
  encodings: ofJson(encodingsSeeds(), (_json, made) => {
    const plan = place(small(), builtinTarget("aimet-default"), { shapes: inferTypes(small()) });
    lower(small(), applyEncodings(plan, readEncodings(made), small()).plan);
  }),
  statistics: ofJson([statisticsSeed()], (_json, made) => {
    const plan = place(small(), builtinTarget("aimet-default"), { shapes: inferTypes(small()) });
    const seen = readStatistics(made);
    encodeObserved(small(), plan, observersOf(seen, plan, "mse"), "minmax");
  }),
  planjson: ofJson([JSON.parse(planToJson(encodedSmall("ort-cpu")))], (_json, made) => {
    lower(small(), planFromJson(made));
  }),
  report: ofJson(data.report, (_json, made) => {
    const report = readReport(made, "mutant.json");
    renderReport([{ name: "a", report }]);
    verdictSentence(report);
  }),
  ...foreignTargets(),
};

function statisticsSeed() {
  const values = ["x", "c", "r", "y"].map((name) => {
    const seen = new GrowingHistogram();
    seen.see(Float32Array.from({ length: 200 }, (_, i) => Math.sin(i) + 0.5));
    const { min, max, count, ...histogram } = seen.kept();
    return [name, { min, max, count, histogram }];
  });
  return { version: 1, samples: 2, values: Object.fromEntries(values) };
}

function small(): Model {
  return parseModel(smallText, { seed: 1, opset: 21 });
}

function encodedSmall(target: string) {
  const model = small();
  const plan = place(model, builtinTarget(target), { shapes: inferTypes(model) });
  return encodeObserved(model, plan, new Map(plan.entries.map(({ value }) => [value, seenOnes()])), "minmax");
}

function encodingsSeeds(): unknown[] {
  return (["0.6.1", "1.0.0", "2.0.0"] as const).map((version) =>
    JSON.parse(writeEncodings(encodedSmall("aimet-default"), small(), { version })),
  );
}

async function openAll(path: string): Promise<void> {
  const opened = await openData(path, { inputs: [{ name: "input_ids", dtype: null, shape: null }] });
  for await (const batch of opened.batches(2)) {
    void batch;
    break;
  }
}
