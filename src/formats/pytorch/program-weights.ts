/** Weights and constants of a .pt2 archive: which file, and which part of it, each name is. */
import { AvocetError, parseJson } from "../../base/inner.ts";
import type { Tensor } from "../../tensor/inner.ts";
import type { Archive } from "../archive.ts";
import { dtypeOf } from "./dtypes.ts";
import { stridedTensor, type View } from "./strided.ts";

/** Finds a weight, buffer or constant by its name in the signature; equal places in the archive are one tensor. */
export type WeightLookup = (name: string) => Tensor;

type Json = Readonly<Record<string, unknown>>;

/** Throws `import/malformed` for a table that is none; its entries are checked when they are looked up. */
export function programWeights(archive: Archive, prefix: string, file: string): WeightLookup {
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
  const storages = new Map<string, Uint8Array>();
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
      const storage = storages.get(at) ?? archive.bytes(at);
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
