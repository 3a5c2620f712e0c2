/** Mixup (Zhang et al., 2018): samples and their targets, mixed with those of another order of the batch. */
import { AvocetError, type Random } from "../base/inner.ts";
import { Tensor } from "../tensor/inner.ts";
import type { Augment } from "./augment.ts";

export interface MixupOptions {
  /** The input that is mixed, float32. */
  readonly input: string;
  /** Class numbers; they become distributions [N, classes] under the same name. Default "labels". */
  readonly target?: string;
  readonly classes: number;
  /** The share comes from Beta(α, α), 0 < α ≤ 1. Default 0.2. */
  readonly alpha?: number;
}

/**
 * x = λ · x + (1 − λ) · x′ for the batch in its order and in a random one, and the same for the targets: give the loss
 * `crossEntropy({ probabilities: true })`, and an example whose target has the shape [N, classes].
 */
export function mixup({ input, target = "labels", classes, alpha = 0.2 }: MixupOptions): Augment {
  if (!(alpha > 0 && alpha <= 1)) {
    throw new AvocetError("usage/bad-value", `expected an alpha above 0, at most 1, got ${alpha}`);
  }
  return (feeds, random) => {
    const [samples, labels] = [feeds[input], feeds[target]];
    if (!samples || !labels) {
      throw new AvocetError("data/wrong-inputs", `expected ${input} and ${target}, got ${Object.keys(feeds)}`);
    }
    const share = symmetricBeta(random, alpha);
    const partner = random.permutation(samples.shape[0]!);
    const mixed = (tensor: Tensor) => {
      const own = tensor.floats();
      const row = own.length / partner.length;
      return Tensor.float32(
        tensor.shape,
        own.map((value, i) => {
          const sample = Math.floor(i / row);
          return share * value + (1 - share) * own[partner[sample]! * row + (i - sample * row)]!;
        }),
      );
    };
    return { ...feeds, [input]: mixed(samples), [target]: mixed(oneHot(labels, classes)) };
  };
}

function oneHot(labels: Tensor, classes: number): Tensor {
  const flat = new Float32Array(labels.size * classes);
  labels.numbers().forEach((label, i) => {
    flat[i * classes + label] = 1;
  });
  return Tensor.float32([labels.size, classes], flat);
}

/** A number from Beta(α, α), by Jöhnk's method (1964), which suits α ≤ 1. */
function symmetricBeta(random: Random, alpha: number): number {
  for (;;) {
    const [a, b] = [random.uniform() ** (1 / alpha), random.uniform() ** (1 / alpha)];
    if (a + b <= 1 && a + b > 0) return a / (a + b);
  }
}
