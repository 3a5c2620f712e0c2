"""Asks the official parser and printer (pip install onnx) about ONNX texts: the oracle of src/ir/text.

    python tools/onnx-text-golden.py          writes src/ir/text/golden/official.json
    python tools/onnx-text-golden.py --check  reads golden/printed.json, which the test writes from our printer, and
                                              compares what the official parser makes of it with the official model
"""

import json
import pathlib
import sys

import onnx
import onnx.parser
import onnx.printer

folder = pathlib.Path(__file__).parent.parent / "src" / "ir" / "text" / "golden"
head = '<ir_version: 10, opset_import: ["" : 21]>\n'


def op(attributes: str) -> str:
    return head + f"g (float[2] x) => (float[2] y) {{ y = Foo <{attributes}> (x) }}"


def constant(data: str) -> str:
    return head + f"g () => (y) <{data}> {{ y = Foo (c) }}"


texts = {
    "header": """<ir_version: 7, opset_import: ["" : 13, "com.microsoft" : 1, "ai.onnx.ml":3], producer_name: "a \\"b\\" \\\\ c",
        producer_version: "1.0", domain: "d.e", model_version: 9223372036854775807, doc_string: "two
lines", metadata_props: ["k" : "v", "k 2" : ""]>
        agraph (float[N] y, float[N] z) => (float[N] w) { # a comment
        x = foo(y, z) # another
        w = bar(x, y) }""",
    "empty metadata": '<ir_version: 7, opset_import: ["":13], metadata_props: []> g (float x) => (float y) { y = Neg(x) }',
    "types": head
    + """g (float[N, 3, ?, "h w"] a, float b, float[] c, seq(float[2]) d, map(int64, seq(string[])) e, optional(float16) f,
        sparse_tensor(double[3,3]) h, uint4[2] i, int2[2] j, float8e4m3fn[1] k, bool l, complex64[1] m, bfloat16[0] n,
        float8e8m0 p, float4e2m1[4] q, untyped) => (y) { y = Foo(a, b) }""",
    "names": head
    + """"a graph" (float[2] "input/X", float[2] "1st", float[2] "float", float[2] _x1) => (float[2] "out.0")
        <float[2] "layer/w:0" = {1, 2}, float[2] "t 1">
        { ["node/1"] "t 1" = Add("input/X", "layer/w:0") [n2] "out.0" = Foo("t 1", "1st", "float", _x1) }""",
    "left out": head
    + 'g (float[2] x, float[2] z) => (float[2] y) { a, , c = Split(x) b = Clip(x, , z) d = Clip(x, "", z) e = Foo( , z) y = Bar(a,) = Sink(x) [] q = Src() }',
    "operators": head + "g (float x) => (y) { a = com.microsoft.Gelu(x) b = ai.onnx.ml.Scaler:over(a) y = Relu(b) }",
    "numbers": op("a = 1, b = -2, c = 0.5, d = -1e-7, e : float = 3, f = 1E+20, g = 9223372036854775807, h = 2., k : float = -0"),
    "not finite": op("a = inf, b = -inf, c = nan, d = Infinity, e = [inf, -inf, 1.5], f : float = NaN"),
    "lists": op('a = [1, 2], b = [0.5, 2], c = ["x", "y \\" z"], d : ints = [], e : floats = [1, 2], f : strings = []'),
    "strings": op('a = "", b = "é \\\\ \\" ; \\n", c = "# no comment"'),
    "tensors": op("a = float[2] {1, 2.5}, b = int64 {7}, c = float[2] named = {1, 2}, d = string[2] {\"p\", \"q\"}, e = int32[0] {}"),
    "type attributes": op("a = float[2], b : type_proto = seq(int64), c = float[N]"),
    "floats": constant("float[6] c = {1, -0, 0.1, 3.4028235e38, 1e-45, nan}"),
    "doubles": constant("double[4] c = {0.1, 1e300, 5e-324, -inf}"),
    "integers": constant("int64[3] c = {-9223372036854775808, 0, 9223372036854775807}"),
    "unsigned": constant("uint64[2] c = {0, 18446744073709551615}"),
    "small integers": constant("int8[3] c = {-128, 0, 127}"),
    "uint16": constant("uint16[2] c = {0, 65535}"),
    "uint32": constant("uint32[2] c = {0, 4294967295}"),
    "bools": constant("bool[2] c = {1, 0}"),
    "float16 bits": constant("float16[3] c = {15360, 49152, 0}"),
    "bfloat16 bits": constant("bfloat16[2] c = {16256, 49024}"),
    "float8 bits": constant("float8e5m2[2] c = {56, 255}"),
    "complex": constant("complex64[2] c = {1, 2.5, -3, 0}"),
    "text data": constant('string[2] c = {"a", "b \\" \\\\"}'),
    "scalar and empty": constant("float c = {1}, float[0] d = {}"),
    "default of an input": head + "g (float[2] x = {1, 2}, float[2] z) => (y) <float[2] z = {3, 4}> { y = Add(x, z) }",
    "subgraphs": head
    + """g (bool b, float[N] x) => (float[N] z) { t = Neg(x)
        z = If (b) < then_branch = g1 () => (float[N] a) <float[1] w = {2}> { a = Mul(t, w) },
                     else_branch = "g 2" () => (float[N] a) { u = Identity(x)
                       a = If (b) <then_branch = h () => (c) {c = Neg(u)}, else_branch = k () => (c) {c = Abs(t)}> } > }""".replace(
        '"g 2"', "g2"
    ),
    "loop": head
    + """g (int64 n, bool c, float[2] x) => (float[2] y, float[n,2] all) {
        y, all = Loop (n, c, x) <body = b (int64 i, bool ci, float[2] xi) => (bool co, float[2] xo, float[2] s)
          { co = Identity(ci) xo = Add(xi, x) s = Identity(xo) }> }""",
    "functions": """<ir_version: 10, opset_import: ["" : 21, "local" : 1]>
        g (float[N] x) => (float[N] y) { t = local.foo <alpha = 2.0, gamma = 3.0> (x) y = local.bar:v2 (t) }
        <opset_import: ["" : 21], domain: "local", doc_string: "foo">
        foo <alpha : float = 4.0, gamma> (X) => (C) {
          a = Constant <value_float : float = @alpha> ()
          c = Constant <value_float : float = @gamma> ()
          s = Mul(a, X)
          C = Add(s, c) }
        <domain: "local", overload: "v2", opset_import: ["" : 21]>
        bar (float[N] x) => (float[N] y) <float[N] t> { t = Neg(x) y = Neg(t) }
        <domain: "local", opset_import: [ "" : 21 ]> "odd name" () => () { }""",
    "refused: no arrow": "g (float x) (y) { y = Neg(x) }",
    "refused: unknown type": "g (flaot[2] x) => (y) { y = Neg(x) }",
    "refused: open string": 'g (float x) => (y) { y = Neg("x) }',
    "refused: open braces": "g (float x) => (y) { y = Neg(x) ",
    "refused: rank of a constant": constant("float[] c = {1}"),
    "refused: symbolic constant": constant("float[N] c = {1}"),
    "refused: text in floats": constant('float[1] c = {"a"}'),
    "refused: empty list": op("a = []"),
    "refused: wrong annotation": op("a : string = 1"),
    "refused: unknown annotation": op("a : number = 1"),
    "refused: scalar for a list": op("a : ints = 1"),
    "refused: mixed list": op("a = [1, 0.5]"),
    "refused: unknown entry": "<ir_version: 10, colour: 1> g () => () { }",
    "refused: text for a version": '<ir_version: "10"> g () => () { }',
    "refused: unquoted slash": head + "g (float a/b) => (y) { y = Neg(a/b) }",
    "refused: leading digit": head + "g (float 1a) => (y) { y = Neg(1a) }",
    "refused: word for a number": op("a : float = infinite"),
}


