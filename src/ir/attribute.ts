/** Attributes of a node, as ONNX has them. Whole numbers beyond 2⁵³ stay bigint. */
import type { Tensor } from "../tensor/inner.ts";
import type { Graph } from "./graph.ts";
import type { ValueType } from "./types.ts";

export type Whole = number | bigint;

export type Attribute =
  | { readonly type: "float"; readonly value: number }
  | { readonly type: "int"; readonly value: Whole }
  | { readonly type: "string"; readonly value: string | Uint8Array }
  | { readonly type: "tensor"; readonly value: Tensor }
  | { readonly type: "graph"; readonly value: Graph }
  | { readonly type: "type"; readonly value: ValueType }
  | { readonly type: "floats"; readonly value: readonly number[] }
  | { readonly type: "ints"; readonly value: readonly Whole[] }
  | { readonly type: "strings"; readonly value: readonly (string | Uint8Array)[] }
  | { readonly type: "tensors"; readonly value: readonly Tensor[] }
  | { readonly type: "graphs"; readonly value: readonly Graph[] }
  | { readonly type: "types"; readonly value: readonly ValueType[] }
  /** Inside a function body: a reference to an attribute of the function. */
  | { readonly type: "reference"; readonly value: string; readonly of: Exclude<Attribute["type"], "reference"> }
  /** A kind that Avocet keeps without understanding it (sparse tensors): the bytes of the AttributeProto. */
  | { readonly type: "opaque"; readonly value: Uint8Array };

/** Plain values in the spelling that node builders take; see `attributeOf`. */
export type AttributeLike =
  | number
  | bigint
  | string
  | readonly number[]
  | readonly string[]
  | Tensor
  | Graph
  | Attribute;
