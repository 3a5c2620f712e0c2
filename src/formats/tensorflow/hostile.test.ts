/** Damaged and hostile TensorFlow files: an AvocetError or a model that is whole, never a crash, a hang or a full memory. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { AvocetError, Random } from "../../base/inner.ts";
import { check, type Model } from "../../ir/inner.ts";
import { bytesSource } from "../byte-source.ts";
import { initializersOf } from "../onnx/shards.ts";
import { bytesOf, encode } from "../protobuf/encode.ts";
import type { Json } from "../tfjs/json.ts";
import { tfjsGraph } from "../tfjs/read.ts";
import { Bundle } from "./bundle.ts";
import { frozenGraph, savedModel } from "./read.ts";
import { bundleEntryType, type GraphProto, graphType, type NodeProto, savedModelType } from "./schema.ts";
import { readTable } from "./table.ts";

const golden = (name: string) => JSON.parse(readFileSync(new URL(`golden/${name}.json`, import.meta.url), "utf8"));
const files = new Map<string, Uint8Array>(
  Object.entries<string>(golden("saved").saved.files).map(([name, text]) => [
    name,
    new Uint8Array(Buffer.from(text, "base64")),
  ]),
);
const pb = files.get("saved_model.pb")!;
const index = files.get("variables/variables.index")!;

const among = (all: ReadonlyMap<string, Uint8Array>) => (location: string) => {
  const bytes = all.get(location);
  if (!bytes) throw new AvocetError("import/not-found", `expected ${location}, got nothing`, { at: location });
  return bytesSource(location, bytes);
};

const readSaved = (bytes: Uint8Array, all: ReadonlyMap<string, Uint8Array> = files): Model =>
  savedModel.read({ name: "saved_model.pb", bytes, external: among(all) });

/** Runs to the end, or ends with an AvocetError; weights that are small enough are looked at. */
function attempt(read: () => Model): AvocetError | Model {
  try {
    const model = read();
    check(model);
    for (const tensor of initializersOf(model)) if (tensor.byteLength < 1e6) void tensor.data;
    return model;
  } catch (error) {
    if (AvocetError.is(error)) return error;
    throw error;
  }
}

function errorOf(read: () => Model): AvocetError {
  const result = attempt(read);
  if (AvocetError.is(result)) return result;
  throw new Error("expected an error");
}

/** Some bytes changed, cut out, repeated, or the end cut off. */
function mutant(bytes: Uint8Array, random: Random): Uint8Array {
  const made = Uint8Array.from(bytes);
  const kind = random.integer(6);
  const at = random.integer(bytes.length);
  if (kind === 0) return made.subarray(0, at);
  if (kind === 1)
    return Uint8Array.from([
      ...made.subarray(0, at),
      ...made.subarray(Math.min(at + 1 + random.integer(16), made.length)),
    ]);
  if (kind === 2)
    return Uint8Array.from([...made.subarray(0, at), ...made.subarray(Math.max(0, at - 1 - random.integer(32)))]);
  for (let i = 0; i <= random.integer(4); i++) {
    const place = random.integer(bytes.length);
    made[place] = kind === 3 ? 0xff : kind === 4 ? made[place]! ^ (1 << random.integer(8)) : random.integer(256);
  }
  return made;
}

/** More with AVOCET_MUTANTS=5000. */
const mutants = Number(process.env.AVOCET_MUTANTS ?? 250);

