/** The operators of TensorFlow that can be written in ONNX: one row each, in families. */
import type { Family, OperatorRow } from "./call.ts";
import { callRows } from "./operators/calls.ts";
import { complexRows } from "./operators/complex.ts";
import { elementwiseRows } from "./operators/elementwise.ts";
import { layerRows } from "./operators/layers.ts";
import { listRows } from "./operators/lists.ts";
import { loopRows } from "./operators/loops.ts";
import { reductionRows } from "./operators/reductions.ts";
import { shapeRows } from "./operators/shapes.ts";
import { sliceRows } from "./operators/slices.ts";
import { stateRows } from "./operators/state.ts";

/** As the documentation lists them. */
export const operatorFamilies: Readonly<Record<string, Family>> = {
  Layers: layerRows,
  "Element by element": elementwiseRows,
  Reductions: reductionRows,
  Shapes: shapeRows,
  "Slices and indices": sliceRows,
  "Complex numbers": complexRows,
  "Constants, inputs, variables": stateRows,
  "Functions and branches": callRows,
  Loops: loopRows,
  Lists: listRows,
};

export const operatorRows: Readonly<Record<string, OperatorRow>> = Object.assign(
  {},
  ...Object.values(operatorFamilies),
);

/** What is often met and has no row: what to do instead. */
export const unsupported: Readonly<Record<string, string>> = {
  RandomUniform: "random numbers belong to training: export the model for inference",
  RandomStandardNormal: "random numbers belong to training: export the model for inference",
  StatelessRandomUniformV2: "random numbers belong to training: export the model for inference",
  Enter: "loops of TensorFlow 1: export with tf.compat.v1.enable_control_flow_v2()",
  TensorArrayV3: "arrays of TensorFlow 1: export with tf.compat.v1.enable_control_flow_v2()",
  ParseExampleV2: "the model reads files of examples: export a signature that takes tensors",
  DecodeJpeg: "images are decoded by Avocet's data: export the model behind the decoder",
  LookupTableFindV2: "tables of text are not part of a network: export the model behind the lookup",
  HashTableV2: "tables of text are not part of a network: export the model behind the lookup",
  PyFunc: "Python cannot be exported: write the function in TensorFlow",
  EagerPyFunc: "Python cannot be exported: write the function in TensorFlow",
};
