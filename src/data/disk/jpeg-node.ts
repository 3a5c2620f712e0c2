/** The image decoder in Node: its WebAssembly comes from the installed package. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { type DecodeImage, imageDecoder } from "../images/decode.ts";
import { jpegDecoder } from "../images/jpeg.ts";

let shared: DecodeImage | null = null;

/** JPEG and PNG. The WebAssembly is compiled once. */
export function nodeImageDecoder(): DecodeImage {
  if (!shared) {
    const path = createRequire(import.meta.url).resolve("@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm");
    shared = imageDecoder(jpegDecoder(new WebAssembly.Module(readFileSync(path))));
  }
  return shared;
}
