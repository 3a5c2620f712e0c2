/**
 * Half precision: the operators of a lowered file compute in float16, with Casts where they meet those that stay in float32. What may be
 * half is asked operator by operator (facts/tables/half.ts); what of this model must stay, because its numbers do not fit, the plan says.
 * Integer kernels read float32, so that what stands between quantizers stays as it is.
 */
import { declaredDType, dtypeMadeBy, halfRows, initializerOf, rowIn } from "../../facts/inner.ts";
import { addNode, type Graph, type Model, type Node, type Place, tensorType, type Value } from "../../ir/inner.ts";
import { type DType, dtypes, Tensor } from "../../tensor/inner.ts";
import type { HalfPrecision, NotQuantized } from "../plan/plan.ts";
import { exactNodes } from "./exact-nodes.ts";
import { type HalfConstant, halfConstant } from "./half-constant.ts";
import type { HalfReport } from "./lowered.ts";
import type { LoweringRecord } from "./record.ts";

/** Rewrites the main graph in place. `record` knows what became of the values of the float model. */
export function toHalf(
  { graph }: Model,
  half: HalfPrecision,
  record: Pick<LoweringRecord, "float" | "narrows">,
): HalfReport {
  const types = typesOf(graph);
  const asked = new Map<Node, string>();
  for (const { value, reason } of half.float) {
    const node = record.float(value)?.producer;
    if (node) asked.set(node, reason);
  }
  const exact = exactNodes(graph);
  const conversion = new Conversion(graph, types);
  const float: NotQuantized[] = [];
  const chosen: Node[] = [];
  for (const node of graph.nodes) {
    if (![...node.inputs, ...node.outputs].some((value) => value && types.get(value) === "float32")) continue;
    const reason = asked.get(node) ?? exact.get(node) ?? conversion.refusal(node);
    if (reason === undefined) {
      conversion.add(node);
      chosen.push(node);
    } else if (!isCast(node)) float.push({ value: node.output.name, reason });
  }
  // Weights of integer kernels are dequantized to float32.
  const inHalf = new Set(chosen);
  const used = chosen.filter(
    (node) => !isOp(node, "DequantizeLinear") || node.output.consumers().some((one) => inHalf.has(one)),
  );
  for (const node of used) inHalf.delete(node);
  for (const node of inHalf) conversion.remove(node);
  if (half.ports) conversion.addPorts();
  conversion.apply(used, half.ports === true);
  conversion.tell(record);
  return { nodes: used.length, float };
}

/** The element types of all values of a graph, as far as they follow. */
function typesOf(graph: Graph): Map<Value, DType | undefined> {
  const found = new Map<Value, DType | undefined>();
  const of = (value: Value | null) => (value ? (found.get(value) ?? declaredDType(value)) : undefined);
  for (const value of [...graph.inputs, ...graph.initializers]) found.set(value, declaredDType(value));
  for (const node of graph.nodes) {
    for (const [i, value] of node.outputs.entries()) {
      if (value.name !== "") found.set(value, dtypeMadeBy(node, i, of) ?? declaredDType(value));
    }
  }
  return found;
}

function isCast(node: Node): boolean {
  return node.op === "Cast" && node.domain === "";
}

class Conversion {
  readonly #graph: Graph;
  readonly #types: ReadonlyMap<Value, DType | undefined>;
  /** Values that are float16 themselves. */
  readonly #half = new Set<Value>();
  readonly #constants = new Map<Value, HalfConstant>();
  readonly #narrowed = new Map<Value, Value>();
  readonly #widened = new Map<Value, Value>();

  constructor(graph: Graph, types: ReadonlyMap<Value, DType | undefined>) {
    this.#graph = graph;
    this.#types = types;
  }

