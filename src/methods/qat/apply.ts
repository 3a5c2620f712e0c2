/**
 * Quantization-aware training: from a calibrated plan, weights and ranges are trained together behind the quantizers that will
 * ship, and end in the same kind of model and plan. With learned step sizes (Esser et al., 2020); without labels the float
 * model is the teacher (Hinton et al., 2015).
 */
import { AvocetError } from "../../base/inner.ts";
import type { Model } from "../../ir/inner.ts";
import type { Plan } from "../../quant/inner.ts";
import type { Tensor } from "../../tensor/inner.ts";
import {
  type Augment,
  augmentAll,
  crop,
  flip,
  labelled,
  type Optimizer,
  type ParameterGroup,
  schedule,
  shuffled,
  stepsPerEpoch,
  Trainer,
  train,
  trainBatchNorms,
} from "../../train/inner.ts";
import { settle } from "../learned-quantizers/settle.ts";
import { type TrainableModel, trainableModel } from "../learned-quantizers/trainable.ts";
import type { MethodContext, MethodResult } from "../method.ts";
import { optionsOf } from "../step.ts";
import { type NormalizedLayer, withBatchNorms, withoutBatchNorms } from "./batch-norms.ts";
import { labelTarget, withObjective } from "./objective.ts";
import { type QatOptions, type QatSettings, qatOptions } from "./options.ts";

/** Without labels the float model alone teaches. */
export interface QatContext extends MethodContext {
  /** The float model that teaches: the one before any weight was rounded or trained, or `teacher`. */
  readonly reference: Model;
}

/** Decoded samples that are kept in memory; the others are read again in each epoch. */
const sampleBytes = 1 << 30;

/**
 * Trains from a calibrated plan. The first axis of the model's inputs must be free, or as long as the batch. Weights come back
 * as they were learned, encodings frozen. Throws `autodiff/no-gradient`, `data/labels`, `data/not-finite` (the loss is no number
 * any more), `abort/interrupted`.
 */
export async function trainQuantized(
  model: Model,
  plan: Plan,
  context: QatContext,
  given: QatOptions = {},
): Promise<MethodResult> {
  const start = performance.now();
  const { runtime, seed, signal, onProgress, threads, checkpoint } = context;
  const options = optionsOf("qat", qatOptions, given);
  const { epochs, learningRate, clipNorm } = options;
  const share = shareOfLabels(context, options);
  const form = trainingForm(model, plan, options);
  const { model: both, loss } = withObjective(form.trainable.model, context.reference, {
    labels: share,
    compare: options.compare,
    temperature: options.temperature,
    smoothing: options.smoothing,
    ignore: options.ignore,
  });
  const data = await shuffled(context.data, sampleBytes, signal);
  const targeted = share > 0 ? labelled(data, context.labels!, labelTarget) : data;
  const batch = Math.min(options.batch, data.count);
  const updates = epochs * stepsPerEpoch(data.count, batch);
  await using trainer = await Trainer.open(
    {
      model: both,
      example: await targeted.read(Array.from({ length: batch }, (_, i) => i)),
      groups: groupsOf(form, options),
      loss,
      optimizer: optimizerOf(options),
      states: form.states,
      rate: schedule({ kind: "cosine", rate: learningRate, warmup: Math.min(20, Math.floor(updates / 10)) }, updates),
      ...(clipNorm === undefined ? {} : { clipNorm }),
      ...(threads === undefined ? {} : { threads }),
    },
    runtime,
  );
  const now = () => settled(model, plan, form, trainer);
  const { losses } = await train(trainer, {
    data: targeted,
    epochs,
    seed,
    signal,
    onProgress,
    ...augmentation(options),
    ...(checkpoint ? { checkpoint } : {}),
    onEpoch: ({ epoch, loss: reached }) => context.onEpoch?.(epoch, reached, now),
  });
  const teacher = context.teacher ? "another float model" : "the float model";
  const taught = share === 0 ? teacher : share === 1 ? "labels" : `labels (${share}) and ${teacher}`;
  return {
    ...now(),
    report: {
      step: "qat",
      edits: form.trainable.quantizers.length,
      seconds: (performance.now() - start) / 1000,
      notes: [
        `${updates} steps of ${batch} samples, ${epochs} epochs, taught by ${taught}`,
        `loss by epoch: ${losses.map((value) => value.toPrecision(4)).join(", ")}`,
        ...(form.layers.length > 0 ? [`${form.layers.length} layers trained with their batch norms`] : []),
      ],
    },
  };
}

