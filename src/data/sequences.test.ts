/** Token ids and audio: padding, windows, formats, damage. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { fixture, missing } from "../../test/fixtures.ts";
import { AvocetError } from "../base/inner.ts";
import { type Feeds, Tensor } from "../tensor/inner.ts";
import { writeNpy } from "./arrays/npy.ts";
import { parseTokenLines, tokenDataset } from "./arrays/tokens.ts";
import { openWav, wavWindows } from "./arrays/wav.ts";
import { bytesSource } from "./byte-source.ts";
import type { InputPort } from "./dataset.ts";
import { openData } from "./disk/open-data-node.ts";
import { fromArray } from "./memory.ts";
import { recordStates, withStates } from "./states.ts";

const port = (name: string, shape: InputPort["shape"], dtype = "int64"): InputPort => ({ name, dtype, shape });

describe("token ids", () => {
  const text = '[5, 6, 7]\n\n[8]\n{"input_ids": [1, 2], "weights": [3, 4], "title": "x"}\n';
  const lines = parseTokenLines(text, "t.jsonl");

  test("short lines are padded, and masks are made where the model asks for them", async () => {
    const inputs = [
      port("input_ids", ["N", "T"]),
      port("attention_mask", ["N", "T"]),
      port("position_ids", ["N", "T"]),
    ];
    const data = tokenDataset(lines, { inputs, pad: 9 }, "t.jsonl");
    const feeds = await data.read([0, 1, 2]);
    expect(feeds.input_ids!.shape).toEqual([3, 3]);
    expect(feeds.input_ids!.numbers()).toEqual([5, 6, 7, 8, 9, 9, 1, 2, 9]);
    expect(feeds.attention_mask!.numbers()).toEqual([1, 1, 1, 1, 0, 0, 1, 1, 0]);
    expect(feeds.position_ids!.numbers()).toEqual([0, 1, 2, 0, 1, 2, 0, 1, 2]);
    expect((await data.read([2])).weights!.numbers()).toEqual([3, 4, 0]);
  });

  test("caches are empty: no earlier tokens, for as many samples as are read", async () => {
    const inputs = [
      port("input_ids", ["N", "T"]),
      port("past_key_values.0.key", ["batch", 2, "past", 4], "float32"),
      port("past_key_values.0.value", ["batch", 2, "past", 4], "float16"),
    ];
    const feeds = await tokenDataset(lines, { inputs }, "t.jsonl").read([0, 1]);
    expect([feeds["past_key_values.0.key"]!.shape, feeds["past_key_values.0.key"]!.dtype]).toEqual([
      [2, 2, 0, 4],
      "float32",
    ]);
    expect(feeds["past_key_values.0.value"]!.dtype).toBe("float16");
  });

  test("the model's length; longer lines are cut or made windows only when asked", async () => {
    const inputs = [port("ids", ["N", 2])];
    const long = parseTokenLines("[1, 2, 3, 4, 5]", "t");
    expect(() => tokenDataset([], { inputs: [port("ids", ["N", "T"])] }, "t")).toThrow("expected at least one text");
    expect(() => tokenDataset(long, { inputs }, "t")).toThrow("expected at most 2 tokens, text 0 has 5");
    expect((await tokenDataset(long, { inputs, length: 2 }, "t").read([0])).ids!.numbers()).toEqual([1, 2]);
    const windows = tokenDataset(long, { inputs, hop: 1 }, "t");
    expect((await windows.read([0, 1, 2, 3])).ids!.numbers()).toEqual([1, 2, 2, 3, 3, 4, 4, 5]);
    expect(windows.count).toBe(4);
  });

  test.each(["[1, 2", "[]", '["a"]', '{"a": [1], "b": [1, 2]}', "7"])("%s is refused with its line", (line) => {
    expect(() => parseTokenLines(`[1]\n${line}`, "t.jsonl")).toThrow(AvocetError);
  });

  describe("of NumPy and of texts", () => {
    const folder = mkdtempSync(join(tmpdir(), "avocet-tokens-"));
    afterAll(() => rmSync(folder, { recursive: true, force: true }));
    const inputs = [port("input_ids", ["N", "T"]), port("attention_mask", ["N", "T"])];
    const saved = (name: string, tensor: Tensor) => {
      writeFileSync(join(folder, name), writeNpy(tensor));
      return join(folder, name);
    };

    test("a text of ids is cut into windows side by side, or as far apart as asked", async () => {
      const path = saved("text.npy", Tensor.int64([7], [1, 2, 3, 4, 5, 6, 7]));
      const data = await openData(`${path}?length=3`, { inputs });
      expect((await data.read([0, 1])).input_ids!.numbers()).toEqual([1, 2, 3, 4, 5, 6]);
      expect([data.count, (await data.read([0])).attention_mask!.numbers()]).toEqual([2, [1, 1, 1]]);
      expect((await openData(`${path}?length=3&hop=2`, { inputs })).count).toBe(3);
      expect((await openData(path, { inputs })).count).toBe(1);
    });

    test("texts of ids are samples, with what else the model asks for", async () => {
      const path = saved("texts.npy", Tensor.of("int32", [2, 3], Int32Array.of(1, 2, 3, 4, 5, 6)));
      const feeds = await (await openData(path, { inputs })).read([1]);
      expect(feeds.input_ids!.numbers()).toEqual([4, 5, 6]);
      expect(feeds.attention_mask!.numbers()).toEqual([1, 1, 1]);
      expect((await openData(`${path}?length=2&hop=1`, { inputs })).count).toBe(4);
    });

    test("arrays of other things stay arrays", async () => {
      const path = saved("floats.npy", Tensor.float32([2, 3], [1, 2, 3, 4, 5, 6]));
      await expect(openData(path, { inputs })).rejects.toMatchObject({ code: "data/wrong-inputs" });
      await expect(openData(`${path}?length=2`, { inputs })).rejects.toMatchObject({ code: "usage/bad-value" });
    });

    test("a text needs a tokenizer, and its package", async () => {
      const path = join(folder, "text.txt");
      writeFileSync(path, "one two\n\nthree");
      await expect(openData(path, { inputs })).rejects.toMatchObject({ code: "usage/missing" });
      const tokenizer = join(folder, "tokenizer.json");
      writeFileSync(tokenizer, "{}");
      await expect(openData(`${path}?tokenizer=${tokenizer}`, { inputs })).rejects.toMatchObject({
        // Without the package, and with one that finds no tokenizer in this.
        code: expect.stringMatching(/^(usage\/missing|data\/unreadable)$/),
      });
      await expect(openData(`${path}?lines=maybe`, { inputs })).rejects.toThrow(/yes or no/);
    });
  });

  const reason = missing("llama-stories260k/tokens.json");
  test("the tokens of the fixture", async ({ skip }) => {
    skip(reason !== false, String(reason));
    const path = fixture("llama-stories260k/tokens.json");
    const data = await openData(`${path}?key=tinystories&length=256`, { inputs: [port("input_ids", ["N", 256])] });
    expect(data.count).toBe(5);
    expect((await data.read([0])).input_ids!.numbers().slice(0, 4)).toEqual([1, 403, 407, 261]);
  });
});

/** A WAV file of these sample bytes. */
function wav(code: number, bits: number, channels: number, data: ArrayBufferLike, rate = 16_000): Uint8Array {
  const bytes = new Uint8Array(data);
  const header = new DataView(new ArrayBuffer(44 + 10));
  const ascii = (at: number, text: string) => {
    for (let i = 0; i < text.length; i++) header.setUint8(at + i, text.charCodeAt(i));
  };
  ascii(0, "RIFF");
  header.setUint32(4, 46 + bytes.length, true);
  ascii(8, "WAVEfmt ");
  header.setUint32(16, 16, true);
  header.setUint16(20, code, true);
  header.setUint16(22, channels, true);
  header.setUint32(24, rate, true);
  header.setUint16(34, bits, true);
  // A chunk of odd length, which is padded to an even one.
  ascii(36, "note");
  header.setUint32(40, 1, true);
  ascii(46, "data");
  header.setUint32(50, bytes.length, true);
  return new Uint8Array([...new Uint8Array(header.buffer), ...bytes]);
}

