/** One operator of a TFLite graph while it is translated: its inputs as terms, what is known of them, and its options. */

import type { Refused } from "../../base/inner.ts";
import { AvocetError } from "../../base/inner.ts";
import type { Value } from "../../ir/inner.ts";
import type { DType } from "../../tensor/inner.ts";
import { knownOf } from "../channels-last/content.ts";
import { unary } from "../channels-last/elementwise.ts";
import type { Emitter } from "../channels-last/emitter.ts";
import type { Order, Term } from "../channels-last/term.ts";
import type { Constants } from "./constants.ts";
import { type Options, optionsOf } from "./options.ts";
import type { TfliteGraph, TfliteOperator, TfliteTensor } from "./schema.ts";

/** Translates one operator: its outputs, floats where the file has them quantized. */
export type Row = (call: Call) => Term | readonly Term[];
export type RowOrReason = Row | Refused;

/** What a call may ask of the graph around it. */
export interface Surroundings {
  readonly e: Emitter;
  readonly constants: Constants;
  readonly graph: TfliteGraph;
  /** The term of a tensor, by index. */
  term(index: number): Term;
  /** Translates another graph of the file inside a body: its outputs from its inputs. */
  inline(graph: number, e: Emitter, inputs: readonly Term[]): readonly Term[];
  /** The graph of this number, to look at. */
  other(graph: number): TfliteGraph;
}

export class Call {
  readonly op: TfliteOperator;
  readonly around: Surroundings;

  constructor(op: TfliteOperator, around: Surroundings) {
    this.op = op;
    this.around = around;
  }

  get e(): Emitter {
    return this.around.e;
  }

  get inputs(): number {
    return this.op.inputs.length;
  }

  has(input: number): boolean {
    return (this.op.inputs[input] ?? -1) >= 0;
  }

  /** An input; quantized ones are the floats that they stand for. */
  x(input = 0): Term {
    return this.around.term(this.#index(input));
  }

  /** An input that may be absent. */
  optional(input: number): Term | undefined {
    return this.has(input) ? this.x(input) : undefined;
  }

  /** All inputs that are there. */
  all(): Term[] {
    return this.op.inputs.flatMap((index) => (index < 0 ? [] : [this.around.term(index)]));
  }

  tensor(input: number): TfliteTensor {
    return this.around.graph.tensors[this.#index(input)]!;
  }

  output(output = 0): TfliteTensor {
    const index = this.op.outputs[output];
    const tensor = index === undefined ? undefined : this.around.graph.tensors[index];
    if (!tensor) throw this.e.broken(`expected output ${output} of ${this.op.op}, got none`);
    return tensor;
  }

  /** The element type of an output; quantized ones are floats here. */
  dtype(output = 0): DType {
    const tensor = this.output(output);
    return tensor.quantized ? "float32" : (tensor.dtype ?? "float32");
  }

  options<const L extends Parameters<typeof optionsOf>[1]>(layout: L): Options<L> {
    return optionsOf(this.op.options, layout);
  }

  /** The elements of an input that has to be known before the model runs. */
  numbers(input: number, what: string): readonly number[] {
    const found = knownOf(this.x(input));
    if (found) return found;
    throw this.e.fail(`expected ${what} as a constant, got numbers that are computed`);
  }

  number(input: number, what: string): number {
    const [value] = this.numbers(input, what);
    if (value === undefined) throw this.e.broken(`expected ${what}, got nothing`);
    return value;
  }

  /**
   * Weights with their axes in this order of the file's; a quantized constant is moved before it is dequantized, so that the
   * dequantized weight is what the operator reads.
   */
  weight(input: number, order: Order): Value {
    const tensor = this.tensor(input);
    if (!this.around.constants.isQuantized(tensor)) return this.e.value(this.x(input), order);
    return this.around.constants.dequantized(this.e, tensor, order);
  }

  /** Lengths of weights. */
  lengths(input: number, rank: number): readonly number[] {
    const { shape, name } = this.tensor(input);
    if (shape.length === rank && shape.every((length) => length > 0)) return shape;
    throw this.e.broken(`expected ${name} of rank ${rank} with known lengths, got [${shape.join(",")}]`);
  }

  /** The activation that is part of an operator. */
  activated(term: Term, activation: number): Term {
    const { e } = this;
    const scalar = (value: number): Value => e.value(e.numbers(value, term.dtype));
    switch (activation) {
      case 0:
        return term;
      case 1:
        return unary(e, "Relu", term);
      case 2:
        return unary(e, "Clip", term, {}, term.dtype, [scalar(-1), scalar(1)]);
      case 3:
        return unary(e, "Clip", term, {}, term.dtype, [scalar(0), scalar(6)]);
      case 4:
        return unary(e, "Tanh", term);
      default:
        throw e.fail(`expected one of the activations 0 to 4, got ${activation}`);
    }
  }

  #index(input: number): number {
    const index = this.op.inputs[input] ?? -1;
    if (index >= 0) return index;
    throw this.e.broken(`expected input ${input} of ${this.op.op}, got none`);
  }
}

/** Whether an error says that something cannot be translated, and is not a fault of the file. */
export const isUnsupported = (error: unknown): error is AvocetError =>
  AvocetError.is(error) && error.code === "import/unsupported-operator";
