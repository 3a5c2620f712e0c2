/** Mean and variance of each channel of a value ahead of a walk, over all samples: what a batch norm there would see. */
import { throwIfAborted, type Work } from "../../base/inner.ts";
import { addNode } from "../../ir/inner.ts";
import { pacer, type Runtime, type SessionOptions, type Walk } from "../../runtime/inner.ts";
import { Tensor } from "../../tensor/inner.ts";

export interface ChannelMoments {
  readonly mean: Float64Array;
  /** Divided by the number of elements. */
  readonly variance: Float64Array;
}

/** Moments of parts of equal shape but for the number of samples, joined (Chan, Golub and LeVeque, 1983). */
export class MomentSum {
  #count = 0;
  #mean = new Float64Array();
  #squares = new Float64Array();

  /** `count` weighs the part: its number of samples. */
  see(mean: ArrayLike<number>, variance: ArrayLike<number>, count: number): void {
    if (this.#count === 0)
      [this.#mean, this.#squares] = [mean, variance].map((m) => new Float64Array(m.length)) as [
        Float64Array<ArrayBuffer>,
        Float64Array<ArrayBuffer>,
      ];
    const total = this.#count + count;
    for (let c = 0; c < mean.length; c++) {
      const apart = mean[c]! - this.#mean[c]!;
      this.#squares[c]! += variance[c]! * count + (apart * apart * this.#count * count) / total;
      this.#mean[c]! += (apart * count) / total;
    }
    this.#count = total;
  }

  result(): ChannelMoments {
    return { mean: this.#mean, variance: this.#squares.map((sum) => sum / this.#count) };
  }
}

/**
 * Runs what lies between the walk and the value, which stays ahead: it may still be edited. Channels are on axis 1. The
 * walk must have samples; a value of rank 1 or 0 has no channels and is refused by ONNX Runtime.
 */
export async function channelMoments(
  walk: Walk,
  name: string,
  runtime: Runtime,
  options: Work & { readonly session?: SessionOptions } = {},
): Promise<ChannelMoments> {
  const piece = walk.piece([name]);
  const { graph } = piece;
  const value = graph.valuesByName().get(name)!;
  const inputs = graph.inputs.map((input) => input.name);
  // [N, C, …] → [C, all others]: any rank becomes one matrix with a row a channel.
  const rows = addNode(graph, "Reshape", [value, graph.addInitializer("rows", Tensor.int64([3], [0, 0, -1]))]).output;
  const turned = addNode(graph, "Transpose", [rows], { perm: [1, 0, 2] }).output;
  const matrix = addNode(graph, "Flatten", [turned]).output;
  const axis = graph.addInitializer("axis", Tensor.int64([1], [1]));
  const mean = addNode(graph, "ReduceMean", [matrix, axis], { keepdims: 1 }).output;
  const variance = addNode(graph, "ReduceMean", [square(), axis], { keepdims: 0 }).output;
  graph.setOutputs([mean, variance]);
  const sum = new MomentSum();
  const pause = pacer();
  await using session = await runtime.open(piece, options.session);
  for (const [batch, size] of walk.sizes.entries()) {
    throwIfAborted(options);
    const results = await session.run(await walk.batch(inputs, batch));
    sum.see(results[mean.name]!.floats(), results[variance.name]!.floats(), size);
    await pause();
  }
  return sum.result();

  function square() {
    const centred = addNode(graph, "Sub", [matrix, mean]).output;
    return addNode(graph, "Mul", [centred, centred]).output;
  }
}
