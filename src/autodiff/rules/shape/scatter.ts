/** ScatterElements, ScatterND and TensorScatter: updates that are written over, added to or compared with the data. */
import type { Value } from "../../../ir/inner.ts";
import { sizeOf } from "../../../tensor/inner.ts";
import type { Backward, InputGradients } from "../../rule.ts";
import { numbered } from "./movement-index.ts";

/** Where the updates go: the data as a list, and the flat place of every update, so that both operators are one. */
interface Places {
  /** What stands at the positions, in the shape of the updates. */
  take(data: Value): Value;
  /** `base` (shaped as the data) with the updates put in. */
  put(base: Value, updates: Value, reduction: "none" | "add" | "mul"): Value;
}

function placesOf(b: Backward): Places {
  const { node } = b;
  const indices = b.input(1);
  if (node.op === "ScatterElements") {
    const axis = node.int("axis", 0);
    return {
      take: (data) => b.op("GatherElements", [data, indices], { axis }),
      put: (base, updates, reduction) => b.op("ScatterElements", [base, indices, updates], { axis, reduction }),
    };
  }
  const shape = b.shapeOf(0);
  const list = (value: Value) => b.reshape(value, [-1]);
  const numbers = list(b.op("GatherND", [numbered(b, shape), indices]));
  return {
    take: (data) => b.op("GatherND", [data, indices]),
    // ONNX Runtime adds in parallel in ScatterND and loses some where a place occurs twice; here it does not.
    put: (base, updates, reduction) =>
      b.reshape(b.op("ScatterElements", [list(base), numbers, list(updates)], { reduction }), shape),
  };
}

export function scatter(b: Backward): InputGradients {
  const places = placesOf(b);
  switch (b.node.string("reduction", "none")) {
    case "none":
      return [
        b.wants(0) ? places.put(b.dy, b.filled(b.shapeOf(2), 0), "none") : null,
        null,
        b.wants(2) ? places.take(b.dy) : null,
      ];
    case "add":
      return [b.dy, null, b.wants(2) ? places.take(b.dy) : null];
    case "mul":
      return multiplied(b, places);
    default:
      return compared(b, places);
  }
}

/**
 * y = x · Π u. For an update it is the product of all else, which no division by it can give where it is zero: zeros are
 * counted and set apart.
 */
function multiplied(b: Backward, places: Places): InputGradients {
  const [x, updates] = [b.input(0), b.input(2)];
  const ones = b.filled(b.shapeOf(0), 1);
  const toData = () => b.mul(b.dy, places.put(ones, updates, "mul"));
  const toUpdates = () => {
    const isZero = b.same(updates, b.scalar(0));
    const others = b.add(updates, isZero);
    const zeros = places.take(places.put(b.filled(b.shapeOf(0), 0), isZero, "add"));
    const counts = b.add(b.within(zeros, 0.5), b.mul(isZero, b.within(b.sub(zeros, b.scalar(1)), 0.5)));
    const rest = places.take(b.mul(b.mul(b.dy, x), places.put(ones, others, "mul")));
    return b.mul(b.div(rest, others), counts);
  };
  return [b.wants(0) ? toData() : null, null, b.wants(2) ? toUpdates() : null];
}

/** The largest (or smallest) of data and updates gets the gradient; equal ones share it evenly. */
function compared(b: Backward, places: Places): InputGradients {
  const { y, dy } = b;
  const kept = b.same(b.input(0), y);
  const taken = b.same(b.input(2), places.take(y));
  const share = b.div(dy, places.put(kept, taken, "add"));
  return [b.wants(0) ? b.mul(share, kept) : null, null, b.wants(2) ? b.mul(places.take(share), taken) : null];
}

/** A cache whose positions from `write_indices` on are overwritten, one start for each sample. */
export function tensorScatter(b: Backward): InputGradients {
  const { node, dy } = b;
  const shape = b.shapeOf(0);
  const update = b.shapeOf(1);
  const mode = node.string("mode", "linear");
  const given = node.int("axis", -2);
  const axis = given < 0 ? given + shape.length : given;
  const starts = node.input(2);
  const toCache = () => b.op("TensorScatter", [dy, b.filled(update, 0), starts], { axis, mode });
  const toUpdate = () => {
    const along = update.map((length, i) => (i === axis ? length : 1));
    const offsets = numbered(b, along);
    const perSample = (value: Value) => b.reshape(value, [-1, ...update.slice(1).map(() => 1)]);
    const first = starts ? perSample(starts) : perSample(b.ints(Array<number>(update[0]!).fill(0)));
    const positions = b.op("Mod", [b.add(first, offsets), b.int(shape[axis]!)]);
    return b.op("GatherElements", [dy, b.expand(positions, update)], { axis });
  };
  if (sizeOf(update) === 0) return [dy];
  return [b.wants(0) ? toCache() : null, b.wants(1) ? toUpdate() : null];
}
