/** Decoders from Hugging Face folders and GGUF: logits of transformers, with and without a cache, and what is refused. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { AvocetError, Random } from "../../base/inner.ts";
import type { Model } from "../../ir/inner.ts";
import { openRuntime } from "../../runtime/inner.ts";
import { type Feeds, Tensor } from "../../tensor/inner.ts";
import { openModel as openBytes } from "../inner.ts";
import { openModel } from "../inner-node.ts";

const golden = join(import.meta.dirname, "golden");
const scratch = mkdtempSync(join(tmpdir(), "avocet-decoder-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

interface Golden {
  readonly ids: number[][];
  readonly mask: number[][];
  readonly positions: number[][];
  readonly logits: number[];
}

/** Made by tools/decoder_goldens.py. */
const goldenOf = (name: string) => JSON.parse(readFileSync(join(golden, name, "logits.json"), "utf8")) as Golden;
const matrix = (rows: number[][]) => Tensor.int64([rows.length, rows[0]!.length], rows.flat());

/** Float32 sums of some dozens of products, in another order than PyTorch's. */
const relative = 1e-5;

/** Of the tokens from `from` to `to`; what a token that is masked itself answers is nobody's business. */
function expectClose(found: Tensor, { logits, mask }: Golden, from: number, to: number): void {
  const vocabulary = logits.length / mask.flat().length;
  const largest = logits.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  const values = found.floats();
  expect(found.shape).toEqual([mask.length, to - from, vocabulary]);
  const faults = mask.flatMap((row, n) =>
    row.slice(from, to).flatMap((shown, i) => {
      const start = (n * (to - from) + i) * vocabulary;
      const expected = logits.slice((n * row.length + from + i) * vocabulary).slice(0, vocabulary);
      const off = expected.reduce((most, x, k) => Math.max(most, Math.abs(x - values[start + k]!)), 0);
      return shown && !(off < relative * largest) ? [`text ${n}, token ${from + i}: ${off / largest}`] : [];
    }),
  );
  expect(faults).toEqual([]);
}

/** Empty caches for so many samples. */
function emptyPast(model: Model, batch: number): Feeds {
  const past = model.graph.inputs.filter(({ name }) => name.startsWith("past_key_values"));
  return Object.fromEntries(
    past.map(({ name, type }) => {
      const [, heads, , size] = type?.kind === "tensor" ? (type.shape ?? []) : [];
      return [name, Tensor.float32([batch, Number(heads), 0, Number(size)], [])];
    }),
  );
}

const spellings: readonly (readonly [string, string])[] = [
  ["llama", "llama/config.json"],
  ["llama", "llama.gguf"],
  ["llama3", "llama3/config.json"],
  ["mistral", "mistral/config.json"],
  ["qwen2", "qwen2/config.json"],
  ["qwen3", "qwen3/config.json"],
  ["yarn", "yarn/config.json"],
  ["window", "window/config.json"],
  ["windows", "windows/config.json"],
];

describe.each(spellings)("%s from %s", async (name, path) => {
  const expected = goldenOf(name);
  const { ids, mask, positions } = expected;
  const model = await openModel(join(golden, path));

  test.each(["ort-node", "ort-web"] as const)("has the logits of transformers in %s", async (kind) => {
    const runtime = await openRuntime(kind);
    await using session = await runtime.open(model);
    const feeds = { input_ids: matrix(ids), attention_mask: matrix(mask), position_ids: matrix(positions) };
    const outputs = await session.run({ ...feeds, ...emptyPast(model, 2) });
    expectClose(outputs.logits!, expected, 0, 8);
    expect(outputs["present.1.value"]!.shape.slice(2, 3)).toEqual([8]);
  });

  test("has the same logits token by token, through its cache", async () => {
    const runtime = await openRuntime("ort-node");
    await using session = await runtime.open(model);
    let past = emptyPast(model, 2);
    const columns = (rows: number[][], from: number, to: number) => matrix(rows.map((row) => row.slice(from, to)));
    for (const [from, to] of [
      [0, 3],
      [3, 4],
      [4, 8],
    ] as const) {
      const outputs = await session.run({
        input_ids: columns(ids, from, to),
        attention_mask: columns(mask, 0, to),
        position_ids: columns(positions, from, to),
        ...past,
      });
      expectClose(outputs.logits!, expected, from, to);
      past = Object.fromEntries(
        Object.keys(past).map((input) => [input, outputs[input.replace("past_key_values", "present")]!]),
      );
    }
  });
});

