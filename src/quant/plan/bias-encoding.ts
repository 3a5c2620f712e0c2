/** The int32 grid of a bias: its scale is the product of the input's and the weight's, so that it adds to the accumulator. */
import { invariant } from "../../base/inner.ts";
import type { Encoding } from "../grids/encoding.ts";
import { minimumScale } from "../grids/range.ts";
import type { PlanEntry } from "./plan.ts";

/** The entry of an int32 bias, still without its encoding: `operator` adds it, and `input` and `weight` give its scale. */
export function biasEntry(operator: string, bias: string, input: string, weight: PlanEntry): PlanEntry {
  return {
    value: bias,
    kind: "bias",
    grid: { kind: "int", bits: 32, signed: true },
    granularity: weight.granularity.kind === "tensor" ? { kind: "tensor" } : { kind: "channel", axis: 0 },
    symmetric: true,
    scaleFrom: { input, weight: weight.value },
    reason: `the bias of ${operator}: int32, its scale is that of ${input} times that of ${weight.value}`,
  };
}

/**
 * The encoding of a bias from those of its activation (per tensor) and its weight (per tensor, per output channel, or
 * in blocks: there the largest scale of a channel counts). `channels` is the length of the bias.
 */
export function biasEncoding(input: Encoding, weight: Encoding, channels: number): Encoding {
  invariant(input.scale.length === 1, "a bias needs an activation quantized per tensor");
  const scales = channelScales(weight, channels);
  const floor = minimumScale(32);
  const scale = scales.map((s) => Math.max(s * input.scale[0]!, floor));
  return {
    grid: { kind: "int", bits: 32, signed: true },
    granularity: weight.granularity.kind === "tensor" ? { kind: "tensor" } : { kind: "channel", axis: 0 },
    symmetric: true,
    scale,
    offset: scale.map(() => -(2 ** 31)),
  };
}

function channelScales(weight: Encoding, channels: number): readonly number[] {
  const { granularity, scale } = weight;
  if (granularity.kind !== "block") {
    // A grouped ConvTranspose has fewer weight channels than biases: each group repeats them.
    return granularity.kind === "channel" && channels % scale.length === 0 && scale.length !== channels
      ? Array.from({ length: channels }, (_, c) => scale[c % scale.length]!)
      : scale;
  }
  const each = scale.length / channels;
  // Blocks lie along the input axis; the output channel is the outer axis when it comes first, else the inner one.
  const channelOf =
    granularity.channelAxis < granularity.axis ? (i: number) => Math.floor(i / each) : (i: number) => i % channels;
  const largest = new Array<number>(channels).fill(0);
  scale.forEach((s, i) => {
    const c = channelOf(i);
    largest[c] = Math.max(largest[c]!, s);
  });
  return largest;
}
