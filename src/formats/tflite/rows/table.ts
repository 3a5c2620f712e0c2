/** Every built-in operator of TFLite: how it is translated, or why it is not. */
import { type Refused, refuse } from "../../../base/inner.ts";
import type { Builtin } from "../builtin-names.ts";
import type { RowOrReason } from "../call.ts";
import { axisRows } from "./axes.ts";
import { controlRows } from "./control.ts";
import { elementwiseRows } from "./elementwise.ts";
import { linearRows } from "./linear.ts";
import { recurrentRows } from "./recurrent.ts";
import { shapeRows } from "./shapes.ts";

const states = refuse("it keeps a state from one run to the next, which a model without states has no place for");
const words = refuse("it works on strings, hashes or tables of them");
const complex = refuse("it works on complex numbers");
const chance = refuse("its results are random");
const rare = refuse("no converter of today writes it");
const boxes = refuse(
  "its results have a fixed length with a count beside them, which ONNX's NonMaxSuppression has not",
);
const unmapped = refuse("ONNX has no operator that does the same");
const stableHlo = refuse("StableHLO operators are written only on request: convert to TFLite's own operators");

type StableHlo = Extract<Builtin, `STABLEHLO_${string}`>;

/** Rows by operator: total, so that a new operator of the schema does not compile without one. */
export const tfliteRows: Readonly<Record<Exclude<Builtin, StableHlo>, RowOrReason>> = {
  ...elementwiseRows,
  ...linearRows,
  ...axisRows,
  ...shapeRows,
  ...recurrentRows,
  ...controlRows,
  LSTM: refuse("a single step of an LSTM is nothing without the states that it keeps"),
  SVDF: states,
  VAR_HANDLE: states,
  READ_VARIABLE: states,
  ASSIGN_VARIABLE: states,
  HASHTABLE: words,
  HASHTABLE_FIND: words,
  HASHTABLE_IMPORT: words,
  HASHTABLE_SIZE: words,
  HASHTABLE_LOOKUP: words,
  LSH_PROJECTION: words,
  SKIP_GRAM: words,
  RFFT2D: complex,
  IMAG: complex,
  REAL: complex,
  COMPLEX_ABS: complex,
  RANDOM_STANDARD_NORMAL: chance,
  RANDOM_UNIFORM: chance,
  MULTINOMIAL: chance,
  CONCAT_EMBEDDINGS: rare,
  EMBEDDING_LOOKUP_SPARSE: rare,
  SPARSE_TO_DENSE: rare,
  DELEGATE: rare,
  PLACEHOLDER_FOR_GREATER_OP_CODES: rare,
  DENSIFY: refuse("sparse weights are not read: convert without sparsity"),
  NON_MAX_SUPPRESSION_V4: boxes,
  NON_MAX_SUPPRESSION_V5: boxes,
  CUSTOM: refuse("only its maker knows what it does: convert without custom operators"),
  MATRIX_DIAG: unmapped,
  MATRIX_SET_DIAG: unmapped,
  BUCKETIZE: unmapped,
  DYNAMIC_UPDATE_SLICE: unmapped,
  UNSORTED_SEGMENT_PROD: unmapped,
  UNSORTED_SEGMENT_MAX: unmapped,
  UNSORTED_SEGMENT_MIN: unmapped,
  BITCAST: unmapped,
  RIGHT_SHIFT: unmapped,
  DILATE: unmapped,
  REDUCE_WINDOW: unmapped,
};

/** The row of an operator as a file names it. */
export function rowOf(op: string): RowOrReason {
  if (op.startsWith("STABLEHLO_")) return stableHlo;
  if (op.startsWith("CUSTOM")) return tfliteRows.CUSTOM;
  if (Object.hasOwn(tfliteRows, op)) return tfliteRows[op as keyof typeof tfliteRows];
  return refuse("it is newer than the schema that is read here") satisfies Refused;
}
