/** Files of other frameworks: each target damages one file of a sound model and opens it as a program does. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { AvocetError, type Random } from "../../src/base/inner.ts";
import { bytesSource, limits, openModel, writeModel } from "../../src/formats/inner.ts";
import { initializersOf } from "../../src/formats/onnx/shards.ts";
import { bytesOf, encode } from "../../src/formats/protobuf/encode.ts";
import { readStateDict } from "../../src/formats/pytorch/state-dict.ts";
import { readSafetensors } from "../../src/formats/safetensors/read.ts";
import { graphType } from "../../src/formats/tensorflow/schema.ts";
import { graphFromJson, type Json } from "../../src/formats/tfjs/json.ts";
import { check, type Model } from "../../src/ir/inner.ts";
import { kerasCases } from "../keras-cases.ts";
import { root } from "../source-files.ts";
import type { Target } from "./mutant.ts";
import { mutateArchive } from "./mutate-archive.ts";
import { mutateBytes, mutateJson } from "./mutate-bytes.ts";
import { mutateProto } from "./mutate-proto.ts";

/** A model as files by name; the first is opened. */
type Seed = ReadonlyMap<string, Uint8Array>;
type Mutate = (bytes: Uint8Array, random: Random) => Uint8Array;

const golden = (path: string) => new Uint8Array(readFileSync(join(root, "src/formats", path)));
const json = (path: string) => {
  const bytes = golden(path);
  return JSON.parse(Buffer.from(path.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString());
};
const text = new TextEncoder();
const base64 = (packed: string) => new Uint8Array(Buffer.from(packed, "base64"));
const alone = (name: string, bytes: Uint8Array): Seed => new Map([[name, bytes]]);
const pick = <T>(list: readonly T[], random: Random): T => list[random.integer(list.length)]!;

/** Opens and writes the model; of its weights those that a test may hold are looked at. */
async function open(files: Seed): Promise<void> {
  const [name, bytes] = [...files][0]!;
  const external = (location: string) => {
    const found = files.get(location);
    if (found) return bytesSource(location, found);
    throw new AvocetError("import/not-found", `expected ${location}, got nothing there`, { at: name });
  };
  const model: Model = await openModel(bytes, { name, external });
  check(model);
  const size = [...initializersOf(model)].reduce((sum, { byteLength }) => sum + byteLength, 0);
  if (size < 1e7) writeModel(model);
}

/** One file of a seed is damaged, by a way that suits it. */
function ofFiles(
  seeds: readonly Seed[],
  mutate: (name: string) => Mutate,
  run: (files: Seed) => Promise<void> | void = open,
): Target {
  return (random) => {
    const seed = pick(seeds, random);
    const name = pick([...seed.keys()], random);
    const bytes = mutate(name)(seed.get(name)!, random);
    return { bytes, ending: name.split(".").at(-1)!, run: () => run(new Map(seed).set(name, bytes)) };
  };
}

const either =
  (a: Mutate, b: Mutate): Mutate =>
  (bytes, random) =>
    (random.integer(2) === 0 ? a : b)(bytes, random);

const damagedJson: Mutate = (bytes, random) =>
  text.encode(mutateJson(JSON.parse(new TextDecoder().decode(bytes)), random));

/** The header of a safetensors file as JSON, with its length made right again. */
const damagedHeader: Mutate = (bytes, random) => {
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const header = damagedJson(bytes.subarray(8, 8 + length), random);
  const made = Buffer.concat([Buffer.alloc(8), header, bytes.subarray(8 + length)]);
  made.writeUInt32LE(header.length, 0);
  return new Uint8Array(made);
};

function folderSeed(path: string): Seed {
  const names = readdirSync(join(root, "src/formats", path)).sort((a) => (a === "config.json" ? -1 : 1));
  return new Map(
    names.filter((name) => name !== "logits.json").map((name) => [name, golden(`${path}/${name}`)] as const),
  );
}

const byEnding = (name: string): Mutate =>
  name.endsWith(".json")
    ? damagedJson
    : name.endsWith(".safetensors")
      ? either(mutateBytes, damagedHeader)
      : name.endsWith(".pb") || name.endsWith(".index")
        ? either(mutateBytes, mutateProto)
        : mutateBytes;

type TfCase = { readonly graph: Json };

/** A step of tiny weights is not worth more than this much of a mutant's time. */
const weightsOf = (tensors: ReadonlyMap<string, { readonly byteLength: number; readonly data: unknown }>) => {
  for (const tensor of tensors.values()) if (tensor.byteLength < limits.tensorBytes / 4096) void tensor.data;
};

export function foreignTargets(): Readonly<Record<string, Target>> {
  const programs = [
    ...Object.values(json("pytorch/golden/archives.json.gz") as Record<string, { program: string }>).map(
      ({ program }) => program,
    ),
    ...(json("pytorch/golden/operators.json.gz") as { programs: Record<string, string> }[]).map(
      ({ programs }) => programs["as exported"]!,
    ),
  ].map((hex) => alone("m.pt2", new Uint8Array(Buffer.from(hex, "hex"))));
  const weights = Object.values(json("pytorch/golden/weights.json") as Record<string, { file: string }>).map(
    ({ file }) => base64(file),
  );
  const saved = json("tensorflow/golden/saved.json").saved.files as Record<string, string>;
  const graphs = (json("tensorflow/golden/operators.json").cases as TfCase[]).map(({ graph }) => graph);
  const lite = (json("tflite/golden/operators.json.gz") as { model: string }[]).map(({ model }) =>
    alone("m.tflite", base64(model)),
  );
  const keras = (ending: string) =>
    kerasCases.filter(({ file }) => file.endsWith(ending)).map(({ file, bytes }) => alone(file, bytes));
  const tfjs = (graph: Json) =>
    text.encode(JSON.stringify({ format: "graph-model", modelTopology: graph, weightsManifest: [] }));
  return {
    pt2: ofFiles(programs, () => mutateArchive),
    pth: ofFiles(
      weights.map((bytes) => alone("w.pth", bytes)),
      () => (bytes, random) => (bytes[0] === 0x50 ? mutateArchive : mutateBytes)(bytes, random),
      (files) => weightsOf(readStateDict(bytesSource("w.pth", files.get("w.pth")!)).tensors),
    ),
    savedmodel: ofFiles(
      [new Map(Object.entries(saved).map(([name, file]) => [name, base64(file)] as const))],
      byEnding,
    ),
    frozenpb: ofFiles(
      graphs.map((graph) => alone("m.pb", bytesOf(encode(graphType, graphFromJson(graph, "m.pb"))))),
      () => either(mutateBytes, mutateProto),
    ),
    tfjs: ofFiles(
      graphs.map((graph) => alone("model.json", tfjs(graph))),
      () => damagedJson,
    ),
    keras: ofFiles(keras(".keras"), () => mutateArchive),
    kerash5: ofFiles(keras(".h5"), () => mutateBytes),
    tflite: ofFiles(lite, () => mutateBytes),
    gguf: ofFiles([alone("m.gguf", golden("decoder/golden/llama.gguf"))], () => mutateBytes),
    safetensors: ofFiles([alone("w.safetensors", golden("safetensors/golden/types.safetensors"))], byEnding, (files) =>
      weightsOf(readSafetensors(bytesSource("w.safetensors", files.get("w.safetensors")!)).tensors),
    ),
    hfolder: ofFiles(
      ["llama", "llama3", "mistral", "qwen2", "qwen3"].map((name) => folderSeed(`decoder/golden/${name}`)),
      byEnding,
    ),
  };
}
