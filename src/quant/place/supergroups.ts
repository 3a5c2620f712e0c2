/**
 * Supergroups: chains of operators that the target runs as one, so that only the last output is quantized. AIMET's rules:
 * the longest chain first, no node in two chains, each inner output read once, never beginning with a 3-D or depthwise
 * convolution (unless the target says that its kernels take those too).
 */
import { isRefused } from "../../base/inner.ts";
import {
  addBehind,
  addedVector,
  clipBounds,
  initializerOf,
  isOp,
  isStored,
  onlyReader,
  productAt,
  weightOperand,
} from "../../facts/inner.ts";
import type { Node } from "../../ir/inner.ts";
import type { Facts } from "../facts.ts";
import type { Target } from "../targets/target.ts";

/** Nodes run as one; a node without company is a unit of its own. */
export interface Unit {
  readonly nodes: readonly Node[];
  readonly first: Node;
  readonly last: Node;
  /** For a matrix product with its Add: the Add, whose constant is the bias. */
  readonly biasAdd?: Node;
  /** A normalization written out in arithmetic: its gain is a weight and its shift a bias. */
  readonly normalization?: "layer" | "rms";
}

/** The unit of every node of the main graph. */
export function unitsOf(facts: Facts, target: Target, isKept: (node: Node) => boolean): Map<Node, Unit> {
  const units = new Map<Node, Unit>();
  const claim = (nodes: readonly Node[], more: Pick<Unit, "normalization"> & { biasAdd?: Node | undefined } = {}) => {
    const { biasAdd, normalization } = more;
    const unit: Unit = {
      nodes,
      first: nodes[0]!,
      last: nodes[nodes.length - 1]!,
      ...(biasAdd ? { biasAdd } : {}),
      ...(normalization ? { normalization } : {}),
    };
    for (const node of nodes) units.set(node, unit);
  };
  const nodes = [...facts.model.graph.nodes];
  const products = target.patterns.includes("MatmulAdd") ? matMulAdds(nodes) : new Map<Node, Node>();
  for (const group of target.supergroups) {
    for (const node of nodes) {
      const chain = chainFrom(node, group, facts, target, products);
      if (!chain || chain.some((n) => units.has(n) || isKept(n))) continue;
      claim(chain, { biasAdd: products.get(node) });
    }
  }
  for (const [product, add] of products) {
    if (!units.has(product) && !units.has(add) && !isKept(product) && !isKept(add))
      claim([product, add], { biasAdd: add });
  }
  if (target.patterns.includes("LayerNormalization") || target.patterns.includes("RMSNormalization")) {
    for (const chain of decomposedNormalizations(nodes, target)) {
      if (chain.every((n) => !units.has(n))) {
        claim(chain, { normalization: chain.some((n) => n.op === "Sub") ? "layer" : "rms" });
      }
    }
  }
  for (const node of nodes) if (!units.has(node)) claim([node]);
  return units;
}

/** The nodes of the group's chain that begins at this node, or undefined. */
function chainFrom(
  node: Node,
  group: readonly string[],
  facts: Facts,
  target: Target,
  products: ReadonlyMap<Node, Node>,
): Node[] | undefined {
  const add = products.get(node);
  // A product with its Add is what Gemm is, and runs in its chains; the lone product runs in those of MatMul.
  const start = add ? "Gemm" : node.op;
  if (start !== group[0] || node.domain !== "" || excluded(node, facts, target)) return undefined;
  const chain = add ? [node, add] : [node];
  for (const op of group.slice(1)) {
    const next = onlyReader(chain[chain.length - 1]!.output);
    // A body that reads the value is another graph, which runs on its own.
    if (
      next?.op !== op ||
      next.domain !== "" ||
      next.graph !== node.graph ||
      next.input(0) !== chain[chain.length - 1]!.output
    )
      return undefined;
    if (op === "Clip" && target.kernels && clipBounds(next)?.min !== 0) return undefined;
    chain.push(next);
  }
  return chain;
}

function excluded(node: Node, facts: Facts, target: Target): boolean {
  if (target.depthwiseSupergroups || (node.op !== "Conv" && node.op !== "ConvTranspose")) return false;
  const weight = weightOperand(node);
  const shape = weight ? facts.shape(weight) : undefined;
  if (!shape) return false;
  const groups = node.int("group", 1);
  const alone = node.op === "Conv" ? shape[1] === 1 : shape[0] === groups;
  return shape.length === 5 || (groups > 1 && alone);
}

/** MatMul with a constant matrix whose only reader adds a constant vector: product → Add. */
function matMulAdds(nodes: readonly Node[]): Map<Node, Node> {
  const found = new Map<Node, Node>();
  for (const node of nodes) {
    const layer = isOp(node, "MatMul") ? productAt(node) : undefined;
    if (!layer || isRefused(layer) || isRefused(layer.axes) || !isStored(layer)) continue;
    if (layer.weight.tensor.shape.length !== 2) continue;
    const add = addBehind(node);
    if (add?.graph !== node.graph) continue;
    if (addedVector(node)?.tensor.shape[0] === layer.axes.outputs) found.set(node, add);
  }
  return found;
}

/**
 * Layer norms and RMS norms written out in arithmetic, from the mean (or the square) to the scaled result: everything between
 * the first operator and the last, found from the square root.
 */
function* decomposedNormalizations(nodes: readonly Node[], target: Target): Iterable<Node[]> {
  for (const root of nodes) {
    if (root.op !== "Sqrt" && root.op !== "Rsqrt") continue;
    const add = root.input(0)?.producer;
    const variance =
      add?.op === "Add" ? add.inputs.map((v) => v?.producer).find((n) => n?.op === "ReduceMean") : undefined;
    const square = variance?.input(0)?.producer;
    if (!add || !variance || !square || (square.op !== "Pow" && square.op !== "Mul")) continue;
    const centred = square.input(0)?.producer;
    const mean = centred?.op === "Sub" ? centred.input(1)?.producer : undefined;
    const layer = centred?.op === "Sub" && mean?.op === "ReduceMean";
    if (!target.patterns.includes(layer ? "LayerNormalization" : "RMSNormalization")) continue;
    const chain = layer ? [mean!, centred!, square, variance, add, root] : [square, variance, add, root];
    let next = onlyReader(root.output);
    if (next?.op === "Reciprocal" || (next?.op === "Div" && initializerOf(next.input(0))?.size === 1)) {
      chain.push(next);
      next = onlyReader(next.output);
    }
    if (next?.op !== "Div" && next?.op !== "Mul") continue;
    chain.push(next);
    const scaled = onlyReader(next.output);
    if (scaled?.op === "Mul" && scaled.inputs.some((v) => initializerOf(v))) {
      chain.push(scaled);
      const shifted = onlyReader(scaled.output);
      if (layer && shifted?.op === "Add" && shifted.inputs.some((v) => initializerOf(v))) chain.push(shifted);
    }
    yield chain;
  }
}
