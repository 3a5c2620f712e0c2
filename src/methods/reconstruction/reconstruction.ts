/** A run of reconstruction: both models on the cursor, the trainable form between them, and what blocks have decided. */
import { Random } from "../../base/inner.ts";
import { cloneModel, type Model, type Value } from "../../ir/inner.ts";
import { defaultOpset, upgradeOpset } from "../../passes/inner.ts";
import { entriesByValue, limited, type Plan } from "../../quant/inner.ts";
import { type Cursor, firstSample, fixedBatch, openCursor, traceShapes } from "../../runtime/inner.ts";
import { isFloat, sizeOf, type Tensor } from "../../tensor/inner.ts";
import { alongside, type Branches } from "../branches.ts";
import { settle } from "../learned-quantizers/settle.ts";
import { type TrainableModel, trainableModel } from "../learned-quantizers/trainable.ts";
import type { MethodContext } from "../method.ts";
import { type Aim, targetOf } from "./block-error.ts";
import { type BlockParameters, ownConstants } from "./block-piece.ts";
import { loadBlock, saveBlock } from "./block-record.ts";
import { type Block, findBlocks } from "./blocks.ts";
import { outputInfluence } from "./influence.ts";
import type { Settings } from "./options.ts";
import { OutputError } from "./output-error.ts";
import { type BlockResult, type BlockTask, reconstructBlock } from "./reconstruct-block.ts";
import { BlockSamples } from "./samples-of-block.ts";
import { learnedEncoding, onGrid, type Rounding, roundingOf } from "./soft-rounding.ts";

/** Where a run begins: a model whose weights may be rounded, its plan, and how they came about. */
export interface Start {
  readonly model: Model;
  readonly plan: Plan;
  readonly notes: readonly string[];
}

/** How far h starts from the float weight towards an integer that was found before: a little is left to turn back. */
const towardsFound = 0.9;

/** Elements of the largest activation of a step. */
const mostElements = 2 ** 23;

export class Reconstruction {
  readonly blocks: readonly Block[];
  readonly cursor: Cursor;
  readonly #start: Start;
  readonly #context: MethodContext;
  readonly #settings: Settings;
  readonly #trainable: TrainableModel;
  readonly #branches: readonly Branches[];
  readonly #constants: ReadonlyMap<string, Value>;
  readonly #names: ReadonlyMap<string, string>;
  readonly #influence: ReadonlyMap<string, Float32Array> | null;
  readonly #batch: number;
  readonly #outputs: OutputError | null;
  readonly #trained = new Map<string, Tensor>();
  /** Weights that a block has had in hand, and the learned constants of their quantizers and of ranges. */
  readonly #done = new Set<string>();
  readonly #judged = new Set<string>();

  private constructor(parts: {
    readonly blocks: readonly Block[];
    readonly cursor: Cursor;
    readonly start: Start;
    readonly context: MethodContext;
    readonly settings: Settings;
    readonly trainable: TrainableModel;
    readonly branches: readonly Branches[];
    readonly influence: ReadonlyMap<string, Float32Array> | null;
    readonly batch: number;
    readonly outputs: OutputError | null;
  }) {
    this.blocks = parts.blocks;
    this.cursor = parts.cursor;
    this.#start = parts.start;
    this.#context = parts.context;
    this.#settings = parts.settings;
    this.#trainable = parts.trainable;
    this.#branches = parts.branches;
    this.#influence = parts.influence;
    this.#batch = parts.batch;
    this.#outputs = parts.outputs;
    this.#constants = parts.trainable.model.graph.valuesByName();
    this.#names = new Map(parts.trainable.activations.map(({ value, to }) => [value, to]));
  }

