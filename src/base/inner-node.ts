/** @module The disk (Node only): one door to it, files and folders that appear whole or not at all, locks. */
export { type DiskInterceptor, disk, interceptDisk } from "./disk-node.ts";
export { makeFolders, removeEmpty, removeTree, syncFolder } from "./folders-node.ts";
export { hiddenBeside } from "./hidden-name-node.ts";
export { type Lock, lockBeside } from "./lock-node.ts";
export { appeared, notWritable, quietly, writable } from "./not-writable-node.ts";
export { expectApart, outputPlace } from "./output-path-node.ts";
export { readBytes, sha256OfFile } from "./read-file-node.ts";
export {
  expectFile,
  isSame,
  isScaffold,
  type NewFile,
  newFileBeside,
  type Seen,
  sweepFiles,
  sweepFolder,
  writeWhole,
} from "./whole-file-node.ts";
