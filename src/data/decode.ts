/** Pictures of any format that is read, told apart by their first bytes. */
import { AvocetError } from "../base/index.ts";
import type { JpegDecoder } from "./jpeg.ts";
import { isJpeg } from "./jpeg-header.ts";
import type { Picture } from "./picture.ts";
import { decodePng, isPng } from "./png.ts";

/** Decodes one picture to red, green, blue. `turn` follows its EXIF orientation. Throws `data/unreadable`. */
export type DecodePicture = (bytes: Uint8Array, name: string, turn: boolean) => Promise<Picture>;

/** A decoder of JPEG and PNG. */
export function pictureDecoder(jpeg: JpegDecoder): DecodePicture {
  return async (bytes, name, turn) => {
    if (isJpeg(bytes)) return jpeg.decode(bytes, name, turn);
    if (isPng(bytes)) return decodePng(bytes, name, turn);
    const start = Array.from(bytes.subarray(0, 4), (byte) => byte.toString(16).padStart(2, "0")).join(" ");
    throw new AvocetError("data/unreadable", `expected a JPEG or PNG picture, got bytes ${start || "none"}`, {
      at: name,
    });
  };
}