  /** Why the node stays in float32; undefined: it computes in half precision. */
  refusal(node: Node): string | undefined {
    const row = rowIn(halfRows, node);
    if (!row) return unknownOf(node);
    for (const [index, input] of this.#floats(node).entries()) {
      if (!input) continue;
      const source = input.producer;
      if (isOp(source, "DequantizeLinear") && !isStored(source))
        return "it reads what was quantized, as integer kernels do";
      if (!initializerOf(input)) continue;
      const made = this.#constant(input);
      const bounds = row.clamps === true && (node.op !== "Clip" || index > 0);
      if (made.refused !== undefined && !(made.clamped && bounds)) return made.refused;
    }
    if (isOp(node, "DequantizeLinear") && !isStored(node)) return "it reads integers that are computed";
    const unknown = node.outputs.find((value) => value.name !== "" && this.#types.get(value) === undefined);
    if (unknown) return `the element type of ${unknown.name} is not known`;
    // What only moves data follows what gives it: two Casts would be all that changes.
    const first = node.input(0);
    const moved = movement.has(node.op) && first?.producer && this.#types.get(first) === "float32";
    return moved && !this.#half.has(first) ? "it moves what is float32" : undefined;
  }

  add(node: Node): void {
    for (const value of node.outputs) if (this.#types.get(value) === "float32") this.#half.add(value);
  }

  remove(node: Node): void {
    for (const value of node.outputs) this.#half.delete(value);
  }

  /** The model takes and returns half precision. */
  addPorts(): void {
    for (const input of this.#graph.inputs)
      if (!input.initializer && this.#types.get(input) === "float32") this.#half.add(input);
  }

  apply(nodes: readonly Node[], ports: boolean): void {
    const inHalf = new Set(nodes);
    for (const value of this.#half)
      value.type = tensorType("float16", value.type?.kind === "tensor" ? value.type.shape : null);
    for (const node of nodes) {
      for (const [index, input] of this.#floats(node).entries())
        if (input && !this.#half.has(input)) this.#graph.setInput(node, index, this.#narrow(input));
      if (isCast(node) && node.int("to", 0) === dtypes.float32.onnx)
        node.attributes.set("to", { type: "int", value: dtypes.float16.onnx });
    }
    for (const value of this.#constants.keys()) if (value.useCount === 0) this.#graph.removeInitializer(value);
    for (const value of [...this.#half]) {
      const readers = value.consumers().filter((node) => !inHalf.has(node));
      const left = value.isGraphOutput && !ports;
      if (readers.length === 0 && !left) continue;
      const wide = this.#widen(value);
      const { name } = value;
      this.#graph.replaceUses(value, wide, (use) =>
        "node" in use ? !inHalf.has(use.node) && use.node !== wide.producer : left,
      );
      if (left && value.name !== name) this.#graph.renameLike(value, `${name}_half`);
    }
    if (ports) this.#narrowOutputs();
    for (const node of nodes) if (isCast(node)) this.#skip(node);
  }

  /** Constants that became half, once those that nobody reads are gone. */
  tell(record: Pick<LoweringRecord, "narrows">): void {
    for (const value of this.#constants.keys()) {
      const half = this.#narrowed.get(value);
      if (half) record.narrows(value, half);
    }
  }

  /** A Cast of the model from half precision to itself. */
  #skip(node: Node): void {
    const input = node.input(0)!;
    const isHalf = input.type?.kind === "tensor" && input.type.dtype === "float16";
    if (!isHalf || node.int("to", 0) !== dtypes.float16.onnx || node.output.isGraphOutput) return;
    this.#graph.replaceUses(node.output, input);
    this.#graph.remove(node);
  }

  /** Outputs that float operators give. */
  #narrowOutputs(): void {
    for (const value of [...this.#graph.outputs]) {
      if (this.#half.has(value) || this.#types.get(value) !== "float32") continue;
      const { name } = value;
      const narrow = this.#narrow(value);
      this.#graph.replaceUses(value, narrow, (use) => !("node" in use));
      if (value.name !== name) this.#graph.renameLike(value, `${name}_float`);
    }
  }

  /** The float inputs of a node that must be half where it is, in their places. */
  #floats(node: Node): (Value | null)[] {
    const fixed = rowIn(halfRows, node)?.float ?? [];
    return node.inputs.map((value, index) =>
      value && !fixed.includes(index) && this.#types.get(value) === "float32" ? value : null,
    );
  }

  #constant(value: Value): HalfConstant {
    const found = this.#constants.get(value) ?? halfConstant(value.name, initializerOf(value)!);
    this.#constants.set(value, found);
    return found;
  }

  #narrow(value: Value): Value {
    const known = this.#narrowed.get(value);
    if (known) return known;
    const made = initializerOf(value) ? this.#constantValue(value) : this.#cast(value, "float16");
    this.#narrowed.set(value, made);
    return made;
  }

  /** The constant in half precision; the float one goes where nobody reads it any more. */
  #constantValue(value: Value): Value {
    const { shape } = value.initializer!;
    const { load } = this.#constant(value);
    return this.#graph.addInitializer(`${value.name}_half`, Tensor.lazy("float16", shape, load));
  }

  #widen(value: Value): Value {
    const known = this.#widened.get(value) ?? this.#cast(value, "float32");
    this.#widened.set(value, known);
    return known;
  }

  #cast(value: Value, dtype: "float16" | "float32"): Value {
    const [first] = this.#graph.nodes;
    const place: Place | undefined = value.producer ? { after: value.producer } : first && { before: first };
    const output = `${value.name}_${dtype === "float16" ? "half" : "float"}`;
    const node = addNode(
      this.#graph,
      "Cast",
      [value],
      { to: dtypes[dtype].onnx },
      { output, name: `${output}_Cast`, ...(place ? { place } : {}) },
    );
    node.output.type = tensorType(dtype, value.type?.kind === "tensor" ? value.type.shape : null);
    return node.output;
  }
}

const movement = new Set(
  "Reshape Transpose Flatten Squeeze Unsqueeze Concat Split Slice Gather Expand Tile Pad Identity Dropout".split(" "),
);

function isOp(node: Node | null | undefined, op: string): node is Node {
  return node?.domain === "" && node.op === op;
}

/** Whether a DequantizeLinear reads a constant, which may be widened by a Cast. */
function isStored(node: Node): boolean {
  const stored = node.input(0);
  return Boolean(stored?.initializer ?? (isOp(stored?.producer, "Cast") && stored?.producer?.input(0)?.initializer));
}

function unknownOf(node: Node): string {
  const row = (halfRows as Readonly<Record<string, object>>)[node.opName];
  return row && "unknown" in row ? String(row.unknown) : "nothing is known of it in half precision";
}
