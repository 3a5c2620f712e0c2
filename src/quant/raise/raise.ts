/**
 * The other way than lowering: a file that is quantized already becomes the float model and the plan that it stands for. Quantizers of every
 * writer that uses the standard's operators are read (ours, ONNX Runtime's tool, AIMET, PyTorch's exporter), operators of integers, dynamic ones, and
 * packed weights. The float weights are what the integers stand for, so that lowering the pair gives the numbers of the file again.
 */
import { AvocetError } from "../../base/inner.ts";
import { addNode, cloneModel, type Graph, type Model, type Node, removeDead, type Value } from "../../ir/inner.ts";
import { checkNodes } from "../../ops/inner.ts";
import { replaceNode } from "../../passes/inner.ts";
import { dtypes, type Shape, type Tensor } from "../../tensor/inner.ts";
import type { Encoding, Granularity } from "../grids/encoding.ts";
import { gridName, isIntGrid, parseGrid, scaledCodecOf } from "../grids/grid.ts";
import type { StorageName } from "../grids/storage-names.ts";
import { roundsInputs } from "../lower/rounded-inputs.ts";
import type { Plan, PlanEntry } from "../plan/plan.ts";
import { raiseDynamicLstms } from "./dynamic-lstm.ts";
import { raiseDynamicProducts } from "./dynamic-products.ts";
import { codecNamed, encodingOf, entryOf, floatsOf, nameOf } from "./float-weight.ts";
import { withQuantizers } from "./integer-operators.ts";
import { moveDequantizers } from "./move-dequantizers.ts";
import { unpackedMatrix, unpackedTable } from "./packed-matrix.ts";
import { raiseBound } from "./raise-bound.ts";
import { refuseUnread } from "./read-quantized.ts";
import { makesScales, type Scales, scalesOf } from "./scales.ts";

export interface Raised {
  readonly model: Model;
  readonly plan: Plan;
  /** What has no place in a plan, and was left out or made float. */
  readonly notes: readonly string[];
}

/**
 * The float model and the plan of a quantized one, which stays as it is; encodings are frozen. Throws `quant/unsupported-model` naming the
 * operators that are not read, and quantizers whose scales are computed otherwise than LPBQ's.
 */
export function raise(quantized: Model): Raised {
  // What follows counts on operators that have the inputs and outputs that they must have.
  checkNodes(quantized);
  const model = cloneModel(quantized);
  const { graph } = model;
  const entries: PlanEntry[] = [];
  const notes: string[] = [];
  for (const node of [...graph.nodes]) if (isHold(node)) bypass(graph, node, node.input(0)!);
  for (const node of [...graph.nodes]) raiseBound(node);
  const relus = withQuantizers(model);
  if (relus > 0) notes.push(`${relus} × Relu was written where the grid of a product or sum begins at zero`);
  entries.push(...raiseDynamicLstms(graph), ...raiseDynamicProducts(graph));
  removeDead(graph);
  moveDequantizers(model);
  for (const node of [...graph.nodes]) {
    if (node.op === "MatMulNBits") entries.push(raiseMatMulNBits(graph, node));
    else if (node.op === "GatherBlockQuantized") entries.push(raiseTable(graph, node));
    else if (node.op === "DequantizeLinear" && !makesScales(node)) {
      const entry = raiseDequantize(graph, node, notes);
      if (entry) entries.push(entry);
    }
  }
  removeDead(graph);
  refuseUnread(graph);
  if (entries.length === 0) {
    throw new AvocetError("quant/unsupported-model", "expected a quantized model, got one without quantizers", {
      at: model.source ?? graph.name,
      hint: "`avocet plan` makes a plan for a float model",
    });
  }
  const plan: Plan = {
    version: 1,
    target: "file",
    entries: withBiasScales(once(entries, notes), graph),
    notQuantized: [],
  };
  return { model, plan, notes };
}

/** A Max of one input changes nothing: lowering writes it where a runtime would otherwise fuse. */
function isHold(node: Node): boolean {
  return node.op === "Max" && node.domain === "" && node.inputs.length === 1;
}

function bypass(graph: Graph, node: Node, value: Value): void {
  graph.replaceUses(node.output, value);
  graph.remove(node);
}

