/** Every layer of Keras: how it is translated, or why it is not. */
import { refuse } from "../../../base/inner.ts";
import type { RowOrReason } from "../call.ts";
import { attentionLayers } from "./attention.ts";
import { convolutionLayers } from "./convolution.ts";
import { plainLayers } from "./elementwise.ts";
import { recurrentLayers } from "./recurrent.ts";

const code = refuse("what it does is in code alone: export the model as a SavedModel, model.export(FOLDER)");
const masks = refuse("masks of steps are not translated: pad on the left, or leave it out");
const words = refuse("it works on texts and vocabularies: do that before the model");
const rare = refuse("ONNX has no operator that does the same");
const chance = refuse("its results are random when the network is used, too");

export const layerFamilies = {
  "Convolutions, pooling, padding": convolutionLayers,
  "Products, activations, norms, merging, shapes": plainLayers,
  Recurrent: recurrentLayers,
  Attention: attentionLayers,
};

export const refusedLayers: Readonly<Record<string, RowOrReason>> = {
  Lambda: code,
  Masking: masks,
  StringLookup: words,
  IntegerLookup: words,
  TextVectorization: words,
  Hashing: words,
  CategoryEncoding: words,
  Discretization: words,
  ConvLSTM1D: rare,
  ConvLSTM2D: rare,
  ConvLSTM3D: rare,
  RNN: rare,
  StackedRNNCells: rare,
  EinsumDense: rare,
  AdditiveAttention: rare,
  GroupQueryAttention: rare,
  SpectralNormalization: rare,
  CenterCrop: rare,
  RandomCrop: chance,
};

/** The row of a class. */
export function rowOf(className: string): RowOrReason {
  const rows: Readonly<Record<string, RowOrReason>> = {
    ...convolutionLayers,
    ...plainLayers,
    ...recurrentLayers,
    ...attentionLayers,
    ...refusedLayers,
  };
  const name = aliases[className] ?? className;
  return Object.hasOwn(rows, name) ? rows[name]! : code;
}

/** Older names of the same. */
const aliases: Readonly<Record<string, string>> = {
  Convolution2D: "Conv2D",
  Deconvolution2D: "Conv2DTranspose",
  BatchNormalizationV1: "BatchNormalization",
  BatchNormalizationV2: "BatchNormalization",
  SyncBatchNormalization: "BatchNormalization",
};
