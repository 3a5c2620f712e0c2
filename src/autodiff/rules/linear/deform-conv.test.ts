/** Deformable convolutions against central differences: offsets keep points away from the middle of elements. */
import { gradientSuite } from "../../gradient-suite.ts";

const offsets = (_: unknown, i: number) => [0.31, -0.42, 0.67, -0.24, 1.38, -0.71, 0.45][i % 7]!;

gradientSuite({
  plain: {
    text: `f (float[1,2,4,4] x, float[3,2,2,2] w, float[1,8,3,3] o) => (float y) { y = DeformConv(x, w, o) }`,
    feeds: { o: offsets },
  },
  "groups, strides, bias and mask": {
    text: `f (float[2,4,5,5] x, float[2,2,3,3] w, float[2,36,3,3] o, float[2] b, float[2,18,3,3] m) => (float y) {
      y = DeformConv <group = 2, offset_group = 2, strides = [2,2], pads = [1,1,1,1]> (x, w, o, b, m) }`,
    feeds: { o: offsets },
  },
  dilation: {
    text: `f (float[1,2,5,5] x, float[2,2,2,2] w, float[1,8,3,3] o) => (float y) {
      y = DeformConv <dilations = [2,2]> (x, w, o) }`,
    feeds: { o: offsets },
  },
});
