/** @module Data of the disk, in Node: opens paths as datasets and labels. */

export { fileSource } from "./file-source-node.ts";
export { dataFingerprint, dataPaths, dataStamps } from "./fingerprint-node.ts";
export { nodePictureDecoder } from "./jpeg-node.ts";
export { type OpenOptions, openData } from "./open-data-node.ts";
export { type LabelOptions, openArrayLabels, openLabels } from "./open-labels-node.ts";
export { type DataSpec, parseDataSpec } from "./spec-node.ts";
