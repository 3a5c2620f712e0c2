/** Archives of every version of PyTorch answer as that version did (tools/pytorch_archive_goldens.py). */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { unzipSync, zipSync } from "fflate";
import { describe, expect, test } from "vitest";
import { openRuntime } from "../../runtime/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import { sourceOf } from "../sources.ts";
import { read, readRanges } from "./read.ts";

interface Packed {
  readonly shape: readonly number[];
  readonly values: readonly number[];
}

interface Golden {
  readonly program: string;
  readonly input: Packed;
  readonly outputs: readonly Packed[];
}

const file = join(import.meta.dirname, "golden/archives.json.gz");
const goldens = JSON.parse(gunzipSync(readFileSync(file)).toString()) as Record<string, Golden>;
const bytesOf = ({ program }: Golden) => new Uint8Array(Buffer.from(program, "hex"));

describe.each(Object.entries(goldens))("PyTorch %s", (version, golden) => {
  test("is told by its content", () => {
    expect(sourceOf(bytesOf(golden), "model").name).toBe("pytorch-program");
  });

  test("answers as there, with tied weights once and a symbolic length", async () => {
    const model = read({ name: "a.pt2", bytes: bytesOf(golden) });
    expect(model.producerVersion).toMatch(version);
    const [input] = model.graph.inputs.filter((value) => !value.initializer);
    expect(input!.type).toMatchObject({ shape: [expect.any(String), 2, 5, 6] });
    const squares = [...model.graph.initializers].filter(({ initializer }) => initializer!.shape.join() === "4,4");
    expect(squares.length).toBe(1);
    const runtime = await openRuntime("ort-node");
    await using session = await runtime.open(model);
    const x = Tensor.float32(golden.input.shape, Float32Array.from(golden.input.values));
    const found = Object.values(await session.run({ [input!.name]: x }));
    expect(found.length).toBe(golden.outputs.length);
    for (const [i, { shape, values }] of golden.outputs.entries()) {
      expect(found[i]!.shape).toEqual(shape);
      const answer = found[i]!.numbers();
      // Sums of float32 in another order; the largest output is near 10.
      expect(values.reduce((most, value, k) => Math.max(most, Math.abs(value - answer[k]!)), 0)).toBeLessThan(1e-5);
    }
  });

  test("weights are read when they are looked at", () => {
    const bytes = bytesOf(golden);
    const seen: (readonly [number, number])[] = [];
    const model = readRanges({
      name: "a.pt2",
      size: bytes.length,
      read: (offset, length) => {
        seen.push([offset, offset + length]);
        return bytes.subarray(offset, offset + length);
      },
    });
    // Shorter ones are looked at while the graph is written.
    const wide = [...model.graph.initializers].find(({ initializer }) => initializer!.size === 1200)!.initializer!;
    const before = seen.length;
    const first = wide.floats();
    expect(seen.length).toBe(before + 1);
    const [from, to] = seen.at(-1)!;
    expect(to - from).toBe(first.byteLength);
  });

  test("without its weights it is refused", () => {
    const files = Object.entries(unzipSync(bytesOf(golden)));
    const bytes = zipSync(Object.fromEntries(files.filter(([name]) => !/state_dict|weights\//.test(name))));
    expect(() => read({ name: "a.pt2", bytes })).toThrow(expect.objectContaining({ code: "import/malformed" }));
  });
});
