/** @module Facts of a graph: constants, readers, ranks, element types, lengths, and what is known per operator. Nothing is edited. */
export { axesOf, axisOf } from "./axis.ts";
export { clipBounds, constantBound } from "./clip-bounds.ts";
export { commutesWithAffine } from "./commuting.ts";
export { constantNumbers, constantOf, defaultOf, floatConstant, initializerOf, tensorOfConstant } from "./constants.ts";
export { declaredDType, dtypeMadeBy, dtypeOf } from "./dtype.ts";
export { type InferOptions, inferTypes } from "./infer-types.ts";
export {
  type AddedVector,
  addBehind,
  addedVector,
  type BiasSlot,
  betaOf,
  biasOf,
  biasSlot,
  vectorSlot,
} from "./layers/bias.ts";
export { channelsOf } from "./layers/channels.ts";
export {
  isStored,
  type Layer,
  type LayerAxes,
  layerAt,
  layerOf,
  layersOf,
  type MatrixLayer,
  matrixLayerAt,
  matrixLayers,
  productAt,
  type WeightSlot,
  weightAxes,
  weightOperand,
} from "./layers/layer.ts";
export { type MatrixView, matrixOf, matrixView, weightOf } from "./layers/matrix.ts";
export { recurrentLayers } from "./layers/recurrent.ts";
export { numbersOf } from "./lengths/computed.ts";
export type { Computed, Length, Lengths } from "./lengths/length.ts";
export { LengthTable } from "./lengths/lengths.ts";
export { addsOnlyZero, isNearestResize, keepsGrid, maskOf, movesData } from "./movement.ts";
export { rankOf } from "./rank.ts";
export { onlyReader, readersOf, readsOf, varyingValues } from "./readers.ts";
export {
  type Activation,
  type ActivationName,
  activationsOf,
  gatesOf,
  isRecurrent,
  recurrentInputs,
} from "./recurrent.ts";
export { shapeOf } from "./shape.ts";
export {
  bodies,
  combining,
  containers,
  contrib,
  losses,
  making,
  mapping,
  quantizing,
  random,
  reducing,
  texts,
} from "./tables/groups.ts";
export { type HalfRow, halfRows } from "./tables/half.ts";
export { each, rowIn, type Table, type Unknown } from "./tables/row.ts";
export { graphsOf, isOp, withSubgraphs } from "./walk.ts";
