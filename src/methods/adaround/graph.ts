/**
 * AdaRound's iterations as one ONNX graph: a Loop whose body takes the gradient of the error on the moments,
 * 2 s (D H + T), that of the rounding term, and one step of Adam (Kingma and Ba, 2015) on α.
 */
import { addNode, Graph, Model, type Names, tensorType, type Value } from "../../ir/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import { gamma, zeta } from "./math.ts";

export interface StepSettings {
  readonly iterations: number;
  readonly warmStart: number;
  readonly betaStart: number;
  readonly betaEnd: number;
  readonly lambda: number;
  readonly learningRate: number;
}

/**
 * Inputs: `from` (iterations done, a float), `count` (iterations to do, int64), the state `alpha`, `m`, `v`, and the
 * constants of a layer: `floor` (⌊W/s⌋ kept on the grid), `weight`, `scale`, `gain` (2 s over the size of the error), `t`, all
 * [groups, outputs, columns], and `h` [groups, columns, columns]. Outputs: the state.
 */
export function adaroundGraph(settings: StepSettings): Model {
  const graph = new Graph("adaround");
  const rows = tensorType("float32", ["groups", "outputs", "columns"]);
  const from = graph.addInput("from", tensorType("float32", []));
  const count = graph.addInput("count", tensorType("int64", []));
  const state = ["alpha", "m", "v"].map((name) => graph.addInput(name, rows));
  const [floor, weight, scale, gain, t] = ["floor", "weight", "scale", "gain", "t"].map((name) =>
    graph.addInput(name, rows),
  );
  const h = graph.addInput("h", tensorType("float32", ["groups", "columns", "columns"]));
  const always = graph.addInitializer("always", Tensor.of("bool", [], Uint8Array.of(1)));
  const body = loopBody(graph.names, settings, {
    from,
    floor: floor!,
    weight: weight!,
    scale: scale!,
    gain: gain!,
    t: t!,
    h,
  });
  const loop = addNode(
    graph,
    "Loop",
    [count, always, ...state],
    { body },
    { outputs: ["alpha_next", "m_next", "v_next"] },
  );
  for (const output of loop.outputs) {
    output.type = rows;
    graph.addOutput(output);
  }
  return new Model(graph, [["", 21]]);
}

interface Captured {
  readonly from: Value;
  readonly floor: Value;
  readonly weight: Value;
  readonly scale: Value;
  readonly gain: Value;
  readonly t: Value;
  readonly h: Value;
}

function loopBody(names: Names, settings: StepSettings, { from, floor, weight, scale, gain, t, h }: Captured): Graph {
  const body = new Graph("step", names);
  const rows = tensorType("float32", ["groups", "outputs", "columns"]);
  const index = body.addInput("index", tensorType("int64", []));
  const condition = body.addInput("condition", tensorType("bool", []));
  const [alpha, m, v] = ["alpha_in", "m_in", "v_in"].map((name) => body.addInput(name, rows)) as [Value, Value, Value];
  const known = new Map<number, Value>();
  const number = (x: number) => {
    const value = known.get(x) ?? body.addInitializer("c", Tensor.scalar(x));
    known.set(x, value);
    return value;
  };
  const op = (type: string, ...inputs: (Value | number)[]) =>
    addNode(
      body,
      type,
      inputs.map((x) => (typeof x === "number" ? number(x) : x)),
    ).output;

  const iteration = op("Add", from, addNode(body, "Cast", [index], { to: 1 }).output);
  const sigmoid = op("Sigmoid", alpha);
  const raw = op("Add", op("Mul", sigmoid, zeta - gamma), gamma);
  const soft = op("Clip", raw, 0, 1);
  const d = op("Sub", op("Mul", op("Add", floor, soft), scale), weight);
  const error = op("Mul", op("Add", op("MatMul", d, h), t), gain);
  const slope = op("Add", error, roundingTerm(op, soft, iteration, settings));
  // dh/dα, zero where h is clipped: soft (1 − soft) is zero exactly there.
  const free = addNode(body, "Cast", [op("Greater", op("Mul", soft, op("Sub", 1, soft)), 0)], { to: 1 }).output;
  const inner = op("Mul", op("Mul", sigmoid, op("Sub", 1, sigmoid)), zeta - gamma);
  const gradient = op("Mul", op("Mul", slope, inner), free);

  const mNext = op("Add", op("Mul", m, 0.9), op("Mul", gradient, 0.1));
  const vNext = op("Add", op("Mul", v, 0.999), op("Mul", op("Mul", gradient, gradient), 0.001));
  const steps = op("Add", iteration, 1);
  const mSize = op("Sub", 1, op("Pow", 0.9, steps));
  const vSize = op("Sub", 1, op("Pow", 0.999, steps));
  const down = op("Add", op("Sqrt", op("Div", vNext, vSize)), 1e-8);
  const step = op("Mul", op("Div", mNext, down), op("Div", settings.learningRate, mSize));
  const alphaNext = op("Sub", alpha, step);
  body.setOutputs([addNode(body, "Identity", [condition]).output, alphaNext, mNext, vNext]);
  return body;
}

/** d/dh of λ(1 − |2h − 1|^β) with β at this iteration; zero during the warm start. |u|^(β−1) = exp((β − 1) ln |u|): Exp is vectorised, Pow is not. */
function roundingTerm(
  op: (type: string, ...inputs: (Value | number)[]) => Value,
  soft: Value,
  iteration: Value,
  s: StepSettings,
): Value {
  const warm = s.warmStart * s.iterations;
  const progress = op("Div", op("Sub", iteration, warm), Math.max(1, s.iterations - warm));
  const beta = op(
    "Add",
    op("Mul", op("Add", op("Cos", op("Mul", progress, Math.PI)), 1), (s.betaStart - s.betaEnd) / 2),
    s.betaEnd,
  );
  const u = op("Sub", op("Mul", soft, 2), 1);
  const size = op("Add", op("Abs", u), 1e-12);
  const power = op("Exp", op("Mul", op("Log", size), op("Sub", beta, 1)));
  const factor = op("Mul", beta, op("Where", op("Less", iteration, warm), 0, -2 * s.lambda));
  return op("Mul", op("Mul", power, op("Div", u, size)), factor);
}
