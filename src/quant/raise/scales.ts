/** The scales of a quantizer as its file holds them: constants, or products of two. */
import type { Node } from "../../ir/inner.ts";
import { sizeOf } from "../../tensor/inner.ts";
import type { TwoLevel } from "../grids/encoding.ts";

/** The scales of a quantizer as numbers, in their order in the file. */
export interface Scales {
  readonly numbers: readonly number[];
  /** Of scales that are a channel's times a whole factor: the parts, and which axis counts the channels. */
  readonly twoLevel?: TwoLevel;
  readonly channelAxis?: number;
}

/** Constant scales, or whole factors behind a DequantizeLinear of their own, as AIMET and lowering write LPBQ. */
export function scalesOf(node: Node): Scales | undefined {
  const value = node.input(1);
  if (value?.initializer) return { numbers: [...value.initializer.floats()] };
  const inner = value?.producer;
  const [factors, coarse] = [inner?.input(0)?.initializer, inner?.input(1)?.initializer];
  if (inner?.op !== "DequantizeLinear" || !factors || !coarse || factors.dtype.startsWith("float")) return undefined;
  const zero = inner.input(2);
  if (zero && !zero.initializer?.numbers().every((point) => point === 0)) return undefined;
  const whole = [...factors.numbers()];
  const channels = [...coarse.floats()];
  const rank = factors.shape.length;
  const given = inner.int("axis", 1);
  const channelAxis = given < 0 ? given + rank : given;
  if (inner.int("block_size", 0) !== 0 || whole.some((factor) => factor < 1)) return undefined;
  if (channels.length !== 1 && channels.length !== factors.shape[channelAxis]) return undefined;
  const below = sizeOf(factors.shape.slice(channelAxis + 1));
  const channelOf = (i: number) => (channels.length === 1 ? 0 : Math.floor(i / below) % channels.length);
  const numbers = whole.map((factor, i) => factor * channels[channelOf(i)]!);
  const most = 2 ** Math.ceil(Math.log2(whole.reduce((a, b) => Math.max(a, b), 1)));
  if (channels.length === 1) return { numbers };
  return { numbers, channelAxis, twoLevel: { form: "lpbq", coarse: channels, most } };
}

/** Whether the quantizer's result is nothing but the scales of others. */
export function makesScales(node: Node): boolean {
  const readers = node.output.consumers();
  return (
    readers.length > 0 &&
    readers.every((reader) => /^(De)?[Qq]uantizeLinear$/.test(reader.op) && reader.input(1) === node.output)
  );
}
