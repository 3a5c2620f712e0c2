/**
 * RNN, GRU and LSTM through time (Werbos, 1990). The forward pass gives out every state h, so all gates are computed again
 * for all steps at once; only what goes from step to step (the cell, and the gradients) is a loop, and the products with
 * the weights are made once over all steps.
 */
import { isRefused } from "../../../base/inner.ts";
import type { Value } from "../../../ir/inner.ts";
import type { Backward, GradientRow, InputGradients } from "../../rule.ts";
import {
  type Direction,
  type DirectionGradients,
  directionOf,
  flowing,
  frameOf,
  gate,
  gateInputs,
  productGradients,
  stateGradient,
} from "./direction.ts";
import { gateFunctionsOf } from "./gate-functions.ts";
import { gruPass } from "./gru.ts";
import { lstmPass } from "./lstm.ts";
import { overTime } from "./time-steps.ts";

type Pass = (b: Backward, direction: Direction) => DirectionGradients;

function gradients(b: Backward, pass: Pass): InputGradients {
  const { node } = b;
  if (node.int("layout", 0) !== 0) throw b.refusal("its layout 1 has no kernel in ONNX Runtime");
  const count = b.shapeOf(1)[0]!;
  const functions = gateFunctionsOf(node);
  if (isRefused(functions)) throw b.refusal(functions.refused);
  const frame = frameOf(b);
  const all = Array.from({ length: count }, (_, d) => pass(b, directionOf(b, frame, d, functions[d]!)));
  const stacked = (pick: (one: DirectionGradients) => Value | null | undefined): Value | null => {
    const parts = all.map(pick);
    if (parts.some((part) => !part)) return null;
    return b.concat(
      parts.map((part) => b.op("Unsqueeze", [part!, b.ints([0])])),
      0,
    );
  };
  const toInput = all.map(({ x }) => x).filter((x) => x !== null);
  return [
    toInput.length === 0 ? null : toInput.reduce((sum, x) => b.add(sum, x)),
    stacked(({ w }) => w),
    stacked(({ r }) => r),
    stacked(({ bias }) => bias),
    null,
    stacked(({ h }) => h),
    stacked(({ c }) => c),
    stacked(({ peepholes }) => peepholes),
  ];
}

/** h = f(W · x + R · h₋₁ + b). */
function rnnPass(b: Backward, d: Direction): DirectionGradients {
  const [f] = d.functions;
  const { slope } = gate(b, f!, gateInputs(b, d, 1), d.clip);
  const kept = d.mask ? [b.sub(b.scalar(1), d.mask)] : [];
  const through = d.mask ? b.mul(slope, d.mask) : slope;
  const { states, outputs } = overTime(
    b,
    {
      ...d,
      backwards: !d.backwards,
      widths: [d.hidden],
      states: [d.dLast],
      sequences: [through, ...kept, ...flowing(d)],
    },
    (e, [carry], elements) => {
      const [k, outside] = elements;
      const keep = d.mask && outside;
      const dh = stateGradient(e, d, carry!, elements);
      const input = e.mul(dh, k!);
      const back = e.matMul(input, d.r);
      return { states: [keep ? e.add(back, e.mul(keep, dh)) : back], outputs: [input] };
    },
  );
  return { ...productGradients(b, d, outputs[0]!), h: states[0]! };
}

export const recurrent = {
  GRU: (b) => gradients(b, gruPass),
  LSTM: (b) => gradients(b, lstmPass),
  RNN: (b) => gradients(b, rnnPass),
} satisfies Record<string, GradientRow>;
