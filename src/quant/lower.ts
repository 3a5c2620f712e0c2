/**
 * Lowering: model and plan → the model that ships, in standard operators. An activation gets QuantizeLinear and
 * DequantizeLinear behind it, a weight becomes integers behind a DequantizeLinear, a bias int32 on the grid of the accumulator, a
 * float grid a pair of Casts. A grid that is narrower than the integers it is kept in has a Clip of those integers. This very
 * file is what was simulated; nothing else stands for it.
 */
import { AvocetError, expectArguments } from "../base/index.ts";
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
import { rowOf } from "../ops/index.ts";
import { irVersionOf, upgradeOpset } from "../passes/index.ts";
import { type DType, dtypes, Tensor, toBfloat16Bits, toFloat16Bits } from "../tensor/index.ts";
import { type Encoding, granularityName } from "./encoding.ts";
import { constantOf } from "./facts.ts";
import { fitClipBounds } from "./fit-clip.ts";
import { gridName, quantizerDType, storageDType } from "./grid.ts";
import { holdBiases } from "./hold-biases.ts";
import { holdBlocks, holdFloatProducts, holdPools } from "./hold-float.ts";
import { entriesByValue, type Plan, type PlanEntry } from "./plan.ts";
import { roundFloatBiases } from "./round-float-biases.ts";
import { biasTensor, clipEnds, endNames, quantizedTensor, scaleTensor, zeroPointTensor } from "./stored.ts";
import { refuseGrid } from "./usable-grid.ts";

/** The version of the standard operator set that the plan's quantizers need. */
export function requiredOpset(plan: Plan): number {
  return Math.max(13, ...plan.entries.map(opsetOf));
}

function opsetOf({ kind, grid, granularity }: PlanEntry): number {
  if (grid.kind === "float") return 13;
  // Activations of fewer than 8 bits are kept in 8.
  const stored = kind === "activation" ? Math.max(grid.bits, 8) : grid.bits;
  if (stored === 2) return 25;
  return stored < 8 || stored === 16 || granularity.kind === "block" ? 21 : 13;
}

/**
 * A new model with the plan's quantizers in standard operators; the model that is given stays as it is. Graph inputs and
 * outputs keep their names. Throws `quant/not-calibrated` listing entries without an encoding, `quant/no-such-value` for
 * entries that the model lacks, `quant/invalid-plan` for an entry whose encoding is of another grid or granularity,
 * `quant/unsupported-grid` for a grid that no operator quantizes to, and what raising the opset throws, where the plan's
 * quantizers need a later one.
 */
export function lower(model: Model, plan: Plan): Model {
  expectArguments("lower(model, plan)", { model: [model, "model"], plan: [plan, "plan"] });
  refuseUnready(model, plan);
  const copy = cloneModel(model);
  upgradeOpset(copy, Math.max(copy.opset, requiredOpset(plan)));
  nameNodes(copy.graph);
  new Lowering(copy, holdBiases(fitClipBounds(plan, model), model)).run();
  roundFloatBiases(copy.graph);
  if (holdFloatProducts(copy.graph) + holdBlocks(copy.graph) + holdPools(copy.graph) > 0) nameNodes(copy.graph);
  copy.irVersion = Math.max(copy.irVersion, irVersionOf(copy.opset));
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
  for (const entry of plan.entries) {
    if (entry.kind !== "bias") refuseGrid(entry.grid, entry.kind, entry.value);
    refuseStale(entry);
  }
}

/** An entry whose grid was changed by hand, beside the encoding of the former one. */
function refuseStale({ value, grid, granularity, encoding }: PlanEntry): void {
  if (!encoding) return;
  const [wanted, found] = [
    `${gridName(grid)} ${granularityName(granularity)}`,
    `${gridName(encoding.grid)} ${granularityName(encoding.granularity)}`,
  ];
  if (wanted === found) return;
  throw new AvocetError("quant/invalid-plan", `expected an encoding on ${wanted}, got one on ${found}`, {
    at: value,
    hint: "an encoding belongs to its grid: remove it and calibrate the plan again",
  });
}

function listed(entries: readonly PlanEntry[]): string {
  const names = entries.slice(0, 5).map((entry) => entry.value);
  return entries.length > 5 ? `${names.join(", ")} and ${entries.length - 5} more` : names.join(", ");
}

