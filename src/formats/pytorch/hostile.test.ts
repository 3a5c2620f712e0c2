/** Damaged and hostile programs: an AvocetError that names the file, or a model whose invariants hold; never a hang or a full memory. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { strFromU8, strToU8, unzipSync, type Zippable, zipSync } from "fflate";
import { describe, expect, test } from "vitest";
import { AvocetError, Random } from "../../base/inner.ts";
import { check } from "../../ir/inner.ts";
import { read } from "./read.ts";

const file = join(import.meta.dirname, "golden/operators.json.gz");
const goldens = JSON.parse(gunzipSync(readFileSync(file)).toString()) as {
  readonly name: string;
  readonly programs: Readonly<Record<string, string>>;
}[];
const archives = goldens.map(({ name, programs }) => ({
  name,
  bytes: new Uint8Array(Buffer.from(programs["as exported"]!, "hex")),
}));
const bytesOf = (name: string) => archives.find((one) => one.name === name)!.bytes;

function outcomeOf(bytes: Uint8Array): string {
  try {
    const model = read({ name: "bad.pt2", bytes });
    check(model);
    for (const { initializer } of model.graph.initializers) initializer!.bytes;
    return "read";
  } catch (error) {
    if (!AvocetError.is(error)) throw error;
    expect(error.code).toMatch(/^import\//);
    expect(error.detail.at).toContain("bad.pt2");
    return error.code;
  }
}

/** The archive with one file changed; names are looked up by their ending. */
function changed(name: string, ending: string, change: (text: string) => string): Uint8Array {
  const files = unzipSync(bytesOf(name)) as Zippable;
  const path = Object.keys(files).find((one) => one.endsWith(ending))!;
  files[path] = strToU8(change(strFromU8(files[path] as Uint8Array)));
  return zipSync(files, { level: 0 });
}

describe("archives that lie", () => {
  test.each<[string, Uint8Array, string]>([
    ["no program", zipSync({ "x/data/weights/w": new Uint8Array(4) }), "import/malformed"],
    ["a name that leads out", zipSync({ "../models/model.json": strToU8("{}") }), "import/malformed"],
    ["an absolute name", zipSync({ "/models/model.json": strToU8("{}") }), "import/malformed"],
    ["half an archive", bytesOf("lstm").subarray(0, bytesOf("lstm").length / 2), "import/malformed"],
    ["no JSON", changed("linear", "model.json", () => "{"), "import/malformed"],
    ["JSON of something else", changed("linear", "model.json", () => '{"a": 1}'), "import/malformed"],
    [
      "nesting without end",
      changed("linear", "model.json", () => `${"[".repeat(1e5)}${"]".repeat(1e5)}`),
      "import/malformed",
    ],
    ["a storage that is too short", changed("linear", "weight_0", (text) => text.slice(0, 3)), "import/malformed"],
    [
      "a weight of another length",
      changed("linear", "weights_config.json", (text) => text.replace('"as_int": 7', '"as_int": 70000000000')),
      "import/too-large",
    ],
    [
      "a weight that is nowhere",
      changed("linear", "weights_config.json", (text) => text.replaceAll(/"weight_\d"/g, '"../../x"')),
      "import/malformed",
    ],
  ])("%s", (_, bytes, code) => {
    expect(outcomeOf(bytes)).toBe(code);
  });

  test("a bomb is refused before it is inflated", () => {
    const bytes = zipSync({ "x/models/model.json": new Uint8Array(2 ** 20) }, { level: 9 });
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    for (let i = 0; i < bytes.length - 4; i++) {
      if (view.getUint32(i, true) === 0x02014b50) view.setUint32(i + 24, 2 ** 31, true);
    }
    expect(outcomeOf(bytes)).toBe("import/too-large");
  });
});

test("operators without a form are reported together, with their nodes", () => {
  const bytes = changed("linear", "model.json", (text) =>
    text.replaceAll("aten.relu.", "aten.sparse_relu.").replaceAll("aten.linear.", "aten.fancy."),
  );
  expect(() => read({ name: "a.pt2", bytes })).toThrow(
    /aten\.fancy\.default \(linear in inner\.0|aten\.fancy\.default \(linear in 0, linear_1 in 2\)\n {2}aten\.sparse_relu/s,
  );
});

test("what writes into memory that something else looks at later is refused", () => {
  // relu_ becomes what may be a copy of what it wrote into, and the last operator reads that after the copy was written into.
  const bytes = changed("in-place", "model.json", (text) => {
    const program = JSON.parse(text);
    const { nodes } = program.graph_module.graph;
    nodes.find(({ target }: { target: string }) => target.includes("relu_")).target =
      "torch.ops.aten.contiguous.default";
    nodes.at(-1).inputs[0].arg.as_tensor.name = nodes[0].outputs[0].as_tensor.name;
    return JSON.stringify(program);
  });
  expect(() => read({ name: "a.pt2", bytes })).toThrow(/shares memory with add; program\.run_decompositions/);
});

test("cut and changed variants of all programs are refused or read, whatever was hit", () => {
  const random = new Random(11);
  const outcomes = new Map<string, number>();
  for (let i = 0; i < 1500; i++) {
    const source = archives[i % archives.length]!.bytes;
    const bytes = i % 5 === 0 ? source.slice(0, random.integer(source.length)) : source.slice();
    if (i % 5 !== 0) {
      for (let flips = 1 + random.integer(4); flips > 0; flips--) {
        bytes[random.integer(bytes.length)] = random.integer(3) === 0 ? random.integer(256) : 48 + random.integer(10);
      }
    }
    const outcome = outcomeOf(bytes);
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }
  expect(outcomes.get("read")).toBeGreaterThan(100);
  expect(outcomes.get("import/malformed")).toBeGreaterThan(100);
});
