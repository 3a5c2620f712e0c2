/** Damaged and hostile TFLite files: an AvocetError that names the file, or a model whose invariants hold; never a hang or a full memory. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { AvocetError, Random } from "../../base/inner.ts";
import { check } from "../../ir/inner.ts";
import { read } from "./read.ts";

const golden = join(import.meta.dirname, "golden/operators.json.gz");
const cases = (JSON.parse(gunzipSync(readFileSync(golden)).toString()) as { name: string; model: string }[]).map(
  ({ name, model }) => ({ name, bytes: new Uint8Array(Buffer.from(model, "base64")) }),
);
const bytesOf = (name: string) => cases.find((one) => one.name === name)!.bytes;

function outcomeOf(bytes: Uint8Array): string {
  try {
    check(read({ name: "bad.tflite", bytes }));
    return "read";
  } catch (error) {
    if (!AvocetError.is(error)) throw error;
    expect(error.code).toMatch(/^import\//);
    expect(error.detail.at).toContain("bad.tflite");
    return error.code;
  }
}

function patched(name: string, change: (view: DataView) => void): Uint8Array {
  const bytes = bytesOf(name).slice();
  change(new DataView(bytes.buffer));
  return bytes;
}

describe("offsets that lie", () => {
  const name = "add";
  test.each<[string, Uint8Array, string]>([
    ["the root beyond the file", patched(name, (v) => v.setUint32(0, 2 ** 31, true)), "import/truncated"],
    ["the root in itself", patched(name, (v) => v.setUint32(0, 0, true)), "import/malformed"],
    [
      "fields before the file",
      patched(name, (v) => v.setInt32(v.getUint32(0, true), 2 ** 30, true)),
      "import/truncated",
    ],
    ["half a file", bytesOf(name).subarray(0, bytesOf(name).length / 2), "import/truncated"],
  ])("%s", (_, bytes, code) => {
    expect(outcomeOf(bytes)).toBe(code);
  });

  test("a list of four thousand million tables", () => {
    const bytes = patched(name, (v) => {
      // The vtable of the root: field 2 is the list of graphs.
      const root = v.getUint32(0, true);
      const fields = root - v.getInt32(root, true);
      const at = root + v.getUint16(fields + 4 + 2 * 2, true);
      v.setUint32(at + v.getUint32(at, true), 2 ** 32 - 1, true);
    });
    expect(outcomeOf(bytes)).toBe("import/truncated");
  });
});

test("operators without translation are reported together, with the names of their outputs", () => {
  // The number of an operator is one of these bytes; 32 is that of custom ones.
  const bytes = bytesOf("if");
  const codes = new Map<string, number>();
  for (let seed = 0; seed < 400; seed++) {
    const copy = bytes.slice();
    copy[new Random(seed).integer(copy.length)] = 32;
    const outcome = outcomeOf(copy);
    codes.set(outcome, (codes.get(outcome) ?? 0) + 1);
    if (outcome !== "import/unsupported-operator") continue;
    expect(() => read({ name: "bad.tflite", bytes: copy })).toThrow(
      /^expected operators that can be translated, got\n {2}[^\n]+: [^\n]+ \([^\n]+\)/s,
    );
  }
  expect(codes.get("import/unsupported-operator")).toBeGreaterThan(0);
});

test("5,000 cut and flipped variants of all operators are refused or read, whatever was hit", () => {
  const random = new Random(7);
  const outcomes = new Map<string, number>();
  for (let i = 0; i < 5000; i++) {
    const source = cases[i % cases.length]!.bytes;
    const bytes = i % 4 === 0 ? source.slice(0, random.integer(source.length)) : source.slice();
    if (i % 4 !== 0) {
      for (let flips = 1 + random.integer(3); flips > 0; flips--) {
        const at = random.integer(bytes.length);
        bytes[at] = random.integer(3) === 0 ? random.integer(256) : bytes[at]! ^ (1 << random.integer(8));
      }
    }
    if (bytes.length === 0 || String.fromCharCode(...bytes.subarray(4, 8)) !== "TFL3") continue;
    const outcome = outcomeOf(bytes);
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }
  // All ways must really happen, or the test shows nothing.
  for (const outcome of ["read", "import/malformed", "import/truncated"])
    expect(outcomes.get(outcome)).toBeGreaterThan(200);
});