describe("seeded mutants", () => {
  test("of the graph of a SavedModel", () => {
    const random = new Random(31);
    for (let i = 0; i < mutants; i++) attempt(() => readSaved(mutant(pb, random)));
  }, 600_000);

  test("of its variables", () => {
    const random = new Random(32);
    let refused = 0;
    for (let i = 0; i < mutants; i++) {
      const name = i % 4 === 0 ? "variables/variables.data-00000-of-00001" : "variables/variables.index";
      const changed = new Map(files).set(name, mutant(files.get(name)!, random));
      if (AvocetError.is(attempt(() => readSaved(pb, changed)))) refused++;
    }
    expect(refused).toBeGreaterThan(mutants / 4);
  }, 600_000);

  test("of TensorFlow.js graphs", () => {
    const random = new Random(33);
    const cases = golden("operators").cases as readonly {
      readonly graph: Json;
      readonly outputs: readonly { readonly from: string }[];
    }[];
    for (let i = 0; i < mutants; i++) {
      const { graph } = cases[random.integer(cases.length)]!;
      const text = new TextEncoder().encode(
        JSON.stringify({ format: "graph-model", modelTopology: graph, weightsManifest: [] }),
      );
      attempt(() => tfjsGraph.read({ name: "model.json", bytes: mutant(text, random) }));
    }
  }, 600_000);

  test("of a frozen graph", () => {
    const random = new Random(34);
    const bytes = frozen(nodes);
    expect(attempt(() => frozenGraph.read({ name: "a.pb", bytes }))).not.toBeInstanceOf(AvocetError);
    for (let i = 0; i < mutants; i++) attempt(() => frozenGraph.read({ name: "a.pb", bytes: mutant(bytes, random) }));
  }, 600_000);
});

const attr = (key: string, value: object) => ({ key, value });
const node = (name: string, op: string, input: string[] = [], ...attrs: object[]): NodeProto => ({
  name,
  op,
  input,
  attr: attrs,
});
const float = attr("dtype", { type: 1 });
const dims = (...lengths: number[]) => ({ dim: lengths.map((size) => ({ size })) });
const constant = (name: string, lengths: number[], dtype = 3, more: object = {}) =>
  node(
    name,
    "Const",
    [],
    attr("dtype", { type: dtype }),
    attr("value", { tensor: { dtype, shape: dims(...lengths), strings: [], ...more } }),
  );
const x = node("x", "Placeholder", [], float, attr("shape", { shape: dims(2, 6, 6, 3) }));
const filter = constant("w", [3, 3, 3, 4], 1);
const nodes = [
  x,
  filter,
  node(
    "y",
    "Conv2D",
    ["x", "w"],
    attr("strides", { list: lists({ i: [1, 1, 1, 1] }) }),
    attr("padding", { s: new TextEncoder().encode("SAME") }),
  ),
  node("z", "Relu", ["y"]),
];

function lists(more: object): object {
  return { s: [], i: [], f: [], b: [], type: [], shape: [], tensor: [], func: [], ...more };
}

const frozen = (list: readonly NodeProto[], library: GraphProto["library"] = { function: [] }): Uint8Array =>
  bytesOf(encode(graphType, { node: [...list], library }));
const readFrozenNodes = (...list: NodeProto[]) => frozenGraph.read({ name: "a.pb", bytes: frozen(list) });

