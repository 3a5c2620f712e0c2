/** JPEG images, decoded by libjpeg-turbo in WebAssembly (@jsquash/jpeg): the same pixels as Pillow's. */
import factory from "@jsquash/jpeg/codec/dec/mozjpeg_dec.js";
import { AvocetError } from "../../base/inner.ts";
import { dataLimits } from "../limits.ts";
import { checkPixels, type Image, orient } from "./image.ts";
import { cmykImage } from "./jpeg-cmyk.ts";
import { countScans, type JpegHeader, readJpegHeader } from "./jpeg-header.ts";

interface Codec {
  decode(
    bytes: Uint8Array,
    preserveOrientation: boolean,
  ): { data: Uint8ClampedArray; width: number; height: number } | null;
}
type Instantiate = (options: {
  noInitialRun: boolean;
  print: (line: string) => void;
  printErr: (line: string) => void;
  instantiateWasm: (
    imports: WebAssembly.Imports,
    done: (instance: WebAssembly.Instance) => void,
  ) => WebAssembly.Exports;
}) => Promise<Codec>;

export interface JpegDecoder {
  /** Pixels as red, green, blue. `turn` follows the EXIF orientation. Throws `data/unreadable`. */
  decode(bytes: Uint8Array, name: string, turn?: boolean): Promise<Image>;
}

/** A decoder from the compiled mozjpeg_dec.wasm of @jsquash/jpeg. */
export function jpegDecoder(wasm: WebAssembly.Module): JpegDecoder {
  let said: string[] = [];
  let codec: Promise<Codec> | null = null;
  const start = () =>
    (factory as unknown as Instantiate)({
      noInitialRun: true,
      print: (line) => said.push(line),
      printErr: (line) => said.push(line),
      instantiateWasm(imports, done) {
        const instance = new WebAssembly.Instance(wasm, imports);
        done(instance);
        return instance.exports;
      },
    });

  /** RGBX pixels; libjpeg's own words become the message. */
  const run = async (
    bytes: Uint8Array,
    name: string,
  ): Promise<{ data: Uint8ClampedArray; width: number; height: number }> => {
    codec ??= start();
    const ready = await codec;
    said = [];
    let problem: unknown = null;
    try {
      const decoded = ready.decode(bytes, false);
      // libjpeg fills what a cut file lacks with gray and only warns; Pillow refuses it, and so do we.
      if (decoded && !said.some((line) => line.startsWith("Premature end"))) return decoded;
    } catch (error) {
      // The library has ended the program, so its memory is not to be trusted any more.
      codec = null;
      problem = error;
    }
    throw new AvocetError("data/unreadable", `expected a whole JPEG image, got ${said.join("; ") || "other bytes"}`, {
      at: name,
      hint: "the image is damaged or was not copied completely",
      cause: problem,
    });
  };

  return {
    async decode(bytes, name, turn = false) {
      const header = readJpegHeader(bytes, name);
      checkPixels(header.width, header.height, name);
      checkEffort(bytes, header, name);
      const { components, precision } = header;
      if (precision !== 8 || ![1, 3, 4].includes(components.length)) {
        const got = `${precision} bits and ${components.length} channels`;
        throw new AvocetError("data/unreadable", `expected 8 bits and 1, 3 or 4 channels, got ${got}`, { at: name });
      }
      const image =
        components.length === 4
          ? await cmykImage(bytes, header, name, (part) => run(part, name))
          : rgbOf(await run(bytes, name));
      // The decoder's memory grows to its largest image and never shrinks.
      if (header.width * header.height > largeImage) codec = null;
      return turn ? orient(image, header.orientation) : image;
    },
  };
}

/** Pixels from which on a decoder is not kept. */
const largeImage = 2 ** 24;

/** Throws `data/unreadable` for an image that its bytes cannot hold, or that would take minutes. */
function checkEffort(bytes: Uint8Array, header: JpegHeader, name: string): void {
  const pixels = header.width * header.height;
  if (!header.arithmetic && pixels > bytes.length * dataLimits.jpegPixelsPerByte) {
    throw new AvocetError(
      "data/unreadable",
      `expected a whole JPEG image, got ${bytes.length} bytes for ${pixels} pixels`,
      {
        at: name,
        hint: "the image is damaged or was not copied completely",
      },
    );
  }
  const most = Math.min(dataLimits.jpegScans, Math.floor(dataLimits.jpegPixelScans / pixels));
  const scans = countScans(bytes, name, most);
  if (scans <= most) return;
  throw new AvocetError("data/unreadable", `expected at most ${most} scans in an image of this size, got more`, {
    at: name,
    hint: "save the image again; encoders write ten scans or so",
  });
}

function rgbOf({ data, width, height }: { data: Uint8ClampedArray; width: number; height: number }): Image {
  const rgb = new Uint8Array(width * height * 3);
  for (let i = 0, j = 0; j < rgb.length; i += 4, j += 3) {
    rgb[j] = data[i]!;
    rgb[j + 1] = data[i + 1]!;
    rgb[j + 2] = data[i + 2]!;
  }
  return { width, height, channels: 3, data: rgb };
}
