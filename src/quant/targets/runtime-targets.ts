/** Targets of runtimes other than ONNX Runtime on CPU, as the files they would be: how each wants the Q/DQ of a file, and what it has no kernel for. */
import type { TargetFile } from "./target-schema.ts";

const base = {
  params: { bias: { is_quantized: "False" } },
  op_type: { Cast: { is_output_quantized: "False" } },
  supergroups: ["Conv Relu", "Conv Clip", "Gemm Relu", "MatMul Relu", "Add Relu"].map((chain) => ({
    op_list: chain.split(" "),
  })),
  supergroup_pass_list: ["MatmulAdd"],
  model_input: { is_input_quantized: "True" },
  model_output: {},
} as const satisfies Partial<TargetFile>;

const symmetricParameters = { is_quantized: "True", is_symmetric: "True" } as const;

const onGpu = "WebGPU has no QuantizeLinear: each quantized activation would be computed on the CPU";

/** ONNX Runtime Web on WebGPU: measured in docs/onnx-runtime.md. */
const webGpu: TargetFile = {
  ...base,
  defaults: { ops: { is_output_quantized: "True" }, params: symmetricParameters, per_channel_quantization: "True" },
  model_input: {},
  avocet: {
    description:
      "ONNX Runtime Web on WebGPU: smaller weights between float activations, packed where that was asked for.",
    activations: "float32",
    weights: "int8",
    // A session there does not load a Cast from four bits to eight; DequantizeLinear of four bits runs on the GPU.
    narrow_weights: "True",
    refuses: {
      activations: { "int*": onGpu, "uint*": onGpu, "float8*": onGpu },
      weights: {
        int2: "DequantizeLinear of int2 runs on the CPU there; --form weight-only packs two bits",
        uint2: "DequantizeLinear of uint2 runs on the CPU there; --form weight-only packs two bits",
        "float8*": "a session with a DequantizeLinear of float8 does not open there",
      },
      storage: { dynamicint8: onGpu, dynamicquantizelstm: onGpu },
    },
  },
};

const noZeroPoint = "its quantizers have no zero point";

/** TensorRT's explicit quantization: int8 without zero points, weights per channel; int4 and float8 weights. */
const tensorRt: TargetFile = {
  ...base,
  defaults: {
    ops: { is_output_quantized: "True", is_symmetric: "True" },
    params: symmetricParameters,
    per_channel_quantization: "True",
  },
  avocet: {
    description:
      "TensorRT's explicit quantization: symmetric int8 without zero points, weights per channel, biases in float.",
    activations: "int8",
    weights: "int8",
    signed_activations: "True",
    refuses: {
      activations: { "uint*": noZeroPoint, ...widths("int", [8], "it computes on int8 and float8") },
      weights: { "uint*": noZeroPoint, ...widths("int", [4, 8], "it has weights of int4, int8 and float8") },
      storage: {
        matmulnbits: "com.microsoft.MatMulNBits is ONNX Runtime's",
        gatherblockquantized: "com.microsoft.GatherBlockQuantized is ONNX Runtime's",
        dynamicint8: "it has no DynamicQuantizeLinear",
        dynamicquantizelstm: "com.microsoft.DynamicQuantizeLSTM is ONNX Runtime's",
      },
    },
  },
};

/** OpenVINO as NNCF's preset "performance" writes for it: symmetric weights and activations of 8 bits, one-sided where nothing is negative. */
const openVino: TargetFile = {
  ...base,
  defaults: {
    ops: { is_output_quantized: "True", is_symmetric: "True" },
    params: symmetricParameters,
    unsigned_symmetric: "True",
    per_channel_quantization: "True",
  },
  avocet: {
    description:
      "OpenVINO: symmetric weights per channel and symmetric activations of 8 bits, unsigned where nothing is negative; biases in float.",
    activations: "uint8",
    weights: "int8",
    refuses: {
      activations: widths("", [8], "its plugins have kernels for 8 bits"),
      weights: widths("", [4, 8], "its plugins take weights of 4 and 8 bits"),
    },
  },
};

/** A reason for every width of integers but these. `type`: "int", or "" for signed and unsigned ones. */
function widths(type: "int" | "", kept: readonly number[], reason: string): Record<string, string> {
  const names = Array.from({ length: 15 }, (_, i) => i + 2).flatMap((bits) => {
    if (kept.includes(bits)) return [];
    return type === "" ? [`int${bits}`, `uint${bits}`] : [`${type}${bits}`];
  });
  return Object.fromEntries(names.map((name) => [name, reason]));
}

export const runtimeTargets: Readonly<Record<string, TargetFile>> = {
  "ort-web-webgpu": webGpu,
  tensorrt: tensorRt,
  openvino: openVino,
};
