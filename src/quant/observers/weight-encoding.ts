/** Ranges of weights: the schemes of activations on the elements themselves, slice by slice. */
import type { Tensor } from "../../tensor/inner.ts";
import type { Proposing } from "../grids/codec.ts";
import type { Encoding, Granularity } from "../grids/encoding.ts";
import { scaledCodecOf } from "../grids/grid.ts";
import type { Affine } from "../grids/range.ts";
import { choiceOf, encodingOfAffines, type RangeOptions } from "../grids/ranged-encoding.ts";
import { gatherSlices, sliceCount } from "../grids/slices.ts";
import { inLevels, type TwoLevelChoice } from "../grids/two-level.ts";
import { bestScale, withShortScale } from "./exact-search.ts";
import { kernel } from "./histogram-kernel.ts";
import { makeObserver } from "./make-observer.ts";
import type { Scheme } from "./observer.ts";

/**
 * The encoding of a weight (or any constant) under a scheme, per tensor, channel or block. `sqnr` and `mse` minimise
 * the squared error of the elements exactly, without a histogram. `entropy` takes their whole range, as TensorRT and ONNX
 * Runtime's tool do: the few numbers of a slice do not fill a histogram. Throws `data/not-finite`.
 */
export function encodeWeight(
  tensor: Tensor,
  options: RangeOptions & { readonly twoLevel?: TwoLevelChoice | undefined },
  scheme: Scheme,
): Encoding {
  const granularity: Granularity = options.granularity ?? { kind: "tensor" };
  const choice = choiceOf(options);
  const codec = scaledCodecOf(options.grid);
  const found = new Array<Affine>(sliceCount(tensor.shape, granularity));
  for (const { slices, values } of gatherSlices(tensor.floats(), tensor.shape, granularity)) {
    const affine = codec.propose(seen(values, scheme), choice);
    for (const slice of slices) found[slice] = affine;
  }
  const encoding = encodingOfAffines(found, options);
  return options.twoLevel ? inLevels(encoding, tensor.shape, options.twoLevel, codec.bits) : encoding;
}

/** What a scheme makes of the elements of one slice. */
function seen(values: Float32Array, scheme: Scheme): Proposing {
  if (scheme === "sqnr" || scheme === "mse")
    return { propose: (choice) => bestScale(values, choice), statistics: () => kernel().range(values) };
  const observer = makeObserver(scheme === "entropy" ? "minmax" : scheme);
  observer.see(values);
  return {
    propose: (choice) => {
      const proposed = observer.propose({ ...choice, shortScale: false });
      return choice.shortScale ? withShortScale(values, proposed, choice) : proposed;
    },
    statistics: () => observer.statistics(),
  };
}
