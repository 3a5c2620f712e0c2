/**
 * The block formats of GGUF as float32: each lays 32 or 256 elements with their scales into a fixed number of bytes. The layouts are
 * those of ggml's `ggml-common.h`; the formulas stand at each row, with d and m half floats of the block.
 */
import { fromFloat16Bits } from "../../tensor/inner.ts";

export interface BlockFormat {
  readonly name: string;
  /** Elements of a block. */
  readonly elements: number;
  readonly bytes: number;
  /** Writes the elements of the block at `at` of `from` to `to`, from `start` on. */
  decode(from: Uint8Array, at: number, to: Float32Array, start: number): void;
}

const half = (from: Uint8Array, at: number) => fromFloat16Bits(from[at]! | (from[at + 1]! << 8));
const signed = (byte: number) => (byte << 24) >> 24;

/** x = d·(q − 8), q of 4 bits: the low halves of 16 bytes, then the high ones. */
const q4_0: BlockFormat = {
  name: "Q4_0",
  elements: 32,
  bytes: 18,
  decode(from, at, to, start) {
    const d = half(from, at);
    for (let i = 0; i < 16; i++) {
      const byte = from[at + 2 + i]!;
      to[start + i] = d * ((byte & 15) - 8);
      to[start + 16 + i] = d * ((byte >> 4) - 8);
    }
  },
};

/** x = d·q + m. */
const q4_1: BlockFormat = {
  name: "Q4_1",
  elements: 32,
  bytes: 20,
  decode(from, at, to, start) {
    const d = half(from, at);
    const m = half(from, at + 2);
    for (let i = 0; i < 16; i++) {
      const byte = from[at + 4 + i]!;
      to[start + i] = d * (byte & 15) + m;
      to[start + 16 + i] = d * (byte >> 4) + m;
    }
  },
};

/** Five bits: four as above, and the highest of all 32 elements in four bytes. */
function fiveBits(from: Uint8Array, at: number, put: (index: number, q: number) => void): void {
  for (let i = 0; i < 16; i++) {
    const byte = from[at + 4 + i]!;
    const low = (from[at + (i >> 3)]! >> (i & 7)) & 1;
    const high = (from[at + 2 + (i >> 3)]! >> (i & 7)) & 1;
    put(i, (byte & 15) | (low << 4));
    put(i + 16, (byte >> 4) | (high << 4));
  }
}

/** x = d·(q − 16). */
const q5_0: BlockFormat = {
  name: "Q5_0",
  elements: 32,
  bytes: 22,
  decode(from, at, to, start) {
    const d = half(from, at);
    fiveBits(from, at + 2, (i, q) => {
      to[start + i] = d * (q - 16);
    });
  },
};

/** x = d·q + m. */
const q5_1: BlockFormat = {
  name: "Q5_1",
  elements: 32,
  bytes: 24,
  decode(from, at, to, start) {
    const d = half(from, at);
    const m = half(from, at + 2);
    fiveBits(from, at + 4, (i, q) => {
      to[start + i] = d * q + m;
    });
  },
};

/** x = d·q, q of 8 bits. */
const q8_0: BlockFormat = {
  name: "Q8_0",
  elements: 32,
  bytes: 34,
  decode(from, at, to, start) {
    const d = half(from, at);
    for (let i = 0; i < 32; i++) to[start + i] = d * signed(from[at + 2 + i]!);
  },
};

/** x = d·s·q − m·t, q of 2 bits; 16 elements share s and t, of 4 bits each. */
const q2_K: BlockFormat = {
  name: "Q2_K",
  elements: 256,
  bytes: 84,
  decode(from, at, to, start) {
    const d = half(from, at + 80);
    const m = half(from, at + 82);
    for (let group = 0; group < 16; group++) {
      const scales = from[at + group]!;
      const [scale, least] = [d * (scales & 15), m * (scales >> 4)];
      const { byte, shift } = twoBitPlace(group);
      for (let i = 0; i < 16; i++) {
        to[start + group * 16 + i] = scale * ((from[at + 16 + byte + i]! >> shift) & 3) - least;
      }
    }
  },
};

/** Where a group of 16 elements has its two bits: each half of the block has 32 bytes, of which the elements take turns. */
function twoBitPlace(group: number): { byte: number; shift: number } {
  const [part, inside] = [group >> 3, group & 7];
  return { byte: part * 32 + (inside & 1) * 16, shift: (inside >> 1) * 2 };
}

