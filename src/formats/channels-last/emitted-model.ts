/** A model that a reader writes with an Emitter: its head, what is tidied for all readers, and whose fault a broken rule is. */
import { AvocetError } from "../../base/inner.ts";
import { Graph, Model, removeDead } from "../../ir/inner.ts";
import { checkNodes } from "../../ops/inner.ts";
import { noteConversion } from "../conversion.ts";
import { Emitter, importedOpset } from "./emitter.ts";

export interface ModelHead {
  /** The file, for messages; the model's source. */
  readonly file: string;
  /** The graph's name (default: "main"). */
  readonly name?: string;
  /** The operator set (default: `importedOpset`). */
  readonly opset?: number;
  readonly producer: string;
  readonly producerVersion?: string;
}

/**
 * Runs `write` on an empty graph, removes what nothing reads, runs `complete`, and checks every node. What breaks rules of tensors and
 * operators while it is written came from contradictory settings: the file is to blame, and named. Throws `import/…`.
 */
export function emittedModel(
  head: ModelHead,
  write: (emitter: Emitter) => void,
  complete?: (graph: Graph) => void,
): Model {
  const { file } = head;
  const graph = new Graph(head.name ?? "main");
  const model = new Model(graph, [["", head.opset ?? importedOpset]]);
  model.source = file;
  model.producerName = head.producer;
  if (head.producerVersion !== undefined) model.producerVersion = head.producerVersion;
  try {
    const emitter = new Emitter(graph, file);
    write(emitter);
    noteConversion(model, emitter.tally);
    removeDead(graph);
    complete?.(graph);
    checkNodes(model);
  } catch (error) {
    if (!AvocetError.is(error) || error.detail.at?.includes(file)) throw error;
    const code = error.code.startsWith("import/") ? error.code : "import/malformed";
    throw new AvocetError(code, error.message, { at: error.detail.at ? `${file}: ${error.detail.at}` : file });
  }
  return model;
}
