/** NumPy's .npz files: zip archives of .npy arrays. Stored arrays are read by range, deflated ones are held whole. */
import { zipSync } from "fflate";
import { readZipLater, type ZipEntry, type ZipRules, zipContent, zipDirectory } from "../../base/inner-files.ts";
import type { Tensor } from "../../tensor/inner.ts";
import type { ArrayRows } from "../array-rows.ts";
import { type ByteSource, bytesSource, partOf } from "../byte-source.ts";
import { dataLimits } from "../limits.ts";
import { openNpy, readNpy, writeNpy } from "./npy.ts";

/** Opens every array of an .npz file, by name. Throws `data/unreadable`, `data/too-large`. */
export async function openNpz(source: ByteSource): Promise<Map<string, ArrayRows>> {
  const arrays = new Map<string, ArrayRows>();
  for (const entry of await directoryOf(source)) {
    if (entry.name.endsWith(".npy")) arrays.set(entry.name.slice(0, -4), await openNpy(await open(source, entry)));
  }
  return arrays;
}

/** Reads every array of an .npz file. Throws `data/unreadable`, `data/too-large`. */
export async function readNpz(bytes: Uint8Array, name = "npz"): Promise<Record<string, Tensor>> {
  const source = bytesSource(bytes, name);
  const arrays: Record<string, Tensor> = {};
  for (const entry of await directoryOf(source)) {
    if (entry.name.endsWith(".npy")) arrays[entry.name.slice(0, -4)] = await readNpy(await open(source, entry));
  }
  return arrays;
}

/** An .npz file, stored like `numpy.savez`, or deflated like `numpy.savez_compressed`. The same arrays give the same bytes. */
export function writeNpz(arrays: Readonly<Record<string, Tensor>>, options: { compress?: boolean } = {}): Uint8Array {
  const files = Object.entries(arrays).map(([name, tensor]) => [`${name}.npy`, writeNpy(tensor)] as const);
  return zipSync(Object.fromEntries(files), { level: options.compress ? 6 : 0, mtime: new Date(1980, 0, 1) });
}

async function open(source: ByteSource, entry: ZipEntry): Promise<ByteSource> {
  const name = `${source.name}:${entry.name}`;
  const content = await readZipLater(zipContent(rulesOf(source), entry), source.read);
  return "inflated" in content
    ? bytesSource(content.inflated, name)
    : partOf(source, content.start, content.size, name);
}

const directoryOf = (source: ByteSource) => readZipLater(zipDirectory(rulesOf(source)), source.read);

const rulesOf = ({ name, size }: ByteSource): ZipRules => ({
  name,
  size,
  what: "a zip archive (.npz)",
  damaged: "data/unreadable",
  tooLarge: "data/too-large",
  entries: {
    most: dataLimits.arrays,
    what: "arrays",
    hint: "one array for each input of the model, with the samples on its first axis",
  },
  inflated: {
    most: dataLimits.inflatedBytes,
    hint: "save it with numpy.savez, without compression: then it is read by range",
  },
});
