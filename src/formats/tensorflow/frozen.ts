/** Graphs without signature (frozen .pb): placeholders are the inputs, and what nobody reads are the outputs. */
import { AvocetError } from "../../base/inner.ts";
import { Faults } from "../onnx/scope.ts";
import { Decoding, decode } from "../protobuf/decode.ts";
import type { SourceFile } from "../source-format.ts";
import { graphFromProto, type SourceGraph } from "./graph.ts";
import type { Source, SourceInput, SourceOutput } from "./import.ts";
import { expectWhole } from "./saved-model.ts";
import { graphType } from "./schema.ts";

/** A frozen graph. */
export function readFrozen({ name: file, bytes }: SourceFile): Source {
  const proto = decode(graphType, bytes, new Decoding(file, "a TensorFlow graph"));
  const faults = new Faults();
  const graph = graphFromProto(proto, file, faults);
  expectWhole(faults, file);
  return { file, graph, ...openEnds(graph, file) };
}

/** Operators whose results nobody reads although they are no outputs. */
const silent = new Set(["Const", "NoOp", "Assert", "Placeholder", "SaveV2", "VarHandleOp", "VariableV2"]);

/** Inputs and outputs, as far as the graph tells them. */
export function openEnds(graph: SourceGraph, file: string): { inputs: SourceInput[]; outputs: SourceOutput[] } {
  const read = new Set<string>();
  for (const node of graph.nodes.values()) for (const input of node.inputs) read.add(input.node);
  const inputs: SourceInput[] = [];
  const outputs: SourceOutput[] = [];
  for (const { name, op, attributes } of graph.nodes.values()) {
    if (op === "Placeholder")
      inputs.push({ name, node: name, dtype: attributes.type("dtype"), shape: attributes.shape("shape") });
    else if (!read.has(name) && !silent.has(op)) outputs.push({ name, from: { node: name, output: null, index: 0 } });
  }
  if (outputs.length > 0) return { inputs, outputs };
  throw new AvocetError("import/malformed", "expected a graph with outputs, got none", { at: file });
}
