/**
 * How far the outputs of the whole model are from the float model's on samples set aside, while blocks are being trained: what
 * makes one block better can make the model worse, where errors of neighbours cancelled each other.
 */

import { nearestFloats } from "../../analysis/inner.ts";
import { inferTypes } from "../../facts/inner.ts";
import type { Model, Value } from "../../ir/inner.ts";
import type { Cursor, Runtime, SessionOptions } from "../../runtime/inner.ts";
import { type Feeds, isFloat } from "../../tensor/inner.ts";
import { type Aim, BlockError, targetOf } from "./block-error.ts";
import { batchesAside } from "./samples-of-block.ts";

/** Elements of the float model's outputs that are kept. */
const mostKept = 2 ** 23;

export class OutputError {
  readonly #cursor: Cursor;
  readonly #aims: readonly Aim[];
  /** The float model's outputs by the number of the batch, under the names of the aims' targets. */
  readonly #wanted: ReadonlyMap<number, Feeds>;
  readonly #runtime: Runtime;
  readonly #session: SessionOptions;

  private constructor(
    cursor: Cursor,
    aims: readonly Aim[],
    wanted: ReadonlyMap<number, Feeds>,
    runtime: Runtime,
    session: SessionOptions,
  ) {
    this.#cursor = cursor;
    this.#aims = aims;
    this.#wanted = wanted;
    this.#runtime = runtime;
    this.#session = session;
  }

  /** Runs the float model; the cursor stands at its inputs. Outputs count by their error next to their power. */
  static async open(cursor: Cursor, runtime: Runtime, session: SessionOptions): Promise<OutputError> {
    const { float, quantized } = cursor;
    const pairs = judgedPairs(float.model, quantized.model);
    const piece = float.piece(pairs.map(([value]) => value.name));
    const inputs = piece.graph.inputs.map((value) => value.name);
    await using plain = await runtime.open(piece, session);
    const wanted = new Map<number, Feeds>();
    const powers = new Map<Value, number>();
    let kept = 0;
    let aims: Aim[] = [];
    for (const batch of batchesAside(float.sizes)) {
      if (kept > mostKept) break;
      const results = await plain.run(await float.batch(inputs, batch));
      const judged = pairs.filter(([{ name }]) => isFloat(results[name]!.dtype));
      wanted.set(batch, Object.fromEntries(judged.map(([{ name }]) => [targetOf(name), results[name]!])));
      for (const [value] of judged) {
        const numbers = results[value.name]!.floats();
        kept += numbers.length;
        powers.set(value, (powers.get(value) ?? 0) + numbers.reduce((sum, x) => sum + x * x, 0) / numbers.length);
      }
      aims = judged.map(([value, output]) => ({
        output: output.name,
        target: targetOf(value.name),
        weights: Float32Array.of(1 / (powers.get(value)! || 1)),
        rank: results[value.name]!.shape.length,
      }));
    }
    return new OutputError(cursor, aims, wanted, runtime, session);
  }

  /** With the constants and the cut as they are now; outputs behind the cut cannot change any more. */
  async measure(): Promise<number> {
    const { quantized } = this.#cursor;
    const aims = this.#aims.filter(({ output }) => quantized.isAhead(output));
    const piece = quantized.piece(aims.map(({ output }) => output));
    await using error = await BlockError.open(piece, aims, this.#runtime, this.#session);
    return await error.mean(this.#batches(piece.graph.inputs.map((value) => value.name)));
  }

  async *#batches(inputs: readonly string[]) {
    const { quantized } = this.#cursor;
    for (const [batch, targets] of this.#wanted) {
      const feeds: Feeds = { ...(await quantized.batch(inputs, batch)), ...targets };
      yield { feeds, size: quantized.sizes[batch]! };
    }
  }
}

/** The float outputs of both models, and for those that hold classes or truths the float values that they are made of. */
function judgedPairs(float: Model, quantized: Model): (readonly [Value, Value])[] {
  const [own, others] = [inferTypes(float), inferTypes(quantized)];
  return float.graph.outputs.flatMap((output, i) => {
    const twins = nearestFloats(quantized.graph.outputs[i]!, others);
    return nearestFloats(output, own).flatMap((value, j) => (twins[j] ? [[value, twins[j]] as const] : []));
  });
}
