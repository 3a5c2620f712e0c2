/** A made-up run with every part of a report in it: for the tests of the report and for looking at its page. */
import type { RunReport } from "../src/report/inner.ts";

/** `values` values, some of them bad, three weights, one layer in float. */
export function sampleReport(name = "tiny.onnx", values = 30): RunReport {
  return {
    version: 1,
    avocet: "0.1.0",
    environment: {
      command: ["quantize", name, "--data", "my pictures/", "-o", "out"],
      date: "2026-01-02T03:04:05.678Z",
      cpu: "A processor, 2 available",
      threads: null,
      versions: { Node: "20.19.0", "ort-node": "1.30.0", linux: "x64" },
    },
    model: { name, opset: 21, nodes: 64, parameters: 475_544, quantized: 470_000, macs: 41_000_000 },
    settings: {
      target: "ort-cpu",
      weights: "int8 per channel",
      activations: "uint8",
      calibration: "sqnr",
      samples: "200",
    },
    runtime: "ort-node",
    score: {
      metric: "top1",
      unit: "%",
      better: "higher",
      float: 0.5875,
      quantized: 0.5513,
      samples: 800,
      interval: { float: [0.553, 0.621], quantized: [0.517, 0.585], lost: [0.0187, 0.0537] },
      p: 0.00004,
      guessing: { chance: 0.001, commonest: 0.01 },
      classes: 1000,
      namedClasses: null,
    },
    agreement: { simulation: 0.998, float: 0.912, of: "samples", interval: [0.884, 0.934], choices: 400, why: [] },
    agreementSamples: 500,
    judgedOn: { data: "evaluation", seen: 0, samples: 500 },
    ties: 0.02,
    latencyMs: { float: 2.31, quantized: 1.17 },
    bytes: { float: 1_919_279, quantized: 601_223 },
    outputs: [{ name: "probabilities", sqnr: 17.3, cosine: 0.991 }],
    values: Array.from({ length: values }, (_, i) => {
      const sqnr = i === 11 ? 6.2 : 42 - 0.8 * i + 4 * Math.sin(i);
      const counts = Array.from({ length: 64 }, (_, b) => Math.round(5000 * Math.exp(-(((b - 20) / 9) ** 2))));
      const base = {
        name: `/features/block.${i}/Conv_output_<0>`,
        op: i === 0 ? "input" : "Conv",
        sqnr,
        cosine: 0.99,
        fall: i === 11 ? 25.5 : 0.8,
        layer: `conv_${i}`,
      };
      if (i % 2 === 1) return base;
      const observed = { min: -2.2, max: 5.1 };
      return {
        ...base,
        quantizer: {
          grid: "uint8",
          scheme: "asymmetric",
          min: -1.8,
          max: 3.2,
          observed,
          clipped: 0.012,
          histogram: { low: -2.2, high: 5.1, counts },
        },
      };
    }),
    weights: [3, 16, 400].map((channels, i) => ({
      name: `w${i}`,
      layer: `Conv conv${i}`,
      grid: "int8",
      granularity: i === 0 ? "tensor" : "channel",
      channels: {
        min: Array.from({ length: channels }, (_, c) => -0.2 - (c === 1 ? 6 : 0.1 * Math.abs(Math.sin(c)))),
        max: Array.from({ length: channels }, (_, c) => 0.2 + 0.1 * Math.abs(Math.cos(c))),
      },
      limit: i === 0 ? [6.2] : Array.from({ length: channels }, (_, c) => (c === 1 ? 6.2 : 0.3)),
    })),
    weightChanges: [changed("conv0", 3), changed("conv1", 60)],
    layers: Array.from({ length: values }, (_, i) => ({
      name: `conv_${i}`,
      op: i % 3 === 2 ? "Relu" : "Conv",
      macs: i % 3 === 2 ? 0 : 1_000_000 + 50_000 * i,
      bytes: i % 3 === 2 ? 0 : 900 + 300 * i,
      weight: i % 3 === 2 ? null : "int8",
      activation: i === 7 ? null : "uint8",
      ...(i % 5 === 4 ? {} : { sqnr: 42 - 0.8 * i }),
      kernel: i % 3 === 2 ? null : i === 7 ? "Conv (float)" : "QLinearConv",
    })),
    notQuantized: [
      { value: "shape", reason: "an integer tensor is not quantized" },
      { value: "lo", reason: "a bound of Clip is no signal" },
      { value: "hi", reason: "a bound of Clip is no signal" },
    ],
    kernels: {
      integer: 27,
      float: [{ node: "Conv conv_7", reason: "its output passes Clip with another bound than the grid" }],
    },
    differences: [{ value: "c1_quantized", layer: "Conv conv_1", differing: 0.0004, maxSteps: 1 }],
    unjudged: [],
    warnings: [],
    steps: [{ step: "fold-batch-norm", edits: 27, seconds: 0.02, notes: ["bn_3: its Conv is read elsewhere"] }],
    seconds: { read: 0.02, calibrate: 1.1, methods: 0, write: 0.03, total: 3.2 },
  };
}

/** A layer whose widest channel was made as wide as the others. */
function changed(layer: string, channels: number): NonNullable<RunReport["weightChanges"]>[number] {
  const side = (wide: number) => ({
    shape: [channels, 8, 3, 3],
    min: -wide,
    max: wide,
    spread: 2 * wide,
    outliers: wide > 1 ? [1] : [],
    channels: Array.from({ length: Math.min(channels, 50) }, (_, channel) => {
      const size = channel === 1 ? wide : 0.5 + 0.4 * Math.sin(channel);
      const quartiles: [number, number, number] = [-size / 3, 0.01, size / 3];
      return { channel, min: -size, max: size, mean: 0.02, deviation: size / 2, quartiles, relative: 2 * size };
    }),
  });
  return { layer, op: "Conv", count: [channels, channels], before: side(6), after: side(0.9) };
}
