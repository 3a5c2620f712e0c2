/**
 * Every command that writes a model, on the operator zoo and on random networks: what is written says what it is. With
 * AVOCET_WRITTEN=FOLDER also on all real models and field cases, and the files stay there for tools/check_written.py:
 *
 *   AVOCET_WRITTEN=/tmp/written npx vitest run test/written-files.test.ts && python tools/check_written.py /tmp/written
 */

import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { AvocetError } from "../src/base/inner.ts";
import { fromTensors } from "../src/data/inner.ts";
import { inferTypes } from "../src/facts/inner.ts";
import { readModel, writeModel } from "../src/formats/inner.ts";
import { readModelFile } from "../src/formats/inner-node.ts";
import { cloneModel, extract, type Model, tensorType } from "../src/ir/inner.ts";
import { ops, type StandardOp } from "../src/ops/inner.ts";
import { newestOpset, normalise, optimise, upgradeOpset } from "../src/passes/inner.ts";
import { builtinTarget, calibrate, lower, parseGrid, place, type WeightGranularity } from "../src/quant/inner.ts";
import { openRuntime, traceShapes } from "../src/runtime/inner.ts";
import type { Feeds } from "../src/tensor/inner.ts";
import { fieldCase, fixture } from "./fixtures.ts";
import { existsAt, sampleOf, samples } from "./operator-zoo.ts";
import { randomGraph } from "./random-graphs.ts";
import { outputsOf, seededFeeds } from "./same-outputs.ts";
import { writtenFaults } from "./written-file.ts";

const folder = process.env.AVOCET_WRITTEN;
const runtime = await openRuntime("ort-node");

const quantizations: readonly {
  readonly target: string;
  readonly granularity?: WeightGranularity;
  readonly weights?: string;
  readonly activations?: string;
}[] = [
  { target: "ort-cpu" },
  { target: "ort-cpu", granularity: "tensor" },
  { target: "aimet-default" },
  { target: "htp-v73", granularity: { block: 2 }, weights: "int4", activations: "uint16" },
  { target: "aimet-default", weights: "int3", activations: "int8" },
];

/** A whole file says the types of its outputs; the zoo leaves them to be found. Undefined where the model does not run. */
async function whole(model: Model): Promise<Model | undefined> {
  if (model.graph.outputs.every((output) => output.type)) return model;
  const made = await outputsOf(model, seededFeeds(model)).catch(() => undefined);
  if (!made) return undefined;
  for (const output of model.graph.outputs) {
    const tensor = made[output.name]!;
    output.type ??= tensorType(tensor.dtype, tensor.shape);
  }
  return model;
}

/** What a model cannot be, said in advance, is no fault of what is written. */
const refused =
  /^(quant\/(nothing-to-quantize|already-quantized|unsupported|not-calibrated)|import\/unsupported|data\/|runtime\/|pass\/unsupported)/;

function keep(name: string, model: Model): string[] {
  const bytes = writeModel(model);
  if (folder) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `${name.replaceAll(/[^\w.-]+/g, "_")}.onnx`), bytes);
  }
  return writtenFaults(readModel(bytes)).map((fault) => `${name}: ${fault}`);
}

async function faultsOf(name: string, given: Model, feeds: Feeds | null, quantize = true): Promise<string[]> {
  // What is wrong with the file that was given stays so.
  if (writtenFaults(given).length > 0) return [];
  const found: string[] = [];
  const attempt = async (command: string, make: () => Promise<Model> | Model) => {
    try {
      found.push(...keep(`${name}.${command}`, await make()));
    } catch (error) {
      if (!AvocetError.is(error) || !refused.test(error.code)) throw error;
    }
  };
  await attempt("convert", () => given);
  await attempt("upgrade", () => {
    const copy = cloneModel(given);
    upgradeOpset(copy, newestOpset);
    return copy;
  });
  await attempt("optimize", async () => {
    const copy = cloneModel(given);
    await optimise(copy, { runtime, opset: given.opset });
    return copy;
  });
  const types = inferTypes(given, { batch: null });
  const inner = [...given.graph.nodes].find((node) => node.outputs.length === 1 && types.has(node.output.name));
  if (inner) {
    await attempt("extract", () => {
      const copy = cloneModel(given);
      for (const value of copy.graph.values())
        if (value.name === inner.output.name) value.type ??= types.get(value.name);
      return extract(copy, [inner.output.name]);
    });
  }
  if (!feeds || !quantize) return found;
  const normal = cloneModel(given);
  await normalise(normal, { runtime });
  for (const { target, granularity, weights, activations } of quantizations) {
    await attempt(
      `${target}-${typeof granularity === "object" ? "block" : (granularity ?? "own")}-${weights ?? "int8"}`,
      async () => {
        const shapes = await traceShapes(normal, runtime, feeds);
        const placed = place(normal, builtinTarget(target), {
          shapes,
          granularity,
          ...(weights ? { weights: parseGrid(weights) } : {}),
          ...(activations ? { activations: parseGrid(activations) } : {}),
        });
        const { plan } = await calibrate(normal, placed, runtime, fromTensors(feeds), { scheme: "minmax", shapes });
        return lower(normal, plan).model;
      },
    );
  }
  return found;
}

describe("the operator zoo", () => {
  const all = (Object.keys(samples) as StandardOp[]).sort();
  test.each(Array.from({ length: 8 }, (_, part) => part))(
    "part %i",
    async (part) => {
      for (const op of all.filter((_, i) => i % 8 === part)) {
        const opset = Math.max(...ops[op].versions.filter((v) => v >= 9 && v <= newestOpset && existsAt(op, v)));
        if (!Number.isFinite(opset)) continue;
        const model = await whole(sampleOf(op, opset));
        if (!model) continue;
        const dims = model.graph.inputs.every((v) => v.type?.kind === "tensor" && /float32/.test(v.type.dtype));
        // Quantizers around every operator cost a session each: all of them only where files are asked for.
        expect(await faultsOf(`zoo.${op}.${opset}`, model, dims && folder ? seededFeeds(model) : null), op).toEqual([]);
      }
    },
    1_800_000,
  );
});

test.each(Array.from({ length: folder ? 60 : 6 }, (_, seed) => seed))(
  "random network %i",
  async (seed) => {
    const { model, x } = randomGraph(seed);
    expect(await faultsOf(`random.${seed}`, model, { x })).toEqual([]);
  },
  600_000,
);

/** All models below the folders of fixtures and cases that are no larger than this. */
const largest = 40e6;

function* realModels(): Iterable<readonly [name: string, path: string]> {
  for (const root of [fixture("."), fieldCase(".")]) {
    let entries: { readonly name: string; readonly parentPath: string }[] = [];
    try {
      entries = readdirSync(root, { recursive: true, withFileTypes: true });
    } catch {
      // Absent in a public checkout.
    }
    for (const { name, parentPath } of entries) {
      if (name.endsWith(".onnx") && !/hostile|bombs/.test(parentPath)) yield [name, join(parentPath, name)];
    }
  }
}

test.skipIf(!folder).each([...(folder ? realModels() : [["none", ""] as const])])(
  "%s",
  async (name, path) => {
    const model = readModelFile(path);
    if (writeModel(model).length > largest) return;
    let feeds: Feeds | null = null;
    try {
      feeds = seededFeeds(model, { dims: { N: 1, batch: 1, batch_size: 1 } });
    } catch {
      // Inputs whose form the file does not tell are not made up: such a model is only rewritten.
    }
    expect(await faultsOf(`real.${path.split("/").at(-2)}.${name}`, model, feeds)).toEqual([]);
  },
  1_800_000,
);
