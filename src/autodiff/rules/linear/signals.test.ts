/** Fourier transforms against central differences. */
import { describe, expect, test } from "vitest";
import { expectGradients, type GradientCase, gradientSuite } from "../../gradient-suite.ts";

const dft = (shape: string, attributes: string, length?: number, axis?: number, opset = 21): GradientCase => {
  const constants = [length && `int64 n = {${length}}`, axis !== undefined && `int64 a = {${axis}}`].filter(Boolean);
  const inputs = ["x", length ? "n" : `""`, axis === undefined ? "" : "a"].filter((name) => name !== "");
  return {
    text: `f (float[${shape}] x) => (float y) <${constants.join(", ")}> { y = DFT <${attributes}> (${inputs.join(", ")}) }`.replace(
      "<> {",
      "{",
    ),
    opset,
  };
};

describe("DFT", () => {
  gradientSuite({
    real: dft("2,5,1", "inverse = 0"),
    "real, half the spectrum": dft("2,6,1", "onesided = 1"),
    "real, half the spectrum, odd": dft("2,5,1", "onesided = 1"),
    complex: dft("2,5,2", "inverse = 0"),
    inverse: dft("2,5,2", "inverse = 1"),
    padded: dft("2,5,1", "inverse = 0", 8),
    "complex, padded": dft("2,3,2", "inverse = 0", 5),
    cut: dft("2,6,2", "inverse = 0", 4),
    "along the first axis": dft("4,2,3,2", "inverse = 0", undefined, 0),
    "along the last but one of four, padded": dft("1,2,3,1", "onesided = 1", 5, -2),
    "opset 18": dft("2,3,4,1", "axis = 2, onesided = 1", undefined, undefined, 18),
  });
});

describe("STFT", () => {
  gradientSuite({
    "with a window": {
      text: "f (float[2,10,1] x, float[4] w) => (float y) <int64 s = {2}> { y = STFT(x, s, w) }",
    },
    "without a window, whole spectrum": {
      text: `f (float[1,9,1] x) => (float y) <int64 s = {3}, int64 n = {5}> { y = STFT <onesided = 0> (x, s, "", n) }`,
    },
  });
});

test("STFT of a complex signal is refused", async () => {
  const text =
    'f (float[1,8,2] x) => (float y) <int64 s = {2}, int64 n = {4}> { y = STFT <onesided = 0> (x, s, "", n) }';
  await expect(expectGradients({ text })).rejects.toThrow("its signal is complex");
});
