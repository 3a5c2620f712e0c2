/**
 * A zoo of one small model per operator that changed since opset 7, each in the spelling of the opset where it is asked
 * for; and models of what files hold next to operators: bodies, functions, low-bit and half types, sparse constants.
 */
import { type Model, parseModel } from "../src/ir/inner.ts";
import { ops, type StandardOp, versionAt } from "../src/ops/inner.ts";

const x = "float[2,3] x";
const image = "float[1,4,6,6] x";
/** Operator → a model of it, in the spelling of an opset where that changed. */
export const samples: Partial<Record<StandardOp, string | ((opset: number) => string)>> = {};
const unary = `Abs Atan Asinh Ceil Cos Elu Erf Exp Floor HardSigmoid HardSwish Identity IsNaN LeakyRelu LogSoftmax Mish Neg
  Relu Round Selu Shape Sigmoid Sign Sin Sinh Size Softmax Softplus Softsign Sqrt Tan Tanh ThresholdedRelu Cosh Hardmax
  Reciprocal Log NonZero Transpose Flatten Squeeze LpNormalization Dropout IsInf`;
for (const op of unary.split(/\s+/) as StandardOp[]) samples[op] = `f (${x}) => (y) { y = ${op}(x) }`;
for (const op of ["Acos", "Asin", "Atanh"] as const)
  samples[op] = `f (${x}) => (y) <float k = {0.1}> { t = Tanh(x) u = Mul(t, k) y = ${op}(u) }`;
for (const op of ["Acosh"] as const)
  samples[op] = `f (${x}) => (y) <float k = {1}> { t = Exp(x) u = Add(t, k) y = ${op}(u) }`;
for (const op of "Add Sub Mul Div Greater Less GreaterOrEqual LessOrEqual PRelu".split(" ") as StandardOp[])
  samples[op] = `f (${x}, float[3] z) => (y) { y = ${op}(x, z) }`;
for (const op of ["Max", "Min", "Mean", "Sum"] as const)
  samples[op] = `f (${x}, float[2,3] z) => (y) { y = ${op}(x, z) }`;
samples.Equal = "f (int64[4] x, int64[1] z) => (y) { y = Equal(x, z) }";
samples.Pow = `f (${x}) => (y) <float k = {2}> { e = Exp(x) y = Pow(e, k) }`;
samples.Mod = `f (int64[4] x) => (y) <int64 k = {3}> { y = Mod(x, k) }`;
for (const op of ["ArgMax", "ArgMin"] as const) samples[op] = `f (${x}) => (y) { y = ${op} <axis = 1> (x) }`;
for (const op of Object.keys(ops).filter((name) => name.startsWith("Reduce")) as StandardOp[])
  samples[op] = `f (${x}) => (y) { e = Exp(x) y = ${op}(e) }`;
for (const op of ["AveragePool", "MaxPool", "LpPool"] as const)
  samples[op] = `f (${image}) => (y) { y = ${op} <kernel_shape = [3,3], strides = [2,2], pads = [1,1,1,1]> (x) }`;
for (const op of ["GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"] as const)
  samples[op] = `f (${image}) => (y) { y = ${op}(x) }`;
