/** What is given to the runtime in pieces: large files that hold their weights. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { writeModel } from "../../formats/inner.ts";
import { parseModel } from "../../ir/inner.ts";
import { largeModel, packModel } from "./pack-model-node.ts";

const folder = mkdtempSync(join(tmpdir(), "avocet-pack-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("a large file is read, so that its weights are mapped; small ones, and what is none of ours, are left to the runtime", async () => {
  const model = parseModel("f (float[N,64] x) => (float[N,64] y) <float[64,64] w> { y = MatMul(x, w) }", { seed: 1 });
  const path = join(folder, "model.onnx");
  writeFileSync(path, writeModel(model));
  expect(largeModel(path)).toBeUndefined();
  const large = largeModel(path, 10_000)!;
  expect(large.graph.nodeCount).toBe(1);
  const packed = await packModel(large, 10_000);
  expect(packed.file).toMatch(/\.onnx$/);
  await packed.remove();
  const junk = join(folder, "junk.onnx");
  writeFileSync(junk, new Uint8Array(20_000));
  expect(largeModel(junk, 10_000)).toBeUndefined();
  expect(largeModel(join(folder, "nothing.onnx"), 10_000)).toBeUndefined();
});
