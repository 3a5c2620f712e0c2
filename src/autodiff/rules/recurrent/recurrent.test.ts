/** Recurrent nets through time against central differences, in all their forms. */
import { describe } from "vitest";
import { Tensor } from "../../../tensor/inner.ts";
import { gradientSuite } from "../../gradient-suite.ts";

interface Form {
  readonly steps?: number;
  readonly directions?: 1 | 2;
  readonly attributes?: string;
  readonly lens?: readonly number[];
  readonly peepholes?: boolean;
  readonly outputs?: string;
}

/** Two samples of three numbers into two states. */
function net(op: "LSTM" | "GRU" | "RNN", form: Form = {}) {
  const { steps = 5, directions = 1, attributes = "", lens, peepholes = false, outputs } = form;
  const gates = { LSTM: 4, GRU: 3, RNN: 1 }[op];
  const [d, h] = [directions, 2];
  const isLstm = op === "LSTM";
  const inputs = [
    `float[${steps},2,3] x, float[${d},${gates * h},3] w, float[${d},${gates * h},${h}] r, float[${d},${2 * gates * h}] b`,
    lens ? "int32[2] lens" : "",
    `float[${d},2,${h}] h0`,
    isLstm ? `float[${d},2,${h}] c0` : "",
    peepholes ? `float[${d},${3 * h}] p` : "",
  ].filter(Boolean);
  const given = `x, w, r, b, ${lens ? "lens" : ""}, h0${isLstm ? ", c0" : ""}${peepholes ? ", p" : ""}`;
  const told = outputs ?? (isLstm ? "y, yh, yc" : "y, yh");
  const names = told.split(", ").filter((name) => name !== "");
  const direction = directions === 2 ? `direction = "bidirectional", ` : "";
  return {
    text: `f (${inputs.join(", ")}) => (${names.map((name) => `float ${name}`).join(", ")}) {
      ${told} = ${op} <${direction}hidden_size = ${h}${attributes ? `, ${attributes}` : ""}> (${given}) }`,
    ...(lens ? { feeds: { lens: Tensor.of("int32", [2], Int32Array.from(lens)) } } : {}),
  };
}

const reverse = `direction = "reverse"`;

describe("LSTM", () => {
  gradientSuite({
    "five steps": net("LSTM"),
    "so many steps that they are a Scan": net("LSTM", { steps: 66 }),
    "a Scan with peepholes, samples of different length, reverse": net("LSTM", {
      steps: 66,
      peepholes: true,
      lens: [40, 66],
      attributes: reverse,
    }),
    "one step": net("LSTM", { steps: 1 }),
    reverse: net("LSTM", { attributes: reverse }),
    "both directions": net("LSTM", { directions: 2 }),
    "samples of different length": net("LSTM", { lens: [3, 5] }),
    "samples of different length, both directions": net("LSTM", { lens: [5, 2], directions: 2 }),
    peepholes: net("LSTM", { peepholes: true }),
    "peepholes, samples of different length, reverse": net("LSTM", {
      peepholes: true,
      lens: [2, 5],
      attributes: reverse,
    }),
    "the last state only": net("LSTM", { outputs: ", yh" }),
    "the cell only": net("LSTM", { outputs: ", , yc", directions: 2 }),
    "clipped gates": net("LSTM", { attributes: "clip = 0.9", steps: 3 }),
    input_forget: net("LSTM", { attributes: "input_forget = 1" }),
    "lines and bends": net("LSTM", {
      steps: 3,
      attributes: `activations = ["HardSigmoid", "LeakyRelu", "Affine"], activation_alpha = [0.3, 0.2, 0.7], activation_beta = [0.4, 0.1]`,
    }),
    "bends with a foot": net("LSTM", {
      steps: 2,
      attributes: `activations = ["Sigmoid", "Elu", "ThresholdedRelu"], activation_alpha = [1.3, 0.05]`,
    }),
    "other activations": net("LSTM", {
      attributes: `activations = ["HardSigmoid", "Softsign", "ScaledTanh"], activation_alpha = [0.2, 1.2], activation_beta = [0.5, 0.7]`,
    }),
  });
});

