/**
 * What the outputs of a model hold. Only where it is scores of classes, or classes, can two models be said to decide alike: the
 * largest number of a mask, a box, an embedding or a regression is no decision.
 */
import { constantNumbers, defaultOf, inferTypes, isOp } from "../facts/inner.ts";
import type { Model, Node, TensorType, Value } from "../ir/inner.ts";
import { rowOf } from "../ops/inner.ts";
import { isFloat } from "../tensor/inner.ts";

export type OutputMeaning =
  | {
      /** Scores of classes along an axis. */
      readonly kind: "scores";
      /** Negative: counted from the end. */
      readonly axis: number;
      /** All axes from there on are one: what Softmax meant before opset 13. */
      readonly joint: boolean;
      /** False: only the last operator makes it likely, and the numbers must confirm it (`Decisiveness`). */
      readonly sure: boolean;
      readonly why: string;
    }
  /** Numbers of classes, as ArgMax gives them. */
  | { readonly kind: "choices"; readonly why: string }
  /** Other numbers: how near they are can be told, not whether they decide alike. */
  | { readonly kind: "numbers"; readonly why: string }
  /** Whole numbers, truths, texts, sequences: equal or not. */
  | { readonly kind: "other"; readonly why: string };

export type ClassAxis = number | null | Readonly<Record<string, number | null>>;

export interface MeaningOptions {
  /** Where outputs hold classes, as the user says: the axis, null for none, or that of outputs by name. */
  readonly classAxis?: ClassAxis | undefined;
  /** The user has said that the outputs are classes (labels, a wish for agreement): what is likely is then taken as sure. */
  readonly classes?: boolean | undefined;
}

/** The meaning of each output of a float model, by name. */
export function outputMeanings(model: Model, options: MeaningOptions = {}): Map<string, OutputMeaning> {
  const facts = { types: typesOf(model), opset: model.opset };
  const floats = model.graph.outputs.filter((value) => isFloatValue(value, facts));
  const sole = floats.length === 1;
  return new Map(model.graph.outputs.map((value) => [value.name, meaningOf(value, facts, sole, options)]));
}

interface Facts {
  readonly types: ReadonlyMap<string, TensorType>;
  readonly opset: number;
}

/** What follows from the file; nothing follows from a model that contradicts itself. */
function typesOf(model: Model): Facts["types"] {
  try {
    return inferTypes(model);
  } catch {
    return new Map();
  }
}

function isFloatValue({ name, type }: Value, { types }: Facts): boolean {
  if (type && type.kind !== "tensor") return false;
  return isFloat(type?.dtype ?? types.get(name)?.dtype ?? "float32");
}

function meaningOf(value: Value, facts: Facts, sole: boolean, options: MeaningOptions): OutputMeaning {
  const { classes = false } = options;
  const said = options.classAxis;
  const classAxis = typeof said === "object" && said !== null ? said[value.name] : said;
  if (!isFloatValue(value, facts)) {
    const texts = (value.type?.kind === "tensor" ? value.type.dtype : facts.types.get(value.name)?.dtype) === "string";
    return isOp(walkBack(value).node, "ArgMax") && !texts
      ? { kind: "choices", why: "ArgMax chooses classes" }
      : { kind: "other", why: "it does not hold floating-point numbers" };
  }
  if (classAxis === null) return { kind: "numbers", why: "--class-axis none" };
  if (classAxis !== undefined) return scores(classAxis, `--class-axis ${classAxis}`);
  return softmaxBefore(value, facts) ?? likely(value, sole, classes);
}

function scores(axis: number, why: string, { joint = false, sure = true } = {}): OutputMeaning {
  return { kind: "scores", axis, joint, sure, why };
}

