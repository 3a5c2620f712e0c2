/** Models that hold what passes and placement look for: chains that cancel, fold, unroll, are recognised or inlined. */
const header = '<ir_version: 8, opset_import: ["" : 17]>';

export const patterns: readonly string[] = [
  `${header} f (float[1,3,8,8] x) => (y, z) <float[4,3,3,3] w, float[4] g, float[4] b, float[4] m, float[4] v, float[1,4,1,1] s, int64[8] p = {0,0,1,1,0,0,1,1}> {
    q = Pad(x, p) c = Conv(q, w) n = BatchNormalization(c, g, b, m, v) r = Relu(n) k = Mul(r, s) t = Transpose <perm = [0,2,3,1]> (k)
    u = Transpose <perm = [0,3,1,2]> (t) y = MaxPool <kernel_shape = [2,2], strides = [2,2]> (u) z = GlobalAveragePool(u) }`,
  `${header} f (float[2,6] x) => (y) <float[6,8] w, float[8] b, int64[3] s = {2,2,4}, int64[1] a = {0}, int64[2] r = {-1,8}> {
    h = MatMul(x, w) i = Add(h, b) j = Reshape(i, s) k = Unsqueeze(j, a) l = Squeeze(k, a) y = Reshape(l, r) }`,
  `${header} f (float[2,4,8] x) => (y) <float two = {2}, float e = {0.00001}, float[8] g, float[8] b> {
    m = ReduceMean <axes = [-1]> (x) d = Sub(x, m) q = Pow(d, two) v = ReduceMean <axes = [-1]> (q) a = Add(v, e) r = Sqrt(a)
    n = Div(d, r) s = Mul(n, g) y = Add(s, b) }`,
  `${header} f (float[2,8] x) => (y) <float k = {1.4142135}, float one = {1}, float half = {0.5}> {
    d = Div(x, k) e = Erf(d) a = Add(e, one) m = Mul(x, a) y = Mul(m, half) }`,
  `${header} f (float[1,2,4,8] q, float[1,2,4,8] k, float[1,2,4,8] v) => (y) <float s = {0.35}> {
    t = Transpose <perm = [0,1,3,2]> (k) a = MatMul(q, t) b = Mul(a, s) p = Softmax <axis = -1> (b) y = MatMul(p, v) }`,
  `${header} f (float["N",3,4] x) => (y) <int64[1] zero = {0}, int64[1] one = {1}, int64[1] all = {-1}, int64 i = {0}> {
    s = Shape(x) n = Gather(s, i) u = Unsqueeze(n, zero) t = Concat <axis = 0> (u, all) r = Reshape(x, t)
    e = Slice(s, zero, one) c = ConstantOfShape(e) l = Cast <to = 1> (c) y = Sub(r, l) }`,
  `${header} f (float[3,2,4] x) => (y, h) <float[2,20,4] w, float[2,20,5] r, float[2,40] b> {
    y, h = LSTM <hidden_size = 5, direction = "bidirectional"> (x, w, r, b) }`,
  `${header} f (float[3,2,4] x) => (y) <float[1,15,4] w, float[1,15,5] r> { y = GRU <hidden_size = 5, linear_before_reset = 1> (x, w, r) }`,
  `${header} f (float[2,3] x) => (y) <int64[2] a = {6,4}, int64[2] b = {2,1}, float[2,2] m, float[2,3] n, int64[2] t = {2,1}, float one = {1}> {
    d = Div(a, b) s = Mod(a, b) q = Add(d, s) c = Cast <to = 1> (q) u = Unsqueeze(c, z) o = Expand(one, t) p = MatMul(m, n) e = Add(x, p) f = Tile(e, t) y = Add(f, o) }
  `.replace("u = Unsqueeze(c, z) ", ""),
  `<ir_version: 10, opset_import: ["" : 17, "own" : 1]> f (float[2,3] x) => (y) { a = own.Twice(x) b = own.Twice(a) y = own.Scale <k = 2.0> (b) }
    <domain: "own", opset_import: ["" : 17, "own" : 1]> Twice (a) => (c) { b = own.Scale <k = 0.5> (a) c = own.Scale <k = 3.0> (b) }
    <domain: "own", opset_import: ["" : 17]> Scale <k> (a) => (c) { b = Constant <value_float: float = @k> () c = Mul(a, b) }`,
  `${header} f (float[1,8,4,4] x) => (a, b, c) <int64[2] k = {3,5}, float z = {0}, float[8,1,1] p, int64[4] n = {1,2,4,16}> {
    f, g = Split <axis = 1> (x, k) h = Concat <axis = 1> (g, f) i = Clip(h, z) j = PRelu(i, p) a = Reshape(j, n)
    b = ReduceMean <axes = [2,3]> (j) l = Flatten(b) c = Softmax <axis = 1> (l) }`,
  `<ir_version: 8, opset_import: ["" : 11]> f (float[1,3,6,6] x) => (y) <float[4,3,1,1] w, float[0] r = {}, float[4] s = {1,1,2,2}> {
    c = Conv(x, w) u = Resize <mode = "nearest"> (c, r, s) v = Unsqueeze <axes = [0]> (u) t = Squeeze <axes = [0]> (v) q = Pad2(t) y = Softmax <axis = 1> (q) }`.replace(
    "q = Pad2(t) y = Softmax <axis = 1> (q)",
    "y = Softmax <axis = 1> (t)",
  ),
];
