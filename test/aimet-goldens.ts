/** What AIMET-onnx 2.42.0 does with small models of our own: test/goldens/aimet, recorded by tools/aimet_goldens.py. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Model, parseModel, staticShape } from "../src/ir/inner.ts";
import { hoistConstants, runPasses } from "../src/passes/inner.ts";
import { type Feeds, sizeOf, Tensor } from "../src/tensor/inner.ts";

const folder = new URL("goldens/aimet/", import.meta.url);

/** The text of a recorded file. */
export function recordedText(name: string): string {
  return readFileSync(fileURLToPath(new URL(name, folder)), "utf8");
}

const texts = JSON.parse(recordedText("models.json")) as Record<string, string>;

export const aimetModels: readonly string[] = Object.keys(texts);

/** Numbers from −0.5 to 0.5, the same as in the recording: x ← 1664525·x + 1013904223 modulo 2³². */
function numbers(seed: number, count: number): Float32Array {
  let x = seed;
  return Float32Array.from({ length: count }, () => {
    // The product exceeds 2⁵³, but not its two halves.
    x = (((1664525 * (x >>> 16)) % 65536) * 65536 + 1664525 * (x & 65535) + 1013904223) % 2 ** 32;
    return x / 2 ** 32 - 0.5;
  });
}

/** A model with the weights that the recording had: the i-th constant without numbers is filled from seed i. */
export function aimetModel(name: string): Promise<Model> {
  return filledModel(texts[name]!);
}

/** The same for the text of a model of another recording. */
export async function filledModel(text: string): Promise<Model> {
  const model = parseModel(text, { seed: 1 });
  const constants = /<([^>]*)> \{/.exec(text)![1]!.split(/, (?=\w+(?:\[|\s))/);
  const open = constants.filter((one) => !one.includes("=")).map((one) => one.trim().split(" ").at(-1)!);
  const values = model.graph.valuesByName();
  for (const [i, constant] of open.entries()) {
    const value = values.get(constant)!;
    const { shape } = value.initializer!;
    const filled = numbers(i + 1, sizeOf(shape));
    value.initializer = Tensor.float32(shape, constant === "var" ? filled.map((v) => Math.abs(v) + 0.5) : filled);
  }
  await runPasses(model, [hoistConstants]);
  return model;
}

/** The samples of the recording, each a batch of its own. */
export function aimetFeeds(model: Model, samples: number): Feeds[] {
  return Array.from({ length: samples }, (_, i) =>
    Object.fromEntries(
      model.graph.inputs.map(({ name, type }, k) => {
        const shape = staticShape(type)!;
        const filled = numbers(1000 * (k + 1) + i, sizeOf(shape));
        const ids = type?.kind === "tensor" && type.dtype === "int64";
        const tensor = ids
          ? Tensor.int64(
              shape,
              Array.from(filled, (v) => Math.floor(Math.fround(Math.fround(v + 0.5) * 20))),
            )
          : Tensor.float32(
              shape,
              filled.map((v) => 4 * v),
            );
        return [name, tensor];
      }),
    ),
  );
}

/** AIMET's names of the configurations that were recorded, and our names of the same. */
export const aimetTargets: Readonly<Record<string, string>> = {
  default: "aimet-default",
  "default-per-tensor": "aimet-default-per-tensor",
  ...Object.fromEntries(
    ["v66", "v68", "v69", "v73", "v81", "v85"].map((version) => [`htp_${version}`, `htp-${version}`]),
  ),
  enpu_v6: "enpu-v6",
  enpu_v7: "enpu-v7",
};