/** The training form, with batch norms where they are asked for. */
interface TrainingForm {
  readonly trainable: TrainableModel;
  readonly layers: readonly NormalizedLayer[];
  readonly states: ReturnType<typeof trainBatchNorms>["states"];
}

function trainingForm(model: Model, plan: Plan, { batchNorms }: QatSettings): TrainingForm {
  if (batchNorms === "none") return { trainable: trainableModel(model, plan), layers: [], states: [] };
  const { model: normalized, layers } = withBatchNorms(model, plan);
  if (layers.length === 0) {
    throw new AvocetError(
      "pass/unsupported",
      "expected layers with a folded batch norm and one weight scale a channel",
      {
        at: model.source ?? model.graph.name,
        hint: 'train with batchNorms "none", or quantize weights per channel',
      },
    );
  }
  // A batch norm takes the place of the bias, so there is no bias to quantize.
  const biases = new Set(layers.map(({ bias }) => bias));
  const entries = plan.entries.filter(({ value }) => !biases.has(value));
  const trainable = trainableModel(normalized, { ...plan, entries });
  const { states } = batchNorms === "learned" ? trainBatchNorms(trainable.model) : { states: [] };
  return { trainable, layers, states };
}

function groupsOf({ trainable }: TrainingForm, { ranges, rangeRate }: QatSettings): ParameterGroup[] {
  const { weights, biases, weightScales } = trainable;
  const groups: ParameterGroup[] = [{ names: weights }, { names: biases, weightDecay: 0 }];
  if (ranges === "fixed") return groups;
  const learned = (kind: "scale" | "range") =>
    trainable.quantizers.filter((q) => q.entry.kind === "activation" && q.kind === kind).map((q) => q.parameter);
  // A scale that reaches zero would divide by it.
  const factors = { rate: rangeRate, weightDecay: 0, atLeast: 0.02 };
  return [
    ...groups,
    { names: [...weightScales, ...learned("scale")], ...factors },
    { names: learned("range"), rate: rangeRate, weightDecay: 0 },
  ];
}

/** What has been learned so far, as a model and a plan of the folded form. */
function settled(model: Model, plan: Plan, { trainable, layers }: TrainingForm, trainer: Trainer) {
  const learned = new Map<string, Tensor>([...trainer.parameters(), ...trainer.statistics()]);
  if (layers.length === 0) return settle(model, plan, trainable, learned);
  const initial = trainable.model.graph.valuesByName();
  const scales = new Map(trainable.quantizers.map((q) => [q.entry.value, q.parameter]));
  const folded = withoutBatchNorms(
    layers,
    (name) => learned.get(name) ?? initial.get(name)!.initializer!,
    (weight) => scales.get(weight)!,
  );
  const inside = new Set(layers.flatMap(({ gain, shift }) => [gain, shift]));
  const biases = [...trainable.biases.filter((name) => !inside.has(name)), ...layers.map(({ bias }) => bias)];
  return settle(model, plan, { ...trainable, biases }, new Map([...learned, ...folded]));
}

function optimizerOf({ optimizer, weightDecay }: QatSettings): Optimizer {
  const decay = weightDecay === undefined ? {} : { weightDecay };
  return optimizer === "sgd" ? { kind: "sgd", momentum: 0.9, ...decay } : { kind: optimizer, ...decay };
}

function shareOfLabels({ labels }: QatContext, options: QatSettings): number {
  const share = options.labels ?? (labels ? 0.5 : 0);
  if (share > 0 && !labels) {
    throw new AvocetError("data/labels", "expected labels for a loss that looks at them, got none", {
      hint: "give labels, or labels=0 to learn from the float model alone",
    });
  }
  return share;
}

function augmentation({ flip: mirror, crop: pad }: QatSettings): { augment?: Augment } {
  const parts: Augment[] = [];
  if (mirror) parts.push((feeds, random) => flip(...imagesOf(feeds))(feeds, random));
  if (pad > 0) parts.push((feeds, random) => crop(imagesOf(feeds), { pad })(feeds, random));
  return parts.length > 0 ? { augment: augmentAll(parts) } : {};
}

/** Images and masks of a batch: whatever has rows and columns. */
function imagesOf(feeds: Readonly<Record<string, Tensor>>): string[] {
  return Object.keys(feeds).filter((name) => feeds[name]!.shape.length >= 3);
}
