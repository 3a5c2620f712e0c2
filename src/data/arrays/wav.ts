/** WAV audio: PCM of 8 to 32 bits and floats, read by range; and windows of it as samples. */
import { AvocetError, ByteReader } from "../../base/inner.ts";
import { sizeOf, Tensor } from "../../tensor/inner.ts";
import type { ArrayRows } from "../array-rows.ts";
import { type ByteSource, checkRange } from "../byte-source.ts";
import { dataLimits } from "../limits.ts";

export interface Wav {
  readonly name: string;
  /** Samples a second. */
  readonly rate: number;
  readonly channels: number;
  /** Samples of each channel. */
  readonly frames: number;
  /** `count` samples from `start`, the mean of the channels; integers are divided by their range, so −1 … 1. */
  read(start: number, count: number): Promise<Float32Array>;
}

const pcm = 1;
const float = 3;
const extensible = 0xfffe;

/** Opens a RIFF/WAVE file. Throws `data/unreadable`. */
export async function openWav(source: ByteSource): Promise<Wav> {
  const { name } = source;
  const start = String.fromCharCode(...(await source.read(0, Math.min(12, source.size))));
  if (!start.startsWith("RIFF") || start.slice(8) !== "WAVE") {
    throw unreadable(name, "a WAV file (RIFF, WAVE)", "other bytes");
  }
  let format: { code: number; channels: number; rate: number; bits: number } | null = null;
  for (let at = 12, chunks = 0; at + 8 <= source.size; chunks++) {
    if (chunks === dataLimits.wavChunks) throw unreadable(name, `samples within ${chunks} chunks`, "more chunks");
    const header = new ByteReader(await source.read(at, 8), name);
    const [id, size] = [header.ascii(4), header.u32()];
    if (id === "fmt ") format = readFormat(new ByteReader(await source.read(at + 8, Math.min(size, 40)), name));
    if (id === "data") {
      if (!format) throw unreadable(name, "a format before the samples", "none");
      // Recorders that are cut off leave a size of 0 or −1; what is there counts.
      const bytes = Math.min(size === 0 ? source.size : size, source.size - at - 8);
      return wavOf(source, format, at + 8, bytes);
    }
    at += 8 + size + (size & 1);
  }
  throw unreadable(name, "samples", "none");
}

function readFormat(reader: ByteReader) {
  let code = reader.u16();
  const channels = reader.u16();
  const rate = reader.u32();
  reader.skip(6);
  const bits = reader.u16();
  if (code === extensible) {
    reader.skip(8);
    code = reader.u16();
  }
  return { code, channels, rate, bits };
}

function wavOf(
  source: ByteSource,
  { code, channels, rate, bits }: { code: number; channels: number; rate: number; bits: number },
  offset: number,
  bytes: number,
): Wav {
  const known = code === pcm ? [8, 16, 24, 32] : code === float ? [32, 64] : [];
  if (!known.includes(bits) || channels < 1 || rate < 1) {
    throw unreadable(source.name, "PCM of 8, 16, 24 or 32 bits or floats", `format ${code} of ${bits} bits`);
  }
  const width = (bits / 8) * channels;
  const frames = Math.floor(bytes / width);
  if (frames === 0) throw unreadable(source.name, "samples", "none");
  return {
    name: source.name,
    rate,
    channels,
    frames,
    async read(start, count) {
      checkRange(source.name, frames, start, count);
      const raw = await source.read(offset + start * width, count * width);
      const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
      const value = decoderOf(code, bits, view);
      return Float32Array.from({ length: count }, (_, frame) => {
        let sum = 0;
        for (let c = 0; c < channels; c++) sum += value(frame * width + c * (bits / 8));
        return sum / channels;
      });
    },
  };
}

/** Reads one sample at a byte; 8 bits are unsigned, wider ones signed, as the format has it. */
function decoderOf(code: number, bits: number, view: DataView): (at: number) => number {
  if (code === float) return bits === 32 ? (at) => view.getFloat32(at, true) : (at) => view.getFloat64(at, true);
  if (bits === 8) return (at) => (view.getUint8(at) - 128) / 128;
  if (bits === 16) return (at) => view.getInt16(at, true) / 32_768;
  if (bits === 24) return (at) => (view.getUint16(at, true) + view.getInt8(at + 2) * 65_536) / 8_388_608;
  return (at) => view.getInt32(at, true) / 2_147_483_648;
}

export interface WindowOptions {
  /** The shape of one sample; its size is the length of a window. */
  readonly shape: readonly number[];
  /** Samples between the beginnings of windows. Default: the length. */
  readonly hop?: number | undefined;
  /** The rate that every file must have; default: that of the first one. */
  readonly rate?: number | undefined;
}

/**
 * Windows of audio files, in order: all whole windows of each file, or one filled with zeros of a file that is shorter.
 * Throws `data/wrong-shape` when files differ in their rate; nothing is resampled.
 */
export function wavWindows(files: readonly Wav[], options: WindowOptions, source: string): ArrayRows {
  const length = sizeOf(options.shape);
  const { hop = length, rate = files[0]?.rate } = options;
  if (!(length >= 1 && hop >= 1)) {
    throw new AvocetError("usage/bad-value", `expected a length and a hop of at least 1, got ${length} and ${hop}`, {
      at: source,
    });
  }
  const windows: { readonly file: Wav; readonly start: number }[] = [];
  const starts: number[] = [];
  for (const file of files) {
    if (file.rate !== rate) {
      throw new AvocetError("data/wrong-shape", `expected ${rate} samples a second, got ${file.rate}`, {
        at: file.name,
        hint: "resample the audio to one rate first",
      });
    }
    const last = Math.max(0, file.frames - length);
    starts.push(windows.length);
    for (let start = 0; start <= last; start += hop) windows.push({ file, start });
  }
  return {
    name: source,
    dtype: "float32",
    shape: [windows.length, ...options.shape],
    starts,
    async read(indices) {
      const data = new Float32Array(indices.length * length);
      for (const [row, index] of indices.entries()) {
        const { file, start } = windows[index]!;
        data.set(await file.read(start, Math.min(length, file.frames - start)), row * length);
      }
      return Tensor.float32([indices.length, ...options.shape], data);
    },
  };
}

function unreadable(at: string, expected: string, got: string): AvocetError {
  return new AvocetError("data/unreadable", `expected ${expected}, got ${got}`, { at });
}
