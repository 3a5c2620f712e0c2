/** @module Graph rewriting: the pass contract, rules that refuse with a reason, and the passes that models go through. */

export { isRefused, type Refused, refuse } from "../base/index.ts";
export {
  type BatchNormStatistics,
  batchNormRecords,
  batchNormStatistics,
  type ChannelAffine,
  moveBatchNormStatistics,
  setBatchNormStatistics,
} from "./batch-norm.ts";
export { cancelMovement } from "./cancel-movement.ts";
export { hoistConstants, unlistConstants } from "./constants.ts";
export { type Contradiction, contradictions, correctOutputs, shapeText } from "./correct-outputs.ts";
export { foldBatchNormBackward, foldBatchNormForward, foldBatchNorms } from "./fold-batch-norm.ts";
export { foldChannelAffine, foldChannelAffines } from "./fold-channel-affine.ts";
export { type FoldOptions, foldConstants } from "./fold-constants.ts";
export { foldPaddings } from "./fold-padding.ts";
export { foldShapes } from "./fold-shapes.ts";
export { freezeShapes } from "./freeze-shapes.ts";
export { inlineFunctions } from "./inline-functions.ts";
export { bareLayer, biasOf, channelsOf, type Layer, layerOf, scaleInput, scaleOutput } from "./layer.ts";
export { moveConstants } from "./move-constants.ts";
export { type NormaliseOptions, normalise, optimise } from "./normalise.ts";
export { type Pass, type PassReport, type Refusal, type Refuse, runPass, runPasses } from "./pass.ts";
export { any, Bindings, constant, either, match, op, opWhere, type Pattern, readElsewhere, scalar } from "./pattern.ts";
export { recogniseOperators } from "./recognise/recognise.ts";
export { removeDeadNodes } from "./remove-dead.ts";
export { removeIdentities } from "./remove-identity.ts";
export { replaceConstant } from "./replace-constant.ts";
export { replaceNode, takeOver } from "./replace-node.ts";
export { rewriteBatchNorms } from "./rewrite-batch-norm.ts";
export { type Outcome, passOf, type Rule, type RuleSpec, rule, why } from "./rule.ts";
export { shareConstants, shareSubexpressions } from "./share-equal.ts";
export { type UnrollOptions, unrollRecurrent } from "./unroll/unroll.ts";
export {
  defaultOpset,
  irVersionOf,
  newestOpset,
  oldestOpset,
  upgradeOpset,
  upgradeTo,
} from "./upgrade-opset/upgrade.ts";
export { randomNodes, trainingForm, trainingNodes, useInference } from "./use-inference.ts";