/** One entry a value: what is quantized twice on one grid is quantized once. */
function once(entries: readonly PlanEntry[], notes: string[]): PlanEntry[] {
  const found = new Map<string, PlanEntry>();
  for (const entry of entries) {
    const before = found.get(entry.value);
    if (!before) found.set(entry.value, entry);
    else if (JSON.stringify(before.encoding) !== JSON.stringify(entry.encoding))
      notes.push(`${entry.value} has several quantizers of different scales: the first is in the plan`);
  }
  return [...found.values()];
}

function raiseDequantize(graph: Graph, node: Node, notes: string[]): PlanEntry | undefined {
  const scale = scalesOf(node);
  const zero = node.input(2);
  if (!scale || (zero && !zero.initializer)) return undefined;
  const stored = constantBehind(node.input(0));
  if (stored?.initializer) return raiseConstant(graph, node, stored, scale, zero?.initializer);
  return raiseActivation(graph, node, scale, zero?.initializer, notes);
}

/** The integers that a DequantizeLinear reads, which a Cast may widen. */
function constantBehind(value: Value | null): Value | null {
  const cast = value?.producer?.op === "Cast" ? value.producer.input(0) : null;
  return cast?.initializer ? cast : value;
}

function raiseConstant(graph: Graph, node: Node, stored: Value, scale: Scales, zero: Tensor | undefined): PlanEntry {
  const integers = stored.initializer!;
  const { name } = node.output;
  const encoding = encodingOf(granularityOf(node, integers.shape, scale), integers.dtype, scale, zero);
  const floats = floatsOf(integers.numbers(), integers.shape, encoding);
  graph.setAside(node.output, `${name}_quantized`);
  const constant = graph.addInitializer(nameOf(stored, name), floats);
  bypass(graph, node, constant);
  return entryOf(constant.name, integers.dtype === "int32" ? "bias" : "weight", encoding, node);
}

function raiseActivation(
  graph: Graph,
  node: Node,
  scale: Scales,
  zero: Tensor | undefined,
  notes: string[],
): PlanEntry | undefined {
  const behind = node.input(0)?.producer;
  const clip = behind?.op === "Clip" ? behind : undefined;
  const quantize = clip ? clip.input(0)?.producer : behind;
  const given = quantize?.op === "QuantizeLinear" ? scalesOf(quantize) : undefined;
  if (!given || !quantize) return undefined;
  const constant = quantize.input(0)!;
  if (constant.initializer && !clip) {
    bypass(graph, node, constant);
    const granularity = granularityOf(node, constant.initializer.shape, scale);
    const made = encodingOf(granularity, zero?.dtype ?? "uint8", scale, zero);
    return entryOf(constant.name, "weight", made, node);
  }
  if (scale.numbers.length !== 1) return undefined;
  const [first] = given.numbers;
  const [second] = scale.numbers;
  if (first !== second) {
    notes.push(`${node} has another scale than ${quantize}: it stays`);
    return undefined;
  }
  const front = quantize.input(0)!;
  // A Clip of floats in front belongs to a grid that is narrower than its integers.
  const floatClip = front.producer?.op === "Clip" && front.name.endsWith("_clipped") ? front.producer : undefined;
  const source = floatClip ? floatClip.input(0)! : front;
  const dtype = zero?.dtype ?? "uint8";
  const { shift } = scaledCodecOf(codecNamed(dtype));
  const point = zero?.numbers()[0] ?? 0;
  const [low, high] = clip
    ? [clip.input(1)!.initializer!.numbers()[0]!, clip.input(2)!.initializer!.numbers()[0]!]
    : floatClip
      ? [1, 2].map((i) => Math.round(floatClip.input(i)!.initializer!.floats()[0]! / second!) + point)
      : [-shift, 2 ** dtypes[dtype].bits - 1 - shift];
  const steps = high! - low!;
  const bits = Math.ceil(Math.log2(steps + 1));
  const signed = shift > 0;
  const grid = clip || floatClip ? parseGrid(`${signed ? "" : "u"}int${bits}`) : codecNamed(dtype);
  const offset = isIntGrid(grid) ? low! - point + 0 : 0;
  // A grid of one step fewer than its bits have is symmetric and strict.
  const strict = isIntGrid(grid) && steps === 2 ** bits - 2;
  const symmetric = strict || (isIntGrid(grid) && offset === -(2 ** (bits - 1)));
  const encoding: Encoding = { grid, granularity: { kind: "tensor" }, symmetric, scale: [second!], offset: [offset] };
  bypass(graph, node, source);
  return {
    value: source.name,
    kind: "activation",
    grid,
    granularity: { kind: "tensor" },
    symmetric,
    ...(strict ? { strict } : {}),
    ...(signed && dtypes[dtype].bits === 8 ? { staysSigned: true as const } : {}),
    reason: `read from ${quantize}`,
    encoding,
    frozen: true,
  };
}

