/** A model: the main graph, the operator sets it is written in, functions and metadata. */
import type { Attribute } from "./attribute.ts";
import type { Graph } from "./graph.ts";

/** A model-local function: its body is a graph whose inputs and outputs are the function's. */
export interface ModelFunction {
  readonly name: string;
  readonly domain: string;
  readonly overload: string;
  readonly body: Graph;
  /** Attributes a caller must give. */
  readonly attributes: readonly string[];
  /** Attributes with a default. */
  readonly defaults: ReadonlyMap<string, Attribute>;
  readonly opsets: ReadonlyMap<string, number>;
  readonly metadata: ReadonlyMap<string, string>;
  readonly docString?: string;
  readonly unknownFields?: Uint8Array;
}

/**
 * A model in memory: one graph of values and nodes, its functions, opsets and metadata. `readModel`, `readModelFile` and `parseModel`
 * make one, `writeModel` and `writeModelFile` write it; edits of `avocet/ir` keep it consistent, and `check` proves that.
 *
 * @example
 * const model = readModel(bytes);
 * for (const node of model.graph.nodes) console.log(`${node}`, node.inputs.map((value) => value?.name));
 */
export class Model {
  graph: Graph;
  /** Domain → version; the standard domain is "". */
  readonly opsets: Map<string, number>;
  irVersion = 10;
  producerName = "";
  producerVersion = "";
  domain = "";
  modelVersion: number | bigint = 0;
  docString: string | undefined;
  readonly metadata = new Map<string, string>();
  readonly functions: ModelFunction[] = [];
  /** TrainingInfoProto messages, kept as they were. */
  trainingInfo: readonly Uint8Array[] = [];
  unknownFields: Uint8Array | undefined;
  /** Where it was read from, for messages. */
  source: string | undefined;

  constructor(graph: Graph, opsets: Iterable<readonly [string, number]>) {
    this.graph = graph;
    this.opsets = new Map(opsets);
  }

  /** Version of the standard operator set. */
  get opset(): number {
    return this.opsets.get("") ?? 1;
  }
}
