/** The words of ONNX text: names of element types, of type constructors and of attribute types, and quoting. */
import { type DType, dtypes } from "../../tensor/inner.ts";
import type { Attribute } from "../attribute.ts";

const byText = new Map(Object.entries(dtypes).map(([name, facts]) => [facts.text, name as DType]));

/** The element type with this name in ONNX text. */
export function dtypeOfText(word: string): DType | undefined {
  return byText.get(word);
}

/** What begins a type that is not a dense tensor. */
export const typeConstructors: ReadonlySet<string> = new Set(["seq", "map", "optional", "sparse_tensor", "opaque"]);

/** Whether a type begins with this word; a value with such a name must be quoted. */
export function isTypeWord(word: string): boolean {
  return byText.has(word) || typeConstructors.has(word);
}

export type ValueKind = Exclude<Attribute["type"], "reference" | "opaque">;
export type SingleKind = "float" | "int" | "string" | "tensor" | "graph" | "type";

/** The names that annotate the type of an attribute. */
export const attributeWords: { readonly [K in ValueKind]: string } = {
  float: "float",
  int: "int",
  string: "string",
  tensor: "tensor",
  graph: "graph",
  type: "type_proto",
  floats: "floats",
  ints: "ints",
  strings: "strings",
  tensors: "tensors",
  graphs: "graphs",
  types: "type_protos",
};

export const kindOfWord: ReadonlyMap<string, ValueKind> = new Map(
  Object.entries(attributeWords).map(([kind, word]) => [word, kind as ValueKind]),
);

/** float → floats, and so on. */
export const listOf: { readonly [K in SingleKind]: ValueKind } = {
  float: "floats",
  int: "ints",
  string: "strings",
  tensor: "tensors",
  graph: "graphs",
  type: "types",
};

const plain = /^[A-Za-z_][A-Za-z0-9_]*$/;

export function isPlain(name: string): boolean {
  return plain.test(name);
}

/** A string in double quotes; only the quote and the backslash are escaped, a new line stands as it is. */
export function quote(text: string): string {
  return `"${text.replace(/["\\]/g, (c) => `\\${c}`)}"`;
}

/** A name as it is written: quoted unless it is an identifier that cannot be mistaken for a type or a number. */
export function spell(name: string): string {
  return isPlain(name) && !isTypeWord(name) && !/^(inf|infinity|nan)$/i.test(name) ? name : quote(name);
}
