/** The built-in targets, as the files they would be. */
import { AvocetError, didYouMean } from "../../base/inner.ts";
import { runtimeTargets } from "./runtime-targets.ts";
import { type Target, targetOf } from "./target.ts";
import type { TargetFile } from "./target-schema.ts";

/** What AIMET's shipped configurations have in common. */
const aimetCommon = {
  defaults: {
    ops: { is_output_quantized: "True" },
    params: { is_quantized: "True", is_symmetric: "True" },
    strict_symmetric: "False",
    unsigned_symmetric: "False",
    per_channel_quantization: "False",
  },
  params: { bias: { is_quantized: "False" } },
  model_input: { is_input_quantized: "True" },
  model_output: {},
} as const satisfies Partial<TargetFile>;

/** Running statistics of a batch norm that could not be folded are never quantized. */
const batchNormStatistics = {
  BatchNormalization: { params: { running_mean: { is_quantized: "False" }, running_var: { is_quantized: "False" } } },
} as const;

const chains = (...groups: readonly string[]) => groups.map((group) => ({ op_list: group.split(" ") }));

const perChannel = (...operators: readonly string[]) =>
  Object.fromEntries(operators.map((op) => [op, { per_channel_quantization: "True" as const }]));

const aimetDefault: TargetFile = {
  ...aimetCommon,
  op_type: {
    Cast: { is_output_quantized: "False" },
    ...perChannel("Conv", "ConvTranspose", "Gemm", "MatMul", "PRelu"),
    ...batchNormStatistics,
  },
  supergroups: chains("Conv Relu", "Conv Clip", "ConvTranspose Relu", "Add Relu", "Gemm Relu"),
  supergroup_pass_list: ["MatmulAdd"],
  avocet: { description: "AIMET's default configuration: everything int8, weights per channel, bias in float." },
};

const aimetPerTensor: TargetFile = {
  ...aimetDefault,
  op_type: { Cast: { is_output_quantized: "False" }, ...batchNormStatistics },
  avocet: { description: "AIMET's default configuration with one scale per weight." },
};

const unit = { encoding_constraints: { min: 0, max: 1 } };
const both = { encoding_constraints: { min: -1, max: 1 } };
const asymmetric = { params: { weight: { is_symmetric: "False" as const } } };
const off = { is_output_quantized: "False" as const };
const trigonometry = { Sin: both, Cos: both, Tanh: both };
const patterns = ["LayerNormalization", "RMSNormalization", "MatmulAdd"];

/** Hexagon before V73, as AIMET 2.42 ships it: fewer chains, which need not be told from each other by precision. */
function oldHexagon(hardware: "V66" | "V68" | "V69"): TargetFile {
  const byChannel = {
    V66: [],
    V68: ["Conv", "ConvTranspose", "PRelu"],
    V69: ["Conv", "ConvTranspose", "PRelu", "Gemm", "MatMul"],
  };
  return {
    ...aimetCommon,
    defaults: { ...aimetCommon.defaults, hw_version: hardware },
    op_type: {
      ...perChannel(...byChannel[hardware]),
      ...batchNormStatistics,
      ...trigonometry,
      Cast: off,
      ChannelShuffle: off,
      Gather: off,
      NonMaxSuppression: off,
      ...(hardware === "V66" ? { Flatten: off } : {}),
      Relu: { encoding_constraints: { min: 0 } },
      LayerNormalization: asymmetric,
      ...(hardware === "V66" ? {} : { RMSNormalization: asymmetric, InstanceNormalization: asymmetric }),
    },
    supergroups: chains("ConvTranspose Relu", "Add Relu", "Gemm Relu"),
    ...(hardware === "V66" ? {} : { supergroup_pass_list: patterns }),
    avocet: { description: `Qualcomm Hexagon ${hardware}, as AIMET describes it.` },
  };
}

