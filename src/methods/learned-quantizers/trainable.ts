/**
 * The training form of a model and its plan: weights and scales become values that can be trained, quantizers are nodes with
 * gradients. What the plan leaves in float stays float. `settle` leads back to a model and a plan, from which the same file is
 * lowered as after calibration.
 */

import { Emitter } from "../../autodiff/inner.ts";
import { invariant, isRefused } from "../../base/inner.ts";
import { isRecurrent, layerAt, type MatrixLayer, recurrentInputs } from "../../facts/inner.ts";
import { cloneModel, type Graph, type Model, type Node, type Value } from "../../ir/inner.ts";
import { rowOf } from "../../ops/inner.ts";
import {
  codecOf,
  type Encoding,
  type Ends,
  endsOf,
  entriesByValue,
  isIntGrid,
  ofSameLayer,
  type Plan,
  type PlanEntry,
  productsByWeight,
} from "../../quant/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import { quantizeWeight, quantizeWithRange, quantizeWithScale } from "./emit.ts";

export interface TrainableModel {
  /** Inputs and outputs are those of the float model; everything trainable is a constant of it. Opset 21 or later. */
  readonly model: Model;
  /** Names of the constants by what they are; the trainer gives each kind its own learning rate. */
  readonly weights: readonly string[];
  readonly biases: readonly string[];
  /** Scales of weights, as a factor of the plan's: they begin at one. Shape: one number a slice. */
  readonly weightScales: readonly string[];
  /** [1]: the factor of the plan's scale. [2]: the ends, in parts of the plan's span. Both begin where the plan is. */
  readonly ranges: readonly string[];
  /** What each learned quantizer began with. */
  readonly quantizers: readonly LearnedQuantizer[];
  /** The quantizers of activations, learned or not, in the order of the model. */
  readonly activations: readonly ActivationQuantizer[];
  /** The node that computes a layer of the float model, or of another form of it. Throws `graph/not-found`. */
  layer(layer: MatrixLayer): { readonly nodes: readonly [Node] };
}

/** From an activation to what readers get in its place. */
export interface ActivationQuantizer {
  /** Name of the value in the float model. */
  readonly value: string;
  /** Names in the trainable model: what is quantized, and what comes out. */
  readonly from: string;
  readonly to: string;
}

export interface LearnedQuantizer {
  readonly entry: PlanEntry;
  readonly encoding: Encoding;
  /** Name of the constant that is learned. */
  readonly parameter: string;
  /** Whether the parameter is a factor of the scale, or the two ends of the range. */
  readonly kind: "scale" | "range";
}

export interface TrainableOptions {
  /** Whether operators that read a float number in the file do so here. Default true; without it everybody reads the quantizer. */
  readonly floatReaders?: boolean;
}

/** The plan must have encodings. The model that is given stays as it is. */
export function trainableModel(
  model: Model,
  plan: Plan,
  { floatReaders = true }: TrainableOptions = {},
): TrainableModel {
  const copy = cloneModel(model);
  const parameters = parametersOf(copy.graph);
  const products = productsByWeight(copy);
  const building = new Building(copy, plan, floatReaders);
  building.run();
  const layer = (wanted: MatrixLayer) => ({ nodes: [ofSameLayer(wanted, products)] as const });
  return { model: copy, ...parameters, ...building.made(), layer };
}

/** Weights and biases of linear and recurrent operators, and gains and shifts of normalizations, that are float constants. */
function parametersOf(graph: Graph): { weights: string[]; biases: string[] } {
  const weights = new Set<string>();
  const biases = new Set<string>();
  const note = (set: Set<string>, value: Value | null | undefined) => {
    if (value?.initializer?.dtype === "float32" && value.initializer.size > 0) set.add(value.name);
  };
  for (const node of graph.nodes) {
    if (node.domain !== "") continue;
    const layer = layerAt(node);
    if (layer && !isRefused(layer)) {
      note(weights, layer.weight.value);
      if (!isRefused(layer.bias)) note(biases, layer.bias.node.input(layer.bias.index));
    }
    for (const index of rowOf(node)?.normalization?.slice(0, 2) ?? []) note(biases, node.input(index));
    if (!isRecurrent(node)) continue;
    for (const index of [recurrentInputs.w, recurrentInputs.r]) note(weights, node.input(index));
    for (const index of [recurrentInputs.bias, recurrentInputs.peepholes]) note(biases, node.input(index));
  }
  return { weights: [...weights], biases: [...biases] };
}

