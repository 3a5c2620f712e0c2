/**
 * Constants that are only moved or widened, folded without executing anything: what `inspect` and `plan` know of a model is
 * then what `quantize` finds, which folds by execution. The elements are made when they are first asked for.
 */
import { refuse } from "../../base/inner.ts";
import { constantNumbers, constantOf, isOp } from "../../facts/inner.ts";
import type { Node } from "../../ir/inner.ts";
import { arrayKind, dtypeOfOnnx, sizeOf, Tensor } from "../../tensor/inner.ts";
import type { Pass } from "../pass.ts";
import { passOf, rule } from "../rule.ts";

/** A node whose output is a constant in another form becomes that constant. */
export const moveConstant = rule<{ node: Node; tensor: Tensor }>({
  name: "move-constants",
  match(node) {
    const from = constantOf(node.input(0));
    const tensor = from && movedBy(node, from);
    return tensor && { node, tensor };
  },
  check: ({ node }) => (node.output.isGraphOutput ? refuse(`${node.output.name} is a graph output`) : true),
  rewrite({ node, tensor }, graph) {
    const old = node.output;
    const { name } = old;
    const made = graph.addInitializer(name, tensor);
    graph.replaceUses(old, made);
    graph.remove(node);
    graph.rename(made, name);
  },
});

export const moveConstants: Pass = passOf("move-constants", [moveConstant]);

function movedBy(node: Node, from: Tensor): Tensor | undefined {
  if (isOp(node, "Identity")) return from;
  if (isOp(node, "Cast")) return widened(node, from);
  if (isOp(node, "Transpose")) return transposed(from, node.ints("perm") ?? from.shape.map((_, i) => i).reverse());
  const shape = reshapedTo(node, from.shape);
  return shape && sizeOf(shape) === from.size ? from.reshape(shape) : undefined;
}

/** To float32, as every smaller float fits into it; what is wider is rounded as Cast does. */
function widened(node: Node, from: Tensor): Tensor | undefined {
  const isFloat = /^(float16|bfloat16|float64|float32)$/.test(from.dtype);
  if (!isFloat || dtypeOfOnnx(node.int("to", 0)) !== "float32") return undefined;
  return Tensor.lazy("float32", from.shape, () => from.floats());
}

function transposed(from: Tensor, perm: readonly number[]): Tensor | undefined {
  const { shape, dtype, size } = from;
  const isWhole = /^(float|bfloat16|u?int(8|16|32|64)|bool)/.test(dtype) && !dtype.startsWith("float8");
  if (!isWhole || perm.length !== shape.length || [...perm].sort((a, b) => a - b).some((axis, i) => axis !== i)) {
    return undefined;
  }
  const lengths = perm.map((axis) => shape[axis]!);
  const steps = shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
  return Tensor.lazy(dtype, lengths, () => {
    const data = from.data as Float32Array;
    const out = new (arrayKind(dtype))(size) as Float32Array;
    const at = new Array<number>(perm.length).fill(0);
    for (let i = 0, place = 0; i < size; i++) {
      out[i] = data[place]!;
      for (let axis = perm.length - 1; axis >= 0; axis--) {
        const step = steps[perm[axis]!]!;
        place += step;
        if (++at[axis]! < lengths[axis]!) break;
        place -= step * lengths[axis]!;
        at[axis] = 0;
      }
    }
    return out;
  });
}

function reshapedTo(node: Node, shape: readonly number[]): number[] | undefined {
  const rank = shape.length;
  if (isOp(node, "Flatten")) {
    const axis = node.int("axis", 1);
    const cut = axis < 0 ? axis + rank : axis;
    return cut >= 0 && cut <= rank ? [sizeOf(shape.slice(0, cut)), sizeOf(shape.slice(cut))] : undefined;
  }
  if (isOp(node, "Reshape")) {
    const wanted = constantNumbers(node.input(1));
    if (!wanted || node.int("allowzero", 0) !== 0) return undefined;
    const lengths = wanted.map((length, i) => (length === 0 ? (shape[i] ?? 0) : length));
    const known = lengths.filter((length) => length >= 0).reduce((a, b) => a * b, 1);
    const open = lengths.filter((length) => length < 0).length;
    if (open > 1 || (open === 1 && (known === 0 || sizeOf(shape) % known !== 0))) return undefined;
    return lengths.map((length) => (length < 0 ? sizeOf(shape) / known : length));
  }
  if (!isOp(node, "Squeeze", "Unsqueeze")) return undefined;
  const axes = node.ints("axes") ?? constantNumbers(node.input(1));
  if (isOp(node, "Squeeze")) {
    if (!axes && node.input(1)) return undefined;
    const gone = axes?.map((axis) => (axis < 0 ? axis + rank : axis));
    if (gone?.some((axis) => shape[axis] !== 1)) return undefined;
    return shape.filter((length, axis) => (gone ? !gone.includes(axis) : length !== 1));
  }
  if (!axes) return undefined;
  const made = rank + axes.length;
  const places = new Set(axes.map((axis) => (axis < 0 ? axis + made : axis)));
  if (places.size !== axes.length || [...places].some((axis) => axis < 0 || axis >= made)) return undefined;
  const rest = [...shape];
  return Array.from({ length: made }, (_, axis) => (places.has(axis) ? 1 : rest.shift()!));
}
