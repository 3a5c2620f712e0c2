/** Batch normalization (Ioffe and Szegedy, 2015), with fixed statistics or with those of the batch. */
import type { Value } from "../../ir/index.ts";
import type { Backward, InputGradients } from "../rule.ts";

/** y = γ · x̂ + β with x̂ = (x − μ) / √(σ² + ε); in training μ and σ² are those of the batch and depend on x. */
export function batchNorm(b: Backward): InputGradients {
  const { dy } = b;
  const shape = b.shapeOf(0);
  const axes = shape.map((_, axis) => axis).filter((axis) => axis !== 1);
  const wide = (value: Value) =>
    b.reshape(
      value,
      shape.map((length, axis) => (axis === 1 ? length : 1)),
    );
  const x = b.input(0);
  const training = b.node.int("training_mode", 0) !== 0;
  const mean = training ? b.mean(x, axes, true) : wide(b.input(3));
  const centred = b.sub(x, mean);
  const variance = training ? b.mean(b.square(centred), axes, true) : wide(b.input(4));
  const epsilon = b.scalar(b.node.float("epsilon", 1e-5));
  const inverse = b.op("Reciprocal", [b.op("Sqrt", [b.add(variance, epsilon)])]);
  const normal = b.mul(centred, inverse);
  const gain = b.mul(wide(b.input(1)), inverse);
  const along = (value: Value) => b.sum(value, axes);
  const toInput = () => {
    if (!training) return b.mul(dy, gain);
    const share = b.add(b.mean(dy, axes, true), b.mul(normal, b.mean(b.mul(dy, normal), axes, true)));
    return b.mul(b.sub(dy, share), gain);
  };
  // The running statistics that training mode takes in do not touch y.
  const toStatistics = !training;
  return [
    b.wants(0) ? toInput() : null,
    b.wants(1) ? along(b.mul(dy, normal)) : null,
    b.wants(2) ? along(dy) : null,
    b.wants(3) && toStatistics ? b.neg(along(b.mul(dy, gain))) : null,
    b.wants(4) && toStatistics ? b.mul(along(b.mul(b.mul(dy, gain), b.mul(normal, inverse))), -0.5) : null,
  ];
}
