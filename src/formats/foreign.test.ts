/** What is no ONNX model is named, with the way to one: files by bytes and name, folders by what lies in them. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { fixture, missing } from "../../test/fixtures.ts";
import { AvocetError } from "../base/inner.ts";
import { readModelFile } from "./inner-node.ts";

const folder = mkdtempSync(join(tmpdir(), "avocet-foreign-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function failure(path: string): AvocetError {
  try {
    readModelFile(path);
  } catch (error) {
    if (AvocetError.is(error)) return error;
    throw error;
  }
  throw new Error(`${path} was read`);
}

/** A zip archive's first local header. */
const zip = (entry: string) =>
  `PK\x03\x04${"\0".repeat(22)}${String.fromCharCode(entry.length)}\0\0\0${entry}${"\0".repeat(40)}`;

const files: Record<string, [name: string, bytes: string, what: RegExp, way: RegExp]> = {
  "PyTorch's program": ["a.pt2", zip("a/archive_format"), /PyTorch program/, /openModel/],
  "PyTorch's zip": ["a.pt", zip("archive/data.pkl"), /PyTorch file/, /torch\.export\.save/],
  "PyTorch's zip under a name of no format": [
    "a.model",
    zip("archive/data.pkl"),
    /PyTorch file/,
    /torch\.export\.save/,
  ],
  "PyTorch's old pickle": ["a.pth", "\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.", /pickle/, /torch\.export\.save/],
  "TensorFlow's saved graph": ["saved_model.pb", "\x08\x01\x12\x80\x01\x0a\x10", /SavedModel/, /openModel/],
  "a SavedModel of another name": ["a.bin", "\x08\x01\x12\x80\x01\x0a\x10", /SavedModel/, /openModel/],
  "a frozen graph": ["frozen.bin", "\x0a\x20\x0a\x05input\x12\x0bPlaceholder", /TensorFlow graph/, /openModel/],
  "TensorFlow.js": ["model.json", '{"format": "graph-model", "modelTopology": {', /TensorFlow\.js/, /openModel/],
  "TensorFlow.js without a format": ["m.json", '{"modelTopology": {"node": [', /TensorFlow\.js/, /openModel/],
  safetensors: ["a.safetensors", '\x40\0\0\0\0\0\0\0{"w":{"dtype":"F32"', /safetensors/, /weights without a graph/],
  OpenVINO: ["a.xml", '<?xml version="1.0"?>\n<net name="a" version="11">', /OpenVINO/, /made from/],
  "JSON of something else": ["a.json", '{ "targte": "ort-cpu" }', /JSON/, /--recipe/],
  arrays: ["a.npz", zip("x.npy"), /NumPy arrays/, /--data/],
  "a picture": ["a.jpg", "\xff\xd8\xff\xe0\0\x10JFIF", /JPEG/, /--data/],
  "something unknown": ["a.bin", "\xfe\x01\x02\x03\x04\x05\x06\x07\x08\x01", /something else/, /export it/],
};

describe("files", () => {
  test.each(Object.entries(files))("%s", (_, [name, bytes, what, way]) => {
    const path = join(folder, name);
    writeFileSync(path, Buffer.from(bytes, "latin1"));
    const { code, message, detail } = failure(path);
    expect(code).toBe("import/unknown-format");
    expect(message).toMatch(what);
    expect(detail.hint).toMatch(way);
  });
});

const folders: Record<string, [names: string[], what: RegExp, way: RegExp]> = {
  "a SavedModel": [["saved_model.pb", "variables/variables.index"], /SavedModel/, /openModel/],
  "TensorFlow.js": [["model.json", "group1-shard1of1.bin"], /TensorFlow\.js/, /openModel/],
  "a Core ML package": [["Manifest.json", "Data/x"], /Core ML/, /made from/],
  "transformers.js": [["config.json", "onnx/model.onnx"], /a folder/, /onnx.model\.onnx/],
  "Hugging Face": [["config.json", "model.safetensors"], /Hugging Face/, /optimum-cli/],
  "a folder with a model": [["net.onnx"], /a folder/, /net\.onnx/],
  "a folder of quantize": [["model.onnx", "recipe.json"], /folder of quantize/, /model\.onnx/],
  "an empty folder": [[], /a folder/, /\.onnx file/],
};

describe("folders", () => {
  test.each(Object.entries(folders))("%s", (name, [names, what, way]) => {
    const path = join(folder, name.replace(/\W+/g, "-"));
    mkdirSync(path);
    for (const inner of names) {
      mkdirSync(dirname(join(path, inner)), { recursive: true });
      writeFileSync(join(path, inner), "x");
    }
    const { code, message, detail } = failure(path);
    expect(code).toBe("import/not-found");
    expect(message).toMatch(what);
    expect(detail.hint).toMatch(way);
  });
});

const real: Record<string, RegExp> = {
  "dtln-speech-enhancement/dtln_saved_model": /SavedModel/,
  "espnet-camvid/espnet_camvid.pt2": /PyTorch program/,
  "espnet-camvid/espnet_p_2_q_8_camvid.pth": /PyTorch|pickle/,
  "basic-pitch/tfjs": /TensorFlow\.js/,
  "mobilenetv1-025-imagenet/saved_model": /SavedModel/,
  "mobilenetv1-025-imagenet/tfjs/model.json": /TensorFlow\.js/,
};

describe("files that others wrote", () => {
  for (const [name, what] of Object.entries(real)) {
    test.skipIf(missing(name))(name, () => {
      expect(failure(fixture(name)).message).toMatch(what);
    });
  }
});
