/** TensorFlow Lite as a format of files: a graph of built-in operators, float or quantized already. */
import type { Model } from "../../ir/inner.ts";
import { emittedModel } from "../channels-last/emitted-model.ts";
import { importedOpset } from "../channels-last/emitter.ts";
import type { SourceFile } from "../source-format.ts";
import { completeMoves } from "./quantized-moves.ts";
import { readSchema, type TfliteModel } from "./schema.ts";
import { Translation } from "./translate.ts";

/**
 * Quantizers of 16 bits need operator set 21. Others stay at 20: from 21 on ONNX Runtime 1.30 writes an `output_dtype` of int8 where it
 * completes units of int8, turns their zero points into uint8 afterwards, and refuses what it has made.
 */
function hasWideActivations({ graphs }: TfliteModel): boolean {
  return graphs.some(({ tensors }) => tensors.some(({ dtype, quantized }) => quantized && dtype === "int16"));
}

/**
 * The model with standard operators. Quantized tensors become QuantizeLinear and DequantizeLinear, so that inputs and outputs are
 * floats; states begin at zero. Throws `import/truncated`, `import/malformed`, `import/too-large`, `import/unsupported-type`, and
 * one `import/unsupported-operator` for all operators that have no translation.
 */
export function read({ name, bytes }: SourceFile): Model {
  const file = readSchema(bytes, name);
  const head = {
    file: name,
    name: file.graphs[0]!.name || "main",
    producer: "TensorFlow Lite",
    opset: hasWideActivations(file) ? importedOpset : 20,
  };
  return emittedModel(head, (emitter) => new Translation(file, name).main(emitter), completeMoves);
}
