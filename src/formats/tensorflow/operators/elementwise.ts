/** Operators element by element. */

import { type DType, isFloat } from "../../../tensor/inner.ts";
import { choose, unsqueeze } from "../../channels-last/axes.ts";
import { known } from "../../channels-last/content.ts";
import { broadcastShape, cast, elementwise, foldedContent, unary } from "../../channels-last/elementwise.ts";
import type { Emitter } from "../../channels-last/emitter.ts";
import { reshape } from "../../channels-last/reshape.ts";
import type { Content, Term } from "../../channels-last/term.ts";
import type { Call, Family, OperatorRow } from "../call.ts";
import { isTerm } from "../slots.ts";
import { arcTangent, scalar } from "./angle.ts";
import { complexExp, complexProduct } from "./complex.ts";

/** The same operator under ONNX's name. */
const plain = (op: string): OperatorRow => ({ emit: (call) => unary(call.e, op, call.term(0)) });
const two = (op: string): OperatorRow => ({ emit: (call) => elementwise(call.e, op, [call.term(0), call.term(1)]) });
const compared = (op: string): OperatorRow => ({
  emit: (call) => elementwise(call.e, op, [call.term(0), call.term(1)], "bool"),
});

/** Whole numbers rounded down: x − mod(x, y) divides without rest. */
function floorDivide(e: Emitter, x: Term, y: Term): Term {
  const content = foldedContent(e, "Div", x, y, x.dtype, (a, b) => (b === 0 ? Number.NaN : Math.floor(a / b)));
  const constant = folded(e, x, y, content);
  if (constant) return constant;
  const exact = isFloat(x.dtype) ? x : elementwise(e, "Sub", [x, elementwise(e, "Mod", [x, y])]);
  const quotient = elementwise(e, "Div", [exact, y]);
  const made = isFloat(x.dtype) ? unary(e, "Floor", quotient) : quotient;
  return content ? { ...made, content } : made;
}

function floorModulo(e: Emitter, x: Term, y: Term): Term {
  if (!isFloat(x.dtype)) return elementwise(e, "Mod", [x, y]);
  return elementwise(e, "Sub", [x, elementwise(e, "Mul", [floorDivide(e, x, y), y])]);
}

/** Whole numbers are cut off towards zero, as ONNX does. */
function truncateDivide(call: Call): Term {
  const { e } = call;
  const [x, y] = [call.term(0), call.term(1)];
  const content = foldedContent(e, "Div", x, y, x.dtype, (a, b) => {
    if (isFloat(x.dtype)) return a / b;
    return b === 0 ? Number.NaN : Math.trunc(a / b);
  });
  return folded(e, x, y, content) ?? { ...elementwise(e, "Div", [x, y]), ...(content ? { content } : {}) };
}

/** The constant, where all elements are known. */
function folded(e: Emitter, x: Term, y: Term, content: Content | undefined): Term | undefined {
  const all = known(content);
  return all && e.numbers(all, x.dtype, broadcastShape(e, [x, y]) as number[]);
}

/** Nothing where both are zero: 0 · f(y) is 0 even where f(y) is no number. */
const zeroFirst = (of: (e: Emitter, x: Term, y: Term) => Term): OperatorRow => ({
  emit: (call) => {
    const { e } = call;
    const [x, y] = [call.term(0), call.term(1)];
    return choose(e, elementwise(e, "Equal", [x, scalar(e, 0, x)], "bool"), scalar(e, 0, x), of(e, x, y));
  },
});

/** Select of TensorFlow 1: a vector of conditions chooses whole slices. */
function selectSlices(call: Call): Term {
  const { e } = call;
  const [condition, yes, no] = [call.term(0), call.term(1), call.term(2)];
  const missing = condition.shape.length === 1 ? yes.shape.length - 1 : 0;
  const axes = Array.from({ length: Math.max(missing, 0) }, (_, i) => i + 1);
  return choose(e, axes.length > 0 ? unsqueeze(e, condition, axes) : condition, yes, no);
}

