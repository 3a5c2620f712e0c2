/** Layers models of TensorFlow.js: a Keras model's configuration in model.json, its weights in files next to it. */
import { AvocetError, parseJson } from "../../base/inner.ts";
import type { Model } from "../../ir/inner.ts";
import { isRecord } from "../keras/config.ts";
import { kerasModel } from "../keras/read.ts";
import { WeightsByName } from "../keras/weights.ts";
import type { SourceFile } from "../source-format.ts";
import { tfjsWeights } from "./weights.ts";

/**
 * The model with its weights, which are read when they are looked at. Throws `import/…`, and one `import/unsupported-operator` for all
 * layers that have no translation.
 */
export function read({ name, bytes, external }: SourceFile): Model {
  const json = parseJson(new TextDecoder().decode(bytes), { at: name, code: "import/malformed" });
  // Keras' own texts have the topology without weights around it.
  const topology = isRecord(json) ? (json.modelTopology ?? json) : undefined;
  if (!isRecord(json) || !isRecord(topology)) {
    throw new AvocetError("import/malformed", "expected the topology of a layers model, got none", { at: name });
  }
  // Older files have the configuration of the model in place of what is around it.
  const config = isRecord(topology.model_config) ? topology.model_config : topology;
  const weights = WeightsByName.of(tfjsWeights(json.weightsManifest ?? [], external, name));
  return kerasModel(name, config, topology.keras_version, weights);
}
