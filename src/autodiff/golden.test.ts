/** Gradients as PyTorch gives them, kinks and ties included (tools/gradient_goldens.py). */
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parseModel } from "../ir/index.ts";
import { openRuntime, traceShapes } from "../runtime/index.ts";
import { Tensor } from "../tensor/index.ts";
import { gradientModel, seedPrefix } from "./differentiate.ts";

type Numbers = readonly [shape: readonly number[], values: readonly number[]];

interface Golden {
  readonly text: string;
  readonly opset: number;
  readonly inputs: Readonly<Record<string, Numbers>>;
  readonly flowsBack: Numbers;
  readonly gradients: Readonly<Record<string, readonly number[]>>;
}

const folder = new URL("./golden/", import.meta.url);
for (const file of readdirSync(folder)) {
  const cases = JSON.parse(readFileSync(new URL(file, folder), "utf8")) as Record<string, Golden>;
  describe(file.replace(".json", ""), () => {
    test.each(Object.entries(cases))("%s", async (_, golden) => {
      const found = await gradientsOf(golden);
      for (const [input, expected] of Object.entries(golden.gradients)) {
        const largest = Math.max(...expected.map(Math.abs));
        found[input]!.forEach((value, i) => {
          const wanted = expected[i]!;
          // float32 against float64: a few roundings, of numbers up to the largest.
          expect(Math.abs(value - wanted), `${input}[${i}]: ${value}, PyTorch ${wanted}`).toBeLessThanOrEqual(
            2e-6 * largest + 4e-6 * Math.abs(wanted),
          );
        });
      }
    });
  });
}

async function gradientsOf(golden: Golden): Promise<Record<string, Float32Array>> {
  const model = parseModel(`<ir_version: 10, opset_import: ["" : ${golden.opset}]>\n${golden.text}`);
  const values = model.graph.valuesByName();
  const feeds = Object.fromEntries(
    Object.entries(golden.inputs).map(([name, [shape, numbers]]) => {
      const type = values.get(name)!.type;
      const isFloat = type?.kind === "tensor" && type.dtype === "float32";
      return [name, isFloat ? Tensor.float32(shape, numbers) : Tensor.int64(shape, numbers)];
    }),
  );
  const runtime = await openRuntime();
  const types = await traceShapes(model, runtime, feeds);
  const wrt = Object.keys(golden.gradients);
  const built = gradientModel(model, wrt, { types, outputs: ["y"] });
  await using session = await runtime.open(built, { optimization: "off" });
  const given = Object.fromEntries(wrt.map((name) => [name, feeds[name] ?? values.get(name)!.initializer!]));
  const seed = Tensor.float32(...golden.flowsBack);
  const wanted = wrt.map((name) => `gradient_${name}`);
  const outputs = await session.run({ ...feeds, ...given, [`${seedPrefix}y`]: seed }, wanted);
  return Object.fromEntries(wrt.map((name) => [name, outputs[`gradient_${name}`]!.floats()]));
}
