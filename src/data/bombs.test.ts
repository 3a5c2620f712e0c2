/** Small files that would take gigabytes or minutes: each is refused at once, by a limit of the one table. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync, zlibSync } from "fflate";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fieldCase, missing } from "../../test/fixtures.ts";
import { root } from "../../test/source-files.ts";
import { crc32 } from "../base/inner-files.ts";
import { Tensor } from "../tensor/inner.ts";
import { readNpz, writeNpz } from "./arrays/npz.ts";
import { decodePng } from "./images/png.ts";
import { nodeImageDecoder, type OpenOptions, openData, openLabels } from "./inner-node.ts";
import { dataLimits } from "./limits.ts";

let folder = "";
const at = (name: string) => join(folder, name);
const write = (name: string, bytes: string | Uint8Array) => {
  writeFileSync(at(name), bytes);
  return at(name);
};
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "avocet-bombs-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const inputs = [{ name: "x", dtype: "float32", shape: [null, 4] }] as const;
const images: OpenOptions = {
  inputs: [{ name: "x", dtype: "float32", shape: [null, 3, 8, 8] }],
  preprocess: { resize: { exact: 8 }, scale: "1/255" },
};

/** Whatever it takes, it takes it from this process: a bomb that went off would be seen as time and memory. */
async function refused(act: () => unknown): Promise<{ code: string; hint: string | undefined }> {
  const start = cpuMilliseconds();
  const before = process.memoryUsage().rss;
  const error = await Promise.resolve()
    .then(act)
    .then(
      () => null,
      (thrown) => thrown,
    );
  expect(cpuMilliseconds() - start).toBeLessThan(3000);
  expect(process.memoryUsage().rss - before).toBeLessThan(700e6);
  return { code: error?.code ?? `${error}`, hint: error?.detail?.hint };
}

const u32 = (value: number) => [24, 16, 8, 0].map((shift) => (value >>> shift) & 255);

/** A PNG of zeros from its chunks; the header says 8 bits of RGB, not interlaced. */
function png(width: number, height: number, pixels: number, more: readonly [string, Uint8Array][] = []): Uint8Array {
  const chunk = (type: string, body: Uint8Array) => {
    const inner = Uint8Array.from([...new TextEncoder().encode(type), ...body]);
    return [...u32(body.length), ...inner, ...u32(crc32(inner))];
  };
  const header = Uint8Array.from([...u32(width), ...u32(height), 8, 2, 0, 0, 0]);
  const data = zlibSync(new Uint8Array(pixels), { level: 9 });
  return Uint8Array.from([
    ...[0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a],
    ...chunk("IHDR", header),
    ...more.flatMap(([type, body]) => chunk(type, body)),
    ...chunk("IDAT", data),
    ...chunk("IEND", new Uint8Array(0)),
  ]);
}

test("docs/data.md lists every limit with its value", () => {
  const page = readFileSync(join(root, "docs/data.md"), "utf8");
  const rows = [...page.matchAll(/^\| `(\w+)`.* \| (\d+) \|$/gm)].map(([, name, value]) => [name, Number(value)]);
  expect(Object.fromEntries(rows)).toEqual(dataLimits);
});

