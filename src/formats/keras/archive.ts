/** The files of a `.keras` archive. */
import { readZip, type ZipRules, zipContent, zipDirectory } from "../../base/inner-files.ts";
import { limits } from "../limits.ts";

/** Configuration, metadata, weights, and assets of layers that have some. */
const mostEntries = 4096;

/** The entries of an archive by name; an entry is read when it is asked for. Throws `import/malformed` and `import/too-large`. */
export function kerasArchive(bytes: Uint8Array, name: string): Map<string, () => Uint8Array> {
  const rules: ZipRules = {
    name,
    size: bytes.length,
    what: "a Keras archive (.keras)",
    damaged: "import/malformed",
    tooLarge: "import/too-large",
    entries: { most: mostEntries, what: "files in a Keras archive", hint: "the archive is none that Keras writes" },
    inflated: { most: limits.onnxFileBytes, hint: "larger models are read as a SavedModel: model.export(FOLDER)" },
  };
  const at = (offset: number, length: number) => bytes.subarray(offset, offset + length);
  return new Map(
    readZip(zipDirectory(rules), at).map((entry) => {
      const read = () => {
        const content = readZip(zipContent(rules, entry), at);
        return "inflated" in content ? content.inflated : at(content.start, content.size);
      };
      return [entry.name, read] as const;
    }),
  );
}
