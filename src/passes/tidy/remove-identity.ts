/**
 * Removes nodes that hand their input on: Identity, Dropout in inference, and Reshape, Cast, Pad, Slice, Transpose,
 * Concat, Expand … where it can be proved that nothing changes.
 */

import { refuse } from "../../base/inner.ts";
import { constantNumbers, declaredDType, isOp, rankOf } from "../../facts/inner.ts";
import { type Graph, type Node, staticShape } from "../../ir/inner.ts";
import { dtypes } from "../../tensor/inner.ts";
import type { Pass } from "../pass.ts";
import { passOf, rule } from "../rule.ts";

/** For each operator, whether this node provably hands its first input on. */
const handsOn: Readonly<Record<string, (node: Node) => boolean>> = {
  Identity: () => true,
  Dropout: (node) => {
    const training = node.input(2);
    return (
      (!training || constantNumbers(training)?.[0] === 0) &&
      (node.outputs[1] === undefined || node.outputs[1].useCount === 0)
    );
  },
  Cast: (node) => {
    const from = declaredDType(node.input(0));
    return from !== undefined && dtypes[from].onnx === node.int("to");
  },
  CastLike: (node) => {
    const from = declaredDType(node.input(0));
    return from !== undefined && from === declaredDType(node.input(1));
  },
  Reshape: (node) => {
    const target = constantNumbers(node.input(1));
    if (!target || node.int("allowzero", 0) !== 0) return false;
    const x = node.input(0)!;
    if (rankOf(x) !== target.length) return false;
    const before = x.type?.kind === "tensor" ? x.type.shape : null;
    // One −1 stands for what is left over, and 0 for the same length: both are the old length if all others are.
    const open = target.filter((d) => d === -1).length;
    return open <= 1 && target.every((d, i) => d <= 0 || d === before?.[i]) && !(open === 1 && before?.includes(0));
  },
  Transpose: (node) => node.ints("perm")?.every((axis, i) => axis === i) ?? false,
  Pad: (node) => {
    const pads = node.ints("pads") ?? constantNumbers(node.input(1));
    return pads?.every((p) => p === 0) ?? false;
  },
  Slice: (node) => {
    const starts = node.ints("starts") ?? constantNumbers(node.input(1));
    const ends = node.ints("ends") ?? constantNumbers(node.input(2));
    const steps = node.input(4) ? constantNumbers(node.input(4)) : starts?.map(() => 1);
    if (!starts || !ends || !steps) return false;
    const shape = staticShape(node.input(0)?.type);
    const axes = node.ints("axes") ?? (node.input(3) ? constantNumbers(node.input(3)) : starts.map((_, i) => i));
    if (!axes) return false;
    // An end of 2³¹ − 1 or more is ONNX's way to say "to the end"; no axis is longer.
    const toTheEnd = (i: number) => {
      const length = shape?.at(axes[i]!);
      return ends[i]! >= 2 ** 31 - 1 || (length !== undefined && ends[i]! >= length);
    };
    return starts.every((start, i) => start === 0 && steps[i] === 1 && toTheEnd(i));
  },
  Concat: (node) => node.inputs.length === 1,
  Sum: (node) => node.inputs.length === 1,
  Max: (node) => node.inputs.length === 1,
  Min: (node) => node.inputs.length === 1,
  Mean: (node) => node.inputs.length === 1,
  Expand: (node) => {
    const before = staticShape(node.input(0)?.type);
    const target = constantNumbers(node.input(1));
    if (!before || !target || target.length > before.length) return false;
    return target.every((d, i) => d === 1 || d === before[before.length - target.length + i]);
  },
  Tile: (node) => constantNumbers(node.input(1))?.every((n) => n === 1) ?? false,
  Flatten: (node) => {
    const shape = node.input(0)?.type;
    return shape?.kind === "tensor" && shape.shape?.length === 2 && [1, -1].includes(node.int("axis", 1));
  },
};

export const removeIdentityNode = rule<Node>({
  name: "remove-identity",
  match: (node) => (isOp(node, ...Object.keys(handsOn)) && node.input(0) && handsOn[node.op]!(node) ? node : undefined),
  check: (node) => {
    const x = node.input(0)!;
    if (!node.output.isGraphOutput) return true;
    // The graph output must keep its name, so the producer of x would have to take it over.
    if (!x.producer) return refuse(`the graph returns its own ${x.isGraphInput ? "input" : "constant"} ${x.name}`);
    if (x.isGraphOutput) return refuse(`${x.name} and ${node.output.name} are both graph outputs`);
    return x.graph === node.graph ? true : refuse(`${x.name} belongs to an outer graph`);
  },
  rewrite: (node, graph: Graph) => {
    const x = node.input(0)!;
    x.type ??= node.output.type;
    graph.replaceUses(node.output, x);
    graph.remove(node);
  },
});

export const removeIdentities: Pass = passOf("remove-identity", [removeIdentityNode]);