/** Hexagon: what AIMET 2.42 ships as htp_v73 to htp_v85, which differ in the hardware version only. */
function hexagon(hardware: string): TargetFile {
  return {
    ...aimetCommon,
    defaults: { ...aimetCommon.defaults, hw_version: hardware },
    op_type: {
      ...perChannel("Conv", "ConvTranspose", "Gemm", "MatMul", "PRelu"),
      ...batchNormStatistics,
      ...trigonometry,
      Cast: off,
      ChannelShuffle: off,
      Gather: off,
      NonMaxSuppression: off,
      Sigmoid: unit,
      Softmax: unit,
      Relu: { encoding_constraints: { min: 0 } },
      LayerNormalization: asymmetric,
      RMSNormalization: asymmetric,
      InstanceNormalization: asymmetric,
      GroupNormalization: { params: { bias: { is_quantized: "True" } } },
    },
    supergroups: chains(
      ...["PRelu", "HardSwish", "LeakyRelu", "Relu"].map((f) => `Conv BatchNormalization ${f}`),
      ...["Relu", "PRelu", "LeakyRelu"].map((f) => `Conv Transpose ${f}`),
      ...["Clip", "PRelu", "LeakyRelu", "Relu"].map((f) => `Conv ${f}`),
      "ConvTranspose Relu",
      "Add Relu",
      "Gemm Relu",
    ),
    supergroup_pass_list: patterns,
    avocet: { description: `Qualcomm Hexagon ${hardware}, as AIMET describes it.` },
  };
}

/** The eNPU, as AIMET 2.42 ships it: everything symmetric, and almost any activation runs with what precedes it. */
function enpu(version: "v6" | "v7", byChannel = false): TargetFile {
  const smooth = ["Relu", "Clip", "Sigmoid", "Tanh", "HardSwish", "Gelu"];
  const pairs = (firsts: readonly string[], seconds: readonly string[]) =>
    firsts.flatMap((f) => seconds.map((s) => `${f} ${s}`));
  const products = ["Conv", "ConvTranspose"];
  const windows = [...products, "AveragePool", "MaxPool"];
  // Next to scales per channel AIMET keeps convolutions apart from what has parameters of its own.
  const open = byChannel ? windows.filter((op) => !products.includes(op)) : windows;
  const kept = { is_quantized: "False" as const };
  return {
    ...aimetCommon,
    defaults: { ...aimetCommon.defaults, ops: { is_output_quantized: "True", is_symmetric: "True" } },
    op_type: {
      ...trigonometry,
      Sigmoid: unit,
      Softmax: unit,
      BatchNormalization: { params: { weight: kept, bias: kept, running_mean: kept, running_var: kept } },
      ...(version === "v7" ? { LayerNormalization: asymmetric, RMSNormalization: asymmetric } : {}),
      ...(byChannel ? perChannel("Conv", "ConvTranspose", "Gemm", "MatMul") : {}),
    },
    supergroups: chains(
      ...pairs(windows, [...smooth, "LeakyRelu"]),
      ...pairs(open, ["PRelu", "BatchNormalization"]),
      ...pairs(
        open.map((first) => `${first} BatchNormalization`),
        smooth,
      ),
      ...pairs(["Gemm", "MatMul", "Add", "Sub", "Mul"], [...smooth, "LeakyRelu"]),
      ...(version === "v7" ? pairs(["BatchNormalization"], smooth) : []),
    ),
    supergroup_pass_list: patterns,
    model_output: { is_output_quantized: "True" },
    avocet: {
      description: `Qualcomm eNPU ${version}, as AIMET describes it${byChannel ? ", with weights per channel" : ""}.`,
    },
  };
}

/** The DSP, as AIMET 2.42 ships it: asymmetric weights, one scale each. */
const dsp: TargetFile = {
  ...aimetCommon,
  defaults: { ...aimetCommon.defaults, params: { is_quantized: "True", is_symmetric: "False" } },
  op_type: { Mean: off },
  supergroups: chains("Conv Relu", "Conv Clip", "Conv BatchNormalization Relu", "Add Relu", "Gemm Relu"),
  avocet: { description: "Qualcomm's DSP, as AIMET describes it: asymmetric weights per tensor." },
};

/** Measured, with the commands, in docs/onnx-runtime.md. */
const noKernel = "ONNX Runtime has no integer kernel for it on CPU";

