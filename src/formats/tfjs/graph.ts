/** TensorFlow.js graph models: model.json holds the graph in the JSON form of its messages, weights lie in files next to it. */
import { AvocetError, parseJson } from "../../base/inner.ts";
import { Faults } from "../onnx/scope.ts";
import type { SourceFile } from "../source-format.ts";
import { openEnds } from "../tensorflow/frozen.ts";
import { graphFromProto, reference } from "../tensorflow/graph.ts";
import type { Source, SourceInput, SourceOutput } from "../tensorflow/import.ts";
import { expectWhole } from "../tensorflow/saved-model.ts";
import { elementType, lengthsFromProto } from "../tensorflow/types.ts";
import { graphFromJson, type Json, shapeFromJson, typeFromJson } from "./json.ts";
import { tfjsWeights } from "./weights.ts";

/** The graph of a TensorFlow.js model. Throws `import/malformed` and what its weights throw. */
export function readTfjsGraph({ name: file, bytes, external }: SourceFile): Source {
  const json = parseJson(new TextDecoder().decode(bytes), { at: file, code: "import/malformed" }) as Json;
  const topology = json?.modelTopology as Json | undefined;
  if (!topology || !Array.isArray(topology.node)) {
    throw new AvocetError("import/malformed", "expected a graph as modelTopology, got none", { at: file });
  }
  const faults = new Faults();
  const graph = graphFromProto(graphFromJson(topology, file), file, faults);
  expectWhole(faults, file);
  const constants = tfjsWeights(json.weightsManifest, external, file);
  const described = (json.signature ?? (json.userDefinedMetadata as Json | undefined)?.signature) as Json | undefined;
  const ends = described?.outputs ? signatureFromJson(described, file) : openEnds(graph, file);
  return { file, graph, ...ends, constants };
}

function signatureFromJson(signature: Json, file: string): { inputs: SourceInput[]; outputs: SourceOutput[] } {
  const entries = (value: unknown) => Object.entries((value ?? {}) as Readonly<Record<string, Json>>);
  const inputs = entries(signature.inputs).map(([key, info]): SourceInput => {
    const where = `${file}: input ${key}`;
    return {
      name: plainName(key),
      node: reference(String(info?.name ?? ""), false).node,
      dtype: elementType(typeFromJson(info?.dtype), where),
      shape: lengthsFromProto(shapeFromJson(info?.tensorShape), where),
    };
  });
  const outputs = entries(signature.outputs).map(
    ([key, info]): SourceOutput => ({
      name: plainName(key),
      from: reference(String(info?.name ?? ""), false),
    }),
  );
  return { inputs, outputs };
}

/** "Identity:0" is the first output of Identity. */
const plainName = (key: string): string => key.replace(/:0$/, "");
