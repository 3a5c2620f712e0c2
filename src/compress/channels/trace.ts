/** Follows channels through a graph: who makes them, who passes them on, who sums over them, and where they must stay. */
import { isRefused } from "../../base/inner.ts";
import { axesOf, constantNumbers, constantOf, isOp, readsOf, shapeOf } from "../../facts/inner.ts";
import type { Graph, Node, TensorType, Value } from "../../ir/inner.ts";
import { type EditableLayer, wholeLayer } from "../../passes/inner.ts";
import { ChannelSpace, type Channels } from "./spaces.ts";

/** A layer that makes or reads channels. */
export interface ChannelLayer {
  readonly node: Node;
  readonly layer: EditableLayer;
  /** The atoms of its input channels; undefined where they are not followed: all stay. */
  readonly inputs: Int32Array | undefined;
  readonly outputs: Int32Array;
}

/** What must be cut besides layers. */
export type Follower =
  /** A constant of a node, along one axis. */
  | {
      readonly kind: "constant";
      readonly node: Node;
      readonly index: number;
      readonly axis: number;
      readonly atoms: Int32Array;
    }
  /** Lengths that a Split or a Reshape names. */
  | { readonly kind: "split"; readonly node: Node; readonly parts: readonly Int32Array[] }
  | { readonly kind: "reshape"; readonly node: Node; readonly axis: number; readonly atoms: Int32Array };

export interface TracedChannels {
  readonly space: ChannelSpace;
  readonly layers: readonly ChannelLayer[];
  readonly followers: readonly Follower[];
}

type Shapes = ReadonlyMap<string, TensorType>;

/** The channels of a normalised graph whose shapes are known. */
export function traceChannels(graph: Graph, shapes: Shapes): TracedChannels {
  const tracer = new Tracer(shapes);
  for (const node of graph.nodes) tracer.see(node);
  for (const output of graph.outputs) tracer.fixValue(output, "it is an output of the model");
  return tracer;
}

const elementwise = [
  "Relu Clip LeakyRelu Elu Selu Celu Sigmoid HardSigmoid HardSwish Tanh Softplus Softsign Mish Gelu Erf Exp Log Sqrt Neg Abs Identity",
  "Dropout Cast MaxPool AveragePool GlobalAveragePool GlobalMaxPool LpPool",
].flatMap((names) => names.split(" "));
const binary = ["Add", "Sub", "Mul", "Div", "Max", "Min", "Pow", "PRelu"];

class Tracer implements TracedChannels {
  readonly space = new ChannelSpace();
  readonly layers: ChannelLayer[] = [];
  readonly followers: Follower[] = [];
  readonly #shapes: Shapes;
  readonly #known = new Map<Value, Channels>();

  constructor(shapes: Shapes) {
    this.#shapes = shapes;
  }

  see(node: Node): void {
    const result = this.#follow(node);
    if (typeof result !== "string") {
      if (result) this.#known.set(node.outputs[0]!, result);
      return;
    }
    // Bodies read what they capture, too.
    for (const value of readsOf(node)) this.fixValue(value, result);
  }

  fixValue(value: Value | null, reason: string): void {
    const channels = value && this.#known.get(value);
    if (channels) this.space.fix(channels.atoms, reason);
  }

