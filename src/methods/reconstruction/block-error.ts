/** How far a block's outputs are from the float model's: as a loss to train on, and as a number to judge by. */
import { Emitter } from "../../autodiff/inner.ts";
import { cloneModel, type Model, tensorType, type Value } from "../../ir/inner.ts";
import type { Runtime, Session, SessionOptions } from "../../runtime/inner.ts";
import { type Feeds, Tensor } from "../../tensor/inner.ts";
import { type GraphLoss, graphLoss } from "../../train/inner.ts";
import { roundingOutput } from "./block-piece.ts";

/** One output of a block next to what it should be. */
export interface Aim {
  /** Name in the trained model. */
  readonly output: string;
  /** Name of the float model's value, as an input. */
  readonly target: string;
  /** Weight of each channel (axis 1), of mean one; null: all count the same. */
  readonly weights: Float32Array | null;
  readonly rank: number;
}

/** The name under which a value of the float model is fed. */
export function targetOf(name: string): string {
  return `${name} wanted`;
}

/** Names of what a step feeds next to data. */
export const scheduleInputs = { lambda: "block.lambda", beta: "block.beta" } as const;

/** Σ over outputs of the weighted mean squared difference. */
function meanError(e: Emitter, aims: readonly Aim[], named: (name: string) => Value): Value {
  const parts = aims.map((aim) => {
    const difference = e.sub(named(aim.output), named(aim.target));
    const squares = e.square(difference);
    const weighed = aim.weights ? e.mul(squares, channelWeights(e, aim)) : squares;
    return e.op("ReduceMean", [weighed], { keepdims: 0 });
  });
  return parts.length === 1 ? parts[0]! : e.op("Sum", parts);
}

function channelWeights(e: Emitter, { weights, rank }: Aim): Value {
  const shape = Array.from({ length: rank }, (_, axis) => (axis === 1 ? weights!.length : 1));
  return e.constant(Tensor.float32(shape, weights!));
}

/** error / size + λ · mean(1 − |2h − 1|^β): AdaRound's loss (eq. 25) with both parts of the size of one. */
export function blockLoss(aims: readonly Aim[], size: number): GraphLoss {
  const targets = [...aims.map(({ target }) => target), ...Object.values(scheduleInputs)];
  return graphLoss(targets, (e, outputs, wanted) => {
    const error = e.mul(
      meanError(e, aims, (name) => (outputs[name] ?? wanted[name])!),
      1 / size,
    );
    const u = e.op("Abs", [e.sub(e.mul(outputs[roundingOutput]!, 2), e.scalar(1))]);
    // |u|^β as exp(β ln |u|): both are vectorised, Pow is not.
    const power = e.op("Exp", [e.mul(e.op("Log", [e.add(u, e.scalar(1e-12))]), wanted[scheduleInputs.beta]!)]);
    const undecided = e.sub(e.scalar(1), e.op("ReduceMean", [power], { keepdims: 0 }));
    return e.add(error, e.mul(undecided, wanted[scheduleInputs.lambda]!));
  });
}

const errorOutput = "block.error";

/** Judges a block as it is in a piece, with hard weights and nothing dropped. */
export class BlockError implements AsyncDisposable {
  readonly #session: Session;

  private constructor(session: Session) {
    this.#session = session;
  }

  static async open(
    piece: Model,
    aims: readonly Aim[],
    runtime: Runtime,
    options: SessionOptions,
  ): Promise<BlockError> {
    const model = cloneModel(piece);
    const { graph } = model;
    for (const { target, rank } of aims) {
      graph.addInput(
        target,
        tensorType(
          "float32",
          Array.from({ length: rank }, () => null),
        ),
      );
    }
    const values = graph.valuesByName();
    const error = meanError(new Emitter(graph), aims, (name) => values.get(name)!);
    graph.setOutputs([]);
    graph.addOutput(new Emitter(graph).op("Identity", [error], {}, { output: errorOutput }));
    return new BlockError(await runtime.open(model, options));
  }

  /** The mean over these batches; `size` weighs each. */
  async mean(batches: AsyncIterable<{ readonly feeds: Feeds; readonly size: number }>): Promise<number> {
    let [sum, count] = [0, 0];
    for await (const { feeds, size } of batches) {
      const results = await this.#session.run(pick(feeds, this.#session));
      sum += size * results[errorOutput]!.floats()[0]!;
      count += size;
    }
    return sum / count;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session[Symbol.asyncDispose]();
  }
}

/** What a session takes of some feeds. */
function pick(feeds: Feeds, { inputs }: Session): Feeds {
  return Object.fromEntries(inputs.map(({ name }) => [name, feeds[name]!]));
}
