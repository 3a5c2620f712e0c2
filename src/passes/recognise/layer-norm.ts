/**
 * LayerNormalization and RMSNormalization that exporters took apart:
 *
 *   d = x − mean(x),  y = d / √(mean(d²) + ε) · γ + β            (mean over the last axis)
 *   y = x / √(mean(x²) + ε) · γ
 *
 * The fused operator rounds in another order, so outputs agree to float32 rounding and not to the bit.
 */

import { refuse } from "../../base/inner.ts";
import { constantNumbers, floatConstant, isOp, type LengthTable, onlyReader, rankOf } from "../../facts/inner.ts";
import type { Node, Value } from "../../ir/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import { any, type Bindings, constant, either, match, op, opWhere, type Pattern, readElsewhere } from "../pattern.ts";
import { replaceNode } from "../replace-node.ts";
import { type Rule, rule } from "../rule.ts";

const isScalar = (numbers: readonly number[]) => numbers.length === 1;

/** The mean over the last axis, which stays with length 1. */
function meanOfLast(x: Pattern): Pattern {
  const overLast = (node: Node) => {
    const axes = node.ints("axes") ?? constantNumbers(node.input(1));
    const rank = rankOf(node.input(0));
    return axes?.length === 1 && node.int("keepdims", 1) === 1 && (axes[0] === -1 || axes[0] === (rank ?? 0) - 1);
  };
  return either(opWhere("ReduceMean", overLast, x), opWhere("ReduceMean", overLast, x, constant("axes")));
}

const squareOf = (x: Pattern): Pattern =>
  either(
    op("Mul", x, x),
    op(
      "Pow",
      x,
      constant("two", (n) => n.length === 1 && n[0] === 2),
    ),
  );

/** numerator / √(mean(of²) + ε), in its spellings. */
function normalized(numerator: Pattern, of: Pattern): Pattern {
  const deviation = op("Sqrt", op("Add", meanOfLast(squareOf(of)), constant("epsilon", isScalar)));
  return either(
    op("Div", numerator, deviation),
    op("Mul", numerator, op("Reciprocal", deviation)),
    op(
      "Mul",
      numerator,
      op(
        "Div",
        constant("one", (n) => n.length === 1 && n[0] === 1),
        deviation,
      ),
    ),
  );
}

const x = any("x");
const centred = op("Sub", x, meanOfLast(x));
const layerNorm = normalized(centred, centred);
const rmsNorm = normalized(x, x);

interface Found {
  readonly bound: Bindings;
  /** The normalization itself, and the Mul and Add by parameters of the last axis behind it. */
  readonly core: Node;
  readonly scale: { readonly node: Node; readonly value: Tensor } | undefined;
  readonly bias: { readonly node: Node; readonly value: Tensor } | undefined;
  /** Length of the last axis, where it is known. */
  readonly channels: number | undefined;
}

function find(node: Node, pattern: Pattern, withBias: boolean, lengths: LengthTable): Found | undefined {
  if (!isOp(node, "Div", "Mul")) return undefined;
  const bound = match(pattern, node);
  if (!bound) return undefined;
  const scale = parameterAfter(node.output, "Mul");
  const bias = scale && withBias ? parameterAfter(scale.node.output, "Add") : undefined;
  const length = lengths.of(bound.value("x"))?.at(-1);
  const known = typeof length === "number" ? length : undefined;
  const channels = scale && scale.value.size > 1 ? scale.value.size : known;
  return { bound, core: node, scale, bias, channels };
}

/** The only reader, when it is this operator with a constant of the last axis. */
function parameterAfter(value: Value, op: "Mul" | "Add"): Found["scale"] {
  const node = onlyReader(value);
  if (!isOp(node, op)) return undefined;
  const tensor = floatConstant(node.input(node.input(0) === value ? 1 : 0));
  if (!tensor?.shape.slice(0, -1).every((d) => d === 1)) return undefined;
  return { node, value: tensor };
}

/** The normalization whose last step, parameters aside, is this node; its inside may be read elsewhere. */
export function findNormalization(
  node: Node,
  lengths: LengthTable,
): (Found & { readonly kind: "layer" | "rms" }) | undefined {
  const layer = find(node, layerNorm, true, lengths);
  if (layer) return { ...layer, kind: "layer" };
  const rms = find(node, rmsNorm, false, lengths);
  return rms && { ...rms, kind: "rms" };
}

function refusal({ bound, core, channels }: Found) {
  const outside = readElsewhere(bound);
  if (outside) return refuse(`${outside.name}, which is inside ${core}, is read elsewhere`);
  return channels === undefined ? refuse("the length of its last axis is not known") : (true as const);
}

function rewrite(op: string, { bound, core, scale, bias, channels }: Found): void {
  const graph = core.graph!;
  const spread = (tensor: Tensor | undefined, fill: number) => {
    const numbers = tensor?.numbers() ?? [fill];
    const all = Array.from({ length: channels! }, (_, c) => numbers[numbers.length === 1 ? 0 : c]!);
    return Tensor.float32([channels!], all);
  };
  const last = bias?.node ?? scale?.node ?? core;
  const inputs = [bound.value("x"), graph.addInitializer(`${last.output.name}_scale`, spread(scale?.value, 1))];
  if (bias) inputs.push(graph.addInitializer(`${last.output.name}_bias`, spread(bias.value, 0)));
  const epsilon = bound.constant("epsilon").numbers()[0]!;
  replaceNode(last, { op, inputs, attributes: { axis: -1, epsilon: { type: "float", value: epsilon } } });
  for (const node of [bias && scale?.node, scale && core, ...bound.nodes.slice(1)]) {
    if (node?.graph && node !== last && node.outputs.every((value) => value.useCount === 0)) graph.remove(node);
  }
}

/** The rule; the table reports how long the last axis is where no parameter does. */
export function recogniseLayerNorm(lengths: LengthTable): Rule {
  return rule<Found>({
    name: "recognise-layer-norm",
    match: (node) => find(node, layerNorm, true, lengths),
    check: refusal,
    rewrite: (found) => rewrite("LayerNormalization", found),
  });
}

export function recogniseRmsNorm(lengths: LengthTable): Rule {
  return rule<Found>({
    name: "recognise-rms-norm",
    match: (node) => {
      const found = findNormalization(node, lengths);
      return found?.kind === "rms" ? found : undefined;
    },
    check: refusal,
    rewrite: (found) => rewrite("RMSNormalization", found),
  });
}
