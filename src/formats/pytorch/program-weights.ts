/** Weights and constants of a .pt2 archive: which file, and which part of it, each name is. */
import { AvocetError, parseJson } from "../../base/inner.ts";
import type { Tensor } from "../../tensor/inner.ts";
import type { Archive } from "../archive.ts";
import type { ByteSource } from "../byte-source.ts";
import { dtypeOf } from "./dtypes.ts";
import { fromArchive } from "./state-dict.ts";
import { stridedTensor, type View } from "./strided.ts";

/** Finds a weight, buffer or constant by its name in the signature; equal places in the archive are one tensor. */
export type WeightLookup = (name: string) => Tensor;

type Json = Readonly<Record<string, unknown>>;

/** Where an archive keeps the program, and how it keeps the weights. Throws `import/malformed` for another archive. */
export function layoutOf(archive: Archive, file: string): { readonly path: string; readonly weights: WeightLookup } {
  const old = "serialized_exported_program.json";
  if (archive.has(old)) {
    const pickles = ["serialized_state_dict.pt", "serialized_constants.pt"];
    return { path: old, weights: pickledWeights(archive, pickles, file) };
  }
  const path = archive.names.find((one) => /(^|\/)models\/[^/]+\.json$/.test(one));
  if (path === undefined) {
    throw new AvocetError("import/malformed", "expected models/*.json in the archive, got none", {
      at: file,
      hint: "export it again with torch.export.save(program, file) of PyTorch 2.6 or later",
    });
  }
  const prefix = path.slice(0, path.lastIndexOf("models/"));
  const model = path.slice(prefix.length + "models/".length, -".json".length);
  const pickles = ["weights", "constants"].map((kind) => `${prefix}data/${kind}/${model}.pt`);
  const weights = archive.has(pickles[0]!) ? pickledWeights(archive, pickles, file) : tableOf(archive, prefix, file);
  return { path, weights };
}

/** PyTorch up to 2.8: dictionaries of tensors as torch.save writes them, each a zip archive in the archive. */
function pickledWeights(archive: Archive, paths: readonly string[], file: string): WeightLookup {
  const dictionaries = paths.flatMap((path) => {
    const source = archive.source(path);
    return source && source.size > 0 ? [fromArchive({ ...source, name: `${file}: ${path}` }, true).tensors] : [];
  });
  return (name) => {
    const found = dictionaries.map((tensors) => tensors.get(name)).find((tensor) => tensor);
    if (found) return found;
    throw new AvocetError("import/malformed", `expected data of ${JSON.stringify(name)}, got none`, { at: file });
  };
}

/** Later ones: a table of names, and a file for each storage. */
function tableOf(archive: Archive, prefix: string, file: string): WeightLookup {
  const broken = (problem: string, hint?: string) =>
    new AvocetError("import/malformed", problem, { at: file, ...(hint ? { hint } : {}) });
  const tables = ["weights", "constants"].flatMap((kind) => {
    const path = `${prefix}data/${kind}/model_${kind}_config.json`;
    const bytes = archive.bytes(path);
    if (!bytes) return [];
    const json = parseJson(new TextDecoder().decode(bytes), { at: file, code: "import/malformed" }) as Json | null;
    const config = json?.config;
    if (typeof config !== "object" || config === null) throw broken(`expected a table of ${kind} in ${path}`);
    return [{ kind, config: config as Json }];
  });
  const storages = new Map<string, ByteSource>();
  const tensors = new Map<string, Tensor>();
  return (name) => {
    for (const { kind, config } of tables) {
      if (!Object.hasOwn(config, name)) continue;
      const { path_name: path, use_pickle: pickled, tensor_meta: meta } = (config[name] ?? {}) as Json;
      if (typeof path !== "string" || typeof meta !== "object" || meta === null) {
        throw broken(`expected the place of ${JSON.stringify(name)}, got none`);
      }
      if (pickled === true) {
        throw broken(`${JSON.stringify(name)} is a pickle`, "export it again: torch.export.save(program, file)");
      }
      const at = `${prefix}data/${kind}/${path}`;
      const storage = storages.get(at) ?? archive.source(at);
      if (!storage) throw broken(`expected ${at} in the archive, got nothing there`);
      storages.set(at, storage);
      const view = viewOf(meta as Json, file);
      const key = JSON.stringify([at, view]);
      const tensor = tensors.get(key) ?? stridedTensor(storage, view, `${file}: ${name}`);
      tensors.set(key, tensor);
      return tensor;
    }
    throw broken(`expected data of ${JSON.stringify(name)}, got none`);
  };
}

function viewOf(meta: Json, file: string): View {
  const number = (value: unknown): number => {
    const { as_int: found } = (value ?? {}) as { as_int?: unknown };
    if (typeof found === "number") return found;
    throw new AvocetError("import/malformed", "expected lengths and strides of a weight as numbers", { at: file });
  };
  const numbers = (value: unknown) => (Array.isArray(value) ? value.map(number) : []);
  return {
    dtype: dtypeOf(meta.dtype, file),
    shape: numbers(meta.sizes),
    strides: numbers(meta.strides),
    offset: meta.storage_offset === undefined ? 0 : number(meta.storage_offset),
  };
}
