/** ATen's recurrent layers: the layers of one call become one operator of ONNX each. */
import { Tensor } from "../../../tensor/inner.ts";
import type { Term } from "../../channels-last/term.ts";
import type { Call, Row } from "../call.ts";

interface Kind {
  readonly op: "LSTM" | "GRU" | "RNN";
  /** Where ONNX's gates are among PyTorch's: i f g o → i o f c, and r z n → z r h. */
  readonly gates: readonly number[];
  readonly attributes: Readonly<Record<string, number | string[]>>;
}

const kinds: Readonly<Record<string, Kind>> = {
  lstm: { op: "LSTM", gates: [0, 3, 1, 2], attributes: {} },
  gru: { op: "GRU", gates: [1, 0, 2], attributes: { linear_before_reset: 1 } },
  rnn_tanh: { op: "RNN", gates: [0], attributes: {} },
  rnn_relu: { op: "RNN", gates: [0], attributes: { activations: ["Relu"] } },
};

const recurrent =
  (name: keyof typeof kinds & string): Row =>
  (c) => {
    const { op, gates, attributes } = kinds[name]!;
    if (c.overload !== "input") throw c.fail("packed sequences");
    const states = c.has("hx") && c.node.inputs.get("hx")?.tag === "as_tensors" ? c.list("hx") : [c.t("hx")];
    const params = c.list("params").map((term) => {
      if (term.constant) return term.constant;
      throw c.fail("weights that are computed");
    });
    const [layers, hasBias] = [c.number("num_layers"), c.bool("has_biases", true)];
    const directions = c.bool("bidirectional", false) ? 2 : 1;
    const perDirection = params.length / (layers * directions);
    if (perDirection !== (hasBias ? 4 : 2)) throw c.fail("projections of the state");
    const isBatchFirst = c.bool("batch_first", false);
    let x = isBatchFirst ? c.transpose(c.t("input"), [1, 0, 2]) : c.t("input");
    if (x.shape.length !== 3) throw c.fail("a sequence without a batch");
    const hidden = params[1]!.shape[1]!;
    const finals: Term[][] = states.map(() => []);
    for (let layer = 0; layer < layers; layer++) {
      const own = Array.from({ length: directions }, (_, d) =>
        params.slice((layer * directions + d) * perDirection, (layer * directions + d + 1) * perDirection),
      );
      const weights = (i: number) =>
        c.e.constant(
          stacked(
            own.map((set) => set[i]!),
            gates,
          ),
        );
      const bias = hasBias ? c.e.constant(biases(own, gates)) : null;
      const [start, end] = [layer * directions, (layer + 1) * directions];
      const initial = states.map((state) =>
        layers === 1 ? state : c.emit("Slice", [state, c.e.ints([start]), c.e.ints([end]), c.e.ints([0])]).output,
      );
      const node = c.emit(
        op,
        [x, weights(0), weights(1), bias, null, ...initial],
        {
          hidden_size: hidden,
          direction: directions === 2 ? "bidirectional" : "forward",
          ...(attributes.activations
            ? { ...attributes, activations: new Array<string>(directions).fill("Relu") }
            : attributes),
        },
        1 + states.length,
      );
      const [length, batch] = x.shape;
      // [length, directions, batch, hidden] → [length, batch, directions · hidden].
      const y = c.e.term(node.outputs[0]!, x.dtype, [length!, directions, batch!, hidden]);
      x = joined(c, y, directions * hidden);
      for (const [i, list] of finals.entries()) {
        list.push(c.e.term(node.outputs[i + 1]!, x.dtype, [directions, batch!, hidden]));
      }
    }
    const output = isBatchFirst ? c.wrap(c.value(c.transpose(x, [1, 0, 2])), 0) : x;
    return [
      output,
      ...finals.map((list, i) => (list.length === 1 ? list[0] : c.give("Concat", list, { axis: 0 }, i + 1))),
    ];
  };

/** One step: a layer over a sequence of length 1. */
const cell =
  (name: keyof typeof kinds & string): Row =>
  (c) => {
    const { op, gates, attributes } = kinds[name]!;
    const input = c.t("input");
    if (input.shape.length !== 2) throw c.fail("a step without a batch");
    const states = c.node.inputs.get("hx")?.tag === "as_tensors" ? c.list("hx") : [c.t("hx")];
    const params = ["w_ih", "w_hh", "b_ih", "b_hh"].flatMap((weight) => {
      const term = c.maybe(weight);
      if (term && !term.constant) throw c.fail("weights that are computed");
      return term?.constant ?? [];
    });
    if (params.length !== 2 && params.length !== 4) throw c.fail("one bias without the other");
    const weights = params.slice(0, 2).map((part) => c.e.constant(stacked([part], gates)));
    const bias = params.length === 4 ? c.e.constant(biases([params], gates)) : null;
    const step = (term: Term) => c.emit("Unsqueeze", [term, c.e.ints([0])]).output;
    const node = c.emit(
      op,
      [step(input), ...weights, bias, null, ...states.map(step)],
      { hidden_size: params[1]!.shape[1]!, ...attributes },
      1 + states.length,
    );
    return states.map((_, i) => c.give("Squeeze", [node.outputs[i + 1]!, c.e.ints([0])], {}, i));
  };

function joined(c: Call, y: Term, width: number): Term {
  const [length, directions, batch] = y.shape;
  if (directions === 1) return c.mid("Squeeze", [y, c.e.ints([1])], {}, y.dtype, [length!, batch!, width]);
  const turned = c.transpose(y, [0, 2, 1, 3]);
  return c.mid("Reshape", [turned, c.e.ints([0, 0, -1])], {}, y.dtype, [length!, batch!, width]);
}

/** [directions, gates · hidden, columns], the gates in ONNX's order. */
function stacked(parts: readonly Tensor[], gates: readonly number[]): Tensor {
  const [rows, columns = 1] = parts[0]!.shape;
  const shape = parts[0]!.shape.length === 1 ? [parts.length, rows!] : [parts.length, rows!, columns];
  return Tensor.lazy("float32", shape, () => {
    const data = new Float32Array(parts.length * rows! * columns);
    const block = (rows! / gates.length) * columns;
    for (const [d, part] of parts.entries()) {
      const from = part.floats();
      for (const [i, gate] of gates.entries()) {
        data.set(from.subarray(gate * block, (gate + 1) * block), d * rows! * columns + i * block);
      }
    }
    return data;
  });
}

/** [directions, 2 · gates · hidden]: those of the input, and those of the state. */
function biases(own: readonly (readonly Tensor[])[], gates: readonly number[]): Tensor {
  const halves = [2, 3].map((i) =>
    stacked(
      own.map((set) => set[i]!),
      gates,
    ),
  );
  const length = halves[0]!.shape[1]!;
  return Tensor.lazy("float32", [own.length, 2 * length], () => {
    const data = new Float32Array(own.length * 2 * length);
    for (const [half, tensor] of halves.entries()) {
      const from = tensor.floats();
      for (let d = 0; d < own.length; d++) {
        data.set(from.subarray(d * length, (d + 1) * length), (2 * d + half) * length);
      }
    }
    return data;
  });
}

export const recurrents: Readonly<Record<string, Row>> = {
  lstm: recurrent("lstm"),
  gru: recurrent("gru"),
  rnn_tanh: recurrent("rnn_tanh"),
  rnn_relu: recurrent("rnn_relu"),
  lstm_cell: cell("lstm"),
  gru_cell: cell("gru"),
  rnn_tanh_cell: cell("rnn_tanh"),
  rnn_relu_cell: cell("rnn_relu"),
};
