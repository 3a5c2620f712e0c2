/** Weights of torch.save in every form (tools/pytorch_weights_goldens.py), what is none, and damaged ones. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { fixture, missing } from "../../../test/fixtures.ts";
import { AvocetError, Random } from "../../base/inner.ts";
import { bytesSource } from "../byte-source.ts";
import { openWeights } from "../inner-node.ts";
import { readPickle } from "./pickle.ts";
import { readStateDict } from "./state-dict.ts";

interface Golden {
  readonly file: string;
  readonly tensors: Readonly<
    Record<string, { readonly dtype: string; readonly shape: number[]; readonly values: number[] }>
  > | null;
}

const goldens = JSON.parse(readFileSync(join(import.meta.dirname, "golden/weights.json"), "utf8")) as Record<
  string,
  Golden
>;
const bytesOf = (name: string) => new Uint8Array(Buffer.from(goldens[name]!.file, "base64"));

describe("files of torch.save", () => {
  test.each(Object.entries(goldens).filter(([, { tensors }]) => tensors))("%s", (name, { tensors: expected }) => {
    const { tensors } = readStateDict(bytesSource("w.pth", bytesOf(name)));
    const found = [...tensors].map(([key, tensor]) => [
      key,
      { dtype: tensor.dtype, shape: [...tensor.shape], values: [...tensor.numbers()].map(Number) },
    ]);
    // Bits are read, so numbers are equal, not close.
    expect(Object.fromEntries(found)).toEqual(expected);
  });

  test.each([
    ["object", /got an object of __main__\.Net/, /state_dict/],
    ["script", /TorchScript/, /torch\.export\.save/],
  ])("%s is none, and the way out is said", (name, problem, hint) => {
    expect(() => readStateDict(bytesSource("w.pth", bytesOf(name)))).toThrow(
      expect.objectContaining({
        code: "import/unknown-format",
        message: expect.stringMatching(problem),
        detail: expect.objectContaining({ hint: expect.stringMatching(hint) }),
      }),
    );
  });
});

describe("files of others", () => {
  const files: Readonly<Record<string, readonly [number, string, readonly number[]]>> = {
    "resnet-cifar10-akamaster/resnet20-12fca82f.th": [97, "module.conv1.weight", [16, 3, 3, 3]],
    "cifar10/resnet20_cifar10jpeg_finetuned.th": [116, "conv1.weight", [16, 3, 3, 3]],
    "espnet-camvid/espnet_p_2_q_8_camvid.pth": [189, "", []],
    "fastestdet-coco/weight_AP05:0.253207_280-epoch.pth": [420, "", []],
  };
  for (const [name, [count, first, shape]] of Object.entries(files)) {
    test.skipIf(missing(name))(name, async () => {
      const weights = await openWeights(fixture(name));
      expect(weights!.tensors.size).toBe(count);
      if (first) expect(weights!.tensors.get(first)!.shape).toEqual(shape);
    });
  }
});

describe("pickles", () => {
  const bytes = (text: string) => new Uint8Array(Buffer.from(text, "latin1"));

  test("what would run a program is a name with arguments", () => {
    const { value } = readPickle(bytes("\x80\x02cos\nsystem\nX\x04\0\0\0true\x85R."), "p");
    expect(value).toMatchObject({ of: { name: "os.system" }, args: ["true"] });
  });

  test.each([
    ["an empty stack", ".", "import/malformed"],
    ["no end", "\x80\x02", "import/truncated"],
    ["a text longer than the file", "\x80\x02X\xff\xff\xff\x7f.", "import/truncated"],
    ["an unknown instruction", "\x80\x02\xf0.", "import/malformed"],
    ["a value that nobody kept", "\x80\x02h\x07.", "import/malformed"],
    ["pairs for a number", "\x80\x02K\x01K\x02K\x03s.", "import/malformed"],
  ])("%s", (_, text, code) => {
    expect(() => readPickle(bytes(text), "p")).toThrow(expect.objectContaining({ code }));
  });

  test("more steps than any checkpoint has", () => {
    const long = new Uint8Array(6_000_000).fill(0x4e);
    expect(() => readPickle(long, "p")).toThrow(expect.objectContaining({ code: "import/too-large" }));
  });
});

test("whatever is changed in them, nothing but an AvocetError comes out, and tensors that come out are whole", () => {
  const random = new Random(3);
  const names = Object.keys(goldens).filter((name) => goldens[name]!.tensors);
  let refused = 0;
  for (let i = 0; i < 1000; i++) {
    const source = bytesOf(names[i % names.length]!);
    const mutant = i % 4 === 0 ? source.slice(0, random.integer(source.length)) : source.slice();
    for (let n = 1 + random.integer(4); n > 0; n--) mutant[random.integer(mutant.length)] = random.integer(256);
    try {
      for (const tensor of readStateDict(bytesSource("w.pth", mutant)).tensors.values()) tensor.bytes;
    } catch (error) {
      expect(AvocetError.is(error), String(error)).toBe(true);
      refused++;
    }
  }
  expect(refused).toBeGreaterThan(300);
});
