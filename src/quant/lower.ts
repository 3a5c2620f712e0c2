/**
 * Lowering: model and plan → the model that ships, in standard operators. An activation gets QuantizeLinear and
 * DequantizeLinear behind it, a weight becomes integers behind a DequantizeLinear, a bias int32 on the grid of the accumulator, a
 * float grid a pair of Casts. This very file is what was simulated; nothing else stands for it.
 */
import { AvocetError } from "../base/index.ts";
import {
  check,
  cloneModel,
  type Graph,
  type Model,
  type Node,
  type NodeSpec,
  type Place,
  tensorType,
  type Value,
} from "../ir/index.ts";
import { upgradeOpset } from "../passes/index.ts";
import { dtypes, Tensor, toBfloat16Bits, toFloat16Bits } from "../tensor/index.ts";
import type { Encoding } from "./encoding.ts";
import { constantOf } from "./facts.ts";
import { fitClipBounds } from "./fit-clip.ts";
import { storageDType } from "./grid.ts";
import { holdBiases } from "./hold-biases.ts";
import { holdFloatProducts } from "./hold-float.ts";
import { entriesByValue, type Plan, type PlanEntry } from "./plan.ts";
import { biasTensor, quantizedTensor, scaleTensor, zeroPointTensor } from "./stored.ts";

/** The version of the standard operator set that the plan's quantizers need. */
export function requiredOpset(plan: Plan): number {
  return Math.max(13, ...plan.entries.map(opsetOf));
}

function opsetOf({ grid, granularity }: PlanEntry): number {
  if (grid.kind === "float") return grid.dtype.startsWith("float8") ? 19 : 13;
  if (grid.bits === 2) return 25;
  if (grid.bits === 3 || grid.bits === 4 || grid.bits === 16 || granularity.kind === "block") return 21;
  return 13;
}

/**
 * A new model with the plan's quantizers in standard operators; the model that is given stays as it is. Graph inputs and
 * outputs keep their names. Throws `quant/not-calibrated` listing entries without an encoding, `quant/no-such-value` for
 * entries that the model lacks, and what raising the opset throws, where the plan's quantizers need a later one.
 */
export function lower(model: Model, plan: Plan): Model {
  refuseUnready(model, plan);
  const copy = cloneModel(model);
  upgradeOpset(copy, Math.max(copy.opset, requiredOpset(plan)));
  nameNodes(copy.graph);
  new Lowering(copy.graph, holdBiases(fitClipBounds(plan, model), model)).run();
  if (holdFloatProducts(copy.graph) > 0) nameNodes(copy.graph);
  copy.irVersion = Math.max(copy.irVersion, requiredOpset(plan) >= 21 ? 10 : 7);
  check(copy, "after lowering");
  return copy;
}

/** Runtimes keep the names of nodes through their optimisation, so a name tells which kernel a layer became. */
function nameNodes(graph: Graph): void {
  const taken = new Set([...graph.nodes].map((node) => node.name));
  for (const node of graph.nodes) {
    if (node.name !== "") continue;
    let name = `${node.op}_${node.outputs.find((value) => value.name !== "")?.name ?? "nothing"}`;
    while (taken.has(name)) name = `${name}_`;
    taken.add(name);
    node.name = name;
  }
}

function refuseUnready(model: Model, plan: Plan): void {
  const values = model.graph.valuesByName();
  const absent = plan.entries.filter((entry) => !values.has(entry.value));
  if (absent.length > 0) {
    throw new AvocetError("quant/no-such-value", `expected values of the model, got ${listed(absent)}`, {
      at: model.source ?? model.graph.name,
      hint: "lower the plan with the very model that it was placed on: preparation renames and folds values",
    });
  }
  const empty = plan.entries.filter((entry) => entry.grid.kind === "int" && entry.kind !== "bias" && !entry.encoding);
  if (empty.length > 0) {
    throw new AvocetError(
      "quant/not-calibrated",
      `expected an encoding for every entry, got none for ${listed(empty)}`,
      {
        at: model.source ?? model.graph.name,
        hint: "calibrate the plan first",
      },
    );
  }
}

function listed(entries: readonly PlanEntry[]): string {
  const names = entries.slice(0, 5).map((entry) => entry.value);
  return entries.length > 5 ? `${names.join(", ")} and ${entries.length - 5} more` : names.join(", ");
}

