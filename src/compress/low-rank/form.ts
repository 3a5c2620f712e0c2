/**
 * One layer as two of lower rank: the first sees the input channels and some axes of the kernel, the second the rest of them. Which
 * axes the first takes is all that tells the schemes apart:
 *
 *   spatial-svd   kh × 1, then 1 × kw     (Jaderberg et al., 2014; AIMET's spatial SVD)
 *   weight-svd    1 × 1, then kh × kw     (AIMET's weight SVD)
 *   output-svd    kh × kw, then 1 × 1     (Zhang et al., "Accelerating Very Deep Convolutional Networks", 2016)
 *
 * A matrix product has no kernel: all three are the same there.
 */
import { type Refused, refuse } from "../../base/inner.ts";
import { isOp, type MatrixLayer } from "../../facts/inner.ts";
import { sizeOf } from "../../tensor/inner.ts";
import type { LowRankScheme } from "../scheme-names.ts";

/** A layer seen as a matrix between what the first and what the second of its parts sees. */
export interface LowRankForm {
  readonly scheme: LowRankScheme;
  readonly inputs: number;
  readonly outputs: number;
  readonly kernel: readonly number[];
  /** For each axis of the kernel, whether the first layer takes it. */
  readonly isFirst: readonly boolean[];
  /** Positions of the kernel that the first and the second layer see. */
  readonly first: number;
  readonly second: number;
  /** Beyond it nothing is gained: all of the weight is there. */
  readonly maxRank: number;
}

/** The form of a layer, or why it has none. */
export function lowRankForm(layer: MatrixLayer, scheme: LowRankScheme): LowRankForm | Refused {
  const { node, axes, uses } = layer;
  if (!isOp(node, "Conv", "Gemm", "MatMul")) return refuse(`a ${node.op} is not split`);
  if (axes.groups > 1) return refuse("it has groups");
  if (uses.length > 1) return refuse(`${uses.length} nodes share its weight`);
  const kernel = isOp(node, "Conv") ? layer.weight.tensor.shape.slice(2) : [];
  const isFirst = kernel.map((_, axis) => (scheme === "spatial-svd" ? axis === 0 : scheme === "output-svd"));
  const first = sizeOf(kernel.filter((_, axis) => isFirst[axis]));
  const second = sizeOf(kernel.filter((_, axis) => !isFirst[axis]));
  const { inputs, outputs } = axes;
  const maxRank = Math.min(inputs * first, outputs * second);
  if (maxRank < 2) return refuse("it has a single rank");
  return { scheme, inputs, outputs, kernel, isFirst, first, second, maxRank };
}

/** Where the columns of the layer's matrix [outputs, inputs · kernel] are: row of the first layer's patch, position of the second's kernel. */
export function columnsOf({ inputs, kernel, isFirst, first, second }: LowRankForm): {
  /** For each (p, q) of [inputs · first, second], its column. */
  readonly at: Int32Array;
} {
  const at = new Int32Array(inputs * first * second);
  const size = sizeOf(kernel);
  for (let column = 0; column < inputs * size; column++) {
    let rest = column % size;
    let [p, q, timesP, timesQ] = [0, 0, 1, 1];
    for (let axis = kernel.length - 1; axis >= 0; axis--) {
      const place = rest % kernel[axis]!;
      rest = Math.floor(rest / kernel[axis]!);
      if (isFirst[axis]) {
        p += place * timesP;
        timesP *= kernel[axis]!;
      } else {
        q += place * timesQ;
        timesQ *= kernel[axis]!;
      }
    }
    at[(Math.floor(column / size) * first + p) * second + q] = column;
  }
  return { at };
}

/** What the two layers cost at a rank, and the layer as it is. */
export interface LowRankCosts {
  readonly original: Cost;
  at(rank: number): Cost;
}

export interface Cost {
  readonly macs: number;
  /** Of the weights; biases stay. */
  readonly parameters: number;
}

/** Positions per sample: of the layer's input and of its output, lengths of the axes of the kernel each (empty for a product of rows: its rows). */
export interface Positions {
  readonly input: readonly number[];
  readonly output: readonly number[];
}

export function lowRankCosts(form: LowRankForm, { input, output }: Positions): LowRankCosts {
  const { inputs, outputs, kernel, isFirst, first, second } = form;
  const last = sizeOf(output);
  // The first layer strides along its own axes only.
  const between = kernel.length === 0 ? last : sizeOf(kernel.map((_, axis) => (isFirst[axis] ? output : input)[axis]!));
  const size = inputs * outputs * first * second;
  return {
    original: { macs: size * last, parameters: size },
    at(rank) {
      const [a, b] = [inputs * first * rank, outputs * second * rank];
      return { macs: a * between + b * last, parameters: a + b };
    },
  };
}

/**
 * The largest rank whose cost is at most this share of the layer's, at least 1, rounded up to a multiple where one is asked for: AIMET's
 * rule.
 */
export function rankFor(
  form: LowRankForm,
  costs: LowRankCosts,
  ratio: number,
  by: keyof Cost = "macs",
  multiple = 1,
): number {
  const perRank = costs.at(1)[by];
  const rank = Math.max(1, Math.min(form.maxRank, Math.floor((ratio * costs.original[by]) / perRank + 1e-9)));
  return Math.min(form.maxRank, Math.ceil(rank / multiple) * multiple);
}
