/** Files are told by content: every format of the list is read from bytes and from disk, under any name. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { cloneModel, parseModel, printModel } from "../ir/inner.ts";
import { openRuntime } from "../runtime/inner.ts";
import { Tensor } from "../tensor/inner.ts";
import { openModel as openBytes, readModel, sources, writeModel } from "./inner.ts";
import { openModel, readModelFile } from "./inner-node.ts";

const folder = mkdtempSync(join(tmpdir(), "avocet-sources-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const model = parseModel("f (float[2] x) => (float[2] y) <float[2] c = {1.5, -2.0}> { y = Add(x, c) }");
const spellings: Record<string, Uint8Array> = {
  onnx: writeModel(cloneModel(model)),
  "onnx-text": new TextEncoder().encode(printModel(model, { tensors: "full" })),
};

/** Foreign formats hold other graphs: the tests of their folders have files of theirs. */
const ownTests = [
  "frozen-graph",
  "gguf",
  "hugging-face",
  "keras",
  "keras-h5",
  "pytorch-program",
  "saved-model",
  "tfjs-graph",
  "tfjs-layers",
  "tflite",
];

test("every format has a spelling here", () => {
  expect([...Object.keys(spellings), ...ownTests].sort()).toEqual(sources.map((format) => format.name).sort());
});

describe.each(Object.entries(spellings))("%s", (name, bytes) => {
  test("is recognised by one format only, whatever the file is called", () => {
    for (const file of ["a.onnx", "a.model", "a"]) {
      expect(sources.filter((format) => format.recognises(bytes, file)).map((format) => format.name)).toEqual([name]);
    }
  });

  test("gives the same model from bytes and from disk, and runtimes open its path", async () => {
    const path = join(folder, `${name}.model`);
    writeFileSync(path, bytes);
    const expected = printModel(model, { tensors: "full" });
    expect(printModel(readModel(bytes), { tensors: "full" })).toBe(expected);
    expect(printModel(readModelFile(path), { tensors: "full" })).toBe(expected);
    for (const kind of ["ort-node", "ort-web"] as const) {
      const runtime = await openRuntime(kind);
      await using session = await runtime.open(path);
      const { y } = await session.run({ x: Tensor.float32([2], [1, 1]) });
      expect(y?.numbers()).toEqual([2.5, -1]);
    }
  });
});

test("what is loaded when it is needed is opened by openModel, and readModel says so", async () => {
  const gguf = readFileSync(join(import.meta.dirname, "decoder/golden/llama.gguf"));
  expect(() => readModel(gguf)).toThrow(
    expect.objectContaining({
      code: "import/unknown-format",
      message: expect.stringMatching(/got a GGUF file/),
      detail: expect.objectContaining({ hint: "await openModel(bytes) reads it" }),
    }),
  );
  expect((await openBytes(gguf)).graph.nodeCount).toBeGreaterThan(10);
  expect(printModel(await openBytes(spellings["onnx-text"]!))).toBe(printModel(model));
});

test("a folder that is one model is opened by its main file, in runtimes too", async () => {
  const path = join(import.meta.dirname, "decoder/golden/qwen2");
  const opened = await openModel(path);
  expect(opened.source).toBe(join(path, "config.json"));
  expect(printModel(opened)).toBe(printModel(await openModel(join(path, "config.json"))));
  for (const kind of ["ort-node", "ort-web"] as const) {
    const runtime = await openRuntime(kind);
    await using session = await runtime.open(path);
    expect(session.inputs.map(({ name }) => name)).toContain("input_ids");
  }
});

test("faults of a text name file, line and column", () => {
  const path = join(folder, "bad.onnxtxt");
  writeFileSync(path, "f (float[2] x) => (float[2] y) {\n  y = Add(x x)\n}");
  expect(() => readModelFile(path)).toThrow(
    expect.objectContaining({ detail: expect.objectContaining({ at: `${path}:2:13` }) }),
  );
});