/** Adds a vector along the channels. */
export function addBias(e: Emitter, x: Term, bias: Term, channelsFirst: boolean): Term {
  if (!channelsFirst || x.shape.length < 3) return elementwise(e, "Add", [x, bias]);
  return elementwise(e, "Add", [x, reshape(e, bias, [bias.shape[0]!, ...x.shape.slice(2).map(() => 1)])]);
}

export function clip(e: Emitter, x: Term, least: number, most: number): Term {
  return unary(e, "Clip", x, {}, x.dtype, [e.value(scalar(e, least, x)), e.value(scalar(e, most, x))]);
}

const square = (e: Emitter, x: Term) => elementwise(e, "Mul", [x, x]);

export function leakyRelu(e: Emitter, x: Term, alpha: number): Term {
  return unary(e, "LeakyRelu", x, { alpha: { type: "float", value: alpha } });
}

const same = Object.fromEntries(
  [
    "Abs",
    "Neg",
    "Log",
    "Sqrt",
    "Floor",
    "Ceil",
    "Round",
    "Sign",
    "Sin",
    "Cos",
    "Tan",
    "Asin",
    "Acos",
    "Atan",
    "Sinh",
    "Cosh",
  ]
    .concat([
      "Asinh",
      "Acosh",
      "Atanh",
      "Tanh",
      "Sigmoid",
      "Softplus",
      "Softsign",
      "Erf",
      "Relu",
      "Elu",
      "Selu",
      "Reciprocal",
    ])
    .map((op) => [op, plain(op)]),
);