/** Scale and zero point in the file; values that share an encoding share them. */
interface Stored {
  readonly scale: Value;
  readonly zeroPoint: Value;
  /** The ends of a grid that is narrower than its integers. */
  readonly ends: readonly Value[];
}

class Lowering {
  readonly #graph: Graph;
  readonly #opset: number;
  readonly #plan: Plan;
  readonly #entries: ReadonlyMap<string, PlanEntry>;
  readonly #values: ReadonlyMap<string, Value>;
  readonly #order: ReadonlyMap<Node, number>;
  readonly #stored = new Map<string, Stored>();

  constructor({ graph, opset }: Model, plan: Plan) {
    this.#graph = graph;
    this.#opset = opset;
    this.#plan = plan;
    this.#entries = entriesByValue(plan);
    this.#values = graph.valuesByName();
    this.#order = new Map([...graph.nodes].map((node, i) => [node, i]));
  }

  run(): void {
    for (const entry of this.#plan.entries) {
      const value = this.#values.get(entry.value)!;
      if (entry.kind === "bias") this.#lowerBias(entry, value);
      else if (entry.grid.kind === "float") this.#lowerFloat(entry, value, entry.grid.dtype as "float16" | "bfloat16");
      else if (constantOf(value)) this.#lowerConstant(entry, value, entry.encoding!);
      else this.#lowerActivation(entry, value, entry.encoding!);
    }
  }

