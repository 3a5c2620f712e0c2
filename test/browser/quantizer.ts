/** A small app: the engine alone, from bytes to bytes, without readers of pictures and without reports. */
export { fromIterable, openRuntime, parseRecipe, quantizeModel, readModel, writeModel } from "avocet";
