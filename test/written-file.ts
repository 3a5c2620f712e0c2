/**
 * What a file that Avocet writes must hold, as far as it can be told without the onnx package: declared types are those that follow
 * from the operators, quantizers have scales and zero points of the lengths and types of the standard, constants are what they are
 * declared to be. tools/check_written.py asks onnx.checker the same.
 */
import { graphsOf, inferTypes } from "../src/facts/inner.ts";
import { check, type Model, type Node, type TensorType, type Value } from "../src/ir/inner.ts";
import { sizeOf } from "../src/tensor/inner.ts";

/** Every fault of a model as it was read from the file, in words. */
export function writtenFaults(model: Model): string[] {
  check(model);
  return [
    ...versionFaults(model),
    ...typeFaults(model),
    ...[...graphsOf(model)].flatMap((graph) => [...graph.nodes].flatMap(quantizerFaults)),
  ];
}

const tensorOf = (value: Value | null): TensorType | undefined =>
  value?.type?.kind === "tensor" ? value.type : undefined;

/** What the standard says of opsets, and of types that came with them. */
function versionFaults(model: Model): string[] {
  const faults: string[] = [];
  // https://github.com/onnx/onnx/blob/main/docs/Versioning.md: the IR of the first release that had the opset.
  const least = [
    [25, 13],
    [24, 12],
    [23, 11],
    [21, 10],
    [19, 9],
    [15, 8],
    [12, 7],
    [10, 5],
    [9, 4],
  ].find(([opset]) => model.opset >= opset!);
  const types = [...model.graph.initializers].map(({ initializer }) => initializer!.dtype);
  const needed = Math.max(
    types.some((t) => /^u?int4$/.test(t)) ? 10 : 0,
    types.some((t) => t.startsWith("float8")) ? 9 : 0,
    types.some((t) => /^u?int2$/.test(t)) ? 13 : 0,
  );
  if (model.irVersion < needed) faults.push(`IR version ${model.irVersion} below ${needed}, which its types need`);
  // Newer opsets in an older IR are allowed by the checker; a file that was read so stays so.
  if (least && model.irVersion > 13) faults.push(`IR version ${model.irVersion} is not known`);
  return faults;
}

/** Declared types next to those that follow from the operators, and constants next to their declarations. */
function typeFaults(model: Model): string[] {
  const faults: string[] = [];
  const found = inferTypes(model, { batch: null });
  for (const value of model.graph.values()) {
    const declared = tensorOf(value);
    if (!declared) continue;
    const is = value.initializer
      ? { dtype: value.initializer.dtype, shape: value.initializer.shape }
      : value.producer
        ? found.get(value.name)
        : undefined;
    if (!is) continue;
    if (is.dtype !== declared.dtype) faults.push(`${value.name} is ${is.dtype}, declared ${declared.dtype}`);
    const { shape } = declared;
    if (!shape || !is.shape) continue;
    const differs =
      shape.length !== is.shape.length ||
      shape.some((d, i) => typeof d === "number" && typeof is.shape![i] === "number" && d !== is.shape![i]);
    if (differs) faults.push(`${value.name} is [${is.shape}], declared [${shape}]`);
  }
  return faults;
}

/** Lengths, ranks and types of what QuantizeLinear and DequantizeLinear read. */
function quantizerFaults(node: Node): string[] {
  if (node.domain !== "" || !["QuantizeLinear", "DequantizeLinear"].includes(node.op)) return [];
  const faults: string[] = [];
  const scale = node.input(1)?.initializer;
  const zero = node.input(2)?.initializer;
  const x = node.input(0);
  const data = x?.initializer?.shape ?? tensorOf(x)?.shape;
  const stored =
    node.op === "DequantizeLinear" ? (x?.initializer?.dtype ?? tensorOf(x)?.dtype) : tensorOf(node.output)?.dtype;
  if (!scale) return faults;
  if (!scale.numbers().every((s) => s > 0 && Number.isFinite(s))) faults.push(`${node}: a scale is no positive number`);
  if (zero && `${zero.shape}` !== `${scale.shape}`)
    faults.push(`${node}: zero point [${zero.shape}], scale [${scale.shape}]`);
  if (zero && stored && zero.dtype !== stored) faults.push(`${node}: zero point ${zero.dtype}, integers ${stored}`);
  if (stored === "int32" && zero) faults.push(`${node}: int32 with a zero point`);
  const block = node.int("block_size", 0);
  const axis = node.int("axis", 1);
  if (scale.shape.length === 0 || !data) return faults;
  const at = axis < 0 ? axis + data.length : axis;
  if (block > 0) {
    const wanted = data.map((d, i) => (i === at && typeof d === "number" ? Math.ceil(d / block) : d));
    if (`${scale.shape}` !== `${wanted}`) faults.push(`${node}: scale [${scale.shape}] for blocks of [${data}]`);
  } else if (scale.shape.length !== 1 || (typeof data[at] === "number" && data[at] !== sizeOf(scale.shape))) {
    faults.push(`${node}: scale [${scale.shape}] along axis ${axis} of [${data}]`);
  }
  return faults;
}
