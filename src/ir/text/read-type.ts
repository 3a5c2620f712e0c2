/** Types in ONNX text: `float[N, 3, "h w", ?]`, `float` (a scalar), `float[]` (rank unknown), `seq(float[2])` … */
import type { DType } from "../../tensor/inner.ts";
import { type Dim, tensorType, type ValueType } from "../types.ts";
import type { Scanner } from "./scanner.ts";
import { dtypeOfText, isTypeWord } from "./words.ts";

/** Nested types and graphs deeper than this are refused: they are not models but attacks on the stack. */
export const depthLimit = 64;

export function atType(scanner: Scanner): boolean {
  return isTypeWord(scanner.peekIdentifier());
}

export function readType(scanner: Scanner, depth = 0): ValueType {
  if (depth > depthLimit) throw scanner.error(`expected types nested at most ${depthLimit} deep`, scanner.offset);
  const start = scanner.offset;
  const word = scanner.identifier();
  const dtype = dtypeOfText(word);
  if (dtype) return tensorType(dtype, readShape(scanner));
  if (word === "opaque") throw scanner.error("opaque types are not supported", start);
  if (!isTypeWord(word)) throw scanner.fail("a type", undefined, start);
  scanner.expect("(");
  const type = readInside(scanner, word, depth);
  scanner.expect(")");
  return type;
}

function readInside(scanner: Scanner, word: string, depth: number): ValueType {
  if (word === "sparse_tensor") {
    const dtype = readDtype(scanner);
    return { kind: "sparse-tensor", dtype, shape: readShape(scanner) };
  }
  if (word === "map") {
    const key = readDtype(scanner);
    scanner.expect(",");
    return { kind: "map", key, of: readElementType(scanner, depth) };
  }
  return { kind: word === "seq" ? "sequence" : "optional", of: readElementType(scanner, depth) };
}

/** The official grammar has no spelling for an unknown element type; here it is left out: `seq()`. */
function readElementType(scanner: Scanner, depth: number): ValueType | null {
  return scanner.peek() === ")" ? null : readType(scanner, depth + 1);
}

function readDtype(scanner: Scanner): DType {
  const start = scanner.offset;
  const dtype = dtypeOfText(scanner.identifier());
  if (!dtype) throw scanner.fail("an element type", undefined, start);
  return dtype;
}

function readShape(scanner: Scanner): readonly Dim[] | null {
  if (!scanner.take("[")) return [];
  if (scanner.take("]")) return null;
  const dims: Dim[] = [];
  do dims.push(readDim(scanner));
  while (scanner.take(","));
  scanner.expect("]");
  return dims;
}

function readDim(scanner: Scanner): Dim {
  if (scanner.take("?")) return null;
  if (scanner.peek() === '"') return scanner.string();
  const name = scanner.identifier();
  if (name) return name;
  const start = scanner.offset;
  const token = scanner.number();
  const length = token?.whole ? Number(token.text) : Number.NaN;
  if (!Number.isSafeInteger(length)) throw scanner.fail("a length, a name or ?", undefined, start);
  return length;
}
