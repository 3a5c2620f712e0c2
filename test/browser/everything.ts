/** Every folder that works in a browser, whole: what a bundle may hold at most. */
import * as front from "avocet";
import * as analysis from "../../src/analysis/inner.ts";
import * as autodiff from "../../src/autodiff/inner.ts";
import * as base from "../../src/base/inner.ts";
import * as data from "../../src/data/inner.ts";
import * as dataFiles from "../../src/data/inner-files.ts";
import * as facts from "../../src/facts/inner.ts";
import * as formats from "../../src/formats/inner.ts";
import * as ir from "../../src/ir/inner.ts";
import * as methods from "../../src/methods/inner.ts";
import * as ops from "../../src/ops/inner.ts";
import * as passes from "../../src/passes/inner.ts";
import * as quant from "../../src/quant/inner.ts";
import * as quantFiles from "../../src/quant/inner-files.ts";
import * as recipe from "../../src/recipe/inner.ts";
import * as report from "../../src/report/inner.ts";
import * as runtime from "../../src/runtime/inner.ts";
import * as tensor from "../../src/tensor/inner.ts";
import * as train from "../../src/train/inner.ts";

export {
  analysis,
  autodiff,
  base,
  data,
  dataFiles,
  facts,
  formats,
  front,
  ir,
  methods,
  ops,
  passes,
  quant,
  quantFiles,
  recipe,
  report,
  runtime,
  tensor,
  train,
};