samples.Conv = `f (${image}) => (y) <float[6,2,3,3] w, float[6] b> { y = Conv <group = 2, dilations = [2,1]> (x, w, b) }`;
samples.ConvTranspose = `f (${image}) => (y) <float[4,3,3,3] w> { y = ConvTranspose <strides = [2,2], output_padding = [1,1]> (x, w) }`;
samples.DeformConv = `f (${image}, float[1,18,4,4] o) => (y) <float[2,4,3,3] w> { y = DeformConv <kernel_shape = [3,3]> (x, w, o) }`;
samples.Gemm = `f (${x}) => (y) <float[4,3] w, float[4] b> { y = Gemm <transB = 1, alpha = 0.5> (x, w, b) }`;
samples.MatMul = `f (${x}) => (y) <float[3,4] w> { y = MatMul(x, w) }`;
samples.BatchNormalization = `f (${image}) => (y) <float[4] g, float[4] b, float[4] m, float[4] v> { y = BatchNormalization(x, g, b, m, v) }`;
samples.InstanceNormalization = `f (${image}) => (y) <float[4] g, float[4] b> { y = InstanceNormalization(x, g, b) }`;
samples.LRN = `f (${image}) => (y) { y = LRN <size = 3> (x) }`;
samples.MeanVarianceNormalization = `f (${image}) => (y) { y = MeanVarianceNormalization(x) }`;
samples.DepthToSpace = `f (${image}) => (y) { y = DepthToSpace <blocksize = 2> (x) }`;
samples.SpaceToDepth = `f (${image}) => (y) { y = SpaceToDepth <blocksize = 2> (x) }`;
samples.MaxRoiPool = `f (${image}) => (y) <float[1,5] r = {0, 0, 0, 4, 4}> { y = MaxRoiPool <pooled_shape = [2,2]> (x, r) }`;
samples.MaxUnpool = `f (${image}) => (y) { p, i = MaxPool <kernel_shape = [2,2], strides = [2,2]> (x) y = MaxUnpool <kernel_shape = [2,2], strides = [2,2]> (p, i) }`;
samples.Cast = `f (${x}) => (y) { y = Cast <to = 6> (x) }`;
samples.CastLike = `f (${x}) => (y) <int64 k = {1}> { y = CastLike(x, k) }`;
samples.Concat = `f (${x}) => (y) { y = Concat <axis = 1> (x, x) }`;
samples.Constant = `f (${x}) => (y) { c = Constant <value = float[3] {1, 2, 3}> () y = Add(x, c) }`;
samples.ConstantOfShape = `f (${x}) => (y) { s = Shape(x) c = ConstantOfShape <value = float[1] {3}> (s) y = Add(x, c) }`;
samples.Compress = `f (${x}) => (y) <bool[3] c = {1, 0, 1}> { y = Compress <axis = 1> (x, c) }`;
samples.CumSum = `f (${x}) => (y) <int64 a = {1}> { y = CumSum <exclusive = 1> (x, a) }`;
samples.Det = "f (float[2,3,3] x) => (y) { y = Det(x) }";
samples.EyeLike = `f (${x}) => (y) { e = EyeLike <k = 1> (x) y = Add(x, e) }`;
samples.Expand = `f (${x}) => (y) <int64[3] s = {4, 1, 3}> { y = Expand(x, s) }`;
samples.Gather = `f (${x}) => (y) <int64[2] i = {2, 0}> { y = Gather <axis = 1> (x, i) }`;
samples.GatherElements = `f (${x}) => (y) <int64[1,3] i = {1, 0, 1}> { y = GatherElements(x, i) }`;
samples.GatherND = `f (${x}) => (y) <int64[2,1] i = {1, 0}> { y = GatherND(x, i) }`;
samples.Scatter = `f (${x}, float[1,3] u) => (y) <int64[1,3] i = {1, 0, 1}> { y = Scatter(x, i, u) }`;
samples.ScatterElements = `f (${x}, float[1,3] u) => (y) <int64[1,3] i = {1, 0, 1}> { y = ScatterElements(x, i, u) }`;
samples.ScatterND = `f (${x}, float[1,3] u) => (y) <int64[1,1] i = {1}> { y = ScatterND(x, i, u) }`;
samples.Where = `f (${x}) => (y) <bool[3] c = {1, 0, 1}, float k = {7}> { y = Where(c, x, k) }`;
samples.Tile = `f (${x}) => (y) <int64[2] r = {2, 1}> { y = Tile(x, r) }`;
samples.Reshape = `f (${x}) => (y) <int64[2] s = {-1, 2}> { y = Reshape(x, s) }`;
samples.OneHot = `f (int64[3] x) => (y) <int64 d = {5}, float[2] v = {0, 1}> { y = OneHot(x, d, v) }`;
samples.Unsqueeze = (opset) =>
  opset < 13
    ? `f (${x}) => (y) { y = Unsqueeze <axes = [1]> (x) }`
    : `f (${x}) => (y) <int64[1] a = {1}> { y = Unsqueeze(x, a) }`;
samples.Split = (opset) => `f (${x}) => (y, z) { y, z = Split <axis = 0${opset < 18 ? "" : ", num_outputs = 2"}> (x) }`;
samples.TopK = (opset) =>
  opset < 10
    ? `f (${x}) => (y, i) { y, i = TopK <k = 2> (x) }`
    : `f (${x}) => (y, i) <int64[1] k = {2}> { y, i = TopK(x, k) }`;
