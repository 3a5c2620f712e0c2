/** Encodings of weights: each slice under its scheme, as if it stood alone. */
import { describe, expect, test } from "vitest";
import { Random } from "../../base/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import type { Granularity } from "../grids/encoding.ts";
import { affineOfRange } from "../grids/range.ts";
import { choiceOf, type RangeOptions } from "../grids/ranged-encoding.ts";
import { bestScale, withShortScale } from "./exact-search.ts";
import { makeObserver } from "./make-observer.ts";
import type { Scheme } from "./observer.ts";
import { encodeWeight } from "./weight-encoding.ts";

const random = new Random(11);
/** Three rows of eight, each twice as wide as the one before. */
const values = Float32Array.from({ length: 24 }, (_, i) => random.normal() * 2 ** Math.floor(i / 8));
const weight = Tensor.float32([3, 8], values);
const signed: RangeOptions = { grid: { kind: "int", bits: 4, signed: true }, symmetric: true };
const schemes: readonly Scheme[] = ["minmax", "percentile:90", "tf_enhanced", "sqnr", "mse", "entropy"];

const channels: Granularity = { kind: "channel", axis: 0 };
const blocks: Granularity = { kind: "block", axis: 1, size: 4, channelAxis: 0 };

describe.each(schemes)("%s", (scheme) => {
  test.each([
    [channels, 8],
    [blocks, 4],
  ])("slices of %o are as if each stood alone", (granularity, size) => {
    const { scale, offset } = encodeWeight(weight, { ...signed, granularity }, scheme);
    const alone = Array.from({ length: 24 / size }, (_, i) =>
      encodeWeight(Tensor.float32([size], values.subarray(i * size, (i + 1) * size)), signed, scheme),
    );
    expect([scale, offset]).toEqual([alone.flatMap((one) => one.scale), alone.flatMap((one) => one.offset)]);
  });

  test.each([false, true])("as the scheme proposes; with short scales %s", (shortScale) => {
    const options = { ...signed, shortScale };
    const choice = choiceOf(options);
    const { scale, offset } = encodeWeight(weight, options, scheme);
    const observer = makeObserver(scheme);
    observer.see(values);
    const plain = { ...choice, shortScale: false };
    const proposed =
      scheme === "entropy" ? affineOfRange(Math.min(...values), Math.max(...values), plain) : observer.propose(plain);
    const shortened = shortScale ? withShortScale(values, proposed, choice) : proposed;
    const wanted = scheme === "sqnr" || scheme === "mse" ? bestScale(values, choice) : shortened;
    expect({ scale, offset }).toEqual({ scale: [wanted.scale], offset: [wanted.offset] });
  });
});

test.each(["sqnr", "minmax"] as const)("a grid of listed numbers spans all that %s saw", (scheme) => {
  const listed: RangeOptions = { grid: { kind: "float", dtype: "float8e4m3fn" }, symmetric: true };
  const { scale, offset } = encodeWeight(Tensor.float32([3], Float32Array.of(7, -56, 3)), listed, scheme);
  // The widest number of the type is 448.
  expect({ scale, offset }).toEqual({ scale: [56 / 448], offset: [0] });
});

test("entropy takes the whole range of a weight, where a histogram would clip it", () => {
  const many = Float32Array.from({ length: 20_000 }, (_, i) => (i === 0 ? 40 : random.normal()));
  const observer = makeObserver("entropy");
  observer.see(many);
  const choice = choiceOf(signed);
  const whole = affineOfRange(Math.min(...many), Math.max(...many), choice);
  expect(observer.propose(choice)).not.toEqual(whole);
  expect(encodeWeight(Tensor.float32([20_000], many), signed, "entropy").scale).toEqual([whole.scale]);
});
