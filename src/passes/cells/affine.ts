/**
 * What goes into a gate, as a sum: rows times constant matrices, constant vectors, and what is neither. Exporters slice all gates from
 * one product or compute each alone, multiply whole sequences or single steps, join input and state before one matrix or add two products.
 */
import { axisOf, floatConstant, isOp, type LengthTable } from "../../facts/inner.ts";
import type { Node, Value } from "../../ir/inner.ts";
import { partOf, pickOf } from "./pick.ts";

/** What a product reads: a value, or one step of it. */
export interface Source {
  readonly value: Value;
  readonly pick?: { readonly axis: number; readonly index: number } | undefined;
  /** The step as a value of its own, where the graph has one. */
  readonly read?: Value | undefined;
}

/** Columns of a constant matrix, [inputs, outputs] or turned, times a source. */
export interface Term {
  readonly source: Source;
  readonly weight: Value;
  readonly turned: boolean;
  readonly firstInput: number;
  readonly inputs: number;
  readonly firstOutput: number;
}

/** Numbers of a constant, from one on; one number stands for all. */
export interface Vector {
  readonly value: Value;
  readonly first: number;
}

export interface Affine {
  /** How many numbers the sum has. */
  readonly outputs: number;
  readonly terms: readonly Term[];
  readonly vectors: readonly Vector[];
  /** Summands that are no such products. */
  readonly rest: readonly Value[];
  /** All nodes between, which nothing else may need. */
  readonly nodes: ReadonlySet<Node>;
}

/** A sum of more is no gate that anybody wrote. */
const mostNodes = 64;
/** Of a constant that is added: the gates of a layer, for every sample. */
const mostNumbers = 2 ** 22;

/** Equal for equal sources. */
export function keyOf({ value, pick }: Source): string {
  return `${value.name}${pick ? `@${pick.axis}:${pick.index}` : ""}`;
}

/** The source that a value is: a step of another one, where it is that. */
export function sourceOf(value: Value, lengths: LengthTable): Source {
  const step = pickOf(value, lengths);
  const isLast = step && step.axis === (lengths.of(step.base)?.length ?? 0) - 1;
  return step && !isLast
    ? { value: step.base, pick: { axis: step.axis, index: step.index }, read: value }
    : { value, read: value };
}

/** The sum that a value [batch, outputs] is; undefined where its length is not known, or the sum is too long. */
export function affineOf(value: Value, lengths: LengthTable): Affine | undefined {
  const outputs = lengths.of(value)?.at(-1);
  if (typeof outputs !== "number") return undefined;
  const walk = new Walk(outputs, lengths);
  walk.see(value, 0, undefined);
  const { terms, vectors, rest, nodes } = walk;
  return nodes.size > mostNodes || walk.lost ? undefined : { outputs, terms, vectors, rest, nodes };
}

class Walk {
  readonly terms: Term[] = [];
  readonly vectors: Vector[] = [];
  readonly rest: Value[] = [];
  readonly nodes = new Set<Node>();
  /** Whether something was met of which only a part is taken, and that is no product. */
  lost = false;
  readonly #outputs: number;
  readonly #lengths: LengthTable;

  constructor(outputs: number, lengths: LengthTable) {
    this.#outputs = outputs;
    this.#lengths = lengths;
  }

