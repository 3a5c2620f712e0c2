/**
 * Dynamic int8: weights of 8 bits, and inputs that are rounded to uint8 as the model runs, on the range of the very batch. A product becomes
 * DynamicQuantizeLinear, MatMulInteger or ConvInteger, a Cast, and a Mul by both scales, as ONNX Runtime's quantize_dynamic writes it, which
 * its own optimiser makes one kernel of. It needs no data.
 */
import { initializerOf } from "../../facts/inner.ts";
import type { Node, Place, Value } from "../../ir/inner.ts";
import { dtypes, Tensor } from "../../tensor/inner.ts";
import type { Encoding } from "../grids/encoding.ts";
import { isIntGrid } from "../grids/grid.ts";
import { entryAt } from "../plan/entry-at.ts";
import type { PlanEntry } from "../plan/plan.ts";
import type { Draft } from "./draft.ts";
import type { StorageForm } from "./row.ts";
import { quantizedTensor, storedZeroPoint, zeroPointTensor } from "./stored.ts";

const operators: Readonly<Record<string, string>> = {
  MatMul: "MatMulInteger",
  Gemm: "MatMulInteger",
  Conv: "ConvInteger",
};

export const dynamicInt8: StorageForm = {
  name: "dynamicint8",
  title: "products with dynamic int8",
  replaces: "product",
  matches: ({ storage }) => storage === "dynamicint8",
  refusal(entry, value, entries) {
    if (!isIntGrid(entry.grid) || entry.grid.bits !== 8) return "they take 8 bits";
    if (entry.granularity.kind === "block") return "they take a scale per tensor or per channel";
    const readers = value.consumers();
    if (value.isGraphOutput || !readers.every((node) => isFactor(node, value)))
      return "not only MatMul, Gemm and Conv read it as their weight";
    for (const node of readers) {
      const refused = refusalOf(node, value, entry);
      if (refused !== undefined) return refused;
      if (entryAt(node.input(0), entries)) return `the input of ${node} is quantized`;
    }
    return undefined;
  },
  weightOf: (node) =>
    node.op === "MatMulInteger" || node.op === "ConvInteger"
      ? (initializerValue(node.input(1)) ?? undefined)
      : undefined,
  whyFloat: (node) => `ONNX Runtime did not fuse what turns the integers of ${node} into floats`,
  emit(entry, value, draft) {
    const encoding = entry.encoding!;
    const tensor = value.initializer!;
    const integers = quantizedTensor(tensor, encoding);
    const zero = encoding.offset.some((_, i) => storedZeroPoint(encoding, i) !== 0)
      ? draft.constant(`${entry.value}_zero_point`, zeroPointTensor(encoding, tensor.shape, integers.dtype))
      : undefined;
    const stored = new Map<boolean, Value>();
    const constantOf = (turned: boolean) => {
      const name = `${entry.value}_${turned ? "transposed" : "quantized"}`;
      const found = stored.get(turned) ?? draft.constant(name, turned ? transposed(integers) : integers);
      stored.set(turned, found);
      return found;
    };
    for (const node of value.consumers()) emitProduct(node, constantOf(isTurned(node)), zero, entry, encoding, draft);
    draft.discard(entry.value, value);
    draft.record.quantizes(entry.value, { quantized: [...stored.values()][0]! });
  },
};