describe("graphs that lie", () => {
  test("a circle, and an input that is not there", () => {
    expect(
      errorOf(() => readFrozenNodes(x, node("a", "Neg", ["b"]), node("b", "Neg", ["a"]), node("y", "Neg", ["a"]))),
    ).toMatchObject({ code: "import/malformed" });
    expect(errorOf(() => readFrozenNodes(x, node("y", "Neg", ["nowhere"])))).toMatchObject({
      code: "import/malformed",
    });
    expect(errorOf(() => readFrozenNodes(x, node("y", "Neg", ["x:7"])))).toMatchObject({ code: "import/malformed" });
    expect(errorOf(() => readFrozenNodes(x, node("y", "Neg", ["x"]), node("y", "Abs", ["x"])))).toMatchObject({
      code: "import/malformed",
    });
  });

  test("a chain of a hundred thousand nodes", () => {
    const chain = Array.from({ length: 100_000 }, (_, i) => node(`n${i}`, "Identity", [i === 0 ? "x" : `n${i - 1}`]));
    expect(attempt(() => readFrozenNodes(x, ...chain, node("y", "Neg", ["n99999"])))).not.toBeInstanceOf(AvocetError);
  });

  test("functions that call themselves, each other, or each other twice", () => {
    const call = (name: string, f: string, input: string) =>
      node(name, "PartitionedCall", [input], attr("f", { func: { name: f, attr: [] } }));
    const f = (name: string, inner: NodeProto[], from: string) => ({
      signature: { name, input: [{ name: "a" }], output: [{ name: "r" }] },
      node: inner,
      ret: [{ key: "r", value: from }],
      controlRet: [],
    });
    const read = (...functions: ReturnType<typeof f>[]) =>
      errorOf(() =>
        frozenGraph.read({ name: "a.pb", bytes: frozen([x, call("y", "f0", "x")], { function: functions }) }),
      );
    expect(read(f("f0", [call("c", "f0", "a")], "c:output:0")).message).toMatch(/calls itself/);
    expect(
      read(f("f0", [call("c", "f1", "a")], "c:output:0"), f("f1", [call("c", "f0", "a")], "c:output:0")).message,
    ).toMatch(/calls itself/);
    expect(read(f("f0", [call("c", "none", "a")], "c:output:0")).message).toMatch(/expected a function/);
    // Forty levels of two calls each would be a million million nodes.
    const doubling = Array.from({ length: 40 }, (_, i) =>
      f(
        `f${i}`,
        i === 39 ? [node("c", "Neg", ["a"])] : [call("b", `f${i + 1}`, "a"), call("c", `f${i + 1}`, "b:output:0")],
        i === 39 ? "c:y:0" : "c:output:0",
      ),
    );
    expect(read(...doubling)).toMatchObject({ code: "import/too-large" });
    const deep = Array.from({ length: 300 }, (_, i) =>
      f(`f${i}`, [i === 299 ? node("c", "Neg", ["a"]) : call("c", `f${i + 1}`, "a")], "c:output:0"),
    );
    expect(read(...deep)).toMatchObject({ code: "import/too-large" });
  });

  test("shapes of petabytes, of negative lengths, of too many axes", () => {
    for (const lengths of [[2 ** 30, 2 ** 30], [-5], Array<number>(65).fill(1)]) {
      expect(errorOf(() => readFrozenNodes(x, constant("c", lengths, 1), node("y", "Sub", ["x", "c"])))).toMatchObject({
        code: "import/malformed",
      });
    }
    // One element that stands for a gigabyte of them.
    expect(errorOf(() => readFrozenNodes(x, constant("c", [2 ** 28], 1), node("y", "Sub", ["x", "c"])))).toMatchObject({
      code: "import/too-large",
    });
    const ints = (...values: number[]) => ({
      ints: Uint8Array.from(values.flatMap((v) => [0x80 | (v & 127), 0x80 | ((v >> 7) & 127), (v >> 14) & 127])),
    });
    for (const op of ["Reshape", "BroadcastTo", "Tile"]) {
      attempt(() =>
        readFrozenNodes(x, constant("s", [4], 3, ints(60000, 60000, 60000, 60000)), node("y", op, ["x", "s"])),
      );
    }
    expect(
      attempt(() =>
        readFrozenNodes(
          x,
          constant("s", [2], 3, ints(60000, 60000)),
          node("f", "Fill", ["s", "v"]),
          constant("v", [], 1),
          node("y", "Neg", ["f"]),
        ),
      ),
    ).not.toBeInstanceOf(AvocetError);
  });

  test("windows and paddings that cannot be", () => {
    const conv = (strides: number[], padding: string) =>
      errorOf(() =>
        readFrozenNodes(
          x,
          filter,
          node(
            "y",
            "Conv2D",
            ["x", "w"],
            attr("strides", { list: lists({ i: strides }) }),
            attr("padding", { s: new TextEncoder().encode(padding) }),
          ),
        ),
      );
    expect(conv([1, 0, 1, 1], "SAME")).toMatchObject({ code: "import/malformed" });
    expect(conv([1, -1, 1, 1], "SAME")).toMatchObject({ code: "import/malformed" });
    expect(conv([1, 1], "SAME")).toMatchObject({ code: "import/malformed" });
    expect(conv([1, 1, 1, 1], "EXPLICIT")).toMatchObject({ code: "import/malformed" });
    expect(conv([2, 1, 1, 1], "SAME")).toMatchObject({ code: "import/unsupported-operator" });
  });
});

