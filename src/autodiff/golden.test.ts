/** Gradients as PyTorch gives them, kinks and ties included (tools/gradient_goldens*.py). */
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parseModel, tensorType } from "../ir/inner.ts";
import { openRuntime, type Runtime, traceShapes } from "../runtime/inner.ts";
import { Tensor } from "../tensor/inner.ts";
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
const [native, web] = [await openRuntime(), await openRuntime("ort-web")];
for (const file of readdirSync(folder)) {
  const cases = Object.entries(JSON.parse(readFileSync(new URL(file, folder), "utf8")) as Record<string, Golden>);
  describe(file.replace(".json", ""), () => {
    test.each(cases)("%s", (_, golden) => expectGolden(golden, native));
    // A sample of every family: the graphs are the same, the kernels are another build's.
    const sample = cases.filter((_, i) => i % 6 === 0);
    test.each(sample)("%s, in WebAssembly", (_, golden) => expectGolden(golden, web));
  });
}

async function expectGolden(golden: Golden, runtime: Runtime): Promise<void> {
  const found = await gradientsOf(golden, runtime);
  const largest = Math.max(...Object.values(golden.gradients).flat().map(Math.abs));
  for (const [input, expected] of Object.entries(golden.gradients)) {
    found[input]!.forEach((value, i) => {
      const wanted = expected[i]!;
      // float32 against float64: a few roundings, of numbers up to the largest gradient (sums may cancel).
      expect(Math.abs(value - wanted), `${input}[${i}]: ${value}, PyTorch ${wanted}`).toBeLessThanOrEqual(
        2e-6 * largest + 4e-6 * Math.abs(wanted),
      );
    });
  }
}

async function gradientsOf(golden: Golden, runtime: Runtime): Promise<Record<string, Float32Array>> {
  const model = parseModel(`<ir_version: 10, opset_import: ["" : ${golden.opset}]>\n${golden.text}`);
  // The texts leave the shape of the output out, which the WebAssembly build takes for that of a scalar.
  for (const output of model.graph.outputs) output.type = tensorType("float32", null);
  const values = model.graph.valuesByName();
  const feeds = Object.fromEntries(
    Object.entries(golden.inputs).map(([name, [shape, numbers]]) => {
      const type = values.get(name)!.type;
      const isFloat = type?.kind === "tensor" && type.dtype === "float32";
      return [name, isFloat ? Tensor.float32(shape, numbers) : Tensor.int64(shape, numbers)];
    }),
  );
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
