/** The picture decoder in Node: its WebAssembly comes from the installed package. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { type DecodePicture, pictureDecoder } from "../decode.ts";
import { jpegDecoder } from "../jpeg.ts";

let shared: DecodePicture | null = null;

/** JPEG and PNG. The WebAssembly is compiled once. */
export function nodePictureDecoder(): DecodePicture {
  if (!shared) {
    const path = createRequire(import.meta.url).resolve("@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm");
    shared = pictureDecoder(jpegDecoder(new WebAssembly.Module(readFileSync(path))));
  }
  return shared;
}
