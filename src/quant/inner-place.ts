/** @module Placement alone, for what only looks at a model: it loads neither observers nor gradients. `inner.ts` has these names, too. */
export { layersInBodies } from "./place/bodies.ts";
export { type PlaceOptions, place } from "./place/place.ts";
export type { NotQuantized, Plan, PlanEntry } from "./plan/plan.ts";
export type { Target } from "./targets/target.ts";
export { builtinTarget, targetFile, targetNames } from "./targets/targets.ts";
