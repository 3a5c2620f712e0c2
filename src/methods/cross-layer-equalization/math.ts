/**
 * Cross-layer equalization (Nagel et al., "Data-free quantization through weight equalization and bias correction", 2019).
 * Behind a positively homogeneous activation a channel may be divided by s in the layers that compute it and multiplied by
 * s in those that read it. With r₁ and r₂ the ranges of its weights on both sides, s = √(r₁ / r₂) makes them equal, which
 * minimises what a grid shared by all channels loses (eq. 11):
 *
 *   s = r₁ / √(r₁·r₂),   W₁ / s,   b₁ / s,   W₂ · s
 *
 * Swept over a net until nothing moves, a depthwise triple comes to (r₁·r₂·r₃)^⅓ on all three sides. Where several layers
 * compute or read a channel (residual additions, concatenations), each counts by its own whole range, so that none dominates
 * for being large.
 */

/** The weights of a layer, reduced to the largest magnitude between each output and input channel. */
export interface LayerStrengths {
  /** One entry for each pair of channels that is connected. */
  readonly largest: Float64Array;
  /** Group of the entry's output and input channel; 0 is the fixed group. */
  readonly output: Int32Array;
  readonly input: Int32Array;
}

export interface SweepOptions {
  /** Most sweeps over all layers. Default 60. */
  readonly sweeps?: number;
  /** Ends when no scale changes by more than this part. Default 1e-4. */
  readonly tolerance?: number;
}

export interface Scales {
  /** Of each group: channels are divided by it. */
  readonly scale: Float64Array;
  readonly sweeps: number;
}

/** What a channel with these ranges of weights is divided by; 1 where a side is zero or not finite, as in AIMET. */
export function pairScale(before: number, after: number): number {
  const scale = before / Math.sqrt(before * after);
  return scale > 0 && Number.isFinite(scale) ? scale : 1;
}

// Beyond this a scale would only trade one problem of float32 for another.
const extreme = 2 ** 20;

/**
 * The scales of all groups, swept over the layers in order until they come to rest. Groups that no layer computes or no
 * layer reads keep scale 1.
 */
export function equalizingScales(
  layers: readonly LayerStrengths[],
  groups: number,
  options: SweepOptions = {},
): Scales {
  const { sweeps: most = 60, tolerance = 1e-4 } = options;
  const scale = new Float64Array(groups).fill(1);
  const steps = stepsOf(layers, groups);
  let sweeps = 0;
  for (let moved = Number.POSITIVE_INFINITY; moved > tolerance && sweeps < most; sweeps++) {
    moved = 0;
    for (const { members, producers, consumers } of steps) {
      const before = rangesOf(producers, "output", scale);
      const after = rangesOf(consumers, "input", scale);
      for (const id of members) {
        const next = scale[id]! * pairScale(before[id]!, after[id]!);
        const kept = Math.min(extreme, Math.max(1 / extreme, next));
        moved = Math.max(moved, Math.abs(kept / scale[id]! - 1));
        scale[id] = kept;
      }
    }
  }
  return { scale, sweeps };
}

/** Groups that are set together: none of them is computed from another. */
interface Step {
  readonly members: readonly number[];
  readonly producers: readonly LayerStrengths[];
  readonly consumers: readonly LayerStrengths[];
}

/** The groups by the first layer that computes them. */
function stepsOf(layers: readonly LayerStrengths[], groups: number): Step[] {
  const producers = Array.from({ length: groups }, () => new Set<LayerStrengths>());
  const consumers = Array.from({ length: groups }, () => new Set<LayerStrengths>());
  for (const layer of layers) {
    for (const id of new Set(layer.output)) producers[id]!.add(layer);
    for (const id of new Set(layer.input)) consumers[id]!.add(layer);
  }
  const byFirst = new Map<LayerStrengths, number[]>();
  for (let id = 1; id < groups; id++) {
    const [first] = producers[id]!;
    if (!first || consumers[id]!.size === 0) continue;
    byFirst.set(first, [...(byFirst.get(first) ?? []), id]);
  }
  const all = (members: readonly number[], of: readonly Set<LayerStrengths>[]) => [
    ...new Set(members.flatMap((id) => [...of[id]!])),
  ];
  return [...byFirst.values()].map((members) => ({
    members,
    producers: all(members, producers),
    consumers: all(members, consumers),
  }));
}

/** Range of each group over these layers, each layer seen relative to its whole range. */
function rangesOf(layers: readonly LayerStrengths[], side: "output" | "input", scale: Float64Array): Float64Array {
  const ranges = new Float64Array(scale.length);
  const wholes = layers.map((layer) => wholeRange(layer, scale));
  const positive = wholes.filter((whole) => whole > 0);
  const typical = Math.exp(positive.reduce((a, b) => a + Math.log(b), 0) / Math.max(1, positive.length));
  for (const [k, layer] of layers.entries()) {
    if (!(wholes[k]! > 0)) continue;
    const { largest, output, input } = layer;
    const ids = layer[side];
    const factor = typical / wholes[k]!;
    for (let i = 0; i < largest.length; i++) {
      // A channel that is computed from itself (a depthwise branch that is added to its input): its scale cancels.
      if (output[i] === input[i]) continue;
      const strength = ((largest[i]! * scale[input[i]!]!) / scale[output[i]!]!) * factor;
      if (strength > ranges[ids[i]!]!) ranges[ids[i]!] = strength;
    }
  }
  return ranges;
}

function wholeRange({ largest, output, input }: LayerStrengths, scale: Float64Array): number {
  let whole = 0;
  for (let i = 0; i < largest.length; i++) {
    whole = Math.max(whole, (largest[i]! * scale[input[i]!]!) / scale[output[i]!]!);
  }
  return whole;
}

/**
 * High-bias folding (eq. 15): what of channel k is never cut off by the ReLU behind it and can move from its bias into the
 * readers', with β and γ the batch norm's mean and deviation: max(0, β − 3·|γ|) behind a ReLU, β where nothing cuts.
 */
export function absorbable(beta: number, gamma: number, rectified: boolean): number {
  return rectified ? Math.max(0, beta - 3 * Math.abs(gamma)) : beta;
}