/** Softmax, LogSoftmax or Hardmax, or Softmax in its parts, behind what only moves its numbers. */
function softmaxBefore(value: Value, { types, opset }: Facts): OutputMeaning | undefined {
  const { node, moves } = walkBack(value, { past: ["Log"] });
  const axis = node ? normalisedAxis(node, opset) : undefined;
  if (!node || axis === undefined) return undefined;
  const why = `${node.op === "Div" ? "Softmax in its parts" : node.op} over axis ${axis} ends it`;
  if (moves.length === 0) return scores(axis, why, { joint: opset < 13 && node.op !== "Div" });
  if (moves.every((move) => move.op === "Transpose")) {
    // From the Softmax to the output: an axis goes to where the permutation has its number.
    const at = moves.reduceRight<number>((from, move) => {
      const perm = move.ints("perm", []);
      return perm.indexOf(from < 0 ? from + perm.length : from);
    }, axis);
    return at < 0 ? undefined : scores(at, why);
  }
  // A reshape that splits or joins the axes before them leaves classes that are last where they are.
  const rank = types.get(node.input(0)?.name ?? "")?.shape?.length;
  return axis === -1 || axis + 1 === rank ? scores(-1, why) : undefined;
}

/** The axis along which a node's outputs sum to one. */
function normalisedAxis(node: Node, opset: number): number | undefined {
  if (isOp(node, "Softmax", "LogSoftmax", "Hardmax")) return node.int("axis", opset < 13 ? 1 : -1);
  const [above, below] = [node.input(0)?.producer, node.input(1)?.producer];
  if (!isOp(node, "Div") || !isOp(above, "Exp") || !isOp(below, "ReduceSum")) return undefined;
  if (below.input(0) !== node.input(0)) return undefined;
  const axes = below.ints("axes") ?? constantNumbers(below.input(1));
  return axes?.length === 1 ? axes[0] : undefined;
}

/** The linear layer of a classifier at the end makes classes likely: in the only output, or in one whose name says so. */
function likely(value: Value, sole: boolean, classes: boolean): OutputMeaning {
  const numbers = (why: string): OutputMeaning => ({ kind: "numbers", why });
  if (otherNames.test(value.name)) return numbers("by its name it holds no classes");
  if (!sole && !classNames.test(value.name)) return numbers("it is one of several outputs, and no Softmax ends it");
  const { node } = walkBack(value, { constants: true });
  if (!node) return numbers("no operator makes it");
  const layer = isOp(node, ...pools) ? walkBack(node.input(0), { constants: true }).node : node;
  if (!layer || !rowOf(layer)?.linear) return numbers(`${node.op} ends it, and no Softmax`);
  const why = classes ? "labels or gates say that it holds classes" : `${node.op} ends it, and it decides like scores`;
  // Products have their columns last, convolutions their channels on axis 1.
  return scores(isOp(node, "Gemm", "MatMul") ? -1 : 1, why, { sure: classes });
}

const classNames = /logit|prob|class|score|softmax|label|categor/i;
const otherNames =
  /embed|feature|hidden|latent|vector|descriptor|box|coord|regress|landmark|keypoint|pose|mask|offset|delta|depth|flow|state|anchor|angle/i;
const pools = ["GlobalAveragePool", "AveragePool", "ReduceMean"];
const movers = ["Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose"];
const keepers = ["Identity", "Cast", "Dropout", "QuantizeLinear", "DequantizeLinear"];

/**
 * The operator that makes a value, behind those that only move or round its numbers (`moves`: those that move, from the value on),
 * behind operators `past`, and with `constants` behind constants that are added or multiplied.
 */
function walkBack(
  value: Value | null,
  { past = [], constants = false }: { readonly past?: readonly string[]; readonly constants?: boolean } = {},
): { readonly node: Node | null; readonly moves: readonly Node[] } {
  const moves: Node[] = [];
  let node = value?.producer ?? null;
  while (node) {
    const moving = isOp(node, ...movers);
    const passed = moving || isOp(node, ...keepers, ...past);
    const next = passed ? node.input(0) : constants ? besideConstant(node) : undefined;
    if (!next) break;
    if (moving) moves.push(node);
    node = next.producer;
  }
  return { node, moves };
}

/** What a constant is added to or multiplied with; files before IR version 4 spell every constant as an input with a default. */
function besideConstant(node: Node): Value | null | undefined {
  if (!isOp(node, "Add", "Mul", "Sub", "Div")) return undefined;
  if (defaultOf(node.input(1))) return node.input(0);
  return isOp(node, "Add", "Mul") && defaultOf(node.input(0)) ? node.input(1) : undefined;
}