function granularityOf(node: Node, shape: Shape, scale: Scales): Granularity {
  const size = node.int("block_size", 0);
  if (size === 0 && scale.numbers.length === 1) return { kind: "tensor" };
  const given = node.int("axis", 1);
  const axis = given < 0 ? given + shape.length : given;
  if (size === 0) return { kind: "channel", axis };
  // Blocks go over inputs: output channels are the other one of the first two axes.
  return { kind: "block", axis, size, channelAxis: scale.channelAxis ?? (axis === 0 ? 1 : 0) };
}

/** A product with packed weights becomes one with floats, and an Add behind it where it has a bias. */
function raiseMatMulNBits(graph: Graph, node: Node): PlanEntry {
  if (node.input(4)) {
    throw new AvocetError("quant/unsupported-model", "expected MatMulNBits without g_idx, got one with it", {
      at: `${node}`,
      hint: "columns that were sorted before they were cut into blocks stand for no plan: take the float model that the file was made from",
    });
  }
  const { stored, tensor, encoding } = unpackedMatrix(node);
  const weight = graph.addInitializer(packedName(stored), tensor);
  const [x, bias] = [node.input(0), node.input(5)];
  if (bias) {
    const product = addNode(graph, "MatMul", [x, weight], {}, { name: node.name, place: { before: node } });
    replaceNode(node, { op: "Add", inputs: [product.output, bias] });
  } else replaceNode(node, { op: "MatMul", inputs: [x, weight] });
  const entry = packedEntry(weight, encoding, "matmulnbits", node);
  return roundsInputs(node) ? { ...entry, accuracyLevel: 4 } : entry;
}

/** A lookup of packed rows becomes a Gather of floats. */
function raiseTable(graph: Graph, node: Node): PlanEntry {
  const { stored, tensor, encoding } = unpackedTable(node);
  const table = graph.addInitializer(packedName(stored), tensor);
  replaceNode(node, { op: "Gather", inputs: [table, node.input(1)], attributes: { axis: 0 } });
  return packedEntry(table, encoding, "gatherblockquantized", node);
}

function packedName(stored: Value): string {
  return stored.name.replace(/(_packed|_Q[248]|_Q4G\d+|_quant)$/, "");
}

function packedEntry(value: Value, encoding: Encoding, storage: StorageName, node: Node): PlanEntry {
  const reason = `read from ${node}: ${gridName(encoding.grid)} in blocks`;
  return { ...entryOf(value.name, "weight", encoding, node), storage, reason };
}

/** Biases name the scales that they follow; those of which one is not in the plan stay float, with the same numbers. */
function withBiasScales(entries: readonly PlanEntry[], graph: Graph): PlanEntry[] {
  const known = new Set(entries.map(({ value }) => value));
  const values = graph.valuesByName();
  return entries.flatMap((entry) => {
    if (entry.kind !== "bias") return [entry];
    const product = productOf(values.get(entry.value)!);
    const [input, weight] = [product?.input(0)?.name, product?.input(1)?.name];
    return input && weight && known.has(input) && known.has(weight) ? [{ ...entry, scaleFrom: { input, weight } }] : [];
  });
}

/** The product that adds the bias: itself, or in front of an Add. */
function productOf(bias: Value): Node | undefined {
  const [reader] = bias.consumers();
  if (reader?.op !== "Add") return reader;
  return reader.inputs.find((value) => value !== bias)?.producer ?? undefined;
}