describe("pictures", () => {
  test("pixels beyond the image's are not inflated, as libpng leaves them", async () => {
    const bomb = png(2, 2, 20_000_000);
    const start = cpuMilliseconds();
    const image = decodePng(bomb, "bomb.png");
    expect([image.width, [...image.data]]).toEqual([2, new Array(12).fill(0)]);
    expect(cpuMilliseconds() - start).toBeLessThan(700);
  });

  test.each(["iCCP", "zTXt", "iTXt", "fdAT"])("%s is not looked into", (type) => {
    const bomb = Uint8Array.from([0x61, 0, 0, ...zlibSync(new Uint8Array(8_000_000), { level: 9 })]);
    const start = cpuMilliseconds();
    expect(decodePng(png(1, 1, 4, [[type, bomb]]), "bomb.png").width).toBe(1);
    expect(cpuMilliseconds() - start).toBeLessThan(300);
  });

  test("an image that its bytes cannot hold, or that is too large", async () => {
    expect((await refused(() => decodePng(png(8000, 8000, 4), "bomb.png"))).code).toBe("data/unreadable");
    expect((await refused(() => decodePng(png(8192, 8193, 4), "bomb.png"))).code).toBe("data/unreadable");
    expect((await refused(() => decodePng(png(9, 9, 4), "short.png"))).code).toBe("data/unreadable");
  });

  test("a second header, behind the one that is looked at, or a chunk before it", async () => {
    const large = Uint8Array.from([...u32(16_000), ...u32(16_000), 8, 2, 0, 0, 0]);
    expect((await refused(() => decodePng(png(1, 1, 4, [["IHDR", large]]), "twice.png"))).code).toBe("data/unreadable");
    const bytes = png(1, 1, 4, [["IHDR", large]]);
    bytes.set(new TextEncoder().encode("tEXt"), 12);
    new DataView(bytes.buffer).setUint32(29, crc32(bytes.subarray(12, 29)));
    expect((await refused(() => decodePng(bytes, "late.png"))).code).toBe("data/unreadable");
  });

  test("palette numbers without a palette", () => {
    const bytes = png(1, 1, 2);
    bytes[25] = 3;
    new DataView(bytes.buffer).setUint32(29, crc32(bytes.subarray(12, 29)));
    expect(() => decodePng(bytes, "numbers.png")).toThrow(/expected a palette/);
  });

  const golden = JSON.parse(readFileSync(new URL("images/golden/images.json", import.meta.url), "utf8"));
  const oneJpeg = () => Uint8Array.from(Buffer.from(golden.jpeg[0].data, "base64"));

  /** A JPEG with another size in its frame. */
  function jpeg(width: number, height: number): Uint8Array {
    const bytes = oneJpeg();
    const frame = bytes.findIndex((byte, i) => byte === 0xff && [0xc0, 0xc1, 0xc2].includes(bytes[i + 1]!));
    bytes.set([height >> 8, height & 255, width >> 8, width & 255], frame + 5);
    return bytes;
  }

  test("a JPEG of a few bytes that says that it is large", async () => {
    expect(await refused(() => nodeImageDecoder()(jpeg(8000, 8000), "x.jpg", false))).toMatchObject({
      code: "data/unreadable",
    });
  });

  test("a JPEG of more scans than any encoder writes", async () => {
    const one = oneJpeg();
    const scan = one.findIndex((byte, i) => byte === 0xff && one[i + 1] === 0xda);
    const scans = Array.from({ length: dataLimits.jpegScans + 1 }, () => [...one.subarray(scan, -2)]).flat();
    const bytes = Uint8Array.from([...one.subarray(0, scan), ...scans, 0xff, 0xd9]);
    expect((await refused(() => nodeImageDecoder()(bytes, "x.jpg", false))).code).toBe("data/unreadable");
  });
});

describe("archives", () => {
  const arrays = (count: number, size: number) =>
    Object.fromEntries(
      Array.from({ length: count }, (_, i) => [`a${i}`, Tensor.of("uint8", [size], new Uint8Array(size))]),
    );

  /** Lets every entry of the directory stand for the first one's bytes. */
  function overlapping(bytes: Uint8Array): Uint8Array {
    const view = new DataView(bytes.buffer);
    for (let i = 0; i + 46 <= bytes.length; i++) {
      if (view.getUint32(i, true) === 0x02014b50) view.setUint32(i + 42, 0, true);
    }
    return bytes;
  }

  test("entries over the same bytes", async () => {
    const bomb = overlapping(writeNpz(arrays(20, 1_000_000), { compress: true }));
    expect((await refused(() => readNpz(bomb))).code).toBe("data/unreadable");
  });

  test("more in all than may be held, though each entry may", async () => {
    const bytes = writeNpz(arrays(20, 1000), { compress: true });
    const view = new DataView(bytes.buffer);
    for (let i = 0; i + 46 <= bytes.length; i++) {
      if (view.getUint32(i, true) === 0x02014b50) view.setUint32(i + 24, 2 ** 26, true);
    }
    expect(await refused(() => readNpz(bytes))).toMatchObject({
      code: "data/too-large",
      hint: expect.stringMatching(/savez/),
    });
  });

  test("more arrays than any model has inputs", async () => {
    const path = write("many.npz", writeNpz(arrays(dataLimits.arrays + 1, 1)));
    expect((await refused(() => openData(path, { inputs }))).code).toBe("data/too-large");
    const most = writeNpz(arrays(dataLimits.arrays, 1));
    expect(Object.keys(await readNpz(most))).toHaveLength(dataLimits.arrays);
  });

  test("an entry that holds more than it says, and a gzip file that does", async () => {
    const bytes = writeNpz(arrays(1, 20_000_000), { compress: true });
    const view = new DataView(bytes.buffer);
    for (let i = 0; i + 46 <= bytes.length; i++) {
      if (view.getUint32(i, true) === 0x02014b50) view.setUint32(i + 24, 1000, true);
    }
    expect((await refused(() => readNpz(bytes))).code).toBe("data/unreadable");
    const packed = gzipSync(new Uint8Array(20_000_000), { level: 9 });
    new DataView(packed.buffer).setUint32(packed.length - 4, 4, true);
    expect((await refused(() => openData(`${write("x.u8.gz", packed)}?shape=-1,4`, { inputs }))).code).toBe(
      "data/unreadable",
    );
    new DataView(packed.buffer).setUint32(packed.length - 4, 2 ** 30 + 4, true);
    expect((await refused(() => openData(`${write("y.u8.gz", packed)}?shape=-1,4`, { inputs }))).code).toBe(
      "data/unreadable",
    );
  });
});