  /** Scale and zero point of a value; tied values share them as long as nobody gave one its own encoding. */
  #store(entry: PlanEntry, encoding: Encoding, dtype: DType, shape: readonly number[]): Stored {
    const { scale, offset } = encoding;
    const key = scale.length === 1 ? `${entry.tiedTo ?? entry.value} ${scale[0]} ${offset[0]}` : entry.value;
    const found = this.#stored.get(key);
    if (found) return found;
    const add = (name: string, tensor: Tensor) => this.#graph.addInitializer(`${entry.value}_${name}`, tensor);
    const made = {
      scale: add("scale", scaleTensor(encoding, shape)),
      zeroPoint: add("zero_point", zeroPointTensor(encoding, shape, dtype)),
      ends: entry.kind === "activation" ? clipEnds(encoding).map((end, i) => add(endNames[i]!, end)) : [],
    };
    this.#stored.set(key, made);
    return made;
  }

  #lowerActivation(entry: PlanEntry, value: Value, planned: Encoding): void {
    const encoding = this.#asActivation(planned);
    const dtype = quantizerDType(encoding.grid);
    const { scale, zeroPoint, ends } = this.#store(entry, encoding, dtype, []);
    // The kernel of Clip takes 8 bits, and floats. Behind QuantizeLinear it leaves the kernel in front on integers.
    const clipsFloats = dtypes[dtype].bits > 8;
    this.#putBehind(entry, value, (place) => {
      const made: Node[] = [];
      const next = (op: string, name: string, type: DType, ...others: readonly Value[]) => {
        const from = made.at(-1);
        const node = this.#insert(op, [from?.output ?? value, ...others], name, from ? { after: from } : place);
        node.output.type = retyped(value, type);
        made.push(node);
      };
      if (ends.length > 0 && clipsFloats) next("Clip", `${entry.value}_clipped`, "float32", ...ends);
      next("QuantizeLinear", `${entry.value}_quantized`, dtype, scale, zeroPoint);
      if (ends.length > 0 && !clipsFloats) next("Clip", `${entry.value}_clipped`, dtype, ...ends);
      next("DequantizeLinear", `${entry.value}_dequantized`, "float32", scale, zeroPoint);
      return [made[0]!, made.at(-1)!];
    });
  }

  /**
   * Signed grids of activations are counted from their lowest number in the file, where they are narrower than 8 bits, and in
   * operator sets from 21 on: of int8 a stock session of ONNX Runtime 1.30 refuses what it moves behind a Reshape of its own
   * ("output_dtype INT8 does not match y_zero_point type UINT8"). The numbers stay the same.
   */
  #asActivation(encoding: Encoding): Encoding {
    const { grid } = encoding;
    const counted = grid.bits <= 8 && grid.signed && (this.#opset >= 21 || clipEnds(encoding).length > 0);
    return counted ? { ...encoding, grid: { ...grid, signed: false } } : encoding;
  }

  /** Everybody who read the value reads what the nodes give, but for those that the plan leaves the float; a graph output keeps its name. */
  #putBehind(
    { value: planned, floatReaders = [] }: PlanEntry,
    value: Value,
    build: (place: Place | undefined) => readonly [Node, Node],
  ): void {
    const producer = value.producer;
    const [first] = this.#graph.nodes;
    const inFloat = new Set(floatReaders.map((name) => this.#values.get(name)?.producer));
    const staysOutput = floatReaders.includes(planned);
    const [head, tail] = build(producer ? { after: producer } : first ? { before: first } : undefined);
    tail.output.type = value.type;
    const { name, isGraphOutput } = value;
    this.#graph.replaceUses(value, tail.output, (use) =>
      "node" in use ? use.node !== head && !inFloat.has(use.node) : !staysOutput,
    );
    if (isGraphOutput && value.name !== name) this.#graph.renameLike(value, `${name}_float`);
  }

  #lowerConstant(entry: PlanEntry, value: Value, planned: Encoding): void {
    const tensor = value.initializer!;
    // Integer kernels of two operands take them in one type.
    const encoding = isParameter(value) ? planned : this.#asActivation(planned);
    const { granularity, grid } = encoding;
    const stored = storageDType(grid);
    // A stock session runs integer kernels on what a Cast widens as it loads; blocks have none, and stay packed until they are read.
    const dtype = granularity.kind === "block" && grid.bits !== 2 ? stored : quantizerDType(grid);
    const { scale, zeroPoint } = this.#store(entry, encoding, dtype, tensor.shape);
    const integers = this.#graph.addInitializer(`${entry.value}_quantized`, quantizedTensor(tensor, encoding));
    const place = this.#beforeReaders(value);
    const wide =
      stored === dtype
        ? integers
        : this.#insert("Cast", [integers], `${entry.value}_${dtype}`, place, { to: dtypes[dtype].onnx }).output;
    const attributes: Record<string, number> =
      granularity.kind === "tensor"
        ? {}
        : granularity.kind === "channel"
          ? { axis: granularity.axis }
          : { axis: granularity.axis, block_size: granularity.size };
    this.#replaceConstant(value, [wide, scale, zeroPoint], attributes);
  }

  /**
   * The scale is the float32 product of the two scales in the file: ONNX Runtime compares them bit by bit. There is no zero point:
   * some kernels for 32 bits refuse one.
   */
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

  #lowerFloat(entry: PlanEntry, value: Value, dtype: "float16" | "bfloat16"): void {
    const back = { to: dtypes.float32.onnx };
    const narrow = { to: dtypes[dtype].onnx };
    const tensor = constantOf(value);
    if (!tensor) {
      this.#putBehind(entry, value, (place) => {
        const down = this.#insert("Cast", [value], `${value.name}_${dtype}`, place, narrow);
        down.output.type = retyped(value, dtype);
        return [down, this.#insert("Cast", [down.output], `${value.name}_dequantized`, { after: down }, back)];
      });
      return;
    }
    const bits = Uint16Array.from(tensor.floats(), dtype === "float16" ? toFloat16Bits : toBfloat16Bits);
    const half = this.#graph.addInitializer(`${value.name}_${dtype}`, Tensor.of(dtype, tensor.shape, bits));
    this.#adopt(value, this.#insert("Cast", [half], `${value.name}_dequantized`, this.#beforeReaders(value), back));
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

/** Whether the constant is the weight of a product or a parameter of a normalization, and no operand beside activations. */
function isParameter(value: Value): boolean {
  return value.consumers().some((node) => {
    const row = node.domain === "" ? rowOf(node) : undefined;
    const indices = [...(row?.linear ? [row.linear.weight] : []), ...(row?.normalization ?? [])];
    return indices.some((index) => node.input(index) === value) || recurrent.has(node.op);
  });
}

const recurrent = new Set(["LSTM", "GRU", "RNN"]);

function retyped(value: Value, dtype: Parameters<typeof tensorType>[0]): ReturnType<typeof tensorType> {
  return tensorType(dtype, value.type?.kind === "tensor" ? value.type.shape : null);
}
