/** SavedModel folders: the graph, its signatures, and its variables, which lie in files next to it. */
import { AvocetError } from "../../base/inner.ts";
import type { Tensor } from "../../tensor/inner.ts";
import { Faults } from "../onnx/scope.ts";
import { Decoding, decode } from "../protobuf/decode.ts";
import type { SourceFile } from "../source-format.ts";
import { Bundle } from "./bundle.ts";
import { graphFromProto, reference, type SourceNode } from "./graph.ts";
import type { Source, SourceInput, SourceOutput } from "./import.ts";
import { type MetaGraphProto, type SignatureProto, savedModelType } from "./schema.ts";
import { elementType, lengthsFromProto } from "./types.ts";
import { savedKeys } from "./variables.ts";

/** Signatures that only TensorFlow itself calls. */
const internal = /^__/;
const preferred = "serving_default";

/** Throws what does not fit together in a graph. */
export function expectWhole(faults: Faults, file: string): void {
  if (faults.count === 0) return;
  throw new AvocetError(
    "import/malformed",
    `the graph does not fit together:\n${faults.shown.map((fault) => `  ${fault}`).join("\n")}`,
    { at: file },
  );
}

/** The graph of a SavedModel and the signature that is asked for (default: `serving_default`, or the only one). */
export function readSavedModel({ name: file, bytes, external }: SourceFile, wanted?: string): Source {
  const proto = decode(savedModelType, bytes, new Decoding(file, "a SavedModel"));
  const meta = proto.metaGraph.find(({ info }) => info?.tags.includes("serve")) ?? proto.metaGraph[0];
  if (!meta?.graph)
    throw new AvocetError("import/malformed", "expected a SavedModel with a graph, got none", { at: file });
  const faults = new Faults();
  const graph = graphFromProto(meta.graph, file, faults);
  expectWhole(faults, file);
  const signature = signatureOf(meta, wanted, file);
  let bundle: Bundle | undefined;
  let keys: Map<string, string> | undefined;
  const variable = (node: SourceNode): Tensor => {
    if (!external) {
      throw new AvocetError("import/not-found", "expected the variables of the SavedModel, got its graph alone", {
        at: file,
        hint: "read the model with its folder, or pass its files",
      });
    }
    bundle ??= Bundle.open("variables/variables", external);
    keys ??= savedKeys(graph);
    // Checkpoints of TensorFlow 1 name variables by themselves.
    return bundle.tensor(keys.get(node.name) ?? (node.attributes.string("shared_name") || node.name));
  };
  return { file, graph, ...interfaceOf(signature, file), variable };
}

function signatureOf(meta: MetaGraphProto, wanted: string | undefined, file: string): SignatureProto {
  const all = new Map(
    meta.signature.flatMap(({ key = "", value }) => (value && !internal.test(key) ? [[key, value]] : [])),
  );
  const names = [...all.keys()];
  const name = wanted ?? (names.includes(preferred) || names.length !== 1 ? preferred : names[0]!);
  const found = all.get(name);
  if (found) return found;
  const listed = names.length > 0 ? names.slice(0, 20).join(", ") : "none";
  throw new AvocetError("import/not-found", `expected the signature ${JSON.stringify(name)}, the model has ${listed}`, {
    at: file,
    hint:
      names.length > 0
        ? "name one of them"
        : "save the model with a signature: model.export(folder), or tf.saved_model.save(model, folder, signatures=…)",
  });
}

/** Inputs and outputs in the order of their names, which is TensorFlow's own. */
function interfaceOf(signature: SignatureProto, file: string): { inputs: SourceInput[]; outputs: SourceOutput[] } {
  const sorted = <T extends { key?: string }>(entries: readonly T[]) =>
    [...entries].sort((a, b) => ((a.key ?? "") < (b.key ?? "") ? -1 : 1));
  const inputs = sorted(signature.inputs).map(({ key = "", value }): SourceInput => {
    const where = `${file}: input ${key}`;
    return {
      name: key,
      node: reference(value?.name ?? "", false).node,
      dtype: elementType(value?.dtype, where),
      shape: lengthsFromProto(value?.shape, where),
    };
  });
  const outputs = sorted(signature.outputs).map(
    ({ key = "", value }): SourceOutput => ({ name: key, from: reference(value?.name ?? "", false) }),
  );
  if (outputs.length === 0)
    throw new AvocetError("import/malformed", "expected a signature with outputs, got none", { at: file });
  return { inputs, outputs };
}
