/** ONNX text to models and graphs: the official syntax of onnx/docs/Syntax.md, with a few additions for tests. */
import { expectArguments } from "../../base/inner.ts";
import type { DType, Shape } from "../../tensor/inner.ts";
import type { Attribute } from "../attribute.ts";
import type { Graph } from "../graph.ts";
import { Model, type ModelFunction } from "../model.ts";
import { type Fill, Reader } from "./read.ts";
import { type Resolution, resolveGraph, resolveReference } from "./resolve.ts";
import { seededTensor } from "./seeded.ts";
import type { FunctionTree, Header } from "./tree.ts";

export interface ParseOptions {
  /**
   * Gives data to constants that are declared without any, `<float[4,3,3,3] w>` or `w = {...}`: floats normally
   * distributed, integers of at most 16 bits uniform over their range. The numbers depend on seed and name alone.
   */
  readonly seed?: number;
  /** Names of constants whose seeded data is positive (floats in [0.5, 1.5)): variances, scales. */
  readonly positive?: readonly string[];
  /** Version of the standard operators when the text has no `opset_import` (default 21). */
  readonly opset?: number;
}

/**
 * Reads a model. Beyond the official syntax: the graph's name may be missing, domains, operators and names of
 * attributes may be quoted, `bytes "c3ff"` is a string attribute that is not UTF-8, `float16 {0.5}` with a point is a
 * value and not a bit pattern. Throws `text/syntax` with `at` = "line:column" and what was expected.
 */
export function parseModel(text: string, options: ParseOptions = {}): Model {
  expectArguments("parseModel(text)", { text: [text, "anyText"] });
  const fill = fillOf(options);
  const reader = new Reader(text, fill);
  const tree = reader.model();
  const resolution = resolutionOf(reader, fill);
  const model = new Model(
    resolveGraph(tree.graph, resolution, new Map()),
    tree.header.opset_import ? opsetsOf(tree.header) : [["", options.opset ?? 21]],
  );
  describe(model, tree.header);
  for (const f of tree.functions) model.functions.push(functionOf(f, resolution));
  return model;
}

/** Reads a graph alone: `name (float[2] x) => (y) { y = Relu(x) }`. Throws like `parseModel`. */
export function parseGraph(text: string, options: Omit<ParseOptions, "opset"> = {}): Graph {
  const fill = fillOf(options);
  const reader = new Reader(text, fill);
  const tree = reader.namedGraph();
  reader.end();
  return resolveGraph(tree, resolutionOf(reader, fill), new Map());
}

function fillOf({ seed, positive = [] }: ParseOptions): Fill | undefined {
  if (seed === undefined) return undefined;
  return (name: string, dtype: DType, shape: Shape) => seededTensor(seed, name, dtype, shape, positive.includes(name));
}

function resolutionOf(reader: Reader, fill: Fill | undefined): Resolution {
  return { fill, error: (problem, offset, hint) => reader.scanner.error(problem, offset, hint) };
}

function opsetsOf(header: Header): [string, number][] {
  return [...(header.opset_import ?? [])].map(([domain, version]) => [domain === "ai.onnx" ? "" : domain, version]);
}

function describe(model: Model, header: Header): void {
  model.irVersion = header.ir_version ?? model.irVersion;
  model.producerName = header.producer_name ?? "";
  model.producerVersion = header.producer_version ?? "";
  model.domain = header.domain ?? "";
  model.modelVersion = header.model_version ?? 0;
  model.docString = header.doc_string;
  for (const [key, value] of header.metadata_props ?? []) model.metadata.set(key, value);
}

function functionOf({ header, body, attributes, defaults }: FunctionTree, resolution: Resolution): ModelFunction {
  const constants = new Map<string, Attribute>();
  for (const [name, tree] of defaults) {
    if (tree.type === "graph" || tree.type === "graphs") {
      throw resolution.error(`the attribute ${name} of the function ${body.name} cannot have a graph as default`, 0);
    }
    constants.set(name, tree.type === "reference" ? resolveReference(tree, new Map(), resolution) : tree);
  }
  return {
    name: body.name,
    domain: header.domain ?? "",
    overload: header.overload ?? "",
    body: resolveGraph(body, resolution, constants),
    attributes,
    defaults: constants,
    opsets: new Map(opsetsOf(header)),
    metadata: header.metadata_props ?? new Map(),
    ...(header.doc_string === undefined ? {} : { docString: header.doc_string }),
  };
}