/** x = d·(s − 32)·(q − 4·(1 − h)), q of 2 bits, h of one, s of 6 bits for 16 elements. */
const q3_K: BlockFormat = {
  name: "Q3_K",
  elements: 256,
  bytes: 110,
  decode(from, at, to, start) {
    const d = half(from, at + 108);
    const scalesAt = at + 96;
    for (let group = 0; group < 16; group++) {
      const low = group < 8 ? from[scalesAt + group]! & 15 : from[scalesAt + group - 8]! >> 4;
      const high = (from[scalesAt + 8 + (group & 3)]! >> (2 * (group >> 2))) & 3;
      const scale = d * ((low | (high << 4)) - 32);
      const { byte, shift } = twoBitPlace(group);
      for (let i = 0; i < 16; i++) {
        const q = (from[at + 32 + byte + i]! >> shift) & 3;
        const h = (from[at + (group & 1) * 16 + i]! >> (group >> 1)) & 1;
        to[start + group * 16 + i] = scale * (q - 4 * (1 - h));
      }
    }
  },
};

/** The scale and the minimum of 32 elements, of 6 bits each: eight pairs in 12 bytes. */
function sixBitPair(from: Uint8Array, at: number, group: number): readonly [number, number] {
  if (group < 4) return [from[at + group]! & 63, from[at + group + 4]! & 63];
  const both = from[at + group + 4]!;
  return [(both & 15) | ((from[at + group - 4]! >> 6) << 4), (both >> 4) | ((from[at + group]! >> 6) << 4)];
}

/** x = d·s·q − m·t, q of 4 bits (5 with `highBits`), s and t of 6 bits for 32 elements. */
function fourBitSuper(name: string, bytes: number, highBits: boolean): BlockFormat {
  return {
    name,
    elements: 256,
    bytes,
    decode(from, at, to, start) {
      const d = half(from, at);
      const m = half(from, at + 2);
      const highAt = at + 16;
      const lowAt = highAt + (highBits ? 32 : 0);
      for (let group = 0; group < 8; group++) {
        const [s, t] = sixBitPair(from, at + 4, group);
        const [scale, least] = [d * s, m * t];
        for (let i = 0; i < 32; i++) {
          const byte = from[lowAt + (group >> 1) * 32 + i]!;
          const high = highBits ? ((from[highAt + i]! >> group) & 1) << 4 : 0;
          to[start + group * 32 + i] = scale * ((group & 1 ? byte >> 4 : byte & 15) | high) - least;
        }
      }
    },
  };
}

/** x = d·s·(q − 32), q of 4 + 2 bits, s of 8 bits for 16 elements. */
const q6_K: BlockFormat = {
  name: "Q6_K",
  elements: 256,
  bytes: 210,
  decode(from, at, to, start) {
    const d = half(from, at + 208);
    for (let group = 0; group < 16; group++) {
      const scale = d * signed(from[at + 192 + group]!);
      const [part, quarter, offset] = [group >> 3, (group >> 1) & 3, (group & 1) * 16];
      const lowAt = at + part * 64 + (quarter & 1) * 32 + offset;
      const highAt = at + 128 + part * 32 + offset;
      for (let i = 0; i < 16; i++) {
        const byte = from[lowAt + i]!;
        const low = quarter < 2 ? byte & 15 : byte >> 4;
        const high = (from[highAt + i]! >> (2 * quarter)) & 3;
        to[start + group * 16 + i] = scale * ((low | (high << 4)) - 32);
      }
    }
  },
};

/** By the number of `ggml_type`. */
export const blockFormats: ReadonlyMap<number, BlockFormat> = new Map([
  [2, q4_0],
  [3, q4_1],
  [6, q5_0],
  [7, q5_1],
  [8, q8_0],
  [10, q2_K],
  [11, q3_K],
  [12, fourBitSuper("Q4_K", 144, false)],
  [13, fourBitSuper("Q5_K", 176, true)],
  [14, q6_K],
]);

/** The elements of whole blocks. */
export function decodeBlocks(format: BlockFormat, from: Uint8Array, count: number): Float32Array {
  const to = new Float32Array(count);
  const blocks = count / format.elements;
  for (let b = 0; b < blocks; b++) format.decode(from, b * format.bytes, to, b * format.elements);
  return to;
}
