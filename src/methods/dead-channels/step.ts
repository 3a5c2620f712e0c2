/** Dead channels as a step of a recipe. */
import { noOptions, preparation } from "../step.ts";
import { removeDeadChannels } from "./apply.ts";

export const deadChannels = preparation({
  name: "dead-channels",
  options: noOptions.describe(
    "Channels that can only be constant are folded into what reads them, where that is exact.",
  ),
  run: removeDeadChannels,
});