export const elementwiseRows: Family = {
  ...same,
  Exp: {
    emit: (call) => {
      const [x] = call.slots;
      return x && !isTerm(x) ? complexExp(call.e, call.complex(0)) : unary(call.e, "Exp", call.term(0));
    },
  },
  Inv: plain("Reciprocal"),
  Rint: plain("Round"),
  LogicalNot: plain("Not"),
  IsNan: { emit: (call) => unary(call.e, "IsNaN", call.term(0), {}, "bool") },
  IsInf: { emit: (call) => unary(call.e, "IsInf", call.term(0), {}, "bool") },
  IsFinite: {
    emit: (call) => {
      const { e } = call;
      const x = call.term(0);
      const wrong = elementwise(e, "Or", [unary(e, "IsNaN", x, {}, "bool"), unary(e, "IsInf", x, {}, "bool")]);
      return unary(e, "Not", wrong);
    },
  },
  Rsqrt: { emit: (call) => unary(call.e, "Reciprocal", unary(call.e, "Sqrt", call.term(0))) },
  Square: { emit: (call) => square(call.e, call.term(0)) },
  Log1p: {
    emit: (call) => unary(call.e, "Log", elementwise(call.e, "Add", [call.term(0), scalar(call.e, 1, call.term(0))])),
    limits: "in float precision: below 1e-7 nothing is left of the argument",
  },
  Expm1: {
    emit: (call) => elementwise(call.e, "Sub", [unary(call.e, "Exp", call.term(0)), scalar(call.e, 1, call.term(0))]),
    limits: "in float precision, as Log1p",
  },
  Erfc: {
    emit: (call) => elementwise(call.e, "Sub", [scalar(call.e, 1, call.term(0)), unary(call.e, "Erf", call.term(0))]),
  },
  Relu6: { emit: (call) => clip(call.e, call.term(0), 0, 6) },
  LeakyRelu: { emit: (call) => leakyRelu(call.e, call.term(0), call.attributes.float("alpha", 0.2)) },
  Prelu: { emit: (call) => elementwise(call.e, "PRelu", [call.term(0), call.term(1)]) },
  ClipByValue: {
    emit: (call) => {
      const { e } = call;
      return elementwise(e, "Min", [elementwise(e, "Max", [call.term(0), call.term(1)]), call.term(2)]);
    },
  },
  Add: two("Add"),
  AddV2: two("Add"),
  Sub: two("Sub"),
  Mul: {
    emit: (call) => {
      const [a, b] = call.slots;
      if (a && b && !(isTerm(a) && isTerm(b))) return complexProduct(call.e, call.complex(0), call.complex(1));
      return elementwise(call.e, "Mul", [call.term(0), call.term(1)]);
    },
  },
  RealDiv: { emit: truncateDivide },
  Div: { emit: truncateDivide },
  TruncateDiv: { emit: truncateDivide },
  FloorDiv: { emit: (call) => floorDivide(call.e, call.term(0), call.term(1)) },
  FloorMod: { emit: (call) => floorModulo(call.e, call.term(0), call.term(1)) },
  Mod: { emit: (call) => elementwise(call.e, "Mod", [call.term(0), call.term(1)], call.term(0).dtype, { fmod: 1 }) },
  TruncateMod: {
    emit: (call) => elementwise(call.e, "Mod", [call.term(0), call.term(1)], call.term(0).dtype, { fmod: 1 }),
  },
  DivNoNan: {
    emit: (call) => {
      const { e } = call;
      const [x, y] = [call.term(0), call.term(1)];
      const zero = scalar(e, 0, y);
      return choose(e, elementwise(e, "Equal", [y, zero], "bool"), zero, elementwise(e, "Div", [x, y]));
    },
  },
  MulNoNan: {
    emit: (call) => {
      const { e } = call;
      const [x, y] = [call.term(0), call.term(1)];
      const zero = scalar(e, 0, y);
      return choose(e, elementwise(e, "Equal", [y, zero], "bool"), zero, elementwise(e, "Mul", [x, y]));
    },
  },
  Xdivy: zeroFirst((e, x, y) => elementwise(e, "Div", [x, y])),
  Xlogy: zeroFirst((e, x, y) => elementwise(e, "Mul", [x, unary(e, "Log", y)])),
  Pow: two("Pow"),
  Maximum: two("Max"),
  Minimum: two("Min"),
  SquaredDifference: { emit: (call) => square(call.e, elementwise(call.e, "Sub", [call.term(0), call.term(1)])) },
  Atan2: { emit: (call) => arcTangent(call.e, call.term(0), call.term(1)) },
  AddN: { emit: (call) => call.terms().reduce((sum, term) => elementwise(call.e, "Add", [sum, term])) },
  BiasAdd: {
    emit: (call) =>
      addBias(call.e, call.term(0), call.term(1), call.attributes.string("data_format", "NHWC").startsWith("NC")),
  },
  Equal: compared("Equal"),
  NotEqual: {
    emit: (call) => unary(call.e, "Not", elementwise(call.e, "Equal", [call.term(0), call.term(1)], "bool")),
  },
  Greater: compared("Greater"),
  GreaterEqual: compared("GreaterOrEqual"),
  Less: compared("Less"),
  LessEqual: compared("LessOrEqual"),
  LogicalAnd: compared("And"),
  LogicalOr: compared("Or"),
  BitwiseAnd: two("BitwiseAnd"),
  BitwiseOr: two("BitwiseOr"),
  BitwiseXor: two("BitwiseXor"),
  Invert: plain("BitwiseNot"),
  Select: { emit: selectSlices },
  SelectV2: { emit: (call) => choose(call.e, call.term(0), call.term(1), call.term(2)) },
  ZerosLike: { emit: (call) => filledLike(call, 0) },
  OnesLike: { emit: (call) => filledLike(call, 1) },
};

function filledLike(call: Call, value: number): Term {
  const x = call.term(0);
  const dtype: DType = x.dtype;
  const { e } = call;
  if (dtype === "bool") return cast(e, filled(e, { ...cast(e, x, "int32") }, value), "bool");
  return filled(e, x, value);
}

/** As many of one number as the term has elements. */
function filled(e: Emitter, x: Term, value: number): Term {
  const spread = e.node("Expand", [e.value(scalar(e, value, x)), e.node("Shape", [e.value(x, x.order)]).output]).output;
  return e.term(spread, x.dtype, x.shape, x.order);
}