const ortCpu: TargetFile = {
  defaults: {
    ops: { is_output_quantized: "True" },
    params: { is_quantized: "True", is_symmetric: "True" },
    per_channel_quantization: "True",
  },
  params: {},
  op_type: {},
  supergroups: chains("MatMul Relu", "Gemm Relu", "Gemm Clip", "Conv Relu", "Conv Clip", "Add Relu", "Add Clip"),
  supergroup_pass_list: ["MatmulAdd"],
  model_input: {},
  model_output: {},
  avocet: {
    description:
      "ONNX Runtime on CPU: only what runs on integer kernels is quantized; safe on processors without VNNI.",
    activations: "uint8",
    weights: "int8",
    bias: "int32",
    ties: { output_takes_input: [], inputs_take_output: ["Min"] },
    depthwise_supergroups: true,
    pair_safe_weights: true,
    short_scales: true,
    storage: ["dynamicquantizelstm", "castweights"],
    integer_kernels: {
      linear: ["Conv", "Gemm", "MatMul"],
      float_output: ["Gemm", "MatMul"],
      follow: ["Add", "Mul", "Concat", "GlobalAveragePool", "LeakyRelu", "Relu", "Clip", "Sigmoid"],
      merged_padding: ["Conv"],
      least_input_channels: 4,
      least_depthwise_channels: 16,
    },
    float: {
      ConvTranspose: `${noKernel}: a quantized weight would be turned back into float at every run`,
      AveragePool: "its integer kernel is many times slower than the float one (GlobalAveragePool's is not)",
      PRelu: noKernel,
      HardSwish: noKernel,
      HardSigmoid: noKernel,
      Elu: noKernel,
      Gelu: noKernel,
      Tanh: noKernel,
      Sub: noKernel,
      Div: noKernel,
      Max: noKernel,
      Min: noKernel,
      ReduceMean: `${noKernel} (GlobalAveragePool has one)`,
      BatchNormalization: `${noKernel}, and it could not be folded`,
      InstanceNormalization: noKernel,
      LayerNormalization: noKernel,
      GroupNormalization: noKernel,
      RMSNormalization: noKernel,
      LSTM: noKernel,
      GRU: noKernel,
      RNN: noKernel,
      Resize: `${noKernel} but for nearest neighbours`,
    },
  },
};

const files: Readonly<Record<string, TargetFile>> = {
  "ort-cpu": ortCpu,
  "ort-web-wasm": {
    ...ortCpu,
    avocet: {
      ...ortCpu.avocet,
      description: "ONNX Runtime Web on wasm: the integer kernels of its build for CPU, which decides alike.",
    },
  },
  ...runtimeTargets,
  "aimet-default": aimetDefault,
  "aimet-default-per-tensor": aimetPerTensor,
  "htp-v66": oldHexagon("V66"),
  "htp-v68": oldHexagon("V68"),
  "htp-v69": oldHexagon("V69"),
  "htp-v73": hexagon("V73"),
  "htp-v75": hexagon("V75"),
  "htp-v79": hexagon("V79"),
  "htp-v81": hexagon("V81"),
  "htp-v85": hexagon("V85"),
  "enpu-v6": enpu("v6"),
  "enpu-v7": enpu("v7"),
  "enpu-v7-per-channel": enpu("v7", true),
  dsp,
};

/** AIMET's names of its configurations, and of the files that hold them. */
const aimetNames: Readonly<Record<string, string>> = {
  default: "aimet-default",
  default_config: "aimet-default-per-tensor",
  default_config_per_channel: "aimet-default",
  dsp_quantsim_config: "dsp",
};

/** The built-in target that AIMET calls so: htp_v73, htp_quantsim_config_v73_per_channel_linear, enpu_v7 … */
function ofAimet(name: string): string {
  const known = Object.hasOwn(aimetNames, name) ? aimetNames[name] : undefined;
  return known ?? name.replace("_quantsim_config", "").replace("_per_channel_linear", "").replaceAll("_", "-");
}

/** Names of the built-in targets, the default first. */
export const targetNames: readonly string[] = Object.keys(files);

/** The file that a built-in target is, to write out and edit. Throws `target/unknown`. */
export function targetFile(given: string): TargetFile {
  const name = ofAimet(given);
  const file = Object.hasOwn(files, name) ? files[name] : undefined;
  if (!file) {
    throw new AvocetError("target/unknown", `expected a target, got "${given}"`, {
      hint: `${[didYouMean(given, targetNames)].flatMap((near) => (near ? [`${near} One of `] : [])).join("")}${targetNames.join(", ")}, or a file with an AIMET quantsim configuration`,
    });
  }
  return file;
}

/** A built-in target by name ("ort-cpu"), or by AIMET's name of it ("htp_v73"). Throws `target/unknown`. */
export function builtinTarget(name: string): Target {
  return targetOf(targetFile(name), ofAimet(name));
}
