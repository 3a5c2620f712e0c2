/** Runs a training graph step by step, and holds what it has learnt. */
import { seedPrefix } from "../autodiff/inner.ts";
import { AvocetError, packRecord, unpackRecord } from "../base/inner.ts";
import { cloneModel, type Model } from "../ir/inner.ts";
import type { Runtime, Session } from "../runtime/inner.ts";
import { type Feeds, Tensor } from "../tensor/inner.ts";
import { flatTensor } from "./flat.ts";
import type { FunctionLoss } from "./loss.ts";
import type { TrainingSpec } from "./spec.ts";
import { lossOutput, type TrainingGraph, trainingGraph } from "./training-graph.ts";
import { stepInputs } from "./update.ts";

export interface TrainerSpec extends TrainingSpec {
  /** The learning rate, or how it follows from the number of updates that were made. */
  readonly rate: number | ((update: number) => number);
  /** Threads inside an operator. Default: the runtime's choice. */
  readonly threads?: number;
}

export interface StepResult {
  readonly loss: number;
  /** The values that the specification asks for. */
  readonly outputs: Feeds;
}

export class Trainer implements AsyncDisposable {
  readonly graph: TrainingGraph;
  readonly #spec: TrainerSpec;
  readonly #session: Session;
  readonly #forward: Session | null;
  readonly #outputs: readonly string[];
  #buffers: Map<string, Tensor>;
  #steps = 0;

  private constructor(spec: TrainerSpec, graph: TrainingGraph, session: Session, forward: Session | null) {
    this.#spec = spec;
    this.graph = graph;
    this.#session = session;
    this.#forward = forward;
    this.#buffers = new Map(
      [...graph.buffers].map(([name, { initial }]) => [name, flatTensor(Float32Array.from(initial))]),
    );
    const buffers = [...graph.buffers.values()].map(({ output }) => output);
    this.#outputs = [...(forward ? [] : [lossOutput]), ...(spec.outputs ?? []), ...buffers];
  }

  /** Builds the graph of a step and opens it. */
  static async open(spec: TrainerSpec, runtime: Runtime): Promise<Trainer> {
    const graph = await trainingGraph(spec, runtime);
    // Quantizer pairs simulate while training; as integer kernels they would have no float input to differentiate.
    const options = { fuseQdq: false, ...(spec.threads === undefined ? {} : { threads: spec.threads }) };
    const session = await runtime.open(graph.model, options);
    const forward = graph.forward ? await runtime.open(graph.forward, options) : null;
    return new Trainer(spec, graph, session, forward);
  }

  /** Samples of one step: the first axis of the first input that the example has. */
  get batch(): number {
    const { example, model } = this.#spec;
    return model.graph.inputs.flatMap(({ name }) => example[name]?.shape[0] ?? [])[0] ?? 1;
  }

  /** Steps from one update to the next. */
  get accumulate(): number {
    return this.#spec.accumulate ?? 1;
  }

  /** How many steps were made. */
  get steps(): number {
    return this.#steps;
  }

  /** How many updates were made: all steps, or one of `accumulate`. */
  get updates(): number {
    return Math.floor(this.#steps / this.accumulate);
  }

  /**
   * One step: forward, backward, and (every `accumulate` steps) an update. Feeds are inputs and targets in the shapes of
   * the example. Throws `data/not-finite` when the loss is no number, before anything is changed.
   */
  async step(feeds: Feeds): Promise<StepResult> {
    const { rate } = this.#spec;
    const { updates, accumulate } = this;
    const judged = await this.#judge(feeds);
    const results = await this.#session.run(
      {
        ...this.#fed(this.#session, { ...feeds, ...judged?.seeds }),
        [stepInputs.rate]: Tensor.scalar(typeof rate === "number" ? rate : rate(updates)),
        [stepInputs.step]: Tensor.int64([], [updates]),
        ...(accumulate > 1 ? { [stepInputs.update]: truth((this.#steps + 1) % accumulate === 0) } : {}),
      },
      this.#outputs,
    );
    const loss = judged?.value ?? results[lossOutput]!.floats()[0]!;
    if (!Number.isFinite(loss)) {
      throw new AvocetError("data/not-finite", `expected a finite loss, got ${loss} at step ${this.#steps}`, {
        hint: "lower the learning rate, or clip gradients (clipNorm)",
      });
    }
    this.#buffers = new Map([...this.graph.buffers].map(([name, { output }]) => [name, results[output]!]));
    this.#steps++;
    return { loss, outputs: Object.fromEntries((this.#spec.outputs ?? []).map((name) => [name, results[name]!])) };
  }

  /** What is trained, by name, as it is now. */
  parameters(): Map<string, Tensor> {
    return this.graph.parameters.unpack(this.#buffers.get("parameters")!.floats());
  }

  /** The running statistics, by name, as they are now. */
  statistics(): Map<string, Tensor> {
    return this.graph.statistics.unpack(this.#buffers.get("statistics")?.floats() ?? new Float32Array());
  }

  /** A copy of a model with the constants that this training has learnt or renewed, as they are now. */
  applyTo(model: Model): Model {
    const copy = cloneModel(model);
    const values = copy.graph.valuesByName();
    for (const [name, tensor] of [...this.parameters(), ...this.statistics()]) {
      const value = values.get(name);
      if (value?.initializer) value.initializer = tensor;
    }
    return copy;
  }

  /** All that the following steps depend on, bit for bit. */
  save(): Uint8Array {
    const arrays = Object.fromEntries([...this.#buffers].map(([name, tensor]) => [name, tensor.floats()]));
    return packRecord({ facts: { steps: this.#steps }, arrays });
  }

  /** Goes on from what `save` gave. Throws `resume/other-run` when it is of another training. */
  restore(saved: Uint8Array): void {
    const { facts, arrays } = unpackRecord(saved);
    const buffers = [...this.graph.buffers].map(([name, { initial }]) => {
      const array = arrays[name];
      if (array instanceof Float32Array && array.length === initial.length) return [name, flatTensor(array)] as const;
      throw new AvocetError("resume/other-run", `expected ${initial.length} numbers of ${name}, got ${array?.length}`);
    });
    this.#buffers = new Map(buffers);
    this.#steps = (facts as { readonly steps: number }).steps;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session[Symbol.asyncDispose]();
    await this.#forward?.[Symbol.asyncDispose]();
  }

  /** For a function as loss: runs the forward pass, and the function on what it returns. */
  async #judge(feeds: Feeds): Promise<{ readonly value: number; readonly seeds: Feeds } | null> {
    if (!this.#forward) return null;
    const loss = this.#spec.loss as FunctionLoss;
    const outputs = await this.#forward.run(this.#fed(this.#forward, feeds));
    const targets = Object.fromEntries(loss.targets.map((name) => [name, feeds[name]!]));
    const { value, gradients } = loss.evaluate(outputs, targets);
    const seeds = Object.entries(gradients).map(([name, gradient]) => [`${seedPrefix}${name}`, gradient] as const);
    return { value, seeds: Object.fromEntries(seeds) };
  }

  /** What of the feeds this session takes, and the buffers. */
  #fed(session: Session, feeds: Feeds): Record<string, Tensor> {
    const fed: Record<string, Tensor> = {};
    for (const { name } of session.inputs) if (feeds[name]) fed[name] = feeds[name];
    for (const [name, { input }] of this.graph.buffers) {
      if (session.inputs.some((port) => port.name === input)) fed[input] = this.#buffers.get(name)!;
    }
    return fed;
  }
}

function truth(value: boolean): Tensor {
  return Tensor.of("bool", [], Uint8Array.of(value ? 1 : 0));
}
