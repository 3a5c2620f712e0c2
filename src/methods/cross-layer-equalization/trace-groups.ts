/**
 * Follows channels through a graph and finds which must share a scale. Linear layers start new groups; positively
 * homogeneous operators, pooling and data movement carry them on; additions join them; everything else fixes them.
 */

import { isRefused } from "../../base/inner.ts";
import { clipBounds, floatConstant, isOp, rowIn } from "../../facts/inner.ts";
import type { Graph, Node, Value } from "../../ir/inner.ts";
import { biasesOf, type EditableLayer, editableProduct } from "../../passes/inner.ts";
import { Groups } from "./groups.ts";
import { alongAxis, broadcastDims, concat, expand, type Layout, padRank, pick, sizeOf } from "./layout.ts";
import type { Mover, ShapeOf } from "./move-layout.ts";
import { type ScaleTrace, scaleRules } from "./scale-rules.ts";

/** A layer and the groups of its channels. */
export interface TracedLayer {
  readonly layer: EditableLayer;
  readonly inputs: Int32Array;
  readonly outputs: Int32Array;
}

/** A constant next to a scaled value, which is divided by the scales. */
export interface TracedConstant {
  readonly node: Node;
  readonly index: number;
  readonly layout: Layout;
}

/** A Clip whose bounds are divided by the scales. */
export interface TracedClip {
  readonly node: Node;
  readonly layout: Layout;
}

export interface Trace {
  readonly groups: Groups;
  readonly layers: readonly TracedLayer[];
  readonly constants: readonly TracedConstant[];
  readonly clips: readonly TracedClip[];
  /** Layers whose channels keep their scale, with the reason. */
  readonly skipped: readonly string[];
}

/** Traces the main graph. Values whose shape is not known keep their scale. */
export function traceGroups(graph: Graph, shapeOf: ShapeOf): Trace {
  return new GroupTrace(graph, shapeOf).trace();
}

class GroupTrace implements ScaleTrace {
  readonly #graph: Graph;
  readonly #shapeOf: ShapeOf;
  readonly #groups = new Groups();
  /** Absent: the value keeps its scale. */
  readonly #layouts = new Map<Value, Layout>();
  readonly #layers: TracedLayer[] = [];
  readonly #constants: TracedConstant[] = [];
  readonly #clips: TracedClip[] = [];
  readonly #skipped: string[] = [];

  constructor(graph: Graph, shapeOf: ShapeOf) {
    this.#graph = graph;
    this.#shapeOf = shapeOf;
  }

