/** Images against Pillow: the same pixels after decoding, turning, resizing and padding. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fixture, missing } from "../../../test/fixtures.ts";
import { AvocetError } from "../../base/inner.ts";
import { nodeImageDecoder } from "../disk/jpeg-node.ts";
import { parsePreprocess } from "../preprocess.ts";
import { prepare } from "./geometry.ts";
import { type Image, toGray } from "./image.ts";
import { decodeMask } from "./png.ts";
import { resize } from "./resample.ts";

interface Entry {
  name: string;
  data: string;
  width: number;
  height: number;
  sha256: string;
}
interface Golden {
  jpeg: Entry[];
  oriented: Entry[];
  png: Entry[];
  masks: Entry[];
  resize: { from: [number, number]; to: [number, number]; filter: Parameters<typeof resize>[3]; sha256: string }[];
  letterbox: { from: [number, number]; to: [number, number]; sha256: string }[];
  gray: { sha256: string; bilinear: string };
  fixtures: { pack: string; index: number; sha256: string; prepared: string }[];
}
/** Made by tools/pil_goldens.py. */
const golden: Golden = JSON.parse(readFileSync(new URL("golden/images.json", import.meta.url), "utf8"));
const decode = nodeImageDecoder();
const sha = (data: Uint8Array) => createHash("sha256").update(data).digest("hex");
const bytesOf = (entry: Entry) => Uint8Array.from(Buffer.from(entry.data, "base64"));

/** The formula of `drawn` in tools/pil_goldens.py. */
function drawn(width: number, height: number): Image {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const tiles = ((Math.floor(x / 7) + Math.floor(y / 5)) % 2) * 60;
      for (let c = 0; c < 3; c++) data[at++] = (x * (3 + c) + y * (5 - c) + tiles + ((x * y * (c + 1)) % 11)) % 256;
    }
  }
  return { width, height, channels: 3, data };
}

const expectSame = (image: { width: number; height: number; data: Uint8Array }, entry: Entry) =>
  expect([image.width, image.height, sha(image.data)]).toEqual([entry.width, entry.height, entry.sha256]);

describe("decoding equals Pillow's convert('RGB')", () => {
  test.each(golden.jpeg.map((entry) => [entry.name, entry] as const))("JPEG %s", async (name, entry) => {
    expectSame(await decode(bytesOf(entry), name, false), entry);
  });
  test.each(golden.png.map((entry) => [entry.name, entry] as const))("PNG %s", async (name, entry) => {
    expectSame(await decode(bytesOf(entry), name, false), entry);
  });
  test.each(golden.oriented.map((entry) => [entry.name, entry] as const))("turned, %s", async (name, entry) => {
    expectSame(await decode(bytesOf(entry), name, true), entry);
  });
  test.each(golden.masks.map((entry) => [entry.name, entry] as const))("mask, %s", (name, entry) => {
    expectSame(decodeMask(bytesOf(entry), name), entry);
  });
});

describe("resizing equals Pillow's", () => {
  test.each(golden.resize.map((c) => [c.filter, c.from.join("×"), c.to.join("×"), c] as const))(
    "%s %s → %s",
    (filter, _from, _to, { from, to, sha256 }) => {
      expect(sha(resize(drawn(...from), ...to, filter).data)).toBe(sha256);
    },
  );
  test("gray", () => {
    const gray = toGray(drawn(97, 61));
    expect(sha(gray.data)).toBe(golden.gray.sha256);
    expect(sha(resize(gray, 40, 50, "bilinear").data)).toBe(golden.gray.bilinear);
  });
  test.each(golden.letterbox.map((c) => [c.from.join("×"), c] as const))(
    "letterbox %s",
    (_from, { from, to, sha256 }) => {
      const how = parsePreprocess({ resize: { letterbox: to, fill: 114 } });
      expect(sha(prepare(drawn(...from), how, "drawn").data)).toBe(sha256);
    },
  );
});

describe("the fixtures' images equal Pillow's", () => {
  const how = parsePreprocess({ resize: { short: 256 }, crop: 224 });
  test.for(golden.fixtures)("$pack $index", async ({ pack, index, sha256, prepared }, { skip }) => {
    const [folder, file] = pack.split("/") as [string, string];
    const blob = join(folder, file === "index.json" ? "images_224_q95.jpgpack" : file.replace(".json", ".jpgpack"));
    const reason = missing(pack, blob);
    skip(reason !== false, String(reason));
    const { images } = JSON.parse(readFileSync(fixture(pack), "utf8"));
    const { offset, length } = images[index];
    const image = await decode(readFileSync(fixture(blob)).subarray(offset, offset + length), pack, false);
    expect(sha(image.data)).toBe(sha256);
    expect(sha(prepare(image, how, pack).data)).toBe(prepared);
  });
});

test("damaged images give errors or pixels, cut ones always errors", async () => {
  const cases = [...golden.jpeg, ...golden.png].map(bytesOf);
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...cases),
      fc.nat(),
      fc.nat(255),
      fc.boolean(),
      async (sound, place, value, cut) => {
        const at = place % sound.length;
        const bytes = cut ? sound.slice(0, at) : sound.slice();
        if (!cut) bytes[at] = value;
        const caught = await decode(bytes, "damaged", true).then(
          () => null,
          (error: unknown) => error,
        );
        // A PNG that lacks no more than its last chunk, which says that this is the end, has all its pixels.
        const isWhole = sound[0] === 0x89 && at === sound.length - 12;
        if ((cut && !isWhole) || caught) expect(AvocetError.is(caught), String(caught)).toBe(true);
      },
    ),
    { numRuns: 600 },
  );
});

test("a PNG without its last chunk has all its pixels", async () => {
  for (const sound of golden.png.map(bytesOf)) {
    const whole = await decode(sound, "sound", false);
    expect((await decode(sound.slice(0, -12), "cut", false)).data).toEqual(whole.data);
  }
});
