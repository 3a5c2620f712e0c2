/** GGUF against a file of every block format that the format's own package wrote and dequantized, and against files that lie. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { AvocetError, Random } from "../../base/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import { bytesSource } from "../byte-source.ts";
import { isGguf, readGguf } from "./read.ts";

const folder = join(import.meta.dirname, "golden");
const bytes = new Uint8Array(readFileSync(join(folder, "blocks.gguf")));
/** Made by tools/gguf_goldens.py. */
const golden = JSON.parse(readFileSync(join(folder, "blocks.json"), "utf8")) as {
  readonly tensors: Readonly<Record<string, { shape: number[]; float32: string }>>;
};
const read = (file: Uint8Array) => readGguf(bytesSource("w.gguf", file));

test("a file of every block format has the numbers of ggml's own package", () => {
  expect(isGguf(bytes)).toBe(true);
  const { tensors, stored } = read(bytes);
  expect([...tensors.keys()]).toEqual(Object.keys(golden.tensors));
  for (const [name, { shape, float32 }] of Object.entries(golden.tensors)) {
    const tensor = tensors.get(name)!;
    const expected = Tensor.fromBytes("float32", shape, new Uint8Array(Buffer.from(float32, "base64"))).floats();
    const values = tensor.floats();
    expect(tensor.shape, name).toEqual(shape);
    // The package rounds each product of scales to float32 before it adds; here only the sum is.
    const largest = expected.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    for (const [i, x] of values.entries())
      expect(Math.abs(x - expected[i]!), `${name}[${i}]`).toBeLessThan(3e-7 * largest);
  }
  expect([stored.get("Q4_K"), stored.get("BF16"), tensors.get("F16")!.dtype]).toEqual(["Q4_K", "bfloat16", "float16"]);
});

test("values by key have their types, and lists are decoded when asked for", () => {
  const { values } = read(bytes);
  expect(values.text("general.architecture")).toBe("llama");
  expect([values.number("test.count"), values.number("test.float"), values.number("test.flag")]).toEqual([
    7,
    0.5,
    undefined,
  ]);
  expect(values.list("test.texts")).toEqual(["a", "β", ""]);
  expect(values.list("test.numbers")).toEqual([1, -2, 3]);
  expect(values.list("test.none")).toBeUndefined();
});

describe("a file that lies is refused", () => {
  const patched = (at: number, ...values: number[]) => {
    const copy = bytes.slice();
    copy.set(values, at);
    return copy;
  };
  const placeOf = (name: string) => Buffer.from(bytes).lastIndexOf(Buffer.from(name)) + name.length;
  test.each<[string, Uint8Array, string, RegExp]>([
    ["of other first bytes", patched(0, 1), "import/malformed", /first bytes/],
    ["of version 1", patched(4, 1), "import/malformed", /version 2 or 3/],
    ["written big-endian", patched(4, 0, 0, 0, 3), "import/malformed", /little-endian/],
    ["cut off in its header", bytes.subarray(0, 300), "import/truncated", /the file has 300/],
    ["cut off in its data", bytes.subarray(0, bytes.length - 40), "import/truncated", /the file has/],
    ["with 2⁶⁰ values", patched(16, 0, 0, 0, 0, 0, 0, 0, 16), "import/malformed", /./],
    ["with a tensor of an IQ format", patched(placeOf("Q6_K") + 20, 16), "import/unsupported-type", /number 16/],
    ["with five dimensions", patched(placeOf("Q6_K"), 5), "import/malformed", /4 dimensions/],
    ["with rows that are no blocks", patched(placeOf("Q6_K") + 4, 1), "import/malformed", /blocks of 256/],
    ["with an offset between two places", patched(placeOf("Q6_K") + 24, 1), "import/malformed", /multiple of 32/],
    ["with a tensor behind its end", patched(placeOf("Q6_K") + 24, 0, 0, 0, 9), "import/truncated", /the file has/],
    ["with an absurd length", patched(placeOf("Q6_K") + 18, 255), "import/malformed", /./],
  ])("%s", (_, file, code, problem) => {
    expect(() => read(file)).toThrow(expect.objectContaining({ code, message: expect.stringMatching(problem) }));
  });

  test("whatever is changed in it, nothing but an AvocetError comes out", () => {
    const random = new Random(5);
    let refused = 0;
    for (let i = 0; i < 3000; i++) {
      const mutant = bytes.slice(0, random.integer(4) === 0 ? random.integer(bytes.length) : bytes.length);
      for (let n = 1 + random.integer(4); n > 0 && mutant.length > 0; n--) {
        mutant[random.integer(Math.min(mutant.length, 900))] = random.integer(256);
      }
      try {
        const { tensors, values } = read(mutant);
        for (const tensor of tensors.values()) tensor.bytes;
        for (const key of values.keys()) values.list(key);
      } catch (error) {
        expect(AvocetError.is(error), String(error)).toBe(true);
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(1000);
  });
});
