/** @module What reads packed bytes: zip archives, bounded inflating, check sums. Loads fflate. */
export { crc32 } from "./archive/crc32.ts";
export { type Inflated, inflateUpTo } from "./archive/inflate.ts";
export {
  readZip,
  readZipLater,
  type ZipContent,
  type ZipEntry,
  type ZipRules,
  zipContent,
  zipDirectory,
} from "./archive/zip.ts";