describe("bundles that lie", () => {
  test("the index is read as TensorFlow writes it", () => {
    const keys = [...readTable(index, "variables.index").keys()];
    expect(keys).toEqual(
      expect.arrayContaining(["", "kernel/.ATTRIBUTES/VARIABLE_VALUE", "table/.ATTRIBUTES/VARIABLE_VALUE"]),
    );
  });

  test("offsets outside of the file, sizes that do not fit, and files that are not there", () => {
    const key = "kernel/.ATTRIBUTES/VARIABLE_VALUE";
    const entry = (more: object) =>
      table(
        new Map([
          ["", Uint8Array.of(8, 1)],
          [
            key,
            bytesOf(
              encode(bundleEntryType, { dtype: 1, shape: dims(3, 3, 2, 4), offset: 0, size: 288, slices: [], ...more }),
            ),
          ],
        ]),
      );
    const opened = (bytes: Uint8Array) => () =>
      Bundle.open("variables/variables", among(new Map(files).set("variables/variables.index", bytes))).tensor(key);
    expect(opened(entry({}))().shape).toEqual([3, 3, 2, 4]);
    expect(opened(entry({ offset: 2 ** 40 }))).toThrow(expect.objectContaining({ code: "import/truncated" }));
    expect(opened(entry({ size: 12 }))).toThrow(expect.objectContaining({ code: "import/malformed" }));
    expect(opened(entry({ shard: 3 }))).toThrow(expect.objectContaining({ code: "import/malformed" }));
    expect(opened(entry({ dtype: 20 }))).toThrow(expect.objectContaining({ code: "import/unsupported-type" }));
    expect(opened(index.subarray(0, 40))).toThrow(expect.objectContaining({ code: "import/malformed" }));
    expect(() => readSaved(pb, new Map())).toThrow(expect.objectContaining({ code: "import/not-found" }));
  });

  test("a SavedModel without a graph", () => {
    const empty = bytesOf(encode(savedModelType, { metaGraph: [] }));
    expect(errorOf(() => readSaved(empty))).toMatchObject({ code: "import/malformed" });
  });
});

/** A table of one block, as the writer of bundles makes it. */
function table(entries: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const varint = (value: number): number[] =>
    value < 128 ? [value] : [(value & 127) | 128, ...varint(Math.floor(value / 128))];
  const block = (list: readonly (readonly [Uint8Array, Uint8Array])[]) => [
    ...list.flatMap(([key, value]) => [0, ...varint(key.length), ...varint(value.length), ...key, ...value]),
    ...[0, 0, 0, 0, 1, 0, 0, 0],
  ];
  const trailer = [0, 0, 0, 0, 0];
  const encoder = new TextEncoder();
  const data = block([...entries].map(([key, value]) => [encoder.encode(key), value]));
  const about = block([]);
  const aboutAt = data.length + 5;
  const indexAt = aboutAt + about.length + 5;
  const listing = block([[encoder.encode("z"), Uint8Array.from([...varint(0), ...varint(data.length)])]]);
  const footer = [...varint(aboutAt), ...varint(about.length), ...varint(indexAt), ...varint(listing.length)];
  const magic = [0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb];
  const padded = [...footer, ...Array<number>(40 - footer.length).fill(0)];
  return Uint8Array.from([...data, ...trailer, ...about, ...trailer, ...listing, ...trailer, ...padded, ...magic]);
}
