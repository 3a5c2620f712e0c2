/** One node of an exported program while it is written in ONNX: what its row in the table gets. */
import type { AvocetError } from "../../base/inner.ts";
import type { AttributeLike, Dim, Node, Value } from "../../ir/inner.ts";
import { type DType, dtypes } from "../../tensor/inner.ts";
import type { Emitter } from "../channels-last/emitter.ts";
import { lengthsOf, type Term } from "../channels-last/term.ts";
import { dtypeOf } from "./dtypes.ts";
import type { Argument, ProgramNode, ValueMeta } from "./program.ts";

/** A whole number of the program: known, or a scalar of int64 that is computed. */
export type Whole = number | Value;

export type Slot = Term | { readonly whole: Whole };

/** What became of values by name. */
export interface Scope {
  term(name: string): Term;
  whole(name: string): Whole;
  meta(name: string): ValueMeta | undefined;
  readonly file: string;
}

export type Result = Term | readonly (Term | undefined)[] | { readonly whole: Whole } | undefined;
export type Row = (c: Call) => Result;

type Input = Term | Value | null | undefined;

export class Call {
  readonly e: Emitter;
  readonly node: ProgramNode;
  readonly #scope: Scope;

  constructor(e: Emitter, node: ProgramNode, scope: Scope) {
    this.e = e;
    this.node = node;
    this.#scope = scope;
  }

  /** "Tensor" of "aten.add.Tensor". */
  get overload(): string {
    return this.node.target.split(".").at(-1)!;
  }

  has(name: string): boolean {
    const arg = this.node.inputs.get(name);
    return arg !== undefined && arg.tag !== "as_none";
  }

  /** The tensor of an argument. */
  t(name: string): Term {
    const found = this.maybe(name);
    if (found) return found;
    throw this.e.broken(`expected a tensor as ${name}, got ${this.node.inputs.get(name)?.tag ?? "nothing"}`);
  }

  maybe(name: string): Term | undefined {
    const arg = this.node.inputs.get(name);
    return arg && this.#tensor(arg);
  }

