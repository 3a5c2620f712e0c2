/** By which tests the mutants of a file must be found: globs from the root. */
import { normalize } from "node:path";

/** Rules without a test of their own name: whose cases come to them. */
const rules = {
  "body-copy": ["control"],
  carried: ["control"],
  "contrib-attention": ["contrib", "attention"],
  "contrib-products": ["contrib"],
  "conv-input": ["linear"],
  "conv-weight": ["linear"],
  direction: ["recurrent"],
  "dot-products": ["attention", "contrib"],
  elementwise: ["arithmetic", "activations"],
  "gate-functions": ["contrib", "recurrent"],
  "grid-sample": ["images"],
  gru: ["recurrent"],
  loop: ["control"],
  lstm: ["recurrent"],
  "movement-index": ["movement"],
  normal: ["normalizations"],
  "roi-align": ["pooling"],
  sampling: ["images", "deform-conv"],
  scan: ["control"],
  scatter: ["placement", "movement"],
  slice: ["movement"],
  slopes: ["slopes", "activations", "arithmetic", "recurrent"],
  strings: [],
  "time-steps": ["recurrent"],
};

/** Rules that PyTorch's numbers alone tell apart from others: those of kinks, ties and the ends of grids. */
const needGoldens = new Set(["quantizers"]);

/** Files of quant/ whose tests have other names, and those with several: names of tests in the same folder. */
const quant = {
  lower: {
    activation: ["emitted", "lower"],
    bias: ["emitted", "lower"],
    constant: ["constant", "emitted", "lower"],
    draft: [
      "draft",
      "emitted",
      "matmul-nbits",
      "gather-block-quantized",
      "dynamic-int8",
      "dynamic-quantize-lstm",
      "lower",
    ],
    "encodings-file": ["encodings-text", "encodings-file"],
    "exact-nodes": ["exact-nodes", "half"],
    "float-casts": ["emitted", "half", "lower"],
    "dynamic-int8": ["storage-refusals", "dynamic-int8-emitted", "dynamic-int8"],
    "dynamic-quantize-lstm": ["storage-refusals", "dynamic-quantize-lstm"],
    "gather-block-quantized": ["storage-refusals", "gather-block-quantized"],
    "half-constant": ["half-constant", "half"],
    "hold-float": ["held", "hold-float"],
    "kernel-report": ["kernel-reasons", "kernel-report"],
    lower: ["emitted", "ready", "half", "lower"],
    "packed-rows": ["packed-rows", "gather-block-quantized", "matmul-nbits"],
    "read-shipped": ["read-shipped", "gather-block-quantized"],
    ready: ["ready", "matmul-nbits"],
    record: ["emitted", "lowered", "lower"],
    rows: ["lower"],
    storage: ["emitted", "stored", "matmul-nbits", "lower"],
  },
  observers: {
    entropy: ["entropy", "entropy-search"],
    "growing-histogram": ["growing-histogram", "observer", "output-error"],
    "histogram-observer": ["observer", "observers"],
    "make-observer": ["observer", "observers"],
    "min-max": ["observers"],
    observer: ["observer", "observers"],
    "output-gain": ["output-gain", "../observe/sensitivity"],
    percentile: ["percentile", "observers"],
    "squared-error": ["observers", "output-error"],
    statistics: ["statistics", "observers"],
    "tf-enhanced": ["tf-enhanced", "tf-enhanced-search"],
  },
  observe: {
    "encode-plan": ["encode-plan", "calibrate"],
    "not-finite": ["calibrate"],
    observe: ["observe", "calibrate", "thin-values"],
  },
  place: {
    acceptable: ["acceptable"],
    adopt: ["adopt"],
    bodies: ["bodies"],
    "computed-weights": ["computed-weights"],
    "narrow-convolutions": ["place-by-kernel", "place-rules", "place"],
    "place-tables": ["place-rules", "place"],
    precisions: ["precisions", "place-rules", "place-parameters"],
    "recurrent-states": ["recurrent-states"],
    "score-convolutions": ["score-convolutions"],
    selectors: ["selectors"],
  },
};

const nameOf = (file) => file.split("/").at(-1).replace(/\.ts$/, "");
const folderOf = (file) => file.replace(/[^/]*$/, "");

/** The tests of one file of rules, those of the forms that its wing chooses, and those of the table as a whole. */
export function testsOfRule(file) {
  const name = nameOf(file);
  const own = (rules[name] ?? [name]).map((one) => `src/autodiff/rules/*/${one}.test.ts`);
  return [
    ...own,
    `${folderOf(file)}forms.test.ts`,
    "src/autodiff/rules/refusals.test.ts",
    "src/autodiff/rules.test.ts",
    ...(needGoldens.has(name) ? ["src/autodiff/golden.test.ts"] : []),
  ];
}

/** The tests that come to a file of quant/: a run with all of its folder finds the same and takes several times as long. */
export function testsBeside(file) {
  const folder = folderOf(file);
  const known = quant[folder.split("/").at(-2)];
  const names = known[nameOf(file)] ?? (folder.endsWith("/place/") ? ["*"] : [nameOf(file)]);
  return names.map((name) => normalize(`${folder}${name}.test.ts`));
}