  trace(): Trace {
    for (const node of this.#graph.nodes) {
      const rule = rowIn(scaleRules, node);
      const layout = rule ? rule(this, node) : this.#fixAll(node);
      // Further outputs (of Split) are set by the visit; other second outputs are masks and indices.
      if (layout) this.#layouts.set(node.output, layout);
    }
    for (const [value, layout] of this.#layouts) {
      if (value.isGraphOutput || value.consumers().some((node) => node.graph !== this.#graph)) this.#fix(layout);
    }
    return {
      groups: this.#groups,
      layers: this.#layers,
      constants: this.#constants,
      clips: this.#clips,
      skipped: this.#skipped,
    };
  }

  homogeneous(node: Node): Layout | undefined {
    const slope = isOp(node, "PRelu") ? floatConstant(node.input(1)) : true;
    return slope ? this.#of(node.input(0)) : this.#fixAll(node);
  }

  overPlaces(node: Node): Layout | undefined {
    const x = this.#of(node.input(0));
    return x?.dims.slice(2).every((d) => d === 1) ? x : this.#fixAll(node);
  }

  moved(node: Node, mover: Mover): Layout | undefined {
    const x = this.#of(node.input(0));
    const [from, to] = [this.#shapeOf(node.input(0)), this.#shapeOf(node.output)];
    const layout = x && from && to ? mover({ node, x, from, to, fresh: () => this.#groups.make(1)[0]! }) : undefined;
    return layout ?? this.#fixAll(node);
  }

  #of(value: Value | null): Layout | undefined {
    return value ? this.#layouts.get(value) : undefined;
  }

  #fix(layout: Layout | undefined): void {
    if (layout) this.#groups.fix(layout.ids);
  }

  #fixAll(node: Node): undefined {
    for (const value of node.inputs) this.#fix(this.#of(value));
    return undefined;
  }

  #isFixed(layout: Layout | undefined): boolean {
    return !layout || layout.ids.every((id) => this.#groups.root(id) === 0);
  }

  layer(node: Node): Layout | undefined {
    const found = editableProduct(node);
    if (!found) return this.#fixAll(node);
    const shape = this.#shapeOf(node.output);
    const why = isRefused(found) ? found.refused : this.#whyNot(node, found);
    if (why !== undefined || !shape || isRefused(found)) {
      this.#skipped.push(`${node}: ${why ?? "the shape of its output is not known"}`);
      return this.#fixAll(node);
    }
    const axis = isOp(node, "MatMul") ? shape.length - 1 : 1;
    const inputAxis = isOp(node, "MatMul") ? (this.#shapeOf(node.input(0))?.length ?? 0) - 1 : 1;
    const inputs = this.#alongAxis(this.#of(node.input(0)), inputAxis, found.axes.inputs);
    const outputs = this.#groups.make(found.axes.outputs);
    this.#layers.push({ layer: found, inputs, outputs });
    return alongAxis(shape.length, axis, outputs);
  }

  #whyNot(node: Node, layer: EditableLayer): string | undefined {
    if (layer.weight.value.useCount > 1) return "its weight is shared with another node";
    if (isOp(node, "Gemm") && node.int("transA", 0) !== 0) return "it transposes its input";
    return biasesOf(layer).every(Number.isFinite) ? undefined : "its bias is not finite";
  }

  /** The groups along one axis; where they change along another one too, they are joined: a weight has one factor. */
  #alongAxis(layout: Layout | undefined, axis: number, length: number): Int32Array {
    const along = layout?.dims[axis];
    if (!layout || along === undefined || (along !== 1 && along !== length)) {
      this.#fix(layout);
      return new Int32Array(length);
    }
    const inner = sizeOf(layout.dims.slice(axis + 1));
    const first = Int32Array.from({ length: along }, (_, c) => layout.ids[c * inner]!);
    layout.ids.forEach((id, i) => {
      this.#groups.join(id, first[Math.floor(i / inner) % along]!);
    });
    return along === length ? first : new Int32Array(length).fill(first[0]!);
  }

  clip(node: Node): Layout | undefined {
    const x = this.#of(node.input(0));
    const bounds = clipBounds(node);
    if (!x || !bounds) return this.#fixAll(node);
    this.#clips.push({ node, layout: x });
    return x;
  }

  join(node: Node): Layout | undefined {
    const computed = node.inputs.filter((value) => !floatConstant(value)).map((value) => this.#of(value));
    const shape = this.#shapeOf(node.output);
    if (!shape || computed.length === 0 || !computed.every((layout) => layout !== undefined)) return this.#fixAll(node);
    const joined = this.#merge(computed, shape.length);
    if (!joined) return this.#fixAll(node);
    node.inputs.forEach((value, index) => {
      if (floatConstant(value)) this.#constants.push({ node, index, layout: joined });
    });
    return joined;
  }

  /** The layouts broadcast together, with what meets joined; undefined where that would be too large. */
  #merge(layouts: readonly Layout[], rank: number): Layout | undefined {
    const dims = layouts.map((layout) => padRank(layout, rank).dims).reduce(broadcastDims);
    const written = layouts.map((layout) => expand(padRank(layout, rank), dims));
    const [first] = written;
    for (const other of written.slice(1)) {
      other?.ids.forEach((id, i) => {
        this.#groups.join(id, first?.ids[i] ?? 0);
      });
    }
    return written.includes(undefined) ? undefined : first;
  }

  /** One factor may be scaled where the other is constant or keeps its scale (a gate behind a sigmoid). */
  multiply(node: Node): Layout | undefined {
    const [a, b] = [this.#of(node.input(0)), this.#of(node.input(1))];
    const shape = this.#shapeOf(node.output);
    if (a && shape && this.#isFixed(b)) return padRank(a, shape.length);
    if (b && shape && this.#isFixed(a) && isOp(node, "Mul")) return padRank(b, shape.length);
    return this.#fixAll(node);
  }

  concat(node: Node): Layout | undefined {
    const shapes = node.inputs.map((value) => this.#shapeOf(value));
    const rank = shapes[0]?.length;
    if (rank === undefined || !shapes.every((shape) => shape !== undefined)) return this.#fixAll(node);
    const axis = node.int("axis", 0) < 0 ? node.int("axis", 0) + rank : node.int("axis", 0);
    const parts = node.inputs.map((value) => this.#of(value) ?? alongAxis(rank, axis, new Int32Array(1)));
    const lengths = shapes.map((shape) => shape[axis]!);
    // Pieces of positions: their channels, which lie on another axis, share their scales.
    if (parts.every((part, i) => part.dims[axis] === 1 && lengths[i]! > 1))
      return this.#merge(parts, rank) ?? this.#fixAll(node);
    return concat(parts, axis, lengths) ?? this.#fixAll(node);
  }

  split(node: Node): Layout | undefined {
    const x = this.#of(node.input(0));
    const lengths = node.outputs.map((output) => this.#shapeOf(output));
    const rank = x?.dims.length ?? 0;
    const axis = node.int("axis", 0) < 0 ? node.int("axis", 0) + rank : node.int("axis", 0);
    if (!x || !lengths.every((shape) => shape !== undefined)) return this.#fixAll(node);
    let from = 0;
    for (const [i, output] of node.outputs.entries()) {
      const count = lengths[i]![axis]!;
      const start = from;
      this.#layouts.set(
        output,
        pick(
          x,
          axis,
          Array.from({ length: count }, (_, k) => start + k),
        ),
      );
      from += count;
    }
    return this.#layouts.get(node.output);
  }
}
