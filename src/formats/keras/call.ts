/** One call of a layer while it is translated: its inputs as terms, its settings, and its weights. */
import type { AvocetError, Refused } from "../../base/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import type { Emitter } from "../channels-last/emitter.ts";
import type { Term } from "../channels-last/term.ts";
import type { Padding } from "../channels-last/windows.ts";
import { type Config, isRecord } from "./config.ts";
import type { LayerWeights } from "./weights.ts";

export type Row = (call: LayerCall) => Term | readonly Term[];
export type RowOrReason = Row | Refused;

export interface CallParts {
  readonly e: Emitter;
  readonly name: string;
  readonly className: string;
  readonly config: Config;
  readonly weights: LayerWeights;
  /** All tensors among the arguments, in order. */
  readonly inputs: readonly Term[];
  /** Arguments by position, tensors as terms. */
  readonly args: readonly unknown[];
  readonly kwargs: Config;
  /** The major version of Keras that wrote the file. */
  readonly version: number;
  /** Translates a layer inside this one, as TimeDistributed has it. */
  inner(config: unknown, inputs: readonly Term[], weights: LayerWeights): readonly Term[];
}

export const isTerm = (value: unknown): value is Term =>
  typeof value === "object" && value !== null && "order" in value && "dtype" in value;

export class LayerCall {
  readonly parts: CallParts;

  constructor(parts: CallParts) {
    this.parts = parts;
  }

  get e(): Emitter {
    return this.parts.e;
  }

  /** The first input, or another one. */
  x(input = 0): Term {
    const found = this.parts.inputs[input];
    if (found) return found;
    throw this.e.broken(`expected input ${input}, got ${this.parts.inputs.length} inputs`);
  }

  /** A tensor that was passed by name. */
  named(key: string): Term | undefined {
    const value = this.parts.kwargs[key];
    return isTerm(value) ? value : undefined;
  }

  broken(key: string, wanted: string): AvocetError {
    const shown = JSON.stringify(this.parts.config[key])?.slice(0, 80);
    return this.e.broken(`expected ${wanted} as ${key} of ${this.parts.className}, got ${shown}`);
  }

  setting(key: string): unknown {
    return this.parts.config[key];
  }

  number(key: string, absent?: number): number {
    const value = this.setting(key) ?? absent;
    if (typeof value === "number" && Number.isFinite(value)) return value;
    throw this.broken(key, "a number");
  }

  flag(key: string, absent = false): boolean {
    const value = this.setting(key) ?? absent;
    if (typeof value === "boolean") return value;
    throw this.broken(key, "true or false");
  }

  text(key: string, absent?: string): string {
    const value = this.setting(key) ?? absent;
    if (typeof value === "string") return value;
    throw this.broken(key, "a text");
  }

  /** One whole number for each of `count` axes; a single number stands for all. */
  ints(key: string, count: number, absent = 1): readonly number[] {
    const value = this.setting(key) ?? absent;
    const list = typeof value === "number" ? Array<number>(count).fill(value) : value;
    if (Array.isArray(list) && list.length === count && list.every((one) => Number.isSafeInteger(one))) return list;
    throw this.broken(key, `${count} whole numbers`);
  }

  /** Pairs of numbers before and after, one for each of `count` axes; a number stands for pairs. */
  pairs(key: string, count: number): readonly (readonly [number, number])[] {
    const value = this.setting(key);
    const list = typeof value === "number" ? Array(count).fill(value) : value;
    const flat =
      count === 1 && Array.isArray(list) && list.length === 2 && list.every((v) => typeof v === "number")
        ? [list]
        : list;
    const pairs = Array.isArray(flat) ? flat.map((one) => (typeof one === "number" ? [one, one] : one)) : [];
    const isPair = (one: unknown) =>
      Array.isArray(one) && one.length === 2 && one.every((v) => Number.isSafeInteger(v) && v >= 0);
    if (pairs.length === count && pairs.every(isPair)) return pairs as [number, number][];
    throw this.broken(key, `${count} pairs of whole numbers`);
  }

  get channels(): "first" | "last" {
    const format = this.setting("data_format") ?? "channels_last";
    if (format === "channels_last") return "last";
    if (format === "channels_first") return "first";
    throw this.broken("data_format", "channels_last or channels_first");
  }

  get padding(): Padding | "causal" {
    const value = this.text("padding", "valid").toLowerCase();
    if (value === "same") return "SAME";
    if (value === "valid") return "VALID";
    if (value === "causal") return "causal";
    throw this.broken("padding", "same, valid or causal");
  }

  /** Weights in their order; those that the settings leave out have no number. Throws `import/malformed` for a missing one. */
  weights<const N extends string>(
    wanted: readonly (readonly [name: N, has: boolean])[],
    from = this.parts.weights,
  ): Partial<Record<N, Term>> {
    const found: Partial<Record<N, Term>> = {};
    let index = 0;
    for (const [name, has] of wanted) {
      if (!has) continue;
      const tensor = from.get(name, index++);
      if (!tensor) throw this.e.broken(`expected the weight ${name} of ${this.parts.className}, got none`);
      found[name] = this.e.constant(tensor.dtype === "float32" ? tensor : widened(tensor));
    }
    return found;
  }

  /** A weight that must be there. */
  weight(name: string, index = 0, from = this.parts.weights): Term {
    const tensor = from.get(name, index);
    if (tensor) return this.e.constant(tensor.dtype === "float32" ? tensor : widened(tensor));
    throw this.e.broken(`expected the weight ${name} of ${this.parts.className}, got none`);
  }

  /** A configuration inside this one. */
  nested(key: string): Config {
    const value = this.setting(key);
    if (isRecord(value)) return value;
    throw this.broken(key, "a layer");
  }
}

/** Weights in half or double precision are float32 in the model. */
function widened(tensor: Tensor): Tensor {
  return Tensor.lazy("float32", tensor.shape, () => Float32Array.from(tensor.numbers()));
}
