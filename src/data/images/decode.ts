/** Images of any format that is read, told apart by their first bytes. */
import { AvocetError } from "../../base/inner.ts";
import type { Image } from "./image.ts";
import type { JpegDecoder } from "./jpeg.ts";
import { isJpeg } from "./jpeg-header.ts";
import { decodePng, isPng } from "./png.ts";

/** Decodes one image to red, green, blue. `turn` follows its EXIF orientation. Throws `data/unreadable`. */
export type DecodeImage = (bytes: Uint8Array, name: string, turn: boolean) => Promise<Image>;

/** A decoder of JPEG and PNG. */
export function imageDecoder(jpeg: JpegDecoder): DecodeImage {
  return async (bytes, name, turn) => {
    if (isJpeg(bytes)) return jpeg.decode(bytes, name, turn);
    if (isPng(bytes)) return decodePng(bytes, name, turn);
    const start = Array.from(bytes.subarray(0, 4), (byte) => byte.toString(16).padStart(2, "0")).join(" ");
    throw new AvocetError("data/unreadable", `expected a JPEG or PNG image, got bytes ${start || "none"}`, {
      at: name,
    });
  };
}
