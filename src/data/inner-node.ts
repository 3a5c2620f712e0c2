/** @module Data of the disk, in Node: opens paths as datasets and labels. */

export { fileSource } from "./disk/file-source-node.ts";
export { dataFingerprint, dataPaths, dataStamps } from "./disk/fingerprint-node.ts";
export { nodeImageDecoder } from "./disk/jpeg-node.ts";
export { type OpenOptions, openData } from "./disk/open-data-node.ts";
export { type LabelOptions, openLabels } from "./disk/open-labels-node.ts";
export { type DataSpec, parseDataSpec } from "./disk/spec-node.ts";
