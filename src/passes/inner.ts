/** @module Graph rewriting: the pass contract, rules that refuse with a reason, and the passes that models go through. */

export { isRefused, type Refused, refuse } from "../base/inner.ts";
export {
  type BatchNormStatistics,
  batchNormRecords,
  batchNormStatistics,
  type ChannelAffine,
  moveBatchNormStatistics,
  setBatchNormStatistics,
} from "./batch-norm.ts";
export { hoistConstants, unlistConstants } from "./constants.ts";
export { foldBatchNormBackward, foldBatchNormForward, foldBatchNorms } from "./fold/fold-batch-norm.ts";
export { foldChannelAffine, foldChannelAffines } from "./fold/fold-channel-affine.ts";
export { type FoldOptions, foldConstants } from "./fold/fold-constants.ts";
export { foldPaddings } from "./fold/fold-padding.ts";
export { rewriteBatchNorms } from "./fold/rewrite-batch-norm.ts";
export { biasesOf, type EditableLayer, editableLayer, editableProduct, wholeLayer } from "./layers/editable.ts";
export { cutInputs, cutOutputs, mixInputs, mixOutputs, type Rows } from "./layers/mix.ts";
export { putBias, shiftedBias } from "./layers/put-bias.ts";
export { scaleInput, scaleOutput } from "./layers/scale.ts";
export { store as storeLayer } from "./layers/store.ts";
export { type NormaliseOptions, normalise, optimise } from "./normalise.ts";
export { type Pass, type PassReport, type Refusal, type Refuse, runPass, runPasses } from "./pass.ts";
export { any, Bindings, constant, either, match, op, opWhere, type Pattern, readElsewhere, scalar } from "./pattern.ts";
export { type PlacedWeights, placeWeights } from "./place-weights.ts";
export { recogniseOperators } from "./recognise/recognise.ts";
export { replaceConstant } from "./replace-constant.ts";
export { type Replacement, replaceNode, takeOver } from "./replace-node.ts";
export { type Outcome, passOf, type Rule, type RuleSpec, rule, why } from "./rule.ts";
export { foldShapes } from "./shapes/fold-shapes.ts";
export { freezeShapes } from "./shapes/freeze-shapes.ts";
export { cancelMovement } from "./tidy/cancel-movement.ts";
export { type Contradiction, contradictions, correctOutputs, shapeText } from "./tidy/correct-outputs.ts";
export { inlineFunctions } from "./tidy/inline-functions.ts";
export { moveConstants } from "./tidy/move-constants.ts";
export { removeDeadNodes } from "./tidy/remove-dead.ts";
export { removeIdentities } from "./tidy/remove-identity.ts";
export { shareConstants, shareSubexpressions } from "./tidy/share-equal.ts";
export { randomNodes, trainingForm, trainingNodes, useInference } from "./tidy/use-inference.ts";
export { stepsFirst } from "./unroll/time-major.ts";
export { type UnrollOptions, unrollRecurrent } from "./unroll/unroll.ts";
export {
  defaultOpset,
  irVersionOf,
  newestOpset,
  oldestOpset,
  upgradeOpset,
  upgradeTo,
} from "./upgrade-opset/upgrade.ts";
