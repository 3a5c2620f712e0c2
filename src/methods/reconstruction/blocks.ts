/**
 * Blocks of a graph: pieces between values through which everything flows (BRECQ, Li et al., 2021, calls them blocks and finds them
 * by class names). A residual connection, the branches of a module or an attention lie inside of one; a connection that spans more
 * layers than a block may have (an encoder's output that the decoder concatenates) does not hold blocks together, it is
 * carried along.
 */
import { isRefused } from "../../base/inner.ts";
import { productAt, readersOf, varyingValues } from "../../facts/inner.ts";
import type { Model, Node, TensorType, Value } from "../../ir/inner.ts";
import { rowOf } from "../../ops/inner.ts";
import { isFloat } from "../../tensor/inner.ts";
import { joinNeighbours, type Stretch } from "./join-neighbours.ts";

export interface Block {
  /** Names of the values that the block is for: the last one flows on, others are read later, or are outputs of the model. */
  readonly outputs: readonly string[];
  /** Its linear layers, in order. */
  readonly layers: readonly Node[];
}

export interface BlockOptions {
  /** Types of the values (`traceShapes`): what is no float is not counted as a flow. */
  readonly types: ReadonlyMap<string, TensorType>;
  /** "block", or every linear layer with what follows it element by element alone ("layer"). Default "block". */
  readonly granularity?: "block" | "layer";
  /** More linear layers than that are never one block, and connections over more do not hold one together. Default 8. */
  readonly most?: number;
}

/** The blocks in the order of the graph; each linear layer with a constant weight is in one of them. */
export function findBlocks(model: Model, options: BlockOptions): Block[] {
  const { granularity = "block", most = 8 } = options;
  const flow = new Flow(model, options.types, most);
  if (granularity === "layer") return flow.layers.map((layer) => flow.alone(layer));
  const stretches = joinNeighbours(flow.stretches(), most);
  let first = 0;
  return stretches.flatMap((stretch) => {
    const begin = first;
    first = stretch.end + 1;
    if (stretch.layers.length > most) return stretch.layers.map((layer) => flow.alone(layer));
    if (stretch.layers.length === 0) return [];
    return [{ outputs: flow.madeIn(begin, stretch.end), layers: stretch.layers }];
  });
}

/** What is alive where, in the order of the nodes. */
class Flow {
  readonly layers: readonly Node[];
  readonly #nodes: readonly Node[];
  readonly #born = new Map<Value, number>();
  readonly #dies = new Map<Value, number>();
  readonly #long = new Set<Value>();

  constructor(model: Model, types: ReadonlyMap<string, TensorType>, most: number) {
    const varying = varyingValues(model.graph);
    const counts = (value: Value) => {
      const type = types.get(value.name) ?? value.type;
      return value.name !== "" && varying.has(value) && (type?.kind !== "tensor" || isFloat(type.dtype));
    };
    this.#nodes = [...model.graph.nodes].filter((node) => node.outputs.some((value) => varying.has(value)));
    this.layers = this.#nodes.filter(isLayer);
    const index = new Map(this.#nodes.map((node, i) => [node, i]));
    for (const input of model.graph.inputs) if (counts(input)) this.#born.set(input, -1);
    for (const [i, node] of this.#nodes.entries())
      for (const output of node.outputs) if (counts(output)) this.#born.set(output, i);
    let passed = 0;
    const before = [0, ...this.#nodes.map((node) => (isLayer(node) ? ++passed : passed))];
    for (const [value, born] of this.#born) {
      const readers = readersOf(value).map((node) => index.get(node) ?? born);
      const dies = Math.max(born, ...readers);
      this.#dies.set(value, dies);
      // The layers between the two: the one that reads the value last does not count.
      if (before[dies]! - before[born + 1]! > most) this.#long.add(value);
    }
  }

  /** The stretches between positions where one value flows. What follows a layer element by element belongs to it. */
  stretches(): Stretch[] {
    const cuts = this.#cuts();
    const found: Stretch[] = [];
    let begin = 0;
    for (const end of cuts) {
      const nodes = this.#nodes.slice(begin, end + 1);
      const layers = nodes.filter(isLayer);
      const last = found.at(-1);
      if (last && layers.length === 0 && last.end === begin - 1 && nodes.every(isPointwise)) {
        found[found.length - 1] = { ...last, end, nodes: [...last.nodes, ...nodes] };
        begin = end + 1;
      } else if (layers.length > 0) {
        found.push({ end, nodes, layers });
        begin = end + 1;
      }
    }
    return found;
  }

  /** A layer with the nodes that follow it element by element and read nothing else that varies. */
  alone(layer: Node): Block {
    let value = layer.output;
    for (;;) {
      const [next, ...others] = value.consumers();
      if (!next || others.length > 0 || value.isGraphOutput || !isPointwise(next)) break;
      if (next.inputs.some((input) => input && input !== value && this.#born.has(input))) break;
      value = next.output;
    }
    return { outputs: [value.name], layers: [layer] };
  }

  /** The values made between two nodes that somebody behind them reads, or that are outputs of the model. */
  madeIn(begin: number, end: number): string[] {
    const made = [...this.#born].filter(([value, born]) => {
      if (born < begin || born > end) return false;
      return this.#dies.get(value)! > end || value.isGraphOutput;
    });
    return made.map(([value]) => value.name);
  }

  /** Indices of nodes behind which at most one value is alive that is not carried along from far. */
  #cuts(): number[] {
    const change = new Array<number>(this.#nodes.length + 2).fill(0);
    for (const [value, born] of this.#born) {
      const dies = this.#dies.get(value)!;
      if (this.#long.has(value) || dies === born) continue;
      change[born + 1]!++;
      change[dies + 1]!--;
    }
    const found: number[] = [];
    let alive = change[0]!;
    for (let i = 0; i < this.#nodes.length; i++) {
      // change[i + 1] tells what begins behind node i, and what node i read last.
      alive += change[i + 1]!;
      if (alive <= 1) found.push(i);
    }
    return found;
  }
}

/** A linear operator with a constant weight of floats. */
function isLayer(node: Node): boolean {
  const layer = productAt(node);
  return layer !== undefined && !isRefused(layer) && layer.weight.value.initializer?.dtype === "float32";
}

/** Activations, sums, batch norms: what leaves every element at its place. */
function isPointwise(node: Node): boolean {
  const row = rowOf(node);
  return row?.elementwise === true || node.op === "BatchNormalization" || node.op === "Identity";
}
