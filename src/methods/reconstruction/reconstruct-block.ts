/** One block: trained on what the quantized prefix returns, made hard, and kept where it is better on samples set aside. */
import { type Random, throwIfAborted, type Work } from "../../base/inner.ts";
import type { Model, Value } from "../../ir/inner.ts";
import { pacer, type Runtime, type SessionOptions, traceShapes } from "../../runtime/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import { type ParameterGroup, Trainer } from "../../train/inner.ts";
import { betaAt } from "../adaround/math.ts";
import type { ActivationQuantizer } from "../learned-quantizers/trainable.ts";
import { type Aim, BlockError, blockLoss, scheduleInputs } from "./block-error.ts";
import { type BlockParameters, makeTrainable } from "./block-piece.ts";
import type { Settings } from "./options.ts";
import { type BlockSamples, floatInput } from "./samples-of-block.ts";
import { hardIntegers, type Rounding } from "./soft-rounding.ts";

export interface BlockTask {
  /** Returns the piece as the trainable model is now, its outputs being those of the block. */
  piece(): Model;
  readonly parameters: BlockParameters;
  /** The quantizers of activations of the trainable model. */
  readonly quantizers: readonly ActivationQuantizer[];
  /** What the layers read as weight → how that weight is rounded. */
  readonly softened: ReadonlyMap<string, Rounding>;
  readonly aims: readonly Aim[];
  readonly samples: BlockSamples;
  /** Inputs of the piece that have a counterpart in the float branch. */
  readonly mixed: readonly string[];
  readonly random: Random;
  /** Constants of the trainable model, by name: what was learned is written there. */
  readonly constants: ReadonlyMap<string, Value>;
  /** What decides, with the constants as they are; null: the error of the block. */
  readonly outputs: { measure(): Promise<number> } | null;
  /** The weight with these integers and this factor of its scales, as it may be stored. */
  harden(rounding: Rounding, integers: Float32Array, factor: Float32Array | null): Tensor;
}

export interface BlockResult {
  /** Error of what decided, on samples set aside: where the block started, and where training led. */
  readonly before: number;
  readonly after: number;
  readonly kept: boolean;
}

export interface BlockTools extends Work {
  readonly runtime: Runtime;
  readonly session: SessionOptions;
  readonly settings: Settings;
  /** Called after each step with the number of steps made. */
  readonly onStep?: (done: number) => void;
}

/** Leaves the better of start and result in the constants. */
export async function reconstructBlock(task: BlockTask, tools: BlockTools): Promise<BlockResult> {
  const size = await errorOf(task, tools);
  harden(task);
  const verdict = () => task.outputs?.measure() ?? errorOf(task, tools);
  const before = await verdict();
  // A block without an error has nothing to learn, and its error nothing to be measured by.
  if (!(size > 0)) return { before, after: before, kept: false };
  const learned = await train(task, tools, size);
  const names = new Set([...learned.keys(), ...task.parameters.roundings.map(({ weight }) => weight)]);
  const old = new Map([...names].flatMap((name) => [[name, task.constants.get(name)?.initializer] as const]));
  write(task, learned);
  const after = await verdict();
  const kept = after < before;
  if (!kept) for (const [name, tensor] of old) if (tensor) task.constants.get(name)!.initializer = tensor;
  return { before, after, kept };
}

/** Weights on their grid as they were judged. */
function harden({ parameters, constants, harden }: BlockTask): void {
  for (const rounding of parameters.roundings)
    constants.get(rounding.weight)!.initializer = harden(rounding, rounding.rounded, null);
}

async function errorOf(task: BlockTask, { runtime, session }: BlockTools): Promise<number> {
  await using error = await BlockError.open(task.piece(), task.aims, runtime, session);
  return await error.mean(task.samples.judging());
}

/** What was learned, by name; rounding variables are not hard yet. */
async function train(task: BlockTask, tools: BlockTools, size: number): Promise<Map<string, Tensor>> {
  const { runtime, session, settings } = tools;
  const { iterations, learningRate, warmStart, lambda } = settings;
  const [betaStart, betaEnd] = settings.beta;
  const annealing = { iterations, warmStart, betaStart, betaEnd };
  const draws = task.random.fork("batches");
  const piece = task.piece();
  const first = await task.samples.draw(draws.fork("example"));
  const types = await traceShapes(piece, runtime, first);
  const mixed = settings.inputs === "mixed" ? task.mixed : [];
  const drops = makeTrainable(piece, {
    softened: task.softened,
    quantizers: task.quantizers,
    mixed: new Map(mixed.map((name) => [name, floatInput(name)])),
    drop: settings.drop,
    types,
    random: task.random.fork("chances"),
  });
  const windows = task.random.fork("windows");
  const step = (iteration: number) => ({
    [scheduleInputs.lambda]: Tensor.scalar(iteration < warmStart * iterations ? 0 : lambda),
    [scheduleInputs.beta]: Tensor.scalar(betaAt(Math.max(iteration, warmStart * iterations), annealing)),
    ...drops?.feeds(windows),
  });
  await using trainer = await Trainer.open(
    {
      model: piece,
      example: { ...first, ...step(0) },
      groups: groupsOf(task),
      loss: blockLoss(task.aims, size),
      optimizer: { kind: "adam" },
      rate: learningRate,
      ...(session.threads === undefined ? {} : { threads: session.threads }),
    },
    runtime,
  );
  const pause = pacer();
  for (let i = 0; i < iterations; i++) {
    throwIfAborted(tools);
    await trainer.step({ ...(await task.samples.draw(draws)), ...step(i) });
    tools.onStep?.(i + 1);
    await pause();
  }
  return trainer.parameters();
}

/** Ranges and scales are factors near one; a bias moves in parts of its own size. */
function groupsOf({ parameters, constants }: BlockTask): ParameterGroup[] {
  const { roundings, biases, weightScales, ranges } = parameters;
  const groups: ParameterGroup[] = [{ names: roundings.map(({ variable }) => variable) }];
  if (ranges.length > 0) groups.push({ names: ranges, rate: 0.1 });
  if (weightScales.length > 0) groups.push({ names: weightScales, rate: 0.05, atLeast: 0.05 });
  for (const name of biases) groups.push({ names: [name], rate: 0.1 * rootMeanSquare(constants.get(name)!) });
  return groups;
}

function rootMeanSquare(value: Value): number {
  const numbers = value.initializer!.floats();
  return Math.sqrt(numbers.reduce((sum, x) => sum + x * x, 0) / numbers.length) || 1e-3;
}

function write({ parameters, constants, harden }: BlockTask, learned: ReadonlyMap<string, Tensor>): void {
  const { roundings, biases, weightScales, ranges } = parameters;
  for (const name of [...biases, ...weightScales, ...ranges]) constants.get(name)!.initializer = learned.get(name)!;
  for (const rounding of roundings) {
    const integers = hardIntegers(rounding, learned.get(rounding.variable)!.floats());
    const factor = rounding.factor === null ? null : (learned.get(rounding.factor)?.floats() ?? null);
    constants.get(rounding.weight)!.initializer = harden(rounding, integers, factor);
  }
}
