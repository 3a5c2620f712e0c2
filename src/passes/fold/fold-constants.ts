/**
 * Constant folding by execution: whatever depends on constants alone is computed once by the runtime that will run the
 * model, so that every operator folds exactly as it would have run. Random operators, quantizers (folding them would
 * hide that a model is quantized), subgraphs and types that do not cross the runtime's door are left. So is what would
 * make a large result, take long, or end the process: see fold-limits.ts.
 */

import { AvocetError, watched } from "../../base/inner.ts";
import { constantOf, isOp, LengthTable, withSubgraphs } from "../../facts/inner.ts";
import { Graph, Model, type Node, type Value } from "../../ir/inner.ts";
import { rowOf } from "../../ops/inner.ts";
import { crosses, type Runtime } from "../../runtime/inner.ts";
import { dtypes, type Tensor } from "../../tensor/inner.ts";
import type { Pass, Refuse } from "../pass.ts";
import { FoldLimits } from "./fold-limits.ts";

export interface FoldOptions {
  /** A result may have this many bytes more than the constants that it replaces. Default 64 KiB. */
  readonly growth?: number;
}

/** The pass for this runtime. */
export function foldConstants(runtime: Runtime, { growth = 1 << 16 }: FoldOptions = {}): Pass {
  return {
    name: "fold-constants",
    async run(model, refuse) {
      let edits = 0;
      const limits = new FoldLimits(model, growth);
      for (const graph of withSubgraphs(model.graph)) edits += await foldGraph(model, graph, runtime, limits, refuse);
      return edits;
    },
  };
}

async function foldGraph(
  model: Model,
  graph: Graph,
  runtime: Runtime,
  limits: FoldLimits,
  refuse?: Refuse,
): Promise<number> {
  let edits = 0;
  // Each node is refused once.
  const left = new Set<Node>();
  // How large a result is may only be known once its inputs are: in the next round.
  for (;;) {
    const folding = foldable(graph, limits, left, refuse);
    const folded = await fold(model, graph, folding, runtime).catch(async (error: unknown) => {
      if (!AvocetError.is(error) || !error.code.startsWith("runtime/")) throw error;
      return await foldOneByOne(model, graph, folding, left, runtime, refuse);
    });
    if (folded === 0) return edits;
    edits += folded;
  }
}

function foldable(graph: Graph, limits: FoldLimits, left: Set<Node>, refuse?: Refuse): Set<Node> {
  const folding = new Set<Node>();
  const known = (value: Value | null): boolean =>
    value === null || constantOf(value) !== undefined || (value.producer !== null && folding.has(value.producer));
  let lengths: LengthTable | undefined;
  for (const node of graph.nodes) {
    if (isOp(node, "Constant") || left.has(node) || !node.inputs.every(known) || !canRun(node)) continue;
    // What the file says of shapes is not believed here: it may be made up.
    lengths ??= new LengthTable(graph, { believes: false });
    const verdict = limits.judge(node, lengths);
    if (verdict === "later") continue;
    if (verdict === "now") folding.add(node);
    else {
      left.add(node);
      refuse?.(node, verdict.refused);
    }
  }
  return folding;
}

/** An honest constant takes milliseconds; a Loop without an end takes for ever. */
const foldSeconds = 60;

/** For the message when one of them takes the process with it: enough names to find it. */
function namesOf(nodes: ReadonlySet<Node>): string {
  const names = [...nodes].slice(0, 8).map((node) => `${node.op} ${node.name || node.outputs[0]?.name}`);
  return nodes.size > names.length ? `${names.join(", ")} and ${nodes.size - names.length} more` : names.join(", ");
}

/** Computes these nodes in one run and puts constants in their place; returns how many nodes went. */
async function fold(model: Model, graph: Graph, nodes: ReadonlySet<Node>, runtime: Runtime): Promise<number> {
  const results = [...nodes].flatMap((node) => node.outputs.filter((output) => isReadOutside(output, nodes)));
  if (results.length === 0) return 0;
  const computed = await watched(
    () => ({ what: "folding constants", at: namesOf(nodes), seconds: foldSeconds }),
    () => evaluate(model, nodes, results, runtime),
  );
  for (const value of results) replaceByConstant(graph, value, computed.get(value)!);
  for (const node of [...nodes].reverse()) graph.remove(node);
  return nodes.size;
}