describe("audio", () => {
  const forms: [string, Uint8Array, number[]][] = [
    ["8 bits", wav(1, 8, 1, Uint8Array.of(0, 128, 192).buffer), [-1, 0, 0.5]],
    ["16 bits", wav(1, 16, 1, Int16Array.of(-32768, 0, 16384).buffer), [-1, 0, 0.5]],
    ["24 bits", wav(1, 24, 1, Uint8Array.of(0, 0, 0x80, 0, 0, 0, 0, 0, 0x40).buffer), [-1, 0, 0.5]],
    ["32 bits", wav(1, 32, 1, Int32Array.of(-(2 ** 31), 0, 2 ** 30).buffer), [-1, 0, 0.5]],
    ["floats", wav(3, 32, 1, Float32Array.of(-1, 0, 0.5).buffer), [-1, 0, 0.5]],
    ["two channels", wav(1, 16, 2, Int16Array.of(-32768, 0, 0, 16384).buffer), [-0.5, 0.25]],
  ];
  test.each(forms)("%s", async (_name, bytes, values) => {
    const file = await openWav(bytesSource(bytes));
    expect([file.rate, file.frames]).toEqual([16_000, values.length]);
    expect(Array.from(await file.read(0, file.frames))).toEqual(values);
  });

  test("windows in order, short files filled with zeros, one rate", async () => {
    const open = (values: number[], rate?: number) =>
      openWav(bytesSource(wav(3, 32, 1, Float32Array.from(values).buffer, rate), "a.wav"));
    const files = [await open([1, 2, 3, 4, 5]), await open([6])];
    const rows = wavWindows(files, { shape: [1, 2], hop: 2 }, "folder");
    expect(rows.shape).toEqual([3, 1, 2]);
    expect((await rows.read([2, 0, 1])).numbers()).toEqual([6, 0, 1, 2, 3, 4]);
    const other = await open([1], 8000);
    expect(() => wavWindows([files[0]!, other], { shape: [1] }, "folder")).toThrow(
      "expected 16000 samples a second, got 8000",
    );
  });

  test("damaged files give errors or samples", async () => {
    const sound = forms[5]![1];
    await fc.assert(
      fc.asyncProperty(fc.nat(sound.length - 1), fc.nat(255), fc.boolean(), async (at, value, cut) => {
        const bytes = cut ? sound.slice(0, at) : sound.slice();
        if (!cut) bytes[at] = value;
        await openWav(bytesSource(bytes))
          .then((file) => file.read(0, file.frames))
          .catch((error) => expect(AvocetError.is(error), String(error.stack)).toBe(true));
      }),
    );
  });

  const folder = "dns3-speech-pairs";
  const reason = missing(folder);
  test("the recordings of the fixture", async ({ skip }) => {
    skip(reason !== false, String(reason));
    const data = await openData(`${fixture(folder)}?length=16000&hop=8000`, {
      inputs: [port("x", ["N", "T"], "float32")],
    });
    const first = (await data.read([0])).x!;
    const raw = readFileSync(fixture(`${folder}/DNS3_test_set__0015_clean.wav`));
    const samples = Array.from({ length: 16_000 }, (_, i) => raw.readInt16LE(44 + 2 * i) / 32_768);
    expect(first.numbers()).toEqual(samples);
    await expect(openData(fixture(folder), { inputs: [port("x", ["N", "T"], "float32")] })).rejects.toMatchObject({
      code: "usage/missing",
    });
  });
});

