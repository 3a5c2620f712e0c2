/** Cross-layer equalization, and its companion for high biases, as steps of a recipe. */
import { noOptions, preparation } from "../step.ts";
import { equalizeLayers } from "./apply.ts";
import { foldHighBiases } from "./high-bias.ts";
import { equalizeOptions } from "./options.ts";

export const equalization = preparation({ name: "cle", options: equalizeOptions, run: equalizeLayers });

export const highBias = preparation({
  name: "high-bias",
  options: noOptions.describe("High biases that a Relu never cuts off move into the layers that read them."),
  run: foldHighBiases,
});
