/** The native door in Node: the suite of all runtimes, and what only it can do. */
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readModelFile } from "../../formats/inner-node.ts";
import { Tensor } from "../../tensor/inner.ts";
import { failure, model, quantizedLayer, runtimeSuite } from "../runtime-suite.ts";
import { openRuntime } from "./open-runtime.ts";
import { loadFailure } from "./ort-failure.ts";
import { packModel } from "./pack-model-node.ts";

const runtime = await openRuntime();

runtimeSuite("ort-node", runtime);

test("a provider whose libraries or device are not here is missing, not broken", () => {
  for (const said of [
    "OrtSessionOptionsAppendExecutionProvider_Cuda: Failed to load shared library",
    "adapter_result.status == wgpu::RequestAdapterStatus::Success was false. Failed to get a WebGPU adapter: No supported adapters",
  ]) {
    expect(loadFailure(new Error(said), "x.onnx")).toEqual(
      failure("runtime/missing", { message: expect.stringMatching(/got (cuda|webgpu)$/) }),
    );
  }
});

test("its build has a CPU at least", () => {
  expect(runtime.providers).toContain("cpu");
});

test("Q/DQ become integer kernels unless the option says no; the optimized graph can be had", async () => {
  const folder = mkdtempSync(join(tmpdir(), "avocet-test-"));
  const operators = async (fuseQdq: boolean) => {
    const path = join(folder, `${fuseQdq}.onnx`);
    await using _ = await runtime.open(quantizedLayer(), { fuseQdq, optimizedModelPath: path });
    return [...readModelFile(path).graph.nodes].map((node) => node.op);
  };
  try {
    expect(await operators(true)).toContain("QLinearMatMul");
    expect(await operators(false)).not.toContain("QLinearMatMul");
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a model too large for one file goes over the disk, and nothing stays there", async () => {
  const large = model("g (float[1, 512] x) => (float[1, 512] y) <float[512, 512] w> { y = MatMul(x, w) }", 3);
  const packed = await packModel(large, 1000);
  const path = packed.file as string;
  expect(readdirSync(join(path, "..")).length).toBeGreaterThan(1);
  const x = Tensor.float32(
    [1, 512],
    Float32Array.from({ length: 512 }, (_, i) => i / 512),
  );
  await using fromDisk = await runtime.open(path);
  await using fromBytes = await runtime.open(large);
  await packed.remove();
  expect(existsSync(path)).toBe(false);
  expect((await fromDisk.run({ x })).y!.data).toEqual((await fromBytes.run({ x })).y!.data);
});
