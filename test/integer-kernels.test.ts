/**
 * The promise of the target ort-cpu on real networks: ONNX Runtime runs every convolution and matrix product of the shipped file
 * on integers, or the report says why not; none can saturate on processors without VNNI; stock session and simulation agree.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { fromArray } from "../src/data/inner.ts";
import { readModelFile, writeModelFile } from "../src/formats/inner-node.ts";
import { normalise } from "../src/passes/inner.ts";
import { builtinTarget, calibrate, kernelReport, lower, place, saturatingPairs } from "../src/quant/inner.ts";
import { openRuntime, traceShapes } from "../src/runtime/inner.ts";
import { fixture, missing } from "./fixtures.ts";
import { outputsOf, seededFeeds } from "./same-outputs.ts";

interface Expected {
  readonly file: string;
  readonly integer: number;
  readonly float: readonly string[];
}

const noKernel =
  "ONNX Runtime has no integer kernel for it on CPU: a quantized weight would be turned back into float at every run";

const narrow = "a Conv of fewer than 4 input channels is faster in float than on integers";

const narrowDepthwise = "a depthwise Conv of fewer than 16 channels is faster in float than on integers";

const scores = "it gives scores at one position: integers of Conv would make ties, and float takes no longer";
const networks: Record<string, Expected> = {
  "ResNet-20": { file: "cifar10/resnet20_cifar10jpeg_finetuned.onnx", integer: 19, float: [narrow] },
  "MobileNetV1-0.25": {
    file: "mobilenetv1-025-imagenet/mobilenet_v1_0.25_224.onnx",
    integer: 25,
    float: [narrow, narrowDepthwise, scores],
  },
  ESPNet: {
    file: "espnet-camvid/espnet_camvid.onnx",
    integer: 76,
    // Between the transposed convolutions five dilated ones read two channels, which float kernels compute in a quarter of the time.
    float: [narrow, noKernel, narrow, narrow, narrow, narrow, narrow, noKernel, noKernel],
  },
  FastestDet: { file: "fastestdet-coco/FastestDet.onnx", integer: 69, float: [narrow] },
};

for (const [name, { file, integer, float: floats }] of Object.entries(networks)) {
  const reason = missing(file);
  test.skipIf(reason)(`${name}${reason ? ` (${reason})` : ""}`, async () => {
    const runtime = await openRuntime();
    const float = readModelFile(fixture(file));
    await normalise(float, { runtime });
    // Where quantizers sit and what is fused does not depend on the data, so seeded noise will do.
    const feeds = seededFeeds(float, { dims: { N: 1 } });
    const [[input, tensor]] = Object.entries(feeds) as [[string, (typeof feeds)[string]]];
    const placed = place(float, builtinTarget("ort-cpu"), { shapes: await traceShapes(float, runtime, feeds) });
    const data = fromArray(input, tensor.shape, tensor.floats());
    const { plan } = await calibrate(float, placed, runtime, data, { scheme: "minmax" });
    const lowered = lower(float, plan);
    const shipped = lowered.model;
    const folder = mkdtempSync(join(tmpdir(), "avocet-test-"));
    try {
      writeModelFile(shipped, join(folder, "model.onnx"));
      await using _session = await runtime.open(join(folder, "model.onnx"), {
        optimizedModelPath: join(folder, "optimized.onnx"),
      });
      const findings = kernelReport(lowered, readModelFile(join(folder, "optimized.onnx")), plan);
      expect(findings.filter((f) => f.integer).length).toBe(integer);
      expect(findings.filter((f) => !f.integer).map((f) => f.reason)).toEqual(floats);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
    expect(saturatingPairs(shipped)).toEqual([]);
    const stock = await outputsOf(shipped, feeds, { optimization: "full" });
    const simulated = await outputsOf(shipped, feeds);
    for (const [output, expected] of Object.entries(simulated)) {
      const [a, b] = [stock[output]!.numbers(), expected.numbers()];
      const noise = a.reduce((sum, x, i) => sum + (x - b[i]!) ** 2, 0);
      const signal = b.reduce((sum, x) => sum + x * x, 0);
      // Kernels round once where simulation rounds in float32: single steps at ties, 25 dB or more below the signal.
      expect(10 * Math.log10(signal / (noise + 1e-30))).toBeGreaterThan(25);
    }
  });
}