  #tensor({ tag, value }: Argument): Term | undefined {
    if (tag === "as_tensor") return this.#scope.term(nameOf(value));
    if (tag !== "as_optional_tensor") return undefined;
    const inner = value as { as_tensor?: unknown } | null;
    return inner?.as_tensor === undefined ? undefined : this.#scope.term(nameOf(inner.as_tensor));
  }

  /** The tensors of a list; absent ones are undefined. */
  tensors(name: string): readonly (Term | undefined)[] {
    const arg = this.node.inputs.get(name);
    if (arg?.tag === "as_tensors" && Array.isArray(arg.value)) {
      return arg.value.map((one) => this.#scope.term(nameOf(one)));
    }
    if (arg?.tag === "as_optional_tensors" && Array.isArray(arg.value)) {
      return arg.value.map((value) => this.#tensor({ tag: "as_optional_tensor", value }));
    }
    throw this.e.broken(`expected tensors as ${name}, got ${arg?.tag ?? "nothing"}`);
  }

  list(name: string): readonly Term[] {
    return this.tensors(name).map((term) => {
      if (term) return term;
      throw this.e.broken(`expected every tensor of ${name}`);
    });
  }

  /** A number, known when the model is read. */
  number(name: string, otherwise?: number): number {
    const whole = this.maybeWhole(name);
    if (typeof whole === "number") return whole;
    if (whole !== undefined) throw this.e.fail(`${name} depends on the input`);
    const arg = this.node.inputs.get(name);
    if (arg?.tag === "as_float") return floatOf(arg.value);
    if (arg?.tag === "as_bool") return arg.value === true ? 1 : 0;
    if (otherwise !== undefined) return otherwise;
    throw this.e.broken(`expected a number as ${name}, got ${arg?.tag ?? "nothing"}`);
  }

  /** A whole number that may be computed; undefined when the argument is absent. */
  maybeWhole(name: string): Whole | undefined {
    const arg = this.node.inputs.get(name);
    return arg && this.#whole(arg);
  }

  #whole({ tag, value }: Argument): Whole | undefined {
    if (tag === "as_int") return finite(value) ? bounded(value) : undefined;
    if (tag !== "as_sym_int") return undefined;
    const { as_int: known, as_name: named } = (value ?? {}) as { as_int?: unknown; as_name?: unknown };
    if (finite(known)) return bounded(known);
    return typeof named === "string" ? this.#scope.whole(named) : undefined;
  }

  /** Whole numbers that may be computed. */
  wholes(name: string, otherwise?: readonly Whole[]): readonly Whole[] {
    const arg = this.node.inputs.get(name);
    if (arg && (arg.tag === "as_ints" || arg.tag === "as_sym_ints") && Array.isArray(arg.value)) {
      return arg.value.map((value) => {
        const tag = arg.tag === "as_ints" ? "as_int" : "as_sym_int";
        const whole = this.#whole({ tag, value });
        if (whole !== undefined) return whole;
        throw this.e.broken(`expected whole numbers as ${name}`);
      });
    }
    const one = arg && this.#whole(arg);
    if (one !== undefined) return [one];
    if (otherwise) return otherwise;
    throw this.e.broken(`expected whole numbers as ${name}, got ${arg?.tag ?? "nothing"}`);
  }

  /** Whole numbers, known when the model is read. */
  ints(name: string, otherwise?: readonly number[]): readonly number[] {
    return this.wholes(name, otherwise).map((whole) => {
      if (typeof whole === "number") return whole;
      throw this.e.fail(`${name} depends on the input`);
    });
  }

  floats(name: string): readonly number[] | undefined {
    const arg = this.node.inputs.get(name);
    return arg?.tag === "as_floats" && Array.isArray(arg.value) ? arg.value.map(floatOf) : undefined;
  }

  bool(name: string, otherwise: boolean): boolean {
    const arg = this.node.inputs.get(name);
    return arg?.tag === "as_bool" ? arg.value === true : otherwise;
  }

  text(name: string, otherwise: string): string {
    const arg = this.node.inputs.get(name);
    return arg?.tag === "as_string" && typeof arg.value === "string" ? arg.value : otherwise;
  }

  /** An axis from 0, of a tensor of this rank. */
  axis(name: string, rank: number, otherwise?: number): number {
    return this.axisOf(this.number(name, otherwise), rank);
  }

  axisOf(axis: number, rank: number): number {
    const least = Math.max(rank, 1);
    if (Number.isInteger(axis) && axis >= -least && axis < least) return axis < 0 ? axis + least : axis;
    throw this.e.broken(`expected an axis of ${rank}, got ${axis}`);
  }

  dtype(name: string): DType | undefined {
    const arg = this.node.inputs.get(name);
    return arg?.tag === "as_scalar_type" ? dtypeOf(arg.value, this.#scope.file) : undefined;
  }

  /** Type and lengths of an output, as the program says. */
  out(i = 0): ValueMeta {
    const names = outputNames(this.node);
    const name = names[i];
    const meta = name === undefined ? undefined : this.#scope.meta(name);
    if (meta) return meta;
    throw this.e.broken(`expected the type of output ${i}, got none`);
  }

  get outputs(): readonly string[] {
    return outputNames(this.node);
  }

  emit(
    op: string,
    inputs: readonly Input[],
    attributes: Readonly<Record<string, AttributeLike>> = {},
    outputs = 1,
  ): Node {
    const values = inputs.map((input) => (input ? this.value(input) : null));
    while (values.length > 0 && values.at(-1) === null) values.pop();
    const typed = Object.entries(attributes).map(([name, value]) =>
      typeof value === "number" && floats.has(name) ? [name, { type: "float", value }] : [name, value],
    );
    return this.e.node(op, values, Object.fromEntries(typed), outputs);
  }

  /** A node whose output is output `i` of the row. */
  give(op: string, inputs: readonly Input[], attributes: Readonly<Record<string, AttributeLike>> = {}, i = 0): Term {
    return this.wrap(this.emit(op, inputs, attributes).output, i);
  }

  /** A node in the middle: its type and lengths are those that are named. */
  mid(
    op: string,
    inputs: readonly Input[],
    attributes: Readonly<Record<string, AttributeLike>>,
    dtype: DType,
    shape: readonly Dim[],
  ): Term {
    return this.e.term(this.emit(op, inputs, attributes).output, dtype, shape);
  }

  wrap(value: Value, i = 0): Term {
    const { dtype, shape } = this.out(i);
    return this.e.term(value, dtype, shape);
  }

  value(input: Term | Value): Value {
    return "order" in input ? this.e.value(input as Term) : (input as Value);
  }

  cast(term: Term, dtype: DType): Term {
    if (term.dtype === dtype) return term;
    return this.mid("Cast", [term], { to: dtypes[dtype].onnx }, dtype, term.shape);
  }

  /** A tensor or a number as a term of this type. */
  operand(name: string, dtype: DType): Term {
    const term = this.maybe(name);
    if (term) return this.cast(term, dtype);
    const whole = this.maybeWhole(name);
    if (whole !== undefined && typeof whole !== "number") return this.cast(this.e.term(whole, "int64", []), dtype);
    return this.scalar(this.number(name), dtype);
  }

  scalar(value: number, dtype: DType): Term {
    return this.e.numbers(dtypes[dtype].kind === "bool" ? Number(value !== 0) : value, dtype);
  }

  /** Axes, shapes and pads as an input. */
  vector(wholes: readonly Whole[]): Value {
    if (wholes.every((whole) => typeof whole === "number")) return this.e.ints(wholes as number[]);
    const parts = wholes.map((whole) =>
      typeof whole === "number" ? this.e.ints([whole]) : this.e.node("Reshape", [whole, this.e.ints([1])]).output,
    );
    return parts.length === 1 ? parts[0]! : this.e.node("Concat", parts, { axis: 0 }).output;
  }

  /** The lengths of a term as an input: numbers where they are known, else computed. */
  shapeOf(term: Term): Value {
    const lengths = lengthsOf(term.shape);
    return lengths ? this.e.ints(lengths) : this.e.node("Shape", [this.value(term)]).output;
  }

  /** The length of an axis, as a scalar where it is not known. */
  length(term: Term, axis: number): Whole {
    const known = term.shape[axis];
    if (typeof known === "number") return known;
    const shape = this.e.node("Shape", [this.value(term)], { start: axis, end: axis + 1 }).output;
    return this.e.node("Squeeze", [shape, this.e.ints([0])]).output;
  }

  /** The term with these lengths, which name as many elements. */
  reshape(term: Term, shape: readonly Dim[], i?: number): Term {
    const unknown = shape.filter((dim) => typeof dim !== "number").length;
    if (unknown > 1 || (unknown === 1 && shape.includes(0))) throw this.e.fail("several lengths depend on the input");
    const to = shape.map((dim) => (typeof dim === "number" ? dim : -1));
    const value = this.e.node(
      "Reshape",
      [this.value(term), this.e.ints(to)],
      to.includes(0) ? { allowzero: 1 } : {},
    ).output;
    return i === undefined ? this.e.term(value, term.dtype, shape) : this.wrap(value, i);
  }

  transpose(term: Term, perm: readonly number[]): Term {
    if (perm.every((axis, i) => axis === i)) return term;
    const shape = perm.map((axis) => term.shape[axis]!);
    return this.mid("Transpose", [term], { perm: [...perm] }, term.dtype, shape);
  }

  /** What cannot be written in ONNX. */
  fail(problem: string): AvocetError {
    return this.e.fail(problem);
  }
}

/** Names of all tensors and numbers that a node makes, in order. */
export function outputNames({ outputs }: ProgramNode): string[] {
  return outputs.flatMap(({ tag, value }) => {
    if (tag === "as_tensors" && Array.isArray(value)) return value.map(nameOf);
    if (tag === "as_optional_tensors" && Array.isArray(value)) {
      return value.map((one) => nameOf((one as { as_tensor?: unknown } | null)?.as_tensor));
    }
    const { name, as_name: named } = (value ?? {}) as { name?: unknown; as_name?: unknown };
    return [typeof name === "string" ? name : typeof named === "string" ? named : ""];
  });
}

function nameOf(value: unknown): string {
  const name = (value as { name?: unknown } | null)?.name;
  return typeof name === "string" ? name : "";
}

const finite = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value);

/** Numbers that JSON has not are written as text. */
function floatOf(value: unknown): number {
  if (typeof value === "number") return value;
  return value === "Infinity" ? Infinity : value === "-Infinity" ? -Infinity : Number.NaN;
}

/** "To the end" is written as the largest integer of 64 bits, which JSON's numbers cannot hold. */
const bounded = (value: number) => Math.max(-(2 ** 53), Math.min(2 ** 53, value));

/** Attributes that are floats even where their number is whole. */
const floats = new Set(["alpha", "beta", "epsilon", "lambd", "bias", "cubic_coeff_a", "spatial_scale"]);