  static async open(
    reference: Model,
    start: Start,
    context: MethodContext,
    settings: Settings,
  ): Promise<Reconstruction> {
    const { runtime, data, signal, threads } = context;
    const types = await traceShapes(reference, runtime, await firstSample(data, signal));
    const blocks = findBlocks(reference, { types, granularity: settings.granularity, most: settings.most });
    const raised = cloneModel(start.model);
    upgradeOpset(raised, Math.max(raised.opset, defaultOpset));
    // A block is cut where quantizers stand, so that nothing reads around them.
    const trainable = trainableModel(raised, start.plan, { floatReaders: false });
    const branches = alongside(reference, raised, trainable);
    const largest = Math.max(
      ...[...types.values()].map(({ dtype, shape }) => (isFloat(dtype) ? sizeOf(shape as number[]) : 0)),
    );
    const fits = Math.max(1, Math.min(settings.batch, Math.floor(mostElements / largest)));
    const batch = fixedBatch(reference, data.axes) ?? fits;
    const influence =
      settings.weighting === "fisher"
        ? await outputInfluence(
            reference,
            blocks.flatMap((block) => block.outputs),
            context,
          )
        : null;
    const session = { fuseQdq: false, ...(threads ? { threads } : {}) };
    const cursor = await openCursor({
      model: reference,
      quantized: trainable.model,
      runtime,
      data,
      signal,
      // Steps are made of whole batches of the cursor: small ones mix better.
      batch: Math.max(1, Math.floor(batch / 4)),
      session,
    });
    const outputs = settings.judge === "outputs" ? await OutputError.open(cursor, runtime, session) : null;
    const parts = { blocks, cursor, start, context, settings, trainable, branches, influence, batch, outputs };
    return new Reconstruction(parts);
  }

