/** Files are told by content: every format of the list is read from bytes and from disk, under any name. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { cloneModel, parseModel, printModel } from "../ir/inner.ts";
import { openRuntime } from "../runtime/inner.ts";
import { Tensor } from "../tensor/inner.ts";
import { readModel, sources, writeModel } from "./inner.ts";
import { readModelFile } from "./inner-node.ts";

const folder = mkdtempSync(join(tmpdir(), "avocet-sources-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const model = parseModel("f (float[2] x) => (float[2] y) <float[2] c = {1.5, -2.0}> { y = Add(x, c) }");
const spellings: Record<string, Uint8Array> = {
  onnx: writeModel(cloneModel(model)),
  "onnx-text": new TextEncoder().encode(printModel(model, { tensors: "full" })),
};

/** Formats that hold no graph of any kind, or one of other operators: the tests in their folders have files of theirs. */
const withoutSpelling = ["gguf", "hugging-face", "tflite"];

test("every format has a spelling here", () => {
  expect([...Object.keys(spellings), ...withoutSpelling].sort()).toEqual(sources.map((format) => format.name).sort());
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

test("faults of a text name file, line and column", () => {
  const path = join(folder, "bad.onnxtxt");
  writeFileSync(path, "f (float[2] x) => (float[2] y) {\n  y = Add(x x)\n}");
  expect(() => readModelFile(path)).toThrow(
    expect.objectContaining({ detail: expect.objectContaining({ at: `${path}:2:13` }) }),
  );
});
