/** Damaged and hostile Keras files: an AvocetError that names the file, or a model whose invariants hold; never a hang or a full memory. */
import { zipSync } from "fflate";
import { describe, expect, test } from "vitest";
import { kerasCases } from "../../../test/keras-cases.ts";
import { AvocetError, Random } from "../../base/inner.ts";
import { check } from "../../ir/inner.ts";
import { initializersOf } from "../onnx/shards.ts";
import { kerasArchive } from "./archive.ts";
import { read } from "./read.ts";

const name = "bad.model";

function outcomeOf(bytes: Uint8Array): string {
  try {
    const model = read({ name, bytes });
    check(model);
    for (const tensor of initializersOf(model)) void tensor.data;
    return "read";
  } catch (error) {
    if (!AvocetError.is(error)) throw error;
    expect(error.code).toMatch(/^import\//);
    expect(error.detail.at).toContain(name);
    return error.code;
  }
}

const of = (label: string) => kerasCases.find((one) => one.name.startsWith(label))!;
const hdf5 = kerasCases.filter(({ file }) => file.endsWith(".h5"));
const archives = kerasCases.filter(({ file }) => file.endsWith(".keras"));

/** The archive with another text for its configuration. */
function withConfig(bytes: Uint8Array, change: (config: string) => string): Uint8Array {
  const entries = Array.from(kerasArchive(bytes, name), ([file, content]) => {
    const text = new TextDecoder().decode(content());
    return [file, file === "config.json" ? new TextEncoder().encode(change(text)) : content()] as const;
  });
  return zipSync(Object.fromEntries(entries));
}

describe("configurations of the wrong shape", () => {
  const { bytes } = of("Dense (keras3.keras)");
  test.each<[string, (config: string) => string, string]>([
    ["no JSON", () => "{", "import/malformed"],
    ["a list", () => "[]", "import/malformed"],
    ["no layers", () => '{"class_name":"Functional","config":{}}', "import/unsupported-operator"],
    ["a subclassed model", () => '{"class_name":"MyModel","config":{"name":"a"}}', "import/unsupported-operator"],
    ["a layer that waits for itself", (text) => text.replaceAll('"in0", 0, 0', '"dense", 0, 0'), "import/malformed"],
    ["a layer without a name", (text) => text.replaceAll(/"name": "dense[^"]*"/g, '"name": ""'), "import/malformed"],
    ["an input of petabytes", (text) => text.replaceAll("[null, 5]", "[null, 1e15]"), "import/malformed"],
    [
      "an activation of none",
      (text) => text.replace('"activation": "softmax"', '"activation": "constructor"'),
      "import/unsupported-operator",
    ],
    [
      "a class of no layer",
      (text) => text.replace('"class_name": "Dense"', '"class_name": "__proto__"'),
      "import/unsupported-operator",
    ],
  ])("%s", (_, change, code) => {
    expect(outcomeOf(withConfig(bytes, change))).toBe(code);
  });

  test("layers without translation are reported together, by name", () => {
    const lambda = withConfig(bytes, (text) => text.replaceAll('"class_name": "Dense"', '"class_name": "Lambda"'));
    expect(() => read({ name, bytes: lambda })).toThrow(
      /^expected layers that can be translated, got\n {2}Lambda: .*\(dense\w*, dense\w*\)$/,
    );
  });
});

test("weights without a model say what to do", () => {
  const { bytes } = of("Dense (keras2.h5)");
  const text = Buffer.from(bytes).toString("latin1").replace("model_config", "model_confug");
  expect(() => read({ name, bytes: new Uint8Array(Buffer.from(text, "latin1")) })).toThrow(
    expect.objectContaining({
      code: "import/unknown-format",
      detail: expect.objectContaining({ hint: expect.stringContaining("load_weights") }),
    }),
  );
});

describe("HDF5 that lies", () => {
  const { bytes } = of("Dense (keras2.h5)");
  const places = (text: string) =>
    [...Buffer.from(bytes).toString("latin1").matchAll(new RegExp(text, "g"))].map(({ index }) => index);
  const changed = (change: (view: DataView) => void) => {
    const copy = bytes.slice();
    change(new DataView(copy.buffer));
    return copy;
  };

  test("trees whose children are themselves", () => {
    const outcomes: string[] = [];
    for (const at of places("TREE")) {
      const loop = changed((view) => {
        view.setUint8(at + 5, 1);
        view.setUint16(at + 6, 32, true);
        for (let i = 0; i < 32; i++) view.setBigUint64(Math.min(at + 32 + 16 * i, bytes.length - 8), BigInt(at), true);
      });
      outcomes.push(outcomeOf(loop));
    }
    // Some groups nobody reads.
    expect(outcomes.filter((outcome) => outcome !== "read")).toContain("import/malformed");
  });

  test("a root that is beyond the file, and lengths of 2⁶⁰", () => {
    expect(outcomeOf(changed((view) => view.setBigUint64(64, 2n ** 40n, true)))).toBe("import/truncated");
    const outcomes = places("HEAP").map((at) =>
      outcomeOf(changed((view) => view.setBigUint64(at + 8, 2n ** 60n, true))),
    );
    expect(outcomes.filter((outcome) => /^import\/(truncated|malformed)$/.test(outcome)).length).toBeGreaterThan(0);
  });
});

describe("zip archives that lie", () => {
  const { bytes } = of("Dense (keras3.keras)");
  test("cut off anywhere", () => {
    for (let length = 4; length < bytes.length; length += 97) {
      expect(outcomeOf(bytes.subarray(0, length))).toMatch(/^import\/(truncated|malformed)$/);
    }
  });

  test("an entry of gigabytes in a few bytes", () => {
    const bomb = zipSync({ "config.json": new Uint8Array(64 * 2 ** 20) });
    const view = new DataView(bomb.buffer);
    const directory = Buffer.from(bomb).indexOf("PK\x01\x02", 0, "latin1");
    view.setUint32(directory + 24, 2 ** 32 - 2, true);
    expect(outcomeOf(bomb)).toBe("import/too-large");
  });
});

test("5,000 cut and flipped variants are refused or read, whatever was hit", () => {
  const random = new Random(9);
  const outcomes = new Map<string, number>();
  for (let i = 0; i < 5000; i++) {
    const isArchive = i % 2 === 0;
    const list = isArchive ? archives : hdf5;
    const source = list[i % list.length]!.bytes;
    const bytes = i % 5 === 0 ? source.slice(0, 9 + random.integer(source.length - 9)) : source.slice();
    if (i % 5 !== 0) {
      for (let flips = 1 + random.integer(6); flips > 0; flips--) {
        const at = 8 + random.integer(bytes.length - 8);
        bytes[at] = random.integer(3) === 0 ? random.integer(256) : bytes[at]! ^ (1 << random.integer(8));
      }
    }
    const outcome = outcomeOf(bytes);
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }
  // All ways must really happen, or the test shows nothing.
  for (const outcome of ["read", "import/malformed", "import/truncated"])
    expect(outcomes.get(outcome)).toBeGreaterThan(100);
});

/** The JSON value with one of its parts replaced by something of another kind. */
function replaced(value: unknown, random: Random): unknown {
  if (typeof value !== "object" || value === null || random.integer(6) === 0) {
    const others = [
      null,
      -1,
      0,
      1e9,
      2 ** 53,
      1.5,
      "x",
      "",
      [],
      {},
      true,
      [[1, 2], "a"],
      { class_name: "Dense" },
      ["in0", 0, 0],
    ];
    return others[random.integer(others.length)];
  }
  const keys = Object.keys(value);
  if (keys.length === 0) return [value];
  const key = keys[random.integer(keys.length)]!;
  const part = replaced((value as Record<string, unknown>)[key], random);
  if (Array.isArray(value)) return value.map((one, i) => (String(i) === key ? part : one));
  const { [key]: gone, ...rest } = value as Record<string, unknown>;
  return random.integer(8) === 0 && gone !== undefined ? rest : { ...rest, [key]: part };
}

test("2,000 configurations with parts of another kind are refused or read", () => {
  const random = new Random(11);
  const outcomes = new Map<string, number>();
  for (let i = 0; i < 2000; i++) {
    const { bytes } = archives[i % archives.length]!;
    const outcome = outcomeOf(withConfig(bytes, (text) => JSON.stringify(replaced(JSON.parse(text), random))));
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }
  for (const outcome of ["read", "import/malformed", "import/unsupported-operator"]) {
    expect(outcomes.get(outcome)).toBeGreaterThan(50);
  }
});
