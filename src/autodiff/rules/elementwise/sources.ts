/** Operators that make numbers: most read only lengths and types. */
import type { Value } from "../../../ir/inner.ts";
import { Tensor } from "../../../tensor/inner.ts";
import type { Backward, GradientRow, InputGradients } from "../../rule.ts";

/** y = start + i · delta; where it stops is piecewise constant. */
function range(b: Backward): InputGradients {
  const [count] = b.outShape;
  const places = b.constant(
    Tensor.float32(
      [count!],
      Float32Array.from({ length: count! }, (_, i) => i),
    ),
  );
  const scalar = (value: Value, index: number) => b.reshape(b.sum(value), b.shapeOf(index));
  return [b.wants(0) ? scalar(b.dy, 0) : null, null, b.wants(2) ? scalar(b.mul(b.dy, places), 2) : null];
}

const constant = { flat: "it does not read the values of its inputs" } as const;
const samples = { flat: "a sample is piecewise constant in its probabilities" } as const;
const windows = { flat: "it reads whole numbers" } as const;

export const sources = {
  Bernoulli: samples,
  BlackmanWindow: windows,
  Constant: constant,
  ConstantOfShape: constant,
  EyeLike: constant,
  HammingWindow: windows,
  HannWindow: windows,
  MelWeightMatrix: { flat: "its frequencies are rounded to bins" },
  Multinomial: samples,
  RandomNormal: constant,
  RandomNormalLike: constant,
  RandomUniform: constant,
  RandomUniformLike: constant,
  Range: range,
} satisfies Record<string, GradientRow>;
