/** Resizing and sampling against central differences. */
import { describe } from "vitest";
import { Tensor } from "../../../tensor/inner.ts";
import { gradientSuite } from "../../gradient-suite.ts";

const resize = (x: string, scales: readonly number[], attributes: string) => ({
  text: `f (float[${x}] x) => (float y) <float[${scales.length}] s = {${scales.map((s) => s.toFixed(3)).join()}}> {
     y = Resize <${attributes}> (x, , s) }`,
});
const resizeTo = (x: string, sizes: readonly number[], attributes: string) => ({
  text: `f (float[${x}] x) => (float y) <int64[${sizes.length}] s = {${sizes.join()}}> {
     y = Resize <${attributes}> (x, , , s) }`,
});

describe("Resize", () => {
  gradientSuite({
    "nearest, whole scale": resize("1,2,3,4", [1, 1, 2, 3], `mode = "nearest"`),
    "nearest, asymmetric floor": resize(
      "1,2,3,4",
      [1, 1, 2, 2],
      `mode = "nearest", coordinate_transformation_mode = "asymmetric", nearest_mode = "floor"`,
    ),
    "nearest, asymmetric ceil": resize(
      "1,2,3,4",
      [1, 1, 2, 1.5],
      `mode = "nearest", coordinate_transformation_mode = "asymmetric", nearest_mode = "ceil"`,
    ),
    "nearest, smaller": resize("1,2,6,5", [1, 1, 0.5, 0.6], `mode = "nearest"`),
    "linear, half pixel": resize("2,2,3,4", [1, 1, 2, 1.7], `mode = "linear"`),
    "linear, align_corners to sizes": resizeTo(
      "1,2,3,4",
      [1, 2, 7, 9],
      `mode = "linear", coordinate_transformation_mode = "align_corners"`,
    ),
    "linear, pytorch_half_pixel": resizeTo(
      "1,2,3,4",
      [1, 2, 5, 1],
      `mode = "linear", coordinate_transformation_mode = "pytorch_half_pixel"`,
    ),
    "linear, smaller, antialias": resizeTo("1,2,9,8", [1, 2, 4, 5], `mode = "linear", antialias = 1`),
    "linear, half_pixel_symmetric": resize(
      "1,2,5,5",
      [1, 1, 0.7, 1.3],
      `mode = "linear", coordinate_transformation_mode = "half_pixel_symmetric"`,
    ),
    cubic: resize("1,2,4,5", [1, 1, 2, 1.5], `mode = "cubic"`),
    "cubic, other coefficient, outside excluded": resize(
      "1,2,4,5",
      [1, 1, 1.5, 2],
      `mode = "cubic", cubic_coeff_a = -0.5, exclude_outside = 1`,
    ),
    "given axes": resize("1,2,3,4", [2, 1.5], `mode = "linear", axes = [2,3]`),
    "axes from the end": resize("1,2,3,4", [2, 1.5], `mode = "linear", axes = [-2,-1]`),
    "the first axes": resize("3,4", [2, 1.5], `mode = "linear", axes = [0,1]`),
    "a scale that leaves the length": resize("1,1,4,5", [1, 1, 1.1, 1], `mode = "linear"`),
    "scales that hold nothing beside sizes": {
      text: `f (float[1,2,3,4] x) => (float y) <float[0] e = {}, int64[4] s = {1,2,5,4}> {
         y = Resize <mode = "linear"> (x, , e, s) }`,
    },
    "a crop": {
      text: `f (float[1,2,5,6] x) => (float y)
        <float[8] r = {0.0, 0.0, 0.1, 0.3, 1.0, 1.0, 0.8, 1.2}, int64[4] s = {1,2,4,4}> {
         y = Resize <mode = "linear", coordinate_transformation_mode = "tf_crop_and_resize", extrapolation_value = 2.0>
             (x, r, , s) }`,
    },
    "3-D, nearest": resize("1,1,2,3,2", [1, 1, 2, 2, 2], `mode = "nearest"`),
  });
});

describe("GridSample", () => {
  // Points of a grid that no step moves over the middle or the edge of an element of 5 or 4.
  const places = (_: unknown, i: number) => [-0.83, 0.11, -0.38, 0.47, 0.72, -0.57, 0.23, 1.37, -1.29, 0.06][i % 10]!;
  const sample = (attributes: string) => ({
    text: `f (float[2,2,5,4] x, float[2,3,3,2] g) => (float y) { y = GridSample <${attributes}> (x, g) }`,
    feeds: { g: places },
  });
  gradientSuite({
    linear: sample(`mode = "linear"`),
    align_corners: sample(`mode = "linear", align_corners = 1`),
    border: sample(`mode = "linear", padding_mode = "border"`),
    reflection: sample(`mode = "linear", padding_mode = "reflection"`),
    "reflection, align_corners": sample(`mode = "linear", padding_mode = "reflection", align_corners = 1`),
    nearest: { ...sample(`mode = "nearest"`), wrt: ["x"] },
    "nearest, whose points have no slope": sample(`mode = "nearest"`),
    "3-D": {
      text: `f (float[1,2,3,4,5] x, float[1,2,2,2,3] g) => (float y) { y = GridSample <mode = "linear"> (x, g) }`,
      feeds: { g: places },
    },
  });
});

describe("AffineGrid and Det", () => {
  const size = (sizes: readonly number[]) => `<int64[${sizes.length}] s = {${sizes.join()}}>`;
  gradientSuite({
    "a plane": { text: `f (float[2,2,3] t) => (float y) ${size([2, 1, 3, 4])} { y = AffineGrid(t, s) }` },
    "a plane, corners aligned": {
      text: `f (float[1,2,3] t) => (float y) ${size([1, 1, 3, 4])} { y = AffineGrid <align_corners = 1> (t, s) }`,
    },
    "a volume": { text: `f (float[1,3,4] t) => (float y) ${size([1, 1, 2, 3, 2])} { y = AffineGrid(t, s) }` },
    determinants: {
      text: "f (float[2,3,3] x) => (float y) { y = Det(x) }",
      feeds: {
        x: Tensor.float32([2, 3, 3], [2, 0.3, 0.1, -0.4, 1.5, 0.2, 0.3, 0.1, 1.2, 1, 0.5, 0, 0.2, 2, 0.4, 0, 0.3, 1]),
      },
    },
  });
});
