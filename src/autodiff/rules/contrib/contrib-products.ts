/** Products with what ONNX Runtime has fused into them: transposes, a factor, an activation, a sum. */
import type { Value } from "../../../ir/inner.ts";
import type { Shape } from "../../../tensor/inner.ts";
import type { Backward, InputGradients } from "../../rule.ts";
import { convGradients, gemmGradients } from "../linear/linear.ts";
import { gateFunction } from "../recurrent/gate-functions.ts";

/** y = α · op(a) · op(c): with transA and transB either or both turned; a batch axis that was moved is refused. */
export function fusedMatMul(b: Backward): InputGradients {
  const { node, dy } = b;
  const flags = (name: string) => node.int(name, 0);
  if (flags("transBatchA") || flags("transBatchB"))
    throw b.refusal("its transBatch moves a batch axis, which has no rule");
  const [first, second] = [b.shapeOf(0), b.shapeOf(1)];
  if (first.length < 2 || second.length < 2) throw b.refusal("a vector takes part in it, which has no rule");
  const [transA, transB] = [flags("transA"), flags("transB")];
  const alpha = { type: "float", value: node.float("alpha", 1) } as const;
  const product = (left: Value, right: Value, a: number, c: number) =>
    b.op("FusedMatMul", [left, right], { alpha, transA: a, transB: c }, { domain: "com.microsoft" });
  const [a, c] = [b.input(0), b.input(1)];
  const back = (value: Value, to: Shape) => b.unbroadcast(value, [...b.outShape.slice(0, -2), ...to.slice(-2)], to);
  return [
    b.wants(0) ? back(transA ? product(c, dy, transB, 1) : product(dy, c, 0, 1 - transB), first) : null,
    b.wants(1) ? back(transB ? product(dy, a, 1, transA) : product(a, dy, 1 - transA, 0), second) : null,
  ];
}

/** The gradient in front of a fused activation. Its value is the output; only some functions need what came in. */
function beforeActivation(b: Backward, name: string, numbers: readonly number[]): Value {
  if (name === "") return b.dy;
  const f = gateFunction(name, numbers);
  // Relu, LeakyRelu and Clip have the sign and the bounds of what came in on both sides; so the output serves as input.
  if (!f || !["sigmoid", "tanh", "relu", "leakyrelu", "clip", "hardsigmoid"].includes(name.toLowerCase())) {
    throw b.refusal(`its activation ${name} has no slope here`);
  }
  return b.mul(b.dy, f.slope(b, b.y, b.y));
}

/** y = f(Conv(x, w) + b + z). */
export function fusedConv(b: Backward): InputGradients {
  const attribute = b.node.attributes.get("activation_params");
  const numbers = attribute?.type === "floats" ? attribute.value : [];
  const dy = beforeActivation(b, b.node.string("activation", ""), numbers);
  return [...convGradients(b, dy), b.wants(3) ? dy : null];
}

/** y = f(Gemm(a, c, d)). */
export function fusedGemm(b: Backward): InputGradients {
  const { node } = b;
  const numbers = ["activation_alpha", "activation_beta"].flatMap((name) => node.float(name) ?? []);
  return gemmGradients(b, beforeActivation(b, node.string("activation", ""), numbers));
}