  see(value: Value, first: number, pick: Source["pick"]): void {
    if (this.nodes.size > mostNodes) return;
    if (this.#isVector(value, first)) {
      this.vectors.push({ value, first });
      return;
    }
    const node = value.producer;
    if (node && this.#through(node, value, first, pick)) return;
    if (first > 0 || pick || this.#lengths.of(value)?.at(-1) !== this.#outputs) this.lost = true;
    this.rest.push(value);
  }

  /** Whether the node is a product, a sum, or a part of one; then what it computes is noted. */
  #through(node: Node, value: Value, first: number, pick: Source["pick"]): boolean {
    const shape = this.#lengths.of(value);
    const last = (shape?.length ?? 0) - 1;
    if (isOp(node, "Add") && this.#sumsRows(node, value)) {
      this.nodes.add(node);
      this.see(node.input(0)!, first, pick);
      this.see(node.input(1)!, first, pick);
      return true;
    }
    if (isOp(node, "MatMul")) return this.#product(node, node.input(1), false, first, pick);
    if (isOp(node, "Gemm")) return this.#gemm(node, first);
    if (isOp(node, "Identity")) {
      this.nodes.add(node);
      this.see(node.input(0)!, first, pick);
      return true;
    }
    if (isOp(node, "Split", "Slice")) {
      const part = partOf(value, this.#lengths);
      if (part?.axis !== last) return false;
      this.nodes.add(node);
      this.see(node.input(0)!, first + part.first, pick);
      return true;
    }
    if (isOp(node, "Concat")) return this.#joined(node, last, first, pick);
    const step = pick ? undefined : pickOf(value, this.#lengths);
    if (step && step.axis < last + 1) {
      this.nodes.add(node);
      if (step.base !== node.input(0)) this.nodes.add(node.input(0)!.producer!);
      this.see(step.base, first, { axis: step.axis, index: step.index });
      return true;
    }
    return false;
  }

  #joined(node: Node, last: number, first: number, pick: Source["pick"]): boolean {
    if (axisOf(node.int("axis", 0), last + 1) !== last) return false;
    let start = 0;
    for (const part of node.inputs) {
      const length = this.#lengths.of(part)?.at(-1);
      if (typeof length !== "number") return false;
      if (first >= start && first + this.#outputs <= start + length) {
        this.nodes.add(node);
        this.see(part!, first - start, pick);
        return true;
      }
      start += length;
    }
    return false;
  }

  #gemm(node: Node, first: number): boolean {
    const plain = node.float("alpha", 1) === 1 && node.int("transA", 0) === 0;
    const bias = node.input(2);
    if (!plain || (bias && (node.float("beta", 1) !== 1 || !this.#isVector(bias, first)))) return false;
    if (!this.#product(node, node.input(1), node.int("transB", 0) === 1, first, undefined)) return false;
    if (bias) this.vectors.push({ value: bias, first });
    return true;
  }

  #product(node: Node, weight: Value | null, turned: boolean, first: number, pick: Source["pick"]): boolean {
    const shape = floatConstant(weight)?.dtype === "float32" ? this.#lengths.of(weight) : undefined;
    const read = node.input(0)!;
    if (shape?.length !== 2 || floatConstant(read)) return false;
    const [inputs, outputs] = (turned ? shape.toReversed() : shape) as [number, number];
    if (first + this.#outputs > outputs) return false;
    this.nodes.add(node);
    let firstInput = 0;
    for (const { source, length } of this.#parts(read, inputs, pick)) {
      this.terms.push({ source, weight: weight!, turned, firstInput, inputs: length, firstOutput: first });
      firstInput += length;
    }
    return true;
  }

  /** What was joined before the product; else the one value. */
  #parts(read: Value, inputs: number, pick: Source["pick"]): { source: Source; length: number }[] {
    const node = read.producer;
    const rank = this.#lengths.of(read)?.length ?? 0;
    if (!pick && isOp(node, "Concat") && axisOf(node.int("axis", 0), rank) === rank - 1) {
      const parts = node.inputs.map((part) => ({ part: part!, length: this.#lengths.of(part)?.at(-1) }));
      if (parts.every((one): one is { part: Value; length: number } => typeof one.length === "number")) {
        this.nodes.add(node);
        return parts.map(({ part, length }) => ({ source: this.#source(part, undefined), length }));
      }
    }
    return [{ source: this.#source(read, pick), length: inputs }];
  }

  #source(value: Value, pick: Source["pick"]): Source {
    return pick ? { value, pick } : sourceOf(value, this.#lengths);
  }

  /** Whether both summands have all columns, so that none is repeated along them; constants may. */
  #sumsRows(node: Node, value: Value): boolean {
    const columns = this.#lengths.of(value)?.at(-1);
    return node.inputs.every((input) => floatConstant(input) || this.#lengths.of(input)?.at(-1) === columns);
  }

  /** A constant whose rows are all the same, as the product of a first state of zeros is when it was folded. */
  #isVector(value: Value, first: number): boolean {
    const tensor = floatConstant(value);
    if (tensor?.dtype !== "float32" || tensor.size > mostNumbers) return false;
    const columns = tensor.shape.at(-1) ?? 1;
    if (tensor.size === 1) return true;
    if (columns < first + this.#outputs) return false;
    const numbers = tensor.size === columns ? undefined : tensor.floats();
    return !numbers?.some((number, i) => number !== numbers[i % columns]);
  }
}
