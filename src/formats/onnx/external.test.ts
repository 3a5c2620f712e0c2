/** External data: written aligned and sharded, read by range, never from outside the model's folder. */
import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { AvocetError } from "../../base/inner.ts";
import { addNode, Graph, Model, tensorType } from "../../ir/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import { bytesSource, readModel, writeModel } from "../inner.ts";
import { readModelFile, writeModelFile } from "../inner-node.ts";
import { bytesOf, encode } from "../protobuf/encode.ts";
import { modelToProto } from "./model-to-proto.ts";
import { modelType, type TensorProto } from "./schema.ts";

const root = mkdtempSync(join(tmpdir(), "avocet-external-"));
afterAll(() => rmSync(root, { recursive: true }));
let folder = "";
let count = 0;
beforeEach(() => {
  folder = join(root, `${count++}`);
  mkdirSync(folder);
});

/** y = x·a + b, with a small constant that stays in the file. */
function linear(): Model {
  const graph = new Graph("linear");
  const x = graph.addInput("x", tensorType("float32", [1, 64]));
  const ramp = (size: number) => Float32Array.from({ length: size }, (_, i) => Math.sin(i));
  const a = graph.addInitializer("a", Tensor.float32([64, 32], ramp(64 * 32)));
  const b = graph.addInitializer("b", Tensor.float32([1, 32], ramp(32)));
  const c = graph.addInitializer("c", Tensor.float32([32, 32], ramp(32 * 32)));
  const product = addNode(graph, "MatMul", [x, a]);
  const sum = addNode(graph, "Add", [product.output, b]);
  const y = addNode(graph, "MatMul", [sum.output, c], {}, { output: "y" });
  y.output.type = tensorType("float32", [1, 32]);
  graph.addOutput(y.output);
  return new Model(graph, [["", 21]]);
}

/** A model whose initializer names these external_data entries. */
function pointing(entries: Record<string, string>): Uint8Array {
  const proto = modelToProto(linear(), () => undefined);
  const tensor = proto.graph!.initializer[0] as TensorProto;
  delete tensor.rawData;
  tensor.dataLocation = 1;
  tensor.externalData = Object.entries(entries).map(([key, value]) => ({ key, value }));
  return bytesOf(encode(modelType, proto));
}

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (AvocetError.is(error)) return error.code;
    throw error;
  }
  return "no error";
}

async function outputOf(session: InferenceSession): Promise<unknown> {
  const { y } = await session.run({ x: new OrtTensor("float32", new Float32Array(64).fill(0.5), [1, 64]) });
  await session.release();
  return y!.data;
}

test("weights beside the model: aligned, lazily read, and the same for ONNX Runtime", async () => {
  const path = join(folder, "model.onnx");
  const written = writeModelFile(linear(), path, { externalData: "always" });
  const digest = createHash("sha256").update(readFileSync(written.data[0]!)).digest("hex").slice(0, 16);
  expect(written.data).toEqual([join(folder, `model.onnx.${digest}.data`)]);
  expect(readdirSync(folder).sort()).toEqual([`model.onnx.${digest}.data`, "model.onnx"].sort());
  // a takes 8,192 bytes from 0, c takes 4,096 from the next page; b (128 bytes) stays in the model.
  expect(readFileSync(written.data[0]!).length).toBe(8192 + 4096);
  expect(readFileSync(path).length).toBeLessThan(1200);
  const inside = await outputOf(await InferenceSession.create(writeModel(linear())));
  expect(await outputOf(await InferenceSession.create(path))).toEqual(inside);
  expect(writeModel(readModelFile(path))).toEqual(writeModel(linear()));
});

test("several data files, when one would be too long", async () => {
  const path = join(folder, "model.onnx");
  const written = writeModelFile(linear(), path, { externalData: "always", shardBytes: 8192 });
  expect(written.data.map((file) => readFileSync(file).length)).toEqual([8192, 4096]);
  const inside = await outputOf(await InferenceSession.create(writeModel(linear())));
  expect(await outputOf(await InferenceSession.create(path))).toEqual(inside);
});

test("a model that reads external data is copied from file to file", () => {
  const path = join(folder, "model.onnx");
  const original = writeModelFile(linear(), path, { externalData: "always" });
  const model = readModelFile(path);
  const copy = writeModelFile(model, join(folder, "copy.onnx"), { externalData: "always" });
  expect(readFileSync(copy.data[0]!)).toEqual(readFileSync(original.data[0]!));
  const single = join(folder, "single.onnx");
  expect(writeModelFile(model, single).data).toEqual([]);
  expect(new Uint8Array(readFileSync(single))).toEqual(writeModel(linear()));
});

test("data that the model is still read from is not replaced, nor a model written over it", () => {
  const path = join(folder, "model.onnx");
  const [data] = writeModelFile(linear(), path, { externalData: "always" }).data;
  const identity = () => [statSync(data!).ino, statSync(data!).mtimeMs];
  const [before, names] = [identity(), readdirSync(folder)];
  const model = readModelFile(path);
  writeModelFile(model, path, { externalData: "always" });
  expect(identity()).toEqual(before);
  expect(codeOf(() => writeModelFile(model, data!))).toBe("output/is-input");
  linkSync(data!, join(folder, "by-another-name.onnx"));
  expect(codeOf(() => writeModelFile(model, join(folder, "by-another-name.onnx")))).toBe("output/is-input");
  rmSync(join(folder, "by-another-name.onnx"));
  expect(readdirSync(folder)).toEqual(names);
});

