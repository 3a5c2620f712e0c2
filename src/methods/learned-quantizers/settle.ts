/** From trained values back to a model and a plan: the weights as they were learned, the encodings that were learned with them. */
import { invariant } from "../../base/inner.ts";
import { cloneModel, type Model } from "../../ir/inner.ts";
import {
  type Encoding,
  endsOf,
  entriesByValue,
  limited,
  type Plan,
  type PlanEntry,
  quantizeDequantize,
  withBiasEncodings,
  withEntries,
} from "../../quant/inner.ts";
import type { Tensor } from "../../tensor/inner.ts";
import type { LearnedQuantizer, TrainableModel } from "./trainable.ts";

/** What training gave, by the names of the trainable model's constants. Values that were not trained may be absent. */
export type Trained = ReadonlyMap<string, Tensor>;

/** `model` and `plan` are those that `trainable` was made of. Learned encodings come back frozen. */
export function settle(
  model: Model,
  plan: Plan,
  trainable: TrainableModel,
  trained: Trained,
): { model: Model; plan: Plan } {
  const result = cloneModel(model);
  const values = result.graph.valuesByName();
  for (const name of [...trainable.weights, ...trainable.biases]) {
    const tensor = trained.get(name);
    if (tensor) values.get(name)!.initializer = tensor;
  }
  const changed = new Map<string, PlanEntry>();
  for (const quantizer of trainable.quantizers) {
    const tensor = trained.get(quantizer.parameter);
    const encoding = tensor ? learnedEncoding(quantizer, tensor.floats()) : quantizer.encoding;
    changed.set(quantizer.entry.value, { ...quantizer.entry, encoding, frozen: true });
  }
  const entries = entriesByValue(plan);
  for (const entry of plan.entries) {
    const head = changed.get(entry.sharesEncodingOf ?? "");
    if (head?.encoding) changed.set(entry.value, { ...entry, encoding: head.encoding, frozen: true });
    const own = changed.get(entry.value) ?? entries.get(entry.value);
    if (entry.kind !== "weight" || !own?.encoding) continue;
    const { encoding } = own;
    const value = values.get(entry.value)!;
    const onGrid = () => quantizeDequantize(value.initializer!, encoding, "half-even");
    const safe = limited(entry, value, encoding, onGrid);
    if (safe) value.initializer = safe;
  }
  return { model: result, plan: withBiasEncodings(withEntries(plan, changed), result) };
}

/** The same arithmetic in float32 as the nodes of the trainable model. */
function learnedEncoding({ encoding, kind }: LearnedQuantizer, learned: Float32Array): Encoding {
  const { low, high } = endsOf(encoding);
  const f = Math.fround;
  if (kind === "scale") {
    const factorOf = (i: number) => learned[learned.length === 1 ? 0 : i]!;
    return { ...encoding, scale: encoding.scale.map((s, i) => f(f(s) * factorOf(i))) };
  }
  invariant(learned.length === 2, "a learned range has two ends");
  const steps = high - low;
  const span = f(encoding.scale[0]! * steps);
  const [min, max] = [f(learned[0]! * span), f(learned[1]! * span)];
  const scale = f(f(max - min) * f(1 / steps));
  const offset = Math.min(Math.max(Math.round(f(min / scale)), -steps), 0) + 0;
  return { ...encoding, scale: [scale], offset: [offset] };
}
