/**
 * The weights of a decoder under the names of Hugging Face, as float32: products as [inputs, outputs], read and turned when they are
 * looked at, so that a model of gigabytes is never held whole.
 */
import { AvocetError } from "../../base/inner.ts";
import { type Shape, Tensor } from "../../tensor/inner.ts";
import { limits } from "../limits.ts";
import type { DecoderConfig } from "./config.ts";

export class DecoderWeights {
  readonly #tensors: ReadonlyMap<string, Tensor>;
  /** The file's name of a tensor. */
  readonly #nameOf: (name: string) => string;
  /** Which row of the file is this row of the matrix, where the file has another order. */
  readonly #rowOf: (name: string) => ((row: number) => number) | undefined;
  readonly #at: string;
  readonly #faults: string[] = [];

  constructor(
    tensors: ReadonlyMap<string, Tensor>,
    at: string,
    nameOf: (name: string) => string = (name) => name,
    rowOf: (name: string) => ((row: number) => number) | undefined = () => undefined,
  ) {
    this.#tensors = tensors;
    this.#at = at;
    this.#nameOf = nameOf;
    this.#rowOf = rowOf;
  }

  /** The file's tensor of this name, of any shape. */
  find(name: string): Tensor | undefined {
    return this.#tensors.get(this.#nameOf(name));
  }

  has(name: string): boolean {
    return this.find(name) !== undefined;
  }

  /** A vector or a table as it is. */
  plain(name: string, shape: Shape): Tensor {
    const tensor = this.#expect(name, shape);
    const rowOf = this.#rowOf(name);
    return Tensor.lazy("float32", shape, () => (rowOf ? reordered(readFloats(tensor), 1, rowOf) : readFloats(tensor)));
  }

  /** A matrix that the file has as [outputs, inputs], as [inputs, outputs]. */
  product(name: string, inputs: number, outputs: number): Tensor {
    const tensor = this.#expect(name, [outputs, inputs]);
    const rowOf = this.#rowOf(name);
    return Tensor.lazy("float32", [inputs, outputs], () => {
      const rows = readFloats(tensor);
      return transposed(rowOf ? reordered(rows, inputs, rowOf) : rows, outputs, inputs);
    });
  }

  /** Throws `import/malformed` for all tensors that were asked for so far and are missing or of another shape. */
  check(): void {
    if (this.#faults.length === 0) return;
    const shown = this.#faults.slice(0, limits.faultsShown).join("; ");
    const more =
      this.#faults.length > limits.faultsShown ? ` and ${this.#faults.length - limits.faultsShown} more` : "";
    throw new AvocetError("import/malformed", `expected the weights of a decoder: ${shown}${more}`, { at: this.#at });
  }

  #expect(name: string, shape: Shape): Tensor {
    const found = this.find(name);
    if (found && found.shape.join() === shape.join()) return found;
    const got = found ? `[${found.shape.join(",")}]` : "nothing";
    this.#faults.push(`${this.#nameOf(name)} of [${shape.join(",")}], got ${got}`);
    // Never looked at: `check` throws.
    return Tensor.lazy("float32", shape, () => new Float32Array());
  }
}

/** The names of llama.cpp, by the parts of those of Hugging Face. */
const ggufNames: readonly (readonly [RegExp, string])[] = [
  [/^model\.embed_tokens\./, "token_embd."],
  [/^model\.norm\./, "output_norm."],
  [/^lm_head\./, "output."],
  [/^model\.layers\./, "blk."],
  [/\.input_layernorm\./, ".attn_norm."],
  [/\.post_attention_layernorm\./, ".ffn_norm."],
  [/\.self_attn\.([qk])_norm\./, ".attn_$1_norm."],
  [/\.self_attn\.([qkv])_proj\./, ".attn_$1."],
  [/\.self_attn\.o_proj\./, ".attn_output."],
  [/\.mlp\.(gate|up|down)_proj\./, ".ffn_$1."],
];

export function ggufName(name: string): string {
  return ggufNames.reduce((text, [part, other]) => text.replace(part, other), name);
}

/**
 * llama.cpp has the rows of q and k of the architecture "llama" in pairs that are rotated together, (i, i + d/2) next to each other;
 * Hugging Face has the first halves of all pairs first.
 */
export function rowOfPairs(headSize: number): (row: number) => number {
  const half = headSize / 2;
  return (row) => {
    const inside = row % headSize;
    return row - inside + (inside < half ? 2 * inside : 2 * (inside - half) + 1);
  };
}

/** Names of rows that the file has in pairs. */
export function ggufRows(family: string | undefined, { headSize }: DecoderConfig) {
  const rowOf = rowOfPairs(headSize);
  return (name: string) => (family === "llama" && /\.self_attn\.[qk]_proj\./.test(name) ? rowOf : undefined);
}

/** The elements, without holding the file's own next to them. */
function readFloats(tensor: Tensor): Float32Array {
  const floats = tensor.floats();
  tensor.release();
  return floats;
}

function reordered(rows: Float32Array, length: number, rowOf: (row: number) => number): Float32Array {
  const result = new Float32Array(rows.length);
  for (let row = 0; row * length < rows.length; row++) {
    const from = rowOf(row) * length;
    result.set(rows.subarray(from, from + length), row * length);
  }
  return result;
}

/** Tiles that fit into the cache: rows of a large matrix lie a page apart. */
const tile = 32;

function transposed(from: Float32Array, rows: number, columns: number): Float32Array {
  const to = new Float32Array(from.length);
  for (let r = 0; r < rows; r += tile) {
    for (let c = 0; c < columns; c += tile) {
      const [rowEnd, columnEnd] = [Math.min(r + tile, rows), Math.min(c + tile, columns)];
      for (let i = r; i < rowEnd; i++) for (let j = c; j < columnEnd; j++) to[j * rows + i] = from[i * columns + j]!;
    }
  }
  return to;
}
