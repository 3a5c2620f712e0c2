/** Pictures against Pillow: the same pixels after decoding, turning, resizing and padding. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fixture, missing } from "../../test/fixtures.ts";
import { AvocetError } from "../base/index.ts";
import { prepare } from "./geometry.ts";
import { nodePictureDecoder } from "./node/jpeg-node.ts";
import { type Picture, toGray } from "./picture.ts";
import { decodeMask } from "./png.ts";
import { parsePreprocess } from "./preprocess.ts";
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
const golden: Golden = JSON.parse(readFileSync(new URL("golden/pictures.json", import.meta.url), "utf8"));
const decode = nodePictureDecoder();
const sha = (data: Uint8Array) => createHash("sha256").update(data).digest("hex");
const bytesOf = (entry: Entry) => Uint8Array.from(Buffer.from(entry.data, "base64"));

/** The formula of `drawn` in tools/pil_goldens.py. */
function drawn(width: number, height: number): Picture {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const tiles = ((Math.floor(x / 7) + Math.floor(y / 5)) % 2) * 60;
      for (let c = 0; c < 3; c++) data[at++] = (x * (3 + c) + y * (5 - c) + tiles + ((x * y * (c + 1)) % 11)) % 256;
    }
  }
  return { width, height, channels: 3, data };
}

const expectSame = (picture: { width: number; height: number; data: Uint8Array }, entry: Entry) =>
  expect([picture.width, picture.height, sha(picture.data)]).toEqual([entry.width, entry.height, entry.sha256]);

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

describe("the fixtures' pictures equal Pillow's", () => {
  const how = parsePreprocess({ resize: { short: 256 }, crop: 224 });
  test.for(golden.fixtures)("$pack $index", async ({ pack, index, sha256, prepared }, { skip }) => {
    const [folder, file] = pack.split("/") as [string, string];
    const blob = join(folder, file === "index.json" ? "images_224_q95.jpgpack" : file.replace(".json", ".jpgpack"));
    const reason = missing(pack, blob);
    skip(reason !== false, String(reason));
    const { images } = JSON.parse(readFileSync(fixture(pack), "utf8"));
    const { offset, length } = images[index];
    const picture = await decode(readFileSync(fixture(blob)).subarray(offset, offset + length), pack, false);
    expect(sha(picture.data)).toBe(sha256);
    expect(sha(prepare(picture, how, pack).data)).toBe(prepared);
  });
});

test("damaged pictures give errors or pixels, cut ones always errors", async () => {
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
        if (cut || caught) expect(AvocetError.is(caught), String(caught)).toBe(true);
      },
    ),
    { numRuns: 600 },
  );
});
