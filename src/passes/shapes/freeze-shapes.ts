/**
 * In a model whose inputs have fixed lengths, almost every shape is fixed too. This pass runs the model once, writes
 * the traced types on the values, and fold-shapes then turns the shape arithmetic into constants. Shapes that depend on
 * what is inside the inputs (NonZero, a Range up to an input …) are found beforehand and left open.
 */

import { AvocetError } from "../../base/inner.ts";
import { constantOf, declaredDType, isOp } from "../../facts/inner.ts";
import { limits } from "../../formats/inner.ts";
import { type Graph, type Node, staticShape, type TensorType, type Value } from "../../ir/inner.ts";
import { rowOf } from "../../ops/inner.ts";
import { type Runtime, traceShapes } from "../../runtime/inner.ts";
import { arrayKind, byteLength, dtypes, type Feeds, sizeOf, Tensor } from "../../tensor/inner.ts";
import type { Pass } from "../pass.ts";

/** The pass for this runtime. It counts values whose type became known, and does nothing where there is no Shape. */
export function freezeShapes(runtime: Runtime): Pass {
  return {
    name: "freeze-shapes",
    async run(model, refuse) {
      const { graph } = model;
      const inputs = graph.inputs.filter((input) => !input.initializer);
      if (!inputs.every((input) => staticShape(input.type) && feedable(input))) return 0;
      const asks = [...graph.nodes].find((node) => isOp(node, "Shape") && !constantOf(node.output));
      if (!asks) return 0;
      const open = valuesOfOpenShape(graph);
      const unknown = [...graph.values()].filter(
        (value) => value.producer && !open.has(value) && !staticShape(value.type),
      );
      if (unknown.length === 0) return 0;
      // A file may say any length: what no machine could be fed is not tried.
      const bytes = inputs.reduce(
        (sum, input) => sum + byteLength(declaredDType(input)!, sizeOf(staticShape(input.type)!)),
        0,
      );
      if (bytes > limits.tracedInputBytes) {
        refuse?.(asks, `the model takes inputs of ${bytes} bytes: it is not run to find its shapes`);
        return 0;
      }
      const feeds: Feeds = Object.fromEntries(inputs.map((input) => [input.name, ones(input)]));
      const types = await traceShapes(model, runtime, feeds).catch((error: unknown) => {
        // An index of one, say, may be out of bounds: then the shapes stay open.
        if (!AvocetError.is(error) || error.code !== "runtime/run") throw error;
        refuse?.(asks, `the model does not run on ones: ${error.message}`);
        return new Map<string, TensorType>();
      });
      let edits = 0;
      for (const value of unknown) {
        const type = types.get(value.name);
        if (!type) continue;
        value.type = type;
        edits++;
      }
      return edits;
    },
  };
}

function feedable(input: Value): boolean {
  const dtype = declaredDType(input);
  return dtype !== undefined && dtype !== "string" && dtypes[dtype].bits >= 8 && dtypes[dtype].kind !== "complex";
}

/** Ones are legal indices almost everywhere, and never divide by zero. */
function ones(input: Value): Tensor {
  const dtype = declaredDType(input)!;
  const shape = staticShape(input.type)!;
  const data = new (arrayKind(dtype))(sizeOf(shape));
  if (dtype === "float16") data.fill(0x3c00 as never);
  else if (dtype === "bfloat16") data.fill(0x3f80 as never);
  else if (data instanceof BigInt64Array || data instanceof BigUint64Array) data.fill(1n);
  else data.fill(1);
  return Tensor.of(dtype, shape, data);
}

/** Operators that read the lengths of their result from these inputs. */
const shapeInputs: Readonly<Record<string, readonly number[]>> = {
  AffineGrid: [1],
  BlackmanWindow: [0],
  CenterCropPad: [1],
  Col2Im: [1, 2],
  ConstantOfShape: [0],
  DFT: [1, 2],
  Expand: [1],
  HammingWindow: [0],
  HannWindow: [0],
  MaxUnpool: [2],
  MelWeightMatrix: [0, 1],
  OneHot: [1],
  Pad: [1, 3],
  Range: [0, 1, 2],
  Reshape: [1],
  Resize: [2, 3],
  STFT: [1, 3],
  Slice: [1, 2, 3, 4],
  Split: [1],
  Squeeze: [1],
  Tile: [1],
  TopK: [1],
  Unsqueeze: [1],
  Upsample: [1],
};

/** Operators whose result is as long as what they find, and those that we cannot look into. */
const found =
  /^(NonZero|Compress|Unique|NonMaxSuppression|Loop|If|Scan|ImageDecoder|TfIdfVectorizer|String.*|Sequence.*|Optional.*|SplitToSequence|ConcatFromSequence)$/;

/** The values whose shape may change while the shapes of the inputs do not. */
function valuesOfOpenShape(graph: Graph): Set<Value> {
  const open = new Set<Value>();
  // Values whose elements depend on the elements of the inputs, and not only on their shapes.
  const fed = new Set<Value>(graph.inputs.filter((input) => !input.initializer));
  for (const node of graph.nodes) {
    const reads = (values: ReadonlySet<Value>, index: number) => {
      const value = node.input(index);
      return value !== null && values.has(value);
    };
    const all = node.inputs.map((_, i) => i);
    const shape = isOp(node, "Shape", "Size");
    const isOpen = all.some((i) => reads(open, i)) || isOpenHere(node, (i) => reads(fed, i));
    const isFed = shape ? isOpen : all.some((i) => reads(fed, i)) || isOpen || rowOf(node)?.random === true;
    for (const output of node.outputs) {
      if (isOpen && !shape) open.add(output);
      if (isFed || (found.test(node.op) && node.inputs.length === 0)) fed.add(output);
    }
  }
  return open;
}

function isOpenHere(node: Node, isFed: (index: number) => boolean): boolean {
  if (!rowOf(node) || node.domain !== "" || found.test(node.op)) return true;
  // All axes by default: which have length 1 is a matter of shapes. ReduceX with given axes, the same.
  const reduces = /^Reduce/.test(node.op) ? [1] : [];
  return [...(shapeInputs[node.op] ?? []), ...reduces].some(isFed);
}
