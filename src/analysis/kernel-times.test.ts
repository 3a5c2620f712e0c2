/** Profiles by hand, and one that the runtime writes. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { seededFeeds } from "../../test/same-outputs.ts";
import { parseModel } from "../ir/inner.ts";
import { openRuntime } from "../runtime/inner.ts";
import { type KernelTime, kernelLosses, kernelTimes } from "./kernel-times.ts";

const event = (name: string, op: string, dur: number, cat = "Node") => ({ cat, name, dur, args: { op_name: op } });

test("the shortest run of each operator counts, and nothing but operators", () => {
  const profile = JSON.stringify([
    event("model_run", "", 9000, "Session"),
    event("c_kernel_time", "Conv", 300),
    event("c_fence_before", "Conv", 1),
    event("p_kernel_time", "MaxPool", 40),
    event("c_kernel_time", "Conv", 200),
    event("c_kernel_time", "Conv", 250),
  ]);
  expect(kernelTimes(profile)).toEqual([
    { node: "c", op: "Conv", ms: 0.2 },
    { node: "p", op: "MaxPool", ms: 0.04 },
  ]);
});

const times = (...of: [op: string, ms: number][]): KernelTime[] => of.map(([op, ms], i) => ({ node: `n${i}`, op, ms }));

test("families are compared, whatever they are fused with, and the largest loss comes first", () => {
  const float = times(["FusedConv", 2], ["Conv", 1], ["AveragePool", 0.1], ["FusedMatMul", 1], ["ReorderInput", 0.3]);
  const quantized = times(
    ["QLinearConv", 1],
    ["QLinearAveragePool", 0.7],
    ["QGemm", 0.8],
    ["QuantizeLinear", 0.3],
    ["DequantizeLinear", 0.5],
    ["Transpose", 0.31],
  );
  // In all float takes 4.4: a changed layout, 0.01 more, is below three hundredths of it.
  expect(kernelLosses(float, quantized)).toEqual([
    { kernel: "DequantizeLinear", node: "n4", float: 0, quantized: 0.8 },
    { kernel: "QLinearAveragePool", node: "n1", float: 0.1, quantized: 0.7 },
  ]);
  expect(kernelLosses(float, float)).toEqual([]);
});

test("the runtime's own profile has every operator that runs", async () => {
  const text = `<ir_version: 8, opset_import: ["" : 17]> g (float[1,4,8,8] x) => (float[1,4,4,4] y) <float[4,4,3,3] w> {
    [first] c = Conv <pads = [1,1,1,1]> (x, w) [second] y = MaxPool <kernel_shape = [2,2], strides = [2,2]> (c) }`;
  const model = parseModel(text, { seed: 1 });
  const folder = mkdtempSync(join(tmpdir(), "avocet-profile-"));
  try {
    {
      await using session = await (await openRuntime()).open(model, {
        profilePath: join(folder, "profile"),
        optimization: "basic",
      });
      for (let run = 0; run < 3; run++) await session.run(seededFeeds(model));
    }
    const found = kernelTimes(readFileSync(join(folder, readdirSync(folder)[0]!), "utf8"));
    expect(found.map(({ node, op }) => [node, op])).toEqual([
      ["first", "Conv"],
      ["second", "MaxPool"],
    ]);
    expect(found.every(({ ms }) => ms > 0)).toBe(true);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("ort-web writes no profile", async () => {
  const model = parseModel(`<ir_version: 8, opset_import: ["" : 17]> g (float x) => (float y) { y = Neg(x) }`);
  const opened = (await openRuntime("ort-web")).open(model, { profilePath: "profile" });
  await expect(opened).rejects.toMatchObject({ code: "usage/bad-value", detail: { at: "profile" } });
});