def official(text: str) -> dict:
    try:
        model = onnx.parser.parse_model(text)
    except (onnx.parser.ParseError, ValueError, RuntimeError) as problem:
        return {"text": text, "refused": str(problem).splitlines()[0]}
    # Complex numbers, empty lists of strings and defaults of functions do not survive the official printer.
    printed = onnx.printer.to_text(model)
    try:
        faithful = normal(onnx.parser.parse_model(printed)) == normal(onnx.parser.parse_model(text))
    except onnx.parser.ParseError:
        faithful = False
    return {"text": text, "printed": printed if faithful else None}


def normal(model: onnx.ModelProto) -> bytes:
    """What is no difference: the order of type notes, notes on what is not computed here, "" for an absent string."""

    def graph(g: onnx.GraphProto) -> None:
        elsewhere = {v.name for v in [*g.input, *g.output]} | {t.name for t in g.initializer}
        notes = sorted((v for v in g.value_info if v.name not in elsewhere), key=lambda v: v.name)
        del g.value_info[:]
        g.value_info.extend(notes)
        nodes(g.node)

    def nodes(all_nodes) -> None:
        for n in all_nodes:
            for field in ("name", "domain", "overload"):
                if not getattr(n, field):
                    n.ClearField(field)
            for a in n.attribute:
                a.t.ClearField("name") if a.HasField("t") else None
                graph(a.g) if a.HasField("g") else None

    graph(model.graph)
    for f in model.functions:
        f.value_info.sort(key=lambda v: v.name)
        nodes(f.node)
    return model.SerializeToString(deterministic=True)


if "--check" in sys.argv:
    printed = json.loads((folder / "printed.json").read_text())
    for name, text in printed.items():
        same = normal(onnx.parser.parse_model(text)) == normal(onnx.parser.parse_model(texts[name]))
        print("equal" if same else "DIFFERENT", name)
        if not same:
            print(onnx.parser.parse_model(text), onnx.parser.parse_model(texts[name]))
else:
    answers = {name: official(text) for name, text in texts.items()}
    note = f"answers of onnx {onnx.__version__}, written by tools/onnx-text-golden.py"
    (folder / "official.json").write_text(json.dumps({"note": note, "answers": answers}, indent=1, ensure_ascii=False) + "\n")
    print({True: "refused", False: "read"}, [n for n, a in answers.items() if ("refused" in a) != n.startswith("refused")])
