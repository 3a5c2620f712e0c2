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
  /** By what each frequency is divided. */
  | { readonly kind: "given"; readonly factors: Float32Array };

/** θ^(−2i/d) for i below d/2, scaled: radians a position. */
export function rotaryFrequencies(headSize: number, theta: number, scaling: RotaryScaling): Float32Array {
  return Float32Array.from({ length: headSize / 2 }, (_, i) =>
    scaled(Math.fround(1 / theta ** ((2 * i) / headSize)), i, scaling),
  );
}

function scaled(frequency: number, index: number, scaling: RotaryScaling): number {
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