describe("stateful models", () => {
  /** y = x + state, and the next state is y: a running sum. */
  const run = async ({ x, state }: Feeds): Promise<Feeds> => {
    const y = x!.numbers().map((value, i) => value + state!.numbers()[i]!);
    return { y: Tensor.float32(x!.shape, y), next: Tensor.float32(state!.shape, y) };
  };
  const steps = fromArray("x", [5, 1], Float32Array.of(1, 2, 3, 4, 5));
  const states = { state: { output: "next", start: Tensor.float32([1, 1], [0]) } };

  test("each step carries the state that the step before gave back", async () => {
    const data = withStates(steps, { run, states, begins: (index) => index === 3 });
    for (const size of [1, 2]) {
      const seen: number[] = [];
      for await (const { feeds } of data.batches(size)) seen.push(...feeds.state!.numbers());
      expect(seen).toEqual([0, 1, 3, 0, 4]);
    }
    expect(data.count).toBe(5);
  });

  test("states are put together along the axis that counts samples", async () => {
    const layered = { state: { output: "next", start: Tensor.float32([2, 1], [0, 0]) } };
    const both = async ({ x, state }: Feeds): Promise<Feeds> => ({ y: x!, next: state! });
    const data = withStates(steps, { run: both, states: layered });
    const one = data.batches(1)[Symbol.asyncIterator]();
    expect((await one.next()).value.feeds.state.shape).toEqual([2, 1]);
    const two = await data.batches(2)[Symbol.asyncIterator]().next();
    expect(two.value.feeds.state.shape).toEqual([2, 2]);
    expect(data.axes).toEqual({ state: 1 });
    const recorded = await recordStates(steps, { run: both, states: layered });
    expect((await recorded.read([3, 1, 2])).state!.shape).toEqual([2, 3]);
  });

  test("states that grow, and such without an axis of samples, go one by one", async () => {
    const growing = async ({ x, state }: Feeds): Promise<Feeds> => {
      const rows = [...state!.numbers(), x!.numbers()[0]!];
      return { y: x!, next: Tensor.float32([1, rows.length], rows) };
    };
    const cache = { state: { output: "next", start: Tensor.float32([1, 0], []) } };
    for (const data of [
      withStates(steps, { run: growing, states: cache }),
      await recordStates(steps, { run: growing, states: cache }),
    ]) {
      const seen: number[][] = [];
      for await (const { feeds, size } of data.batches(4)) {
        expect(size).toBe(1);
        seen.push(feeds.state!.numbers());
      }
      expect(seen).toEqual([[], [1], [1, 2], [1, 2, 3], [1, 2, 3, 4]]);
    }
  });

  test("an output that the model does not give", async () => {
    const data = withStates(steps, { run: async () => ({}), states });
    await expect(data.batches(5)[Symbol.asyncIterator]().next()).rejects.toThrow('expected the output "next"');
  });
});