test("a gzip file of empty gzip files", async () => {
  const one = gzipSync(new Uint8Array(0));
  const packed = new Uint8Array(one.length * 100_000);
  for (let at = 0; at < packed.length; at += one.length) packed.set(one, at);
  expect((await refused(() => openData(`${write("z.u8.gz", packed)}?shape=-1,4`, { inputs }))).code).toBe(
    "data/unreadable",
  );
});

test("a WAV file of empty chunks", async () => {
  const bytes = new Uint8Array(4_000_000);
  bytes.set(new TextEncoder().encode("RIFF    WAVE"));
  expect((await refused(() => openData(write("chunks.wav", bytes), { inputs }))).code).toBe("data/unreadable");
});

describe("files without an end, and files that are too long", () => {
  const endings = ["npy", "npz", "json", "jsonl", "png", "jpg", "jpgpack", "wav", "u8", "u8.gz", "bin", "txt", ""];
  test.skipIf(process.platform === "win32").each(endings)(
    "a pipe that nobody writes to, as .%s: data and labels",
    async (ending) => {
      const path = at(`pipe.${ending}`);
      execFileSync("mkfifo", [path]);
      expect((await refused(() => openData(path, images))).code).toBe("data/unreadable");
      expect((await refused(() => openLabels(path))).code).toBe("data/unreadable");
    },
  );

  test.skipIf(process.platform === "win32").each(["/dev/zero", "/dev/random", "/dev/tty"])("%s", async (path) => {
    const codes = ["data/unreadable", "data/not-found"];
    expect(codes).toContain((await refused(() => openData(path, images))).code);
    expect(codes).toContain((await refused(() => openLabels(path))).code);
  });

  test.skipIf(process.platform === "win32")("a socket", async () => {
    const server = createServer().listen(at("socket.npy"));
    await new Promise((resolve) => server.once("listening", resolve));
    expect((await refused(() => openData(at("socket.npy"), images))).code).toBe("data/unreadable");
    server.close();
  });

  test.each(["json", "jsonl", "png", "txt", "jpgpack"])("a .%s of 3 GB", async (ending) => {
    const path = write(`long.${ending}`, "");
    truncateSync(path, 3e9);
    if (ending === "jpgpack") {
      truncateSync(write("long.json", ""), 3e9);
    }
    const asked = ending === "txt" ? () => openLabels(path) : () => openData(path, images);
    expect((await refused(asked)).code).toBe("data/too-large");
    rmSync(at("long.json"), { force: true });
  });
});

test.skipIf(process.platform !== "linux")("names that are no UTF-8 are told, not lost", async () => {
  const name = Buffer.concat([Buffer.from(`${folder}/photos/caf`), Buffer.from([0xe9]), Buffer.from(".png")]);
  execFileSync("mkdir", [at("photos")]);
  writeFileSync(name, png(2, 2, 14));
  expect(await refused(() => openData(at("photos"), images))).toEqual({
    code: "data/unreadable",
    hint: expect.stringContaining("rename"),
  });
});

describe("recorded bombs", () => {
  const names = [
    "11585x11585.png",
    "1GB.u8.gz",
    "dims11500.jpg",
    "idat_1x1_1GB.png",
    "scans2000.jpg",
    "twenty_1GB.npz",
  ];
  for (const name of names) {
    const reason = missing(`bombs/${name}`);
    test.skipIf(reason)(`${name}${reason ? ` (${reason})` : ""}`, async () => {
      const path = fieldCase(`bombs/${name}`);
      const spec = name.endsWith(".gz") ? `${path}?shape=-1,4` : path;
      const start = cpuMilliseconds();
      const { code } = await refused(() => openData(spec, name.endsWith(".gz") ? { inputs } : images));
      // The pixels beyond the one are not looked at, so that image is an image.
      expect(code).toMatch(name.startsWith("idat") ? /^null$/ : /^data\/(unreadable|too-large)$/);
      expect(cpuMilliseconds() - start).toBeLessThan(3000);
    });
  }
});

/** Of this process: another one on the same processor does not count. */
function cpuMilliseconds(): number {
  return process.cpuUsage().user / 1000;
}