  #of(value: Value | null): Channels | undefined {
    return value ? this.#known.get(value) : undefined;
  }

  #shape(value: Value | null): readonly number[] | undefined {
    return shapeOf(value, this.#shapes);
  }

  /** The channels of the first output, nothing where there are none to follow, or why the inputs' channels must stay. */
  #follow(node: Node): Channels | undefined | string {
    if (isOp(node, "Conv", "ConvTranspose", "Gemm", "MatMul")) return this.#layer(node);
    if ([...node.subgraphs()].length > 0) return whole(node);
    if (node.inputs.every((value) => !this.#of(value)) && !isOp(node, "Concat")) return undefined;
    const first = this.#of(node.input(0));
    if (isOp(node, ...elementwise))
      return first && node.outputs.slice(1).every(({ useCount }) => useCount === 0) ? first : whole(node);
    if (isOp(node, ...binary)) return this.#pair(node);
    if (isOp(node, "BatchNormalization", "InstanceNormalization"))
      return first?.axis === 1 ? this.#normalization(node, first) : whole(node);
    if (isOp(node, "Concat")) return this.#concat(node);
    if (isOp(node, "Split")) return first ? this.#split(node, first) : whole(node);
    if (isOp(node, "Flatten", "Reshape")) return first ? this.#reshape(node, first) : whole(node);
    if (isOp(node, "Transpose")) {
      const perm = node.ints("perm");
      return first && perm ? { ...first, axis: perm.indexOf(first.axis) } : whole(node);
    }
    if (isOp(node, "Squeeze", "Unsqueeze", "ReduceMean", "ReduceMax", "ReduceSum"))
      return first ? this.#axes(node, first) : whole(node);
    if (isOp(node, "Pad", "Resize")) return first ? this.#places(node, first) : whole(node);
    if (isOp(node, "DepthToSpace")) return first?.axis === 1 ? this.#shuffle(node, first) : whole(node);
    return whole(node);
  }

  #layer(node: Node): Channels | undefined | string {
    const layer = wholeLayer(node);
    const x = this.#shape(node.input(0));
    const y = this.#shape(node.output);
    if (!layer || isRefused(layer) || !x || !y)
      return layer && isRefused(layer) ? layer.refused : `${node} is no layer whose weights are known`;
    const axis = isOp(node, "Conv", "ConvTranspose") ? 1 : x.length - 1;
    const given = this.#of(node.input(0));
    const inputs = given?.axis === axis ? given.atoms : undefined;
    if (given && !inputs) this.space.fix(given.atoms, whole(node));
    if (isOp(node, "Gemm") && node.int("transA", 0) !== 0) return whole(node);
    const outputs = this.space.make(layer.axes.outputs);
    const { groups } = layer.axes;
    if (groups > 1) {
      // Whole groups may go: what one reads and makes goes together.
      const own = inputs ?? this.space.make(layer.axes.inputs);
      if (!inputs) this.space.fix(own, `${node} reads channels that all stay`);
      const [perIn, perOut] = [layer.axes.inputs / groups, layer.axes.outputs / groups];
      for (let g = 0; g < groups; g++) {
        for (let i = 0; i < perIn; i++) this.space.join(outputs[g * perOut]!, own[g * perIn + i]!);
        for (let o = 1; o < perOut; o++) this.space.join(outputs[g * perOut]!, outputs[g * perOut + o]!);
      }
    }
    if (layer.uses.length > 1) {
      const reason = `${layer.uses.length} nodes share the weight of ${node}`;
      this.space.fix(outputs, reason);
      if (inputs) this.space.fix(inputs, reason);
    }
    this.layers.push({ node, layer, inputs, outputs });
    const channels = { axis: isOp(node, "Conv", "ConvTranspose") ? 1 : y.length - 1, atoms: outputs };
    // The Add of a bias belongs to the layer.
    if (layer.result !== node.output) this.#known.set(layer.result, channels);
    return channels;
  }

  #pair(node: Node): Channels | undefined | string {
    const known = this.#of(node.output);
    if (known) return known;
    const shape = this.#shape(node.output);
    if (!shape) return whole(node);
    let found: Channels | undefined;
    const sides = node.inputs.map((value) => ({ value, channels: this.#of(value), shape: this.#shape(value) }));
    for (const { channels, shape: own } of sides) {
      if (!channels || !own) continue;
      const axis = channels.axis + shape.length - own.length;
      if (channels.atoms.length === 1 && shape[axis] !== 1) return whole(node);
      if (found && found.axis !== axis) return whole(node);
      if (found) this.space.joinAll(found.atoms, channels.atoms);
      found ??= { axis, atoms: channels.atoms };
    }
    for (const [index, { value, channels, shape: own }] of sides.entries()) {
      if (channels || !value) continue;
      const axis = found!.axis - shape.length + (own?.length ?? 0);
      if (own && (axis < 0 || own[axis] === 1)) continue;
      if (!own || !constantOf(value) || own[axis] !== found!.atoms.length) return whole(node);
      this.followers.push({ kind: "constant", node, index, axis, atoms: found!.atoms });
    }
    return found;
  }

  #normalization(node: Node, channels: Channels): Channels | string {
    for (let index = 1; index < node.inputs.length; index++) {
      if (!constantOf(node.input(index))) return whole(node);
      this.followers.push({ kind: "constant", node, index, axis: 0, atoms: channels.atoms });
    }
    return channels;
  }

  #concat(node: Node): Channels | undefined | string {
    const found = node.inputs.map((value) => this.#of(value));
    const some = found.find((channels) => channels !== undefined);
    if (!some) return undefined;
    const rank = this.#shape(node.output)?.length;
    if (rank === undefined) return whole(node);
    const axis = (node.int("axis", 1) + rank) % rank;
    if (found.some((channels) => channels && channels.axis !== some.axis)) return whole(node);
    if (axis !== some.axis) {
      if (found.some((channels) => channels?.atoms.length !== some.atoms.length)) return whole(node);
      for (const channels of found) this.space.joinAll(some.atoms, channels!.atoms);
      return some;
    }
    const parts: number[] = [];
    for (const [i, channels] of found.entries()) {
      const count = this.#shape(node.input(i))?.[axis];
      if (count === undefined) return whole(node);
      const atoms = channels?.atoms ?? this.space.make(count);
      // What comes from elsewhere stays next to what is cut.
      if (!channels) this.space.fix(atoms, `${node} reads channels that no layer makes`);
      parts.push(...atoms);
    }
    return { axis, atoms: Int32Array.from(parts) };
  }

  #split(node: Node, channels: Channels): Channels | undefined | string {
    const rank = this.#shape(node.input(0))?.length;
    if (rank === undefined) return whole(node);
    if ((node.int("axis", 0) + rank) % rank !== channels.axis) {
      for (const output of node.outputs) this.#known.set(output, channels);
      return channels;
    }
    const parts: Int32Array[] = [];
    let at = 0;
    for (const output of node.outputs) {
      const count = this.#shape(output)?.[channels.axis];
      if (count === undefined) return whole(node);
      parts.push(channels.atoms.subarray(at, at + count));
      at += count;
    }
    node.outputs.forEach((output, i) => {
      this.#known.set(output, { axis: channels.axis, atoms: parts[i]! });
    });
    this.followers.push({ kind: "split", node, parts });
    return this.#known.get(node.outputs[0]!);
  }

  /** Channels and what lies behind them become one axis, or the axis stays as it is. */
  #reshape(node: Node, { axis, atoms }: Channels): Channels | string {
    const [from, to] = [this.#shape(node.input(0)), this.#shape(node.output)];
    if (!from || !to || axis !== 1) return whole(node);
    const size = (lengths: readonly number[]) => lengths.reduce((a, b) => a * b, 1);
    const places = size(from.slice(2));
    if (size(from.slice(0, 1)) !== to[0] || size(to.slice(2)) * to[1]! !== places * atoms.length) return whole(node);
    const each = to.length === 2 ? places : to[1] === atoms.length ? 1 : 0;
    if (each === 0 || to[1] !== each * atoms.length) return whole(node);
    const made = Int32Array.from({ length: to[1] }, (_, i) => atoms[Math.floor(i / each)]!);
    if (isOp(node, "Reshape")) {
      const target = constantNumbers(node.input(1));
      if (!target) return whole(node);
      if (target[1]! > 0) this.followers.push({ kind: "reshape", node, axis: 1, atoms: made });
    } else if (node.int("axis", 1) !== 1) return whole(node);
    return { axis: 1, atoms: made };
  }

  #axes(node: Node, channels: Channels): Channels | string {
    const given = node.ints("axes") ?? constantNumbers(node.input(1));
    const [before, after] = [this.#shape(node.input(0))?.length, this.#shape(node.output)?.length];
    const axes =
      given && before !== undefined && after !== undefined ? axesOf(given, Math.max(before, after)) : undefined;
    if (!axes || (!isOp(node, "Unsqueeze") && axes.has(channels.axis))) return whole(node);
    if (isOp(node, "Unsqueeze")) {
      let { axis } = channels;
      for (const one of [...axes].sort((a, b) => a - b)) if (one <= axis) axis++;
      return { ...channels, axis };
    }
    if (!isOp(node, "Squeeze") && node.int("keepdims", 1) === 1) return channels;
    return { ...channels, axis: channels.axis - [...axes].filter((one) => one < channels.axis).length };
  }

  /** Padding and resizing of positions: the channels of every one are as before. */
  #places(node: Node, channels: Channels): Channels | string {
    const rank = this.#shape(node.input(0))?.length ?? 0;
    if (isOp(node, "Pad")) {
      const pads = constantNumbers(node.input(1));
      const bare = pads?.length === 2 * rank && pads[channels.axis] === 0 && pads[rank + channels.axis] === 0;
      return bare ? channels : whole(node);
    }
    const scales = constantOf(node.input(2))?.numbers();
    return scales?.[channels.axis] === 1 && !node.input(3) && !node.ints("axes") ? channels : whole(node);
  }

  #shuffle(node: Node, { atoms }: Channels): Channels | string {
    const block = node.int("blocksize", 1) ** 2;
    const count = atoms.length / block;
    const made = Int32Array.from({ length: count }, (_, c) => {
      const own = (i: number) => (node.string("mode", "DCR") === "CRD" ? c * block + i : i * count + c);
      for (let i = 1; i < block; i++) this.space.join(atoms[own(0)]!, atoms[own(i)]!);
      return atoms[own(0)]!;
    });
    return { axis: 1, atoms: made };
  }
}

const whole = (node: Node) => `${node} needs all of its channels`;
