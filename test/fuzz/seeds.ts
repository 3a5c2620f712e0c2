/** What is damaged: small models of our own making, and one or two sound files of every kind that is read. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { writeNpy, writeNpz } from "../../src/data/inner-files.ts";
import { readModel, writeModel } from "../../src/formats/inner.ts";
import { type Model, parseModel } from "../../src/ir/inner.ts";
import { ops, type StandardOp } from "../../src/ops/inner.ts";
import { targetFile, targetNames } from "../../src/quant/inner.ts";
import { Tensor } from "../../src/tensor/inner.ts";
import { blocks, graphOf, normBlocks } from "../block-graphs.ts";
import { existsAt, sampleOf, samples, specials } from "../operator-zoo.ts";
import { sampleReport } from "../sample-report.ts";
import { root } from "../source-files.ts";
import { patterns } from "./patterns.ts";

/** Models: every operator of the zoo in several opsets, what files hold next to operators, blocks, patterns of passes. */
export function seedModels(): Model[] {
  const models: Model[] = [];
  for (const op of Object.keys(samples) as StandardOp[]) {
    const opsets = [7, 13, 21, ops[op].versions.at(-1)!].filter((opset) => opset >= 7 && existsAt(op, opset));
    for (const opset of new Set(opsets)) models.push(sampleOf(op, opset));
  }
  for (const { text } of Object.values(specials)) models.push(parseModel(text, { seed: 2 }));
  const names = [...Object.keys(blocks), ...Object.keys(normBlocks)];
  for (const [i, name] of names.entries()) models.push(graphOf([name, names[(i * 7 + 3) % names.length]!, "norm"]));
  for (const text of patterns) models.push(parseModel(text, { seed: 4, positive: ["v"] }));
  return models;
}

/** Small files of ONNX Runtime's own quantizer. */
export function seedQuantized(): Model[] {
  const folder = join(root, "test/goldens/ort-quantizer");
  return readdirSync(folder).map((name) => readModel(new Uint8Array(readFileSync(join(folder, name))), { name }));
}

/** The same as files. */
export function seedFiles(models: readonly Model[]): Uint8Array[] {
  return models.map((model) => writeModel(model));
}

type Pictures = Readonly<Record<string, readonly { readonly data: string }[]>>;

/** One or more sound files by kind: bytes, texts and JSON. */
export function seedData() {
  const pictures = JSON.parse(readFileSync(join(root, "src/data/images/golden/images.json"), "utf8")) as Pictures;
  const decoded = (kind: string) =>
    (pictures[kind] ?? []).map(({ data }) => new Uint8Array(Buffer.from(data, "base64")));
  const floats = Tensor.float32(
    [4, 3],
    Array.from({ length: 12 }, (_, i) => i / 3),
  );
  const bytes = Tensor.of(
    "uint8",
    [2, 4, 4],
    Uint8Array.from({ length: 32 }, (_, i) => i),
  );
  return {
    jpeg: decoded("jpeg"),
    png: decoded("png"),
    npy: [writeNpy(floats), writeNpy(bytes)],
    npz: [writeNpz({ x: floats, y: bytes }), writeNpz({ x: floats }, { compress: true })],
    wav: [wav()],
    idx: [Uint8Array.from([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8])],
    labels: ["cat\ndog\ncat\nbird\n", "0\n1\n2\n1\n"],
    tokens: ['{"input_ids": [1, 2, 3], "mask": [1, 1, 0]}\n[4, 5, 6]\n', "[[1,2],[3]]"],
    spec: ["x.npy?every=5&first=100", "pictures?samples=20&dtype=float32&shape=-1,3,8,8&rate=16000"],
    pack: [{ images: [{ offset: 0, length: 600, label: 1, file: "a.jpg" }], pack: "p.jpgpack", classes: ["a", "b"] }],
    raw: [{ file: "x.u8", dtype: "uint8", shape: [-1, 4, 4], offset: 0 }],
    preprocess: [
      {
        resize: { size: [8, 8], filter: "bilinear" },
        mean: [0.5, 0.5, 0.5],
        std: [0.2, 0.2, 0.2],
        layout: "NCHW",
        color: "rgb",
      },
    ],
    recipe: [
      { target: "ort-cpu", weights: "int4", activations: "uint8", samples: 4, float: ["/conv/"], preset: "standard" },
      { target: targetFile(targetNames[1]!), calibration: "percentile:99.9", methods: [{ name: "gptq" }] },
    ],
    target: targetNames.slice(0, 4).map((name) => targetFile(name)),
    report: [sampleReport("a.onnx", 6)],
  };
}

/** A second of nothing much: 16 bits, mono. */
function wav(): Uint8Array {
  const view = new DataView(new ArrayBuffer(44 + 64));
  const text = (at: number, word: string) => new Uint8Array(view.buffer).set(new TextEncoder().encode(word), at);
  text(0, "RIFF");
  view.setUint32(4, 36 + 64, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, 16000, true);
  view.setUint32(28, 32000, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  text(36, "data");
  view.setUint32(40, 64, true);
  for (let i = 0; i < 32; i++) view.setInt16(44 + 2 * i, 1000 * i, true);
  return new Uint8Array(view.buffer);
}