  /** Trains a block, or takes it from the checkpoint, and walks both branches behind it; null: it has nothing to learn. */
  async solve(block: Block, key: string, onStep: (done: number) => void): Promise<BlockResult | null> {
    const { runtime, threads, checkpoint } = this.#context;
    const { cursor } = this;
    const outputs = block.outputs.map((name) => this.#names.get(name) ?? name);
    const piece = cursor.quantized.piece(outputs);
    const inputs = piece.graph.inputs.map((input) => input.name);
    const floatOf = this.#floatNames(cursor.float.cut, inputs);
    await cursor.float.advance([...block.outputs, ...floatOf.values()]);
    const found = this.#parametersOf(piece);
    const { parameters } = found;
    let result = checkpoint ? await loadBlock(checkpoint, key, this.#constants) : undefined;
    if (!result && parameters.roundings.length > 0) {
      const aims = await this.#aims(block, outputs, cursor);
      const names = {
        inputs,
        float: floatOf,
        mode: this.#settings.inputs,
        targets: new Map(aims.map((aim, i) => [block.outputs[i]!, aim.target])),
      };
      const task: BlockTask = {
        ...found,
        quantizers: this.#trainable.activations,
        piece: () => cursor.quantized.piece(outputs),
        aims,
        samples: new BlockSamples(cursor, names, this.#batch),
        mixed: [...floatOf.keys()],
        random: new Random(this.#context.seed).fork(block.outputs.at(-1)!),
        constants: this.#constants,
        outputs: this.#outputs,
        harden: (rounding, integers, factor) => this.#harden(rounding, integers, factor),
      };
      const session = { fuseQdq: false, ...(threads ? { threads } : {}) };
      result = await reconstructBlock(task, { ...this.#context, runtime, session, settings: this.#settings, onStep });
      if (checkpoint) await saveBlock(checkpoint, key, result, this.#constants, constantsOf(parameters));
    }
    if (result) this.#remember(parameters, result.kept);
    await cursor.quantized.advance(outputs);
    return result ?? null;
  }

  /** The start with what was learned. Ranges that no block has had in hand may be observed again. */
  settled(): { model: Model; plan: Plan } {
    const { model, plan } = settle(this.#start.model, this.#start.plan, this.#trainable, this.#trained);
    const before = entriesByValue(this.#start.plan);
    const parameters = new Map(this.#trainable.quantizers.map(({ entry, parameter }) => [entry.value, parameter]));
    const entries = plan.entries.map((entry) => {
      const parameter = parameters.get(entry.sharesEncodingOf ?? entry.value);
      if (parameter === undefined || this.#trained.has(parameter)) return entry;
      const old = before.get(entry.value)!;
      return this.#judged.has(parameter) ? { ...old, frozen: true } : old;
    });
    return { model, plan: { ...plan, entries } };
  }

  /** Which inputs of a piece have a value of the float branch's cut for what they carry. */
  #floatNames(cut: readonly string[], inputs: readonly string[]): Map<string, string> {
    const back = new Map(cut.map((name) => [this.#names.get(name) ?? name, name]));
    return new Map(inputs.flatMap((name) => (back.has(name) ? [[name, back.get(name)!] as const] : [])));
  }

  #parametersOf(piece: Model): Pick<BlockTask, "parameters" | "softened"> {
    const nodes = new Set([...piece.graph.nodes].map((node) => node.output.name));
    const quantizers = new Map(this.#trainable.quantizers.map((one) => [one.entry.value, one]));
    const { ranges, biases, weightScales, weighting: _, ...settings } = this.#settings;
    const softened = new Map<string, Rounding>();
    for (const { layer, result, quantizedNode } of this.#branches) {
      const weight = result.weight.value;
      const quantizer = quantizers.get(weight.name);
      if (!nodes.has(quantizedNode.output.name) || this.#done.has(weight.name) || !quantizer) continue;
      if (layer.weight.value.useCount > 1) continue;
      this.#done.add(weight.name);
      const warm = settings.start === "adaround" || quantizer.entry.frozen === true;
      const [float, rounded] = [layer.weight.tensor, weight.initializer!];
      const rounding = roundingOf(
        weight.name,
        float,
        rounded,
        quantizer.encoding,
        warm ? towardsFound : 0,
        weightScales ? quantizer.parameter : null,
      );
      softened.set(quantizedNode.input(layer.weight.index)!.name, rounding);
    }
    const own = (names: readonly string[]) => ownConstants(names, this.#constants, piece);
    const roundings = [...softened.values()];
    return {
      softened,
      parameters: {
        roundings,
        biases: biases ? own(this.#trainable.biases) : [],
        weightScales: roundings.flatMap(({ factor }) => factor ?? []),
        ranges: ranges ? own(this.#trainable.ranges) : [],
      },
    };
  }

  async #aims(block: Block, outputs: readonly string[], cursor: Cursor): Promise<Aim[]> {
    const first = await cursor.float.batch(block.outputs, 0);
    return block.outputs.map((name, i) => ({
      output: outputs[i]!,
      target: targetOf(name),
      weights: this.#influence?.get(name) ?? null,
      rank: first[name]!.shape.length,
    }));
  }

  #harden(rounding: Rounding, integers: Float32Array, factor: Float32Array | null): Tensor {
    const encoding = learnedEncoding(rounding, factor);
    const hard = onGrid(rounding, integers, encoding);
    const entry = entriesByValue(this.#start.plan).get(rounding.weight);
    const weight = this.#constants.get(rounding.weight)!;
    return (entry && limited(entry, weight, encoding, () => hard)) ?? hard;
  }

  /** Weights are hard whether training was kept or not; what was undone keeps the encodings that it was judged with. */
  #remember(parameters: BlockParameters, kept: boolean): void {
    const { roundings, ranges } = parameters;
    const quantizers = new Map(this.#trainable.quantizers.map(({ entry, parameter }) => [entry.value, parameter]));
    for (const { weight } of roundings) this.#judged.add(quantizers.get(weight)!);
    for (const name of ranges) this.#judged.add(name);
    const names = kept ? constantsOf(parameters) : roundings.map(({ weight }) => weight);
    for (const name of names) this.#trained.set(name, this.#constants.get(name)!.initializer!);
  }
}

/** What a block may change, by names of constants. */
function constantsOf({ roundings, biases, weightScales, ranges }: BlockParameters): string[] {
  return [...roundings.map(({ weight }) => weight), ...biases, ...weightScales, ...ranges];
}
