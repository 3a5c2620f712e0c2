/** The frequencies of rotary position embeddings (Su et al., "RoFormer", 2021), with the scalings that longer contexts use. */

export type RotaryScaling =
  | { readonly kind: "none" }
  /** Positions are divided (Chen et al., "Extending Context Window of Large Language Models via Positional Interpolation", 2023). */
  | { readonly kind: "linear"; readonly factor: number }
  /** Llama 3.1: long waves are stretched, short ones stay, those between are mixed. */
  | {
      readonly kind: "llama3";
      readonly factor: number;
      readonly low: number;
      readonly high: number;
      /** Positions that the model was trained for first. */
      readonly positions: number;
    }
  /** Peng et al., "YaRN: Efficient Context Window Extension of Large Language Models", 2023, sections 3.2 to 3.4. */
  | {
      readonly kind: "yarn";
      readonly factor: number;
      /** Turns in the first context above which a frequency stays (β), and below which it is divided (α). */
      readonly fast: number;
      readonly slow: number;
      readonly positions: number;
      /** Whether the ends of what is mixed are whole numbers of frequencies. */
      readonly whole: boolean;
      /** Cosine and sine are multiplied by it: √(1/t) of the paper. */
      readonly attention: number;
    }
  /** By what each frequency is divided. */
  | { readonly kind: "given"; readonly factors: Float32Array };

/** θ^(−2i/d) for i below d/2, scaled: radians a position. */
export function rotaryFrequencies(headSize: number, theta: number, scaling: RotaryScaling): Float32Array {
  const mixed = scaling.kind === "yarn" ? yarnRamp(headSize, theta, scaling) : undefined;
  return Float32Array.from({ length: headSize / 2 }, (_, i) => {
    const frequency = Math.fround(1 / theta ** ((2 * i) / headSize));
    if (scaling.kind !== "yarn") return scaled(frequency, i, scaling);
    const divided = mixed!(i);
    return (frequency / scaling.factor) * divided + frequency * (1 - divided);
  });
}

/** How far the i-th frequency is divided, from 0 to 1: γ of equation 18 counts turns, implementations count frequencies between two ends. */
function yarnRamp(headSize: number, theta: number, scaling: RotaryScaling & { readonly kind: "yarn" }) {
  const { fast, slow, positions, whole } = scaling;
  const frequencyOf = (turns: number) =>
    (headSize * Math.log(positions / (turns * 2 * Math.PI))) / (2 * Math.log(theta));
  const low = Math.max(0, whole ? Math.floor(frequencyOf(fast)) : frequencyOf(fast));
  const high = Math.min(headSize - 1, whole ? Math.ceil(frequencyOf(slow)) : frequencyOf(slow));
  const span = high === low ? 0.001 : high - low;
  return (i: number) => Math.min(1, Math.max(0, (i - low) / span));
}

/** 0.1 · m · ln(factor) + 1 (equation 22). */
export function yarnAttention(factor: number, m = 1): number {
  return factor <= 1 ? 1 : 0.1 * m * Math.log(factor) + 1;
}

function scaled(frequency: number, index: number, scaling: Exclude<RotaryScaling, { readonly kind: "yarn" }>): number {
  switch (scaling.kind) {
    case "none":
      return frequency;
    case "linear":
      return frequency / scaling.factor;
    case "given":
      return frequency / (scaling.factors[index] ?? 1);
    case "llama3": {
      const { factor, low, high, positions } = scaling;
      // Waves that fit into the first context so often: below `low` times stretched, above `high` times kept.
      const turns = (positions * frequency) / (2 * Math.PI);
      if (turns < low) return frequency / factor;
      if (turns > high) return frequency;
      const smooth = (turns - low) / (high - low);
      return ((1 - smooth) * frequency) / factor + smooth * frequency;
    }
    default:
      return scaling satisfies never;
  }
}