/** Scale and zero point in the file; values that share an encoding share them. */
interface Stored {
  readonly scale: Value;
  readonly zeroPoint: Value;
}

class Lowering {
  readonly #graph: Graph;
  readonly #plan: Plan;
  readonly #entries: ReadonlyMap<string, PlanEntry>;
  readonly #values: ReadonlyMap<string, Value>;
  readonly #order: ReadonlyMap<Node, number>;
  readonly #stored = new Map<string, Stored>();

  constructor(graph: Graph, plan: Plan) {
    this.#graph = graph;
    this.#plan = plan;
    this.#entries = entriesByValue(plan);
    this.#values = graph.valuesByName();
    this.#order = new Map([...graph.nodes].map((node, i) => [node, i]));
  }

  run(): void {
    for (const entry of this.#plan.entries) {
      const value = this.#values.get(entry.value)!;
      if (entry.kind === "bias") this.#lowerBias(entry, value);
      else if (entry.grid.kind === "float") this.#lowerFloat(value, entry.grid.dtype);
      else if (constantOf(value)) this.#lowerConstant(entry, value, entry.encoding!);
      else this.#lowerActivation(entry, value, entry.encoding!);
    }
  }

  /** Scale and zero point of a value; tied values share them as long as nobody gave one its own encoding. */
  #store(entry: PlanEntry, encoding: Encoding, shape: readonly number[]): Stored {
    const { scale, offset } = encoding;
    const key = scale.length === 1 ? `${entry.tiedTo ?? entry.value} ${scale[0]} ${offset[0]}` : entry.value;
    const found = this.#stored.get(key);
    if (found) return found;
    const made = {
      scale: this.#graph.addInitializer(`${entry.value}_scale`, scaleTensor(encoding, shape)),
      zeroPoint: this.#graph.addInitializer(`${entry.value}_zero_point`, zeroPointTensor(encoding, shape)),
    };
    this.#stored.set(key, made);
    return made;
  }

  #lowerActivation(entry: PlanEntry, value: Value, encoding: Encoding): void {
    const { scale, zeroPoint } = this.#store(entry, encoding, []);
    this.#putBehind(value, (place) => {
      const quantize = this.#insert("QuantizeLinear", [value, scale, zeroPoint], `${entry.value}_quantized`, place);
      quantize.output.type = retyped(value, storageDType(encoding.grid));
      const dequantize = this.#insert(
        "DequantizeLinear",
        [quantize.output, scale, zeroPoint],
        `${entry.value}_dequantized`,
        {
          after: quantize,
        },
      );
      return [quantize, dequantize];
    });
  }

  /** Everybody who read the value reads what the two nodes give; a graph output keeps its name. */
  #putBehind(value: Value, build: (place: Place | undefined) => readonly [Node, Node]): void {
    const producer = value.producer;
    const [first] = this.#graph.nodes;
    const [head, tail] = build(producer ? { after: producer } : first ? { before: first } : undefined);
    tail.output.type = value.type;
    const { name, isGraphOutput } = value;
    this.#graph.replaceUses(value, tail.output, (use) => !("node" in use && use.node === head));
    if (isGraphOutput && value.name !== name) this.#graph.renameLike(value, `${name}_float`);
  }

  #lowerConstant(entry: PlanEntry, value: Value, encoding: Encoding): void {
    const tensor = value.initializer!;
    const { scale, zeroPoint } = this.#store(entry, encoding, tensor.shape);
    const integers = this.#graph.addInitializer(`${entry.value}_quantized`, quantizedTensor(tensor, encoding));
    const { granularity } = encoding;
    const attributes: Record<string, number> =
      granularity.kind === "tensor"
        ? {}
        : granularity.kind === "channel"
          ? { axis: granularity.axis }
          : { axis: granularity.axis, block_size: granularity.size };
    this.#replaceConstant(value, [integers, scale, zeroPoint], attributes);
  }

  /** The scale is the float32 product of the two scales in the file: ONNX Runtime compares them bit by bit. */
  #lowerBias(entry: PlanEntry, value: Value): void {
    const input = this.#entries.get(entry.scaleFrom?.input ?? "")?.encoding;
    const weight = this.#entries.get(entry.scaleFrom?.weight ?? "")?.encoding;
    if (!input || !weight || !entry.encoding) return;
    const inputScale = Math.fround(input.scale[0]!);
    const products =
      weight.granularity.kind === "block" || weight.scale.length !== entry.encoding.scale.length
        ? entry.encoding.scale
        : weight.scale.map((s) => inputScale * Math.fround(s));
    const scale = Float32Array.from(products);
    const perTensor = entry.encoding.granularity.kind === "tensor";
    const integers = this.#graph.addInitializer(`${entry.value}_quantized`, biasTensor(value.initializer!, scale));
    const stored = this.#graph.addInitializer(
      `${entry.value}_scale`,
      Tensor.float32(perTensor ? [] : [scale.length], scale),
    );
    this.#replaceConstant(value, [integers, stored], perTensor ? {} : { axis: 0 });
  }

  #replaceConstant(value: Value, inputs: readonly Value[], attributes: Readonly<Record<string, number>>): void {
    const node = this.#insert(
      "DequantizeLinear",
      inputs,
      `${value.name}_dequantized`,
      this.#beforeReaders(value),
      attributes,
    );
    this.#adopt(value, node);
  }

  /** The readers of a constant read the node instead, and the float data goes. */
  #adopt(value: Value, node: Node): void {
    node.output.type = tensorType("float32", value.initializer!.shape);
    this.#graph.replaceUses(value, node.output, (use) => !("node" in use && use.node === node));
    if (value.useCount === 0) this.#graph.removeInitializer(value);
  }

  #lowerFloat(value: Value, dtype: "float16" | "bfloat16" | "float8e4m3fn" | "float8e5m2"): void {
    const back = { to: dtypes.float32.onnx };
    const narrow = { to: dtypes[dtype].onnx };
    const tensor = constantOf(value);
    if (!tensor) {
      this.#putBehind(value, (place) => {
        const down = this.#insert("Cast", [value], `${value.name}_${dtype}`, place, narrow);
        down.output.type = retyped(value, dtype);
        return [down, this.#insert("Cast", [down.output], `${value.name}_dequantized`, { after: down }, back)];
      });
      return;
    }
    if (dtype === "float16" || dtype === "bfloat16") {
      const bits = Uint16Array.from(tensor.floats(), dtype === "float16" ? toFloat16Bits : toBfloat16Bits);
      const half = this.#graph.addInitializer(`${value.name}_${dtype}`, Tensor.of(dtype, tensor.shape, bits));
      this.#adopt(value, this.#insert("Cast", [half], `${value.name}_dequantized`, this.#beforeReaders(value), back));
      return;
    }
    const down = this.#insert("Cast", [value], `${value.name}_${dtype}`, this.#beforeReaders(value), narrow);
    const up = this.#insert("Cast", [down.output], `${value.name}_dequantized`, { after: down }, back);
    up.output.type = value.type;
    this.#graph.replaceUses(value, up.output, (use) => !("node" in use && use.node === down));
  }

  /** In front of the first node of this graph that reads the value, or that holds a body that does. */
  #beforeReaders(value: Value): Place | undefined {
    let first: Node | undefined;
    for (const reader of value.consumers()) {
      let node = reader;
      while (node.graph !== this.#graph && node.graph?.parent) node = node.graph.parent;
      // Nodes made here stand right before an original one, so the order of the originals decides.
      if (
        !first ||
        (this.#order.get(node) ?? Number.POSITIVE_INFINITY) < (this.#order.get(first) ?? Number.POSITIVE_INFINITY)
      )
        first = node;
    }
    return first ? { before: first } : undefined;
  }

  #insert(
    op: string,
    inputs: readonly Value[],
    output: string,
    place: Place | undefined,
    attributes: Readonly<Record<string, number>> = {},
  ): Node {
    const spec: NodeSpec = {
      op,
      name: `${output}_${op}`,
      inputs,
      outputs: [output],
      attributes: new Map(Object.entries(attributes).map(([key, value]) => [key, { type: "int", value }])),
    };
    return this.#graph.insert(spec, place);
  }
}

function retyped(value: Value, dtype: Parameters<typeof tensorType>[0]): ReturnType<typeof tensorType> {
  return tensorType(dtype, value.type?.kind === "tensor" ? value.type.shape : null);
}
