/** The network that AIMET's tests of compression cost: two convolutions, two matrices, seeded weights. */
import { type Model, parseModel } from "../src/ir/inner.ts";

/** Lengths are fixed, so that costs follow from the file. */
export function mnistNet(): Model {
  return parseModel(
    `<ir_version: 10, opset_import: ["" : 21]>
    mnist (float[1,1,28,28] x) => (float[1,10] y)
    <float[32,1,5,5] w1, float[32] b1, float[64,32,5,5] w2, float[64] b2, float[1024,3136] w3, float[1024] b3, float[10,1024] w4, float[10] b4>
    {
      [conv1] c1 = Conv <pads = [2, 2, 2, 2]> (x, w1, b1)
      r1 = Relu(c1)
      p1 = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (r1)
      [conv2] c2 = Conv <pads = [2, 2, 2, 2]> (p1, w2, b2)
      r2 = Relu(c2)
      p2 = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (r2)
      f = Flatten(p2)
      [fc1] g1 = Gemm <transB = 1> (f, w3, b3)
      r3 = Relu(g1)
      [fc2] y = Gemm <transB = 1> (r3, w4, b4)
    }`,
    { seed: 5 },
  );
}