/** Writes one product: the nodes up to the last one, which takes the place of the float one. */
function emitProduct(
  node: Node,
  weight: Value,
  zero: Value | undefined,
  { value: planned }: PlanEntry,
  { scale, granularity }: Encoding,
  draft: Draft,
): void {
  const name = node.output.name;
  const before: Place = { before: node };
  const [quantized, inputScale, inputZero] = quantizedInput(node.input(0)!, draft);
  const made: Node[] = [];
  const next = (
    op: string,
    inputs: readonly Value[],
    output: string,
    attributes: Readonly<Record<string, number>> = {},
  ) => {
    made.push(draft.insert(op, inputs, output, before, attributes));
    return made.at(-1)!.output;
  };
  const product = next(
    operators[node.op]!,
    [quantized, weight, inputZero, ...(zero ? [zero] : [])],
    `${name}_integers`,
  );
  if (node.op === "Conv")
    for (const [key, attribute] of node.attributes) product.producer!.attributes.set(key, attribute);
  const cast = next("Cast", [product], `${name}_cast`, { to: dtypes.float32.onnx });
  // Channels of a convolution lie in front of its positions.
  const places =
    node.op === "Conv" && granularity.kind === "channel" ? weight.initializer!.shape.slice(2).map(() => 1) : [];
  const shape = scale.length === 1 ? [] : [scale.length, ...places];
  const scales = draft.constant(`${planned}_scale`, Tensor.float32(shape, scale));
  const both = next("Mul", [inputScale, scales], `${name}_scale`);
  const bias = node.op === "MatMul" ? null : node.input(2);
  if (!bias) {
    draft.replace(node, { op: "Mul", inputs: [cast, both] }, made);
    return;
  }
  const scaled = next("Mul", [cast, both], `${name}_scaled`);
  const constant = initializerOf(bias);
  const added =
    node.op === "Conv" && constant
      ? draft.constant(
          `${bias.name}_column`,
          Tensor.float32([constant.size, ...weight.initializer!.shape.slice(2).map(() => 1)], constant.floats()),
        )
      : bias;
  draft.replace(node, { op: "Add", inputs: [scaled, added] }, made);
  if (added !== bias) draft.discard(bias.name, bias);
}

/** Integers, scale and zero point of an input; products of one input share them. */
function quantizedInput(value: Value, draft: Draft): readonly [Value, Value, Value] {
  const known = value.consumers().find((node) => node.op === "DynamicQuantizeLinear");
  const node = known ?? draft.insertBehind("DynamicQuantizeLinear", value, ["quantized", "scale", "zero_point"]);
  const [quantized, scale, zero] = node.outputs;
  return [quantized!, scale!, zero!];
}

/** Whether the node is a product of this graph that has the value as its weight alone. */
function isFactor(node: Node, value: Value): boolean {
  if (node.domain !== "" || node.graph !== value.graph || !Object.hasOwn(operators, node.op)) return false;
  return node.input(1) === value && node.input(0) !== value && node.input(2) !== value;
}

function isTurned(node: Node): boolean {
  return node.op === "Gemm" && node.int("transB", 0) === 1;
}

/** What a product of this weight needs that the integer operators have not. */
function refusalOf(node: Node, value: Value, { granularity, symmetric }: PlanEntry): string | undefined {
  const { shape } = value.initializer!;
  if (node.op === "Conv") {
    if (granularity.kind === "channel" && !symmetric) return "ConvInteger has one zero point";
    const bias = node.input(2);
    return bias && !initializerOf(bias) ? `the bias of ${node} is computed` : undefined;
  }
  if (shape.length !== 2) return "MatMulInteger takes one matrix with scales per channel";
  if (granularity.kind === "channel" && granularity.axis !== (isTurned(node) ? 0 : 1))
    return `the scales are not per output of ${node}`;
  if (node.op !== "Gemm") return undefined;
  if (node.int("transA", 0) === 1) return `${node} turns its input`;
  return node.float("alpha", 1) === 1 && node.float("beta", 1) === 1 ? undefined : `alpha or beta of ${node} is not 1`;
}

function initializerValue(value: Value | null): Value | undefined {
  return value?.initializer ? value : undefined;
}

/** [N, K] of 8 bits as [K, N]. */
function transposed(tensor: Tensor): Tensor {
  const [rows, columns] = tensor.shape as [number, number];
  const data = tensor.data as Int8Array | Uint8Array;
  const turned = data.slice();
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) turned[j * rows + i] = data[i * columns + j]!;
  return Tensor.of(tensor.dtype, [columns, rows], turned);
}
