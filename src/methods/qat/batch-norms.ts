/**
 * Batch norms for training: layers that had one before it was folded get it back for as long as they are trained, behind
 * their quantized weights, and lose it again into weights, scales and biases. A batch norm keeps the statistics of a layer
 * where the next one expects them while its weights jump from one integer to another.
 *
 * The folded layer says what its batch norm promised: output channel c has mean beta and deviation |gamma|. A batch norm with
 * these statistics and the same numbers as shift and gain changes nothing, so training starts where the folded model is.
 * Folding back follows y = (γ / √(σ² + ε)) · (W x) + (β − γ μ / √(σ² + ε)): a scale per channel takes the factor in.
 */
import { isRefused } from "../../base/inner.ts";
import { isOp, productAt } from "../../facts/inner.ts";
import { addNode, cloneModel, type Model } from "../../ir/inner.ts";
import { batchNormStatistics } from "../../passes/inner.ts";
import { entriesByValue, type Plan } from "../../quant/inner.ts";
import { Tensor } from "../../tensor/inner.ts";

/** A layer with a batch norm behind it; the names are those of constants in the model. */
export interface NormalizedLayer {
  readonly weight: string;
  /** The constant of the folded model that the batch norm stands for. */
  readonly bias: string;
  readonly gain: string;
  readonly shift: string;
  readonly mean: string;
  readonly variance: string;
}

export interface Normalized {
  readonly model: Model;
  readonly layers: readonly NormalizedLayer[];
}

const epsilon = 1e-5;

/**
 * A copy of a folded model whose convolutions have their batch norms back, where the model remembers them, the weight is
 * quantized per output channel and there is a bias.
 */
export function withBatchNorms(model: Model, plan: Plan): Normalized {
  const copy = cloneModel(model);
  const { graph } = copy;
  const entries = entriesByValue(plan);
  const layers: NormalizedLayer[] = [];
  for (const node of [...graph.nodes]) {
    const layer = isOp(node, "Conv") ? productAt(node) : undefined;
    if (!layer || isRefused(layer) || isRefused(layer.bias)) continue;
    const [weight, bias] = [layer.weight.value, node.input(layer.bias.index)];
    const entry = entries.get(weight.name);
    const statistics = batchNormStatistics(node.output);
    const isPerChannel = entry?.granularity.kind === "channel" && entry.granularity.axis === 0;
    if (!statistics || !isPerChannel || !weight.initializer || !bias?.initializer) continue;
    if (weight.useCount > 1 || bias.useCount > 1 || node.output.isGraphOutput) continue;
    const { gamma, beta } = statistics;
    const old = bias.initializer.floats();
    const variance = gamma.map((g) => g * g);
    const constant = (kind: string, values: readonly number[]) =>
      graph.addInitializer(`${weight.name}.${kind}`, Tensor.float32([values.length], values));
    const made = {
      gain: constant(
        "gain",
        variance.map((v) => Math.sqrt(v + epsilon)),
      ),
      shift: constant("shift", beta),
      mean: constant(
        "mean",
        beta.map((b, c) => b - old[c]!),
      ),
      variance: constant("variance", variance),
    };
    const output = node.output;
    const { name } = output;
    graph.setInput(node, 2, null);
    const readers = new Set(output.consumers());
    graph.renameLike(output, `${name}_unnormalized`);
    const norm = addNode(
      graph,
      "BatchNormalization",
      [output, made.gain, made.shift, made.mean, made.variance],
      { epsilon: { type: "float", value: epsilon } },
      { output: name, place: { after: node } },
    );
    if (output.type) norm.output.type = output.type;
    graph.replaceUses(output, norm.output, (use) => "node" in use && readers.has(use.node));
    graph.removeInitializer(bias);
    layers.push({
      weight: weight.name,
      bias: bias.name,
      gain: made.gain.name,
      shift: made.shift.name,
      mean: made.mean.name,
      variance: made.variance.name,
    });
  }
  return { model: copy, layers };
}

/**
 * What was trained with batch norms, as values of the folded model: weights and biases with the batch norm inside, and the
 * learned factors of weight scales (`scaleOf` names them) times its gain. `now` returns a constant's value after training.
 */
export function withoutBatchNorms(
  layers: readonly NormalizedLayer[],
  now: (name: string) => Tensor,
  scaleOf: (weight: string) => string,
): Map<string, Tensor> {
  const folded = new Map<string, Tensor>();
  for (const layer of layers) {
    const [weight, gain, shift, mean, variance] = [
      layer.weight,
      layer.gain,
      layer.shift,
      layer.mean,
      layer.variance,
    ].map(now);
    const factor = gain!.floats().map((g, c) => g / Math.sqrt(variance!.floats()[c]! + epsilon));
    const each = weight!.size / factor.length;
    folded.set(
      layer.weight,
      Tensor.float32(
        weight!.shape,
        weight!.floats().map((w, i) => w * factor[Math.floor(i / each)]!),
      ),
    );
    folded.set(
      layer.bias,
      Tensor.float32(
        shift!.shape,
        shift!.floats().map((s, c) => s - mean!.floats()[c]! * factor[c]!),
      ),
    );
    const scale = now(scaleOf(layer.weight));
    // A scale is positive whatever the sign of the gain: the weights carry it.
    folded.set(
      scaleOf(layer.weight),
      Tensor.float32(
        scale.shape,
        scale.floats().map((s, c) => s * Math.abs(factor[c]!)),
      ),
    );
  }
  return folded;
}
