/** @module For programs that rewrite models: the passes, and what a rule of one's own is made of. */
export {
  any,
  foldBatchNormBackward,
  match,
  normalise,
  op,
  optimise,
  type Pass,
  passOf,
  type Rule,
  refuse,
  rule,
  runPass,
  upgradeOpset,
  why,
} from "./inner.ts";
