/** The files next to a model's own that its reader opened, for formats whose tensors do not say where they lie: variables, shards. */
import type { Model } from "../ir/inner.ts";
import type { ExternalData } from "./onnx/context.ts";

const opened = new WeakMap<Model, ReadonlySet<string>>();

/** Runs `read` with data files that are noted as they are opened, and with what notes others, and remembers them for its model. */
export function noteOpened(
  external: ExternalData,
  read: (external: ExternalData, note: (path: string) => void) => Model,
): Model {
  const files = new Set<string>();
  const note = (path: string) => files.add(path);
  const model = read((location) => {
    const source = external(location);
    note(source.name);
    return source;
  }, note);
  opened.set(model, files);
  return model;
}

/** Paths that were opened while the model was read; none for models that were made otherwise. */
export function openedFilesOf(model: Model): ReadonlySet<string> {
  return opened.get(model) ?? new Set();
}
