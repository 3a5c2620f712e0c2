/**
 * Moves a training graph into ONNX Runtime's blocked layout: convolutions forward and backward, and all that lies between
 * them. The domain `com.microsoft.nchwc` is internal to ONNX Runtime and promises nothing, so this form is for the session that
 * trains, never for a file; `probeBlock` reports whether it is there.
 */
import { Emitter } from "../../autodiff/inner.ts";
import { type Model, type Node, removeDead, type Value } from "../../ir/inner.ts";
import { takeOver } from "../../passes/inner.ts";
import type { Shape } from "../../tensor/inner.ts";
import type { Shapes } from "../shapes.ts";
import { blockedOp, type Converter, type Layouts, nchwc } from "./blocks.ts";
import { convolution, depthwiseTransposed } from "./convolutions.ts";
import { elementWise, elementWiseOps, globalPool, quantizer, reduction } from "./element-wise.ts";
import { weightGradient } from "./weight-gradient.ts";

const converters: ReadonlyMap<string, Converter> = new Map([
  ...elementWiseOps.map((op) => [op, elementWise] as const),
  ["Conv", convolution],
  ["com.microsoft.FusedConv", convolution],
  ["ConvTranspose", depthwiseTransposed],
  ["avocet.ConvWeightGradient", weightGradient],
  ["QuantizeLinear", quantizer],
  ["DequantizeLinear", quantizer],
  ["ReduceMean", reduction],
  ["ReduceSum", reduction],
  ["GlobalAveragePool", globalPool],
]);

/** In place. `block` is how many channels a block has. Returns how many nodes it moved. */
export function blockLayout(model: Model, shapes: Shapes, block: number): number {
  const moved = new Walk(model, shapes, block).run();
  if (moved > 0) model.opsets.set(nchwc, 1);
  return moved;
}

class Walk implements Layouts {
  readonly block: number;
  readonly #model: Model;
  readonly #shapes: Shapes;
  readonly #emitter: Emitter;
  /** Plain value → the same in blocks. */
  readonly #blocked = new Map<Value, Value>();
  readonly #replaced = new Set<Node>();
  #here: Emitter;

  constructor(model: Model, shapes: Shapes, block: number) {
    this.#model = model;
    this.#shapes = shapes;
    this.block = block;
    this.#emitter = new Emitter(model.graph);
    this.#here = this.#emitter;
  }

  run(): number {
    const { graph } = this.#model;
    for (const node of [...graph.nodes]) {
      const convert = converters.get(node.opName);
      if (!convert) continue;
      this.#here = this.#emitter.at({ before: node });
      const made = convert(this, node, this.#here);
      if (!made) continue;
      this.#replaced.add(node);
      if ("blocked" in made) this.#blocked.set(node.output, made.blocked);
      else takeOver(node.output, made.plain);
    }
    this.#putBack();
    removeDead(graph);
    return this.#replaced.size;
  }

  shapeOf(value: Value | null): Shape | undefined {
    return this.#shapes.of(value);
  }

  fits(value: Value | null): value is Value {
    const shape = this.shapeOf(value);
    return shape?.length === 4 && shape[1]! % this.block === 0 && this.#shapes.isFloat32(value!);
  }

  isBlocked(value: Value | null): boolean {
    return value !== null && this.#blocked.has(value);
  }

  blocked(value: Value): Value {
    const found = this.#blocked.get(value);
    if (found) return found;
    const made = blockedOp(this.#here, "ReorderInput", [value]);
    this.#blocked.set(value, made);
    return made;
  }

  /** Those who stayed plain get what they read from its blocked form. */
  #putBack(): void {
    for (const [value, made] of this.#blocked) {
      if (!value.producer || !this.#replaced.has(value.producer)) continue;
      const uses = [...value.uses()].filter((use) => !("node" in use && this.#replaced.has(use.node)));
      if (uses.length === 0) continue;
      const e = this.#emitter.at({ after: made.producer! });
      const plain = blockedOp(e, "ReorderOutput", [made], { channels: this.shapeOf(value)![1]! });
      this.#model.graph.replaceUses(value, plain, (use) => !("node" in use && this.#replaced.has(use.node)));
    }
  }
}
