/** Targets: what a device or runtime can do, as data. Made from AIMET's configuration format (target-schema.ts). */
import { AvocetError } from "../../base/inner.ts";
import type { Grid } from "../grids/codec.ts";
import { parseGrid } from "../grids/grid.ts";
import type { StorageName } from "../grids/storage-names.ts";
import type { TargetFile } from "./target-schema.ts";

/** What a target says of one kind of parameter; absent: the more general rule holds. */
export interface ParameterRule {
  readonly quantized?: boolean;
  readonly symmetric?: boolean;
}

/** One side of a kernel: `bitwidth` and `dtype` of AIMET's files. */
export interface KernelSide {
  readonly bits: number;
  readonly kind: "int" | "float";
}

/** A pair of precisions in which an operator runs; a side that is not named takes anything. */
export interface SupportedKernel {
  readonly activation?: KernelSide;
  readonly param?: KernelSide;
}

/** What a target says of one operator type; absent: the defaults hold. */
export interface OperatorRule {
  readonly inputQuantized?: boolean;
  readonly outputQuantized?: boolean;
  readonly symmetric?: boolean;
  readonly perChannel?: boolean;
  readonly params: Readonly<Record<string, ParameterRule>>;
  /** The kernels that there are (supported-kernels.ts); absent: those of the defaults. */
  readonly supportedKernels?: readonly SupportedKernel[];
  /** Fixed numbers of the output's range. */
  readonly range?: { readonly min?: number; readonly max?: number };
}

/** The integer kernels of a runtime: see `place-by-kernel.ts`. */
export interface IntegerKernels {
  readonly linear: ReadonlySet<string>;
  readonly floatOutput: ReadonlySet<string>;
  readonly follow: ReadonlySet<string>;
  readonly mergedPadding: ReadonlySet<string>;
  /** Convolutions of fewer input channels that read an input of the model stay float. */
  readonly leastInputChannels: number;
  /** Depthwise convolutions of fewer channels stay float. */
  readonly leastDepthwiseChannels: number;
}

export interface Target {
  readonly name: string;
  readonly description: string;
  readonly outputQuantized: boolean;
  readonly inputQuantized: boolean;
  readonly symmetric: boolean;
  readonly param: Required<ParameterRule>;
  readonly narrowRange: boolean;
  readonly unsignedSymmetric: boolean;
  readonly perChannel: boolean;
  /** The generation of the hardware ("V73"), which selects AIMET's exception rules; null: none. */
  readonly hardware: string | null;
  /** The kernels of every operator that names none itself; null: any. */
  readonly supportedKernels: readonly SupportedKernel[] | null;
  readonly params: Readonly<Record<string, ParameterRule>>;
  readonly operators: ReadonlyMap<string, OperatorRule>;
  /** Chains of operators that are quantized as one; the longest first. */
  readonly supergroups: readonly (readonly string[])[];
  /** Patterns quantized as one: "MatmulAdd", "LayerNormalization", "RMSNormalization". */
  readonly patterns: readonly string[];
  readonly modelInput: boolean;
  readonly modelOutput: boolean;
  readonly activations: Grid;
  readonly weights: Grid;
  readonly bias: "int32" | "float";
  readonly outputTakesInput: ReadonlySet<string>;
  readonly inputsTakeOutput: ReadonlySet<string>;
  readonly depthwiseSupergroups: boolean;
  readonly pairSafeWeights: boolean;
  /** Whether scales of grids of 8 bits and fewer are chosen to have few significant bits; absent: the calibration decides. */
  readonly shortScales: boolean | undefined;
  /** Inputs that share a scale of a weight, where nobody asks for another granularity; null: per channel or per tensor. */
  readonly weightBlock: number | null;
  /** What weights are stored for, the first form that can hold one; empty: integers behind a DequantizeLinear. */
  readonly storage: readonly StorageName[];
  /** null: AIMET's way, every output is quantized unless a rule says otherwise. */
  readonly kernels: IntegerKernels | null;
  /** Whether symmetric int8 activations stay int8 in the file. */
  readonly signedActivations: boolean;
  /** Whether weights of 3 and 4 bits stay packed in front of DequantizeLinear; else a Cast widens them as the file loads. */
  readonly narrowWeights: boolean;
  /** What is refused, with the reason: grids by name or by how it begins ("uint*"), and storage forms. */
  readonly refuses: Readonly<Partial<Record<"activations" | "weights" | "storage", Readonly<Record<string, string>>>>>;
  /** Why an operator stays float, by operator. */
  readonly float: Readonly<Record<string, string>>;
}

/** Whether the hardware is a Hexagon without 16-bit weights (V66 to V69). */
export function isBeforeV73({ hardware }: Target): boolean {
  return hardware !== null && ["V66", "V68", "V69"].includes(hardware);
}

/** AIMET 2.42: outputs that share their input's quantizer, and operators whose inputs share the output's. */
const aimetTies = {
  output_takes_input: ["AveragePool", "Relu", "Resize", "Upsample"],
  inputs_take_output: ["Concat", "Scatter", "ScatterElements", "ScatterND"],
};

/** The pattern passes of AIMET that placement knows; "MaskedSoftmax" is in no shipped file. */
const knownPatterns = ["MatmulAdd", "LayerNormalization", "RMSNormalization"];