samples.Slice = (opset) =>
  opset < 10
    ? `f (${x}) => (y) { y = Slice <starts = [1], ends = [3], axes = [1]> (x) }`
    : `f (${x}) => (y) <int64[1] s = {1}, int64[1] e = {3}, int64[1] a = {1}> { y = Slice(x, s, e, a) }`;
samples.Pad = (opset) =>
  opset < 11
    ? `f (${x}) => (y) { y = Pad <pads = [0,1,1,0]> (x) }`
    : `f (${x}) => (y) <int64[4] p = {0,1,1,0}> { y = Pad(x, p) }`;
samples.Clip = (opset) =>
  opset < 11 ? `f (${x}) => (y) { y = Clip <min = 0.0> (x) }` : `f (${x}) => (y) <float m = {0}> { y = Clip(x, m) }`;
samples.Upsample = (opset) =>
  opset < 9
    ? `f (${image}) => (y) { y = Upsample <scales = [1.0,1.0,2.0,2.0]> (x) }`
    : `f (${image}) => (y) <float[4] s = {1,1,2,2}> { y = Upsample(x, s) }`;
samples.Resize = (opset) =>
  opset < 11
    ? `f (${image}) => (y) <float[4] s = {1,1,2,2}> { y = Resize(x, s) }`
    : `f (${image}) => (y) <float[0] r = {}, float[4] s = {1,1,1.5,2.5}> { y = Resize(x, r, s) }`;
samples.QuantizeLinear = `f (${x}) => (y) <float s = {0.1}, uint8 z = {7}> { y = QuantizeLinear(x, s, z) }`;
samples.DequantizeLinear = `f (${x}) => (y) <float s = {0.1}, uint8 z = {7}> { q = QuantizeLinear(x, s, z) y = DequantizeLinear(q, s, z) }`;
samples.QLinearMatMul = `f (${x}) => (y) <float s = {0.1}, uint8 z = {7}, uint8[3,2] w> { q = QuantizeLinear(x, s, z) y = QLinearMatMul(q, s, z, w, s, z, s, z) }`;
for (const [op, gates] of [
  ["RNN", 1],
  ["GRU", 3],
  ["LSTM", 4],
] as const)
  samples[op] =
    `f (float[3,2,4] x) => (y, h) <float[1,${5 * gates},4] w, float[1,${5 * gates},5] r> { y, h = ${op} <hidden_size = 5> (x, w, r) }`;
samples.If = `f (${x}, bool c) => (y) { y = If(c) < then_branch = t () => (float[2,3] a) { a = Neg(x) }, else_branch = e () => (float[2,3] b) { b = Abs(x) } > }`;
samples.Loop = `f (${x}) => (y) <int64 n = {3}, bool go = {1}> {
  y = Loop(n, go, x) < body = b (int64 i, bool c, float[2,3] s) => (bool d, float[2,3] t) { d = Identity(c) t = Add(s, s) } > }`;
samples.Scan = `f (float[4,3] x, float[3] h) => (y, z) {
  y, z = Scan(h, x) < num_scan_inputs = 1, body = b (float[3] s, float[3] e) => (float[3] t, float[3] o) { t = Add(s, e) o = Mul(t, e) } > }`;
samples.NonMaxSuppression = `f (float[1,4,4] b, float[1,1,4] s) => (y) <int64[1] n = {3}> { y = NonMaxSuppression(b, s, n) }`;
samples.RoiAlign = `f (${image}) => (y) <float[1,4] r = {0, 0, 4, 4}, int64[1] b = {0}> { y = RoiAlign <output_height = 2, output_width = 2> (x, r, b) }`;
samples.GridSample = `f (${image}, float[1,2,2,2] g) => (y) { y = GridSample(x, g) }`;
samples.DFT = "f (float[1,8,1] x) => (y) { y = DFT(x) }";
samples.NegativeLogLikelihoodLoss = `f (${x}) => (y) <int64[2] t = {2, 0}> { y = NegativeLogLikelihoodLoss(x, t) }`;
samples.SoftmaxCrossEntropyLoss = `f (${x}) => (y) <int64[2] t = {2, 0}> { y = SoftmaxCrossEntropyLoss(x, t) }`;
samples.SplitToSequence = `f (${x}) => (y) <int64 a = {1}> { s = SplitToSequence <axis = 1> (x) y = SequenceAt(s, a) }`;

