/** A large file is read with its weights left on disk: the same model, and the same faults, as when all of it is read. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { AvocetError, Random } from "../../base/inner.ts";
import { addNode, diffModels, Graph, Model, tensorType } from "../../ir/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import { bytesSource } from "../byte-source.ts";
import { dataFilesOf, readModelFile, writeModelFile } from "../inner-node.ts";
import { readModel } from "../read.ts";
import { onnx } from "./read.ts";
import { withoutWeights } from "./without-weights.ts";
import { writeModel } from "./write.ts";

const folder = mkdtempSync(join(tmpdir(), "avocet-light-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Weights above and below the size that is left out, one that is not float, and something behind them. */
function model(width = 160): Model {
  const random = new Random(1);
  const graph = new Graph("light");
  const x = graph.addInput("x", tensorType("float32", ["N", width]));
  const floats = (shape: number[]) => {
    const size = shape.reduce((a, b) => a * b, 1);
    return Tensor.float32(
      shape,
      Float32Array.from({ length: size }, () => random.normal()),
    );
  };
  const large = graph.addInitializer("large", floats([width, width]));
  const small = graph.addInitializer("small", floats([width]));
  const order = Array.from({ length: 20_000 }, (_, i) => i % width);
  const index = graph.addInitializer("index", Tensor.int64([20_000], order));
  const y = addNode(graph, "Add", [addNode(graph, "MatMul", [x, large]).output, small]).output;
  const z = addNode(graph, "Gather", [y, index], { axis: 1 }).output;
  for (const value of [y, z]) {
    value.type = tensorType("float32", null);
    graph.addOutput(value);
  }
  const made = new Model(graph, [["", 17]]);
  made.metadata.set("kept", "too");
  return made;
}

const nowhere = (location: string): never => {
  throw new AvocetError("import/not-found", location, { at: "elsewhere" });
};

/** The model, or the code of the refusal. */
function outcome(read: () => Model): Model | string {
  try {
    return read();
  } catch (error) {
    if (AvocetError.is(error)) return error.code;
    throw error;
  }
}
const whole = (bytes: Uint8Array) => outcome(() => readModel(bytes, { name: "m.onnx", external: nowhere }));
const light = (bytes: Uint8Array) =>
  outcome(() => onnx.reader!.read(withoutWeights(bytesSource("m.onnx", bytes), nowhere) ?? { name: "m.onnx", bytes }));

test("the same model, of which a hundredth is read at first", () => {
  const bytes = writeModel(model());
  const source = bytesSource("m.onnx", bytes);
  const file = withoutWeights(source, nowhere)!;
  expect(file.bytes.length).toBeLessThan(bytes.length / 100);
  const read = onnx.reader!.read(file);
  expect(diffModels(readModel(bytes), read)).toEqual([]);
  // Written again, byte by byte: data that lies elsewhere is data of the file.
  expect(Buffer.compare(writeModel(read), bytes)).toBe(0);
});

test("damage is told as it is when the whole file is read", () => {
  const sound = writeModel(model());
  const random = new Random(7);
  const outcomes = { models: 0, refusals: 0 };
  // Where fields begin: the head of the file, of the graph, and around each large tensor.
  const places = [0, 200, ...boundaries(sound)];
  for (let i = 0; i < 400; i++) {
    const bytes = i % 8 === 0 ? sound.slice(0, random.integer(sound.length)) : sound.slice();
    for (let flips = i % 8 === 0 ? 0 : 1 + random.integer(2); flips > 0; flips--) {
      const at = Math.min(bytes.length - 1, places[random.integer(places.length)]! + random.integer(60));
      bytes[at] = bytes[at]! ^ (1 << random.integer(8));
    }
    const [one, other] = [whole(bytes), light(bytes)];
    if (typeof one === "string" || typeof other === "string") {
      expect(other, `variant ${i}`).toBe(one);
      outcomes.refusals++;
    } else {
      expect(diffModels(one, other), `variant ${i}`).toEqual([]);
      outcomes.models++;
    }
  }
  expect(Math.min(outcomes.models, outcomes.refusals)).toBeGreaterThan(20);
});

/** Where the names of the tensors stand. */
function* boundaries(bytes: Uint8Array): Iterable<number> {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  for (const name of ["large", "small", "index"]) {
    for (let at = text.indexOf(name); at >= 0; at = text.indexOf(name, at + 1)) yield Math.max(0, at - 30);
  }
}

test("from disk: the file itself holds no other's data, and is not written over while it is read from", () => {
  const path = join(folder, "large.onnx");
  // A file of zeros is as large as one of numbers, and made at once.
  const large = model();
  large.graph.addOutput(large.graph.addInitializer("huge", Tensor.float32([65e6], new Float32Array(65e6))));
  writeFileSync(path, writeModel(large));
  const before = process.memoryUsage.rss();
  const read = readModelFile(path);
  expect(process.memoryUsage.rss() - before).toBeLessThan(100e6);
  expect(dataFilesOf(read)).toEqual([]);
  const weight = read.graph.valuesByName().get("large")!.initializer!;
  expect(weight.floats().slice(0, 5)).toEqual(
    large.graph.valuesByName().get("large")!.initializer!.floats().slice(0, 5),
  );
  expect(() => writeModelFile(read, path)).toThrow(expect.objectContaining({ code: "output/is-input" }));
});