test("a tied head reads the table of the embedding, and another one has its own", async () => {
  const headOf = async (path: string) =>
    (await openModel(join(golden, path))).graph.outputs.find(({ name }) => name === "logits")!.producer!.input(1)!;
  expect((await headOf("llama/config.json")).producer?.input(0)?.name).toBe("model.embed_tokens.weight");
  expect((await headOf("llama3/config.json")).initializer?.shape).toEqual([16, 24]);
});

describe("what cannot be right is refused", () => {
  const changed = (name: string, change: Record<string, unknown>, from = "llama") => {
    const folder = join(scratch, name);
    cpSync(join(golden, from), folder, { recursive: true });
    const path = join(folder, "config.json");
    writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, "utf8")), ...change }));
    return path;
  };
  test.each<[string, Record<string, unknown>, string, RegExp]>([
    ["another family", { model_type: "gemma2" }, "import/unknown-format", /Llama family .*"gemma2"/],
    ["another activation", { hidden_act: "gelu" }, "import/unknown-format", /SiLU/],
    ["a rotary scaling", { rope_parameters: { rope_type: "longrope" } }, "import/unknown-format", /"longrope"/],
    ["no window", { model_type: "mistral", sliding_window: 0 }, "import/malformed", /sliding_window, got 0/],
    ["no layers", { num_hidden_layers: undefined }, "import/malformed", /num_hidden_layers, got none/],
    ["a million layers", { num_hidden_layers: 1e6 }, "import/malformed", /1000000 layers/],
    ["heads of thousands of millions", { head_dim: 4e9 }, "import/malformed", /heads of 4000000000/],
    ["layers that the file has not", { num_hidden_layers: 3 }, "import/malformed", /layers\.2\..*nothing/],
    ["another width", { hidden_size: 8 }, "import/malformed", /\[24,8\], got \[24,16\]/],
    ["heads that share nothing", { num_key_value_heads: 3 }, "import/malformed", /share keys evenly/],
  ])("%s", async (name, change, code, problem) => {
    const path = changed(name, change);
    await expect(openModel(path)).rejects.toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(problem) }),
    );
  });

  test("a config without its folder, and a folder without weights", async () => {
    const bytes = new Uint8Array(readFileSync(join(golden, "llama/config.json")));
    await expect(openBytes(bytes)).rejects.toThrow(expect.objectContaining({ code: "import/not-found" }));
    const path = changed("bare", {});
    rmSync(join(scratch, "bare/model.safetensors"));
    await expect(openModel(path)).rejects.toThrow(expect.objectContaining({ code: "import/not-found" }));
  });

  test("an index that leads out of the folder", async () => {
    const path = changed("escape", {}, "mistral");
    const index = join(scratch, "escape/model.safetensors.index.json");
    writeFileSync(index, readFileSync(index, "utf8").replaceAll(/"(model-[^"]*)"/g, '"../$1"'));
    await expect(openModel(path)).rejects.toThrow(expect.objectContaining({ code: "import/path-escape" }));
  });

  test("whatever is changed in a GGUF, nothing but an AvocetError comes out, and models that come out are whole", async () => {
    const bytes = new Uint8Array(readFileSync(join(golden, "llama.gguf")));
    const random = new Random(5);
    let refused = 0;
    for (let i = 0; i < 400; i++) {
      const mutant = bytes.slice();
      for (let n = 1 + random.integer(3); n > 0; n--) mutant[random.integer(2000)] = random.integer(256);
      try {
        for (const { initializer } of (await openBytes(mutant)).graph.initializers) initializer!.bytes;
      } catch (error) {
        expect(AvocetError.is(error), String(error)).toBe(true);
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(100);
  });
});
