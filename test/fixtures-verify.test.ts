/**
 * Real networks through the command line: the shipped file decides in a stock session as it does simulated, and
 * whatever ONNX Runtime leaves in float is in the report with its reason, counted off the graph that it writes itself.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { networkInputs } from "../examples/pictures/dataset.mjs";
import { writeNpy } from "../src/data/inner-files.ts";
import { readModelFile } from "../src/formats/inner-node.ts";
import { openRuntime } from "../src/runtime/inner.ts";
import { Tensor } from "../src/tensor/inner.ts";
import { avocetJson } from "./command-line.ts";
import { fixture, missing } from "./fixtures.ts";
import { root } from "./source-files.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "avocet-verify-"));
  const pieces = [...networkInputs("calibration", 100)].map(({ image }) => image!.floats());
  const all = new Float32Array(pieces.length * pieces[0]!.length);
  for (const [i, piece] of pieces.entries()) all.set(piece, i * piece.length);
  writeFileSync(join(folder, "pictures.npy"), writeNpy(Tensor.float32([100, 3, 48, 48], all)));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const preprocess = (name: string) => ["--preprocess", join(root, "bench", "preprocess", name)];

interface Case {
  readonly needs: readonly string[];
  readonly model: () => string;
  readonly calibrate: () => string[];
  readonly judge: () => string[];
}

const cases: Record<string, Case> = {
  "bundled example": {
    needs: [],
    model: () => join(root, "examples", "models", "pictures.onnx"),
    calibrate: () => ["--data", join(folder, "pictures.npy?first=60")],
    judge: () => ["--data", join(folder, "pictures.npy")],
  },
  "ResNet-20": {
    needs: [
      "cifar10/resnet20_cifar10jpeg_finetuned.onnx",
      "cifar10/test_jpegq75_x.u8",
      "cifar10/train_jpegq75_5000_x.u8",
    ],
    model: () => fixture("cifar10/resnet20_cifar10jpeg_finetuned.onnx"),
    calibrate: () => [
      "--data",
      fixture("cifar10/train_jpegq75_5000_x.u8?shape=-1,32,32,3&first=60"),
      ...preprocess("cifar10-resnet.json"),
    ],
    judge: () => ["--data", fixture("cifar10/test_jpegq75_x.u8?shape=-1,32,32,3&first=400")],
  },
  "MobileNetV1-0.25": {
    needs: ["mobilenetv1-025-imagenet/mobilenet_v1_0.25_224.onnx", "imagenet1k-sample/index.json"],
    model: () => fixture("mobilenetv1-025-imagenet/mobilenet_v1_0.25_224.onnx"),
    calibrate: () => ["--data", fixture("imagenet1k-sample/index.json?every=20"), ...preprocess("mobilenet-v1.json")],
    judge: () => ["--data", fixture("imagenet1k-sample/index.json?except-every=5&samples=200")],
  },
};

describe("real networks through the command line", () => {
  for (const [name, { needs, model, calibrate, judge }] of Object.entries(cases)) {
    const reason = missing(...needs);
    test.skipIf(reason)(`${name}${reason ? ` (${reason})` : ""}`, async () => {
      const out = join(folder, name);
      const made = await avocetJson(["quantize", model(), ...calibrate(), "-o", out, "--quiet"]);
      expect(made.code, made.out).toBe(0);
      const { json } = await avocetJson(["verify", out, ...judge(), "--quiet"]);
      expect(json.agreement.simulation).toBeGreaterThanOrEqual(0.99);
      const kernels = await kernelsOf(join(out, "model.onnx"));
      const report = JSON.parse(readFileSync(join(out, "report.json"), "utf8"));
      expect({ integer: report.kernels.integer, float: report.kernels.float.length }).toEqual(kernels);
      expect({ integer: json.integerKernels, float: json.floatKernels.length }).toEqual(kernels);
      for (const { node, reason: why } of report.kernels.float) {
        expect(node).toMatch(/^(Conv|ConvTranspose|Gemm|MatMul) /);
        expect(why).not.toMatch(/^$|does not know/);
      }
    });
  }
});

/** Products of the file, and how many of them are integer kernels in what ONNX Runtime makes of it. */
async function kernelsOf(path: string): Promise<{ integer: number; float: number }> {
  const optimized = join(folder, "optimized.onnx");
  await using _session = await (await openRuntime()).open(path, { optimizedModelPath: optimized });
  const count = (file: string, ops: readonly string[]) =>
    [...readModelFile(file).graph.nodes].filter(({ op }) => ops.includes(op)).length;
  const products = count(path, ["Conv", "ConvTranspose", "Gemm", "MatMul"]);
  const integer = count(optimized, ["QLinearConv", "QGemm", "QLinearMatMul", "MatMulIntegerToFloat", "MatMulNBits"]);
  return { integer, float: products - integer };
}