/** One node that the runtime has no kernel for should not keep all others from folding. */
async function foldOneByOne(
  model: Model,
  graph: Graph,
  nodes: ReadonlySet<Node>,
  left: Set<Node>,
  runtime: Runtime,
  refuse?: Refuse,
): Promise<number> {
  let edits = 0;
  for (const node of nodes) {
    if (!node.inputs.every((value) => value === null || constantOf(value))) continue;
    try {
      edits += await fold(model, graph, new Set([node]), runtime);
    } catch (error) {
      if (!AvocetError.is(error) || !error.code.startsWith("runtime/")) throw error;
      left.add(node);
      refuse?.(node, `the runtime does not compute it: ${error.message}`);
    }
  }
  return edits;
}

/** Whether the runtime may compute it: a known deterministic operator over types that cross the door. */
function canRun(node: Node): boolean {
  const row = rowOf(node);
  if (!row || [...node.subgraphs()].length > 0) return false;
  // A constant that the graph returns needs a node that computes it: this one.
  if (isOp(node, "Identity") && node.output.isGraphOutput) return false;
  if (row.random && !(isOp(node, "Dropout") && node.inputs.length < 3)) return false;
  if (/QuantizeLinear|DequantizeLinear|^Sequence|^Optional|^SplitToSequence|^ConcatFromSequence/.test(node.op))
    return false;
  if ([...node.attributes.values()].some((a) => a.type === "reference" || a.type === "opaque")) return false;
  if (node.inputs.some((value) => value && !crosses(constantOf(value)?.dtype ?? "float32"))) return false;
  const to = isOp(node, "Cast")
    ? Object.entries(dtypes).find(([, facts]) => facts.onnx === node.int("to"))?.[0]
    : undefined;
  return to === undefined || crosses(to as keyof typeof dtypes);
}

function isReadOutside(value: Value, folding: ReadonlySet<Node>): boolean {
  for (const use of value.uses()) if (!("node" in use && folding.has(use.node))) return true;
  return false;
}

/** Runs the folding nodes as a model of their own. */
async function evaluate(
  model: Model,
  nodes: ReadonlySet<Node>,
  results: readonly Value[],
  runtime: Runtime,
): Promise<Map<Value, Tensor>> {
  const graph = new Graph("constants");
  const part = new Model(graph, model.opsets);
  part.irVersion = model.irVersion;
  const copies = new Map<Value, Value>();
  const copyOf = (value: Value): Value => {
    const made = copies.get(value) ?? graph.addInitializer(value.name, constantOf(value)!);
    copies.set(value, made);
    return made;
  };
  for (const node of nodes) {
    const made = graph.insert({
      op: node.op,
      domain: node.domain,
      inputs: node.inputs.map((value) => (value ? copyOf(value) : null)),
      outputs: node.outputs.map((value) => value.name),
      attributes: node.attributes,
    });
    node.outputs.forEach((value, i) => {
      copies.set(value, made.outputs[i]!);
    });
  }
  graph.setOutputs(results.map((value) => copies.get(value)!));
  await using session = await runtime.open(part, { optimization: "off" });
  const outputs = await session.run({});
  return new Map(results.map((value) => [value, outputs[copies.get(value)!.name]!]));
}

/** The computed value becomes a constant of the same name; a graph output gets its Identity from `replaceUses`. */
function replaceByConstant(graph: Graph, value: Value, tensor: Tensor): void {
  const made = graph.addInitializer(value.name, tensor);
  const { name } = value;
  const wasOutput = value.isGraphOutput;
  graph.replaceUses(value, made);
  if (!wasOutput) {
    graph.setAside(value);
    graph.rename(made, name);
  }
}
