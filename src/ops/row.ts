/** What is known about one ONNX operator: a row of the table in this folder. */
import type { Node } from "../ir/index.ts";

export interface AttributeRow {
  readonly type: "float" | "int" | "string" | "tensor" | "graph" | "type" | "floats" | "ints" | "strings" | "sparse";
  readonly required?: boolean;
  readonly default?: number | string | readonly number[];
  /** Opset versions in which the attribute exists; default: all versions of the operator. */
  readonly since?: number;
  readonly until?: number;
}

/** How a linear operator (Conv, ConvTranspose, Gemm, MatMul) holds its weight. */
export interface LinearRole {
  /** Input indices. */
  readonly weight: number;
  readonly bias: number | null;
  /** Axis of the weight that indexes output channels, and the one that indexes input channels; may be negative. */
  channelAxis(node: Node): number;
  inputAxis(node: Node): number;
}

/** Static shapes of the values of a node, as a trace or the model tells. */
export interface NodeShapes {
  readonly inputs: readonly (readonly number[] | null)[];
  readonly outputs: readonly (readonly number[] | null)[];
}

export interface OpRow {
  /** Opset versions of the operator's domain in which it was introduced or changed, ascending. */
  readonly versions: readonly number[];
  /** Names of ONNX's schema; a trailing "?" marks an optional one, a trailing "*" a variadic one. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, AttributeRow>>;
  /**
   * Every output element is an element of the first input (or a constant pad), so that a quantization grid survives:
   * Reshape, Transpose, MaxPool, Slice … AIMET calls these grid-preserving.
   */
  readonly movesData?: true;
  /** Each output element depends on the elements at the same (broadcast) place only. */
  readonly elementwise?: true;
  /** The output is not a function of the inputs alone (Random*, Dropout in training). */
  readonly random?: true;
  readonly linear?: LinearRole;
  /** Indices of inputs that are parameters of a normalization (scale, bias, mean, var). */
  readonly normalization?: readonly number[];
  /** Multiply-accumulates of one run; absent: none worth counting. */
  macs?(node: Node, shapes: NodeShapes): number;
}
