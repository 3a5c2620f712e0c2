/** The reader of Keras models: archives of Keras 3 (.keras) and HDF5 files (.h5), with Sequential and functional models. */
import { AvocetError, parseJson } from "../../base/inner.ts";
import type { Model } from "../../ir/inner.ts";
import { emittedModel } from "../channels-last/emitted-model.ts";
import { isHdf5, readHdf5 } from "../hdf5/read.ts";
import type { SourceFile } from "../source-format.ts";
import { kerasArchive } from "./archive.ts";
import { type Config, isRecord } from "./config.ts";
import { KerasTranslation } from "./translate.ts";
import { type LayerWeights, WeightsByNumber, WeightsInGroups } from "./weights.ts";

/**
 * An archive of Keras 3 or an HDF5 file of `model.save`, told by its first bytes. Throws `import/…`, and one
 * `import/unsupported-operator` for all layers that have no translation.
 */
export function read(file: SourceFile): Model {
  return isHdf5(file.bytes) ? readHdf5Model(file) : readArchive(file);
}

function readArchive({ name, bytes }: SourceFile): Model {
  const entries = kerasArchive(bytes, name);
  const entry = (file: string): Uint8Array => {
    const found = entries.get(file);
    if (found) return found();
    throw new AvocetError("import/malformed", `expected ${file} in the archive, got none`, { at: name });
  };
  const json = (file: string): Config => record(new TextDecoder().decode(entry(file)), `${name}: ${file}`);
  const config = json("config.json");
  const metadata = entries.has("metadata.json") ? json("metadata.json") : {};
  const root = readHdf5(entry("model.weights.h5"), `${name}: model.weights.h5`);
  return kerasModel(name, config, metadata.keras_version, new WeightsByNumber(root));
}

/** Weights without a model are refused, with what to do. */
function readHdf5Model({ name, bytes }: SourceFile): Model {
  const root = readHdf5(bytes, name);
  const texts = root.texts();
  const config = texts.get("model_config")?.[0];
  if (config === undefined) {
    const hint =
      'load the weights into the model in Python, and save it whole: model.load_weights(FILE); model.save("model.keras")';
    throw new AvocetError(
      "import/unknown-format",
      "expected a Keras model, got an HDF5 file without one (weights alone, perhaps)",
      { at: name, hint },
    );
  }
  const group = root.get("model_weights");
  if (!group) throw new AvocetError("import/malformed", "expected a group model_weights, got none", { at: name });
  return kerasModel(name, record(config, name), texts.get("keras_version")?.[0], new WeightsInGroups(group, name));
}

function record(text: string, at: string): Config {
  const value = parseJson(text, { at, code: "import/malformed" });
  if (isRecord(value)) return value;
  throw new AvocetError("import/malformed", "expected a JSON object", { at });
}

/** A model of a configuration and its weights; `version` is the text that the file has for Keras' version. */
export function kerasModel(name: string, config: Config, version: unknown, weights: LayerWeights): Model {
  if (typeof config.class_name !== "string") {
    throw new AvocetError("import/malformed", "expected the class of the model, got none", { at: name });
  }
  const major = typeof version === "string" ? Number.parseInt(version, 10) : 2;
  const inner = isRecord(config.config) ? config.config : {};
  const built = isRecord(config.build_config) ? { build_input_shape: config.build_config.input_shape } : {};
  const whole = Array.isArray(config.config) ? { layers: config.config, ...built } : { ...built, ...inner };
  const head = {
    file: name,
    name: typeof inner.name === "string" ? inner.name : "model",
    producer: "Keras",
    ...(typeof version === "string" && { producerVersion: version }),
  };
  const className = config.class_name;
  return emittedModel(head, (emitter) =>
    new KerasTranslation(emitter, name, Number.isFinite(major) ? major : 2).main(className, whole, weights),
  );
}