test("a model that is replaced takes its data with it, except where another model reads it", () => {
  const path = join(folder, "model.onnx");
  const other = (seed: number) => {
    const model = linear();
    model.graph.valuesByName().get("a")!.initializer = Tensor.float32([64, 32], new Float32Array(2048).fill(seed));
    return model;
  };
  const [first] = writeModelFile(other(1), path, { externalData: "always" }).data;
  copyFileSync(path, join(folder, "copy.onnx"));
  const [second] = writeModelFile(other(2), path, { externalData: "always" }).data;
  const [third] = writeModelFile(other(3), path, { externalData: "always" }).data;
  const names = [first!, third!, path, join(folder, "copy.onnx")].map((file) => basename(file));
  expect(readdirSync(folder).sort()).toEqual(names.sort());
  expect(existsSync(second!)).toBe(false);
  expect(readModelFile(join(folder, "copy.onnx")).graph.valuesByName().get("a")!.initializer!.numbers()[0]).toBe(1);
});

test("data that changed since the model was read is noticed", () => {
  const path = join(folder, "model.onnx");
  const [data] = writeModelFile(linear(), path, { externalData: "always" }).data;
  const model = readModelFile(path);
  writeFileSync(data!, new Uint8Array(20000));
  expect(codeOf(() => model.graph.valuesByName().get("a")!.initializer!.data)).toBe("import/truncated");
});

test("nothing is left behind when writing fails", () => {
  writeFileSync(join(folder, "file"), "");
  expect(codeOf(() => writeModelFile(linear(), join(folder, "file", "model.onnx")))).toBe("output/not-writable");
  mkdirSync(join(folder, "model.onnx"));
  expect(codeOf(() => writeModelFile(linear(), join(folder, "model.onnx"), { externalData: "always" }))).toBe(
    "output/not-writable",
  );
  expect(readdirSync(folder).filter((name) => name.includes("tmp"))).toEqual([]);
});

describe("locations that are refused", () => {
  const outside = [
    "/etc/passwd",
    "../secret",
    "data/../../secret",
    "C:\\secret",
    "\\\\host\\share",
    "..\\secret",
    "a\0b",
  ];
  test.each(outside)("%j leads out", (location) => {
    writeFileSync(join(folder, "model.onnx"), pointing({ location }));
    expect(codeOf(() => readModelFile(join(folder, "model.onnx")))).toBe("import/path-escape");
  });

  test("a symbolic link that leads out, and one that stays", () => {
    const secret = join(root, "secret.data");
    writeFileSync(secret, new Uint8Array(8192));
    symlinkSync(secret, join(folder, "link.data"));
    writeFileSync(join(folder, "model.onnx"), pointing({ location: "link.data" }));
    expect(codeOf(() => readModelFile(join(folder, "model.onnx")))).toBe("import/path-escape");
    writeFileSync(join(folder, "real.data"), new Uint8Array(8192));
    symlinkSync(join(folder, "real.data"), join(folder, "inner.data"));
    writeFileSync(join(folder, "model.onnx"), pointing({ location: "inner.data" }));
    expect(readModelFile(join(folder, "model.onnx")).graph.nodeCount).toBe(3);
  });

  test("a folder that leads out through a link", () => {
    const away = join(root, `away-${count}`);
    mkdirSync(away);
    writeFileSync(join(away, "w.data"), new Uint8Array(8192));
    symlinkSync(away, join(folder, "sub"));
    writeFileSync(join(folder, "model.onnx"), pointing({ location: "sub/w.data" }));
    expect(codeOf(() => readModelFile(join(folder, "model.onnx")))).toBe("import/path-escape");
  });

  test("nothing there, a folder, and the folder itself", () => {
    mkdirSync(join(folder, "sub"));
    for (const [location, code] of [
      ["missing.data", "import/not-found"],
      ["sub", "import/not-found"],
      [".", "import/path-escape"],
      ["", "import/malformed"],
    ] as const) {
      writeFileSync(join(folder, "model.onnx"), pointing({ location }));
      expect(
        codeOf(() => readModelFile(join(folder, "model.onnx"))),
        location,
      ).toBe(code);
    }
  });
});

describe("offsets and lengths are checked before anything is read", () => {
  const data = bytesSource("w.data", new Uint8Array(10000));
  const cases: readonly [Record<string, string>, string][] = [
    [{ offset: "0", length: "8192" }, "no error"],
    [{ offset: "1808" }, "no error"],
    [{ offset: "1809" }, "import/truncated"],
    [{ offset: "-1" }, "import/malformed"],
    [{ offset: "1e3" }, "import/malformed"],
    [{ offset: "99999999999999999999" }, "import/malformed"],
    [{ length: "8191" }, "import/malformed"],
    [{ length: "99999999999" }, "import/malformed"],
  ];
  test.each(cases)("%j: %s", (entries, code) => {
    const bytes = pointing({ location: "w.data", ...entries });
    expect(codeOf(() => readModel(bytes, { external: () => data }))).toBe(code);
  });

  test("a model's bytes alone", () => {
    expect(codeOf(() => readModel(pointing({ location: "w.data" })))).toBe("import/not-found");
  });
});

test("the file that is read is not changed, and no temporary file stays", () => {
  const path = join(folder, "model.onnx");
  writeModelFile(linear(), path);
  const before = readFileSync(path);
  writeModelFile(readModelFile(path), path);
  expect(readFileSync(path)).toEqual(before);
  expect(existsSync(join(folder, "model.onnx.data"))).toBe(false);
  expect(readdirSync(folder)).toEqual(["model.onnx"]);
});
