/**
 * Residual streams: the values that blocks of a transformer add their results to. A stream has one length of the last axis; layers, tables
 * and constants write into it, normalizations read it, data may move along its other axes. Found by what is added to what: no name is asked.
 */
import { isRefused } from "../../base/inner.ts";
import { axisOf, constantOf, floatConstant, isOp, type LengthTable } from "../../facts/inner.ts";
import type { Graph, Node, Use, Value } from "../../ir/inner.ts";
import type { Tensor } from "../../tensor/inner.ts";
import { type EditableLayer, editableLayer } from "../layers/editable.ts";
import { type Norm, normsOf } from "./norms.ts";

export type Writer =
  | { readonly kind: "layer"; readonly value: Value; readonly layer: EditableLayer }
  /** Rows of a constant table, [rows, width], chosen by index. */
  | { readonly kind: "table"; readonly value: Value; readonly gather: Node; readonly table: Tensor }
  /** A constant that an Add adds, [..., width]: positions. */
  | { readonly kind: "constant"; readonly node: Node; readonly index: number; readonly tensor: Tensor }
  | { readonly kind: "other"; readonly value: Value };

export interface ResidualStream {
  readonly width: number;
  readonly writers: readonly Writer[];
  readonly norms: readonly Norm[];
  /** Who reads the stream and is neither a normalization, nor an addition to it, nor a movement along it. */
  readonly readers: readonly Use[];
}

/** The streams of a graph with at least two normalizations and one layer that adds to them, in its order. */
export function residualStreams(graph: Graph, lengths: LengthTable): ResidualStream[] {
  const norms = normsOf(graph, lengths);
  const inside = new Map(norms.flatMap((norm) => [...norm.nodes].map((node) => [node, norm] as const)));
  const seen = new Set<Value>();
  return norms.flatMap(({ input }) => {
    const width = lengths.of(input)?.at(-1);
    if (seen.has(input) || typeof width !== "number") return [];
    const stream = new Walk(width, lengths, inside).from(input);
    for (const value of stream.members) seen.add(value);
    const layers = stream.writers.filter(({ kind }) => kind === "layer");
    return layers.length > 0 && stream.norms.length > 1 ? [stream] : [];
  });
}

class Walk {
  readonly members = new Set<Value>();
  readonly writers: Writer[] = [];
  readonly readers: Use[] = [];
  readonly #norms = new Set<Norm>();
  readonly width: number;
  readonly #lengths: LengthTable;
  readonly #inside: ReadonlyMap<Node, Norm>;

  constructor(width: number, lengths: LengthTable, inside: ReadonlyMap<Node, Norm>) {
    this.width = width;
    this.#lengths = lengths;
    this.#inside = inside;
  }

  get norms(): readonly Norm[] {
    return [...this.#norms];
  }

  from(start: Value): this {
    const waiting = [start];
    for (let value = waiting.pop(); value; value = waiting.pop()) {
      if (this.members.has(value)) continue;
      this.members.add(value);
      waiting.push(...this.#sources(value), ...this.#goals(value));
    }
    return this;
  }

  /** The values of the stream that this one is made of; a value that comes from elsewhere is a writer. */
  #sources(value: Value): Value[] {
    const node = value.producer;
    const layer = editableLayer(value);
    if (layer && !isRefused(layer) && isOp(layer.node, "MatMul", "Gemm")) {
      this.writers.push({ kind: "layer", value, layer });
      return [];
    }
    if (isOp(node, "Add") && node.inputs.every((term) => term && this.#isTerm(term))) {
      return node.inputs.flatMap((term, index) => {
        const tensor = floatConstant(term);
        if (!tensor) return term!;
        this.writers.push({ kind: "constant", node, index, tensor });
        return [];
      });
    }
    const from = node && this.#moved(node);
    if (from) return [from];
    const table =
      isOp(node, "Gather") && axisOf(node.int("axis", 0), 2) === 0 ? floatConstant(node.input(0)) : undefined;
    if (node && table?.shape.length === 2 && table.shape[1] === this.width) {
      this.writers.push({ kind: "table", value, gather: node, table });
    } else this.writers.push({ kind: "other", value });
    return [];
  }

  /** The values of the stream that this one goes into. */
  #goals(value: Value): Value[] {
    return [...value.uses()].flatMap((use) => {
      if (!("node" in use) || use.node.graph !== value.graph) return this.#leaves(use);
      const { node } = use;
      const norm = this.#inside.get(node);
      if (norm?.input === value) {
        this.#norms.add(norm);
        return [];
      }
      const other = isOp(node, "Add") ? node.input(1 - use.index) : null;
      if (other && this.#isTerm(other)) return [node.output];
      return this.#moved(node) === value ? [node.output] : this.#leaves(use);
    });
  }

  #leaves(use: Use): Value[] {
    this.readers.push(use);
    return [];
  }

  /** Whether adding this keeps the value in the stream: one number for all channels is no term of a stream. */
  #isTerm(value: Value): boolean {
    const constant = constantOf(value);
    return constant ? constant.shape.at(-1) === this.width : this.#isWide(value);
  }

  #isWide(value: Value): boolean {
    return this.#lengths.of(value)?.at(-1) === this.width;
  }

  /** What a node moves along the other axes than the last. */
  #moved(node: Node): Value | undefined {
    const [from, to] = [node.input(0), node.output];
    const rank = from ? this.#lengths.of(from)?.length : undefined;
    if (!from || rank === undefined || !this.#isWide(from) || !this.#isWide(to)) return undefined;
    const last = (axis: number) => axis === -1 || axis === rank - 1;
    switch (node.domain === "" ? node.op : "") {
      case "Identity":
      case "Expand":
      case "Reshape":
        return from;
      case "Transpose":
        return last(node.ints("perm")?.at(-1) ?? 0) ? from : undefined;
      case "Gather":
        return floatConstant(from) || last(node.int("axis", 0)) ? undefined : from;
      default:
        return undefined;
    }
  }
}
