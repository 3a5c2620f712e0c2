/** Every subpath that works in a browser, whole: what a bundle may hold at most. */
import * as front from "avocet";
import * as analysis from "avocet/analysis";
import * as base from "avocet/base";
import * as data from "avocet/data";
import * as facts from "avocet/facts";
import * as formats from "avocet/formats";
import * as ir from "avocet/ir";
import * as methods from "avocet/methods";
import * as ops from "avocet/ops";
import * as passes from "avocet/passes";
import * as quant from "avocet/quant";
import * as recipe from "avocet/recipe";
import * as report from "avocet/report";
import * as runtime from "avocet/runtime";
import * as tensor from "avocet/tensor";

export {
  analysis,
  base,
  data,
  facts,
  formats,
  front,
  ir,
  methods,
  ops,
  passes,
  quant,
  recipe,
  report,
  runtime,
  tensor,
};