class Building {
  readonly #graph: Graph;
  readonly #floatReaders: boolean;
  readonly #emitter: Emitter;
  readonly #plan: Plan;
  readonly #entries: ReadonlyMap<string, PlanEntry>;
  /** Nodes by their first output as it was called before outputs of the model got their quantizers. */
  readonly #names: ReadonlyMap<Node, string>;
  readonly #parameters = new Map<string, Value>();
  readonly #quantizers: LearnedQuantizer[] = [];
  readonly #activations: { readonly value: string; readonly from: Value; readonly to: Value }[] = [];

  constructor(model: Model, plan: Plan, floatReaders: boolean) {
    this.#graph = model.graph;
    this.#floatReaders = floatReaders;
    this.#names = new Map([...model.graph.nodes].map((node) => [node, node.output.name]));
    this.#emitter = new Emitter(model.graph);
    this.#plan = plan;
    this.#entries = entriesByValue(plan);
  }

  made(): Pick<TrainableModel, "weightScales" | "ranges" | "quantizers" | "activations"> {
    const learned = (kind: PlanEntry["kind"]) =>
      this.#quantizers.filter(({ entry }) => entry.kind === kind).map(({ parameter }) => parameter);
    const order = new Map([...this.#graph.nodes].map((node, i) => [node, i]));
    const activations = this.#activations
      .toSorted((a, b) => order.get(a.to.producer!)! - order.get(b.to.producer!)!)
      .map(({ value, from, to }) => ({ value, from: from.name, to: to.name }));
    return {
      weightScales: learned("weight"),
      ranges: learned("activation"),
      quantizers: this.#quantizers,
      activations,
    };
  }

  run(): void {
    const values = this.#graph.valuesByName();
    for (const entry of this.#plan.entries) {
      const value = values.get(entry.value);
      const encoding = entry.encoding;
      invariant(value, `the plan names ${entry.value}, which the model lacks`);
      if (!encoding || !isIntGrid(entry.grid) || entry.kind === "bias") continue;
      if (value.initializer) this.#quantizeConstant(entry, encoding, value);
      else this.#quantizeActivation(entry, encoding, value);
    }
  }

  #quantizeConstant(entry: PlanEntry, encoding: Encoding, value: Value): void {
    this.#behind(value, (e) => {
      const shape = value.initializer!.shape;
      const learn = entry.kind === "weight";
      const start = e.constant(Tensor.float32(broadcastShape(encoding, shape), encoding.scale));
      const factor = learn
        ? this.#parameter(entry, encoding, Tensor.float32(start.initializer!.shape, ones(encoding)))
        : null;
      const scale = factor ? e.mul(start, factor) : start;
      const whole = spreadBlocks(e, encoding, shape, scale);
      return quantizeWeight(e, value, whole, endsOfSlices(e, encoding, shape));
    });
  }

  #quantizeActivation(entry: PlanEntry, encoding: Encoding, value: Value): void {
    const head = this.#entries.get(entry.sharesEncodingOf ?? entry.value) ?? entry;
    const ends = endsOf(encoding);
    const [scale, offset] = [encoding.scale[0]!, encoding.offset[0]!];
    const steps = ends.high - ends.low;
    const inFloat = this.#floatReaders ? (entry.floatReaders ?? []) : [];
    // A range that the target fixes is not learned.
    const learn = head.range === undefined;
    const to = this.#behind(
      value,
      (e) => {
        if (!learn) return quantizeWithScale(e, value, e.scalar(scale), ends);
        // One end at zero stays there, and a symmetric grid has nothing but its scale.
        if (encoding.symmetric || offset === 0 || offset === -steps) {
          const factor = this.#parameter(head, encoding, Tensor.float32([1], [1]));
          return quantizeWithScale(e, value, e.mul(e.reshape(factor, []), scale), ends);
        }
        const range = this.#parameter(
          head,
          encoding,
          Tensor.float32([2], [offset / steps, 1 + offset / steps]),
          "range",
        );
        const [min, max] = e.ops("Split", 2, [range], { axis: 0, num_outputs: 2 }) as [Value, Value];
        const end = (part: Value) => e.mul(e.reshape(part, []), scale * steps);
        return quantizeWithRange(e, value, end(min), end(max), codecOf(encoding.grid).bits);
      },
      inFloat,
    );
    this.#activations.push({ value: entry.value, from: value, to });
  }

  /** The constant that is learned for an entry; tied entries share it. */
  #parameter(entry: PlanEntry, encoding: Encoding, start: Tensor, kind: LearnedQuantizer["kind"] = "scale"): Value {
    const found = this.#parameters.get(entry.value);
    if (found) return found;
    const made = this.#graph.addInitializer(`${entry.value}.${kind}`, start);
    this.#parameters.set(entry.value, made);
    this.#quantizers.push({ entry, encoding, parameter: made.name, kind });
    return made;
  }

  /** Everybody who read the value reads what is built from it, but for those in float; a graph output keeps its name. Returns that. */
  #behind(value: Value, build: (e: Emitter) => Value, inFloat: readonly string[] = []): Value {
    const readers = new Set(value.consumers().filter((node) => !inFloat.includes(this.#names.get(node)!)));
    const staysOutput = inFloat.includes(value.name);
    const [first] = this.#graph.nodes;
    const place = value.producer ? { after: value.producer } : first && { before: first };
    const made = build(this.#emitter.at(place));
    const { name, isGraphOutput } = value;
    this.#graph.replaceUses(value, made, (use) => ("node" in use ? readers.has(use.node) : !staysOutput));
    if (isGraphOutput && value.name !== name) this.#graph.renameLike(value, `${name}_float`);
    return made;
  }
}

/** The whole numbers of every slice, as constants that broadcast against the weight: two scalars where they are the same. */
function endsOfSlices(e: Emitter, encoding: Encoding, shape: readonly number[]): { low: Value; high: Value } {
  const ends = encoding.scale.map((_, i) => endsOf(encoding, i));
  const [first] = ends;
  const part = (of: (end: Ends) => number) => {
    if (ends.every((end) => of(end) === of(first!))) return e.scalar(of(first!));
    const all = e.constant(Tensor.float32(broadcastShape(encoding, shape), Float32Array.from(ends, of)));
    return spreadBlocks(e, encoding, shape, all);
  };
  return { low: part((end) => end.low), high: part((end) => end.high) };
}

function ones(encoding: Encoding): Float32Array {
  return new Float32Array(encoding.scale.length).fill(1);
}

/** The shape of the scales that broadcasts against a constant; for blocks the blocks' own shape. */
export function broadcastShape({ granularity, scale }: Encoding, shape: readonly number[]): readonly number[] {
  if (granularity.kind === "tensor") return [1];
  if (granularity.kind === "channel") return shape.map((_, axis) => (axis === granularity.axis ? scale.length : 1));
  return shape.map((length, axis) => (axis === granularity.axis ? length / granularity.size : length));
}

/** Numbers of blocks repeated over their elements; those of channels broadcast by themselves. */
function spreadBlocks(e: Emitter, encoding: Encoding, shape: readonly number[], numbers: Value): Value {
  const { granularity } = encoding;
  if (granularity.kind !== "block") return numbers;
  const { axis, size } = granularity;
  const blocks = broadcastShape(encoding, shape);
  const split = [...blocks.slice(0, axis + 1), size, ...blocks.slice(axis + 1)];
  const one = split.map((length, i) => (i === axis + 1 ? 1 : length));
  return e.reshape(e.expand(e.reshape(numbers, one), split), shape);
}