describe("GRU", () => {
  gradientSuite({
    "reset before": net("GRU"),
    "a Scan, reset before": net("GRU", { steps: 66 }),
    "a Scan, reset after, samples of different length": net("GRU", {
      steps: 66,
      lens: [66, 50],
      attributes: "linear_before_reset = 1",
    }),
    "reset after": net("GRU", { attributes: "linear_before_reset = 1" }),
    "three steps, reverse": net("GRU", { steps: 3, attributes: reverse }),
    "both directions, reset after": net("GRU", { directions: 2, attributes: "linear_before_reset = 1" }),
    "samples of different length": net("GRU", { lens: [2, 5], directions: 2 }),
    "samples of different length, reset after": net("GRU", { lens: [2, 5], attributes: "linear_before_reset = 1" }),
    "the last state only": net("GRU", { outputs: ", yh" }),
    "clipped gates": { ...net("GRU", { attributes: "clip = 0.9", steps: 3 }), seed: 2 },
    "other functions in the other direction": net("GRU", {
      directions: 2,
      steps: 2,
      attributes: `activations = ["Sigmoid", "Tanh", "Sigmoid", "Softsign"]`,
    }),
    "other activations": net("GRU", { attributes: `activations = ["Sigmoid", "Softplus"]`, steps: 2 }),
  });
});

describe("RNN", () => {
  gradientSuite({
    tanh: net("RNN"),
    "a Scan of both directions": net("RNN", { steps: 66, directions: 2 }),
    "both directions, samples of different length": net("RNN", { directions: 2, lens: [4, 3] }),
    relu: net("RNN", { attributes: `activations = ["Relu"]`, steps: 3 }),
    affine: net("RNN", { attributes: `activations = ["Affine"], activation_alpha = [0.4], activation_beta = [0.1]` }),
    leaky: net("RNN", { attributes: `activations = ["LeakyRelu"], activation_alpha = [0.3]`, steps: 2 }),
    elu: net("RNN", { attributes: `activations = ["Elu"], activation_alpha = [1.2]`, steps: 2 }),
    "one function for each direction": net("RNN", {
      directions: 2,
      steps: 3,
      attributes: `activations = ["Tanh", "Affine"], activation_alpha = [0.4], activation_beta = [0.1]`,
    }),
    "the weights alone": { ...net("RNN", { steps: 2 }), wrt: ["w"] },
    "the weights alone, both directions": { ...net("RNN", { steps: 2, directions: 2 }), wrt: ["w"] },
    "the recurrence alone": { ...net("RNN", { steps: 2 }), wrt: ["r", "h0"] },
    "a threshold of nought": net("RNN", { attributes: `activations = ["ThresholdedRelu"]`, steps: 2 }),
    "a function with its usual numbers": net("RNN", { attributes: `activations = ["HardSigmoid"]`, steps: 2 }),
    "thresholded relu": net("RNN", {
      attributes: `activations = ["ThresholdedRelu"], activation_alpha = [0.2]`,
      steps: 2,
    }),
    "the last state only": net("RNN", { outputs: ", yh" }),
  });
});

describe("nothing but what is needed is given", () => {
  const bare = (op: string, gates: number, rest = "") => ({
    text: `f (float[3,2,3] x, float[1,${gates * 2},3] w, float[1,${gates * 2},2] r) => (float y) {
      y = ${op} <hidden_size = 2${rest}> (x, w, r) }`,
  });
  gradientSuite({
    "LSTM without bias and first states": bare("LSTM", 4),
    "GRU without bias and first states": bare("GRU", 3),
    "GRU without bias, reset after": bare("GRU", 3, ", linear_before_reset = 1"),
    "RNN without bias and first states": bare("RNN", 1),
    "RNN with bounds": bare("RNN", 1, ", clip = 0.8"),
  });
});