/** The target that a checked file describes. Throws `target/invalid` for patterns that placement does not know. */
export function targetOf(file: TargetFile, name: string): Target {
  const unknown = (file.supergroup_pass_list ?? []).filter((pattern) => !knownPatterns.includes(pattern));
  if (unknown.length > 0) {
    throw new AvocetError(
      "target/invalid",
      `expected patterns out of ${knownPatterns.join(", ")}, got ${unknown.join(", ")}`,
      {
        at: name,
        hint: "remove it from supergroup_pass_list",
      },
    );
  }
  const own = file.avocet ?? {};
  const ties = own.ties ?? aimetTies;
  return {
    name,
    description: own.description ?? "",
    outputQuantized: isOn(file.defaults.ops.is_output_quantized),
    inputQuantized: isOn(file.defaults.ops.is_input_quantized),
    symmetric: isOn(file.defaults.ops.is_symmetric),
    param: {
      quantized: isOn(file.defaults.params.is_quantized),
      symmetric: isOn(file.defaults.params.is_symmetric),
    },
    narrowRange: isOn(file.defaults.strict_symmetric),
    unsignedSymmetric: isOn(file.defaults.unsigned_symmetric),
    perChannel: isOn(file.defaults.per_channel_quantization),
    hardware: file.defaults.hw_version ?? null,
    supportedKernels: file.defaults.supported_kernels ? kernelsOf(file.defaults.supported_kernels) : null,
    params: parameterRules(file.params),
    operators: new Map(Object.entries(file.op_type).map(([op, rule]) => [op, operatorRule(rule)])),
    supergroups: file.supergroups.map((group) => group.op_list).sort((a, b) => b.length - a.length),
    patterns: file.supergroup_pass_list ?? [],
    modelInput: isOn(file.model_input.is_input_quantized),
    modelOutput: isOn(file.model_output.is_output_quantized),
    activations: parseGrid(own.activations ?? "uint8"),
    weights: parseGrid(own.weights ?? "int8"),
    bias: own.bias ?? "float",
    outputTakesInput: new Set(ties.output_takes_input),
    inputsTakeOutput: new Set(ties.inputs_take_output),
    depthwiseSupergroups: isOn(own.depthwise_supergroups),
    pairSafeWeights: isOn(own.pair_safe_weights),
    shortScales: own.short_scales === undefined ? undefined : isOn(own.short_scales),
    weightBlock: own.weight_block ?? null,
    storage: [own.storage ?? []].flat(),
    kernels: own.integer_kernels
      ? {
          linear: new Set(own.integer_kernels.linear),
          floatOutput: new Set(own.integer_kernels.float_output),
          follow: new Set(own.integer_kernels.follow),
          mergedPadding: new Set(own.integer_kernels.merged_padding),
          leastInputChannels: own.integer_kernels.least_input_channels ?? 1,
          leastDepthwiseChannels: own.integer_kernels.least_depthwise_channels ?? 1,
        }
      : null,
    signedActivations: isOn(own.signed_activations),
    narrowWeights: isOn(own.narrow_weights),
    refuses: (own.refuses ?? {}) as Target["refuses"],
    float: own.float ?? {},
  };
}

/** Why a target refuses a grid or a storage form of this name; undefined: it takes it. */
export function targetRefusal({ refuses }: Target, use: keyof Target["refuses"], name: string): string | undefined {
  const rules = refuses[use] ?? {};
  const found = Object.keys(rules).find((rule) =>
    rule.endsWith("*") ? name.startsWith(rule.slice(0, -1)) : rule === name,
  );
  return found === undefined ? undefined : rules[found];
}

/** AIMET's booleans are texts. */
function isOn(flag: boolean | "True" | "False" | undefined): boolean {
  return flag === true || flag === "True";
}

function parameterRules(rules: TargetFile["params"]): Record<string, ParameterRule> {
  return Object.fromEntries(
    Object.entries(rules).map(([name, rule]) => [
      name,
      {
        ...(rule.is_quantized === undefined ? {} : { quantized: isOn(rule.is_quantized) }),
        ...(rule.is_symmetric === undefined ? {} : { symmetric: isOn(rule.is_symmetric) }),
      },
    ]),
  );
}

function kernelsOf(kernels: NonNullable<TargetFile["defaults"]["supported_kernels"]>): SupportedKernel[] {
  const side = (given: { bitwidth: number; dtype: "int" | "float" }): KernelSide => ({
    bits: given.bitwidth,
    kind: given.dtype,
  });
  return kernels.map(({ activation, param }) => ({
    ...(activation ? { activation: side(activation) } : {}),
    ...(param ? { param: side(param) } : {}),
  }));
}

function operatorRule(rule: TargetFile["op_type"][string]): OperatorRule {
  const { min, max } = rule.encoding_constraints ?? {};
  return {
    params: parameterRules(rule.params ?? {}),
    ...(rule.is_input_quantized === undefined ? {} : { inputQuantized: isOn(rule.is_input_quantized) }),
    ...(rule.is_output_quantized === undefined ? {} : { outputQuantized: isOn(rule.is_output_quantized) }),
    ...(rule.is_symmetric === undefined ? {} : { symmetric: isOn(rule.is_symmetric) }),
    ...(rule.supported_kernels ? { supportedKernels: kernelsOf(rule.supported_kernels) } : {}),
    ...(rule.per_channel_quantization === undefined ? {} : { perChannel: isOn(rule.per_channel_quantization) }),
    ...(rule.encoding_constraints
      ? { range: { ...(min === undefined ? {} : { min }), ...(max === undefined ? {} : { max }) } }
      : {}),
  };
}