/** The model of this operator in this opset. */
export function sampleOf(op: StandardOp, opset: number): Model {
  const sample = samples[op]!;
  return parseModel(typeof sample === "string" ? sample : sample(opset), { opset, seed: 3, positive: ["v"] });
}

/** Whether the operator can be written in this opset. */
export function existsAt(op: StandardOp, opset: number): boolean {
  return versionAt(ops[op], opset) !== undefined;
}

const header = '<ir_version: 10, opset_import: ["" : 21]>';

/** What files hold next to operators; null where ONNX Runtime has no kernel for it. */
export const specials: Record<string, { readonly text: string; readonly runs: boolean }> = {
  "bodies in bodies, with captures": {
    runs: true,
    text: `${header} f (float[2,3] x, bool c) => (y) <float[3] w = {1, 2, 3}> {
      k = Mul(x, w)
      y = If(c) < then_branch = t () => (float[2,3] a) { n = Not(c) a = If(n) <
          then_branch = tt () => (float[2,3] p) { p = Add(k, w) }, else_branch = te () => (float[2,3] q) { q = Neg(k) } > },
        else_branch = e () => (float[2,3] b) { b = Abs(x) } > }`,
  },
  "functions that call functions": {
    runs: true,
    text: `<ir_version: 10, opset_import: ["" : 21, "own" : 1]> f (float[2,3] x) => (y) { y = own.Outer <alpha = 0.5> (x) }
      <domain: "own", opset_import: ["" : 21, "own" : 1]> Outer <alpha> (a) => (b) { c = own.Inner(a) b = Elu <alpha: float = @alpha> (c) }
      <domain: "own", opset_import: ["" : 21]> Inner (a) => (b) { s = Sigmoid(a) b = Mul(a, s) }`,
  },
  "4-bit weights in blocks": {
    runs: true,
    text: `${header} f (float[2,8] x) => (y) <int4[8,3] w = {-8,7,1,2,3,4,5,6,-1,-2,-3,-4,-5,-6,-7,0,1,2,3,4,5,6,7,-8}, float[2,3] s = {0.1,0.2,0.3,0.4,0.5,0.6}> {
      d = DequantizeLinear <axis = 0, block_size = 4> (w, s) y = MatMul(x, d) }`,
  },
  "unsigned 4-bit zero points": {
    runs: true,
    text: `${header} f (float[2,3] x) => (y) <uint4[3] w = {1, 15, 7}, float[3] s = {0.1,0.2,0.3}, uint4[3] z = {8, 7, 0}> {
      d = DequantizeLinear <axis = 0> (w, s, z) y = Mul(x, d) }`,
  },
  "bfloat16 in the middle": {
    runs: true,
    text: `${header} f (float[2,3] x) => (y) <bfloat16[3] k = {16256, 16384, 16448}> { b = Cast <to = 1> (k) y = Mul(x, b) }`,
  },
  "half precision": {
    runs: true,
    text: `${header} f (float[2,3] x) => (y) <float16[3] k = {15360, 16384, 16896}> { h = Cast <to = 10> (x) m = Mul(h, k) y = Cast <to = 1> (m) }`,
  },
  "8-bit floats": {
    runs: true,
    text: `${header} f (float[2,3] x) => (y) <float8e4m3fn[3] k = {56, 184, 64}> { b = Cast <to = 1> (k) y = Mul(x, b) }`,
  },
  texts: {
    runs: true,
    text: `${header} f (string[2] x) => (y) <string[2] k = {"a", "naïve"}> { y = StringConcat(x, k) }`,
  },
  "an unknown operator": {
    runs: false,
    text: `<ir_version: 10, opset_import: ["" : 21, "vendor" : 3]> f (float[2,3] x) => (y) {
      y, "", z = vendor.Secret <mode = "fast", table = [1, 2, 3], blob = float[2] {1, 2}> (x, "", x) }`,
  },
};
